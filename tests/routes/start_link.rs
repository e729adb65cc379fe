//! `POST /sso/{provider}/start-link`.

use std::collections::BTreeMap;

use harness::browser::{Answer, Outgoing};

use crate::world::{World, as_script, assert_refused};

const START_LINK: &str = "/sso/magento/start-link";

type Fields = &'static [(&'static str, &'static str)];

fn start(page: &Answer, fields: &[(&str, &str)]) -> Outgoing {
    as_script(page.posting(START_LINK, fields))
}

/// The authorization request that `answer` redirects to, but for what is random.
fn authorization_request(answer: &Answer) -> BTreeMap<String, String> {
    let location = answer.location().unwrap_or_else(|| panic!("no flow: {answer:?}"));
    let mut request: BTreeMap<_, _> = location.query_pairs().into_owned().collect();
    assert_eq!(
        request.len(),
        location.query_pairs().count(),
        "something is there twice: {location}"
    );
    for secret in ["state", "nonce", "code_challenge"] {
        let value = request.remove(secret).unwrap_or_default();
        assert!(
            value.len() == 43
                && value
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
            "{secret}"
        );
    }
    request
}

#[tokio::test]
async fn the_authorization_request_asks_for_what_the_contract_says_and_no_more() {
    let world = World::start().await;
    let page = world.page().await;
    let answer = start(&page, &[]).send().await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let location = answer.location().unwrap();
    assert!(
        location.as_str().starts_with("http://magento.localhost:9/authorize?"),
        "{location}"
    );
    let redirect_uri = world.stack.at("/sso/magento/callback");
    let expected = [
        ("client_id", "accounts"),
        ("code_challenge_method", "S256"),
        ("redirect_uri", &redirect_uri),
        ("response_type", "code"),
        ("scope", "openid email"),
    ];
    let request = authorization_request(&answer);
    assert_eq!(
        request
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect::<Vec<_>>(),
        expected
    );
}

#[tokio::test]
async fn what_the_user_chose_goes_along_and_nothing_else() {
    let world = World::start().await;
    let page = world.page().await;
    let rows: [(Fields, Fields); 9] = [
        (
            &[
                ("intent", "sign-in"),
                ("account", "any"),
                ("replace", "false"),
                ("return_to", "settings"),
            ],
            &[],
        ),
        (&[("intent", "create")], &[("prompt", "create")]),
        (&[("account", "choose")], &[("prompt", "select_account")]),
        (&[("intent", "create"), ("account", "choose")], &[("prompt", "create")]),
        // A switch is about somebody else than who is signed in there.
        (&[("replace", "true")], &[("prompt", "select_account")]),
        (
            &[("replace", "true"), ("account", "any")],
            &[("prompt", "select_account")],
        ),
        (&[("locale", "fr-CA")], &[("ui_locales", "fr-CA")]),
        (&[("return_to", "onboarding")], &[]),
        (
            &[
                ("scope", "offline_access"),
                ("prompt", "none"),
                ("redirect_uri", "https://evil.example"),
                ("login_hint", "x"),
            ],
            &[],
        ),
    ];
    let plain = authorization_request(&start(&page, &[]).send().await);
    for (fields, added) in rows {
        let mut request = authorization_request(&start(&page, fields).send().await);
        for (name, value) in added {
            assert_eq!(request.remove(*name).as_deref(), Some(*value), "{fields:?}");
        }
        assert_eq!(request, plain, "{fields:?}");
    }
}

#[tokio::test]
async fn no_two_flows_share_a_secret() {
    let world = World::start().await;
    let page = world.page().await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let answer = start(&page, &[]).send().await;
        for name in ["state", "nonce", "code_challenge"] {
            assert!(
                seen.insert(answer.location_parameter(name).unwrap()),
                "{name} came before"
            );
        }
    }
}

#[tokio::test]
async fn a_value_that_means_nothing_is_refused() {
    let world = World::start().await;
    let page = world.page().await;
    for field in [
        ("intent", ""),
        ("intent", "Create"),
        ("intent", "create "),
        ("account", "all"),
        ("replace", "1"),
        ("replace", "TRUE"),
        ("return_to", ""),
        ("return_to", "https://evil.example/"),
        ("return_to", "//evil.example"),
        ("return_to", "settings\u{0}"),
        ("locale", "not a tag"),
        ("locale", "fr\r\nSet-Cookie: a=b"),
        ("locale", &"a-".repeat(200)),
    ] {
        let answer = start(&page, &[field]).send().await;
        assert_refused(&answer, "400 invalid_request");
        assert!(
            field.1.len() < 5 || !answer.text().contains(field.1),
            "echoed: {answer:?}"
        );
    }
    assert_eq!(
        page.browser().cookies_for(&world.stack.at("/")).len(),
        1,
        "the session, and no flow"
    );
}

