//! The accounts site's pages.

use account_linking::config::ProviderEntry;
use http::StatusCode;

use super::{
    AccountsSite, Destination,
    people::{ACCOUNTS, Account},
    texts::Texts,
};
use crate::site::{self, Language, Page, Parameters, Response, Text};

/// What `infra/settings-page/README.md` asks a page's head to hold.
const SECTION_HEAD: &str = r#"<link rel="stylesheet" href="/settings-page/section.css">
<script type="module" src="/settings-page/section.js"></script>
"#;

/// A file of the section, or none.
pub(super) fn asset(path: &str) -> Option<Response> {
    let (media_type, content) = match path.strip_prefix("/settings-page/")? {
        "section.css" => (
            "text/css; charset=utf-8",
            include_str!("../../../settings-page/section.css"),
        ),
        "section.js" => (
            "text/javascript; charset=utf-8",
            include_str!("../../../settings-page/section.js"),
        ),
        "texts/en.json" => ("application/json", include_str!("../../../settings-page/texts/en.json")),
        "texts/fr.json" => ("application/json", include_str!("../../../settings-page/texts/fr.json")),
        _ => return None,
    };
    Some(site::file(media_type, content))
}

/// The section of `provider`, whose forms return to `destination`, as `infra/settings-page/README.md` has it embedded: its
/// markup is that of Magento.com until the names are put in. What happened last reaches the page for browsers without
/// JavaScript by way of its link.
fn section(language: Language, provider: &ProviderEntry, destination: Destination, query: &Parameters) -> String {
    let markup = match language {
        Language::English => include_str!("../../../settings-page/section.html"),
        Language::French => include_str!("../../../settings-page/section.fr.html"),
    };
    let id = provider.id.as_str();
    let is_outcome = |outcome: &&str| outcome.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let outcome = query
        .find("sso")
        .filter(is_outcome)
        .filter(|_| query.find("provider") == Some(id));
    let field = |id: &str| format!(r#"name="return_to" value="{id}""#);
    let status = |query: &str| format!(r#"href="/sso/{id}/status{query}""#);
    markup
        .replace("magento", id)
        .replace("Magento.com", &Text(&provider.name).to_string())
        .replace(&field(Destination::Settings.id()), &field(destination.id()))
        .replace(
            &status(""),
            &status(&outcome.map_or_else(String::new, |outcome| format!("?sso={outcome}"))),
        )
}

impl AccountsSite {
    /// The settings page or the onboarding page, with the section.
    pub(super) fn section_page(
        &self,
        language: Language,
        destination: Destination,
        account: Option<&Account>,
        query: &Parameters,
    ) -> Response {
        let texts = Texts::of(language);
        let (title, introduction) = match destination {
            Destination::Settings => (texts.settings, String::new()),
            Destination::Onboarding => (texts.onboarding, format!("<p>{}</p>\n", texts.onboarding_introduction)),
        };
        let account = account.map_or_else(String::new, |account| {
            format!(
                r#"<form method="post" action="/sign-out">
<p>{signed_in_as} <strong>{name}</strong> ({email}). <button>{sign_out}</button></p>
</form>
"#,
                signed_in_as = texts.signed_in_as,
                name = Text(account.name),
                email = Text(account.email),
                sign_out = texts.sign_out,
            )
        });
        let sections = self
            .providers
            .iter()
            .map(|provider| section(language, provider, destination, query));
        let main = format!("{account}{introduction}{}", sections.collect::<Vec<_>>().concat());
        self.page(language, title, SECTION_HEAD, &main)
    }

    /// The accounts to sign in with; only `current`, when its user must prove themselves again.
    pub(super) fn sign_in_page(
        &self,
        language: Language,
        destination: Destination,
        current: Option<&Account>,
    ) -> Response {
        let texts = Texts::of(language);
        let choice = |account: &Account| {
            format!(
                r#"<li><button name="account" value="{id}">{name} <small>{email}</small></button></li>
"#,
                id = Text(account.id),
                name = Text(account.name),
                email = Text(account.email),
            )
        };
        let offered = ACCOUNTS
            .iter()
            .filter(|account| current.is_none_or(|current| current == *account));
        let (title, reason) = match current {
            Some(_) => (texts.sign_in_again, format!("<p>{}</p>\n", texts.why_again)),
            None => (texts.sign_in, String::new()),
        };
        let main = format!(
            r#"{reason}<p class="note">{no_password}</p>
<form method="post" action="/sign-in"><input type="hidden" name="return_to" value="{destination}">
<ul class="people">
{choices}</ul>
</form>
"#,
            no_password = texts.no_password,
            destination = destination.id(),
            choices = offered.map(choice).collect::<Vec<_>>().concat(),
        );
        self.page(language, title, "", &main)
    }

    /// Where somebody else signs people in.
    pub(super) fn foreign_sessions_page(&self, language: Language) -> Response {
        let texts = Texts::of(language);
        self.page(
            language,
            texts.sign_in,
            "",
            &format!("<p>{}</p>\n", texts.foreign_sessions),
        )
    }

    fn page(&self, language: Language, title: &str, head: &str, main: &str) -> Response {
        let form_targets: Vec<&str> = self
            .providers
            .iter()
            .flat_map(|provider| &provider.form_origins)
            .map(String::as_str)
            .collect();
        let page = Page {
            status: StatusCode::OK,
            language,
            site: Texts::of(language).site,
            title,
            head,
            main,
            form_targets: &form_targets.join(" "),
        };
        page.respond()
    }
}
