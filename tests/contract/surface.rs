//! Every path by every method, signed in or not.

use std::collections::BTreeSet;

use harness::{
    browser::{Answer, Exchange},
    iam,
    magento::Person,
    stack::Stack,
};
use http::{HeaderMap, Method};
use local_stack::{Caller, ROUTES, Route};

use crate::{openapi::Contract, started};

const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW",
];

/// Who asks.
#[derive(Clone, Copy)]
enum Asker<'a> {
    /// A page of accounts.magento.cloud, whoever is signed in there.
    Page(&'a Answer),
    /// A server that signs what it asks.
    Server(&'a Stack),
}

impl Asker<'_> {
    async fn asks(self, method: &Method, path: &str, accept: &str) {
        match self {
            Asker::Page(page) => page.fetching(method.clone(), path, accept).send().await,
            Asker::Server(stack) => iam::calls(stack, method, path, None).await,
        };
    }
}

#[tokio::test]
async fn every_path_answers_every_method_as_documented_whoever_asks() {
    let contract = Contract::read();
    let stack = started().await;
    let alice = stack.linked(Person::Alice, Person::Alice).await;
    let nobody = stack.browser().types(&stack.at("/sign-in")).await;
    let paths: BTreeSet<&str> = ROUTES.iter().map(|route| route.path).collect();
    for path in paths {
        let path = path.replace("{provider}", "magento").replace("{account_id}", "YWNjdA");
        for method in METHODS.map(|method| method.parse().unwrap()) {
            for asker in [Asker::Page(&alice), Asker::Page(&nobody), Asker::Server(&stack)] {
                for accept in ["application/json", "text/html", "*/*"] {
                    asker.asks(&method, &path, accept).await;
                    let exchange = stack.transcript.exchanges().pop().unwrap();
                    let route = ROUTES.iter().find(|route| route.matches(&method, &path));
                    let complaint = match route {
                        Some(route) => complaint_about_answer(&contract, &exchange, route, asker),
                        None => complaint_about_no_route(&exchange),
                    };
                    assert_eq!(complaint, None, "{method} {path} {accept} {exchange:?}");
                }
            }
        }
    }
}

/// What is wrong with what came of a route.
fn complaint_about_answer(contract: &Contract, exchange: &Exchange, route: &Route, asker: Asker<'_>) -> Option<String> {
    if let Err(breach) = contract.allows(exchange) {
        return Some(breach);
    }
    let unsigned = route.caller == Caller::Iam && matches!(asker, Asker::Page(_));
    if unsigned {
        return (exchange.status != 403).then(|| "a function was asked".to_owned());
    }
    complaint_about_headers(&exchange.headers)
}

/// What of section 2 of the contract the headers lack, or have too much.
fn complaint_about_headers(headers: &HeaderMap) -> Option<String> {
    let value = |name: &str| {
        let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.next().filter(|_| values.next().is_none())
    };
    for (name, allowed) in [
        ("cache-control", &["no-store"][..]),
        ("x-content-type-options", &["nosniff"]),
        ("cross-origin-opener-policy", &["same-origin"]),
        ("referrer-policy", &["no-referrer", "same-origin"]),
    ] {
        if !value(name).is_some_and(|value| allowed.contains(&value)) {
            return Some(format!("{name} is {:?}", value(name)));
        }
    }
    if value("content-type").is_some_and(|kind| kind.starts_with("text/html")) {
        let policy = value("content-security-policy").unwrap_or_default();
        if !policy.contains("frame-ancestors 'none'") || policy.contains("unsafe-inline") {
            return Some(format!("content-security-policy is {policy:?}"));
        }
    }
    let shared = headers.keys().find(|name| name.as_str().starts_with("access-control-"));
    shared.map(|name| format!("{name} is there"))
}

/// What differs from what API Gateway answers when it has no route.
fn complaint_about_no_route(exchange: &Exchange) -> Option<String> {
    let expected: &[u8] = if exchange.method == Method::HEAD {
        b""
    } else {
        br#"{"message":"Not Found"}"#
    };
    let as_expected = exchange.status == 404 && exchange.body == expected;
    (!as_expected).then(|| "a route answered".to_owned())
}
