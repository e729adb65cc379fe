//! The provider's honesty, through its front door.

use std::{path::Path, sync::Arc};

use account_linking::{
    clock::{MovableClock, SystemRandomness},
    jose::{Algorithm, CompactJws, KeySet, VerifiedJwt},
};
use axum::body::Bytes;
use base64::engine::general_purpose::STANDARD;
use http::header;
use ring::digest::{SHA256, digest};

use super::*;

const ISSUER: &str = "http://magento.localhost:8080";
const CLIENT_ID: &str = "client:with a colon";
const SECRET: &str = "s+cr/t=%&";
const REDIRECT_URI: &str = "http://accounts.localhost:8080/sso/magento/callback";
const VERIFIER: &str = "the-verifier-has-at-least-forty-three-characters";
const ALICE: &str = "6f1c0b7e-2d64-4d0c-9b0a-8b5a4a1f7c11";
const CHLOE: &str = "e4a80d19-95b6-4f7d-a1c7-3f27b8d6e933";

/// A provider and one browser at it.
struct Scene {
    provider: Provider,
    clock: Arc<MovableClock>,
    cookie: String,
}

impl Scene {
    fn new() -> Self {
        Self::keeping(None)
    }

    fn keeping(people_file: Option<&Path>) -> Self {
        let clock = Arc::new(MovableClock::default());
        let client = Client {
            id: CLIENT_ID.to_owned(),
            secret: ClientSecret::new(SECRET),
            redirect_uri: REDIRECT_URI.to_owned(),
        };
        let provider = Provider::open(
            ISSUER.to_owned(),
            client,
            SigningKey::generate_p256("key").unwrap(),
            people_file.map(Path::to_path_buf),
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::new(SystemRandomness::default()),
        );
        Self {
            provider: provider.unwrap(),
            clock,
            cookie: String::new(),
        }
    }

    fn send(&mut self, request: http::request::Builder, body: &str) -> Response {
        let (parts, ()) = request
            .header(header::COOKIE, &self.cookie)
            .body(())
            .unwrap()
            .into_parts();
        let response = self
            .provider
            .respond(&Request::new(parts, Bytes::from(body.to_owned())));
        if let Some(cookie) = response.headers().get(header::SET_COOKIE) {
            self.cookie = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        }
        response
    }

    fn get(&mut self, path: &str) -> Response {
        self.send(http::Request::get(path), "")
    }

    /// Posts one of the provider's own forms.
    fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Response {
        let request = http::Request::post(path)
            .header(header::ORIGIN, ISSUER)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, &encode(fields))
    }

    /// A call of the client, which proves itself by `client_secret_basic`.
    fn call(&mut self, path: &str, fields: &[(&str, &str)]) -> Response {
        let request = http::Request::post(path)
            .header(header::AUTHORIZATION, basic(CLIENT_ID, SECRET))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, &encode(fields))
    }

    fn sign_in(&mut self, person: &str) {
        assert_eq!(location(&self.submit("/sign-in", &[("person", person)])), "/");
    }

    fn authorize(&mut self, fields: &[(&str, &str)]) -> Response {
        self.get(&format!("/authorize?{}", encode(fields)))
    }

    /// A code for whoever is signed in.
    fn code(&mut self) -> String {
        let response = self.authorize(&authorization_request());
        parameter(&location(&response), "code").unwrap()
    }

    fn redeem(&mut self, code: &str, changed: &[(&str, &str)]) -> Response {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ];
        self.call("/token", &with(&fields, changed))
    }

    fn id_token(&mut self, response: &Response) -> VerifiedJwt {
        let answer: Value = serde_json::from_str(response.body()).unwrap();
        let keys = KeySet::parse(self.get("/jwks").body().as_bytes()).unwrap();
        let token = answer["id_token"].as_str().unwrap();
        CompactJws::parse(token)
            .unwrap()
            .verify(&keys, &[Algorithm::Es256])
            .unwrap()
    }
}

