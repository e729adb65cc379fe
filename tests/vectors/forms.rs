//! The form that starts a flow: its fields, its way back, and what it is wrapped in.

use bytes::Bytes;
use harness::{
    hostile_provider::Endpoints,
    hostile_world::{HostileWorld, Outcome, Verdict},
};

/// What comes of a body.
#[derive(Clone, Copy)]
enum Means {
    /// A flow; it ends at the settings page.
    Starts,
    /// `invalid_request`, on a page of our own.
    Refused,
}

use Means::{Refused, Starts};

type Row = (&'static str, &'static str, Means);

const ROWS: &[Row] = &[
    ("no field", "", Starts),
    (
        "every field",
        "intent=sign-in&account=any&replace=false&return_to=settings&locale=en",
        Starts,
    ),
    (
        "fields that nobody knows",
        "utm=1&utm=2&scope=offline_access&redirect_uri=https%3A%2F%2Fevil.example",
        Starts,
    ),
    (
        "what a caller would like to tell the provider",
        "prompt=none&max_age=0&acr_values=0&login_hint=alice&id_token_hint=e30",
        Starts,
    ),
    ("a field percent-encoded", "%72eturn_to=%73ettings", Starts),
    ("a language and its region", "locale=fr-CA", Starts),
    ("an account to choose", "account=choose", Starts),
    // return targets
    ("rd_01_another_site", "return_to=https%3A%2F%2Fevil.example%2F", Refused),
    (
        "rd_01_another_site_without_a_scheme",
        "return_to=%2F%2Fevil.example",
        Refused,
    ),
    (
        "rd_01_another_site_with_backslashes",
        "return_to=%5C%5Cevil.example",
        Refused,
    ),
    (
        "rd_01_another_site_with_one_backslash",
        "return_to=%2F%5Cevil.example",
        Refused,
    ),
    (
        "rd_01_another_site_behind_ours",
        "return_to=https%3A%2F%2Faccounts.localhost%40evil.example",
        Refused,
    ),
    (
        "rd_01_another_site_that_begins_like_ours",
        "return_to=https%3A%2F%2Faccounts.localhost.evil.example",
        Refused,
    ),
    ("rd_01_a_script", "return_to=javascript%3Aalert(1)", Refused),
    (
        "rd_01_a_document_in_the_address",
        "return_to=data%3Atext%2Fhtml%2C%3Cscript%3E",
        Refused,
    ),
    (
        "rd_01_another_site_with_a_tab_in_it",
        "return_to=%2F%09%2Fevil.example",
        Refused,
    ),
    (
        "rd_01_another_site_with_a_line_end_in_it",
        "return_to=%2F%0A%2Fevil.example",
        Refused,
    ),
    (
        "rd_02_a_path_that_joins_to_another_site",
        "return_to=%2F.%2F%2Fevil.example",
        Refused,
    ),
    (
        "rd_02_a_path_that_climbs_to_another_site",
        "return_to=%2Fa%2F..%2F%2Fevil.example",
        Refused,
    ),
    ("rd_02_a_path_of_ours", "return_to=%2Fuser", Refused),
    (
        "rd_02_an_address_of_ours",
        "return_to=http%3A%2F%2Faccounts.localhost%2Fuser",
        Refused,
    ),
    ("rd_03_no_target_in_the_field", "return_to=", Refused),
    ("rd_03_the_target_in_capitals", "return_to=SETTINGS", Refused),
    ("rd_03_the_target_with_a_blank", "return_to=settings+", Refused),
    ("rd_03_the_target_with_a_nul", "return_to=settings%00", Refused),
    ("rd_03_two_targets_in_one", "return_to=settings%2Conboarding", Refused),
    ("rd_03_the_target_with_a_query", "return_to=settings%3Fa%3Db", Refused),
    ("rd_03_the_target_with_a_fragment", "return_to=settings%23a", Refused),
    (
        "rd_03_a_target_that_is_not_configured_by_that_name",
        "return_to=sign-in",
        Refused,
    ),
    ("rd_03_a_target_that_is_no_text", "return_to=%FF", Refused),
    // other fields
    ("no intent in the field", "intent=", Refused),
    ("an intent in capitals", "intent=CREATE", Refused),
    ("an intent that nobody knows", "intent=delete", Refused),
    ("an account that nobody knows", "account=all", Refused),
    ("somebody's account", "account=acct%3A7QXW-2LMD%23A1", Refused),
    ("replace as a number", "replace=1", Refused),
    ("replace in capitals", "replace=TRUE", Refused),
    ("no replace in the field", "replace=", Refused),
    ("replace as a browser's checkbox", "replace=on", Refused),
    (
        "rd_06_a_header_in_the_language",
        "locale=fr%0D%0ASet-Cookie%3A+a%3Db",
        Refused,
    ),
    (
        "rd_06_a_line_end_in_the_target",
        "return_to=settings%0D%0ALocation%3A+https%3A%2F%2Fevil.example",
        Refused,
    ),
    (
        "rd_06_a_line_end_of_another_script_in_the_language",
        "locale=fr%E5%98%8A%E5%98%8D",
        Refused,
    ),
    (
        "a language longer than any",
        "locale=aaaaaaaa-aaaaaaaa-aaaaaaaa-aaaaaaaa-aaaaaaaa-aaaaaaaa-aaaaaaaa-aaaaaaaa-aaaaaaaa-aaaaaaaa",
        Refused,
    ),
    ("a language that is none", "locale=not+a+tag", Refused),
    (
        "another parameter in the language",
        "locale=fr%26prompt%3Dnone",
        Refused,
    ),
    // repeats
    (
        "pt_34_the_target_twice",
        "return_to=settings&return_to=settings",
        Refused,
    ),
    (
        "pt_34_the_target_twice_written_otherwise",
        "return_to=settings&return%5Fto=settings",
        Refused,
    ),
    ("pt_34_the_intent_twice", "intent=create&intent=sign-in", Refused),
    ("pt_34_the_account_twice", "account=any&account=choose", Refused),
    ("pt_34_replace_twice", "replace=false&replace=true", Refused),
    ("pt_34_the_language_twice", "locale=fr&locale=en", Refused),
];

