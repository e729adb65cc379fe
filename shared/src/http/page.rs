//! The pages that the functions answer themselves: an error that has no better place, and status and confirm for browsers without
//! JavaScript. They carry no script, load nothing and look like the settings section, whose style they share.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY},
};
use ring::digest;

use super::{
    html::{Attribute, Html},
    problem::ErrorCode,
    texts::{Language, OutcomeText, fill},
};

mod confirm;
mod status;

pub use confirm::confirm;
pub use status::status;

const STYLE: &str = concat!(
    include_str!("../../../infra/settings-page/section.css"),
    include_str!("page.css")
);

/// For a page whose own policy is no header value.
const USELESS_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; form-action 'none'";

/// The one style sheet these pages may use (CSP Level 3, section 2.3.1).
static STYLE_SOURCE: LazyLock<String> = LazyLock::new(|| {
    let hash = digest::digest(&digest::SHA256, STYLE.as_bytes());
    format!("'sha256-{}'", STANDARD.encode(hash))
});

/// What `code` means and what the user can do now. `request_id` is what support finds the request by.
#[must_use]
pub fn error(code: ErrorCode, language: Language, settings_url: &str, request_id: &str) -> Response<String> {
    let texts = language.texts();
    // These two have a page of their own only where the same request may succeed later; elsewhere they lead to the settings page.
    let text = match code {
        ErrorCode::TemporarilyUnavailable | ErrorCode::InternalError => &texts.pages.reload,
        code => texts.code(code),
    };
    let reference = fill(&texts.section.request_id, &[("request_id", request_id)]);
    let contents = vec![
        element("h1", "", [Html::text(&text.title)]),
        element(
            "div",
            "sso-content",
            [paragraph("", &text.next_step), paragraph("sso-subdued", &reference)],
        ),
    ];
    respond(
        code.status(),
        language,
        &text.title,
        contents,
        settings_url,
        FormTargets::None,
    )
}

/// Where the forms of a page may lead, redirects included.
#[derive(Clone, Copy)]
enum FormTargets<'a> {
    None,
    /// Our own origin, and what these sources allow.
    Sources(&'a [String]),
}

fn respond(
    status: StatusCode,
    language: Language,
    title: &str,
    contents: Vec<Html>,
    settings_url: &str,
    form_targets: FormTargets<'_>,
) -> Response<String> {
    let head = vec![
        Html::void("meta", &[("charset", "utf-8")]),
        Html::void("meta", &[("name", "viewport"), ("content", "width=device-width")]),
        Html::void("meta", &[("name", "color-scheme"), ("content", "light dark")]),
        Html::element("title", &[], [Html::text(title)]),
        Html::style(STYLE),
    ];
    let back = Html::element(
        "a",
        &[("href", settings_url)],
        [Html::text(&language.texts().pages.back)],
    );
    // `data-ready`: there is nothing to wait for here.
    let section = Html::element("section", &[("class", "sso"), ("data-ready", "")], contents);
    let body = vec![Html::element("main", &[], [section, element("p", "", [back])])];

    // A form sent without a referrer has no Origin either (contract section 3).
    let (form_action, referrer_policy) = match form_targets {
        FormTargets::None => ("'none'".to_owned(), "no-referrer"),
        FormTargets::Sources(allowed) => {
            let sources = allowed
                .iter()
                .fold("'self'".to_owned(), |sources, source| sources + " " + source);
            (sources, "same-origin")
        }
    };
    let policy = format!(
        "default-src 'none'; style-src {}; form-action {form_action}; base-uri 'none'; frame-ancestors 'none'",
        *STYLE_SOURCE
    );
    let mut response = Response::new(Html::document(language.tag(), head, body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static(referrer_policy));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        // Origins are ASCII; should one not be, the page is useless rather than unprotected.
        HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static(USELESS_POLICY)),
    );
    response
}

/// Writes about one provider in one language.
struct Writer<'a> {
    language: Language,
    provider: &'a str,
}

impl<'a> Writer<'a> {
    const fn new(language: Language, provider: &'a str) -> Self {
        Self { language, provider }
    }

    /// `template` with the provider's name in it.
    fn say(&self, template: &str) -> String {
        fill(template, &[("provider", self.provider)])
    }

    fn say_with(&self, template: &str, name: &str, value: &str) -> String {
        fill(template, &[("provider", self.provider), (name, value)])
    }

