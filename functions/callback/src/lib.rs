//! Takes the provider's answer: claims the flow, redeems the code, verifies the identity; then commits the link or hands out a ticket.
//!
//! `GET /sso/{provider}/callback`, contract section 2. The order of the steps is the contract's: whoever lacks the cookie or the
//! session stops before the claim and cannot burn a flow; the code is redeemed only behind the claim, so at most once. What a flow ends in is
//! its purpose's: [`link`] or [`sign_in`].

mod link;
mod sign_in;

use std::sync::Arc;

use account_linking::{
    clock::{Clock, NoRandomness, Randomness, Timestamp},
    config::{ConfigError, ConfirmLink, Environment, PageUrl, Reader, Site, read_sign_in_complete},
    flow::{Flow, Purpose},
    flow_keys::{FlowKeyRing, FlowKeysUnavailable, OpenSealedError},
    http::{
        cookies::{self, Cookies, RepeatedCookie},
        exchange::{Answer, Audience, Destination, Exchange},
        problem::{ErrorCode, Refusal},
        request::{MalformedRequest, Request},
    },
    provider::{
        Provider, Providers,
        authorization_response::{AuthorizationResponse, MalformedResponse, ResponseRefused},
        id_token::IdTokenError,
        token_exchange::TokenExchangeError,
    },
    seal::{Kind, SealError},
    session::{SessionError, Sessions},
    table::{AttemptId, ClaimError, CommitError, Table, TableError},
    ticket::Challenge,
};
use http::{Method, Response};

