//! What every function refuses.

use harness::browser::{Answer, Outgoing};
use http::Method;

use crate::world::{ROUTES, World, as_script, assert_refused, assert_refused_by_page, assert_sent_to};

/// What a script on `page` sends when it calls `path` by `method`.
fn calling(page: &Answer, method: &Method, path: &str) -> Outgoing {
    page.fetching(method.clone(), path, "application/json")
}

#[tokio::test]
async fn a_provider_that_nobody_configured_is_unknown() {
    let world = World::start().await;
    let page = world.page().await;
    for (method, path) in ROUTES {
        for provider in [
            "nobody",
            "Magento",
            "magento%00",
            "m%61gento",
            "a%2Fb",
            &"a".repeat(300),
        ] {
            let answer = calling(&page, &method, &format!("/sso/{provider}{path}")).send().await;
            if path == "/callback" || (path, &method) == ("/confirm", &Method::POST) {
                assert_refused_by_page(&answer, 404);
            } else {
                assert_refused(&answer, "404 unknown_provider");
            }
        }
    }
    world.nothing_is_written().await;
}

#[tokio::test]
async fn a_path_or_method_without_a_route_never_reaches_a_function() {
    let world = World::start().await;
    let page = world.page().await;
    let wrong = [
        (Method::GET, "/sso/magento/start-link"),
        (Method::HEAD, "/sso/magento/start-link"),
        (Method::POST, "/sso/magento/callback"),
        (Method::POST, "/sso/magento/status"),
        (Method::PUT, "/sso/magento/confirm"),
        (Method::DELETE, "/sso/magento/confirm"),
        (Method::OPTIONS, "/sso/magento/start-link"),
        (Method::GET, "/sso/magento"),
        (Method::GET, "/sso/magento/status/"),
        (Method::GET, "/sso//status"),
        (Method::GET, "/sso/magento//status"),
        (Method::GET, "/sso/magento/status/more"),
        (Method::GET, "/sso/magento/STATUS"),
    ];
    for (method, path) in wrong {
        let answer = calling(&page, &method, path).send().await;
        assert_eq!(answer.status, 404, "{method} {path} {answer:?}");
        if method != Method::HEAD {
            assert_no_route(&answer);
        }
    }
    world.nothing_is_written().await;
}

