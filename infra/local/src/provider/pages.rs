//! The provider's pages.

use http::StatusCode;

use super::{Provider, authorization::Prompt, people::Person, sign_in::Failure, texts::Texts};
use crate::site::{Language, Page, Response, Text, origin_of};

/// In which matter somebody looks at a page.
#[derive(Debug)]
pub(super) struct Visit {
    /// The client's request that waits for an answer.
    pub(super) interaction: Option<String>,
    /// What that client wants.
    pub(super) prompt: Prompt,
    pub(super) language: Language,
}

impl Visit {
    pub(super) fn texts(&self) -> &'static Texts {
        Texts::of(self.language)
    }

    /// The field that carries the matter through a form.
    fn field(&self) -> String {
        self.interaction.as_deref().map_or_else(String::new, |name| {
            format!(r#"<input type="hidden" name="interaction" value="{}">"#, Text(name))
        })
    }

    /// The query that carries the matter through a link.
    fn query(&self) -> String {
        self.interaction
            .as_deref()
            .map_or_else(String::new, |name| format!("?interaction={}", Text(name)))
    }
}

/// What somebody has entered so far to create an account.
#[derive(Debug, Default)]
pub(super) struct Registration<'a> {
    pub(super) name: &'a str,
    pub(super) email: &'a str,
    pub(super) email_verified: bool,
    /// What is wrong with it.
    pub(super) problem: Option<&'static str>,
}

impl Provider {
    /// The account of `person`, or the ways to one. `problem` is what is wrong with the new address they gave.
    pub(super) fn home_page(&self, language: Language, person: Option<&Person>, problem: Option<&str>) -> Response {
        let texts = Texts::of(language);
        let status = problem.map_or(StatusCode::OK, |_| StatusCode::BAD_REQUEST);
        let state = match person {
            Some(person) => format!(
                r#"<p>{signed_in_as} <strong>{name}</strong> ({email}).</p>
<form method="post" action="/sign-out"><button>{sign_out}</button></form>
<form method="post" action="/change-email">
{problem}<p class="field"><label for="email">{new_email}</label>
<input type="email" id="email" name="email" autocomplete="email" maxlength="254" required></p>
<p><button>{change_email}</button></p>
</form>
"#,
                signed_in_as = texts.signed_in_as,
                name = Text(&person.name),
                email = Text(person.email.reveal()),
                sign_out = texts.sign_out,
                problem = problem.map_or_else(String::new, |problem| format!("<p role=\"alert\">{problem}</p>\n")),
                new_email = texts.new_email,
                change_email = texts.change_email,
            ),
            None => format!("<p>{}</p>\n", texts.signed_out),
        };
        let main = format!(
            r#"{state}<p><a href="/sign-in">{sign_in}</a></p>
<p><a href="/create-account">{create_account}</a></p>
"#,
            sign_in = texts.sign_in,
            create_account = texts.create_account,
        );
        self.page(status, language, texts.home, &main)
    }

    pub(super) fn sign_in_page(&self, visit: &Visit, people: &[Person], current: Option<&str>) -> Response {
        let texts = visit.texts();
        let title = match visit.prompt {
            Prompt::SelectAccount => texts.choose_account,
            Prompt::Login => texts.sign_in_again,
            Prompt::Unspecified | Prompt::None | Prompt::Create => texts.sign_in,
        };
        let choice = |person: &Person| {
            let unverified = (!person.email_verified).then_some(texts.not_verified);
            let signed_in = (current == Some(&person.subject)).then_some(texts.is_signed_in);
            let remarks: Vec<&str> = [Some(person.email.reveal()), unverified, signed_in]
                .into_iter()
                .flatten()
                .collect();
            format!(
                r#"<li><button name="person" value="{subject}">{name} <small>{remarks}</small></button></li>
"#,
                subject = Text(&person.subject),
                name = Text(&person.name),
                remarks = Text(&remarks.join(" · ")),
            )
        };
        let main = format!(
            r#"<p class="note">{no_password}</p>
<form method="post" action="/sign-in">{interaction}
<ul class="people">
{choices}</ul>
<p><button name="decision" value="cancel">{cancel}</button></p>
</form>
<p><a href="/create-account{query}">{create_account}</a></p>
"#,
            no_password = texts.no_password,
            interaction = visit.field(),
            choices = people.iter().map(choice).collect::<Vec<_>>().concat(),
            cancel = texts.cancel,
            query = visit.query(),
            create_account = texts.create_account,
        );
        self.page(StatusCode::OK, visit.language, title, &main)
    }

    pub(super) fn create_account_page(&self, visit: &Visit, entered: &Registration<'_>) -> Response {
        let texts = visit.texts();
        let (status, problem) = match entered.problem {
            Some(problem) => (StatusCode::BAD_REQUEST, format!("<p role=\"alert\">{problem}</p>\n")),
            None => (StatusCode::OK, String::new()),
        };
        // Somebody who has not sent the form yet finds the usual case ticked.
        let is_checked = entered.email_verified || entered.problem.is_none();
        let main = format!(
            r#"{problem}<form method="post" action="/create-account">{interaction}
<p class="field"><label for="name">{name_label}</label>
<input type="text" id="name" name="name" value="{name}" autocomplete="name" maxlength="100" required></p>
<p class="field"><label for="email">{email_label}</label>
<input type="email" id="email" name="email" value="{email}" autocomplete="email" maxlength="254" required></p>
<p class="field"><label class="choice"><input type="checkbox" name="email_verified" value="true"{checked}>
{verified_label}</label></p>
<p><button class="strong">{create_account}</button></p>
</form>
<p><a href="/sign-in{query}">{sign_in}</a></p>
"#,
            interaction = visit.field(),
            name_label = texts.name,
            name = Text(entered.name),
            email_label = texts.email,
            email = Text(entered.email),
            checked = if is_checked { " checked" } else { "" },
            verified_label = texts.email_is_verified,
            create_account = texts.create_account,
            query = visit.query(),
            sign_in = texts.sign_in,
        );
        self.page(status, visit.language, texts.create_account, &main)
    }

    pub(super) fn failure_page(&self, failure: &Failure, language: Language) -> Response {
        let texts = Texts::of(language);
        let text = match failure {
            Failure::Malformed => texts.malformed,
            Failure::Foreign => texts.foreign,
            Failure::Over => texts.over,
            Failure::Internal => texts.internal,
        };
        self.page(failure.status(), language, texts.failed, &format!("<p>{text}</p>\n"))
    }

    /// For requests whose client cannot be told (RFC 6749 section 4.1.2.1).
    pub(super) fn refusal_page(&self, language: Language) -> Response {
        let texts = Texts::of(language);
        self.page(
            StatusCode::BAD_REQUEST,
            language,
            texts.failed,
            &format!("<p>{}</p>\n", texts.refused),
        )
    }

    fn page(&self, status: StatusCode, language: Language, title: &str, main: &str) -> Response {
        let page = Page {
            status,
            language,
            site: Texts::of(language).site,
            title,
            head: "",
            main,
            foot: "",
            // The answer to a form may lead back to the client.
            form_targets: origin_of(&self.client.redirect_uri),
        };
        page.respond()
    }
}
