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
pub mod id_token;
pub mod token_exchange;

use authorization_request::{AuthorizationRequestError, UserChoice};
use authorization_response::{AuthorizationCode, AuthorizationResponse, ResponseRefused};
use token_exchange::{TokenExchangeError, UnverifiedIdToken};

use crate::{
    clock::{Deadline, Randomness, Timestamp},
    flow::{Flow, FlowSecret},
    identity::ProviderId,
};

/// One configured provider, and what was learned of it.
#[derive(Debug)]
pub struct Provider {
    id: ProviderId,
}

#[expect(clippy::unused_async, unused_variables, reason = "the bodies follow")]
impl Provider {
    /// Its name in paths and keys.
    #[must_use]
    pub fn id(&self) -> &ProviderId {
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
        unimplemented!()
    }

    /// The code, when the response is this provider's and no error (RFC 9207 section 2.4, OIDC Core 3.1.2.6).
    pub async fn accept(
        &self,
        response: AuthorizationResponse,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<AuthorizationCode, ResponseRefused> {
        unimplemented!()
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
        unimplemented!()
    }

    // pub async fn verify(&self, id_token: UnverifiedIdToken, nonce: &FlowSecret, now: Timestamp, deadline: Deadline)
    //     -> Result<VerifiedIdentity, IdTokenError>
}
