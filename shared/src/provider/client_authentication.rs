//! How we prove to the provider who we are (OIDC Core 9, RFC 6749 section 2.3, RFC 7523).

/// Why we cannot prove who we are. The provider has no part in it.
#[derive(Debug, thiserror::Error)]
pub enum ClientAuthenticationError {}
