//! What the functions and the settings section rely on, through the site's front door.

use std::collections::BTreeMap;

use account_linking::{
    clock::{MovableClock, SystemRandomness},
    identity::{Issuer, ProviderId},
    jose::{Algorithm, CompactJws, KeySet, SigningKey, VerifiedJwt},
};
use axum::body::Bytes;
use http::header;

use super::{people::ACCOUNTS, *};

const ORIGIN: &str = "http://accounts.localhost:8080";
const SESSION: &str = "__Host-session";

/// The site and one browser at it.
struct Scene {
    site: AccountsSite,
    clock: Arc<MovableClock>,
    cookies: BTreeMap<String, String>,
}

impl Scene {
    fn new() -> Self {
        let terms = SessionTerms {
            issuer: "the issuer".to_owned(),
            audience: "the audience".to_owned(),
            cookie: SESSION.to_owned(),
        };
        let key = SigningKey::generate_p256("key").unwrap();
        let sessions = SessionIssuer::new(terms, key, Arc::new(SystemRandomness::default())).unwrap();
        let clock = Arc::new(MovableClock::default());
        let site = AccountsSite {
            origin: ORIGIN.to_owned(),
            settings_url: format!("{ORIGIN}/user"),
            onboarding_url: format!("{ORIGIN}/onboarding"),
            providers: vec![provider("magento", "Magento.com", "http://magento.localhost:8080")],
            sessions: Some(sessions),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
        };
        Self {
            site,
            clock,
            cookies: BTreeMap::new(),
        }
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
        let response = self.site.respond(&Request::new(parts, Bytes::from(body.to_owned())));
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
            .header(header::ORIGIN, ORIGIN)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.send(request, &body)
    }

    fn sign_in(&mut self, account: &Account) {
        assert_eq!(
            location(&self.submit("/sign-in", &[("account", account.id)])),
            format!("{ORIGIN}/user")
        );
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

fn provider(id: &str, name: &str, origin: &str) -> ProviderEntry {
    ProviderEntry {
        id: ProviderId::parse(id).unwrap(),
        name: name.to_owned(),
        issuer: Issuer::parse(origin).unwrap(),
        form_origins: vec![origin.to_owned()],
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
    assert!(session.date("exp").unwrap() > scene.clock.now().plus(half_an_hour));
}

#[test]
fn whoever_is_not_signed_in_is_sent_to_sign_in_and_back() {
    let mut scene = Scene::new();
    for id in ["settings", "onboarding"] {
        let page = if id == "settings" { "/user" } else { "/onboarding" };
        let sign_in = location(&scene.get(page));
        assert_eq!(sign_in, format!("/sign-in?return_to={id}"));
        let body = scene.get(&sign_in).into_body();
        assert!(body.contains(&format!(r#"name="return_to" value="{id}""#)), "{body}");
        let back = location(&scene.submit("/sign-in", &[("account", ACCOUNTS[0].id), ("return_to", id)]));
        assert_eq!(back, format!("{ORIGIN}{page}"));
        scene.submit("/sign-out", &[]);
    }
}

#[test]
fn every_page_view_renews_the_session_and_changes_nothing_else() {
    let mut scene = Scene::new();
    scene.sign_in(&ACCOUNTS[0]);
    let first = scene.session();
    scene.clock.move_by_ms(1_200_000);
    assert!(scene.is_signed_in());
    let renewed = scene.session();
    assert!(renewed.date("exp") > first.date("exp"));
    assert_eq!(renewed.text("sid"), first.text("sid"));
    assert_eq!(renewed.date("auth_time"), first.date("auth_time"));
    scene.clock.move_by_ms(3_600_000);
    assert!(!scene.is_signed_in());
}

#[test]
fn the_sign_in_page_renews_a_good_session_without_asking() {
    let mut scene = Scene::new();
    scene.sign_in(&ACCOUNTS[0]);
    let first = scene.session();
    scene.clock.move_by_ms(3_000_000);
    assert_eq!(
        location(&scene.get("/sign-in?return_to=onboarding")),
        format!("{ORIGIN}/onboarding")
    );
    assert!(scene.session().date("exp") > first.date("exp"));
}

#[test]
fn signing_in_again_moves_auth_time_within_the_same_session() {
    let mut scene = Scene::new();
    scene.sign_in(&ACCOUNTS[1]);
    let first = scene.session();
    scene.clock.move_by_ms(600_000);
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
    for path in ["/sign-in", "/sign-out"] {
        let request = http::Request::post(path)
            .header(header::ORIGIN, "http://magento.localhost:8080")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let response = scene.send(request, "account=acct:7QXW-2LMD%23A1");
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
    assert!(
        policy.contains("form-action 'self' http://magento.localhost:8080;"),
        "{policy}"
    );
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
        ("?sso=%22%3E%3Cb%3E&provider=magento", "/sso/magento/status"),
        ("", "/sso/magento/status"),
    ] {
        let body = scene.get(&format!("/user{query}")).into_body();
        assert!(body.contains(&format!(r#"href="{link}""#)), "{query}: {body}");
    }
}

#[test]
fn each_provider_has_a_section_of_its_own() {
    let mut scene = Scene::new();
    scene
        .site
        .providers
        .push(provider("adobe", "Adobe & Co", "http://adobe.localhost:8080"));
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
    let targets = "form-action 'self' http://magento.localhost:8080 http://adobe.localhost:8080;";
    assert!(policy.contains(targets), "{policy}");
}

#[test]
fn the_section_of_the_onboarding_page_returns_there() {
    let mut scene = Scene::new();
    scene.sign_in(&ACCOUNTS[0]);
    for (page, id) in [("/user", "settings"), ("/onboarding", "onboarding")] {
        let body = scene.get(page).into_body();
        assert!(body.contains(&format!(r#"name="return_to" value="{id}""#)), "{body}");
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
    let mut scene = Scene::new();
    scene.site.sessions = None;
    assert!(scene.get("/sign-in").body().contains("SESSION_JWKS"));
    assert_eq!(scene.get("/user").status(), StatusCode::OK);
    assert_eq!(scene.get("/.well-known/jwks.json").status(), StatusCode::NOT_FOUND);
}