const FORM: &str = "application/x-www-form-urlencoded";

/// What the body is wrapped in: a content type, a body, and what comes of it.
fn wrappings() -> Vec<(&'static str, &'static str, Bytes, Means)> {
    vec![
        (
            "a form of 4 KiB",
            FORM,
            format!("x={}", "y".repeat(4094)).into(),
            Starts,
        ),
        (
            "a form longer than 4 KiB",
            FORM,
            format!("x={}", "y".repeat(4095)).into(),
            Refused,
        ),
        (
            "a form with its characters named",
            "application/x-www-form-urlencoded; charset=utf-8",
            "account=any".into(),
            Starts,
        ),
        (
            "json in the place of a form",
            "application/json",
            r#"{"account":"any"}"#.into(),
            Refused,
        ),
        (
            "text in the place of a form",
            "text/plain",
            "account=any".into(),
            Refused,
        ),
        (
            "parts in the place of a form",
            "multipart/form-data; boundary=b",
            "--b--".into(),
            Refused,
        ),
        ("a type that is none", "form", "account=any".into(), Refused),
        (
            "bytes that are no text in a form",
            FORM,
            Bytes::from_static(b"x=\xFF\xFE"),
            Starts,
        ),
        ("a body of separators", FORM, "&&&&==&".into(), Starts),
    ]
}

#[tokio::test]
async fn a_field_has_one_of_its_values_and_the_way_back_is_an_id() {
    let onboarding = [("ONBOARDING_URL", "")]; // not configured
    let world = HostileWorld::start_with(Endpoints::Fixed, &onboarding, &[], &[]).await;
    let mut verdict = Verdict::default();
    let rows = ROWS
        .iter()
        .map(|(name, body, means)| (*name, FORM, Bytes::from(*body), *means));
    for (name, kind, body, means) in rows.chain(wrappings()) {
        let newcomer = world.newcomer();
        let (page, action) = (world.stack.at("/user"), world.stack.at("/sso/magento/start-link"));
        let started = newcomer
            .browser
            .posting_from(&page, &action, &[])
            .body(kind, body.clone())
            .send()
            .await;
        match means {
            Starts => {
                let request = started.location().unwrap_or_else(|| panic!("{name}: {started:?}"));
                let asked: Vec<_> = request.query_pairs().map(|(name, _)| name.into_owned()).collect();
                for never in ["max_age", "acr_values", "login_hint", "id_token_hint", "utm"] {
                    assert!(!asked.iter().any(|name| name == never), "{name}: {request}");
                }
                assert_eq!(
                    started.location_parameter("scope").as_deref(),
                    Some("openid email"),
                    "{name}"
                );
                let landed = started.follows().await.follows().await;
                let expected = world.stack.at("/user?sso=linked&provider=magento");
                assert_eq!(landed.header("location"), Some(&*expected), "{name}");
                verdict.row(
                    name,
                    &Outcome::after_redemption("linked"),
                    &world.outcome(&landed).await,
                );
            }
            Refused => {
                assert!(
                    started.header("location").is_none() && started.set_cookies().is_empty(),
                    "{name}: {started:?}"
                );
                assert!(!started.text().contains("evil.example"), "{name}: {started:?}");
                verdict.row(
                    name,
                    &Outcome::refused_at_once("invalid_request"),
                    &world.outcome(&started).await,
                );
            }
        }
    }
    verdict.is_clean(59);
}