fn authorization_request() -> Vec<(&'static str, &'static str)> {
    // The S256 challenge of `VERIFIER`, made once and then a constant of the tests.
    static CHALLENGE: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes())));
    vec![
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", REDIRECT_URI),
        ("scope", "openid email"),
        ("state", "the state"),
        ("nonce", "the nonce"),
        ("code_challenge", CHALLENGE.as_str()),
        ("code_challenge_method", "S256"),
    ]
}

/// `fields` with others in the place of some; an empty one goes.
fn with<'a>(fields: &[(&'a str, &'a str)], changed: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let kept = fields
        .iter()
        .filter(|(name, _)| changed.iter().all(|(other, _)| name != other));
    kept.chain(changed)
        .copied()
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

fn encode(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

fn basic(id: &str, secret: &str) -> String {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{}", encode(id), encode(secret)))
    )
}

fn location(response: &Response) -> String {
    assert_eq!(response.status(), StatusCode::SEE_OTHER, "{}", response.body());
    response.headers()[header::LOCATION].to_str().unwrap().to_owned()
}

fn parameter(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    form_urlencoded::parse(query.as_bytes())
        .find(|(found, _)| found == name)
        .map(|(_, value)| value.into_owned())
}

#[track_caller]
fn assert_sent_back_with(response: &Response, error: &str) {
    let location = location(response);
    assert!(location.starts_with(&format!("{REDIRECT_URI}?")), "{location}");
    assert_eq!(parameter(&location, "error").as_deref(), Some(error));
    assert_eq!(parameter(&location, "state").as_deref(), Some("the state"));
    assert_eq!(parameter(&location, "iss").as_deref(), Some(ISSUER));
    assert_eq!(parameter(&location, "code"), None);
}

#[track_caller]
fn assert_refused(response: &Response, error: &str) {
    assert_eq!(response.body(), &json!({"error": error}).to_string());
    let status = if error == "invalid_client" {
        StatusCode::UNAUTHORIZED
    } else {
        StatusCode::BAD_REQUEST
    };
    assert_eq!(response.status(), status);
}

// ---- The way it should go ----

#[test]
fn a_code_is_worth_an_id_token_of_whoever_signed_in() {
    let mut scene = Scene::new();
    let page = location(&scene.authorize(&authorization_request()));
    assert!(page.starts_with("/sign-in?interaction="), "{page}");
    let interaction = parameter(&page, "interaction").unwrap();
    assert_eq!(scene.get(&page).status(), StatusCode::OK);
    let answer = location(&scene.submit("/sign-in", &[("interaction", &interaction), ("person", ALICE)]));
    assert_eq!(parameter(&answer, "state").as_deref(), Some("the state"));
    assert_eq!(parameter(&answer, "iss").as_deref(), Some(ISSUER));

    let response = scene.redeem(&parameter(&answer, "code").unwrap(), &[]);
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let id_token = scene.id_token(&response);
    for (claim, expected) in [
        ("iss", json!(ISSUER)),
        ("sub", json!(ALICE)),
        ("aud", json!(CLIENT_ID)),
        ("nonce", json!("the nonce")),
        ("email", json!("alice@example.com")),
        ("email_verified", json!(true)),
    ] {
        assert_eq!(id_token.claim(claim), Some(&expected), "{claim}");
    }
    let now = scene.clock.now();
    assert!(id_token.date("iat").unwrap() <= now && now < id_token.date("exp").unwrap());
    assert!(id_token.date("auth_time").unwrap() <= now);
    assert!(
        !scene.cookie.contains(id_token.text("sid").unwrap()),
        "the cookie's secret is in the token"
    );
}

#[test]
fn whoever_is_signed_in_goes_straight_back() {
    let mut scene = Scene::new();
    scene.sign_in(CHLOE);
    let code = scene.code();
    let response = scene.redeem(&code, &[]);
    let id_token = scene.id_token(&response);
    assert_eq!(id_token.text("sub"), Some(CHLOE));
    assert_eq!(id_token.claim("email_verified"), Some(&json!(false)));
}

