//! Where answers lead, and what they leave behind on the way.

use harness::{magento::Person, stack::CONNECT};
use http::Method;

use crate::scene::{
    FLOW, START_LINK, UNLINK, about_to_come_back, callback_url, confirms, cookies, nothing_happened, shown, stack,
    tampered,
};

#[tokio::test]
async fn rd_04_host_header_poisoning() {
    let stack = stack().await;
    let settings = stack.signed_in(Person::Alice).await;
    let mut request = settings.posting(START_LINK, &[]);
    for name in [
        "x-forwarded-host",
        "x-host",
        "x-forwarded-server",
        "x-original-host",
        "x-http-host-override",
    ] {
        request = request.header(name, "evil.example");
    }
    let request = request
        .header("forwarded", "host=evil.example;proto=https")
        .header("x-forwarded-proto", "https")
        .header("x-original-url", "https://evil.example/");

    let page = request.send().await.followed().await;
    let back = stack.magento.signs_in(&page, Person::Alice).await;

    assert!(
        callback_url(&back).starts_with(&stack.at("/sso/magento/callback?")),
        "{back:?}"
    );
    let landed = back
        .redirected()
        .header("x-forwarded-host", "evil.example")
        .send()
        .await;
    assert_eq!(
        landed.location().unwrap().as_str(),
        stack.at("/user?sso=linked&provider=magento")
    );
}

#[tokio::test]
async fn rd_05_other_spellings_of_the_callback() {
    let stack = stack().await;
    let settings = stack.signed_in(Person::Alice).await;
    let back = about_to_come_back(&stack, &settings, Person::Alice).await;
    let url = callback_url(&back);
    for path in [
        "/sso/magento/callback/",
        "/sso//magento/callback",
        "//sso/magento/callback",
        "/sso/magento/Callback",
        "/SSO/magento/callback",
        "/sso/magento/%63allback",
        "/sso/magento%2Fcallback",
        "/sso/magento/callback;a=b",
        "/sso/magento/callback.html",
        "/sso/magento/x/callback",
        "/sso/Magento/callback",
        "/sso/magento%00/callback",
    ] {
        let url = url.replace("/sso/magento/callback", path);
        let answer = settings.browser().types(&url).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
    for method in [Method::POST, Method::HEAD, Method::PUT, Method::OPTIONS] {
        let answer = settings.browser().typing(&url).method(method).send().await;
        assert!(answer.status.is_client_error(), "{answer:?}");
    }
    nothing_happened(&stack).await;
    assert_eq!(back.follows().await.outcome().as_deref(), Some("linked"));
}

#[tokio::test]
async fn rd_07_a_redirect_that_would_post_the_form_on() {
    let stack = stack().await;
    let settings = stack.signed_in(Person::Bruno).await;
    let started = settings.posting(START_LINK, &[("secret", "of the form")]).send().await;
    let asked = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;
    let confirmed = confirms(&asked, &shown(&asked).await).await;
    let unlinked = asked.posting(UNLINK, &[]).send().await;

    assert_eq!(
        [&started, &confirmed, &unlinked].map(|answer| answer.status.as_u16()),
        [303; 3]
    );
    let redirected = started.follows().await;
    assert_ne!(redirected.status, 405, "{redirected:?}");
    let exchanges = stack.transcript.exchanges();
    let to_the_provider = exchanges
        .iter()
        .filter(|exchange| exchange.url.host_str() == Some("magento.localhost"));
    for exchange in to_the_provider {
        let body = String::from_utf8_lossy(&exchange.request_body).into_owned();
        assert!(!body.contains("secret"), "{exchange:?}");
    }
}

#[tokio::test]
async fn rd_09_code_and_state_in_referers_addresses_and_pages() {
    let stack = stack().await;
    let settings = stack.signed_in(Person::Alice).await;
    let back = about_to_come_back(&stack, &settings, Person::Alice).await;
    let (code, state) = (
        back.location_parameter("code").unwrap(),
        back.location_parameter("state").unwrap(),
    );

    let landed = back.follows().await.followed().await;
    landed.link("Show the status").send().await;
    let replayed = back.follows().await;

    let exchanges = stack.transcript.exchanges();
    let position = exchanges
        .iter()
        .position(|exchange| exchange.url.path() == "/sso/magento/callback")
        .unwrap();
    for exchange in &exchanges[position..] {
        let body = String::from_utf8_lossy(&exchange.body).into_owned();
        let referer = exchange
            .request_headers
            .get("referer")
            .map(|value| value.to_str().unwrap_or_default());
        let location = exchange
            .headers
            .get("location")
            .map(|value| value.to_str().unwrap_or_default());
        for text in [Some(&*body), referer, location].into_iter().flatten() {
            assert!(
                !text.contains(&code) && !text.contains(&state),
                "{} tells {text}",
                exchange.url
            );
        }
    }
    assert_eq!(landed.url().as_str(), stack.at("/user?sso=linked&provider=magento"));
    let page = replayed.text();
    assert!(!page.contains("<script") && !page.contains("http-equiv"), "{page}");
    assert!(!page.contains("src="), "no third party learns the address: {page}");
}

#[tokio::test]
async fn rd_10_a_broken_state_leaves_a_live_code_nowhere() {
    let stack = stack().await;
    let settings = stack.signed_in(Person::Alice).await;
    let back = about_to_come_back(&stack, &settings, Person::Alice).await;
    let code = back.location_parameter("code").unwrap();
    let broken = tampered(&callback_url(&back), "state", "broken on purpose");
    let without_flow = callback_url(&back);
    let flow = cookies(&stack, settings.browser(), FLOW).remove(0);
    settings.browser().forgets(FLOW);

    for url in [broken, without_flow] {
        let page = settings.browser().types(&url).await;
        assert_eq!(page.status, 400, "{page:?}");
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(page.header("cache-control"), Some("no-store"));
        let policy = page.header("content-security-policy").unwrap_or_default();
        assert!(
            policy.contains("default-src 'none'"),
            "nothing loads, nothing runs: {policy}"
        );
        assert!(
            !page.text().contains(&code) && !page.text().contains("<script"),
            "{page:?}"
        );
    }
    nothing_happened(&stack).await;
    settings.browser().is_given(flow);
    assert_eq!(back.follows().await.outcome().as_deref(), Some("linked"));
}

#[tokio::test]
async fn rd_11_answers_kept_by_a_cache_and_rd_13_windows_that_keep_an_opener() {
    let stack = stack().await;
    let asked = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;
    confirms(&asked, &shown(&asked).await).await;
    stack.status(&asked).await;
    asked.presses(CONNECT).await;
    asked.posting(UNLINK, &[]).send().await;
    asked.browser().types(&stack.at("/sso/magento/callback?state=x")).await;
    asked.browser().types(&stack.at("/sso/nobody/status")).await;
    asked.browser().types(&stack.at("/sso/magento/sign-in")).await;

    let exchanges = stack.transcript.exchanges();
    let ours: Vec<_> = exchanges
        .iter()
        .filter(|exchange| exchange.url.path().starts_with("/sso/"))
        .collect();
    assert!(ours.len() >= 10, "{}", ours.len());
    for exchange in ours {
        assert_eq!(exchange.headers["cache-control"], "no-store", "{exchange:?}");
        assert_eq!(
            exchange.headers["cross-origin-opener-policy"], "same-origin",
            "{exchange:?}"
        );
    }
}
