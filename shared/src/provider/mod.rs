//! The relying party: everything that is said to and heard from an OpenID provider, one file per message.
//!
//! A [`Provider`] is made once per process and keeps what it learned (metadata, keys, its own credentials) across requests. A
//! flow goes through it in this order: [`authorization_request`](Provider::authorization_request) at the start; at the callback
//! [`AuthorizationResponse::parse`], then [`accept`](Provider::accept), [`redeem`](Provider::redeem) and
//! [`verify`](Provider::verify), each of which takes what only its predecessor can give.

pub mod authorization_request;
pub mod authorization_response;
pub mod client_authentication;
pub mod discovery;
pub mod examination;
pub mod id_token;
pub mod settings;
pub mod token_exchange;

#[cfg(test)]
mod tests;

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use authorization_request::{AuthorizationRequestError, UserChoice};
use authorization_response::{AuthorizationCode, AuthorizationResponse, ResponseRefused};
use client_authentication::{AuthenticatedCall, ClientAuthentication, ClientAuthenticationError, ClientCredentials};
use discovery::{MetadataUnavailable, ProviderMetadata, uri};
use id_token::{Expectations, IdTokenError};
use oauth2::RedirectUrl;
use settings::ProviderSettings;
use token_exchange::{TokenExchangeError, UnverifiedIdToken};
use url::Url;

use crate::{
    aws::AwsEnvironment,
    cached::Cached,
    clock::{Deadline, Randomness, Timestamp},
    config::{Reader, Site, read_provider_timeout},
    flow::{Flow, FlowSecret},
    http::request::REQUEST_BUDGET,
    identity::{Issuer, ProviderId, VerifiedIdentity},
    jose::{Algorithm, RemoteKeySet},
    outbound::{HttpClient, Locality},
    secrets::SecretStore,
};

/// What a redeemed code leaves of the request's time, for the commit that it is redeemed for (contract section 7).
const COMMIT_BUDGET: Duration = Duration::from_secs(2);

/// The configured providers.
#[derive(Debug)]
pub struct Providers(Vec<Provider>);

impl Providers {
    /// Reads `PROVIDERS` and `PROVIDER_TIMEOUT_MS`, and AWS's own variables where a provider needs a secret or a key from there.
    pub fn read(reader: &mut Reader<'_>, site: Option<&Site>) -> Option<Self> {
        let locality = reader.locality();
        let settings = settings::read(reader, locality);
        let timeout = read_provider_timeout(reader);
        let client = reader.http_client(locality);
        let (settings, timeout, site) = (settings?, timeout?, site?);
        let store = if settings.iter().any(ProviderSettings::needs_aws) {
            Some(SecretStore::new(AwsEnvironment::read(reader)?, client.clone()))
        } else {
            None
        };
        let mut providers = Vec::new();
        for settings in settings {
            let Ok(redirect_uri) = RedirectUrl::new(format!("{}/sso/{}/callback", site.origin, settings.id)) else {
                reader.mistake("PUBLIC_ORIGIN", "is not one that a provider can redirect to");
                return None;
            };
            providers.push(Provider {
                id: settings.id,
                issuer: settings.issuer,
                client_id: settings.client_id,
                id_token_signing_algs: settings.id_token_signing_algs,
                redirect_uri,
                client: client.clone(),
                locality,
                timeout,
                client_authentication: ClientAuthentication::new(settings.client_authentication, store.as_ref())?,
                metadata: match settings.fixed_metadata {
                    Some(metadata) => Metadata::Fixed(Arc::new(metadata)),
                    None => Metadata::Discovered(Cached::new(discovery::LIFETIMES)),
                },
                keys: Mutex::new(None),
            });
        }
        Some(Self(providers))
    }

    /// The provider of this id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Provider> {
        self.0.iter().find(|provider| provider.id.as_str() == id)
    }

    /// Fetches ahead what [`Provider::authorization_request`] needs. What fails now is tried again by the first request.
    pub async fn warm_up_requests(&self, now: Timestamp) {
        let deadline = Deadline::within(REQUEST_BUDGET);
        let requests = self.0.iter().map(async |provider| {
            if let Ok(metadata) = provider.metadata(now, deadline).await
                && metadata.pushed_authorization_request_endpoint.is_some()
            {
                provider.client_authentication.warm_up(now, deadline).await;
            }
        });
        at_once(requests).await;
    }

    /// Fetches ahead what [`Provider::accept`], [`Provider::redeem`] and [`Provider::verify`] need. What fails now is tried again by
    /// the first request.
    pub async fn warm_up_responses(&self, now: Timestamp) {
        let deadline = Deadline::within(REQUEST_BUDGET);
        let responses = self.0.iter().map(async |provider| {
            let keys = async {
                if let Ok(metadata) = provider.metadata(now, deadline).await {
                    let _ = provider.keys_at(&metadata.jwks_uri).current(now, deadline).await;
                }
            };
            tokio::join!(keys, provider.client_authentication.warm_up(now, deadline));
        });
        at_once(responses).await;
    }
}

