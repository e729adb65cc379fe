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
mod tests {
    use super::*;
    use crate::{
        clock::SystemRandomness,
        http::cookies,
        seal::{FlowKeys, Kind},
    };

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_585_000_000);

    fn account() -> AccountId {
        AccountId::parse("a".repeat(128)).unwrap()
    }

    fn binding() -> SessionBinding {
        SessionBinding::of(&account(), &SessionId::parse("s".repeat(128)).unwrap())
    }

    fn flow() -> Flow {
        let purpose = Purpose::Link {
            session: binding(),
            replace: true,
            return_to: ReturnTarget::Onboarding,
        };
        Flow::start(
            ProviderId::parse("p".repeat(32)).unwrap(),
            purpose,
            NOW,
            &SystemRandomness::default(),
        )
        .unwrap()
    }

    fn longest_identity() -> VerifiedIdentity {
        VerifiedIdentity {
            identity: Identity {
                issuer: Issuer::parse(format!("https://{}", "i".repeat(247))).unwrap(),
                subject: Subject::parse("\"".repeat(255)).unwrap(),
            },
            email: EmailAddress::parse(&format!("{}@{}", "é".repeat(100), "d".repeat(53))),
            email_verified: true,
            provider_session: None,
            auth_time: None,
            acr: None,
            amr: Vec::new(),
        }
    }

    fn pending() -> PendingLink {
        let attempt = flow().attempt(account(), binding(), longest_identity());
        PendingLink::park(
            attempt,
            true,
            true,
            ReturnTarget::Onboarding,
            NOW,
            &SystemRandomness::default(),
        )
        .unwrap()
    }

    #[test]
    fn a_cookie_has_at_most_1024_bytes_however_long_the_names_in_it() {
        let keys = FlowKeys::parse(
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "https://accounts.example",
        )
        .unwrap();
        let random = SystemRandomness::default();
        let (flow, pending) = (flow(), pending());
        assert_eq!(pending.email.as_ref().unwrap().reveal().len(), 254);
        let name = cookies::flow_name(&flow.state);
        let flow = cookies::keep(&name, &keys.seal(Kind::Flow, &name, &flow, &random).unwrap());
        let name = cookies::PENDING_LINK;
        let pending = cookies::keep(name, &keys.seal(Kind::PendingLink, name, &pending, &random).unwrap());
        assert!(flow.len() <= 1024, "{}", flow.len());
        assert!(pending.len() <= 1024, "{}", pending.len());
    }

    #[test]
    fn a_flow_lives_ten_minutes_and_not_before_it_began() {
        let flow = flow();
        assert!(flow.is_live(NOW));
        assert!(flow.is_live(NOW.plus(FLOW_LIFETIME).minus(Duration::from_millis(1))));
        assert!(!flow.is_live(NOW.plus(FLOW_LIFETIME)));
        assert!(!flow.is_live(NOW.minus(Duration::from_millis(1))));
    }

    #[test]
    fn a_pending_link_lives_ten_minutes() {
        let pending = pending();
        assert!(pending.is_live(NOW.plus(PENDING_LIFETIME).minus(Duration::from_millis(1))));
        assert!(!pending.is_live(NOW.plus(PENDING_LIFETIME)));
    }

    #[test]
    fn a_pending_link_is_of_the_issuer_that_earned_it() {
        let (pending, identity) = (pending(), longest_identity().identity);
        assert_eq!(pending.identity(&identity.issuer), Some(identity.clone()));
        assert_eq!(pending.identity(&Issuer::parse("https://other.example").unwrap()), None);
    }

    #[test]
    fn the_secrets_of_a_flow_are_256_bits_each_and_its_own() {
        let (one, other) = (flow(), flow());
        let secrets = [
            &one.state,
            &one.nonce,
            &one.code_verifier,
            &other.state,
            &other.nonce,
            &other.code_verifier,
        ];
        let mut revealed: Vec<String> = secrets.iter().map(|secret| secret.reveal()).collect();
        assert!(
            revealed
                .iter()
                .all(|secret| URL_SAFE_NO_PAD.decode(secret).unwrap().len() == 32)
        );
        revealed.sort();
        revealed.dedup();
        assert_eq!(revealed.len(), 6);
        assert!(!one.state.reveal().contains(&one.id.to_string()));
    }

    #[test]
    fn a_secret_matches_itself_alone_and_does_not_print() {
        let flow = flow();
        let state = flow.state.reveal();
        assert!(flow.state.matches(&state));
        for other in [
            "",
            &state[..42],
            &format!("{state}A"),
            &state.to_ascii_uppercase(),
            &flow.nonce.reveal(),
        ] {
            assert!(!flow.state.matches(other));
        }
        // Twice the same difference: as sums they would cancel out.
        let zeros = FlowSecret([0; 32]);
        assert!(zeros.matches(&"A".repeat(43)));
        assert!(!zeros.matches(&format!("BB{}", "A".repeat(41))));
        assert_eq!(format!("{:?}", flow.state), "FlowSecret(…)");
    }

    #[test]
    fn a_session_binding_tells_account_and_session_apart() {
        let binding = |account: &str, session: &str| {
            SessionBinding::of(&AccountId::parse(account).unwrap(), &SessionId::parse(session).unwrap())
        };
        assert_eq!(binding("ab", "c"), binding("ab", "c"));
        assert_ne!(binding("ab", "c"), binding("a", "bc"));
        assert_ne!(binding("ab", "c"), binding("ab", "d"));
        assert_ne!(binding("ab", "c"), binding("c", "ab"));
    }

    #[test]
    fn a_session_binding_is_read_as_it_is_written() {
        let text = binding().to_string();
        assert_eq!(text.len(), 43);
        assert_eq!(SessionBinding::parse(&text), Some(binding()));
        assert_eq!(format!("{:?}", binding()), format!("SessionBinding({text})"));
        for other in ["", &text[..42], &format!("{text}A"), &format!("{text}="), "!"] {
            assert_eq!(SessionBinding::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_confirmation_is_128_bits_as_text_and_its_own() {
        let (one, other) = (pending(), pending());
        assert_eq!(URL_SAFE_NO_PAD.decode(one.confirmation()).unwrap(), one.confirmation);
        assert_ne!(one.confirmation(), other.confirmation());
    }

    #[test]
    fn a_return_target_is_one_of_two_ids() {
        assert_eq!(ReturnTarget::parse("settings"), Some(ReturnTarget::Settings));
        assert_eq!(ReturnTarget::parse("onboarding"), Some(ReturnTarget::Onboarding));
        for text in [
            "",
            "Settings",
            "https://evil.example",
            "/user",
            "//evil.example",
            "settings ",
        ] {
            assert_eq!(ReturnTarget::parse(text), None, "{text}");
        }
    }
}
