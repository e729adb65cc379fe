//! How a link flow ends: the link is committed, or its user is asked first.

use account_linking::{
    config::ConfirmLink,
    flow::{Flow, PendingLink, ReturnTarget},
    http::{
        answer, cookies,
        exchange::{Answer, Exchange},
    },
    identity::VerifiedIdentity,
    seal::Kind,
    session::Session,
    table::{CommitError, CommitToken},
};

use crate::{App, CallbackError};

/// Who started the flow, and for what.
pub(crate) struct StartedBy {
    pub(crate) session: Session,
    pub(crate) replace: bool,
    pub(crate) return_to: ReturnTarget,
}

/// Commits the link, or asks for confirmation.
pub(crate) async fn finish(
    app: &App,
    exchange: &mut Exchange<'_>,
    flow: &Flow,
    started: StartedBy,
    verified: VerifiedIdentity,
) -> Result<Answer, CallbackError> {
    if app.must_ask(&started, &verified) {
        return ask(app, exchange, flow, started, verified).await;
    }
    let (binding, return_to) = (started.session.binding(), started.return_to);
    let attempt = flow.attempt(started.session.account, binding, verified);
    let (token, now) = (CommitToken::generate(&*app.random)?, app.clock.now());
    let deadline = exchange.request.deadline;
    let committed = app.table.commit(&attempt, token, now, deadline).await;
    if matches!(committed, Err(CommitError::IdentityInUse)) {
        // For the account's history. Whether it is written or not, the answer is the same.
        let _ = app.table.record_refusal(&attempt, now, deadline).await;
    }
    committed?;
    let location = answer::back_to(&app.site, return_to, "linked", flow.provider.as_str());
    Ok(Answer::new("linked", answer::see_other(&location)))
}

impl App {
    /// Whether the user must confirm before `verified` is linked (contract sections 2 and, for a session without e-mail, 3).
    fn must_ask(&self, started: &StartedBy, verified: &VerifiedIdentity) -> bool {
        let Some(ours) = &started.session.email else {
            return true;
        };
        let asks = match self.confirm_link {
            ConfirmLink::Always => true,
            ConfirmLink::Never => false,
            ConfirmLink::WhenEmailDiffers => {
                let is_ours = |theirs| verified.email_verified && ours.is_same_mailbox(theirs);
                !verified.email.as_ref().is_some_and(is_ours)
            }
        };
        started.replace || asks
    }
}

/// Parks the verified identity in the browser and sends the user to decide. Nothing is written.
async fn ask(
    app: &App,
    exchange: &mut Exchange<'_>,
    flow: &Flow,
    started: StartedBy,
    verified: VerifiedIdentity,
) -> Result<Answer, CallbackError> {
    let now = app.clock.now();
    let (email_verified, return_to) = (verified.email_verified, started.return_to);
    let binding = started.session.binding();
    let attempt = flow.attempt(started.session.account, binding, verified);
    let pending = PendingLink::park(attempt, email_verified, started.replace, return_to, now, &*app.random)?;
    let keys = app.flow_keys.current(now, exchange.request.deadline).await?;
    let sealed = keys.seal(Kind::PendingLink, cookies::PENDING_LINK, &pending, &*app.random)?;
    exchange.set_cookies.push(cookies::keep(cookies::PENDING_LINK, &sealed));
    let location = answer::back_to(&app.site, return_to, "confirm", flow.provider.as_str());
    Ok(Answer::new("confirm", answer::see_other(&location)))
}