/// Waits for all of `futures`, of which none waits for another.
async fn at_once(futures: impl Iterator<Item = impl Future<Output = ()>>) {
    let mut pending: Vec<_> = futures.map(Box::pin).collect();
    poll_fn(|context| {
        pending.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if pending.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// One configured provider, and what was learned of it.
#[derive(Debug)]
pub struct Provider {
    id: ProviderId,
    issuer: Issuer,
    client_id: String,
    id_token_signing_algs: Vec<Algorithm>,
    redirect_uri: RedirectUrl,
    client: HttpClient,
    locality: Locality,
    timeout: Duration,
    client_authentication: ClientAuthentication,
    metadata: Metadata,
    /// The keys at the `jwks_uri` that was seen last.
    keys: Mutex<Option<(Url, Arc<RemoteKeySet>)>>,
}

#[derive(Debug)]
enum Metadata {
    Fixed(Arc<ProviderMetadata>),
    Discovered(Cached<ProviderMetadata>),
}

impl Provider {
    /// Its name in paths and keys.
    #[must_use]
    pub const fn id(&self) -> &ProviderId {
        &self.id
    }

    /// The URL to send the browser to (OIDC Core 3.1.2.1). Where the provider takes pushed requests, this pushes it.
    pub async fn authorization_request(
        &self,
        flow: &Flow,
        choice: &UserChoice,
        now: Timestamp,
        deadline: Deadline,
        random: &dyn Randomness,
    ) -> Result<String, AuthorizationRequestError> {
        let metadata = self.metadata(now, deadline).await?;
        let by_value = authorization_request::by_value(&metadata, &self.client_id, &self.redirect_uri, flow, choice);
        let Some(endpoint) = &metadata.pushed_authorization_request_endpoint else {
            return Ok(by_value.into());
        };
        let credentials = self.credentials(now, deadline, random).await?;
        let call = self.call(credentials, deadline.left());
        let authorization_endpoint = &metadata.authorization_endpoint;
        Ok(
            authorization_request::by_reference(&call, endpoint, authorization_endpoint, &by_value)
                .await?
                .into(),
        )
    }

    /// The code, when the response is this provider's and no error (RFC 9207 section 2.4, OIDC Core 3.1.2.6).
    pub async fn accept(
        &self,
        response: AuthorizationResponse,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<AuthorizationCode, ResponseRefused> {
        let metadata = self.metadata(now, deadline).await?;
        response.accept(&self.issuer, metadata.requires_iss)
    }

    /// Redeems the code: sent at most once, and only while enough of the request's time is left to commit what comes of it.
    pub async fn redeem(
        &self,
        code: AuthorizationCode,
        code_verifier: &FlowSecret,
        now: Timestamp,
        deadline: Deadline,
        random: &dyn Randomness,
    ) -> Result<UnverifiedIdToken, TokenExchangeError> {
        let metadata = self.metadata(now, deadline).await?;
        let credentials = self.credentials(now, deadline, random).await?;
        let left = deadline.leaving(COMMIT_BUDGET).left();
        if left.is_zero() {
            return Err(TokenExchangeError::TooLate);
        }
        let call = self.call(credentials, left);
        let token =
            token_exchange::redeem(call, &metadata.token_endpoint, &self.redirect_uri, code, code_verifier).await?;
        Ok(UnverifiedIdToken {
            token,
            keys: self.keys_at(&metadata.jwks_uri),
        })
    }

    /// The person whom the ID token names, when it is the answer to the flow that sent `nonce` (OIDC Core 3.1.3.7). A key that is not
    /// known is looked for once more at the provider, as long as the commit keeps its time.
    pub async fn verify(
        &self,
        id_token: &UnverifiedIdToken,
        nonce: &FlowSecret,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<VerifiedIdentity, IdTokenError> {
        let expectations = Expectations {
            issuer: &self.issuer,
            client_id: &self.client_id,
            algorithms: &self.id_token_signing_algs,
            nonce,
        };
        let deadline = deadline.leaving(COMMIT_BUDGET);
        id_token::verify_with_published_keys(&id_token.token, &id_token.keys, &expectations, now, deadline).await
    }

    async fn metadata(&self, now: Timestamp, deadline: Deadline) -> Result<Arc<ProviderMetadata>, MetadataUnavailable> {
        match &self.metadata {
            Metadata::Fixed(metadata) => Ok(Arc::clone(metadata)),
            Metadata::Discovered(cached) => {
                let timeout = self.timeout.min(deadline.left());
                let discovery = discovery::discover(&self.client, &self.issuer, self.locality, timeout);
                Ok(cached.current(now, discovery).await?)
            }
        }
    }

    async fn credentials(
        &self,
        now: Timestamp,
        deadline: Deadline,
        random: &dyn Randomness,
    ) -> Result<ClientCredentials, ClientAuthenticationError> {
        self.client_authentication
            .credentials(&self.client_id, &self.issuer, now, deadline, random)
            .await
    }

    /// A call that takes at most `left`, and never longer than any call to this provider may.
    fn call(&self, credentials: ClientCredentials, left: Duration) -> AuthenticatedCall<'_> {
        AuthenticatedCall {
            client: &self.client,
            client_id: &self.client_id,
            credentials,
            timeout: self.timeout.min(left),
        }
    }

    fn keys_at(&self, jwks_uri: &Url) -> Arc<RemoteKeySet> {
        // Nothing below panics, so a poisoned lock still guards a whole value.
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        match keys.as_ref() {
            Some((known, keys)) if known == jwks_uri => Arc::clone(keys),
            Some(_) | None => {
                let fresh = Arc::new(RemoteKeySet::new(self.client.clone(), uri(jwks_uri), self.timeout));
                *keys = Some((jwks_uri.clone(), Arc::clone(&fresh)));
                fresh
            }
        }
    }
}
