//! The contract's error codes (section 5): one table, and the answers made of it.

use std::fmt;

use http::StatusCode;

macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $status:ident;)*) => {
        /// What went wrong, as the caller learns it. docs/errors.md has an entry for each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorCode {
            /// Every code, in the contract's order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The code as it travels.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            /// The status that goes with it.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self {
                    $(Self::$variant => StatusCode::$status,)*
                }
            }
        }
    };
}

error_codes! {
    /// Malformed input.
    InvalidRequest = "invalid_request", BAD_REQUEST;
    /// No such provider.
    UnknownProvider = "unknown_provider", NOT_FOUND;
    /// No usable flow; unknown, expired, foreign and already used are not told apart outside.
    FlowUnknown = "flow_unknown", BAD_REQUEST;
    /// No valid session.
    SessionRequired = "session_required", UNAUTHORIZED;
    /// Another account or session than at the start.
    SessionChanged = "session_changed", FORBIDDEN;
    /// The session is too old to change the link.
    ReauthenticationRequired = "reauthentication_required", FORBIDDEN;
    /// Not from our page.
    CrossOriginRequest = "cross_origin_request", FORBIDDEN;
    /// The user said no, at the provider or when asked to confirm.
    Cancelled = "cancelled", FORBIDDEN;
    /// The provider answered with an error.
    ProviderRefused = "provider_refused", BAD_GATEWAY;
    /// The provider did not answer, or not usably.
    ProviderUnavailable = "provider_unavailable", BAD_GATEWAY;
    /// The ID token or the issuer is not what it must be.
    IdentityInvalid = "identity_invalid", FORBIDDEN;
    /// The identity is linked to another account (which one is never said).
    IdentityInUse = "identity_in_use", CONFLICT;
    /// The account is linked to another identity, and replacing it was not asked for.
    AccountAlreadyLinked = "account_already_linked", CONFLICT;
    /// No usable pending link.
    NothingToConfirm = "nothing_to_confirm", NOT_FOUND;
    /// Sign-in with an identity that nobody linked.
    NotLinked = "not_linked", NOT_FOUND;
    /// The ticket was spent, has expired or never existed.
    TicketUnknown = "ticket_unknown", NOT_FOUND;
    /// The database refused or timed out.
    TemporarilyUnavailable = "temporarily_unavailable", SERVICE_UNAVAILABLE;
    /// Anything else; the log has the cause, the answer does not.
    InternalError = "internal_error", INTERNAL_SERVER_ERROR;
}

impl ErrorCode {
    /// Whether a navigation is answered by a page of ours: there is no place to send the browser to, or none to be trusted with it.
    #[must_use]
    pub const fn has_own_page(self) -> bool {
        match self {
            Self::InvalidRequest | Self::UnknownProvider | Self::FlowUnknown | Self::CrossOriginRequest => true,
            Self::SessionRequired
            | Self::SessionChanged
            | Self::ReauthenticationRequired
            | Self::Cancelled
            | Self::ProviderRefused
            | Self::ProviderUnavailable
            | Self::IdentityInvalid
            | Self::IdentityInUse
            | Self::AccountAlreadyLinked
            | Self::NothingToConfirm
            | Self::NotLinked
            | Self::TicketUnknown
            | Self::TemporarilyUnavailable
            | Self::InternalError => false,
        }
    }

    /// Whether the text of this code sends the user to support: then a redirect carries the request's id, to be named there.
    #[must_use]
    pub const fn names_support(self) -> bool {
        match self {
            Self::ProviderRefused | Self::IdentityInvalid | Self::IdentityInUse | Self::InternalError => true,
            Self::InvalidRequest
            | Self::UnknownProvider
            | Self::FlowUnknown
            | Self::SessionRequired
            | Self::SessionChanged
            | Self::ReauthenticationRequired
            | Self::CrossOriginRequest
            | Self::Cancelled
            | Self::ProviderUnavailable
            | Self::AccountAlreadyLinked
            | Self::NothingToConfirm
            | Self::NotLinked
            | Self::TicketUnknown
            | Self::TemporarilyUnavailable => false,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure that knows its code. Every function's error enum is one; the match in `code` is exhaustive, so that a new failure
/// needs a decision.
pub trait Refusal: std::error::Error {
    /// What the caller learns.
    fn code(&self) -> ErrorCode;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_where_a_navigation_ends_and_who_helps() {
        let codes = |is: fn(ErrorCode) -> bool| {
            let codes = ErrorCode::ALL.iter().filter(|code| is(**code));
            codes.map(ToString::to_string).collect::<Vec<_>>()
        };
        let own_page = [
            "invalid_request",
            "unknown_provider",
            "flow_unknown",
            "cross_origin_request",
        ];
        assert_eq!(codes(ErrorCode::has_own_page), own_page);
        let support = [
            "provider_refused",
            "identity_invalid",
            "identity_in_use",
            "internal_error",
        ];
        assert_eq!(codes(ErrorCode::names_support), support);
    }
}
