//! What reads bytes that strangers wrote, one function each. Whatever comes, it neither panics nor asks for memory beyond its bounds.

use std::{
    pin::pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll, Waker},
};

use account_linking::{
    clock::{Deadline, SystemRandomness, Timestamp},
    config::{Environment, ProviderDirectory, Reader},
    flow::{Flow, FlowSecret, PendingLink},
    http::{
        cookies::{self, Cookies},
        request::{REQUEST_BUDGET, Request},
    },
    identity::Issuer,
    jose::{Algorithm, KeySet, KeySource, SigningKey},
    outbound::Locality,
    provider::{
        Providers,
        authorization_response::AuthorizationResponse,
        discovery::ProviderMetadata,
        id_token::{self, Expectations},
    },
    seal::{FlowKeys, Kind},
    session::SessionVerifier,
};
use http::{
    HeaderMap, HeaderValue, Method,
    header::{CONTENT_TYPE, COOKIE},
};
use serde::{Serialize, Serializer, ser::SerializeTuple};
use serde_json::json;

const ISSUER: &str = "https://id.example";
const NOW: Timestamp = Timestamp::from_unix_seconds(1_585_699_200);

/// Whose signatures count here, so that what is behind them is reached.
static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate_p256("k").expect("randomness"));
static KEYS: LazyLock<KeySet> =
    LazyLock::new(|| KeySet::parse(json!({"keys": [KEY.public_jwk()]}).to_string().as_bytes()).expect("a key of ours"));
static FLOW_KEYS: LazyLock<FlowKeys> = LazyLock::new(|| {
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    FlowKeys::parse(key, "https://accounts.example").expect("32 bytes")
});

/// A function of this file.
pub type Target = fn(&[u8]);

/// All of them, by the names of their corpora.
pub const TARGETS: [(&str, Target); 9] = [
    ("authorization_response", authorization_response),
    ("cookie_header", cookie_header),
    ("discovery", discovery),
    ("form_body", form_body),
    ("id_token", id_token),
    ("jwks", jwks),
    ("providers", providers),
    ("sealed_value", sealed_value),
    ("session_token", session_token),
];

/// The `Cookie` header field.
pub fn cookie_header(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else {
        return;
    };
    let headers = HeaderMap::from_iter([(COOKIE, value)]);
    if let Ok(cookies) = Cookies::parse(&headers, "__Host-accounts-session") {
        let _ = (cookies.session(), cookies.pending_link());
        for (name, value) in cookies.flows() {
            assert_eq!(cookies.flow(name), Some(*value));
        }
    }
}

/// What a browser carries sealed: as it comes, and as if we had sealed it.
pub fn sealed_value(data: &[u8]) {
    let (name, random) = (cookies::PENDING_LINK, SystemRandomness::default());
    let sealed = FLOW_KEYS
        .seal(Kind::PendingLink, name, &Raw(data), &random)
        .expect("bytes");
    for text in [&*String::from_utf8_lossy(data), &sealed] {
        let _ = FLOW_KEYS.open::<PendingLink>(Kind::PendingLink, name, text);
        assert!(FLOW_KEYS.open::<Flow>(Kind::Flow, name, text).is_err(), "another kind");
        assert!(
            FLOW_KEYS.open::<PendingLink>(Kind::PendingLink, "x", text).is_err(),
            "another name"
        );
    }
}

/// The query of a callback.
pub fn authorization_response(data: &[u8]) {
    let Ok(query) = std::str::from_utf8(data) else { return };
    if let Ok(response) = AuthorizationResponse::parse(query) {
        let _ = cookies::flow_name_for(response.state());
        let _ = response.accept(&issuer(), true);
    }
}

/// The body of a form, and of what servers send.
pub fn form_body(data: &[u8]) {
    let headers = |kind| HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
    let request = |kind| {
        let path = "/sso/magento/start-link".to_owned();
        Request::from_parts(
            Method::POST,
            path,
            String::new(),
            headers(kind),
            data.to_vec(),
            String::new(),
        )
    };
    if let Ok(form) = request("application/x-www-form-urlencoded").form() {
        let _ = (form.one("intent"), form.one("return_to"));
    }
    let _ = request("application/json").json_object();
}

/// A session: as it comes, and its first line as a header and the rest as claims that the accounts site has signed.
pub fn session_token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let sources = vec![KeySource::Fixed(Arc::new(KEYS.clone()))];
    let verifier = SessionVerifier::new(sources, ISSUER, "account-linking");
    for token in [text.to_owned(), signed(text)] {
        let bearer = format!("Bearer {token}");
        let deadline = Deadline::within(REQUEST_BUDGET);
        let session = pin!(verifier.authenticate(Some(&token), Some(&bearer), NOW, deadline));
        // Keys that are at hand are waited for by nobody.
        let Poll::Ready(_) = session.poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("it waits")
        };
    }
}

/// An ID token: as it comes, and its first line as a header and the rest as claims that the provider has signed.
pub fn id_token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let nonce: FlowSecret = serde_json::from_value(json!([0_u8; 32].as_slice())).expect("32 bytes");
    let expected = Expectations {
        issuer: &issuer(),
        client_id: "accounts",
        algorithms: &[Algorithm::Es256],
        nonce: &nonce,
    };
    for token in [text, &signed(text)] {
        let _ = id_token::verify(token, &KEYS, &expected, NOW);
    }
}

/// A provider's keys.
pub fn jwks(data: &[u8]) {
    let _ = KeySet::parse(data);
}

/// A provider's metadata.
pub fn discovery(data: &[u8]) {
    if let Ok(metadata) = ProviderMetadata::parse(data, &issuer(), Locality::Deployed) {
        assert_eq!(metadata.token_endpoint.scheme(), "https");
    }
}

/// The variable `PROVIDERS`.
pub fn providers(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut environment = Environment::default();
    environment.set("PROVIDERS", text);
    let mut reader = Reader::new(&environment);
    let _ = ProviderDirectory::read(&mut reader);
    let _ = Providers::read(&mut reader, None);
}

fn issuer() -> Issuer {
    Issuer::parse(ISSUER).expect("a URL")
}

/// `text`, of which the first line is the header and the rest the claims, signed.
fn signed(text: &str) -> String {
    let (header, claims) = text.split_once('\n').unwrap_or((r#"{"alg":"ES256"}"#, text));
    KEY.sign_compact(header, claims).expect("P-256 signs everything")
}

/// Bytes that are themselves in the format of what is sealed.
struct Raw<'a>(&'a [u8]);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|byte| bytes.serialize_element(byte))?;
        bytes.end()
    }
}
