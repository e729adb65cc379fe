//! A flow: one attempt, from its start to its end, living sealed in the browser that started it.
//!
//! start-link makes a [`Flow`] and seals it into a cookie; the callback takes it up in the same browser and, for a link flow,
//! in the same session. When the user must confirm first, the verified identity waits in a [`PendingLink`], sealed likewise.

use std::{fmt, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest;
use serde::{Deserialize, Serialize};

use crate::{
    clock::{NoRandomness, Randomness, Timestamp, random_bytes},
    identity::{AccountId, EmailAddress, Identity, Issuer, ProviderId, SessionId, Subject, VerifiedIdentity},
    link::{IdentityFingerprint, LinkAttempt},
    ticket::Challenge,
};

/// How long a flow may take (contract section 9).
pub const FLOW_LIFETIME: Duration = Duration::from_mins(10);

/// How long a pending link waits for its user (contract section 9).
pub const PENDING_LIFETIME: Duration = Duration::from_mins(10);

/// How many flows one browser keeps; the oldest go first (contract section 4).
pub const FLOWS_PER_BROWSER: usize = 4;

/// Whether `byte` is one of base64url's (RFC 4648 section 5), in which secrets travel.
#[must_use]
pub const fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// A 256-bit secret of one flow: unguessable, decodes to nothing, does not print.
#[derive(Clone, Serialize, Deserialize)]
pub struct FlowSecret([u8; 32]);

impl FlowSecret {
    fn generate(random: &dyn Randomness) -> Result<Self, NoRandomness> {
        random_bytes(random).map(Self)
    }

    /// The form that travels: 43 characters of unpadded base64url.
    #[must_use]
    pub fn reveal(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Whether `text` is the form that travels. The time this takes does not depend on where they differ.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let (ours, theirs) = (self.reveal(), text.as_bytes());
        ours.len() == theirs.len()
            && ours
                .bytes()
                .zip(theirs)
                .fold(0, |differences, (a, b)| differences | (a ^ b))
                == 0
    }
}

impl fmt::Debug for FlowSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FlowSecret(…)")
    }
}

/// A flow's own name, 128 random bits: the key of its claim and of the event it writes. Never the `state`, so that nobody learns it
/// from a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FlowId([u8; 16]);

impl FlowId {
    /// A fresh id.
    pub fn generate(random: &dyn Randomness) -> Result<Self, NoRandomness> {
        random_bytes(random).map(Self)
    }
}

/// 22 characters of unpadded base64url.
impl fmt::Display for FlowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// Which account in which session: SHA-256 over both, so that a cookie stays small and a history names no session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SessionBinding([u8; 32]);

impl SessionBinding {
    /// The binding of `session` of `account`.
    #[must_use]
    pub fn of(account: &AccountId, session: &SessionId) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [account.as_str(), session.as_str()] {
            // Each part behind its length, or ("ab", "c") and ("a", "bc") would be one.
            context.update(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        Self(hash)
    }

    /// Reads the form that is displayed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

/// Unpadded base64url.
impl fmt::Display for SessionBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for SessionBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionBinding({self})")
    }
}

/// Where a link flow ends: an id, never a URL (contract section 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReturnTarget {
    /// `settings`: `SETTINGS_URL`.
    #[default]
    Settings,
    /// `onboarding`: `ONBOARDING_URL`.
    Onboarding,
}

impl ReturnTarget {
    /// The id that stands for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Onboarding => "onboarding",
        }
    }

    /// What `id` stands for.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        [Self::Settings, Self::Onboarding]
            .into_iter()
            .find(|target| target.as_str() == id)
    }
}

/// What a flow is for. Sealed into it, so that a link flow can never end as a sign-in nor the other way round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Purpose {
    /// Link an identity to the account that is signed in.
    Link {
        /// Who started it.
        session: SessionBinding,
        /// Whether another identity may be replaced.
        replace: bool,
        /// Where it ends.
        return_to: ReturnTarget,
    },
    /// Sign in with an identity that is linked already.
    SignIn {
        /// The SHA-256 of the login page's secret: the ticket is worth nothing without it.
        challenge: Challenge,
    },
}

