//! The session: the proof, issued by accounts.magento.cloud, that a browser is signed in to a cloud account (contract
//! section 3).

use std::time::Duration;

use crate::{
    clock::Timestamp,
    flow::SessionBinding,
    identity::{AccountId, EmailAddress, SessionId},
};

/// How long a session must last at least for a flow to be started in it: a flow's ten minutes, and one for the clocks.
pub const FLOW_NEEDS: Duration = Duration::from_secs(660);

/// How far the clocks of the two sites may disagree.
const LEEWAY: Duration = Duration::from_secs(30);

/// A session that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The cloud account, the `sub` claim.
    pub account: AccountId,
    /// This session among the account's, the `sid` claim. It ends at sign-out and at a password reset.
    pub id: SessionId,
    /// The account's e-mail address, the `email` claim, when it came and is usable.
    pub email: Option<EmailAddress>,
    /// When its user last proved themselves, the `auth_time` claim.
    pub auth_time: Timestamp,
    /// Until when the proof serves, the `exp` claim.
    pub expires_at: Timestamp,
}

impl Session {
    /// What a flow remembers of the session that started it.
    #[must_use]
    pub fn binding(&self) -> SessionBinding {
        SessionBinding::of(&self.account, &self.id)
    }

    /// Whether its user proved themselves no longer ago than `within`. A proof from the future counts for nothing.
    #[must_use]
    pub fn is_recent(&self, now: Timestamp, within: Duration) -> bool {
        now.minus(within) <= self.auth_time && self.auth_time <= now.plus(LEEWAY)
    }

    /// Whether a flow started `now` would still end within this session.
    #[must_use]
    pub fn outlives_flow(&self, now: Timestamp) -> bool {
        now.plus(FLOW_NEEDS) <= self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_585_000_000);

    fn session(auth_time: Timestamp, expires_at: Timestamp) -> Session {
        Session {
            account: AccountId::parse("account-1").unwrap(),
            id: SessionId::parse("session-1").unwrap(),
            email: None,
            auth_time,
            expires_at,
        }
    }

    #[test]
    fn a_sign_in_is_recent_for_as_long_as_configured_and_not_before_it_happened() {
        let hour = Duration::from_secs(3600);
        let recent = |auth_time| session(auth_time, NOW).is_recent(NOW, hour);
        assert!(recent(NOW.minus(hour)));
        assert!(!recent(NOW.minus(hour).minus(Duration::from_millis(1))));
        assert!(recent(NOW.plus(LEEWAY)));
        assert!(!recent(NOW.plus(LEEWAY).plus(Duration::from_millis(1))));
    }

    #[test]
    fn a_session_with_less_than_eleven_minutes_left_does_not_outlive_a_flow() {
        let outlives = |left| session(NOW, NOW.plus(Duration::from_secs(left))).outlives_flow(NOW);
        assert!(outlives(660));
        assert!(!outlives(659));
    }
}
