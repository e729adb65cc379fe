//! Who is who: accounts, sessions, providers, and the identities that are linked.
//!
//! Every type here is parsed once at the edge and cannot hold anything else afterwards.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

/// Why a value is not what its type stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {expected}")]
pub struct Malformed {
    /// What would have been right, for the log and for configuration errors.
    pub expected: &'static str,
}

const fn malformed(expected: &'static str) -> Malformed {
    Malformed { expected }
}

/// True when `text` has 1 to `longest` bytes, each of them 0x21–0x7E: printable ASCII without the space.
fn is_visible_ascii(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|byte| (0x21..=0x7E).contains(&byte))
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses `text`.
            pub fn parse(text: impl Into<String>) -> Result<Self, Malformed> {
                let text = text.into();
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) { Ok(Self(text)) } else { Err(malformed($expected)) }
            }

            /// The text, byte for byte as it was parsed.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Malformed;

            fn try_from(text: String) -> Result<Self, Malformed> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_type! {
    /// A cloud account's opaque name: 1–128 bytes of 0x21–0x7E (contract section 3).
    AccountId, "an account id: 1 to 128 bytes of printable ASCII", |text| is_visible_ascii(text, 128)
}

impl AccountId {
    /// Reads the form used in paths: the unpadded base64url of the bytes.
    pub fn from_path_segment(segment: &str) -> Result<Self, Malformed> {
        let expected = malformed("the unpadded base64url of an account id");
        let bytes = URL_SAFE_NO_PAD.decode(segment).map_err(|_| expected)?;
        Self::parse(String::from_utf8(bytes).map_err(|_| expected)?)
    }

    /// The form used in paths: the unpadded base64url of the bytes.
    #[must_use]
    pub fn to_path_segment(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.0)
    }
}

text_type! {
    /// The `sid` of a session at accounts.magento.cloud: 1–128 bytes of 0x21–0x7E (contract section 3).
    SessionId, "a session id: 1 to 128 bytes of printable ASCII", |text| is_visible_ascii(text, 128)
}

text_type! {
    /// A provider's short name in paths and keys, `magento`: 1–32 of `a`–`z`, `0`–`9` and `-`.
    ProviderId, "a provider id: 1 to 32 of a-z, 0-9 and -", |text| (1..=32).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

text_type! {
    /// An OpenID provider's issuer identifier, compared byte for byte (OIDC Core 1.2).
    ///
    /// The original text is kept: parsing it as a URL and writing it again could change it. It holds no `?` and no `#`
    /// (OIDC Discovery 2), which keeps the keys made of it unambiguous.
    Issuer, "an issuer: an http(s) URL without query and fragment", |text| is_visible_ascii(text, 255)
        && !text.contains(['?', '#'])
        && text.split_once("://").is_some_and(|(scheme, rest)| matches!(scheme, "https" | "http") && !rest.is_empty())
}

text_type! {
    /// A person's name at one issuer, the `sub` claim: 1–255 bytes of 0x21–0x7E, compared byte for byte (OIDC Core 2).
    Subject, "a subject: 1 to 255 bytes of printable ASCII", |text| is_visible_ascii(text, 255)
}

/// A person at a provider: the pair (`iss`, `sub`) of a verified ID token. Never the e-mail address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Who vouches for the subject.
    pub issuer: Issuer,
    /// Whom the issuer means.
    pub subject: Subject,
}

/// An e-mail address as somebody stated it: a label to show people, never a key.
///
/// At most 254 bytes with something on both sides of its last `@`, and nothing in it that is invisible or changes the direction of the text
/// around it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Parses a label; what is no usable address counts as absent (contract section 9).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.rsplit_once('@')?;
        let invisible = |character: char| {
            character.is_control()
                || character.is_whitespace()
                // Soft hyphen, zero-width and bidirectional marks, embeddings and isolates, byte order mark, tags.
                || matches!(character, '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
                    | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
        };
        let usable = text.len() <= 254 && !local.is_empty() && !domain.is_empty() && !text.contains(invisible);
        usable.then(|| Self(text.to_owned()))
    }

    /// The whole address. Shown only to whom the contract shows it unmasked; never logged.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The first character, three stars whatever the length, and the domain: `m***@example.com`.
    #[must_use]
    pub fn masked(&self) -> String {
        let (local, domain) = self.0.rsplit_once('@').unwrap_or((&self.0, ""));
        let first = local.chars().next().map_or(String::new(), String::from);
        format!("{first}***@{domain}")
    }

    /// Equality ignoring ASCII case, the comparison that decides whether a link needs confirmation.
    #[must_use]
    pub fn is_same_mailbox(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        Self::parse(&text).ok_or(malformed("an e-mail address"))
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.0
    }
}

/// Redacted: an address must not reach a log by way of a derived `Debug`.
impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(…)")
    }
}