#[test]
fn without_the_email_scope_there_is_no_address() {
    let mut scene = Scene::new();
    scene.sign_in(ALICE);
    let answer = location(&scene.authorize(&with(&authorization_request(), &[("scope", "openid")])));
    let response = scene.redeem(&parameter(&answer, "code").unwrap(), &[]);
    let id_token = scene.id_token(&response);
    assert_eq!(
        (id_token.claim("email"), id_token.claim("email_verified")),
        (None, None)
    );
}

#[test]
fn discovery_names_the_issuer_and_where_everything_is() {
    let mut scene = Scene::new();
    let metadata: Value = serde_json::from_str(scene.get("/.well-known/openid-configuration").body()).unwrap();
    assert_eq!(metadata["issuer"], ISSUER);
    for (name, method) in [
        ("authorization_endpoint", Method::GET),
        ("jwks_uri", Method::GET),
        ("token_endpoint", Method::POST),
        ("pushed_authorization_request_endpoint", Method::POST),
    ] {
        let path = metadata[name]
            .as_str()
            .unwrap()
            .strip_prefix(ISSUER)
            .unwrap()
            .to_owned();
        let response = scene.send(http::Request::builder().method(method).uri(path), "");
        assert_ne!(response.status(), StatusCode::NOT_FOUND, "{name}");
    }
}

#[test]
fn calls_are_counted() {
    let mut scene = Scene::new();
    scene.sign_in(ALICE);
    let code = scene.code();
    scene.redeem(&code, &[]);
    scene.redeem(&code, &[]);
    let expected = ProviderCalls {
        authorization: 1,
        token: 2,
        codes_redeemed: 1,
        ..ProviderCalls::default()
    };
    assert_eq!(scene.provider.calls(), expected);
}

// ---- The token endpoint ----

#[test]
fn a_code_is_redeemed_once() {
    let mut scene = Scene::new();
    scene.sign_in(ALICE);
    let code = scene.code();
    assert_eq!(scene.redeem(&code, &[]).status(), StatusCode::OK);
    assert_refused(&scene.redeem(&code, &[]), "invalid_grant");
}

#[test]
fn a_code_needs_the_verifier_and_the_redirect_uri_it_was_asked_for_with() {
    for (name, other) in [
        ("code_verifier", "another-verifier-of-at-least-forty-three-characters"),
        ("redirect_uri", "http://accounts.localhost:8080/sso/magento/callback/"),
        ("code", "another"),
    ] {
        let mut scene = Scene::new();
        scene.sign_in(ALICE);
        let code = scene.code();
        assert_refused(&scene.redeem(&code, &[(name, other)]), "invalid_grant");
        assert_refused(&scene.redeem(&code, &[(name, "")]), "invalid_request");
    }
}

#[test]
fn a_wrong_verifier_spends_the_code() {
    let mut scene = Scene::new();
    scene.sign_in(ALICE);
    let code = scene.code();
    let wrong = [("code_verifier", "another-verifier-of-at-least-forty-three-characters")];
    assert_refused(&scene.redeem(&code, &wrong), "invalid_grant");
    assert_refused(&scene.redeem(&code, &[]), "invalid_grant");
}

#[test]
fn a_code_expires() {
    let mut scene = Scene::new();
    scene.sign_in(ALICE);
    let code = scene.code();
    scene.clock.move_by_ms(60_000);
    assert_refused(&scene.redeem(&code, &[]), "invalid_grant");
}

#[test]
fn only_codes_are_granted_anything() {
    let mut scene = Scene::new();
    assert_refused(
        &scene.redeem("c", &[("grant_type", "client_credentials")]),
        "unsupported_grant_type",
    );
    assert_refused(&scene.redeem("c", &[("grant_type", "")]), "invalid_request");
}

