//! Every exchange against `infra/openapi.yaml`: what the functions answer is what it says, and what it says they do answer.

mod openapi;
mod surface;

use std::collections::BTreeSet;

use account_linking::ticket::Challenge;
use harness::{
    browser::Answer,
    database_proxy::Fate,
    engines::Engine,
    iam,
    magento::{Magento, Person},
    stack::{CONNECT, Setup, Stack},
};
use http::Method;
use openapi::Contract;
use serde_json::json;

/// Documented answers that nothing here can provoke. This list should only ever shrink.
const NOT_PROVOKED: [&str; 1] = [
    // Only an operating system without randomness.
    "startLink 500",
];

#[tokio::test]
async fn every_answer_is_documented_and_every_documented_answer_is_given() {
    let contract = Contract::read();
    let mut given = BTreeSet::new();
    for stack in [
        start_link_answers().await,
        callback_answers().await,
        status_answers().await,
        confirm_answers().await,
        unlink_answers().await,
        account_policy_answers().await,
        sign_in_and_redeem_ticket_answers().await,
        an_unreachable_provider().await,
        unreachable_flow_keys().await,
    ] {
        for exchange in stack.transcript.exchanges() {
            if !exchange.url.as_str().starts_with(&stack.at("/sso/")) {
                continue;
            }
            match contract.allows(&exchange) {
                Ok(operation) => drop(given.insert(format!("{operation} {}", exchange.status.as_u16()))),
                Err(breach) => panic!("{} {}: {breach}", exchange.method, exchange.url.path()),
            }
        }
    }
    let missing: Vec<_> = contract
        .answers()
        .into_iter()
        .filter(|answer| !given.contains(answer))
        .collect();
    assert_eq!(missing, NOT_PROVOKED);
}

async fn started() -> Stack {
    Setup::new(Engine::Embedded, Magento::Development).start().await
}

/// What the database answers three times, which is as often as it is asked.
fn three_times(fate: fn() -> Fate) -> [Fate; 3] {
    [fate(), fate(), fate()]
}

/// What the database answers to a request that makes no sense to it: a mistake of ours.
fn misunderstood() -> Fate {
    Fate::error("ValidationException")
}

/// A script's call, with whatever `page` has for a session.
async fn calls(page: &Answer, method: Method, path: &str) -> Answer {
    page.fetching(method, path, "application/json").send().await
}

/// What every function answers to what it cannot take: as a script's call and as a navigation.
async fn refusals(stack: &Stack, method: &Method, path: &str) {
    let settings = stack.signed_in(Person::Alice).await;
    let nobody = stack.browser().types(&stack.at("/sign-in")).await;
    let twice = "__Host-sso-pending=a; __Host-sso-pending=b";
    for accept in ["application/json", "text/html"] {
        let at =
            |page: &Answer, provider: &str| page.fetching(method.clone(), &format!("/sso/{provider}{path}"), accept);
        at(&nobody, "magento").send().await;
        at(&settings, "nobody").send().await;
        at(&settings, "magento").header("cookie", twice).send().await;
        if *method == Method::POST {
            at(&settings, "magento")
                .header("sec-fetch-site", "cross-site")
                .send()
                .await;
        }
    }
}

async fn start_link_answers() -> Stack {
    let stack = started().await;
    refusals(&stack, &Method::POST, "/start-link").await;
    let settings = stack.signed_in(Person::Alice).await;
    settings.presses(CONNECT).await;
    settings.presses("I have no Magento.com account yet").await;
    settings
        .posting("/sso/magento/start-link", &[("replace", "true"), ("locale", "fr-CA")])
        .send()
        .await;
    stack.clock().move_by_ms(3_700_000);
    let tired = settings.browser().visits(&stack.at("/sign-in")).await;
    calls(&tired, Method::POST, "/sso/magento/start-link").await;
    stack
}

async fn callback_answers() -> Stack {
    let stack = started().await;
    refusals(&stack, &Method::GET, "/callback").await;
    stack.linked(Person::Alice, Person::Alice).await;
    let settings = stack.signed_in(Person::Chloe).await;
    let page = settings.presses(CONNECT).await.followed().await;
    let back = stack.magento.signs_in(&page, Person::Alice).await;
    stack.database_proxy.next("PutItem", three_times(Fate::throttled));
    assert_eq!(back.follows().await.status, 503);
    stack.database_proxy.next("PutItem", [misunderstood()]);
    assert_eq!(back.follows().await.status, 500);
    back.follows().await;
    back.follows().await;
    stack
}

async fn status_answers() -> Stack {
    let stack = started().await;
    refusals(&stack, &Method::GET, "/status").await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;
    for accept in ["application/json", "text/html"] {
        let status = || settings.fetching(Method::GET, "/sso/magento/status", accept).send();
        status().await;
        stack.database_proxy.next("GetItem", three_times(Fate::throttled));
        status().await;
        stack.database_proxy.next("GetItem", [misunderstood()]);
        status().await;
    }
    stack
}