/// What a verified ID token says about the person who signed in at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedIdentity {
    /// The pair that is linked.
    pub identity: Identity,
    /// The `email` claim, when it is a usable label.
    pub email: Option<EmailAddress>,
    /// The `email_verified` claim; anything but a JSON `true` is false.
    pub email_verified: bool,
    /// The session at the provider, the `sid` claim (OIDC Front-Channel Logout 3), when it came.
    pub provider_session: Option<String>,
    /// When the person last proved themselves to the provider, the `auth_time` claim.
    pub auth_time: Option<crate::clock::Timestamp>,
    /// How, the `acr` claim.
    pub acr: Option<String>,
    /// By which means, the `amr` claim.
    pub amr: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::{for_all, unicode, visible_ascii};

    #[test]
    fn a_subject_is_kept_byte_for_byte_and_bounded() {
        assert_eq!(Subject::parse("User#1|A").unwrap().as_str(), "User#1|A");
        assert_ne!(Subject::parse("a").unwrap(), Subject::parse("A").unwrap());
        assert!(Subject::parse("s".repeat(255)).is_ok());
        let too_long = "s".repeat(256);
        for hostile in ["", " ", "a ", "a\0", "a\n", "\u{200B}a", "é", &too_long] {
            assert!(Subject::parse(hostile).is_err(), "{hostile:?}");
        }
    }

    #[test]
    fn an_issuer_is_a_url_without_query_and_fragment() {
        for issuer in [
            "https://magento.example",
            "http://magento.localhost:8080",
            "https://id.example/tenant/1",
        ] {
            assert_eq!(Issuer::parse(issuer).unwrap().as_str(), issuer);
        }
        for hostile in [
            "",
            "magento.example",
            "https://",
            "ftp://a",
            "https://a?b",
            "https://a#b",
            "https://a b",
        ] {
            assert!(Issuer::parse(hostile).is_err(), "{hostile:?}");
        }
    }

    #[test]
    fn an_account_id_survives_its_path_form() {
        let account = AccountId::parse("a/b#c?d%").unwrap();
        assert_eq!(
            AccountId::from_path_segment(&account.to_path_segment()).unwrap(),
            account
        );
        for hostile in ["", "YQ==", "a", "!", "IA", "4pyT"] {
            assert!(AccountId::from_path_segment(hostile).is_err(), "{hostile:?}");
        }
    }

    #[test]
    fn a_provider_id_is_plain() {
        assert!(ProviderId::parse("magento").is_ok());
        for hostile in ["", "Magento", "a/b", "a#b", "..", &"a".repeat(33)] {
            assert!(ProviderId::parse(hostile).is_err(), "{hostile:?}");
        }
    }

    #[test]
    fn a_mask_shows_the_first_character_and_the_domain_and_nothing_of_the_length() {
        let masked = |text: &str| EmailAddress::parse(text).unwrap().masked();
        assert_eq!(masked("maria@example.com"), "m***@example.com");
        assert_eq!(masked("m@example.com"), "m***@example.com");
        assert_eq!(masked("éva@example.com"), "é***@example.com");
        assert_eq!(masked("\"a@b\"@example.com"), "\"***@example.com");
    }

    #[test]
    fn a_mask_is_the_same_whoever_is_behind_it() {
        for_all(|rng| {
            let (first, domain) = (unicode(rng, 1), unicode(rng, 20).replace('@', "a"));
            let mut masks = (0..8).filter_map(|_| {
                let rest = if rng.bool() { unicode(rng, 60) } else { String::new() };
                let address = EmailAddress::parse(&format!("{first}{rest}@{domain}"))?;
                assert!(address.reveal().len() <= 254);
                Some(address.masked())
            });
            if let Some(mask) = masks.next() {
                assert_eq!(mask, format!("{first}***@{domain}"));
                masks.for_each(|other| assert_eq!(other, mask));
            }
        });
    }

    #[test]
    fn a_text_that_holds_what_nobody_sees_is_no_address_and_so_has_no_mask() {
        for_all(|rng| {
            let text = unicode(rng, 120);
            if let Some(address) = EmailAddress::parse(&text) {
                let invisible =
                    |character: char| character.is_control() || "\u{200B}\u{202E}\u{2066}\u{FEFF}".contains(character);
                assert!(!text.contains(invisible), "{text:?}");
                let (first, domain) = address
                    .masked()
                    .split_once("***@")
                    .map(|(first, domain)| (first.to_owned(), domain.to_owned()))
                    .unwrap();
                assert_eq!(first.chars().count(), 1, "{text:?}");
                assert!(
                    text.starts_with(&first) && text.ends_with(&format!("@{domain}")),
                    "{text:?}"
                );
            }
        });
    }

    #[test]
    fn every_account_id_survives_its_path_form_and_no_two_share_it() {
        for_all(|rng| {
            let any = |rng: &mut fastrand::Rng| AccountId::parse(visible_ascii(rng, 128)).unwrap();
            let (one, other) = (any(rng), any(rng));
            assert_eq!(AccountId::from_path_segment(&one.to_path_segment()), Ok(one.clone()));
            assert_eq!(one.to_path_segment() == other.to_path_segment(), one == other);
        });
    }

    #[test]
    fn what_is_no_usable_address_counts_as_absent() {
        let too_long = format!("{}@example.com", "m".repeat(254));
        for text in [
            "",
            "maria",
            "@example.com",
            "maria@",
            "ma ria@example.com",
            "maria@exa\nmple.com",
            "\u{202E}m@x.y",
            &too_long,
        ] {
            assert_eq!(EmailAddress::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_address_does_not_print() {
        assert_eq!(
            format!("{:?}", EmailAddress::parse("maria@example.com").unwrap()),
            "EmailAddress(…)"
        );
    }
}
