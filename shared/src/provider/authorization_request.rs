//! The authorization request: where the browser is sent (OIDC Core 3.1.2.1, RFC 7636, RFC 9126).

use super::{
    client_authentication::ClientAuthenticationError,
    discovery::MetadataUnavailable,
    token_exchange::{ErrorAnswer, UnusableAnswer},
};
use crate::{
    http::problem::{ErrorCode, Refusal},
    outbound::OutboundError,
};

/// What the user came for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Intent {
    /// To sign in with the account there is.
    #[default]
    SignIn,
    /// To create one (Initiating User Registration via OpenID Connect 1.0).
    Create,
}

/// Which of the user's accounts at the provider is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccountChoice {
    /// Whichever is signed in.
    #[default]
    Any,
    /// The one the user chooses when the provider asks.
    Choose,
}

/// A language for the provider's pages: a BCP 47 tag of at most 35 characters, `fr-CA`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UiLocale(String);

impl UiLocale {
    /// Parses a tag: letters first, then subtags of letters and digits (RFC 5646 section 2.1, without asking whether they are
    /// registered).
    #[must_use]
    pub fn parse(tag: &str) -> Option<Self> {
        let is_subtag =
            |subtag: &str| (1..=8).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let language = tag.split('-').next().unwrap_or_default();
        let is_tag =
            tag.len() <= 35 && language.bytes().all(|byte| byte.is_ascii_alphabetic()) && tag.split('-').all(is_subtag);
        is_tag.then(|| Self(tag.to_owned()))
    }

    /// The tag.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the user asks for: all that a caller has a say in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChoice {
    /// Sign in, or create an account.
    pub intent: Intent,
    /// Any account, or one to choose.
    pub account: AccountChoice,
    /// In which language.
    pub ui_locale: Option<UiLocale>,
}

/// Why there is no authorization request to send the browser off with.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizationRequestError {
    /// Where to send the browser is not known.
    #[error("learning the provider's endpoints")]
    Metadata(#[from] MetadataUnavailable),
    /// The request could not be pushed, since we could not prove who we are.
    #[error("authenticating to the provider")]
    ClientAuthentication(#[from] ClientAuthenticationError),
    /// The provider did not answer the pushed request.
    #[error("pushing the authorization request")]
    Unreachable(#[source] OutboundError),
    /// The provider refused the pushed request (RFC 9126 section 2.3).
    #[error("pushing the authorization request: the provider answered with the error {0}")]
    Refused(ErrorAnswer),
    /// The answer to the pushed request is neither a `request_uri` nor an error.
    #[error("pushing the authorization request: {0}")]
    Unusable(UnusableAnswer),
}

impl Refusal for AuthorizationRequestError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(_) => ErrorCode::ProviderRefused,
            Self::Metadata(_) | Self::Unreachable(_) | Self::Unusable(_) => ErrorCode::ProviderUnavailable,
            Self::ClientAuthentication(_) => ErrorCode::InternalError,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_is_a_language_tag() {
        let longest = "en-abcdefgh-abcdefgh-abcdefgh-abcde";
        for tag in ["fr", "fr-CA", "zh-Hant-TW", "de-CH-1996", "x-klingon", longest] {
            assert_eq!(UiLocale::parse(tag).unwrap().as_str(), tag);
        }
        let (too_long, hostile) = (format!("{longest}f"), "fr&prompt=none");
        for tag in [
            "",
            "-",
            "fr-",
            "-fr",
            "fr--CA",
            "f1",
            "fr_CA",
            "fr CA",
            hostile,
            "é",
            "abcdefghi",
            "fr-abcdefghi",
            &too_long,
        ] {
            assert_eq!(UiLocale::parse(tag), None, "{tag:?}");
        }
    }
}
