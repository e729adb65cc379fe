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
    assert_eq!(
        said(false, since, Some("2020-03-10T00:00:00Z")).unwrap(),
        "Connecting is required from 1 April 2020."
    );
    assert_eq!(said(false, None, None), None);
    assert_eq!(said(false, None, until), None);
}

#[test]
fn success_is_told_only_when_the_status_agrees() {
    let told = |linked: bool, outcome| {
        english_status(&status_view(linked.then(link)), Some(outcome)).contains("sso-message-title\">")
    };
    assert!(told(true, "linked") && told(false, "unlinked"));
    assert!(!told(false, "linked") && !told(true, "unlinked"));
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
