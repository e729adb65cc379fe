//! The development accounts site: plays accounts.magento.cloud, as far as the service leans on it.
//!
//! It signs people in, with a provider or without a password, proves that to the functions by session JWTs (contract section 3), and shows the
//! settings page with the *Single sign-on* section of `infra/settings-page`. What is linked it neither knows nor keeps: what it must know it
//! asks the service, as the real site does. Beside that it has a clock to move, and the history that the table keeps.

mod clock;
mod history;
mod pages;
mod people;
mod service;
mod sessions;
mod sign_in;
#[cfg(test)]
mod tests;
mod texts;

use std::sync::Arc;

use account_linking::{
    clock::{Clock, MovableClock, NoRandomness, Randomness},
    config::ProviderEntry,
    jose::SigningError,
    requirement::{LinkingRequired, OtherMethods},
    table::Table,
};
use http::{Method, StatusCode};

use self::pages::Notice;
pub(crate) use self::{
    service::Service,
    sessions::{SessionIssuer, SessionTerms},
};
use crate::site::{self, Cookie, Language, Parameters, Request, Response, Unreadable};

/// Keeps the language that `?lang=` chose.
const LANGUAGE_COOKIE: &str = "__Host-accounts-language";

/// Where a visit to the sign-in page ends (contract section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Destination {
    Settings,
    Onboarding,
}

impl Destination {
    /// The id in `return_to`; what is none of them means the settings page.
    fn parse(id: Option<&str>) -> Self {
        if id == Some("onboarding") {
            Self::Onboarding
        } else {
            Self::Settings
        }
    }

    const fn id(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Onboarding => "onboarding",
        }
    }
}

/// The development accounts site.
pub(crate) struct AccountsSite {
    /// The origin it shares with the functions.
    pub(crate) origin: String,
    /// `SETTINGS_URL`.
    pub(crate) settings_url: String,
    /// `ONBOARDING_URL`.
    pub(crate) onboarding_url: String,
    /// The providers, each of which gets a section.
    pub(crate) providers: Vec<ProviderEntry>,
    /// Absent when somebody else issues the sessions.
    pub(crate) sessions: Option<SessionIssuer>,
    /// What it asks from server to server.
    pub(crate) service: Service,
    /// Where the history is. What is wrong with its variables the functions tell.
    pub(crate) table: Option<Table>,
    /// `LINKING_REQUIRED_FROM`.
    pub(crate) linking_required: LinkingRequired,
    /// Everybody's clock, but the database's.
    pub(crate) clock: Arc<MovableClock>,
    /// Whether the provider follows that clock too.
    pub(crate) provider_follows: bool,
    pub(crate) random: Arc<dyn Randomness>,
}

/// Why a page is not shown.
enum Failure {
    Malformed,
    Foreign,
    Internal,
    Unavailable,
}

impl From<Unreadable> for Failure {
    fn from(_: Unreadable) -> Self {
        Self::Malformed
    }
}

impl From<NoRandomness> for Failure {
    fn from(_: NoRandomness) -> Self {
        Self::Internal
    }
}

impl From<SigningError> for Failure {
    fn from(_: SigningError) -> Self {
        Self::Internal
    }
}

