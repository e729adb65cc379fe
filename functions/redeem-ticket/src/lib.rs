//! Tells accounts.magento.cloud's server who signed in, once, for a ticket and the secret of the browser that earned it.
//!
//! `POST /sso/tickets/redeem`, contract section 2. The gateway has verified the caller (AWS IAM) before anything gets here.

use std::sync::Arc;

use account_linking::{
    clock::Clock,
    config::{ConfigError, Environment, Reader, Site},
    http::{
        answer,
        exchange::{Answer, Audience, Exchange},
        problem::{ErrorCode, Refusal},
        request::{MalformedRequest, Request},
        views::RedeemedTicketView,
    },
    table::{Table, TableError},
    ticket::{Challenge, TicketHash},
};
use http::{Method, Response};

/// What the function holds on to between requests.
pub struct App {
    site: Site,
    table: Table,
    clock: Arc<dyn Clock>,
}

/// Why nobody is named.
#[derive(Debug, thiserror::Error)]
pub enum RedeemTicketError {
    /// The request cannot be understood.
    #[error("reading the request")]
    Malformed(#[from] MalformedRequest),
    /// The gateway let somebody through without saying whom: the route lacks its authorizer.
    #[error("the gateway named no IAM caller")]
    CallerMissing,
    /// There is no such ticket for this verifier now. Which part of that is untrue nobody learns.
    #[error("no ticket for this verifier at this time")]
    TicketUnknown,
    /// The table did not answer. The ticket may be spent.
    #[error("redeeming the ticket")]
    Table(#[from] TableError),
}

impl Refusal for RedeemTicketError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Malformed(_) => ErrorCode::InvalidRequest,
            Self::CallerMissing => ErrorCode::InternalError,
            Self::TicketUnknown => ErrorCode::TicketUnknown,
            Self::Table(error) => error.code(),
        }
    }
}

/// What the body names, hashed as soon as it is read.
struct Redemption {
    ticket: TicketHash,
    challenge: Challenge,
}

impl Redemption {
    /// Members with other names are ignored. A text that cannot be a ticket or a verifier is one that is wrong.
    fn parse(request: &Request) -> Result<Self, MalformedRequest> {
        let members = request.json_object()?;
        let text = |name| {
            let member = members.get(name).and_then(|value| value.as_str());
            member.ok_or(MalformedRequest::Meaningless(name))
        };
        Ok(Self {
            ticket: TicketHash::of(text("ticket")?),
            challenge: Challenge::of(text("verifier")?),
        })
    }
}

impl App {
    /// Reads the configuration.
    ///
    /// # Errors
    ///
    /// Every mistake of the configuration, by variable.
    pub fn connect(environment: &Environment, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(environment);
        let site = Site::read(&mut reader);
        let table = Table::read(&mut reader);
        let app = (|| {
            Some(Self {
                site: site?,
                table: table?,
                clock,
            })
        })();
        reader.finish(app)
    }
}

/// Answers one request. Only servers call: whatever `Accept` says, a refusal is a problem document.
pub async fn respond(app: &App, request: &Request) -> Response<String> {
    let mut exchange = Exchange::begin("redeem-ticket", &app.site, request, Audience::Client, app.clock.now());
    let result = handle(app, &mut exchange).await;
    exchange.finish(result, app.clock.now())
}

async fn handle(app: &App, exchange: &mut Exchange<'_>) -> Result<Answer, RedeemTicketError> {
    let request = exchange.request;
    if request.segments()? != ["tickets", "redeem"] || request.method != Method::POST {
        return Err(MalformedRequest::Route.into());
    }
    if request.iam_caller.is_none() {
        return Err(RedeemTicketError::CallerMissing);
    }
    let redemption = Redemption::parse(request)?;

    let sign_in = app
        .table
        .redeem_ticket(
            redemption.ticket,
            redemption.challenge,
            app.clock.now(),
            request.deadline,
        )
        .await?
        .ok_or(RedeemTicketError::TicketUnknown)?;
    exchange.provider = Some(sign_in.provider.clone());
    Ok(Answer::new(
        "redeemed",
        answer::json(&RedeemedTicketView::from(sign_in)),
    ))
}
