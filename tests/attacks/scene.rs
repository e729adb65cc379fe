//! What the attacks have in common.

use harness::{
    browser::{Answer, Browser, cookies::Cookie},
    engines::Engine,
    magento::{Magento, Person},
    stack::{CHOOSE, Setup, Stack},
};
use http::Method;
use serde_json::Value;

pub(crate) const START_LINK: &str = "/sso/magento/start-link";
pub(crate) const CONFIRM: &str = "/sso/magento/confirm";
pub(crate) const UNLINK: &str = "/sso/magento/unlink";

/// A page of somebody else's.
pub(crate) const EVIL: &str = "http://evil.localhost/lure";

pub(crate) fn setup() -> Setup {
    Setup::new(Engine::Embedded, Magento::Development)
}

pub(crate) async fn stack() -> Stack {
    setup().start().await
}

/// `identity` has signed in at Magento.com in the browser of `settings`, which is about to come back: the redirect, not followed.
pub(crate) async fn about_to_come_back(stack: &Stack, settings: &Answer, identity: Person) -> Answer {
    let page = settings.presses(CHOOSE).await.followed().await;
    stack.magento.signs_in(&page, identity).await
}

/// The address that the provider's redirect leads to.
pub(crate) fn callback_url(back: &Answer) -> String {
    back.location().unwrap_or_else(|| panic!("{back:?}")).into()
}

/// The cookies of `browser` whose names begin with `prefix`.
pub(crate) fn cookies(stack: &Stack, browser: &Browser, prefix: &str) -> Vec<Cookie> {
    let all = browser.cookies_for(&stack.at("/"));
    all.into_iter()
        .filter(|cookie| cookie.name.starts_with(prefix))
        .collect()
}

pub(crate) const FLOW: &str = "__Host-sso-flow-";
pub(crate) const PENDING: &str = "__Host-sso-pending";
pub(crate) const SESSION: &str = "__Host-accounts-session";

/// Nothing was written and no code was redeemed.
pub(crate) async fn nothing_happened(stack: &Stack) {
    let contents = stack.contents().await;
    assert!(contents.is_empty(), "{contents:?}");
    assert_eq!(stack.provider_calls().await.token, 0);
}

/// What waits to be confirmed in the browser of `page`.
pub(crate) async fn shown(page: &Answer) -> Value {
    let answer = page.fetching(Method::GET, CONFIRM, "application/json").send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// The user of `page` confirms what `shown` says.
pub(crate) async fn confirms(page: &Answer, shown: &Value) -> Answer {
    let confirmation = shown["confirmation"].as_str().unwrap_or_default();
    let fields = [("decision", "link"), ("confirmation", confirmation)];
    page.posting(CONFIRM, &fields).send().await
}

/// The address with the value of one parameter changed.
pub(crate) fn tampered(url: &str, parameter: &str, value: &str) -> String {
    let mut url = url::Url::parse(url).unwrap();
    let kept: Vec<_> = url
        .query_pairs()
        .into_owned()
        .filter(|(name, _)| name != parameter)
        .collect();
    url.query_pairs_mut()
        .clear()
        .extend_pairs(kept)
        .append_pair(parameter, value);
    url.into()
}
