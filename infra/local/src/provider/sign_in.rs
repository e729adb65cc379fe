//! What people do at the provider: sign in, create an account, decline, sign out.

use account_linking::{clock::NoRandomness, identity::EmailAddress};
use http::StatusCode;

use super::{
    Provider, Session,
    authorization::{AuthorizationRequest, Prompt},
    error::ProtocolError,
    pages::{Registration, Visit},
    people::{Person, RegistrationError},
    unguessable,
};
use crate::site::{self, Cookie, Parameters, Request, Response, Unreadable};

/// The provider's own session, known to its host alone.
const SESSION_COOKIE: &str = "__Host-magento-session";

/// Longer names are refused; the pages are not made for them.
const LONGEST_NAME: usize = 100;

/// Why a person gets no further.
pub(super) enum Failure {
    /// The request cannot come from one of our pages as they are.
    Malformed,
    /// It comes from a page of somebody else.
    Foreign,
    /// The sign-in it belongs to has ended or never was.
    Over,
    /// We cannot go on.
    Internal,
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

impl Provider {
    /// Who is signed in, and the ways to become somebody else.
    pub(super) fn home(&self, request: &Request) -> Response {
        let session = self.session(request);
        let person = session.as_ref().map(|session| &session.person);
        self.home_page(request.accepted_language(), person, None)
    }

    /// Somebody who is signed in has a new address.
    pub(super) fn change_email(&self, request: &Request) -> Result<Response, Failure> {
        let form = self.own_form(request)?;
        let session = self.session(request).ok_or(Failure::Over)?;
        let language = request.accepted_language();
        let again = |problem| Ok(self.home_page(language, Some(&session.person), Some(problem)));
        let texts = super::texts::Texts::of(language);
        let Some(email) = form.find("email").map(str::trim).and_then(EmailAddress::parse) else {
            return again(texts.email_malformed);
        };
        match self.people.change_email(&session.person.subject, &email) {
            Ok(()) => Ok(site::redirect("/")),
            Err(RegistrationError::AddressTaken) => again(texts.email_taken),
            Err(RegistrationError::Subject(_) | RegistrationError::Write(_)) => Err(Failure::Internal),
        }
    }

    /// The people to sign in as.
    pub(super) fn show_sign_in(&self, request: &Request) -> Result<Response, Failure> {
        let visit = self.visit(request, &request.query()?)?;
        let current = self.session(request).map(|session| session.person.subject);
        Ok(self.sign_in_page(&visit, &self.people.all(), current.as_deref()))
    }

    /// Somebody signs in, or declines to.
    pub(super) fn sign_in(&self, request: &Request) -> Result<Response, Failure> {
        let form = self.own_form(request)?;
        if form.find("decision") == Some("cancel") {
            return match self.visit(request, &form)?.interaction {
                Some(name) => {
                    let asked = self.conclude(&name)?;
                    Ok(self.answer(&asked.return_address, Err(ProtocolError::AccessDenied)))
                }
                None => Ok(site::redirect("/")),
            };
        }
        let person = form
            .find("person")
            .and_then(|subject| self.people.find(subject))
            .ok_or(Failure::Malformed)?;
        self.enter(request, &form, person)
    }

    /// The form for a new account.
    pub(super) fn show_create_account(&self, request: &Request) -> Result<Response, Failure> {
        let visit = self.visit(request, &request.query()?)?;
        Ok(self.create_account_page(&visit, &Registration::default()))
    }

    /// Somebody creates an account and is signed in with it.
    pub(super) fn create_account(&self, request: &Request) -> Result<Response, Failure> {
        let form = self.own_form(request)?;
        let visit = self.visit(request, &form)?;
        let (name, email) = (
            form.find("name").unwrap_or_default().trim(),
            form.find("email").unwrap_or_default().trim(),
        );
        let email_verified = form.find("email_verified").is_some();
        let again = |problem: fn(&super::texts::Texts) -> &'static str| {
            let registration = Registration {
                name,
                email,
                email_verified,
                problem: Some(problem(visit.texts())),
            };
            Ok(self.create_account_page(&visit, &registration))
        };
        if name.is_empty() || name.chars().count() > LONGEST_NAME {
            return again(|texts| texts.name_missing);
        }
        let Some(address) = EmailAddress::parse(email) else {
            return again(|texts| texts.email_malformed);
        };
        match self.people.register(name, address, email_verified, &*self.random) {
            Ok(person) => self.enter(request, &form, person),
            Err(RegistrationError::AddressTaken) => again(|texts| texts.email_taken),
            Err(RegistrationError::Subject(_) | RegistrationError::Write(_)) => Err(Failure::Internal),
        }
    }