#[test]
fn the_client_proves_itself_by_exactly_one_method() {
    let mut scene = Scene::new();
    let mut token = |authorization: Option<String>, fields: &[(&str, &str)]| {
        let mut request =
            http::Request::post("/token").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let fields = with(&[("grant_type", "authorization_code"), ("code", "c")], fields);
        let fields = with(&fields, &[("redirect_uri", REDIRECT_URI), ("code_verifier", VERIFIER)]);
        scene.send(request, &encode(&fields))
    };
    // An unknown code is what is wrong once the client is known.
    assert_refused(&token(Some(basic(CLIENT_ID, SECRET)), &[]), "invalid_grant");
    assert_refused(
        &token(None, &[("client_id", CLIENT_ID), ("client_secret", SECRET)]),
        "invalid_grant",
    );

    for (authorization, fields, error) in [
        (None, vec![], "invalid_client"),
        (None, vec![("client_id", CLIENT_ID)], "invalid_client"),
        (
            None,
            vec![("client_id", CLIENT_ID), ("client_secret", "wrong")],
            "invalid_client",
        ),
        (
            None,
            vec![("client_id", "other"), ("client_secret", SECRET)],
            "invalid_client",
        ),
        (Some(basic(CLIENT_ID, "wrong")), vec![], "invalid_client"),
        (Some(basic("other", SECRET)), vec![], "invalid_client"),
        // The encoding of RFC 6749 section 2.3.1 is not left out.
        (
            Some(format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{SECRET}")))),
            vec![],
            "invalid_client",
        ),
        (Some("Basic !".to_owned()), vec![], "invalid_client"),
        (Some(format!("Bearer {SECRET}")), vec![], "invalid_client"),
        (
            Some(basic(CLIENT_ID, SECRET)),
            vec![("client_id", "other")],
            "invalid_request",
        ),
        (
            Some(basic(CLIENT_ID, SECRET)),
            vec![("client_secret", SECRET)],
            "invalid_request",
        ),
    ] {
        let response = token(authorization, &fields);
        assert_refused(&response, error);
        assert_eq!(
            response.headers().contains_key(header::WWW_AUTHENTICATE),
            error == "invalid_client"
        );
    }
}

// ---- The authorization endpoint ----

#[test]
fn a_request_without_our_client_and_its_redirect_uri_is_told_to_nobody_but_the_person() {
    let mut scene = Scene::new();
    scene.sign_in(ALICE);
    for changed in [
        ("client_id", "other"),
        ("client_id", ""),
        ("redirect_uri", ""),
        ("redirect_uri", "http://accounts.localhost:8080/sso/magento/callback/"),
        ("redirect_uri", "http://accounts.localhost:8080/sso/magento/callback?x"),
        ("redirect_uri", "http://evil.localhost:8080/sso/magento/callback"),
    ] {
        let response = scene.authorize(&with(&authorization_request(), &[changed]));
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{changed:?}");
        assert!(!response.headers().contains_key(header::LOCATION));
    }
    let twice = [authorization_request(), vec![("scope", "openid")]].concat();
    assert_eq!(scene.authorize(&twice).status(), StatusCode::BAD_REQUEST);
}

#[test]
fn the_client_learns_what_is_wrong_with_its_request() {
    let mut scene = Scene::new();
    scene.sign_in(ALICE);
    for (changed, error) in [
        (("response_type", ""), "invalid_request"),
        (("response_type", "code id_token"), "unsupported_response_type"),
        (("response_mode", "fragment"), "invalid_request"),
        (("scope", "email"), "invalid_scope"),
        (("scope", "openidconnect"), "invalid_scope"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge", "too-short"), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("prompt", "none login"), "invalid_request"),
        (("prompt", "dance"), "invalid_request"),
        (("max_age", "soon"), "invalid_request"),
        (("request", "a.b.c"), "request_not_supported"),
    ] {
        assert_sent_back_with(&scene.authorize(&with(&authorization_request(), &[changed])), error);
    }
}

#[test]
fn prompt_none_never_shows_a_page() {
    let mut scene = Scene::new();
    let request = with(&authorization_request(), &[("prompt", "none")]);
    assert_sent_back_with(&scene.authorize(&request), "login_required");
    scene.sign_in(ALICE);
    assert!(parameter(&location(&scene.authorize(&request)), "code").is_some());
    scene.clock.move_by_ms(61_000);
    let request = with(&request, &[("max_age", "60")]);
    assert_sent_back_with(&scene.authorize(&request), "login_required");
}

#[test]
fn who_is_signed_in_is_asked_when_the_client_wants_it() {
    let mut scene = Scene::new();
    scene.sign_in(ALICE);
    scene.clock.move_by_ms(61_000);
    for (changed, page) in [
        (("prompt", "login"), "/sign-in?"),
        (("max_age", "60"), "/sign-in?"),
        (("prompt", "select_account"), "/sign-in?"),
        (("prompt", "create"), "/create-account?"),
        (("prompt", "select_account create"), "/create-account?"),
    ] {
        let location = location(&scene.authorize(&with(&authorization_request(), &[changed])));
        assert!(location.starts_with(page), "{changed:?}: {location}");
    }
}

#[test]
fn choosing_an_account_is_no_proof_and_signing_in_again_is() {
    for (prompt, proves) in [("select_account", false), ("login", true)] {
        let mut scene = Scene::new();
        scene.sign_in(ALICE);
        let before = scene.clock.now();
        scene.clock.move_by_ms(600_000);
        let page = location(&scene.authorize(&with(&authorization_request(), &[("prompt", prompt)])));
        let interaction = parameter(&page, "interaction").unwrap();
        let answer = location(&scene.submit("/sign-in", &[("interaction", &interaction), ("person", ALICE)]));
        let response = scene.redeem(&parameter(&answer, "code").unwrap(), &[]);
        let auth_time = scene.id_token(&response).date("auth_time").unwrap();
        assert_eq!(auth_time > before, proves, "{prompt}");
    }
}

#[test]
fn who_declines_is_sent_back_and_cannot_go_on_afterwards() {
    let mut scene = Scene::new();
    let page = location(&scene.authorize(&authorization_request()));
    let interaction = parameter(&page, "interaction").unwrap();
    let cancel = [("interaction", interaction.as_str()), ("decision", "cancel")];
    assert_sent_back_with(&scene.submit("/sign-in", &cancel), "access_denied");
    let late = scene.submit("/sign-in", &[("interaction", &interaction), ("person", ALICE)]);
    assert_eq!(late.status(), StatusCode::BAD_REQUEST);
    assert_eq!(scene.get(&page).status(), StatusCode::BAD_REQUEST);
}

// ---- Pushed requests ----

#[test]
fn a_pushed_request_serves_once_and_only_its_client() {
    let mut scene = Scene::new();
    scene.sign_in(ALICE);
    let push = |scene: &mut Scene| {
        let response = scene.call("/par", &authorization_request());
        assert_eq!(response.status(), StatusCode::CREATED);
        let answer: Value = serde_json::from_str(response.body()).unwrap();
        assert_eq!(answer["expires_in"], 60);
        answer["request_uri"].as_str().unwrap().to_owned()
    };
    let request_uri = push(&mut scene);
    let foreign = scene.authorize(&[("client_id", "other"), ("request_uri", &request_uri)]);
    assert_eq!(foreign.status(), StatusCode::BAD_REQUEST);

    let request = [("client_id", CLIENT_ID), ("request_uri", request_uri.as_str())];
    assert!(parameter(&location(&scene.authorize(&request)), "code").is_some());
    assert_eq!(scene.authorize(&request).status(), StatusCode::BAD_REQUEST);

    let request_uri = push(&mut scene);
    scene.clock.move_by_ms(60_000);
    let late = scene.authorize(&[("client_id", CLIENT_ID), ("request_uri", &request_uri)]);
    assert_eq!(late.status(), StatusCode::BAD_REQUEST);
}

#[test]
fn what_would_be_refused_in_the_browser_is_refused_when_pushed() {
    let mut scene = Scene::new();
    for (changed, error) in [
        (("redirect_uri", "http://evil.localhost/"), "invalid_request"),
        (("client_id", "other"), "invalid_request"),
        (("code_challenge", ""), "invalid_request"),
        (
            ("request_uri", "urn:ietf:params:oauth:request_uri:x"),
            "invalid_request",
        ),
        (("scope", "email"), "invalid_scope"),
    ] {
        assert_refused(&scene.call("/par", &with(&authorization_request(), &[changed])), error);
    }
    let request = http::Request::post("/par").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    assert_refused(
        &scene.send(request, &encode(&authorization_request())),
        "invalid_client",
    );
}

// ---- People ----

#[test]
fn a_new_account_is_signed_in_and_kept() {
    let folder = std::env::temp_dir().join(format!("provider-people-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("people.json");

    let mut scene = Scene::keeping(Some(&file));
    let page = location(&scene.authorize(&with(&authorization_request(), &[("prompt", "create")])));
    let interaction = parameter(&page, "interaction").unwrap();
    let fields = [
        ("interaction", interaction.as_str()),
        ("name", "Dana <b>"),
        ("email", "dana@example.com"),
    ];
    let answer = location(&scene.submit("/create-account", &with(&fields, &[("email_verified", "true")])));
    let response = scene.redeem(&parameter(&answer, "code").unwrap(), &[]);
    let id_token = scene.id_token(&response);
    assert_eq!(id_token.text("email"), Some("dana@example.com"));
    assert_eq!(id_token.claim("email_verified"), Some(&json!(true)));

    let mut restarted = Scene::keeping(Some(&file));
    let page = restarted.get("/sign-in");
    assert!(page.body().contains("Dana &lt;b&gt;"), "{}", page.body());
    restarted.sign_in(id_token.text("sub").unwrap());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn an_account_that_cannot_be_created_is_explained_on_the_form() {
    let mut scene = Scene::new();
    for (name, email) in [
        ("", "dana@example.com"),
        ("Dana", "dana"),
        ("Dana", "ALICE@example.com"),
        ("", ""),
    ] {
        let page = scene.submit("/create-account", &[("name", name), ("email", email)]);
        assert_eq!(page.status(), StatusCode::BAD_REQUEST, "{name} {email}");
        assert!(page.body().contains("role=\"alert\""), "{name} {email}");
        assert!(!page.headers().contains_key(header::SET_COOKIE));
    }
}

#[test]
fn signing_out_ends_the_session_for_good() {
    let mut scene = Scene::new();
    scene.sign_in(ALICE);
    let kept = scene.cookie.clone();
    scene.submit("/sign-out", &[]);
    scene.cookie = kept;
    assert!(location(&scene.authorize(&authorization_request())).starts_with("/sign-in?"));
}

#[test]
fn a_form_of_another_site_signs_nobody_in() {
    let mut scene = Scene::new();
    for path in ["/sign-in", "/create-account", "/sign-out"] {
        let request = http::Request::post(path)
            .header(header::ORIGIN, "http://accounts.localhost:8080")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let response = scene.send(request, &encode(&[("person", ALICE), ("name", "n"), ("email", "a@b")]));
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
        assert!(!response.headers().contains_key(header::SET_COOKIE), "{path}");
    }
}

#[test]
fn the_pages_speak_the_language_that_the_client_asks_for() {
    let mut scene = Scene::new();
    let request = with(&authorization_request(), &[("ui_locales", "fr-CA en")]);
    let page = location(&scene.authorize(&request));
    let page = scene.get(&page);
    assert!(page.body().contains("<html lang=\"fr\">"), "{}", page.body());
    let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(
        policy.contains("form-action 'self' http://accounts.localhost:8080;"),
        "{policy}"
    );
}
