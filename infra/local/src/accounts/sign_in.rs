//! The ways to sign in: by e-mail, as far as account-policy lets it, and with a provider, whose ticket is redeemed.

use std::time::Duration;

use account_linking::{
    clock::{Clock, random_bytes},
    config::ProviderEntry,
    identity::AccountId,
    requirement::OtherMethods,
    ticket::Challenge,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{AccountsSite, Destination, Failure, keeping_language, language_of, people::Account, service::Problem};
use crate::site::{self, Cookie, Request, Response};

/// Keeps an [`Attempt`].
const ATTEMPT_COOKIE: &str = "__Host-accounts-sign-in";

/// A flow's ten minutes, and a ticket's one.
const ATTEMPT_LIFETIME: Duration = Duration::from_mins(11);

/// A sign-in with a provider, as the browser that began it remembers it. Without it a ticket is worth nothing.
struct Attempt {
    verifier: String,
    provider: String,
    destination: Destination,
}

impl Attempt {
    /// Reads what the cookie holds.
    fn of(request: &Request) -> Option<Self> {
        let mut parts = request.cookie(ATTEMPT_COOKIE)?.split('.');
        let (verifier, provider, destination) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self {
            verifier: verifier.to_owned(),
            provider: provider.to_owned(),
            destination: Destination::parse(Some(destination)),
        })
    }

    fn keep(&self, response: &mut Response) {
        let value = format!("{}.{}.{}", self.verifier, self.provider, self.destination.id());
        let cookie = Cookie {
            name: ATTEMPT_COOKIE,
            value: &value,
        };
        cookie.keep_for(ATTEMPT_LIFETIME, response);
    }
}

impl AccountsSite {
    /// The ways to sign in. Whoever is signed in, and neither must prove it again nor be told anything, is sent on with a renewed session.
    pub(super) fn show_sign_in(&self, request: &Request) -> Result<Response, Failure> {
        let query = request.query()?;
        let language = language_of(request, &query);
        // A sign-in that failed at the provider comes back without it; where it was to end the browser has kept.
        let destination = match (query.find("return_to"), Attempt::of(request)) {
            (None, Some(attempt)) if query.find("sso").is_some() => attempt.destination,
            (named, _) => Destination::parse(named),
        };
        let Some(sessions) = &self.sessions else {
            return Ok(self.foreign_sessions_page(language));
        };
        let signed_in = sessions.verify(request, self.clock.now());
        let reauthenticate = query.find("reauthenticate") == Some("1");
        match signed_in {
            Some(signed_in) if !reauthenticate && query.find("sso").is_none() => {
                let mut response = site::redirect(self.url_of(destination));
                sessions.renew(&signed_in, self.clock.now(), &mut response)?;
                Ok(response)
            }
            current => {
                let current = current.filter(|_| reauthenticate).map(|signed_in| signed_in.account);
                let page = self.sign_in_page(language, destination, current, &query);
                Ok(keeping_language(&query, page))
            }
        }
    }

    /// Somebody chooses an account: this is the other method, and account-policy says what it is good for.
    pub(super) async fn sign_in_by_email(&self, request: &Request) -> Result<Response, Failure> {
        let form = self.own_form(request)?;
        let sessions = self.sessions.as_ref().ok_or(Failure::Malformed)?;
        let account = form.find("account").and_then(Account::find).ok_or(Failure::Malformed)?;
        let destination = Destination::parse(form.find("return_to"));
        let link_only = match self.other_methods(account).await {
            Ok((OtherMethods::Allowed, _)) => false,
            Ok((OtherMethods::LinkOnly, _)) => true,
            Ok((OtherMethods::Refused, refusing)) => {
                let language = language_of(request, &request.query()?);
                return Ok(self.refused_page(language, destination, account, &refusing));
            }
            // Whoever cannot be asked has not said yes.
            Err(problem) => return Ok(back_to_sign_in(&problem, None, destination)),
        };
        let now = self.clock.now();
        let signed_in = match sessions.verify(request, now) {
            Some(current) if current.account == account && current.link_only == link_only => current.proven_again(now),
            other => {
                if let Some(other) = other {
                    sessions.end(other);
                }
                sessions.begin(account, link_only, now)?
            }
        };
        let mut response = site::redirect(self.url_of(destination));
        sessions.renew(&signed_in, now, &mut response)?;
        Ok(response)
    }

