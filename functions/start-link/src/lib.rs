//! Sends the browser to the provider, with everything the callback will need sealed into a cookie.
//!
//! `POST /sso/{provider}/start-link`, contract section 2. It touches no database.

use std::{sync::Arc, time::Duration};

use account_linking::{
    clock::{Clock, NoRandomness, Randomness, Timestamp},
    config::{ConfigError, Environment, Reader, Site, read_reauthenticate_after},
    flow::{Flow, Purpose, ReturnTarget},
    flow_keys::{FlowKeyRing, FlowKeysUnavailable},
    http::{
        answer,
        cookies::{Cookies, RepeatedCookie},
        exchange::{Answer, Audience, Destination, Exchange},
        kept_flows,
        problem::{ErrorCode, Refusal},
        request::{MalformedRequest, Parameters, Request},
        same_origin::{self, CrossOrigin},
    },
    provider::{
        Providers,
        authorization_request::{AccountChoice, AuthorizationRequestError, Intent, UiLocale, UserChoice},
    },
    seal::SealError,
    session::{Session, SessionError, Sessions},
};
use http::{Method, Response};

/// What the function holds on to between requests.
pub struct App {
    site: Site,
    sessions: Sessions,
    providers: Providers,
    flow_keys: FlowKeyRing,
    reauthenticate_after: Duration,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
}

/// Why no flow was started.
#[derive(Debug, thiserror::Error)]
pub enum StartLinkError {
    /// The request cannot be understood.
    #[error("reading the request")]
    Malformed(#[from] MalformedRequest),
    /// A cookie of ours came twice.
    #[error("reading the cookies")]
    RepeatedCookie(#[from] RepeatedCookie),
    /// The path names no provider of ours.
    #[error("the path names no configured provider")]
    UnknownProvider,
    /// The form is not from our page.
    #[error("checking where the form comes from")]
    CrossOrigin(#[from] CrossOrigin),
    /// Nobody is signed in, or not for long enough.
    #[error("verifying the session")]
    Session(#[from] SessionError),
    /// The session ends before the flow could.
    #[error("the session ends too soon for a flow")]
    SessionEndsTooSoon,
    /// The sign-in is too old for a change of the link.
    #[error("the sign-in is too old to change the link")]
    SignInTooOld,
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

impl Refusal for StartLinkError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Malformed(_) | Self::RepeatedCookie(_) => ErrorCode::InvalidRequest,
            Self::UnknownProvider => ErrorCode::UnknownProvider,
            Self::CrossOrigin(_) => ErrorCode::CrossOriginRequest,
            Self::Session(error) => error.code(),
            Self::SessionEndsTooSoon => ErrorCode::SessionRequired,
            Self::SignInTooOld => ErrorCode::ReauthenticationRequired,
            Self::AuthorizationRequest(error) => error.code(),
            Self::FlowKeys(_) => ErrorCode::TemporarilyUnavailable,
            Self::Seal(_) | Self::Randomness(_) => ErrorCode::InternalError,
        }
    }
}

/// What the form asks for.
#[derive(Clone, Debug)]
struct StartLinkForm {
    choice: UserChoice,
    replace: bool,
    return_to: ReturnTarget,
}

impl StartLinkForm {
    fn parse(fields: &Parameters, site: &Site) -> Result<Self, MalformedRequest> {
        let intent = fields.one_of("intent", |text| match text {
            "sign-in" => Some(Intent::SignIn),
            "create" => Some(Intent::Create),
            _ => None,
        })?;
        let account = fields.one_of("account", |text| match text {
            "any" => Some(AccountChoice::Any),
            "choose" => Some(AccountChoice::Choose),
            _ => None,
        })?;
        let ui_locale = fields.one_of("locale", |text| UiLocale::parse(text).map(Some))?;
        let replace = fields.one_of("replace", |text| text.parse().ok())?;
        let return_to = fields.one_of("return_to", |text| {
            ReturnTarget::parse(text).filter(|target| site.has_page(*target))
        })?;
        // A switch is about another account than the one the provider may still be signed in with.
        let account = if replace { AccountChoice::Choose } else { account };
        Ok(Self {
            choice: UserChoice {
                intent,
                account,
                ui_locale,
            },
            replace,
            return_to,
        })
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
        let sessions = Sessions::read(&mut reader);
        let providers = Providers::read(&mut reader, site.as_ref());
        let flow_keys = FlowKeyRing::read(&mut reader, site.as_ref());
        let reauthenticate_after = read_reauthenticate_after(&mut reader);
        let app = (|| {
            Some(Self {
                site: site?,
                sessions: sessions?,
                providers: providers?,
                flow_keys: flow_keys?,
                reauthenticate_after: reauthenticate_after?,
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
        tokio::join!(
            self.flow_keys.warm_up(now),
            self.sessions.warm_up(now),
            self.providers.warm_up_requests(now)
        );
    }
}

/// Answers one request.
pub async fn respond(app: &App, request: &Request) -> Response<String> {
    let mut exchange = Exchange::begin("start-link", &app.site, request, Audience::of(request), app.clock.now());
    let result = handle(app, &mut exchange).await;
    exchange.finish(result, app.clock.now())
}

async fn handle(app: &App, exchange: &mut Exchange<'_>) -> Result<Answer, StartLinkError> {
    let (request, now) = (exchange.request, app.clock.now());
    let named = request.route(&[Method::POST], "start-link")?;
    let provider = app.providers.find(named).ok_or(StartLinkError::UnknownProvider)?;
    exchange.provider = Some(provider.id().clone());
    same_origin::check(&request.headers, &app.site.origin)?;
    let form = StartLinkForm::parse(&request.form()?, &app.site)?;
    exchange.destination = Destination::Page(form.return_to);

    let cookies = Cookies::parse(&request.headers, app.sessions.cookie_name())?;
    let session = app
        .sessions
        .verify(&cookies, &request.headers, now, request.deadline)
        .await?;
    require_fit_for_linking(&session, now, app.reauthenticate_after)?;

    let purpose = Purpose::Link {
        session: session.binding(),
        replace: form.replace,
        return_to: form.return_to,
    };
    let flow = Flow::start(provider.id().clone(), purpose, now, &*app.random)?;
    exchange.flow = Some(flow.id);
    let pushing = provider.authorization_request(&flow, &form.choice, now, request.deadline, &*app.random);
    let location = exchange.waiting_for_provider(pushing).await?;

    let keys = app.flow_keys.current(now, request.deadline).await?;
    exchange.set_cookies = kept_flows::keep(&keys, &cookies, &flow, now, &*app.random)?;
    Ok(Answer::new("started", answer::see_other(&location)))
}

/// Whether this session may change the link, and lasts as long as the flow it would start.
fn require_fit_for_linking(
    session: &Session,
    now: Timestamp,
    reauthenticate_after: Duration,
) -> Result<(), StartLinkError> {
    if !session.outlives_flow(now) {
        return Err(StartLinkError::SessionEndsTooSoon);
    }
    if !session.is_recent(now, reauthenticate_after) {
        return Err(StartLinkError::SignInTooOld);
    }
    Ok(())
}
