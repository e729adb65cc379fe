//! One provider, asked what the functions would ask it, and a little more.
//!
//! An answer proves something only where a wrong question gets another one. So the provider is also asked as a client without
//! credentials, and for a browser that it must send elsewhere; where that makes no difference, it says nothing about us.

use std::sync::Arc;

use account_linking::{
    clock::Timestamp,
    config::{Environment, Reader, Site},
    flow::{Flow, Purpose, ReturnTarget, SessionBinding},
    identity::{AccountId, SessionId},
    jose::Algorithm,
    outbound::{Bounds, Locality},
    provider::{
        Provider, Providers,
        authorization_request::{AuthorizationRequestError, UserChoice},
        authorization_response::{AuthorizationErrorCode, AuthorizationResponse, ResponseRefused},
        discovery::ProviderMetadata,
        token_exchange::{ErrorResponse, TokenExchangeError},
    },
    telemetry::cause_of,
};
use http::{Request, Response, header::LOCATION};
use serde_json::Value;

use crate::{
    Examination, NOT_YET, Report, Stage, UNREAD,
    cause::{mend_discovery, mend_secret},
    clock,
};

/// How far the clocks may be apart, either way, before an ID token is refused (contract section 9).
const CLOCKS_APART_MS: i64 = 60_000;

/// As long as any page of a provider's may be.
const MAX_PAGE_BYTES: usize = 1024 * 1024;

/// What `client_authentication` is, and what goes with it.
const CREDENTIALS: [&str; 4] = ["client_secret", "client_secret_arn", "client_key", "client_key_arn"];

