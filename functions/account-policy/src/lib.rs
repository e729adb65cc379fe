//! Tells accounts.magento.cloud's server how an account may sign in; lets it and operators exempt the account and end its link.
//!
//! `/sso/{provider}/accounts/{account_id}` and what is below it, contract section 2. The gateway has verified the caller (AWS IAM) before
//! anything gets here; there is no session.

use std::sync::Arc;

use account_linking::{
    clock::{Clock, NoRandomness, Randomness, Timestamp},
    config::{ConfigError, Environment, ProviderDirectory, Reader, Site, read_linking_required},
    http::{
        answer,
        exchange::{Answer, Audience, Exchange},
        problem::{ErrorCode, Refusal},
        request::{MalformedRequest, Request},
        views::AccountPolicyView,
    },
    identity::{AccountId, Malformed, ProviderId},
    link::{Actor, Exemption},
    requirement::LinkingRequired,
    table::{EventId, ExemptionEnded, Table, TableError, Unlinked},
};
use http::{Method, Response};

/// What the function holds on to between requests.
pub struct App {
    site: Site,
    providers: ProviderDirectory,
    table: Table,
    linking_required: LinkingRequired,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
}

/// Why nothing was told or done.
#[derive(Debug, thiserror::Error)]
pub enum AccountPolicyError {
    /// The request cannot be understood.
    #[error("reading the request")]
    Malformed(#[from] MalformedRequest),
    /// The path names no account.
    #[error("reading the account of the path")]
    Account(#[from] Malformed),
    /// The path names no provider of ours.
    #[error("the path names no configured provider")]
    UnknownProvider,
    /// The gateway let somebody through without saying whom: the route lacks its authorizer.
    #[error("the gateway named no IAM caller")]
    CallerMissing,
    /// The table did not answer or did not do it.
    #[error("asking the table")]
    Table(#[from] TableError),
    /// The operating system has no randomness.
    #[error("drawing an event id")]
    Randomness(#[from] NoRandomness),
}

impl Refusal for AccountPolicyError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Malformed(_) | Self::Account(_) => ErrorCode::InvalidRequest,
            Self::UnknownProvider => ErrorCode::UnknownProvider,
            Self::Table(error) => error.code(),
            Self::CallerMissing | Self::Randomness(_) => ErrorCode::InternalError,
        }
    }
}

/// What a caller wants, by method and path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Tell,
    Exempt,
    EndExemption,
    Unlink,
}

/// What the request is about.
struct Target<'a> {
    operation: Operation,
    provider: &'a str,
    account: &'a str,
}

impl<'a> Target<'a> {
    fn parse(request: &'a Request) -> Result<Self, MalformedRequest> {
        let segments = request.segments()?;
        let [provider, "accounts", account, ref rest @ ..] = segments[..] else {
            return Err(MalformedRequest::Route);
        };
        let operation = match (&request.method, rest) {
            (&Method::GET, []) => Operation::Tell,
            (&Method::PUT, ["exemption"]) => Operation::Exempt,
            (&Method::DELETE, ["exemption"]) => Operation::EndExemption,
            (&Method::DELETE, ["link"]) => Operation::Unlink,
            _ => return Err(MalformedRequest::Route),
        };
        Ok(Self {
            operation,
            provider,
            account,
        })
    }
}

/// Reads the exemption that the body asks for on behalf of `by`. Members with other names are ignored.
fn parse_exemption(request: &Request, by: &str, now: Timestamp) -> Result<Exemption, MalformedRequest> {
    let members = request.json_object()?;
    let text = |name| members.get(name).and_then(|value| value.as_str());
    let until = text("until")
        .and_then(Timestamp::parse_rfc3339)
        .filter(|until| now < *until)
        .ok_or(MalformedRequest::Meaningless("until"))?;
    let reason = text("reason")
        .filter(|reason| (1..=Exemption::LONGEST_REASON).contains(&reason.chars().count()))
        .ok_or(MalformedRequest::Meaningless("reason"))?;
    Ok(Exemption {
        until,
        reason: reason.to_owned(),
        by: by.to_owned(),
    })
}

