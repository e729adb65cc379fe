//! What the site asks the service from server to server: the IAM routes, over HTTP, signed as accounts.magento.cloud signs.

use std::time::Duration;

use account_linking::{
    clock::{Clock, SystemClock},
    http::request,
    identity::{AccountId, ProviderId},
    outbound::{Bounds, HttpClient, Locality},
    requirement::OtherMethods,
};
use http::{Method, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use crate::sigv4::LocalCaller;

/// Lambda's time-out, and what the way there takes.
const BOUNDS: Bounds = Bounds {
    max_bytes: 64 * 1024,
    timeout: Duration::from_secs(11),
};

/// The service's IAM routes.
#[derive(Debug)]
pub(crate) struct Service {
    origin: String,
    client: HttpClient,
    caller: LocalCaller,
}

/// Who signed in at a provider.
#[derive(Debug, Deserialize)]
pub(super) struct Redeemed {
    pub(super) account_id: String,
}

/// Why there is no answer, in the words of a problem document.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) code: String,
    pub(super) request_id: Option<String>,
}

impl Problem {
    /// One that the service did not tell itself.
    fn of(code: &str) -> Self {
        Self {
            code: code.to_owned(),
            request_id: None,
        }
    }

    /// Something that cannot be.
    pub(super) fn internal() -> Self {
        Self::of("internal_error")
    }

    /// The account that the identity is linked to is none of this site's any more.
    pub(super) fn not_linked() -> Self {
        Self::of("not_linked")
    }

    /// What the body of an answer says, when it is a problem document of the service.
    fn read(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Document {
            code: String,
            request_id: String,
        }
        let Document { code, request_id } = serde_json::from_slice(body).ok()?;
        let request_id = request::id_in_url(&request_id).map(str::to_owned);
        Some(Self { code, request_id })
    }
}

impl Service {
    /// The service at `origin`, called by `caller`.
    pub(crate) fn new(origin: String, caller: LocalCaller) -> Self {
        Self {
            origin,
            client: HttpClient::new(Locality::Local),
            caller,
        }
    }

    /// Who signed in, for a ticket and the secret that the browser kept. Asked once: a lost answer may have spent the ticket.
    pub(super) async fn redeem_ticket(&self, ticket: &str, verifier: &str) -> Result<Redeemed, Problem> {
        let body = json!({"ticket": ticket, "verifier": verifier}).to_string();
        self.call(Method::POST, "/sso/tickets/redeem", body).await
    }

    /// What signing in without `provider` is good for.
    pub(super) async fn other_methods(
        &self,
        provider: &ProviderId,
        account: &AccountId,
    ) -> Result<OtherMethods, Problem> {
        #[derive(Deserialize)]
        struct AccountPolicy {
            sign_in: SignIn,
        }
        #[derive(Deserialize)]
        struct SignIn {
            other_methods: OtherMethods,
        }
        let path = format!("/sso/{provider}/accounts/{}", account.to_path_segment());
        let policy: AccountPolicy = self.call(Method::GET, &path, String::new()).await?;
        Ok(policy.sign_in.other_methods)
    }

    async fn call<T: DeserializeOwned>(&self, method: Method, path: &str, body: String) -> Result<T, Problem> {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.origin))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.into_bytes())
            .ok()
            // By the machine's clock, as the gateway reads it, wherever the stack's own was moved to.
            .and_then(|request| self.caller.sign(request, SystemClock.now()))
            .ok_or_else(Problem::internal)?;
        let answer = self.client.send(request, BOUNDS).await;
        let answer = answer.map_err(|_| Problem::of("temporarily_unavailable"))?;
        if answer.status().is_success() {
            return serde_json::from_slice(answer.body()).map_err(|_| Problem::internal());
        }
        Err(Problem::read(answer.body()).unwrap_or_else(Problem::internal))
    }
}