impl Examination<'_> {
    /// Checks the provider that `element` of `PROVIDERS` tells of.
    pub(crate) async fn provider(&self, element: &Value, report: &mut Report) {
        let id = element["id"].as_str().filter(|id| is_plain(id)).unwrap_or("a provider");
        let about = |what: &str| format!("{what} of {id}");
        let credential_is_to_come = self.stage == Stage::BeforeDeployment && needs_aws(element);
        let asked_as = if credential_is_to_come {
            without_credentials(element)
        } else {
            element.clone()
        };
        let providers = self.read(&asked_as, None);
        let Some(provider) = named(id, providers.as_ref()) else {
            return report.skipped(about("discovery"), UNREAD);
        };
        let now = self.clock.now();

        let metadata = self.discovery(provider, &about("discovery"), now, report).await;
        let can_authenticate = if credential_is_to_come {
            report.skipped(about("credential"), NOT_YET);
            false
        } else {
            self.credential(provider, &about("credential"), now, report).await
        };
        let Some(metadata) = metadata else {
            for what in ["keys", "clock", "client authentication", "redirect URI"] {
                report.skipped(about(what), "discovery must be mended first");
            }
            return;
        };
        self.keys(provider, &metadata, &about("keys"), now, report).await;
        self.clock(&metadata, &about("clock"), report).await;
        if !can_authenticate {
            report.skipped(about("client authentication"), "there is no credential yet");
        } else if let Some(flow) = self.flow(provider, now) {
            let subject = about("client authentication");
            self.client_authentication(element, provider, &flow, &subject, report)
                .await;
        }
        if !can_authenticate && metadata.pushed_authorization_request_endpoint.is_some() {
            report.skipped(about("redirect URI"), "only who has a credential can ask");
        } else if let Some(flow) = self.flow(provider, now) {
            self.redirect_uri(&asked_as, provider, &flow, &about("redirect URI"), report)
                .await;
        }
    }

    /// The one provider of `element`, as the functions at `origin` (else at `PUBLIC_ORIGIN`) would know it.
    fn read(&self, element: &Value, origin: Option<&str>) -> Option<Providers> {
        let mut environment: Environment = self.environment.clone();
        environment.set("PROVIDERS", Value::Array(vec![element.clone()]).to_string());
        if let Some(origin) = origin {
            environment.set("PUBLIC_ORIGIN", origin);
        }
        let mut reader = Reader::new(&environment);
        let site = Site::read(&mut reader);
        let providers = Providers::read(&mut reader, site.as_ref());
        reader.finish(providers).ok()
    }

    /// A flow that nobody will finish.
    fn flow(&self, provider: &Provider, now: Timestamp) -> Option<Flow> {
        let (account, session) = (AccountId::parse("doctor").ok()?, SessionId::parse("doctor").ok()?);
        let purpose = Purpose::Link {
            session: SessionBinding::of(&account, &session),
            replace: false,
            return_to: ReturnTarget::Settings,
        };
        Flow::start(provider.id().clone(), purpose, now, self.random).ok()
    }

    async fn discovery(
        &self,
        provider: &Provider,
        subject: &str,
        now: Timestamp,
        report: &mut Report,
    ) -> Option<Arc<ProviderMetadata>> {
        match provider.known_metadata(now, Self::deadline()).await {
            Ok(metadata) if provider.has_fixed_endpoints() => {
                report.unknown(
                    subject,
                    "its endpoints are fixed, so nothing was asked; that it does S256 is taken as given",
                );
                Some(metadata)
            }
            Ok(metadata) => {
                let says = |it_does: bool| if it_does { "yes" } else { "no" };
                report.ok(
                    subject,
                    format!(
                        "issuer, endpoints, code flow and S256 are as they must be; pushed requests: {}, `iss` in every response: {}, \
                         prompt=create: {}",
                        says(metadata.pushed_authorization_request_endpoint.is_some()),
                        says(metadata.requires_iss),
                        says(metadata.prompt_create)
                    ),
                );
                Some(metadata)
            }
            Err(error) => {
                report.wrong(subject, cause_of(&error), mend_discovery(&error));
                None
            }
        }
    }

    async fn credential(&self, provider: &Provider, subject: &str, now: Timestamp, report: &mut Report) -> bool {
        match provider.make_credentials(now, Self::deadline(), self.random).await {
            Ok(()) => {
                report.ok(subject, "there, and of use");
                true
            }
            Err(error) => {
                report.wrong(subject, cause_of(&error), mend_secret(&error));
                false
            }
        }
    }

    async fn keys(
        &self,
        provider: &Provider,
        metadata: &ProviderMetadata,
        subject: &str,
        now: Timestamp,
        report: &mut Report,
    ) {
        let keys = match provider.published_keys(metadata, now, Self::deadline()).await {
            Ok(keys) => keys,
            Err(error) => {
                let mend = "Its jwks_uri must answer 200 with a JWK Set that has a public RSA, P-256 or Ed25519 key.";
                return report.wrong(subject, cause_of(&error), mend);
            }
        };
        let configured = provider.id_token_signing_algs();
        let served: Vec<Algorithm> = configured.iter().copied().filter(|each| keys.serves(*each)).collect();
        if served.is_empty() {
            report.wrong(
                subject,
                format!("none is for {}", names(configured)),
                "Let `id_token_signing_algs` name the algorithm that the client is registered for.",
            );
        } else {
            report.ok(subject, format!("there is one for {}", names(&served)));
        }
    }

    async fn clock(&self, metadata: &ProviderMetadata, subject: &str, report: &mut Report) {
        let Ok(url) = metadata.jwks_uri.as_str().parse() else {
            return report.unknown(subject, "its key set has no URL to ask");
        };
        let apart = match clock::skew(&self.client, &url, self.clock).await {
            Ok(Some(apart)) => apart,
            Ok(None) => return report.unknown(subject, "its answers bear no date"),
            Err(error) => return report.unknown(subject, cause_of(&error)),
        };
        let allowed = CLOCKS_APART_MS / 1000;
        let told = match apart / 1000 {
            0 => format!("within a second of this machine's; {allowed} s are allowed"),
            behind @ ..0 => format!("{} s behind this machine's; {allowed} s are allowed", -behind),
            ahead => format!("{ahead} s ahead of this machine's; {allowed} s are allowed"),
        };
        if apart.abs() > CLOCKS_APART_MS {
            report.wrong(
                subject,
                told,
                "Set this machine's clock; if another machine sees the same, ID tokens will be refused until the provider sets its own.",
            );
        } else {
            report.ok(subject, told);
        }
    }

    /// Redeems a code that nobody gave out: who is known is told that it is no good, anybody else who he is.
    async fn client_authentication(
        &self,
        element: &Value,
        provider: &Provider,
        flow: &Flow,
        subject: &str,
        report: &mut Report,
    ) {
        let is_public = element["client_authentication"] == "none";
        match self.redeem_nothing(provider, flow).await {
            Refused::With(ErrorResponse::InvalidGrant) => {}
            Refused::With(error @ (ErrorResponse::InvalidClient | ErrorResponse::UnauthorizedClient)) => {
                let mend =
                    "Compare `client_id`, `client_authentication` and the secret or key with what is registered there.";
                return report.wrong(subject, format!("the provider answered {error}"), mend);
            }
            Refused::With(error) => {
                let told = format!("a code that nobody gave out was refused with {error}, which tells nothing of us");
                return report.unknown(subject, told);
            }
            Refused::Not => {
                let mend = "Use no provider that does that.";
                return report.wrong(subject, "the provider took a code that nobody gave out", mend);
            }
            Refused::NoAnswer(cause) => {
                return report.wrong(subject, cause, "Ask the provider what its token endpoint lacks.");
            }
        }
        if is_public {
            return report.ok(subject, "the client is known, and proves nothing: it is a public one");
        }
        let providers = self.read(&without_credentials(element), None);
        let told_apart = match named(provider.id().as_str(), providers.as_ref()) {
            Some(stranger) => matches!(
                self.redeem_nothing(stranger, flow).await,
                Refused::With(
                    ErrorResponse::InvalidClient | ErrorResponse::UnauthorizedClient | ErrorResponse::InvalidRequest
                )
            ),
            None => false,
        };
        if told_apart {
            report.ok(subject, "the provider knows us, and refuses who brings no credential");
        } else {
            let told = "the provider looks at the code first: with and without a credential its answer is the same";
            report.unknown(subject, told);
        }
    }

    /// What `provider` says to a made-up code.
    async fn redeem_nothing(&self, provider: &Provider, flow: &Flow) -> Refused {
        let now = self.clock.now();
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", &flow.nonce.reveal())
            .append_pair("state", &flow.state.reveal())
            .append_pair("iss", provider.issuer().as_str())
            .finish();
        let Ok(response) = AuthorizationResponse::parse(&query) else {
            return Refused::NoAnswer("no code could be made up".to_owned());
        };
        let code = match provider.accept(response, now, Self::deadline()).await {
            Ok(code) => code,
            Err(error) => return Refused::NoAnswer(cause_of(&error)),
        };
        let redeemed = provider
            .redeem(code, &flow.code_verifier, now, Self::deadline(), self.random)
            .await;
        match redeemed {
            Ok(_) => Refused::Not,
            Err(TokenExchangeError::Refused(error)) => Refused::With(error),
            Err(error) => Refused::NoAnswer(cause_of(&error)),
        }
    }

    /// Asks for a sign-in as start-link does. A provider that takes pushed requests says at once whether it likes them; any other is
    /// asked as a browser would, for an answer without a question (`prompt=none`), and must send that browser back to us.
    async fn redirect_uri(
        &self,
        element: &Value,
        provider: &Provider,
        flow: &Flow,
        subject: &str,
        report: &mut Report,
    ) {
        let register = format!("Register {} there, to the letter.", provider.redirect_uri());
        let told = match self.ask(provider, flow).await {
            Told::Back => "the provider sends browsers back to it",
            Told::Pushed => "the provider takes a pushed request with it",
            Told::Refused(what) => return report.wrong(subject, what, &register),
            Told::Unknown(what) => return report.unknown(subject, what),
        };
        // Does it send browsers anywhere?
        let elsewhere = match self.locality {
            Locality::Local => "http://doctor.localhost",
            Locality::Deployed => "https://doctor.invalid",
        };
        let providers = self.read(element, Some(elsewhere));
        let elsewhere = match named(provider.id().as_str(), providers.as_ref()) {
            Some(stranger) => self.ask(stranger, flow).await,
            None => return report.unknown(subject, "the provider could not be asked about another one"),
        };
        match elsewhere {
            Told::Refused(_) => report.ok(subject, format!("{told}, and refuses another")),
            Told::Back => report.wrong(
                subject,
                "the provider sends browsers, and with them codes, to addresses that nobody registered",
                "Have that mended before anybody is sent there.",
            ),
            Told::Pushed => report.unknown(subject, format!("{told}, but takes any other as well")),
            Told::Unknown(what) => report.unknown(subject, format!("{told}; of another one: {what}")),
        }
    }

    async fn ask(&self, provider: &Provider, flow: &Flow) -> Told {
        let now = self.clock.now();
        let asked = provider
            .authorization_request(flow, &UserChoice::default(), now, Self::deadline(), self.random)
            .await;
        let url = match asked {
            Ok(url) => url,
            Err(AuthorizationRequestError::Refused(
                error @ (ErrorResponse::InvalidClient | ErrorResponse::UnauthorizedClient),
            )) => {
                return Told::Unknown(format!(
                    "the provider answered {error}: client authentication comes first"
                ));
            }
            Err(AuthorizationRequestError::Refused(error)) => {
                return Told::Refused(format!("the provider refuses a request with it ({error})"));
            }
            Err(error) => return Told::Unknown(cause_of(&error)),
        };
        // A reference cannot be asked without a question, and needs not: what was pushed has been looked at.
        let by_value = url
            .split_once('?')
            .is_some_and(|(_, query)| form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "redirect_uri"));
        if !by_value {
            return Told::Pushed;
        }
        let Ok(request) = Request::get(format!("{url}&prompt=none")).body(Vec::new()) else {
            return Told::Unknown("the authorization endpoint cannot be called from here".to_owned());
        };
        let bounds = Bounds {
            max_bytes: MAX_PAGE_BYTES,
            timeout: Self::deadline().left(),
        };
        match self.client.send(request, bounds).await {
            Ok(answer) => self.browser_would_go(provider, flow, &answer).await,
            Err(error) => Told::Unknown(cause_of(&error)),
        }
    }

    /// Where `answer` of the authorization endpoint sends a browser.
    async fn browser_would_go(&self, provider: &Provider, flow: &Flow, answer: &Response<Vec<u8>>) -> Told {
        let status = answer.status();
        let location = answer
            .headers()
            .get(LOCATION)
            .and_then(|location| location.to_str().ok());
        let back = location.and_then(|location| location.strip_prefix(provider.redirect_uri())?.strip_prefix('?'));
        let Some(query) = back.filter(|_| status.is_redirection()) else {
            return if status.is_client_error() {
                Told::Refused(format!(
                    "the provider answers {status} to a request with it, and sends nobody back"
                ))
            } else {
                Told::Unknown(format!(
                    "the provider answers {status}, and sends nobody back without a question"
                ))
            };
        };
        let Ok(response) = AuthorizationResponse::parse(query) else {
            return Told::Unknown("the provider sends browsers back with something that is no response".to_owned());
        };
        if !flow.state.matches(response.state()) {
            return Told::Unknown("the provider sends browsers back with another state".to_owned());
        }
        match provider.accept(response, self.clock.now(), Self::deadline()).await {
            Ok(_)
            | Err(
                ResponseRefused::Cancelled
                | ResponseRefused::Refused(
                    AuthorizationErrorCode::LoginRequired
                    | AuthorizationErrorCode::InteractionRequired
                    | AuthorizationErrorCode::ConsentRequired
                    | AuthorizationErrorCode::AccountSelectionRequired,
                ),
            ) => Told::Back,
            Err(error) => Told::Unknown(format!("the provider sends browsers back, but {}", cause_of(&error))),
        }
    }
}

