//! From when linking is required, who is exempt, and what that means.

use crate::{clock::Timestamp, link::Exemption};

/// From when everybody must link (`LINKING_REQUIRED_FROM`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkingRequired {
    /// From this instant on.
    From(Timestamp),
    /// Paused.
    Never,
}

/// What the requirement means for one account at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Whether this account must be linked now.
    pub required: bool,
    /// From when everybody must; none while paused.
    pub since: Option<Timestamp>,
    /// Until when this account need not, while that lies ahead.
    pub exempt_until: Option<Timestamp>,
}

impl LinkingRequired {
    /// What it means at `now` for an account with this exemption.
    #[must_use]
    pub fn at(self, now: Timestamp, exemption: Option<&Exemption>) -> Requirement {
        let exempt_until = exemption.map(|exemption| exemption.until).filter(|until| now < *until);
        let since = match self {
            Self::From(since) => Some(since),
            Self::Never => None,
        };
        Requirement {
            required: exempt_until.is_none() && since.is_some_and(|since| since <= now),
            since,
            exempt_until,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    #[test]
    fn it_begins_at_its_instant_ends_never_and_waits_for_exemptions() {
        let exempt = |until| Exemption {
            until: at(until),
            reason: String::new(),
            by: String::new(),
        };
        let rows = [
            (LinkingRequired::From(at(100)), 99, None, false),
            (LinkingRequired::From(at(100)), 100, None, true),
            (LinkingRequired::From(at(100)), 101, None, true),
            (LinkingRequired::From(at(100)), 149, Some(exempt(150)), false),
            (LinkingRequired::From(at(100)), 150, Some(exempt(150)), true),
            (LinkingRequired::From(at(100)), 99, Some(exempt(50)), false),
            (LinkingRequired::Never, i64::MAX, None, false),
            (LinkingRequired::Never, 149, Some(exempt(150)), false),
        ];
        for (policy, now, exemption, required) in rows {
            let requirement = policy.at(at(now), exemption.as_ref());
            assert_eq!(requirement.required, required, "{policy:?} {now} {exemption:?}");
            assert_eq!(requirement.since.is_none(), policy == LinkingRequired::Never);
            assert_eq!(
                requirement.exempt_until.is_some(),
                exemption.is_some_and(|e| at(now) < e.until)
            );
        }
    }
}
