//! Tells whether an account is linked, and what it can do about it.
//!
//! `GET /sso/{provider}/status`, contract section 2. One strongly consistent read, no more.

use std::{sync::Arc, time::Duration};

use account_linking::{
    clock::Clock,
    config::{
        ConfigError, Environment, ProviderDirectory, Reader, Site, read_linking_required, read_reauthenticate_after,
    },
    flow::ReturnTarget,
    http::{
        answer,
        cookies::{Cookies, RepeatedCookie},
        exchange::{Answer, Audience, Exchange},
        page,
        problem::{ErrorCode, Refusal},
        request::{self, MalformedRequest, Request},
        texts::Language,
        views::{AccountView, ActionsView, LinkView, ProviderView, RequirementView, StatusView},
    },
    requirement::LinkingRequired,
    session::{SessionError, Sessions},
    table::{Table, TableError},
};
use http::{Method, Response};

/// What the function holds on to between requests.
pub struct App {
    site: Site,
    sessions: Sessions,
    providers: ProviderDirectory,
    table: Table,
    linking_required: LinkingRequired,
    reauthenticate_after: Duration,
    clock: Arc<dyn Clock>,
}

/// Why the status could not be told.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The request cannot be understood.
    #[error("reading the request")]
    Malformed(#[from] MalformedRequest),
    /// A cookie of ours came twice.
    #[error("reading the cookies")]
    RepeatedCookie(#[from] RepeatedCookie),
    /// The path names no provider of ours.
    #[error("the path names no configured provider")]
    UnknownProvider,
    /// Nobody is signed in.
    #[error("verifying the session")]
    Session(#[from] SessionError),
    /// The account could not be read.
    #[error("reading the account")]
    Table(#[from] TableError),
}

impl Refusal for StatusError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Malformed(_) | Self::RepeatedCookie(_) => ErrorCode::InvalidRequest,
            Self::UnknownProvider => ErrorCode::UnknownProvider,
            Self::Session(error) => error.code(),
            Self::Table(error) => error.code(),
        }
    }
}

impl App {
    /// Reads the configuration and fetches ahead what a request would otherwise wait for.
    ///
    /// # Errors
    ///
    /// Every mistake of the configuration, by variable.
    pub async fn connect(environment: &Environment, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(environment);
        let site = Site::read(&mut reader);
        let sessions = Sessions::read(&mut reader);
        let providers = ProviderDirectory::read(&mut reader);
        let table = Table::read(&mut reader);
        let linking_required = read_linking_required(&mut reader);
        let reauthenticate_after = read_reauthenticate_after(&mut reader);
        let app = (|| {
            Some(Self {
                site: site?,
                sessions: sessions?,
                providers: providers?,
                table: table?,
                linking_required: linking_required?,
                reauthenticate_after: reauthenticate_after?,
                clock,
            })
        })();
        let app = reader.finish(app)?;
        app.sessions.warm_up(app.clock.now()).await;
        Ok(app)
    }
}

/// Answers one request.
pub async fn respond(app: &App, request: &Request) -> Response<String> {
    let mut exchange = Exchange::begin("status", &app.site, request, Audience::of(request), app.clock.now());
    let result = handle(app, &mut exchange).await;
    exchange.finish(result, app.clock.now())
}

async fn handle(app: &App, exchange: &mut Exchange<'_>) -> Result<Answer, StatusError> {
    let (request, now) = (exchange.request, app.clock.now());
    let named = request.route(&[Method::GET], "status")?;
    let provider = app.providers.find(named).ok_or(StatusError::UnknownProvider)?;
    exchange.provider = Some(provider.id.clone());
    let parameters = request.query();
    let outcome = parameters.one("sso")?;
    let reference = parameters.one("request_id")?.and_then(request::id_in_url);

    let cookies = Cookies::parse(&request.headers, app.sessions.cookie_name())?;
    let session = app
        .sessions
        .verify(&cookies, &request.headers, now, request.deadline)
        .await?;
    let record = app
        .table
        .read_account(&session.account, &provider.id, request.deadline)
        .await?;

    let requirement = app.linking_required.at(now, record.exemption.as_ref());
    let too_old = !session.is_recent(now, app.reauthenticate_after);
    let view = StatusView {
        provider: ProviderView {
            id: provider.id.clone(),
            name: provider.name.clone(),
        },
        account: AccountView { email: session.email },
        link: record.link.as_ref().map(LinkView::from),
        requirement: RequirementView::from(requirement),
        actions: ActionsView::of(&provider.id),
        reauthenticate: too_old.then(|| answer::reauthenticate(&app.site, ReturnTarget::Settings)),
    };
    let response = match exchange.audience {
        Audience::Client => answer::json(&view),
        Audience::Navigation => page::status(
            &view,
            outcome,
            reference,
            Language::of(&request.headers),
            app.site.settings.as_str(),
            &provider.form_sources,
        ),
    };
    Ok(Answer::new(
        if view.link.is_some() { "linked" } else { "not_linked" },
        response,
    ))
}
