//! What the functions and the settings section rely on, through the site's front door.

use std::collections::BTreeMap;

use account_linking::{
    config::Environment,
    jose::{Algorithm, CompactJws, KeySet, VerifiedJwt},
};
use axum::body::Bytes;
use http::header;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{
    people::{ACCOUNTS, Account},
    *,
};
use crate::Stack;

const SESSION: &str = "__Host-session";

/// The site of a whole stack, and one browser at it.
struct Scene {
    stack: Stack,
    cookies: BTreeMap<String, String>,
    runtime: Runtime,
}

impl Scene {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(variables: &[(&str, &str)]) -> Self {
        let ours = [
            ("PORT", "0"),
            ("SESSION_ISSUER", "the issuer"),
            ("SESSION_AUDIENCE", "the audience"),
            ("SESSION_COOKIE", SESSION),
        ];
        let environment: Environment = ours
            .iter()
            .chain(variables)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let runtime = Runtime::new().unwrap();
        let stack = runtime.block_on(Stack::start(environment));
        Self {
            stack: stack.unwrap_or_else(|error| panic!("{error}")),
            cookies: BTreeMap::new(),
            runtime,
        }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.stack.origin())
    }

    fn send(&mut self, request: http::request::Builder, body: &str) -> Response {
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let (parts, ()) = request
            .header(header::COOKIE, cookies.join("; "))
            .body(())
            .unwrap()
            .into_parts();
        let request = Request::new(parts, Bytes::from(body.to_owned()));
        let response = self.runtime.block_on(self.stack.hosts.accounts.respond(&request));
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let (value, attributes) = rest.split_once("; ").unwrap();
            assert!(
                attributes.starts_with("Path=/; Secure; HttpOnly; SameSite=Lax"),
                "{attributes}"
            );
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        response
    }

    fn get(&mut self, path: &str) -> Response {
        self.send(http::Request::get(path), "")
    }

    fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Response {
        let request = http::Request::post(path)
            .header(header::ORIGIN, self.stack.origin())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.send(request, &body)
    }

    fn sign_in(&mut self, account: &Account) {
        let location = location(&self.submit("/sign-in", &[("account", account.id)]));
        assert_eq!(location, self.at("/user"));
    }

    /// What the session in the browser says to whoever verifies it.
    fn session(&mut self) -> VerifiedJwt {
        let keys = KeySet::parse(self.get("/.well-known/jwks.json").body().as_bytes()).unwrap();
        CompactJws::parse(&self.cookies[SESSION])
            .unwrap()
            .verify(&keys, &[Algorithm::Es256])
            .unwrap()
    }

    fn is_signed_in(&mut self) -> bool {
        self.get("/user").status() == StatusCode::OK
    }
}

fn location(response: &Response) -> String {
    assert_eq!(response.status(), StatusCode::SEE_OTHER, "{}", response.body());
    response.headers()[header::LOCATION].to_str().unwrap().to_owned()
}

#[test]
fn signing_in_issues_a_session_that_says_what_the_contract_asks_for() {
    let mut scene = Scene::new();
    scene.sign_in(&ACCOUNTS[0]);
    let session = scene.session();
    for (claim, expected) in [
        ("iss", "the issuer"),
        ("aud", "the audience"),
        ("sub", ACCOUNTS[0].id),
        ("email", "alice@example.com"),
    ] {
        assert_eq!(session.text(claim), Some(expected), "{claim}");
    }
    assert!(session.text("sid").is_some_and(|sid| sid.len() >= 22));
    let half_an_hour = std::time::Duration::from_mins(30);
    assert!(session.date("exp").unwrap() > scene.stack.clock().now().plus(half_an_hour));
}

