//! The status page: the same facts, forms and texts as the settings section, without JavaScript.

use http::{Response, StatusCode};

use super::{
    super::{
        html::Html,
        texts::{Language, OutcomeText, fill},
        views::{LinkView, MaskedEmail, RequirementView, StatusView},
    },
    FormTargets, Writer, button, element, form, paragraph, respond,
};
use crate::identity::EmailAddress;

/// What the settings section would show. `outcome` is `sso=` as it came, `reference` what support finds its request by; `form_origins` are
/// where start-link redirects to.
#[must_use]
pub fn status(
    view: &StatusView,
    outcome: Option<&str>,
    reference: Option<&str>,
    language: Language,
    settings_url: &str,
    form_origins: &[String],
) -> Response<String> {
    let writer = Writer::new(language, &view.provider.name);
    let title = &language.texts().section.title;
    let mut contents = vec![element("h1", "", [Html::text(title)])];
    contents.extend(writer.message(outcome, reference, view.link.is_some()));
    let facts = writer.facts(view.link.as_ref(), view.requirement);
    contents.push(element(
        "div",
        "sso-content",
        facts.into_iter().chain(writer.actions(view)),
    ));
    respond(
        StatusCode::OK,
        language,
        title,
        contents,
        settings_url,
        FormTargets::Origins(form_origins),
    )
}

