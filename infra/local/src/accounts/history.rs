//! What happened to an account, for its user to read: straight from the table, which belongs to the stack.

use account_linking::{
    clock::{Clock, Deadline},
    http::request::REQUEST_BUDGET,
    identity::AccountId,
};

use super::{AccountsSite, Failure, keeping_language, language_of};
use crate::site::{self, Request, Response};

impl AccountsSite {
    /// The history of whoever is signed in for more than linking.
    pub(super) async fn show_history(&self, request: &Request) -> Result<Response, Failure> {
        let query = request.query()?;
        let language = language_of(request, &query);
        let Some(sessions) = &self.sessions else {
            return Ok(self.foreign_sessions_page(language));
        };
        let Some(signed_in) = sessions
            .verify(request, self.clock.now())
            .filter(|signed_in| !signed_in.link_only)
        else {
            // From there, whoever is not signed in is sent to sign in.
            return Ok(site::redirect(&self.settings_url));
        };
        let account = AccountId::parse(signed_in.account.id).map_err(|_| Failure::Internal)?;
        let table = self.table.as_ref().ok_or(Failure::Unavailable)?;
        let history = table.read_history(&account, Deadline::within(REQUEST_BUDGET)).await;
        let history = history.map_err(|_| Failure::Unavailable)?;
        let mut response = self.history_page(language, &signed_in, &history);
        sessions.renew(&signed_in, self.clock.now(), &mut response)?;
        Ok(keeping_language(&query, response))
    }
}
