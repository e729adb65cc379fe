//! Shows the verified identity that waits for its user, and commits or drops it.
//!
//! `GET` and `POST /sso/{provider}/confirm`, contract section 2. `GET` writes nothing; `POST` decides only what its form was shown.

use std::sync::Arc;

use account_linking::{
    clock::{Clock, NoRandomness, Randomness, Timestamp},
    config::{ConfigError, Environment, ProviderDirectory, ProviderEntry, Reader, Site},
    flow::PendingLink,
    flow_keys::{FlowKeyRing, OpenSealedError},
    http::{
        answer,
        cookies::{self, Cookies, RepeatedCookie},
        exchange::{Answer, Audience, Destination, Exchange},
        page,
        problem::{ErrorCode, Refusal},
        request::{self, MalformedRequest, Parameters, Request},
        same_origin::{self, CrossOrigin},
        texts::Language,
        views::ConfirmView,
    },
    identity::Identity,
    link::{Committed, LinkAttempt},
    seal::Kind,
    session::{Session, SessionError, Sessions},
    table::{CommitError, CommitToken, Table, TableError},
};
use http::{Method, Response};

/// What the function holds on to between requests.
pub struct App {
    site: Site,
    sessions: Sessions,
    providers: ProviderDirectory,
    flow_keys: FlowKeyRing,
    table: Table,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
}

/// Why nothing was shown or decided.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
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
    /// This browser keeps no pending link.
    #[error("nothing waits to be confirmed")]
    PendingMissing,
    /// The pending link's cookie does not open.
    #[error("opening the pending link")]
    PendingUnreadable(#[from] OpenSealedError),
    /// The pending link is another provider's, another session's, over, or not what was shown.
    #[error("the pending link is not for this request: {0}")]
    PendingUnfit(&'static str),
    /// The account could not be read, or the decision not written.
    #[error("asking the table")]
    Table(#[from] TableError),
    /// The link did not come to be.
    #[error("committing the link")]
    Commit(#[from] CommitError),
    /// The user declined.
    #[error("the user declined")]
    Declined,
    /// The operating system has no randomness.
    #[error("drawing an idempotency token")]
    Randomness(#[from] NoRandomness),
}

impl Refusal for ConfirmError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Malformed(_) | Self::RepeatedCookie(_) => ErrorCode::InvalidRequest,
            Self::UnknownProvider => ErrorCode::UnknownProvider,
            Self::CrossOrigin(_) => ErrorCode::CrossOriginRequest,
            Self::Session(error) => error.code(),
            Self::PendingMissing | Self::PendingUnfit(_) => ErrorCode::NothingToConfirm,
            Self::PendingUnreadable(error) => error.code_for(ErrorCode::NothingToConfirm),
            Self::Table(error) => error.code(),
            Self::Commit(error) => error.code_for(ErrorCode::NothingToConfirm),
            Self::Declined => ErrorCode::Cancelled,
            Self::Randomness(_) => ErrorCode::InternalError,
        }
    }
}

/// What the user decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Link,
    Cancel,
}