#[tokio::test]
async fn a_field_that_comes_twice_is_refused() {
    let world = World::start().await;
    let page = world.page().await;
    for (name, value) in [
        ("intent", "create"),
        ("account", "choose"),
        ("replace", "false"),
        ("return_to", "settings"),
        ("locale", "fr"),
    ] {
        assert_refused(
            &start(&page, &[(name, value), (name, value)]).send().await,
            "400 invalid_request",
        );
    }
    let unknown = start(&page, &[("utm", "1"), ("utm", "2")]).send().await;
    assert_eq!(
        unknown.status, 303,
        "nobody minds fields that nobody knows: {unknown:?}"
    );
}

#[tokio::test]
async fn onboarding_is_a_place_to_return_to_only_where_it_exists() {
    let world = World::start().await;
    assert_eq!(
        start(&world.page().await, &[("return_to", "onboarding")])
            .send()
            .await
            .status,
        303
    );
}

#[tokio::test]
async fn only_our_own_page_starts_a_flow() {
    let world = World::start().await;
    let page = world.page().await;
    let here = world.stack.origin().to_owned();
    let refused: [(&str, Option<&str>, Option<&str>); 9] = [
        ("neither header", None, None),
        ("an opaque origin alone", None, Some("null")),
        ("another origin", None, Some("http://evil.localhost")),
        (
            "a sibling of the same site",
            Some("same-site"),
            Some("http://evil.accounts.localhost"),
        ),
        ("another site", Some("cross-site"), Some("http://evil.localhost")),
        ("another site that forges our origin", Some("cross-site"), Some(&here)),
        ("the address bar", Some("none"), None),
        (
            "our page according to one header only",
            Some("same-origin"),
            Some("http://evil.localhost"),
        ),
        ("a prefix of our origin", None, Some("http://accounts.localhost")),
    ];
    for (who, site, origin) in refused {
        let mut request = start(&page, &[]).without("sec-fetch-site").without("origin");
        if let Some(site) = site {
            request = request.header("sec-fetch-site", site);
        }
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let answer = request.send().await;
        assert_eq!(answer.problem(), "403 cross_origin_request", "{who}: {answer:?}");
    }
    let repeated = start(&page, &[]).another_header("origin", &here).send().await;
    assert_refused(&repeated, "403 cross_origin_request");

    for request in [
        start(&page, &[]).without("sec-fetch-site"),
        start(&page, &[]).without("origin"),
        start(&page, &[]).header("origin", "null"),
    ] {
        assert_eq!(request.send().await.status, 303);
    }
}

#[tokio::test]
async fn a_session_too_old_to_change_the_link_is_sent_to_prove_itself() {
    let world = World::start().await;
    let mut claims = world.claims();
    let an_hour_ago = claims["iat"].as_i64().unwrap() - 3600;
    claims["auth_time"] = (an_hour_ago - 30).into();
    let page = world.page_with(&world.sessions.sign(&claims)).await;
    assert_refused(&start(&page, &[]).send().await, "403 reauthentication_required");
    let navigated = page.posting(START_LINK, &[]).send().await;
    assert_eq!(
        navigated.header("location"),
        Some(&*world.stack.at("/sign-in?reauthenticate=1&return_to=settings"))
    );
    // It comes back to where it was.
    let onboarding = page.posting(START_LINK, &[("return_to", "onboarding")]).send().await;
    assert_eq!(
        onboarding.header("location"),
        Some(&*world.stack.at("/sign-in?reauthenticate=1&return_to=onboarding"))
    );

    claims["auth_time"] = (an_hour_ago + 30).into();
    let page = world.page_with(&world.sessions.sign(&claims)).await;
    assert_eq!(start(&page, &[]).send().await.status, 303);
}

#[tokio::test]
async fn how_old_is_too_old_is_configuration() {
    let world = World::start_with(&[("REAUTHENTICATE_AFTER_SECONDS", "30")]).await;
    assert_refused(
        &start(&world.page().await, &[]).send().await,
        "403 reauthentication_required",
    );
}

#[tokio::test]
async fn a_session_that_ends_before_a_flow_could_is_renewed_first() {
    let world = World::start().await;
    let mut claims = world.claims();
    for (left, expected) in [(660 - 30, None), (660 + 30, Some(303))] {
        claims["exp"] = (claims["iat"].as_i64().unwrap() + left).into();
        let answer = start(&world.page_with(&world.sessions.sign(&claims)).await, &[])
            .send()
            .await;
        match expected {
            Some(status) => assert_eq!(answer.status, status, "{left} s left: {answer:?}"),
            None => assert_refused(&answer, "401 session_required"),
        }
    }
}

#[tokio::test]
async fn it_calls_no_database() {
    let world = World::start().await;
    start(&world.page().await, &[]).send().await;
    assert_eq!(world.stack.database_proxy.operations(), Vec::<String>::new());
}