impl App {
    /// Reads the configuration.
    ///
    /// # Errors
    ///
    /// Every mistake of the configuration, by variable.
    pub fn connect(
        environment: &Environment,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Randomness>,
    ) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(environment);
        let site = Site::read(&mut reader);
        let providers = ProviderDirectory::read(&mut reader);
        let table = Table::read(&mut reader);
        let linking_required = read_linking_required(&mut reader);
        let app = (|| {
            Some(Self {
                site: site?,
                providers: providers?,
                table: table?,
                linking_required: linking_required?,
                clock,
                random,
            })
        })();
        reader.finish(app)
    }
}

/// Answers one request. Only servers call: whatever `Accept` says, a refusal is a problem document.
pub async fn respond(app: &App, request: &Request) -> Response<String> {
    let mut exchange = Exchange::begin("account-policy", &app.site, request, Audience::Client, app.clock.now());
    let result = handle(app, &mut exchange).await;
    exchange.finish(result, app.clock.now())
}

async fn handle(app: &App, exchange: &mut Exchange<'_>) -> Result<Answer, AccountPolicyError> {
    let request = exchange.request;
    let target = Target::parse(request)?;
    let provider = app
        .providers
        .find(target.provider)
        .ok_or(AccountPolicyError::UnknownProvider)?;
    exchange.provider = Some(provider.id.clone());
    let caller = request.iam_caller.as_deref().ok_or(AccountPolicyError::CallerMissing)?;
    let account = AccountId::from_path_segment(target.account)?;

    let outcome = match target.operation {
        Operation::Tell => return tell(app, request, account, &provider.id).await,
        Operation::Exempt => exempt(app, request, &account, &provider.id, caller).await?,
        Operation::EndExemption => end_exemption(app, request, &account, &provider.id, caller).await?,
        Operation::Unlink => unlink(app, request, &account, &provider.id, caller).await?,
    };
    Ok(Answer::new(outcome, answer::no_content()))
}

/// What is linked, whether that is required, and how the account may sign in.
async fn tell(
    app: &App,
    request: &Request,
    account: AccountId,
    provider: &ProviderId,
) -> Result<Answer, AccountPolicyError> {
    let record = app.table.read_account(&account, provider, request.deadline).await?;
    let requirement = app.linking_required.at(app.clock.now(), record.exemption.as_ref());
    let view = AccountPolicyView::new(account, record.link.as_ref(), requirement);
    let outcome = if record.link.is_some() { "linked" } else { "not_linked" };
    Ok(Answer::new(outcome, answer::json(&view)))
}

async fn exempt(
    app: &App,
    request: &Request,
    account: &AccountId,
    provider: &ProviderId,
    caller: &str,
) -> Result<&'static str, AccountPolicyError> {
    let (now, event) = (app.clock.now(), EventId::generate(&*app.random)?);
    let exemption = parse_exemption(request, caller, now)?;
    app.table
        .exempt(account, provider, &exemption, event, now, request.deadline)
        .await?;
    Ok("exempted")
}

async fn end_exemption(
    app: &App,
    request: &Request,
    account: &AccountId,
    provider: &ProviderId,
    caller: &str,
) -> Result<&'static str, AccountPolicyError> {
    let (now, event) = (app.clock.now(), EventId::generate(&*app.random)?);
    let actor = Actor::Iam(caller.to_owned());
    let ended = app
        .table
        .end_exemption(account, provider, &actor, event, now, request.deadline)
        .await?;
    Ok(match ended {
        ExemptionEnded::Ended => "exemption_ended",
        ExemptionEnded::NothingToEnd => "was_not_exempt",
    })
}

async fn unlink(
    app: &App,
    request: &Request,
    account: &AccountId,
    provider: &ProviderId,
    caller: &str,
) -> Result<&'static str, AccountPolicyError> {
    let (now, event) = (app.clock.now(), EventId::generate(&*app.random)?);
    let actor = Actor::Iam(caller.to_owned());
    let unlinked = app
        .table
        .unlink(account, provider, &actor, event, now, request.deadline)
        .await?;
    Ok(match unlinked {
        Unlinked::Ended => "unlinked",
        Unlinked::NothingLinked => "was_not_linked",
    })
}