#[test]
fn whoever_is_not_signed_in_is_sent_to_sign_in_and_back() {
    let mut scene = Scene::with(&[("LINKING_REQUIRED_FROM", "never")]);
    for id in ["settings", "onboarding"] {
        let page = if id == "settings" { "/user" } else { "/onboarding" };
        let sign_in = location(&scene.get(page));
        assert_eq!(sign_in, format!("/sign-in?return_to={id}"));
        let body = scene.get(&sign_in).into_body();
        assert!(body.contains(&format!(r#"name="return_to" value="{id}""#)), "{body}");
        let back = location(&scene.submit("/sign-in", &[("account", ACCOUNTS[0].id), ("return_to", id)]));
        assert_eq!(back, scene.at(page));
        scene.submit("/sign-out", &[]);
    }
}

#[test]
fn every_page_view_renews_the_session_and_changes_nothing_else() {
    let mut scene = Scene::new();
    scene.sign_in(&ACCOUNTS[0]);
    let first = scene.session();
    scene.stack.clock().move_by_ms(1_200_000);
    assert!(scene.is_signed_in());
    let renewed = scene.session();
    assert!(renewed.date("exp") > first.date("exp"));
    assert_eq!(renewed.text("sid"), first.text("sid"));
    assert_eq!(renewed.date("auth_time"), first.date("auth_time"));
    scene.stack.clock().move_by_ms(3_600_000);
    assert!(!scene.is_signed_in());
}

#[test]
fn the_sign_in_page_renews_a_good_session_without_asking() {
    let mut scene = Scene::with(&[("LINKING_REQUIRED_FROM", "never")]);
    scene.sign_in(&ACCOUNTS[0]);
    let first = scene.session();
    scene.stack.clock().move_by_ms(3_000_000);
    assert_eq!(
        location(&scene.get("/sign-in?return_to=onboarding")),
        scene.at("/onboarding")
    );
    assert!(scene.session().date("exp") > first.date("exp"));
}

#[test]
fn signing_in_again_moves_auth_time_within_the_same_session() {
    let mut scene = Scene::new();
    scene.sign_in(&ACCOUNTS[1]);
    let first = scene.session();
    scene.stack.clock().move_by_ms(600_000);
    let page = scene.get("/sign-in?reauthenticate=1&return_to=settings");
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.body().contains(ACCOUNTS[1].email) && !page.body().contains(ACCOUNTS[0].email));
    scene.sign_in(&ACCOUNTS[1]);
    let again = scene.session();
    assert!(again.date("auth_time") > first.date("auth_time"));
    assert_eq!(again.text("sid"), first.text("sid"));
}

#[test]
fn another_account_is_another_session_and_ends_the_first() {
    let mut scene = Scene::new();
    scene.sign_in(&ACCOUNTS[0]);
    let (first, kept) = (scene.session(), scene.cookies.clone());
    scene.sign_in(&ACCOUNTS[1]);
    assert_ne!(scene.session().text("sid"), first.text("sid"));
    scene.cookies = kept;
    assert!(!scene.is_signed_in());
}

#[test]
fn signing_out_ends_the_session_for_good() {
    let mut scene = Scene::new();
    scene.sign_in(&ACCOUNTS[0]);
    let kept = scene.cookies.clone();
    scene.submit("/sign-out", &[]);
    assert_eq!(scene.cookies[SESSION], "");
    scene.cookies = kept;
    assert!(!scene.is_signed_in());
}

#[test]
fn a_session_signed_by_somebody_else_is_none() {
    let mut scene = Scene::new();
    let mut other = Scene::new();
    other.sign_in(&ACCOUNTS[0]);
    scene.cookies = other.cookies;
    assert!(!scene.is_signed_in());
}

#[test]
fn a_form_of_another_site_does_nothing() {
    let mut scene = Scene::new();
    for path in ["/sign-in", "/sign-in/start", "/sign-out", "/development/clock"] {
        let request = http::Request::post(path)
            .header(header::ORIGIN, "http://magento.localhost:8080")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let before = scene.stack.clock().now();
        let response = scene.send(request, "account=acct:7QXW-2LMD%23A1&provider=magento&step=86400");
        assert!(scene.stack.clock().now() < before.plus(std::time::Duration::from_hours(1)));
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
        assert!(!response.headers().contains_key(header::SET_COOKIE), "{path}");
    }
}

#[test]
fn the_settings_page_holds_the_section_and_lets_its_form_reach_the_provider() {
    let mut scene = Scene::new();
    scene.sign_in(&ACCOUNTS[0]);
    let page = scene.get("/user?sso=linked&provider=magento");
    assert!(
        page.body().contains(r#"action="/sso/magento/start-link""#),
        "{}",
        page.body()
    );
    let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    let targets = "form-action 'self' http://magento.localhost:* http://*.magento.localhost:*;";
    assert!(policy.contains(targets), "{policy}");
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe-inline"),
        "{policy}"
    );
    assert_eq!(page.headers()[header::REFERRER_POLICY], "same-origin");
    for file in ["section.css", "section.js", "texts/en.json", "texts/fr.json"] {
        assert_eq!(
            scene.get(&format!("/settings-page/{file}")).status(),
            StatusCode::OK,
            "{file}"
        );
    }
    assert_eq!(
        scene.get("/settings-page/../Cargo.toml").status(),
        StatusCode::NOT_FOUND
    );
}

#[test]
fn what_happened_last_is_handed_on_to_the_page_without_scripts() {
    let mut scene = Scene::new();
    scene.sign_in(&ACCOUNTS[0]);
    for (query, link) in [
        ("?sso=linked&provider=magento", "/sso/magento/status?sso=linked"),
        ("?sso=linked&provider=adobe", "/sso/magento/status"),
        (
            "?sso=identity_in_use&provider=magento&request_id=JKJaXmPLvHcESHA%3D",
            "/sso/magento/status?sso=identity_in_use&amp;request_id=JKJaXmPLvHcESHA=",
        ),
        (
            "?sso=identity_in_use&provider=magento&request_id=%22%3E",
            "/sso/magento/status?sso=identity_in_use",
        ),
        ("?sso=%22%3E%3Cb%3E&provider=magento", "/sso/magento/status"),
        ("", "/sso/magento/status"),
    ] {
        let body = scene.get(&format!("/user{query}")).into_body();
        assert!(body.contains(&format!(r#"href="{link}""#)), "{query}: {body}");
    }
}

#[test]
fn each_provider_has_a_section_of_its_own() {
    let provider = |id: &str, name: &str| {
        let client = ("client", "client_secret_basic", "secret");
        json!({"id": id, "name": name, "issuer": format!("http://{id}.localhost:9"), "client_id": client.0,
            "client_authentication": client.1, "client_secret": client.2})
    };
    let providers = json!([provider("magento", "Magento.com"), provider("adobe", "Adobe & Co")]).to_string();
    let mut scene = Scene::with(&[("PROVIDERS", &providers)]);
    scene.sign_in(&ACCOUNTS[0]);
    let page = scene.get("/user");
    for part in [
        r#"action="/sso/magento/start-link""#,
        r#"action="/sso/adobe/start-link""#,
        "Adobe &amp; Co",
    ] {
        assert!(page.body().contains(part), "{part}: {}", page.body());
    }
    let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    let targets = "form-action 'self' http://magento.localhost:* http://*.magento.localhost:* \
        http://adobe.localhost:* http://*.adobe.localhost:*;";
    assert!(policy.contains(targets), "{policy}");
}

#[test]
fn the_section_of_the_onboarding_page_returns_there() {
    let mut scene = Scene::with(&[("LINKING_REQUIRED_FROM", "never")]);
    scene.sign_in(&ACCOUNTS[0]);
    for (page, id) in [("/user", "settings"), ("/onboarding", "onboarding")] {
        let body = scene.get(page).into_body();
        assert!(body.contains(&format!(r#"name="return_to" value="{id}""#)), "{body}");
        let here = body.contains(r#"<a href="/user" aria-current="page">"#);
        assert_eq!(here, page == "/user", "{body}");
    }
}

#[test]
fn a_language_once_chosen_stays_and_the_browser_s_is_the_default() {
    let mut scene = Scene::new();
    scene.sign_in(&ACCOUNTS[0]);
    assert!(scene.get("/user").body().contains("<html lang=\"en\">"));
    let french = scene.send(
        http::Request::get("/user").header(header::ACCEPT_LANGUAGE, "fr-FR, en;q=0.5"),
        "",
    );
    assert!(french.body().contains("<html lang=\"fr\">") && french.body().contains("Authentification unique"));
    assert!(scene.get("/user?lang=fr").body().contains("<html lang=\"fr\">"));
    assert!(scene.get("/user").body().contains("<html lang=\"fr\">"));
}

#[test]
fn where_somebody_else_issues_sessions_the_site_says_so() {
    let elsewhere = Scene::new();
    let jwks = elsewhere.stack.environment().get("SESSION_JWKS").unwrap();
    let mut scene = Scene::with(&[("SESSION_JWKS", jwks)]);
    assert!(scene.get("/sign-in").body().contains("SESSION_JWKS"));
    assert_eq!(scene.get("/user").status(), StatusCode::OK);
    assert_eq!(scene.get("/.well-known/jwks.json").status(), StatusCode::NOT_FOUND);
}

#[test]
fn a_link_only_session_is_marked_shown_the_section_and_nothing_else() {
    let mut scene = Scene::new();
    scene.sign_in(&ACCOUNTS[0]);
    assert_eq!(scene.session().claim("link_only"), Some(&json!(true)));
    let settings = scene.get("/user").into_body();
    assert!(
        settings.contains("Connecting your account is required now"),
        "{settings}"
    );
    assert!(
        settings.contains("/sso/magento/start-link") && !settings.contains("/user/history"),
        "{settings}"
    );
    for elsewhere in ["/onboarding", "/user/history"] {
        assert_eq!(location(&scene.get(elsewhere)), scene.at("/user"), "{elsewhere}");
    }
    // Renewed, it is what it was; another sign-in once the requirement is paused is not.
    assert_eq!(scene.session().claim("link_only"), Some(&json!(true)));
    let mut scene = Scene::with(&[("LINKING_REQUIRED_FROM", "never")]);
    scene.sign_in(&ACCOUNTS[0]);
    assert_eq!(scene.session().claim("link_only"), None::<&Value>);
    assert_eq!(scene.get("/user/history").status(), StatusCode::OK);
}

#[test]
fn the_clock_moves_before_to_and_beyond_the_date_and_by_steps() {
    let mut scene = Scene::new();
    let page = scene.get("/development/clock").into_body();
    for part in [
        "Development tool",
        "1 April 2020, 00:00 UTC",
        r#"name="step" value="86400""#,
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for (field, value, expected) in [
        ("from_date", "-60", "2020-03-31T23:59:"),
        ("step", "60", "2020-04-01T00:00:"),
        ("from_date", "0", "2020-04-01T00:00:"),
        ("step", "-86400", "2020-03-31T00:00:"),
    ] {
        assert_eq!(
            location(&scene.submit("/development/clock", &[(field, value)])),
            "/development/clock"
        );
        let now = scene.stack.clock().now().to_string();
        assert!(now.starts_with(expected), "{field}={value}: {now}");
    }
    for (field, value) in [("step", "61"), ("from_date", "x"), ("other", "0")] {
        let response = scene.submit("/development/clock", &[(field, value)]);
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{field}={value}");
    }
    scene.submit("/development/clock", &[("machine", "0")]);
    assert!(!scene.stack.clock().now().to_string().starts_with("2020"));
}

#[test]
fn a_session_from_a_future_that_the_clock_left_is_none() {
    let mut scene = Scene::new();
    scene.sign_in(&ACCOUNTS[0]);
    scene.stack.clock().move_by_ms(-29_000);
    assert!(scene.is_signed_in());
    scene.stack.clock().move_by_ms(-3_600_000);
    assert!(!scene.is_signed_in());
}

#[test]
fn a_sign_in_with_a_provider_takes_a_hash_along_and_keeps_the_secret() {
    let mut scene = Scene::new();
    let start = location(&scene.submit(
        "/sign-in/start",
        &[("provider", "magento"), ("return_to", "onboarding")],
    ));
    let attempt = scene.cookies["__Host-accounts-sign-in"].clone();
    let [verifier, provider, destination] = attempt.split('.').collect::<Vec<_>>()[..] else {
        panic!("{attempt}")
    };
    assert_eq!((verifier.len(), provider, destination), (43, "magento", "onboarding"));
    let challenge = account_linking::ticket::Challenge::of(verifier);
    assert_eq!(start, format!("/sso/magento/sign-in?challenge={challenge}"));
    // It failed at the provider: the next attempt ends where the first should have.
    let again = scene.get("/sign-in?sso=cancelled&provider=magento").into_body();
    assert!(again.contains(r#"name="return_to" value="onboarding""#), "{again}");
    // A second tab goes the same way; another browser has another secret.
    assert_eq!(
        location(&scene.submit("/sign-in/start", &[("provider", "magento")])),
        start
    );
    scene.cookies.clear();
    assert_ne!(
        location(&scene.submit("/sign-in/start", &[("provider", "magento")])),
        start
    );
    let unknown = scene.submit("/sign-in/start", &[("provider", "nobody")]);
    assert_eq!(unknown.status(), StatusCode::BAD_REQUEST);
}

#[test]
fn a_ticket_that_this_browser_did_not_earn_signs_nobody_in() {
    let mut scene = Scene::new();
    let complete = "/sign-in/complete?ticket=AAAA";
    assert_eq!(location(&scene.get(complete)), "/sign-in?sso=ticket_unknown");
    scene.submit("/sign-in/start", &[("provider", "magento")]);
    let refused = location(&scene.get(complete));
    assert!(
        refused.starts_with("/sign-in?sso=ticket_unknown&provider=magento&request_id="),
        "{refused}"
    );
    let page = scene.get(&refused).into_body();
    assert!(page.contains("This sign-in has expired"), "{page}");
    assert!(!scene.cookies.contains_key(SESSION));
}

#[test]
fn the_sign_in_page_says_what_went_wrong_in_every_language_and_never_echoes() {
    let mut scene = Scene::new();
    for code in account_linking::http::problem::ErrorCode::ALL {
        for language in ["en", "fr"] {
            let page = scene.get(&format!("/sign-in?sso={code}&provider=magento&lang={language}"));
            let body = page.into_body();
            assert!(
                body.contains("class=\"message\"") && !body.contains("{provider}"),
                "{code}: {body}"
            );
        }
    }
    let body = scene
        .get("/sign-in?sso=%3Cb%3E&provider=%3Cb%3E&request_id=%3Cb%3E")
        .into_body();
    assert!(!body.contains("<b>") && !body.contains("&lt;b"), "{body}");
}