async fn confirm_answers() -> Stack {
    let stack = started().await;
    refusals(&stack, &Method::GET, "/confirm").await;
    refusals(&stack, &Method::POST, "/confirm").await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;
    calls(&settings, Method::GET, "/sso/magento/confirm").await;
    stack.clock().move_by_ms(1000);
    let start = settings
        .posting("/sso/magento/start-link", &[("replace", "true")])
        .send()
        .await;
    let asked = stack
        .magento
        .signs_in(&start.followed().await, Person::Bruno)
        .await
        .followed()
        .await;
    stack.database_proxy.next("GetItem", three_times(Fate::throttled));
    calls(&asked, Method::GET, "/sso/magento/confirm").await;
    stack.database_proxy.next("GetItem", [misunderstood()]);
    calls(&asked, Method::GET, "/sso/magento/confirm").await;
    asked.browser().types(&stack.at("/sso/magento/confirm")).await;
    let shown = calls(&asked, Method::GET, "/sso/magento/confirm").await.json();
    let confirmation = shown["confirmation"].as_str().unwrap_or_default();
    let fields = [("decision", "link"), ("confirmation", confirmation)];
    asked.posting("/sso/magento/confirm", &fields).send().await;
    stack
}

async fn unlink_answers() -> Stack {
    let stack = started().await;
    refusals(&stack, &Method::POST, "/unlink").await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;
    stack.database_proxy.next("GetItem", three_times(Fate::throttled));
    calls(&settings, Method::POST, "/sso/magento/unlink").await;
    stack.database_proxy.next("GetItem", [misunderstood()]);
    calls(&settings, Method::POST, "/sso/magento/unlink").await;
    settings.posting("/sso/magento/unlink", &[]).send().await;
    calls(&settings, Method::POST, "/sso/magento/unlink").await;
    stack
}

/// What servers are told, which sign what they ask.
async fn account_policy_answers() -> Stack {
    let stack = started().await;
    let nobody = stack.browser().types(&stack.at("/sign-in")).await;
    let exemption = json!({"until": "2999-01-01T00:00:00Z", "reason": "a merger"});
    let account = "/sso/magento/accounts/YWNjdA";
    for (method, rest, body, operation) in [
        (Method::GET, "", None, "GetItem"),
        (Method::PUT, "/exemption", Some(&exemption), "TransactWriteItems"),
        (Method::DELETE, "/exemption", None, "TransactWriteItems"),
        (Method::DELETE, "/link", None, "GetItem"),
    ] {
        let path = format!("{account}{rest}");
        nobody.fetching(method.clone(), &path, "application/json").send().await;
        for fate in [Fate::throttled, misunderstood] {
            stack.database_proxy.next(operation, three_times(fate));
            let refused = iam::calls(&stack, &method, &path, body).await;
            assert!(refused.status.is_server_error(), "{refused:?}");
            stack.database_proxy.forget();
        }
        for path in [
            path.clone(),
            path.replace("magento", "nobody"),
            path.replace("YWNjdA", "%20"),
        ] {
            iam::calls(&stack, &method, &path, body).await;
        }
    }
    stack
}

/// What the login page and its server are told.
async fn sign_in_and_redeem_ticket_answers() -> Stack {
    let stack = started().await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;
    let alice = settings.browser();
    alice.types(&stack.at("/sso/magento/sign-in")).await;
    alice.types(&stack.at("/sso/nobody/sign-in")).await;

    let verifier = "v".repeat(43);
    let sign_in = stack.at(&format!("/sso/magento/sign-in?challenge={}", Challenge::of(&verifier)));
    let mut step = alice.types(&sign_in).await;
    while step.location().is_some() && step.location_parameter("ticket").is_none() {
        step = step.follows().await;
    }
    let redemption = json!({"ticket": step.location_parameter("ticket"), "verifier": verifier});
    let redeem = "/sso/tickets/redeem";
    calls(&settings, Method::POST, redeem).await;
    iam::calls(&stack, &Method::POST, redeem, Some(&json!([]))).await;
    for fate in [Fate::throttled, misunderstood] {
        stack.database_proxy.next("DeleteItem", three_times(fate));
        iam::calls(&stack, &Method::POST, redeem, Some(&redemption)).await;
        stack.database_proxy.forget();
    }
    for expected in [200, 404] {
        let answer = iam::calls(&stack, &Method::POST, redeem, Some(&redemption)).await;
        assert_eq!(answer.status, expected, "{answer:?}");
    }
    stack
}

/// Nobody is where the pushed authorization request should go.
async fn an_unreachable_provider() -> Stack {
    let provider = r#"[{"id": "magento", "name": "Magento.com", "issuer": "http://magento.localhost:9", "client_id": "c",
        "client_authentication": "none"}]"#;
    refuses_to_start_a_flow(&[("PROVIDERS", provider)], "502 provider_unavailable").await
}

async fn unreachable_flow_keys() -> Stack {
    let variables = [
        (
            "FLOW_KEYS_ARN",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:flow-keys",
        ),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://magento.localhost:9"),
    ];
    refuses_to_start_a_flow(&variables, "503 temporarily_unavailable").await
}

/// A stack with `variables`, whose start-link answers `problem`.
async fn refuses_to_start_a_flow(variables: &[(&str, &str)], problem: &str) -> Stack {
    let mut setup = Setup::new(Engine::Embedded, Magento::Development);
    for (name, value) in variables {
        setup = setup.with(name, value);
    }
    let stack = setup.start().await;
    let settings = stack.signed_in(Person::Alice).await;
    let answer = calls(&settings, Method::POST, "/sso/magento/start-link").await;
    assert_eq!(answer.problem(), problem);
    stack
}
