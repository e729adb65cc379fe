//! Sends the browser to the provider, so that somebody signs in with an identity that is linked already.
//!
//! `GET /sso/{provider}/sign-in`, contract section 2. The only start that needs no session: what it refuses it refuses before it asks anybody
//! anything, and it touches no database.

use std::sync::Arc;

use account_linking::{
    clock::{Clock, NoRandomness, Randomness},
    config::{ConfigError, Environment, Reader, Site},
    flow::{Flow, Purpose},
    flow_keys::{FlowKeyRing, FlowKeysUnavailable},
    http::{
        answer,
        cookies::{Cookies, RepeatedCookie},
        exchange::{Answer, Audience, Destination, Exchange},
        kept_flows,
        problem::{ErrorCode, Refusal},
        request::{MalformedRequest, Request},
    },
    provider::{
        Providers,
        authorization_request::{AuthorizationRequestError, UserChoice},
    },
    seal::SealError,
    ticket::Challenge,
};
use http::{Method, Response};

/// What the function holds on to between requests.
pub struct App {
    site: Site,
    providers: Providers,
    flow_keys: FlowKeyRing,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
}

/// Why no flow was started.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The request cannot be understood, or is none a person's browser sends.
    #[error("reading the request")]
    Malformed(#[from] MalformedRequest),
    /// A cookie of ours came twice.
    #[error("reading the cookies")]
    RepeatedCookie(#[from] RepeatedCookie),
    /// The path names no provider of ours.
    #[error("the path names no configured provider")]
    UnknownProvider,
    /// The provider could not be asked.
    #[error("preparing the authorization request")]
    AuthorizationRequest(#[from] AuthorizationRequestError),
    /// The keys that seal are out of reach.
    #[error("getting the flow keys")]
    FlowKeys(#[from] FlowKeysUnavailable),
    /// The flow could not be sealed.
    #[error("sealing the flow")]
    Seal(#[from] SealError),
    /// The operating system has no randomness.
    #[error("starting the flow")]
    Randomness(#[from] NoRandomness),
}

impl Refusal for SignInError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Malformed(_) | Self::RepeatedCookie(_) => ErrorCode::InvalidRequest,
            Self::UnknownProvider => ErrorCode::UnknownProvider,
            Self::AuthorizationRequest(error) => error.code(),
            Self::FlowKeys(_) => ErrorCode::TemporarilyUnavailable,
            Self::Seal(_) | Self::Randomness(_) => ErrorCode::InternalError,
        }
    }
}

impl App {
    /// Reads the configuration and fetches ahead what a request would otherwise wait for.
    ///
    /// # Errors
    ///
    /// Every mistake of the configuration, by variable.
    pub async fn connect(
        environment: &Environment,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Randomness>,
    ) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(environment);
        let site = Site::read(&mut reader);
        let providers = Providers::read(&mut reader, site.as_ref());
        let flow_keys = FlowKeyRing::read(&mut reader, site.as_ref());
        let app = (|| {
            Some(Self {
                site: site?,
                providers: providers?,
                flow_keys: flow_keys?,
                clock,
                random,
            })
        })();
        let app = reader.finish(app)?;
        app.warm_up().await;
        Ok(app)
    }

    /// Fetches keys ahead, all at once. What fails now is tried again by the first request that needs it.
    async fn warm_up(&self) {
        let now = self.clock.now();
        tokio::join!(self.flow_keys.warm_up(now), self.providers.warm_up_requests(now));
    }
}

/// Answers one request.
pub async fn respond(app: &App, request: &Request) -> Response<String> {
    let mut exchange = Exchange::begin("sign-in", &app.site, request, Audience::Navigation, app.clock.now());
    exchange.destination = Destination::SignIn;
    let result = handle(app, &mut exchange).await;
    exchange.finish(result, app.clock.now())
}

async fn handle(app: &App, exchange: &mut Exchange<'_>) -> Result<Answer, SignInError> {
    let (request, now) = (exchange.request, app.clock.now());
    let named = request.route(&[Method::GET], "sign-in")?;
    let provider = app.providers.find(named).ok_or(SignInError::UnknownProvider)?;
    exchange.provider = Some(provider.id().clone());
    // A link that is fetched ahead, or by another page's image, would push the flows of this browser out.
    request.check_is_navigation()?;
    let challenge = challenge_of(request)?;
    let cookies = Cookies::without_session(&request.headers)?;

    let flow = Flow::start(provider.id().clone(), Purpose::SignIn { challenge }, now, &*app.random)?;
    exchange.flow = Some(flow.id);
    let (choice, deadline) = (UserChoice::default(), request.deadline);
    let pushing = provider.authorization_request(&flow, &choice, now, deadline, &*app.random);
    let location = exchange.waiting_for_provider(pushing).await?;

    let keys = app.flow_keys.current(now, request.deadline).await?;
    exchange.set_cookies = kept_flows::keep(&keys, &cookies, &flow, now, &*app.random)?;
    Ok(Answer::new("started", answer::see_other(&location)))
}

/// The `challenge` parameter, without which a ticket would be anybody's.
fn challenge_of(request: &Request) -> Result<Challenge, MalformedRequest> {
    let name = "challenge";
    let query = request.query();
    query
        .one(name)?
        .and_then(Challenge::parse)
        .ok_or(MalformedRequest::Meaningless(name))
}
