//! The browser against a server that repeats what it was sent.

use std::net::SocketAddr;

use axum::{
    Json, Router,
    extract::RawQuery,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{Html, IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Answer, Browser};

/// Starts a server on which every path of every host does what its query says: `status` and `to` redirect, `set` sets a cookie,
/// `policy` sets the referrer policy, `html` is the page. Without `html` the answer is what was sent.
async fn start_echo() -> u16 {
    async fn echo(method: Method, uri: Uri, RawQuery(query): RawQuery, sent: HeaderMap, body: String) -> Response {
        let query = query.unwrap_or_default();
        let parameters: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut headers = HeaderMap::new();
        let mut status = StatusCode::OK;
        let mut page = None;
        for (name, value) in parameters {
            match name.as_str() {
                "status" => status = value.parse().unwrap(),
                "to" => drop(headers.insert("location", value.parse().unwrap())),
                "set" => drop(headers.append("set-cookie", value.parse().unwrap())),
                "policy" => drop(headers.insert("referrer-policy", value.parse().unwrap())),
                "html" => page = Some(value),
                _ => {}
            }
        }
        let header = |name: &str| sent.get(name).map(|value| value.to_str().unwrap().to_owned());
        let seen = json!({
            "method": method.as_str(), "target": uri.to_string(), "body": body, "host": header("host"),
            "cookie": header("cookie"), "origin": header("origin"), "referer": header("referer"), "accept": header("accept"),
            "site": header("sec-fetch-site"), "mode": header("sec-fetch-mode"), "dest": header("sec-fetch-dest"),
            "type": header("content-type"),
        });
        match page {
            Some(html) => (status, headers, Html(html)).into_response(),
            None => (status, headers, Json(seen)).into_response(),
        }
    }
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(echo)).await });
    port
}

/// `origin` with `path` and `parameters`.
fn address(origin: &str, path: &str, parameters: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    format!("{origin}{path}?{query}")
}

/// What the server saw of the request that this answers.
fn seen(answer: &Answer) -> Value {
    answer.json()
}

const FORM: &str =
    "<form method=post action=/target><input type=hidden name=a value='1&2'><button name=b value=c>Go</button></form>";

