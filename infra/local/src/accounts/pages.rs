//! The accounts site's pages.

use account_linking::{
    clock::{Clock, Timestamp},
    config::ProviderEntry,
    http::{
        request,
        texts::{fill, time_of_day},
    },
    link::Actor,
    requirement::LinkingRequired,
    table::HistoryEntry,
};
use http::StatusCode;

use super::{
    AccountsSite, Destination, clock,
    people::{ACCOUNTS, Account},
    sessions::SignedIn,
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
    let reference = query.find("request_id").and_then(request::id_in_url);
    let told = outcome.map_or_else(String::new, |outcome| {
        let reference = reference.map_or_else(String::new, |reference| format!("&amp;request_id={reference}"));
        format!("?sso={outcome}{reference}")
    });
    let field = |id: &str| format!(r#"name="return_to" value="{id}""#);
    let status = |query: &str| format!(r#"href="/sso/{id}/status{query}""#);
    markup
        .replace("magento", id)
        .replace("Magento.com", &Text(&provider.name).to_string())
        .replace(&field(Destination::Settings.id()), &field(destination.id()))
        .replace(&status(""), &status(&told))
}

/// What a link-only session is told.
pub(super) enum Notice<'a> {
    /// That there is nothing else to do here.
    LinkFirst,
    /// That it is done, and that one of these providers is the way in now.
    SignInWith(Vec<&'a ProviderEntry>),
}

/// An instant for people, to the minute: `1 April 2020, 00:00 UTC`.
fn instant(language: Language, at: Timestamp) -> String {
    let (date, time) = (language.texts().date(at), time_of_day(at));
    format!(r#"<time datetime="{at}">{date}, {time}</time>"#)
}

/// A form with a button for each of `providers`.
fn sign_in_with<'a>(
    language: Language,
    providers: impl IntoIterator<Item = &'a ProviderEntry>,
    destination: Destination,
) -> String {
    let button = |provider: &ProviderEntry| {
        format!(
            r#"<p><button class="strong" name="provider" value="{id}">{label}</button></p>
"#,
            id = provider.id,
            label = Text(&fill(Texts::of(language).sign_in_with, &[("provider", &provider.name)])),
        )
    };
    format!(
        r#"<form method="post" action="/sign-in/start"><input type="hidden" name="return_to" value="{destination}">
{buttons}</form>
"#,
        destination = destination.id(),
        buttons = providers.into_iter().map(button).collect::<Vec<_>>().concat(),
    )
}

/// A form with a button for each of `choices`, a value and a label.
fn clock_form<'a>(name: &str, choices: impl Iterator<Item = (i64, &'a str)>) -> String {
    let button = |(value, label)| format!(r#"<button name="{name}" value="{value}">{label}</button> "#);
    format!(
        r#"<form method="post" action="{path}" class="choices">{buttons}</form>
"#,
        path = clock::PATH,
        buttons = choices.map(button).collect::<Vec<_>>().concat(),
    )
}

impl AccountsSite {
    /// The settings page or the onboarding page, with the section.
    pub(super) fn section_page(
        &self,
        language: Language,
        destination: Destination,
        signed_in: Option<&SignedIn>,
        notice: Option<&Notice<'_>>,
        query: &Parameters,
    ) -> Response {
        let texts = Texts::of(language);
        let (path, title, introduction) = match destination {
            Destination::Settings => ("/user", texts.settings, String::new()),
            Destination::Onboarding => {
                let introduction = format!("<p>{}</p>\n", texts.onboarding_introduction);
                ("/onboarding", texts.onboarding, introduction)
            }
        };
        let account = signed_in.map_or_else(String::new, |signed_in| account_bar(language, signed_in, path));
        let notice = match notice {
            None => String::new(),
            Some(Notice::LinkFirst) => format!(r#"<p class="message">{}</p>"#, texts.link_first),
            Some(Notice::SignInWith(providers)) => format!(
                r#"<div class="message"><p>{linked_now}</p>
{form}</div>
"#,
                linked_now = texts.linked_now,
                form = sign_in_with(language, providers.iter().copied(), destination),
            ),
        };
        let sections = self
            .providers
            .iter()
            .map(|provider| section(language, provider, destination, query));
        let sections = sections.collect::<Vec<_>>().concat();
        let main = format!("{account}{notice}{introduction}{sections}");
        self.page(StatusCode::OK, language, title, SECTION_HEAD, &main)
    }

    /// The ways to sign in; by e-mail only as `current`, when its user must prove themselves again. `query` may tell why this page is shown.
    pub(super) fn sign_in_page(
        &self,
        language: Language,
        destination: Destination,
        current: Option<&Account>,
        query: &Parameters,
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
            r#"{message}{reason}{with_providers}<p class="note">{for_connected_accounts}</p>
<h2>{by_email}</h2>
<p class="note">{no_password}</p>
<form method="post" action="/sign-in"><input type="hidden" name="return_to" value="{destination}">
<ul class="people">
{choices}</ul>
</form>
"#,
            message = self.message(language, query),
            with_providers = sign_in_with(language, &self.providers, destination),
            for_connected_accounts = texts.for_connected_accounts,
            by_email = texts.sign_in_by_email,
            no_password = texts.no_password,
            destination = destination.id(),
            choices = offered.map(choice).collect::<Vec<_>>().concat(),
        );
        self.page(StatusCode::OK, language, title, "", &main)
    }

    /// Why a sign-in came to nothing, and what to do now, when the address tells: any outcome may stand there.
    fn message(&self, language: Language, query: &Parameters) -> String {
        let Some(outcome) = query.find("sso") else {
            return String::new();
        };
        let told = language.texts().outcome(outcome);
        let named = |provider: &&ProviderEntry| query.find("provider") == Some(provider.id.as_str());
        let provider = self.providers.iter().find(named).map_or("", |provider| &provider.name);
        let say = |template| fill(template, &[("provider", provider)]);
        let reference = query.find("request_id").and_then(request::id_in_url);
        let reference = reference.map_or_else(String::new, |id| {
            let text = fill(&language.texts().section.request_id, &[("request_id", id)]);
            format!(r#"<p class="note">{}</p>"#, Text(&text))
        });
        format!(
            r#"<div class="message"><p><strong>{title}</strong></p>
<p>{next_step}</p>
{reference}</div>
"#,
            title = Text(&say(&told.title)),
            next_step = Text(&say(&told.next_step)),
        )
    }

    /// For whoever chose e-mail where it is refused: what is left, and it works.
    pub(super) fn refused_page(
        &self,
        language: Language,
        destination: Destination,
        account: &Account,
        refusing: &[&ProviderEntry],
    ) -> Response {
        let texts = Texts::of(language);
        let names: Vec<_> = refusing.iter().map(|provider| provider.name.as_str()).collect();
        let title = fill(texts.refused_title, &[("provider", &names.join(", "))]);
        let main = format!(
            r#"<p>{refused}</p>
<p>{next_step}</p>
{form}<p><a href="/sign-in?return_to={destination}">{back}</a></p>
"#,
            refused = Text(&fill(texts.refused, &[("email", account.email)])),
            next_step = texts.refused_next_step,
            form = sign_in_with(language, refusing.iter().copied(), destination),
            destination = destination.id(),
            back = texts.other_ways,
        );
        self.page(StatusCode::FORBIDDEN, language, &title, "", &main)
    }

    /// What happened to the account of `signed_in`.
    pub(super) fn history_page(&self, language: Language, signed_in: &SignedIn, history: &[HistoryEntry]) -> Response {
        let texts = Texts::of(language);
        let line = |entry: &HistoryEntry| {
            let named = |provider: &&ProviderEntry| entry.provider == provider.id.as_str();
            let provider = self.providers.iter().find(named);
            let provider = provider.map_or(entry.provider.as_str(), |provider| provider.name.as_str());
            let until = entry.until.map(|until| language.texts().date(until));
            let values = [("provider", provider), ("date", until.as_deref().unwrap_or_default())];
            let who = match &entry.actor {
                Actor::Iam(_) => texts.by_support,
                actor if signed_in.is(actor) => texts.in_this_session,
                Actor::Session(_) => texts.in_another_session,
            };
            format!(
                "<li><strong>{what}</strong><br><small>{when} · {who}</small></li>\n",
                what = Text(&fill(texts.event(entry.kind), &values)),
                when = instant(language, entry.at),
            )
        };
        let list = if history.is_empty() {
            format!("<p>{}</p>\n", texts.nothing_happened)
        } else {
            let lines: Vec<_> = history.iter().map(line).collect();
            format!("<ol class=\"events\">\n{}</ol>\n", lines.concat())
        };
        let main = format!(
            r#"{account}<p class="note">{note}</p>
{list}"#,
            account = account_bar(language, signed_in, "/user/history"),
            note = texts.history_note,
        );
        self.page(StatusCode::OK, language, texts.history, "", &main)
    }

    /// The stack's clock, and the ways to move it.
    pub(super) fn clock_page(&self, language: Language) -> Response {
        let texts = Texts::of(language);
        let time = fill(texts.time_here, &[("time", &instant(language, self.clock.now()))]);
        let by_date = match self.linking_required {
            LinkingRequired::Never => format!("<p>{}</p>\n", texts.no_date),
            LinkingRequired::From(date) => format!(
                "<h2>{}</h2>\n{}",
                fill(texts.date, &[("date", &instant(language, date))]),
                clock_form("from_date", clock::DISTANCES.into_iter().zip(texts.distances)),
            ),
        };
        let other_clock = if self.provider_follows {
            String::new()
        } else {
            format!("<p class=\"note\">{}</p>\n", texts.other_clock)
        };
        let main = format!(
            r#"<p class="message">{tool}. {time}</p>
{by_date}<h2>{steps_title}</h2>
{steps}{machine}<p class="note">{note}</p>
{other_clock}<p><a href="{settings}">{back}</a></p>
"#,
            tool = texts.development_tool,
            steps_title = texts.steps_title,
            steps = clock_form("step", clock::STEPS.into_iter().zip(texts.steps)),
            machine = clock_form("machine", [(0, texts.machine_time)].into_iter()),
            note = texts.clock_note,
            settings = Text(&self.settings_url),
            back = texts.back_to_settings,
        );
        self.page(StatusCode::OK, language, texts.clock, "", &main)
    }

    /// Where somebody else signs people in.
    pub(super) fn foreign_sessions_page(&self, language: Language) -> Response {
        let texts = Texts::of(language);
        self.page(
            StatusCode::OK,
            language,
            texts.sign_in,
            "",
            &format!("<p>{}</p>\n", texts.foreign_sessions),
        )
    }

    fn page(&self, status: StatusCode, language: Language, title: &str, head: &str, main: &str) -> Response {
        let texts = Texts::of(language);
        let form_targets: Vec<&str> = self
            .providers
            .iter()
            .flat_map(|provider| &provider.form_sources)
            .map(String::as_str)
            .collect();
        let foot = format!(
            r#"<footer><p>{tool}. {time} <a href="{path}">{move_clock}</a></p></footer>
"#,
            tool = texts.development_tool,
            time = fill(texts.time_here, &[("time", &instant(language, self.clock.now()))]),
            path = clock::PATH,
            move_clock = texts.move_clock,
        );
        let page = Page {
            status,
            language,
            site: texts.site,
            title,
            head,
            main,
            foot: &foot,
            form_targets: &form_targets.join(" "),
        };
        page.respond()
    }
}

/// Who is signed in, the way out, and, for a session that is good for them, the pages of the account; `here` is the one that is shown.
fn account_bar(language: Language, signed_in: &SignedIn, here: &str) -> String {
    let texts = Texts::of(language);
    let link = |(path, label): (&str, &str)| {
        let current = if path == here { r#" aria-current="page""# } else { "" };
        format!(r#"<a href="{path}"{current}>{label}</a> "#)
    };
    let pages = [("/user", texts.settings), ("/user/history", texts.history)];
    let pages = if signed_in.link_only {
        String::new()
    } else {
        format!(
            "<nav aria-label=\"{label}\">{links}</nav>\n",
            label = texts.pages,
            links = pages.map(link).concat(),
        )
    };
    format!(
        r#"<form method="post" action="/sign-out">
<p>{signed_in_as} <strong>{name}</strong> ({email}). <button>{sign_out}</button></p>
</form>
{pages}"#,
        signed_in_as = texts.signed_in_as,
        name = Text(signed_in.account.name),
        email = Text(signed_in.account.email),
        sign_out = texts.sign_out,
    )
}
