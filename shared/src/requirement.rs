//! From when linking is required, who is exempt, and what that means.

use serde::{Deserialize, Serialize};

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

/// What accounts.magento.cloud does with a sign-in by another method than the provider's. Of several providers the strictest decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OtherMethods {
    /// It signs in as ever.
    Allowed,
    /// It lets the user in for nothing but linking.
    LinkOnly,
    /// It does not sign in: the provider does.
    Refused,
}

impl Requirement {
    /// What other methods are still good for, decided for an account that is linked or not.
    ///
    /// | required | linked | other methods |
    /// |---|---|---|
    /// | no: before the date, while exempt, or paused | either | allowed |
    /// | yes | no | link only: nobody is locked out |
    /// | yes | yes | refused |
    #[must_use]
    pub const fn other_methods(self, linked: bool) -> OtherMethods {
        match (self.required, linked) {
            (false, _) => OtherMethods::Allowed,
            (true, false) => OtherMethods::LinkOnly,
            (true, true) => OtherMethods::Refused,
        }
    }
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

    fn exempt_until(until: i64) -> Exemption {
        Exemption {
            until: at(until),
            reason: String::new(),
            by: String::new(),
        }
    }

    #[test]
    fn it_begins_at_its_instant_ends_never_and_waits_for_exemptions() {
        let rows = [
            (LinkingRequired::From(at(100)), 99, None, false),
            (LinkingRequired::From(at(100)), 100, None, true),
            (LinkingRequired::From(at(100)), 101, None, true),
            (LinkingRequired::From(at(100)), 149, Some(exempt_until(150)), false),
            (LinkingRequired::From(at(100)), 150, Some(exempt_until(150)), true),
            (LinkingRequired::From(at(100)), 99, Some(exempt_until(50)), false),
            (LinkingRequired::Never, i64::MAX, None, false),
            (LinkingRequired::Never, 149, Some(exempt_until(150)), false),
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

    #[test]
    fn other_methods_are_decided_for_every_combination() {
        use OtherMethods::{Allowed, LinkOnly, Refused};

        let date = LinkingRequired::From(at(100));
        let (none, exempt, expired) = (None, Some(1000), Some(50));
        // Policy, now, until when exempt; then what it means for an account that is not linked, and for one that is.
        let rows = [
            (date, 99, none, Allowed, Allowed),
            (date, 99, exempt, Allowed, Allowed),
            (date, 99, expired, Allowed, Allowed),
            (date, 100, none, LinkOnly, Refused),
            (date, 100, exempt, Allowed, Allowed),
            (date, 100, expired, LinkOnly, Refused),
            (date, 101, none, LinkOnly, Refused),
            (date, 101, exempt, Allowed, Allowed),
            (date, 101, expired, LinkOnly, Refused),
            // The exemption's own last and first instant.
            (date, 999, exempt, Allowed, Allowed),
            (date, 1000, exempt, LinkOnly, Refused),
            (LinkingRequired::Never, 99, none, Allowed, Allowed),
            (LinkingRequired::Never, 99, exempt, Allowed, Allowed),
            (LinkingRequired::Never, 99, expired, Allowed, Allowed),
            (LinkingRequired::Never, 100, none, Allowed, Allowed),
            (LinkingRequired::Never, 100, exempt, Allowed, Allowed),
            (LinkingRequired::Never, 100, expired, Allowed, Allowed),
            (LinkingRequired::Never, 101, none, Allowed, Allowed),
            (LinkingRequired::Never, 101, exempt, Allowed, Allowed),
            (LinkingRequired::Never, 101, expired, Allowed, Allowed),
        ];
        for (policy, now, until, unlinked, linked) in rows {
            let exemption = until.map(exempt_until);
            let requirement = policy.at(at(now), exemption.as_ref());
            let case = format!("{policy:?} {now} {until:?}");
            assert_eq!(requirement.other_methods(false), unlinked, "not linked, {case}");
            assert_eq!(requirement.other_methods(true), linked, "linked, {case}");
        }
    }
}
