//! How a sign-in flow ends: in a ticket for the account that the identity belongs to, or in nothing at all. It links nothing, creates no account
//! and sets no session.

use account_linking::{
    flow::Flow,
    http::{answer, exchange::Answer, request::Request},
    identity::VerifiedIdentity,
    table::{CommitToken, NewTicket, TicketError},
    ticket::{Challenge, SignIn, Ticket},
};

use crate::{App, CallbackError};

/// Hands out a ticket that only `challenge`'s verifier redeems.
pub(crate) async fn finish(
    app: &App,
    request: &Request,
    flow: &Flow,
    challenge: Challenge,
    verified: VerifiedIdentity,
) -> Result<Answer, CallbackError> {
    let owner = app
        .table
        .read_owner(&verified.identity, request.deadline)
        .await
        .map_err(CallbackError::Owner)?
        .ok_or(CallbackError::NotLinked)?;
    let changed_email = verified.email.filter(|email| owner.email.as_ref() != Some(email));
    let sign_in = SignIn {
        account: owner.account,
        provider: flow.provider.clone(),
        identity: verified.identity,
        provider_session: verified.provider_session,
        auth_time: verified.auth_time,
        acr: verified.acr,
        amr: verified.amr,
    };
    let ticket = Ticket::generate(&*app.random)?;
    let new = NewTicket {
        hash: ticket.hash(),
        challenge,
        sign_in,
        changed_email,
    };
    let (token, now) = (CommitToken::generate(&*app.random)?, app.clock.now());
    app.table
        .write_ticket(&new, token, now, request.deadline)
        .await
        .map_err(|error| match error {
            TicketError::OwnerChanged => CallbackError::NotLinked,
            TicketError::Table(error) => CallbackError::Ticket(error),
        })?;
    let location = app.sign_in_complete.with(&[("ticket", &ticket.reveal())]);
    Ok(Answer::new("ticket", answer::see_other(&location)))
}
