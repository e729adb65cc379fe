//! Ends a link.
//!
//! `POST /sso/{provider}/unlink`, contract section 2. Afterwards the account is not linked, every flow and pending link from before is
//! worthless, and the identity can be linked to any account.

use std::{sync::Arc, time::Duration};

use account_linking::{
    clock::{Clock, NoRandomness, Randomness},
    config::{ConfigError, Environment, ProviderDirectory, Reader, Site, read_reauthenticate_after},
    flow::ReturnTarget,
    http::{
        answer,
        cookies::{Cookies, RepeatedCookie},
        exchange::{Answer, Audience, Exchange},
        problem::{ErrorCode, Refusal},
        request::{MalformedRequest, Request},
        same_origin::{self, CrossOrigin},
    },
    link::Actor,
    session::{SessionError, Sessions},
    table::{EventId, Table, TableError, Unlinked},
};
use http::{Method, Response};

/// What the function holds on to between requests.
pub struct App {
    site: Site,
    sessions: Sessions,
    providers: ProviderDirectory,
    table: Table,
    reauthenticate_after: Duration,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
}

/// Why the link was not ended.
#[derive(Debug, thiserror::Error)]
pub enum UnlinkError {
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
    /// Nobody is signed in.
    #[error("verifying the session")]
    Session(#[from] SessionError),
    /// The sign-in is too old for a change of the link.
    #[error("the sign-in is too old to change the link")]
    SignInTooOld,
    /// The table did not do it.
    #[error("ending the link")]
    Table(#[from] TableError),
    /// The operating system has no randomness.
    #[error("drawing an event id")]
    Randomness(#[from] NoRandomness),
}

impl Refusal for UnlinkError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Malformed(_) | Self::RepeatedCookie(_) => ErrorCode::InvalidRequest,
            Self::UnknownProvider => ErrorCode::UnknownProvider,
            Self::CrossOrigin(_) => ErrorCode::CrossOriginRequest,
            Self::Session(error) => error.code(),
            Self::SignInTooOld => ErrorCode::ReauthenticationRequired,
            Self::Table(error) => error.code(),
            Self::Randomness(_) => ErrorCode::InternalError,
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
        let providers = ProviderDirectory::read(&mut reader);
        let table = Table::read(&mut reader);
        let reauthenticate_after = read_reauthenticate_after(&mut reader);
        let app = (|| {
            Some(Self {
                site: site?,
                sessions: sessions?,
                providers: providers?,
                table: table?,
                reauthenticate_after: reauthenticate_after?,
                clock,
                random,
            })
        })();
        let app = reader.finish(app)?;
        app.sessions.warm_up(app.clock.now()).await;
        Ok(app)
    }
}

/// Answers one request.
pub async fn respond(app: &App, request: &Request) -> Response<String> {
    let mut exchange = Exchange::begin("unlink", &app.site, request, Audience::of(request), app.clock.now());
    let result = handle(app, &mut exchange).await;
    exchange.finish(result, app.clock.now())
}

async fn handle(app: &App, exchange: &mut Exchange<'_>) -> Result<Answer, UnlinkError> {
    let (request, now) = (exchange.request, app.clock.now());
    let named = request.route(&[Method::POST], "unlink")?;
    let provider = app.providers.find(named).ok_or(UnlinkError::UnknownProvider)?;
    exchange.provider = Some(provider.id.clone());
    same_origin::check(&request.headers, &app.site.origin)?;

    let cookies = Cookies::parse(&request.headers, app.sessions.cookie_name())?;
    let session = app
        .sessions
        .verify(&cookies, &request.headers, now, request.deadline)
        .await?;
    if !session.is_recent(now, app.reauthenticate_after) {
        return Err(UnlinkError::SignInTooOld);
    }

    let (actor, event) = (Actor::Session(session.binding()), EventId::generate(&*app.random)?);
    let unlinked = app
        .table
        .unlink(&session.account, &provider.id, &actor, event, now, request.deadline)
        .await?;
    // The form's answer is a redirect; only who asks for JSON by name is a script.
    let response = if request.accepts("application/json") {
        answer::no_content()
    } else {
        answer::see_other(&answer::back_to(
            &app.site,
            ReturnTarget::Settings,
            "unlinked",
            provider.id.as_str(),
        ))
    };
    let outcome = match unlinked {
        Unlinked::Ended => "unlinked",
        Unlinked::NothingLinked => "was_not_linked",
    };
    Ok(Answer::new(outcome, response))
}