impl Decision {
    fn parse(form: &Parameters) -> Result<Self, MalformedRequest> {
        match form.one("decision")? {
            Some("link") => Ok(Self::Link),
            Some("cancel") => Ok(Self::Cancel),
            _ => Err(MalformedRequest::Meaningless("decision")),
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
        let flow_keys = FlowKeyRing::read(&mut reader, site.as_ref());
        let table = Table::read(&mut reader);
        let app = (|| {
            Some(Self {
                site: site?,
                sessions: sessions?,
                providers: providers?,
                flow_keys: flow_keys?,
                table: table?,
                clock,
                random,
            })
        })();
        let app = reader.finish(app)?;
        let now = app.clock.now();
        // What fails now is tried again by the first request that needs it.
        tokio::join!(app.flow_keys.warm_up(now), app.sessions.warm_up(now));
        Ok(app)
    }
}

/// Answers one request.
pub async fn respond(app: &App, request: &Request) -> Response<String> {
    let audience = if request.method == Method::POST {
        Audience::Navigation
    } else {
        Audience::of(request)
    };
    let mut exchange = Exchange::begin("confirm", &app.site, request, audience, app.clock.now());
    let result = handle(app, &mut exchange).await;
    exchange.finish(result, app.clock.now())
}

async fn handle(app: &App, exchange: &mut Exchange<'_>) -> Result<Answer, ConfirmError> {
    let (request, now) = (exchange.request, app.clock.now());
    let named = request.route(&[Method::GET, Method::POST], "confirm")?;
    let provider = app.providers.find(named).ok_or(ConfirmError::UnknownProvider)?;
    exchange.provider = Some(provider.id.clone());
    if request.method == Method::POST {
        same_origin::check(&request.headers, &app.site.origin)?;
    }

    let cookies = Cookies::parse(&request.headers, app.sessions.cookie_name())?;
    let session = app
        .sessions
        .verify(&cookies, &request.headers, now, request.deadline)
        .await?;
    let (pending, identity) = take_up(app, &cookies, provider, &session, request, now).await?;
    exchange.flow = Some(pending.flow_id);
    exchange.destination = Destination::Page(pending.return_to);

    if request.method == Method::POST {
        decide(app, exchange, provider, session, pending, identity).await
    } else {
        show(app, exchange, provider, &session, &pending, &identity).await
    }
}

/// The pending link that this browser keeps for this session and provider, and whose it would be.
async fn take_up(
    app: &App,
    cookies: &Cookies<'_>,
    provider: &ProviderEntry,
    session: &Session,
    request: &Request,
    now: Timestamp,
) -> Result<(PendingLink, Identity), ConfirmError> {
    let sealed = cookies.pending_link().ok_or(ConfirmError::PendingMissing)?;
    let pending: PendingLink = app
        .flow_keys
        .open(Kind::PendingLink, cookies::PENDING_LINK, sealed, now, request.deadline)
        .await?;
    if pending.provider != provider.id {
        return Err(ConfirmError::PendingUnfit("another provider"));
    }
    if pending.session != session.binding() {
        return Err(ConfirmError::PendingUnfit("another account or session"));
    }
    if !pending.is_live(now) {
        return Err(ConfirmError::PendingUnfit("its time is over"));
    }
    let identity = pending
        .identity(&provider.issuer)
        .ok_or(ConfirmError::PendingUnfit("another issuer"))?;
    Ok((pending, identity))
}

/// Shows who would be linked to whom, and which link that would replace.
async fn show(
    app: &App,
    exchange: &Exchange<'_>,
    provider: &ProviderEntry,
    session: &Session,
    pending: &PendingLink,
    identity: &Identity,
) -> Result<Answer, ConfirmError> {
    let request = exchange.request;
    let parameters = request.query();
    let outcome = parameters.one("sso")?;
    let reference = parameters.one("request_id")?.and_then(request::id_in_url);
    let replaced = if pending.replace {
        let record = app
            .table
            .read_account(&session.account, &provider.id, request.deadline)
            .await?;
        record.link.filter(|link| link.identity != *identity)
    } else {
        None
    };
    let view = ConfirmView::new(pending, session.email.clone(), replaced.as_ref());
    let response = match exchange.audience {
        Audience::Client => answer::json(&view),
        Audience::Navigation => page::confirm(
            &view,
            &provider.name,
            outcome,
            reference,
            Language::of(&request.headers),
            app.site.settings.as_str(),
        ),
    };
    Ok(Answer::new("asked", response))
}

/// Does what the user decided about what the form was shown, and nothing else.
async fn decide(
    app: &App,
    exchange: &mut Exchange<'_>,
    provider: &ProviderEntry,
    session: Session,
    pending: PendingLink,
    identity: Identity,
) -> Result<Answer, ConfirmError> {
    let request = exchange.request;
    let form = request.form()?;
    let decision = Decision::parse(&form)?;
    if form.one("confirmation")? != Some(&pending.confirmation()) {
        return Err(ConfirmError::PendingUnfit("another confirmation than was shown"));
    }
    let (replace, return_to) = (pending.replace, pending.return_to);
    let attempt = pending.attempt(identity, session.account);
    let decided = match decision {
        Decision::Cancel => decline(app, &attempt, request).await,
        Decision::Link => link(app, &attempt, replace, request).await,
    };
    // Where we failed nothing is decided, and the user may try again.
    let failed = |error: &ConfirmError| error.code().status().is_server_error();
    if !decided.as_ref().is_err_and(failed) {
        exchange.set_cookies.push(cookies::clear(cookies::PENDING_LINK));
    }
    let outcome = match decided? {
        Committed::Linked => "linked",
        Committed::Switched => "switched",
    };
    // The page hears `linked` either way; the log tells the two apart.
    let location = answer::back_to(&app.site, return_to, "linked", provider.id.as_str());
    Ok(Answer::new(outcome, answer::see_other(&location)))
}

async fn link(app: &App, attempt: &LinkAttempt, replace: bool, request: &Request) -> Result<Committed, ConfirmError> {
    let (token, now) = (CommitToken::generate(&*app.random)?, app.clock.now());
    let committed = if replace {
        app.table.switch(attempt, token, now, request.deadline).await
    } else {
        app.table.commit(attempt, token, now, request.deadline).await
    };
    if matches!(committed, Err(CommitError::IdentityInUse)) {
        // For the account's history. Whether it is written or not, the answer is the same.
        let _ = app.table.record_refusal(attempt, now, request.deadline).await;
    }
    Ok(committed?)
}

/// Writes under the flow's id that its user declined, so that a kept copy of the cookie is worthless.
async fn decline(app: &App, attempt: &LinkAttempt, request: &Request) -> Result<Committed, ConfirmError> {
    app.table.cancel(attempt, app.clock.now(), request.deadline).await?;
    Err(ConfirmError::Declined)
}