impl AccountsSite {
    /// Answers a request to the site's host.
    pub(crate) async fn respond(&self, request: &Request) -> Response {
        let answer = match (&request.method, request.path.as_str()) {
            (&Method::GET, "/") => Ok(site::redirect("/user")),
            (&Method::GET, "/user") => self.show(request, Destination::Settings).await,
            (&Method::GET, "/user/history") => self.show_history(request).await,
            (&Method::GET, "/onboarding") => self.show(request, Destination::Onboarding).await,
            (&Method::GET, "/sign-in") => self.show_sign_in(request),
            (&Method::POST, "/sign-in") => self.sign_in_by_email(request).await,
            (&Method::POST, "/sign-in/start") => self.start_sign_in(request),
            (&Method::GET, "/sign-in/complete") => self.complete_sign_in(request).await,
            (&Method::POST, "/sign-out") => self.sign_out(request),
            (&Method::GET, clock::PATH) => self.show_clock(request),
            (&Method::POST, clock::PATH) => self.move_clock(request),
            (&Method::GET, "/.well-known/jwks.json") => Ok(self.jwks()),
            (&Method::GET, "/site.css") => Ok(site::stylesheet()),
            (&Method::GET, "/favicon.ico") => Ok(site::no_icon()),
            (&Method::GET, path) => Ok(pages::asset(path).unwrap_or_else(site::not_found)),
            _ => Ok(site::not_found()),
        };
        answer.unwrap_or_else(|failure| {
            site::status_only(match failure {
                Failure::Malformed => StatusCode::BAD_REQUEST,
                Failure::Foreign => StatusCode::FORBIDDEN,
                Failure::Internal => StatusCode::INTERNAL_SERVER_ERROR,
                Failure::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            })
        })
    }

    /// A page with the section, for whoever is signed in. Every view renews the session.
    async fn show(&self, request: &Request, destination: Destination) -> Result<Response, Failure> {
        let query = request.query()?;
        let language = language_of(request, &query);
        let Some(sessions) = &self.sessions else {
            let page = self.section_page(language, destination, None, None, &query);
            return Ok(keeping_language(&query, page));
        };
        let Some(signed_in) = sessions.verify(request, self.clock.now()) else {
            let response = site::redirect(&format!("/sign-in?return_to={}", destination.id()));
            return Ok(keeping_language(&query, response));
        };
        if signed_in.link_only && destination != Destination::Settings {
            return Ok(site::redirect(&self.settings_url));
        }
        let notice = if signed_in.link_only {
            Some(match self.other_methods(signed_in.account).await {
                Ok((OtherMethods::Refused, linked)) => Notice::SignInWith(linked),
                // What could not be asked is asked again by the next view.
                Ok((OtherMethods::Allowed | OtherMethods::LinkOnly, _)) | Err(_) => Notice::LinkFirst,
            })
        } else {
            None
        };
        let mut response = self.section_page(language, destination, Some(&signed_in), notice.as_ref(), &query);
        sessions.renew(&signed_in, self.clock.now(), &mut response)?;
        Ok(keeping_language(&query, response))
    }

    /// Ends the session.
    fn sign_out(&self, request: &Request) -> Result<Response, Failure> {
        self.own_form(request)?;
        let mut response = site::redirect("/sign-in");
        if let Some(sessions) = &self.sessions {
            if let Some(signed_in) = sessions.verify(request, self.clock.now()) {
                sessions.end(signed_in);
            }
            sessions.forget(&mut response);
        }
        Ok(response)
    }

    fn jwks(&self) -> Response {
        match &self.sessions {
            Some(sessions) => site::json(StatusCode::OK, &sessions.jwks()),
            None => site::not_found(),
        }
    }

    /// The fields of a form that one of our own pages posted.
    fn own_form(&self, request: &Request) -> Result<Parameters, Failure> {
        if !request.comes_from(&self.origin) {
            return Err(Failure::Foreign);
        }
        Ok(request.form()?)
    }

    fn url_of(&self, destination: Destination) -> &str {
        match destination {
            Destination::Settings => &self.settings_url,
            Destination::Onboarding => &self.onboarding_url,
        }
    }
}

/// The language of a page: the one that `?lang=` chooses now or chose before, else the browser's.
fn language_of(request: &Request, query: &Parameters) -> Language {
    let chosen = query
        .find("lang")
        .or_else(|| request.cookie(LANGUAGE_COOKIE))
        .and_then(Language::of_tag);
    chosen.unwrap_or_else(|| request.accepted_language())
}

/// Keeps the language that `?lang=` chooses, so that the page is still in it after a flow.
fn keeping_language(query: &Parameters, mut response: Response) -> Response {
    if let Some(language) = query.find("lang").and_then(Language::of_tag) {
        Cookie {
            name: LANGUAGE_COOKIE,
            value: language.tag(),
        }
        .set(&mut response);
    }
    response
}