    /// Ends the provider's session. What was linked stays linked.
    pub(super) fn sign_out(&self, request: &Request) -> Result<Response, Failure> {
        self.own_form(request)?;
        if let Some(cookie) = request.cookie(SESSION_COOKIE) {
            self.memory().sessions.take(cookie, self.clock.now());
        }
        let mut response = site::redirect("/");
        Cookie::clear(SESSION_COOKIE, &mut response);
        Ok(response)
    }

    /// Who is signed in in this browser, with the address that they have now.
    pub(super) fn session(&self, request: &Request) -> Option<Session> {
        let cookie = request.cookie(SESSION_COOKIE)?;
        let session = self.memory().sessions.find(cookie, self.clock.now()).cloned()?;
        let person = self.people.find(&session.person.subject)?;
        Some(Session { person, ..session })
    }

    /// Signs `person` in, and answers the client that asked for it, if one did.
    fn enter(&self, request: &Request, form: &Parameters, person: Person) -> Result<Response, Failure> {
        let asked = match self.visit(request, form)?.interaction {
            Some(name) => Some(self.conclude(&name)?),
            None => None,
        };
        let now = self.clock.now();
        let chosen_again = self.session(request).filter(|session| {
            session.person.subject == person.subject
                && asked.as_ref().is_some_and(|asked| {
                    asked.prompt == Prompt::SelectAccount && !asked.finds_too_old(session.auth_time, now)
                })
        });
        if let (Some(session), Some(asked)) = (chosen_again, &asked) {
            return Ok(self.grant(asked.clone(), session)?);
        }

        let session = Session {
            person,
            sid: unguessable(&*self.random)?,
            auth_time: now,
        };
        let cookie = unguessable(&*self.random)?;
        let mut response = match asked {
            Some(asked) => self.grant(asked, session.clone())?,
            None => site::redirect("/"),
        };
        let mut memory = self.memory();
        if let Some(previous) = request.cookie(SESSION_COOKIE) {
            memory.sessions.take(previous, now);
        }
        memory.sessions.insert(cookie.clone(), session, now);
        Cookie {
            name: SESSION_COOKIE,
            value: &cookie,
        }
        .set(&mut response);
        Ok(response)
    }

    /// The fields of a form that one of our own pages posted.
    fn own_form(&self, request: &Request) -> Result<Parameters, Failure> {
        if request.comes_from(&self.issuer) {
            Ok(request.form()?)
        } else {
            Err(Failure::Foreign)
        }
    }

    /// In which matter somebody is here: a client's, named by `interaction`, or their own.
    fn visit(&self, request: &Request, parameters: &Parameters) -> Result<Visit, Failure> {
        let accepted = request.accepted_language();
        let Some(name) = parameters.find("interaction") else {
            return Ok(Visit {
                interaction: None,
                prompt: Prompt::Unspecified,
                language: accepted,
            });
        };
        let memory = self.memory();
        let asked = memory.interactions.find(name, self.clock.now()).ok_or(Failure::Over)?;
        Ok(Visit {
            interaction: Some(name.to_owned()),
            prompt: asked.prompt,
            language: asked.language.unwrap_or(accepted),
        })
    }

    /// Ends an interaction: it is answered once.
    fn conclude(&self, name: &str) -> Result<AuthorizationRequest, Failure> {
        self.memory()
            .interactions
            .take(name, self.clock.now())
            .ok_or(Failure::Over)
    }
}

impl Failure {
    /// The status that goes with it.
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::Malformed | Self::Over => StatusCode::BAD_REQUEST,
            Self::Foreign => StatusCode::FORBIDDEN,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}
