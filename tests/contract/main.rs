//! The contract as it is spoken: every exchange of a walk through all routes is one that `infra/openapi.yaml` allows.
#![expect(clippy::unwrap_used, reason = "a walk that cannot go on fails")]

#[path = "../template/document.rs"]
#[expect(dead_code, reason = "the rest of it reads the template")]
mod document;
mod openapi;

use std::collections::BTreeSet;

use harness::{
    engines::Engine,
    magento::{Magento, Person},
    stack::{CONNECT, Setup, Stack},
};
use http::Method;

const CONFIRM: &str = "/sso/magento/confirm";

#[tokio::test]
async fn every_answer_is_one_that_the_contract_allows() {
    let stack = Setup::new(Engine::Embedded, Magento::Development).start().await;
    people_link_and_confirm(&stack).await;
    people_end_links(&stack).await;
    strangers_knock(&stack).await;

    let contract = openapi::Contract::read(document::read("infra/openapi.yaml"));
    let exchanges = stack.transcript.exchanges();
    let spoken = exchanges
        .iter()
        .filter(|exchange| exchange.url.path().starts_with("/sso/"));
    let mut seen = BTreeSet::new();
    let mut breaches = Vec::new();
    for exchange in spoken {
        match contract.allows(exchange) {
            Ok(operation) => seen.extend([format!("{operation} {}", exchange.status.as_u16())]),
            Err(breach) => breaches.push(format!("{} {}: {breach}", exchange.method, exchange.url.path())),
        }
    }

    assert!(breaches.is_empty(), "{breaches:#?}");
    let walked = [
        "callback 303",
        "callback 400",
        "callback 404",
        "decideConfirmation 303",
        "showConfirmation 200",
        "showConfirmation 401",
        "showConfirmation 404",
        "startLink 303",
        "startLink 400",
        "startLink 401",
        "startLink 403",
        "startLink 404",
        "status 200",
        "status 303",
        "status 401",
        "status 404",
        "unlink 204",
        "unlink 303",
        "unlink 401",
        "unlink 403",
    ];
    let missed: Vec<_> = walked
        .into_iter()
        .filter(|operation| !seen.contains(*operation))
        .collect();
    assert!(missed.is_empty(), "the walk left out {missed:?} and met {seen:?}");
}

async fn people_link_and_confirm(stack: &Stack) {
    let settings = stack.linked(Person::Alice, Person::Alice).await;
    for accept in ["application/json", "text/html"] {
        settings
            .fetching(Method::GET, "/sso/magento/status", accept)
            .send()
            .await;
    }
    for decision in ["cancel", "link"] {
        let asked = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;
        asked.fetching(Method::GET, CONFIRM, "text/html").send().await;
        let shown = asked
            .fetching(Method::GET, CONFIRM, "application/json")
            .send()
            .await
            .json();
        let confirmation = shown["confirmation"].as_str().unwrap();
        asked
            .posting(CONFIRM, &[("decision", decision), ("confirmation", confirmation)])
            .send()
            .await;
        asked
            .posting(CONFIRM, &[("decision", decision), ("confirmation", confirmation)])
            .send()
            .await;
        asked.fetching(Method::GET, CONFIRM, "application/json").send().await;
    }
}

async fn people_end_links(stack: &Stack) {
    let settings = stack.linked(Person::Alice, Person::Alice).await;
    settings
        .fetching(Method::POST, "/sso/magento/unlink", "application/json")
        .send()
        .await;
    settings.posting("/sso/magento/unlink", &[]).send().await;
}

async fn strangers_knock(stack: &Stack) {
    let settings = stack.signed_in(Person::Chloe).await;
    // Hostile forms, from our page and from elsewhere, as a navigation and as a script.
    for form in [
        [("intent", "steal")],
        [("return_to", "https://evil.example")],
        [("replace", "1")],
    ] {
        settings.posting("/sso/magento/start-link", &form).send().await;
        let script = settings.fetching(Method::POST, "/sso/magento/start-link", "*/*");
        let text = format!("{}={}", form[0].0, form[0].1);
        script.body("application/x-www-form-urlencoded", text).send().await;
    }
    for path in ["/sso/magento/start-link", CONFIRM, "/sso/magento/unlink"] {
        stack
            .browser()
            .posting_from("https://evil.example/", &stack.at(path), &[])
            .send()
            .await;
        settings
            .fetching(Method::POST, path, "*/*")
            .header("origin", "https://evil.example")
            .send()
            .await;
    }
    // Nobody is signed in, and providers that do not exist.
    let nobody = stack.browser().visits(&stack.at("/sign-in")).await;
    for provider in ["magento", "nobody"] {
        for (method, function) in [
            (Method::POST, "start-link"),
            (Method::GET, "status"),
            (Method::GET, "confirm"),
            (Method::POST, "unlink"),
        ] {
            for accept in ["text/html", "*/*"] {
                let path = format!("/sso/{provider}/{function}");
                nobody.fetching(method.clone(), &path, accept).send().await;
            }
        }
    }
    // Authorization responses that nobody asked for, and one that somebody did.
    let state = "s".repeat(43);
    for query in [
        String::new(),
        format!("code=c&state={state}"),
        format!("code=c&state={state}&state={state}"),
    ] {
        nobody
            .browser()
            .visits(&stack.at(&format!("/sso/magento/callback?{query}")))
            .await;
    }
    nobody
        .browser()
        .visits(&stack.at(&format!("/sso/nobody/callback?code=c&state={state}")))
        .await;
    let page = settings.presses(CONNECT).await.followed().await;
    stack.magento.cancels(&page).await.followed().await;
}
