//! The provider's honesty, through its front door: what is common, and the way it should go.

mod authorization_endpoint;
mod people;
mod pushed_requests;
mod token_endpoint;

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