    /// What signing in by e-mail is good for now: the strictest that any provider's policy says, and the providers that say it.
    pub(super) async fn other_methods(
        &self,
        account: &Account,
    ) -> Result<(OtherMethods, Vec<&ProviderEntry>), Problem> {
        let id = AccountId::parse(account.id).map_err(|_| Problem::internal())?;
        let mut strictest = (OtherMethods::Allowed, Vec::new());
        for provider in &self.providers {
            let told = self.service.other_methods(&provider.id, &id).await?;
            if told > strictest.0 {
                strictest = (told, Vec::new());
            }
            if told == strictest.0 {
                strictest.1.push(provider);
            }
        }
        Ok(strictest)
    }

    /// Sends the browser to a provider, with a secret that stays here and its hash that goes along.
    pub(super) fn start_sign_in(&self, request: &Request) -> Result<Response, Failure> {
        let form = self.own_form(request)?;
        self.sessions.as_ref().ok_or(Failure::Malformed)?;
        let named = |provider: &&ProviderEntry| form.find("provider") == Some(provider.id.as_str());
        let provider = self.providers.iter().find(named).ok_or(Failure::Malformed)?;
        // Two tabs that sign in at once share the secret; each would else spoil the other's.
        let verifier = match Attempt::of(request) {
            Some(attempt) => attempt.verifier,
            None => URL_SAFE_NO_PAD.encode(random_bytes::<32>(&*self.random)?),
        };
        let challenge = Challenge::of(&verifier);
        let mut response = site::redirect(&format!("/sso/{}/sign-in?challenge={challenge}", provider.id));
        let attempt = Attempt {
            verifier,
            provider: provider.id.as_str().to_owned(),
            destination: Destination::parse(form.find("return_to")),
        };
        attempt.keep(&mut response);
        Ok(response)
    }

    /// `SIGN_IN_COMPLETE_URL`: redeems the ticket, and begins a session of its own: whatever session or id the browser came with, nobody
    /// else can know the new one.
    pub(super) async fn complete_sign_in(&self, request: &Request) -> Result<Response, Failure> {
        let query = request.query()?;
        let Some(sessions) = &self.sessions else {
            return Ok(self.foreign_sessions_page(language_of(request, &query)));
        };
        let (Some(attempt), Some(ticket)) = (Attempt::of(request), query.find("ticket")) else {
            return Ok(site::redirect("/sign-in?sso=ticket_unknown"));
        };
        let redeemed = match self.service.redeem_ticket(ticket, &attempt.verifier).await {
            Ok(redeemed) => redeemed,
            Err(problem) => return Ok(back_to_sign_in(&problem, Some(&attempt.provider), attempt.destination)),
        };
        let Some(account) = Account::find(&redeemed.account_id) else {
            let unknown = Problem::not_linked();
            return Ok(back_to_sign_in(&unknown, Some(&attempt.provider), attempt.destination));
        };
        let now = self.clock.now();
        if let Some(current) = sessions.verify(request, now) {
            sessions.end(current);
        }
        let signed_in = sessions.begin(account, false, now)?;
        let mut response = site::redirect(self.url_of(attempt.destination));
        sessions.renew(&signed_in, now, &mut response)?;
        Cookie::clear(ATTEMPT_COOKIE, &mut response);
        Ok(response)
    }
}

/// The sign-in page, told why nobody was signed in, in the words in which the functions tell it.
fn back_to_sign_in(problem: &Problem, provider: Option<&str>, destination: Destination) -> Response {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("sso", &problem.code);
    if let Some(provider) = provider {
        query.append_pair("provider", provider);
    }
    if let Some(id) = &problem.request_id {
        query.append_pair("request_id", id);
    }
    query.append_pair("return_to", destination.id());
    site::redirect(&format!("/sign-in?{}", query.finish()))
}