/// One attempt, as it is sealed into the browser.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Flow {
    /// The key of its claim and its event.
    pub id: FlowId,
    /// The `state` parameter (RFC 6749 section 4.1.1).
    pub state: FlowSecret,
    /// The `nonce` parameter and claim (OIDC Core 3.1.2.1).
    pub nonce: FlowSecret,
    /// The `code_verifier` (RFC 7636 section 4.1).
    pub code_verifier: FlowSecret,
    /// Who is asked.
    pub provider: ProviderId,
    /// When it began.
    pub started_at: Timestamp,
    /// What for.
    pub purpose: Purpose,
}

impl Flow {
    /// Begins a flow with secrets of its own.
    pub fn start(
        provider: ProviderId,
        purpose: Purpose,
        now: Timestamp,
        random: &dyn Randomness,
    ) -> Result<Self, NoRandomness> {
        Ok(Self {
            id: FlowId::generate(random)?,
            state: FlowSecret::generate(random)?,
            nonce: FlowSecret::generate(random)?,
            code_verifier: FlowSecret::generate(random)?,
            provider,
            started_at: now,
            purpose,
        })
    }

    /// Whether `now` is within its lifetime. A start in the future (a clock that went back) is not.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.started_at <= now && now < self.started_at.plus(FLOW_LIFETIME)
    }

    /// What this flow, having earned `verified` for `account`, wants committed.
    #[must_use]
    pub fn attempt(&self, account: AccountId, session: SessionBinding, verified: VerifiedIdentity) -> LinkAttempt {
        LinkAttempt {
            flow_id: self.id,
            started_at: self.started_at,
            account,
            session,
            provider: self.provider.clone(),
            identity: verified.identity,
            email: verified.email,
        }
    }
}

/// A verified identity that waits for its user to confirm, as it is sealed into the browser.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PendingLink {
    /// The flow that earned it.
    pub flow_id: FlowId,
    /// When that flow started.
    pub flow_started_at: Timestamp,
    /// At which provider.
    pub provider: ProviderId,
    /// Who may confirm it.
    pub session: SessionBinding,
    /// Whom the provider named.
    pub subject: Subject,
    /// The same person and the issuer's name, which would not fit into a cookie beside the rest: see [`Self::identity`].
    pub fingerprint: IdentityFingerprint,
    /// The label to show.
    pub email: Option<EmailAddress>,
    /// Whether the provider has verified that address.
    pub email_verified: bool,
    /// Whether another identity may be replaced.
    pub replace: bool,
    /// Where the flow ends.
    pub return_to: ReturnTarget,
    /// What the confirming form must repeat, so that nobody confirms what he was not shown.
    pub confirmation: [u8; 16],
    /// Until when it can be confirmed.
    pub expires_at: Timestamp,
}

impl PendingLink {
    /// Parks what `attempt` would have committed.
    pub fn park(
        attempt: LinkAttempt,
        email_verified: bool,
        replace: bool,
        return_to: ReturnTarget,
        now: Timestamp,
        random: &dyn Randomness,
    ) -> Result<Self, NoRandomness> {
        Ok(Self {
            flow_id: attempt.flow_id,
            flow_started_at: attempt.started_at,
            provider: attempt.provider,
            session: attempt.session,
            fingerprint: IdentityFingerprint::of(&attempt.identity),
            subject: attempt.identity.subject,
            email: attempt.email,
            email_verified,
            replace,
            return_to,
            confirmation: random_bytes(random)?,
            expires_at: now.plus(PENDING_LIFETIME),
        })
    }

    /// Whether `now` is before its end.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }

    /// The `confirmation` that travels: 22 characters of unpadded base64url.
    #[must_use]
    pub fn confirmation(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.confirmation)
    }

    /// The identity that waits, given the issuer that is configured for its provider; none when it was another one's.
    #[must_use]
    pub fn identity(&self, issuer: &Issuer) -> Option<Identity> {
        let identity = Identity {
            issuer: issuer.clone(),
            subject: self.subject.clone(),
        };
        (IdentityFingerprint::of(&identity) == self.fingerprint).then_some(identity)
    }

    /// What is committed once `account`'s user has confirmed `identity`.
    #[must_use]
    pub fn attempt(self, identity: Identity, account: AccountId) -> LinkAttempt {
        LinkAttempt {
            flow_id: self.flow_id,
            started_at: self.flow_started_at,
            account,
            session: self.session,
            provider: self.provider,
            identity,
            email: self.email,
        }
    }
}

#[cfg(test)]
mod tests;
