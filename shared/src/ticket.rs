//! The ticket: what a sign-in flow ends in, and what accounts.magento.cloud redeems for a session of its own.
//!
//! A ticket travels through the browser, so it is worth nothing by itself. The login page keeps a secret, the verifier, and starts the flow
//! with its hash, the [`Challenge`]; only with the verifier can the ticket be redeemed, as only with the `code_verifier` can a code be
//! (RFC 7636).

use std::{fmt, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest;
use serde::{Deserialize, Serialize};

use crate::{
    clock::{NoRandomness, Randomness, Timestamp, random_bytes},
    identity::{AccountId, Identity, ProviderId},
};

/// How long a ticket can be redeemed (contract section 9).
pub const TICKET_LIFETIME: Duration = Duration::from_mins(1);

fn sha256(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    hash
}

/// The SHA-256 of the login page's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge([u8; 32]);

impl Challenge {
    /// Reads the `challenge` parameter: 43 characters of unpadded base64url.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// The challenge that `verifier` answers.
    #[must_use]
    pub fn of(verifier: &str) -> Self {
        Self(sha256(verifier))
    }
}

/// 43 characters of unpadded base64url.
impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// A fresh ticket: 256 random bits that do not print.
pub struct Ticket([u8; 32]);

impl Ticket {
    /// Draws one.
    pub fn generate(random: &dyn Randomness) -> Result<Self, NoRandomness> {
        random_bytes(random).map(Self)
    }

    /// The form that travels: 43 characters of unpadded base64url.
    #[must_use]
    pub fn reveal(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> TicketHash {
        TicketHash::of(&self.reveal())
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(…)")
    }
}

/// The SHA-256 of a ticket as it travels: all that the table knows of it, so that who reads the table can redeem nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketHash([u8; 32]);

impl TicketHash {
    /// The hash of what somebody says is a ticket. A text that is none has a hash that no ticket has.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(sha256(text))
    }
}

/// 43 characters of unpadded base64url.
impl fmt::Display for TicketHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// Who signed in, and how: what a ticket is redeemed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// The account that the identity belongs to.
    pub account: AccountId,
    /// At which provider.
    pub provider: ProviderId,
    /// Whom the provider named.
    pub identity: Identity,
    /// The session at the provider, the `sid` claim.
    pub provider_session: Option<String>,
    /// When the person last proved themselves to the provider, the `auth_time` claim.
    pub auth_time: Option<Timestamp>,
    /// How, the `acr` claim.
    pub acr: Option<String>,
    /// By which means, the `amr` claim.
    pub amr: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemRandomness;

    #[test]
    fn a_challenge_is_the_hash_of_its_verifier() {
        // RFC 7636 appendix B.
        let challenge = Challenge::of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge.to_string(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert_eq!(Challenge::parse(&challenge.to_string()), Some(challenge));
    }

    #[test]
    fn a_challenge_is_43_characters_of_base64url_and_nothing_else() {
        let good = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        for text in [
            "",
            &good[1..],
            &format!("{good}="),
            &format!("A{good}"),
            &good.replace('-', "+"),
            // Another spelling of the same bytes.
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cN",
            &good.replace('M', "é"),
        ] {
            assert_eq!(Challenge::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_ticket_does_not_print_and_is_found_by_the_hash_of_what_travels() {
        let ticket = Ticket::generate(&SystemRandomness::default()).unwrap();
        assert_eq!(format!("{ticket:?}"), "Ticket(…)");
        assert_eq!(ticket.reveal().len(), 43);
        assert_eq!(TicketHash::of(&ticket.reveal()), ticket.hash());
        assert_ne!(TicketHash::of(&ticket.reveal()[1..]), ticket.hash());
    }
}