/// What the function holds on to between requests.
pub struct App {
    site: Site,
    sessions: Sessions,
    providers: Providers,
    flow_keys: FlowKeyRing,
    confirm_link: ConfirmLink,
    sign_in_complete: PageUrl,
    table: Table,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum CallbackError {
    /// The request is none a person's browser sends.
    #[error("reading the request")]
    Malformed(#[from] MalformedRequest),
    /// A cookie of ours came twice.
    #[error("reading the cookies")]
    RepeatedCookie(#[from] RepeatedCookie),
    /// The path names no provider of ours.
    #[error("the path names no configured provider")]
    UnknownProvider,
    /// The authorization response cannot be understood.
    #[error("reading the authorization response")]
    MalformedResponse(#[from] MalformedResponse),
    /// This browser keeps no flow with this `state`.
    #[error("no flow of this browser has this state")]
    FlowMissing,
    /// The flow's cookie does not open.
    #[error("opening the flow")]
    FlowUnreadable(#[from] OpenSealedError),
    /// The flow has another state, was started at another provider, or its time is over.
    #[error("the flow is not for this response: {0}")]
    FlowUnfit(&'static str),
    /// Nobody is signed in.
    #[error("verifying the session")]
    Session(#[from] SessionError),
    /// Another account or session than at the start.
    #[error("the session is not the one that started the flow")]
    SessionChanged,
    /// The flow was used already, or the table did not answer.
    #[error("claiming the flow")]
    Claim(#[from] ClaimError),
    /// The provider refused, or it was not our provider who answered.
    #[error("accepting the authorization response")]
    Response(#[from] ResponseRefused),
    /// The code brought no ID token.
    #[error("redeeming the code")]
    TokenExchange(#[from] TokenExchangeError),
    /// The ID token proves nothing.
    #[error("verifying the ID token")]
    IdToken(#[from] IdTokenError),
    /// The link did not come to be.
    #[error("committing the link")]
    Commit(#[from] CommitError),
    /// The owner of the identity could not be read.
    #[error("looking up whom the identity belongs to")]
    Owner(#[source] TableError),
    /// The identity belongs to no account, or to another one a moment later.
    #[error("the identity is linked to no account")]
    NotLinked,
    /// The ticket was not written.
    #[error("handing out the ticket")]
    Ticket(#[source] TableError),
    /// The pending link could not be sealed.
    #[error("sealing the pending link")]
    Seal(#[from] SealError),
    /// The keys that seal are out of reach.
    #[error("getting the flow keys")]
    FlowKeys(#[from] FlowKeysUnavailable),
    /// The operating system has no randomness.
    #[error("drawing an id")]
    Randomness(#[from] NoRandomness),
}

impl Refusal for CallbackError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Malformed(_) | Self::RepeatedCookie(_) | Self::MalformedResponse(_) => ErrorCode::InvalidRequest,
            Self::UnknownProvider => ErrorCode::UnknownProvider,
            Self::FlowMissing | Self::FlowUnfit(_) | Self::Claim(ClaimError::Spent) => ErrorCode::FlowUnknown,
            Self::FlowUnreadable(error) => error.code_for(ErrorCode::FlowUnknown),
            Self::Session(error) => error.code(),
            Self::SessionChanged => ErrorCode::SessionChanged,
            Self::Claim(ClaimError::Table(error)) | Self::Owner(error) | Self::Ticket(error) => error.code(),
            Self::Response(error) => error.code(),
            Self::TokenExchange(error) => error.code(),
            Self::IdToken(error) => error.code(),
            Self::Commit(error) => error.code_for(ErrorCode::FlowUnknown),
            Self::NotLinked => ErrorCode::NotLinked,
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
        let sessions = Sessions::read(&mut reader);
        let providers = Providers::read(&mut reader, site.as_ref());
        let flow_keys = FlowKeyRing::read(&mut reader, site.as_ref());
        let confirm_link = ConfirmLink::read(&mut reader);
        let sign_in_complete = read_sign_in_complete(&mut reader);
        let table = Table::read(&mut reader);
        let app = (|| {
            Some(Self {
                site: site?,
                sessions: sessions?,
                providers: providers?,
                flow_keys: flow_keys?,
                confirm_link: confirm_link?,
                sign_in_complete: sign_in_complete?,
                table: table?,
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
            self.providers.warm_up_responses(now)
        );
    }
}

/// Answers one request.
pub async fn respond(app: &App, request: &Request) -> Response<String> {
    let mut exchange = Exchange::begin("callback", &app.site, request, Audience::Navigation, app.clock.now());
    let result = handle(app, &mut exchange).await;
    exchange.finish(result, app.clock.now())
}

/// OIDC Core 3.1.2.5 to 3.1.3.7: what the provider's answer becomes.
async fn handle(app: &App, exchange: &mut Exchange<'_>) -> Result<Answer, CallbackError> {
    let (request, now) = (exchange.request, app.clock.now());
    let named = request.route(&[Method::GET], "callback")?;
    let provider = app.providers.find(named).ok_or(CallbackError::UnknownProvider)?;
    exchange.provider = Some(provider.id().clone());
    // Until the flow is claimed nothing has happened: what fails for a reason of ours may be tried again.
    exchange.reload_may_help = true;

    request.check_is_navigation()?;
    let response = AuthorizationResponse::parse(request.raw_query())?;
    let cookies = Cookies::parse(&request.headers, app.sessions.cookie_name())?;
    let (cookie, flow) = take_up(app, &cookies, provider, &response, request, now).await?;
    exchange.flow = Some(flow.id);
    exchange.destination = match flow.purpose {
        Purpose::Link { return_to, .. } => Destination::Page(return_to),
        Purpose::SignIn { .. } => Destination::SignIn,
    };
    let continued = Continued::of(app, &flow, &cookies, request, now).await?;

    app.table
        .claim(flow.id, AttemptId::generate(&*app.random)?, now, request.deadline)
        .await?;
    exchange.reload_may_help = false;
    exchange.set_cookies.push(cookies::clear(&cookie));

    let accepting = provider.accept(response, now, request.deadline);
    let code = exchange.waiting_for_provider(accepting).await?;
    let redeeming = provider.redeem(code, &flow.code_verifier, now, request.deadline, &*app.random);
    let id_token = exchange.waiting_for_provider(redeeming).await?;
    let verifying = provider.verify(&id_token, &flow.nonce, app.clock.now(), request.deadline);
    let verified = exchange.waiting_for_provider(verifying).await?;

    match continued {
        Continued::Link(started) => link::finish(app, exchange, &flow, started, verified).await,
        Continued::SignIn(challenge) => sign_in::finish(app, request, &flow, challenge, verified).await,
    }
}

/// A flow that goes on, and what its purpose needs at its end. A link flow ends as a link and a sign-in flow as a ticket, never the other way
/// round: the purpose is sealed into the flow.
enum Continued {
    Link(link::StartedBy),
    SignIn(Challenge),
}

impl Continued {
    /// A link flow goes on in the session that started it only; a sign-in flow needs none.
    async fn of(
        app: &App,
        flow: &Flow,
        cookies: &Cookies<'_>,
        request: &Request,
        now: Timestamp,
    ) -> Result<Self, CallbackError> {
        match flow.purpose {
            Purpose::Link {
                session: binding,
                replace,
                return_to,
            } => {
                let session = app
                    .sessions
                    .verify(cookies, &request.headers, now, request.deadline)
                    .await?;
                if session.binding() != binding {
                    return Err(CallbackError::SessionChanged);
                }
                Ok(Self::Link(link::StartedBy {
                    session,
                    replace,
                    return_to,
                }))
            }
            Purpose::SignIn { challenge } => Ok(Self::SignIn(challenge)),
        }
    }
}

/// The flow that this browser keeps for this response, and the name of its cookie.
async fn take_up(
    app: &App,
    cookies: &Cookies<'_>,
    provider: &Provider,
    response: &AuthorizationResponse,
    request: &Request,
    now: Timestamp,
) -> Result<(String, Flow), CallbackError> {
    let name = cookies::flow_name_for(response.state()).ok_or(CallbackError::FlowMissing)?;
    let sealed = cookies.flow(&name).ok_or(CallbackError::FlowMissing)?;
    let flow: Flow = app
        .flow_keys
        .open(Kind::Flow, &name, sealed, now, request.deadline)
        .await?;
    if !flow.state.matches(response.state()) {
        return Err(CallbackError::FlowUnfit("another state"));
    }
    if flow.provider != *provider.id() {
        return Err(CallbackError::FlowUnfit("another provider"));
    }
    if !flow.is_live(now) {
        return Err(CallbackError::FlowUnfit("its time is over"));
    }
    Ok((name, flow))
}