impl Writer<'_> {
    /// What happened, as a URL claims. Success is told only when `is_linked` agrees.
    fn message(&self, outcome: Option<&str>, reference: Option<&str>, is_linked: bool) -> Option<Html> {
        let outcome = outcome?;
        let linked_after = match outcome {
            "linked" | "switched" => Some(true),
            "unlinked" => Some(false),
            _ => None,
        };
        if linked_after.is_some_and(|linked_after| linked_after != is_linked) {
            return None;
        }
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
        let success = if linked_after.is_some() { "true" } else { "false" };
        Some(Html::element(
            "div",
            &[("class", "sso-message"), ("data-success", success)],
            children,
        ))
    }

    /// What is known: the provider, the status, the link, the requirement.
    fn facts(&self, link: Option<&LinkView>, requirement: RequirementView) -> Vec<Html> {
        let (texts, section) = (self.language.texts(), &self.language.texts().section);
        let mut facts = Vec::new();
        if link.is_none() {
            facts.push(paragraph("", &self.say(&section.introduction)));
        }
        facts.push(paragraph("", &self.say(&section.provider)));
        let (linked, status) = match link {
            Some(_) => ("true", &section.status_linked),
            None => ("false", &section.status_not_linked),
        };
        facts.push(Html::element(
            "p",
            &[("class", "sso-status"), ("data-linked", linked)],
            [Html::text(status)],
        ));
        if let Some(link) = link {
            if let Some(email) = &link.email {
                facts.push(paragraph(
                    "",
                    &self.say_with(&section.linked_account, "email", email.as_str()),
                ));
            }
            facts.push(paragraph(
                "",
                &self.say_with(&section.linked_at, "date", &texts.date(link.linked_at)),
            ));
        }
        let required = match requirement {
            RequirementView {
                exempt_until: Some(until),
                ..
            } => Some((&section.exempt_until, until)),
            RequirementView {
                since: Some(since),
                required: true,
                ..
            } => Some((&section.required_since, since)),
            RequirementView {
                since: Some(since),
                required: false,
                ..
            } => Some((&section.required_from, since)),
            RequirementView { since: None, .. } => None,
        };
        if let Some((text, date)) = required {
            let class = if link.is_some() { "sso-subdued" } else { "sso-note" };
            facts.push(paragraph(class, &self.say_with(text, "date", &texts.date(date))));
        }
        facts
    }

    /// What can be done about it.
    fn actions(&self, view: &StatusView) -> Vec<Html> {
        let section = &self.language.texts().section;
        if let Some(url) = &view.reauthenticate {
            let attributes = [("class", "sso-button sso-primary"), ("href", url.as_str())];
            let link = Html::element("a", &attributes, [Html::text(&section.reauthenticate_link)]);
            return vec![
                paragraph("sso-note", &section.reauthenticate),
                element("p", "sso-actions", [link]),
            ];
        }
        let start_link = view.actions.start_link.as_str();
        let locale = ("locale", self.language.tag());
        let Some(link) = &view.link else {
            let quiet = "sso-button sso-quiet";
            let buttons = [
                button("sso-button sso-primary", None, &self.say(&section.connect)),
                button(quiet, Some(("intent", "create")), &self.say(&section.create)),
                button(quiet, Some(("account", "choose")), &self.say(&section.choose)),
            ];
            return vec![form(start_link, &[locale], buttons)];
        };
        let switch = button("sso-button", None, &self.say(&section.switch));
        let switch = form(
            start_link,
            &[locale, ("replace", "true"), ("account", "choose")],
            [switch],
        );
        // Nothing is ended by one press: the details name both accounts and hold the form.
        let unknown = self.language.texts().confirm.email_unknown.as_str();
        let email = link.email.as_ref().map_or(unknown, MaskedEmail::as_str);
        let account = view.account.email.as_ref().map_or(unknown, EmailAddress::reveal);
        let values = [("provider", self.provider), ("email", email), ("account", account)];
        let disconnect = button("sso-button", None, &section.disconnect);
        let children = [
            element("summary", "", [Html::text(&section.disconnect)]),
            paragraph("", &fill(&section.disconnect_warning, &values)),
            form(&view.actions.unlink, &[], [disconnect]),
        ];
        vec![switch, element("details", "sso-disconnect", children)]
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            super::views::*,
            tests::{HARMLESS, HOSTILE, SETTINGS, email, instant, policy, style_source},
        },
        *,
    };
    use crate::identity::ProviderId;

    fn status_view(link: Option<LinkView>) -> StatusView {
        let id = ProviderId::parse("magento").unwrap();
        StatusView {
            actions: ActionsView::of(&id),
            provider: ProviderView {
                id,
                name: "Magento.com".to_owned(),
            },
            account: AccountView {
                email: Some(email("maria@cloud.example")),
            },
            link,
            requirement: RequirementView {
                required: false,
                since: Some(instant("2020-04-01T00:00:00Z")),
                exempt_until: None,
            },
            reauthenticate: None,
        }
    }

    fn link() -> LinkView {
        LinkView {
            linked_at: instant("2020-03-02T10:11:12Z"),
            email: Some(MaskedEmail::of(&email("maria@example.com"))),
        }
    }

    fn english_status(view: &StatusView, outcome: Option<&str>) -> String {
        status(view, outcome, None, Language::English, SETTINGS, &[]).into_body()
    }

    #[test]
    fn status_keeps_hostile_values_text() {
        let view = StatusView {
            provider: ProviderView {
                name: HOSTILE.to_owned(),
                ..status_view(None).provider
            },
            link: Some(LinkView {
                email: Some(MaskedEmail::of(&email(&format!("{HOSTILE}@{HOSTILE}")))),
                ..link()
            }),
            actions: ActionsView {
                start_link: HOSTILE.to_owned(),
                unlink: HOSTILE.to_owned(),
            },
            ..status_view(None)
        };
        let hostile_link = StatusView {
            reauthenticate: Some(HOSTILE.to_owned()),
            ..view.clone()
        };
        let pages = [
            (english_status(&view, Some(HOSTILE)), 8),
            (english_status(&hostile_link, Some("linked")), 5),
        ];
        for (page, occurrences) in pages {
            assert!(!page.contains("<script"), "{page}");
            assert_eq!(page.matches(HARMLESS).count(), occurrences, "{page}");
        }
    }

    #[test]
    fn the_policy_names_the_style_and_where_the_forms_lead_and_nothing_else() {
        let origins = [
            "https://id.magento.example".to_owned(),
            "https://login.magento.example".to_owned(),
        ];
        let rest = "base-uri 'none'; frame-ancestors 'none'";

        let response = status(&status_view(None), None, None, Language::English, SETTINGS, &origins);
        let style = style_source(response.body());
        assert_eq!(
            policy(&response),
            format!(
                "default-src 'none'; style-src {style}; form-action 'self' {} {}; {rest}",
                origins[0], origins[1]
            )
        );
        assert_eq!(response.headers()[http::header::REFERRER_POLICY], "same-origin");
    }

    #[test]
    fn an_origin_that_is_no_header_value_leaves_the_page_without_forms_rather_than_without_a_policy() {
        let response = status(
            &status_view(None),
            None,
            None,
            Language::English,
            SETTINGS,
            &["https://a\n".to_owned()],
        );
        assert_eq!(
            policy(&response),
            "default-src 'none'; frame-ancestors 'none'; form-action 'none'"
        );
    }

    #[test]
    fn an_account_that_is_not_linked_can_connect_in_three_ways() {
        let body = english_status(&status_view(None), None);
        for expected in [
            "<p>Provider: Magento.com</p>",
            ">Status: Not connected</p>",
            "Connecting is required from 1 April 2020.",
            r#"method="post" action="/sso/magento/start-link"><input type="hidden" name="locale" value="en">"#,
            r#"<button class="sso-button sso-primary">Connect with Magento.com</button>"#,
            r#"name="intent" value="create">I have no Magento.com account yet</button>"#,
            r#"name="account" value="choose">Use another Magento.com account</button>"#,
        ] {
            assert!(body.contains(expected), "{expected}");
        }
        assert!(!body.contains("replace") && !body.contains("Disconnect"));
    }

    #[test]
    fn a_linked_account_shows_its_link_and_can_switch_or_disconnect() {
        let body = english_status(&status_view(Some(link())), None);
        for expected in [
            ">Status: Connected</p>",
            "Magento.com account: m***@example.com",
            "Connected on 2 March 2020",
            r#"name="replace" value="true"><input type="hidden" name="account" value="choose">"#,
            "<p>Your Magento.com account (m***@example.com) will no longer open your cloud account (maria@cloud.example).",
            r#"action="/sso/magento/unlink"><button class="sso-button">Disconnect</button>"#,
        ] {
            assert!(body.contains(expected), "{expected}");
        }
        assert!(!body.contains("Connect with"));

        let without_email = LinkView { email: None, ..link() };
        let nameless = StatusView {
            account: AccountView { email: None },
            ..status_view(Some(without_email))
        };
        let body = english_status(&nameless, None);
        let unknown = "(e-mail address not known)";
        assert!(body.contains(&format!(
            "Your Magento.com account {unknown} will no longer open your cloud account {unknown}"
        )));
    }

    #[test]
    fn a_session_that_is_too_old_leads_to_the_sign_in_and_no_form() {
        let url = "https://accounts.example/sign-in?reauthenticate=1&return_to=settings";
        let body = english_status(
            &StatusView {
                reauthenticate: Some(url.to_owned()),
                ..status_view(None)
            },
            None,
        );
        assert!(body.contains(r#"href="https://accounts.example/sign-in?reauthenticate=1&amp;return_to=settings""#));
        assert!(!body.contains("<form"));
    }

    #[test]
    fn the_requirement_is_told_as_it_stands() {
        let said = |required, since: Option<&str>, exempt_until: Option<&str>| {
            let requirement = RequirementView {
                required,
                since: since.map(instant),
                exempt_until: exempt_until.map(instant),
            };
            let body = english_status(
                &StatusView {
                    requirement,
                    ..status_view(None)
                },
                None,
            );
            let note = body.split_once(r#"<p class="sso-note">"#)?.1;
            Some(note.split_once("</p>")?.0.to_owned())
        };
        let (since, until) = (Some("2020-04-01T00:00:00Z"), Some("2020-06-30T23:59:59Z"));
        assert_eq!(
            said(false, since, None).unwrap(),
            "Connecting is required from 1 April 2020."
        );
        assert_eq!(
            said(true, since, None).unwrap(),
            "Connecting has been required since 1 April 2020."
        );
        assert_eq!(
            said(false, since, until).unwrap(),
            "Your account is exempt from connecting until 30 June 2020."
        );
        assert_eq!(said(false, None, None), None);
    }

    #[test]
    fn success_is_told_only_when_the_status_agrees() {
        let told = |linked: bool, outcome| {
            english_status(&status_view(linked.then(link)), Some(outcome)).contains("sso-message-title\">")
        };
        assert!(told(true, "linked") && told(true, "switched") && told(false, "unlinked"));
        assert!(!told(false, "linked") && !told(false, "switched") && !told(true, "unlinked"));
        assert!(told(false, "cancelled") && told(true, "identity_in_use") && told(false, "whatever"));
    }

    #[test]
    fn a_refusal_shows_what_to_name_to_support() {
        let view = status_view(None);
        let body = status(
            &view,
            Some("identity_in_use"),
            Some("JKJaXmPLvHcESHA="),
            Language::English,
            SETTINGS,
            &[],
        );
        assert!(body.body().contains("Reference for support: JKJaXmPLvHcESHA="));
        assert!(!english_status(&view, Some("identity_in_use")).contains("Reference"));
    }

    #[test]
    fn what_waits_to_be_confirmed_is_one_link_away() {
        assert!(english_status(&status_view(None), Some("confirm")).contains(r#"<a href="confirm">"#));
        assert!(!english_status(&status_view(None), Some("cancelled")).contains(r#"<a href="confirm">"#));
    }
}