/// What API Gateway answers when it has no route.
#[track_caller]
fn assert_no_route(answer: &Answer) {
    assert_eq!(
        (answer.status.as_u16(), answer.text()),
        (404, r#"{"message":"Not Found"}"#),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_query_is_at_most_8_kib() {
    let world = World::start().await;
    let page = world.page().await;
    for (method, path) in ROUTES {
        let long = format!("/sso/magento{path}?x={}", "y".repeat(8 * 1024 - 1));
        let answer = calling(&page, &method, &long).send().await;
        assert_eq!(answer.status, 400, "{method} {path} {answer:?}");
    }
    let just_right = format!("/sso/magento/status?x={}", "y".repeat(8 * 1024 - 2));
    assert_eq!(calling(&page, &Method::GET, &just_right).send().await.status, 200);
    world.nothing_is_written().await;
}

#[tokio::test]
async fn a_body_is_at_most_4_kib() {
    let world = World::start().await;
    let page = world.page().await;
    let form = |len: usize| format!("x={}", "y".repeat(len - 2));
    for (method, path) in ROUTES.into_iter().filter(|route| route.0 == Method::POST) {
        let path = format!("/sso/magento{path}");
        let post = |body: String| as_script(page.posting(&path, &[])).body("application/x-www-form-urlencoded", body);
        let answer = post(form(4 * 1024 + 1)).send().await;
        assert_eq!(answer.status, 400, "{method} {path} {answer:?}");
        let answer = post(form(4 * 1024)).send().await;
        assert_ne!(answer.outcome().as_deref(), Some("invalid_request"), "{answer:?}");
    }
    world.nothing_is_written().await;
}

#[tokio::test]
async fn a_body_that_is_no_form_is_refused() {
    let world = World::start().await;
    let page = world.page().await;
    for (content_type, body) in [
        ("application/json", "{}"),
        ("text/plain", "intent=sign-in"),
        ("multipart/form-data; boundary=x", "--x--"),
        ("", "intent=sign-in"),
    ] {
        let post = page.posting("/sso/magento/start-link", &[]);
        let answer = as_script(post).body(content_type, body).send().await;
        assert_refused(&answer, "400 invalid_request");
    }
    world.nothing_is_written().await;
}

#[tokio::test]
async fn a_cookie_of_ours_that_comes_twice_is_refused() {
    let world = World::start().await;
    let page = world.page().await;
    let session = world.sessions.sign(&world.claims());
    let session = format!("__Host-accounts-session={session}");
    for cookies in [
        format!("{session}; {session}"),
        format!("{session}; __Host-sso-pending=a; __Host-sso-pending=b"),
        format!("{session}; __Host-sso-flow-AAAAAAAA=a; __Host-sso-flow-AAAAAAAA=a"),
    ] {
        for (method, path) in ROUTES {
            let call = calling(&page, &method, &format!("/sso/magento{path}")).header("cookie", &cookies);
            let answer = call.send().await;
            assert_eq!(answer.status, 400, "{method} {path} {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_cookie_whose_name_only_resembles_ours_is_nobodys() {
    let world = World::start().await;
    let page = world.anonymous_page().await;
    let session = world.sessions.sign(&world.claims());
    for name in [
        "__Host%2Daccounts-session",
        "__host-accounts-session",
        "\u{a0}__Host-accounts-session",
        "__Host-accounts-session ",
    ] {
        let call = calling(&page, &Method::GET, "/sso/magento/status").header("cookie", &format!("{name}={session}"));
        assert_refused(&call.send().await, "401 session_required");
    }
}

#[tokio::test]
async fn a_browser_that_navigates_is_led_on_instead() {
    let world = World::start().await;
    let (page, nobody) = (world.page().await, world.anonymous_page().await);
    let start_link = |page: &Answer, fields: &[(&str, &str)]| page.posting("/sso/magento/start-link", fields);

    let answer = start_link(&nobody, &[]).send().await;
    assert_sent_to(&answer, &world.stack.at("/sign-in?return_to=settings"));
    let answer = start_link(&nobody, &[("return_to", "onboarding")]).send().await;
    assert_sent_to(&answer, &world.stack.at("/sign-in?return_to=onboarding"));
    assert_refused_by_page(&start_link(&page, &[("intent", "x")]).send().await, 400);
    assert_refused_by_page(
        &start_link(&page, &[])
            .header("sec-fetch-site", "same-site")
            .send()
            .await,
        403,
    );
    assert_refused_by_page(&page.posting("/sso/nobody/start-link", &[]).send().await, 404);
    let answer = page.browser().types(&world.stack.at("/sso/magento/confirm")).await;
    assert_sent_to(
        &answer,
        &world.stack.at("/user?sso=nothing_to_confirm&provider=magento"),
    );
}

#[tokio::test]
async fn a_page_of_refusal_speaks_the_language_of_the_browser() {
    let world = World::start().await;
    let refused = |languages: &'static str| {
        let browser = world.stack.browser();
        let url = world.stack.at("/sso/magento/callback");
        async move {
            browser
                .typing(&url)
                .header("accept-language", languages)
                .send()
                .await
                .page()
        }
    };
    let (english, french) = (refused("de,en;q=0.5").await, refused("fr-CH,fr;q=0.9,en;q=0.8").await);
    assert_eq!((english.language.as_str(), french.language.as_str()), ("en", "fr"));
    assert_ne!(english.text, french.text);
}

#[tokio::test]
async fn no_answer_allows_another_origin_to_read_it() {
    let world = World::start().await;
    let page = world.page().await;
    for (method, path) in ROUTES {
        let call = calling(&page, &method, &format!("/sso/magento{path}")).header("origin", "http://evil.localhost");
        let answer = call.send().await;
        let cors: Vec<_> = answer
            .headers
            .keys()
            .filter(|name| name.as_str().starts_with("access-control-"))
            .collect();
        assert!(cors.is_empty(), "{method} {path}: {cors:?}");
    }
}
