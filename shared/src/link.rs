//! The link: the fact that one identity belongs to one cloud account, and what may happen to it.
//!
//! The rules are decided by the conditions of one transaction (see `table`); this module names the facts those conditions
//! are about.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest;
use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    flow::{FlowId, SessionBinding},
    identity::{AccountId, EmailAddress, Identity, ProviderId},
};

/// A link as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Who is linked.
    pub identity: Identity,
    /// The e-mail address the provider stated last: a label.
    pub email: Option<EmailAddress>,
    /// Since when.
    pub linked_at: Timestamp,
}

/// An account need not link at a provider until an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exemption {
    /// When it ends by itself.
    pub until: Timestamp,
    /// Why it was granted: 1–500 characters.
    pub reason: String,
    /// The IAM caller who granted it.
    pub by: String,
}

impl Exemption {
    /// How long a reason may be, in characters.
    pub const LONGEST_REASON: usize = 500;
}

/// All the table knows of one account at one provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountRecord {
    /// The link, while there is one.
    pub link: Option<Link>,
    /// Flows started at or before this instant are worthless: set by unlinking and by switching, never removed.
    pub flows_valid_after: Option<Timestamp>,
    /// The exemption from the requirement, also when it has ended.
    pub exemption: Option<Exemption>,
}

/// One attempt to link: everything a commit writes or is conditional on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkAttempt {
    /// The flow that earned it; its id makes the attempt single-use.
    pub flow_id: FlowId,
    /// When that flow started: what was unlinked or switched since then makes it worthless.
    pub started_at: Timestamp,
    /// The account that asked.
    pub account: AccountId,
    /// The session that asked, for the history.
    pub session: SessionBinding,
    /// At which provider.
    pub provider: ProviderId,
    /// Whom the provider's ID token named.
    pub identity: Identity,
    /// The label that goes with it.
    pub email: Option<EmailAddress>,
}

/// Who ends a link or an exemption, for the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The account's own user, in this session.
    Session(SessionBinding),
    /// An operator or a server, by its IAM name.
    Iam(String),
}

/// An identity's fingerprint in the history: SHA-256 over issuer and subject, so that the history names no person.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IdentityFingerprint([u8; 32]);

impl IdentityFingerprint {
    /// The fingerprint of `identity`.
    #[must_use]
    pub fn of(identity: &Identity) -> Self {
        // An issuer holds no `#`, so the text is unambiguous.
        let text = format!("{}#{}", identity.issuer, identity.subject);
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
        Self(hash)
    }
}

/// Unpadded base64url.
impl fmt::Display for IdentityFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for IdentityFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityFingerprint({self})")
    }
}

/// What a successful commit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Committed {
    /// The account had no link at this provider, or the very same one.
    Linked,
    /// The account was linked to another identity, which is free again.
    Switched,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Issuer, Subject};

    #[test]
    fn a_fingerprint_is_the_sha_256_of_issuer_and_subject() {
        let identity = Identity {
            issuer: Issuer::parse("https://id.example").unwrap(),
            subject: Subject::parse("User#1").unwrap(),
        };
        // printf 'https://id.example#User#1' | openssl dgst -sha256 -binary | basenc --base64url
        let text = "7sRKEMa2jZbwwjU_Ah9HpXrmE3fBd0x1RqOX9EtEm7A";
        assert_eq!(IdentityFingerprint::of(&identity).to_string(), text);
        assert_eq!(
            format!("{:?}", IdentityFingerprint::of(&identity)),
            format!("IdentityFingerprint({text})")
        );
    }
}