#[tokio::test]
async fn an_address_typed_comes_from_nowhere() {
    let port = start_echo().await;
    let seen = seen(
        &Browser::default()
            .types(&format!("http://a.localhost:{port}/x?y=%20"))
            .await,
    );
    assert_eq!(seen["host"], format!("a.localhost:{port}"));
    assert_eq!(seen["target"], "/x?y=%20");
    assert_eq!(
        (&seen["site"], &seen["mode"], &seen["dest"]),
        (&json!("none"), &json!("navigate"), &json!("document"))
    );
    assert!(seen["accept"].as_str().unwrap().starts_with("text/html"));
    assert_eq!(
        (&seen["origin"], &seen["referer"], &seen["cookie"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn a_form_post_says_where_it_comes_from_and_a_303_turns_it_into_a_get() {
    let port = start_echo().await;
    let (a, b) = (
        format!("http://a.localhost:{port}"),
        format!("http://b.localhost:{port}"),
    );
    let onward = address("", "/target", &[("status", "303"), ("to", &format!("{b}/land"))]);
    let form = FORM.replace("/target", &onward.replace('&', "&amp;"));
    let page = Browser::default()
        .types(&address(&a, "/page", &[("html", &form)]))
        .await;

    let posted = page.presses("Go").await;
    assert_eq!(posted.status, 303);
    let sent = seen(&posted);
    assert_eq!(
        (&sent["method"], &sent["body"]),
        (&json!("POST"), &json!("a=1%262&b=c"))
    );
    assert_eq!(sent["type"], "application/x-www-form-urlencoded");
    assert_eq!((&sent["origin"], &sent["site"]), (&json!(a), &json!("same-origin")));

    let landed = posted.follows().await;
    let sent = seen(&landed);
    assert_eq!(
        (&sent["method"], &sent["body"], &sent["origin"]),
        (&json!("GET"), &json!(""), &Value::Null)
    );
    assert_eq!(
        (&sent["site"], &sent["referer"]),
        (&json!("cross-site"), &json!(format!("{a}/")))
    );
    assert_eq!(landed.url().as_str(), format!("{b}/land"));
}

#[tokio::test]
async fn a_307_posts_the_form_on_to_the_other_site() {
    let port = start_echo().await;
    let (a, b) = (
        format!("http://a.localhost:{port}"),
        format!("http://b.localhost:{port}"),
    );
    let onward = address("", "/target", &[("status", "307"), ("to", &format!("{b}/land"))]);
    let form = FORM.replace("/target", &onward.replace('&', "&amp;"));
    let page = Browser::default()
        .types(&address(&a, "/page", &[("html", &form)]))
        .await;
    let sent = seen(&page.presses("Go").await.follows().await);
    assert_eq!(
        (&sent["method"], &sent["body"], &sent["origin"]),
        (&json!("POST"), &json!("a=1%262&b=c"), &json!(a))
    );
}

#[tokio::test]
async fn a_strict_referrer_policy_blanks_the_origin_of_a_pages_own_forms() {
    let port = start_echo().await;
    let a = format!("http://a.localhost:{port}");
    for (policy, origin, referer) in [
        ("no-referrer", json!("null"), Value::Null),
        ("same-origin", json!(a), json!(format!("{a}/page"))),
        ("strict-origin", json!(a), json!(format!("{a}/"))),
    ] {
        let page = address(&a, "/page", &[("policy", policy), ("html", FORM)]);
        let sent = seen(&Browser::default().types(&page).await.presses("Go").await);
        assert_eq!(sent["origin"], origin, "{policy}");
        let told = sent["referer"]
            .as_str()
            .map(|referer| referer.split('?').next().unwrap());
        assert_eq!(told, referer.as_str(), "{policy}");
    }
}

#[tokio::test]
async fn lax_cookies_follow_links_from_another_site_but_not_its_forms_nor_its_scripts() {
    let port = start_echo().await;
    let (a, b) = (
        format!("http://a.localhost:{port}"),
        format!("http://b.localhost:{port}"),
    );
    let alice = Browser::default();
    alice
        .types(&address(
            &a,
            "/",
            &[
                ("set", "lax=1; SameSite=Lax; Path=/"),
                ("set", "strict=1; SameSite=Strict"),
            ],
        ))
        .await;

    let cookie = |answer: &Answer| seen(answer)["cookie"].clone();
    assert_eq!(cookie(&alice.types(&a).await), "lax=1; strict=1");
    assert_eq!(cookie(&alice.following_a_link_from(&b, &a).send().await), "lax=1");
    let posted = alice.posting_from(&b, &a, &[("x", "y")]).send().await;
    assert_eq!((cookie(&posted), &seen(&posted)["origin"]), (Value::Null, &json!(b)));
    let foreign_page = alice.types(&b).await;
    let fetched = foreign_page.fetching(Method::GET, &a, "*/*").send().await;
    assert_eq!(
        (cookie(&fetched), &seen(&fetched)["site"]),
        (Value::Null, &json!("cross-site"))
    );
    let own = alice
        .types(&a)
        .await
        .fetching(Method::POST, "/x", "application/json")
        .send()
        .await;
    assert_eq!(cookie(&own), "lax=1; strict=1");
    assert_eq!(
        (&seen(&own)["origin"], &seen(&own)["dest"]),
        (&json!(a), &json!("empty"))
    );
    assert_eq!(cookie(&Browser::default().types(&a).await), Value::Null);
}

#[tokio::test]
async fn a_sibling_host_is_the_same_site_and_another_origin() {
    let port = start_echo().await;
    let (own, sibling) = (
        format!("http://accounts.localhost:{port}"),
        format!("http://evil.accounts.localhost:{port}"),
    );
    let sent = seen(&Browser::default().posting_from(&sibling, &own, &[]).send().await);
    assert_eq!((&sent["site"], &sent["origin"]), (&json!("same-site"), &json!(sibling)));
}

#[tokio::test]
async fn one_foreign_redirect_makes_the_whole_journey_foreign() {
    let port = start_echo().await;
    let (a, b) = (
        format!("http://a.localhost:{port}"),
        format!("http://b.localhost:{port}"),
    );
    let back = address(&b, "/", &[("status", "302"), ("to", &format!("{a}/home"))]);
    let alice = Browser::default();
    alice.keeps(&a, "strict=1; SameSite=Strict; Path=/");
    let landed = alice.following_a_link_from(&a, &back).send().await.followed().await;
    assert_eq!(landed.url().as_str(), format!("{a}/home"));
    assert_eq!(seen(&landed)["site"], "cross-site");
    assert_eq!(seen(&landed)["cookie"], "strict=1"); // as Chromium does: only the initiator counts
}

#[tokio::test]
async fn a_test_may_send_what_no_browser_would() {
    let port = start_echo().await;
    let alice = Browser::default();
    let a = format!("http://a.localhost:{port}/");
    alice.keeps(&a, "kept=1");
    let hostile = alice
        .typing(&a)
        .header("cookie", "planted=2")
        .header("sec-fetch-site", "same-origin")
        .without("accept");
    let sent = seen(&hostile.send().await);
    assert_eq!(
        (&sent["cookie"], &sent["site"], &sent["accept"]),
        (&json!("planted=2"), &json!("same-origin"), &Value::Null)
    );
    let sent = seen(&alice.typing(&a).without_a_browser().send().await);
    assert_eq!(
        (&sent["cookie"], &sent["site"], &sent["accept"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
}