/// How a made-up code was met.
enum Refused {
    With(ErrorResponse),
    Not,
    NoAnswer(String),
}

/// What a provider says to a request with a certain redirect URI.
enum Told {
    /// It sends the browser there.
    Back,
    /// It has taken the request.
    Pushed,
    /// It will not have it.
    Refused(String),
    /// Its answer does not tell.
    Unknown(String),
}

fn names(algorithms: &[Algorithm]) -> String {
    let names: Vec<&str> = algorithms.iter().map(|algorithm| algorithm.name()).collect();
    names.join(", ")
}

/// The provider called `id`, of those that could be read.
fn named<'a>(id: &str, providers: Option<&'a Providers>) -> Option<&'a Provider> {
    providers?.find(id)
}

/// Whether `id` can be printed: a provider's id, or something as harmless.
fn is_plain(id: &str) -> bool {
    id.len() <= 32 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn needs_aws(element: &Value) -> bool {
    ["client_secret_arn", "client_key_arn"]
        .iter()
        .any(|name| element.get(name).is_some())
}

/// The same provider, asked by a client that proves nothing.
fn without_credentials(element: &Value) -> Value {
    let mut element = element.clone();
    if let Some(members) = element.as_object_mut() {
        members.retain(|name, _| !CREDENTIALS.contains(&name.as_str()));
        members.insert("client_authentication".to_owned(), "none".into());
    }
    element
}