    /// What happened, as a URL claims.
    fn message(&self, outcome: &str, reference: Option<&str>) -> Html {
        let OutcomeText { title, next_step } = self.language.texts().outcome(outcome);
        let mut children = vec![
            paragraph("sso-message-title", &self.say(title)),
            paragraph("", &self.say(next_step)),
        ];
        if outcome == "confirm" {
            let label = Html::text(&self.language.texts().section.show_confirm);
            children.push(element("p", "", [Html::element("a", &[("href", "confirm")], [label])]));
        }
        if let Some(reference) = reference {
            let template = &self.language.texts().section.request_id;
            children.push(paragraph("sso-subdued", &fill(template, &[("request_id", reference)])));
        }
        let success = if linked_after(outcome).is_some() {
            "true"
        } else {
            "false"
        };
        Html::element("div", &[("class", "sso-message"), ("data-success", success)], children)
    }
}

/// Whether the account is linked after `outcome`, which is a success; `None` of any other.
fn linked_after(outcome: &str) -> Option<bool> {
    match outcome {
        "linked" => Some(true),
        "unlinked" => Some(false),
        _ => None,
    }
}

fn element(tag: &'static str, class: &str, children: impl IntoIterator<Item = Html>) -> Html {
    let attributes = [("class", class)];
    Html::element(tag, if class.is_empty() { &[] } else { &attributes }, children)
}

fn paragraph(class: &str, text: &str) -> Html {
    element("p", class, [Html::text(text)])
}

fn form(action: &str, fields: &[Attribute<'_>], buttons: impl IntoIterator<Item = Html>) -> Html {
    let hidden = fields
        .iter()
        .map(|&(name, value)| Html::void("input", &[("type", "hidden"), ("name", name), ("value", value)]));
    let attributes = [("class", "sso-actions"), ("method", "post"), ("action", action)];
    Html::element("form", &attributes, hidden.chain(buttons))
}

fn button(class: &str, value: Option<Attribute<'_>>, label: &str) -> Html {
    let mut attributes = vec![("class", class)];
    if let Some((name, value)) = value {
        attributes.extend([("name", name), ("value", value)]);
    }
    Html::element("button", &attributes, [Html::text(label)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Timestamp, identity::EmailAddress};

    pub(super) const HOSTILE: &str = r#"<script>"'&"#;
    pub(super) const HARMLESS: &str = "&lt;script&gt;&quot;&#39;&amp;";
    pub(super) const SETTINGS: &str = "https://accounts.example/user";

    pub(super) fn instant(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    pub(super) fn email(text: &str) -> EmailAddress {
        EmailAddress::parse(text).unwrap()
    }

    pub(super) fn policy(response: &Response<String>) -> &str {
        response.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap()
    }

    /// The style a browser finds in `body`, as a source of a policy.
    pub(super) fn style_source(body: &str) -> String {
        let (_, rest) = body.split_once("<style>").unwrap();
        let (style, _) = rest.split_once("</style>").unwrap();
        format!(
            "'sha256-{}'",
            STANDARD.encode(digest::digest(&digest::SHA256, style.as_bytes()))
        )
    }

    #[test]
    fn an_error_has_its_status_its_text_the_way_back_and_the_request_id() {
        for language in [Language::English, Language::French] {
            for &code in ErrorCode::ALL {
                let response = error(code, language, SETTINGS, "8c1f0a7e");
                assert_eq!(response.status(), code.status());
                assert_eq!(response.headers()[REFERRER_POLICY], "no-referrer");
                let body = response.into_body();
                assert!(body.contains(&format!("<html lang=\"{}\">", language.tag())));
                assert!(
                    body.contains("8c1f0a7e") && body.contains(&format!("href=\"{SETTINGS}\"")),
                    "{code}"
                );
                assert_eq!(
                    body.matches('{').count(),
                    STYLE.matches('{').count(),
                    "a placeholder is left: {code}"
                );
            }
        }
        let body = error(ErrorCode::CrossOriginRequest, Language::English, SETTINGS, "id").into_body();
        assert!(body.contains("<h1>This request did not come from your account settings</h1>"));
    }

    #[test]
    fn an_error_keeps_hostile_values_text() {
        let page = error(ErrorCode::FlowUnknown, Language::English, HOSTILE, HOSTILE).into_body();
        assert!(!page.contains("<script"));
        assert_eq!(page.matches(HARMLESS).count(), 2);
    }

    #[test]
    fn an_error_has_no_forms_and_its_style_is_the_only_one_allowed() {
        let response = error(ErrorCode::InvalidRequest, Language::English, SETTINGS, "id");
        let style = style_source(response.body());
        assert_eq!(
            policy(&response),
            format!(
                "default-src 'none'; style-src {style}; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
            )
        );
    }

    #[test]
    fn a_failure_that_a_reload_may_mend_asks_for_one() {
        for code in [ErrorCode::TemporarilyUnavailable, ErrorCode::InternalError] {
            assert!(
                error(code, Language::English, SETTINGS, "id")
                    .into_body()
                    .contains("reload this page")
            );
        }
    }
}
