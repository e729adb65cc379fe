//! What a provider can be asked without a flow: for whoever checks a configuration (`infra/doctor`). No function calls any of it.

use std::sync::Arc;

use super::{
    Metadata, Provider,
    client_authentication::ClientAuthenticationError,
    discovery::{MetadataUnavailable, ProviderMetadata},
};
use crate::{
    clock::{Deadline, Randomness, Timestamp},
    identity::Issuer,
    jose::{Algorithm, KeySet, KeysUnavailable},
};

impl Provider {
    /// Who vouches for its identities.
    #[must_use]
    pub const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The algorithms that its ID tokens may be signed by.
    #[must_use]
    pub fn id_token_signing_algs(&self) -> &[Algorithm] {
        &self.id_token_signing_algs
    }

    /// Where it sends the browser back to.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        self.redirect_uri.as_str()
    }

    /// Whether its endpoints are configured, so that nothing is discovered.
    #[must_use]
    pub const fn has_fixed_endpoints(&self) -> bool {
        matches!(self.metadata, Metadata::Fixed(_))
    }

    /// What is known of it: configured, or discovered.
    pub async fn known_metadata(
        &self,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Arc<ProviderMetadata>, MetadataUnavailable> {
        self.metadata(now, deadline).await
    }

    /// The keys that it publishes where `metadata` says.
    pub async fn published_keys(
        &self,
        metadata: &ProviderMetadata,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Arc<KeySet>, KeysUnavailable> {
        self.keys_at(&metadata.jwks_uri).current(now, deadline).await
    }

    /// Makes what we would prove ourselves with, and drops it: the secret is fetched, or the key signs.
    pub async fn make_credentials(
        &self,
        now: Timestamp,
        deadline: Deadline,
        random: &dyn Randomness,
    ) -> Result<(), ClientAuthenticationError> {
        self.credentials(now, deadline, random).await.map(drop)
    }
}
