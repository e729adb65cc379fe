//! What everybody is told: the configuration of the functions, and the requests they answer.

use account_linking::{
    clock::{Clock, SystemClock, SystemRandomness},
    flow::{Flow, Purpose, ReturnTarget, SessionBinding},
    http::cookies,
    identity::{AccountId, ProviderId, SessionId},
    jose::SigningKey,
    seal::{FlowKeys, Kind},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::upstream::Upstream;

pub(crate) const ACCOUNT: &str = "account-1";
pub(crate) const CLIENT_ID: &str = "account-linking";
pub(crate) const EMAIL: &str = "merchant@example.com";
pub(crate) const FLOW_KEYS: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
pub(crate) const SUBJECT: &str = "9e1f0a52-6f0c-4b3e-8f0d-5c1e2a7b3d44";

const ORIGIN: &str = "https://accounts.localhost";
pub(crate) const SESSION: &str = "session-1";
const SESSION_AUDIENCE: &str = "account-linking";

type Error = Box<dyn std::error::Error>;

/// Which request a function is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    StartLink,
    Status,
    Callback,
}

/// Whose sealed flow a callback brings: each implementation has a format of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlowFormat {
    Ours,
    Peers,
}

/// One site with one person who is signed in.
pub(crate) struct World {
    session_jwks: String,
    session: String,
    flow_keys: FlowKeys,
    random: SystemRandomness,
    pub(crate) upstream: Upstream,
}

impl World {
    pub(crate) fn new(upstream: Upstream) -> Result<Self, Error> {
        let key = SigningKey::generate_p256("sessions")?;
        let now = SystemClock.now().unix_seconds();
        let session = key.sign_jwt(&json!({
            "iss": ORIGIN, "aud": SESSION_AUDIENCE, "sub": ACCOUNT, "sid": SESSION, "email": EMAIL,
            "auth_time": now - 60, "iat": now, "exp": now + 3000,
        }))?;
        Ok(Self {
            session_jwks: json!({"keys": [key.public_jwk()]}).to_string(),
            session,
            flow_keys: FlowKeys::parse(FLOW_KEYS, ORIGIN)?,
            random: SystemRandomness::default(),
            upstream,
        })
    }

    /// The variables of a function (contract section 8).
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let upstream = &self.upstream.origin;
        let providers = json!([{
            "id": "magento", "name": "Magento.com", "issuer": upstream,
            "client_id": CLIENT_ID, "client_authentication": "client_secret_basic", "client_secret": "a secret between us",
            "authorization_endpoint": format!("{upstream}/authorize"), "token_endpoint": format!("{upstream}/token"),
            "jwks_uri": format!("{upstream}/jwks"), "id_token_signing_algs": ["ES256"],
        }]);
        vec![
            ("PUBLIC_ORIGIN", ORIGIN.to_owned()),
            ("SETTINGS_URL", format!("{ORIGIN}/user")),
            ("SIGN_IN_URL", format!("{ORIGIN}/sign-in")),
            ("SIGN_IN_COMPLETE_URL", format!("{ORIGIN}/sign-in/complete")),
            ("TABLE_NAME", "links".to_owned()),
            ("PROVIDERS", providers.to_string()),
            ("SESSION_ISSUER", ORIGIN.to_owned()),
            ("SESSION_AUDIENCE", SESSION_AUDIENCE.to_owned()),
            ("SESSION_JWKS", self.session_jwks.clone()),
            ("ADDITIONAL_ROOTS", self.upstream.roots.display().to_string()),
            ("AWS_REGION", "eu-west-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIABENCH".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "unchecked".to_owned()),
            ("AWS_SESSION_TOKEN", "unchecked".repeat(80)), // about as long as a role's
            ("AWS_ENDPOINT_URL_DYNAMODB", upstream.clone()),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", upstream.clone()),
        ]
    }

    /// An event of API Gateway (payload format 2.0) that asks for `work`.
    pub(crate) fn event(&self, work: Work, format: FlowFormat) -> Result<String, Error> {
        let session = format!("__Host-accounts-session={}", self.session);
        let (method, query, cookies, form) = match work {
            Work::StartLink => (
                "POST",
                String::new(),
                vec![session],
                Some("intent=sign-in&return_to=settings"),
            ),
            Work::Status => ("GET", String::new(), vec![session], None),
            Work::Callback => {
                let (query, flow) = self.answered_flow(format)?;
                ("GET", query, vec![session, flow], None)
            }
        };
        let function = match work {
            Work::StartLink => "start-link",
            Work::Status => "status",
            Work::Callback => "callback",
        };
        Ok(event(method, function, &query, &cookies, form).to_string())
    }

    /// A flow that the provider has answered: the query that the browser brings back, and the cookie it kept.
    fn answered_flow(&self, format: FlowFormat) -> Result<(String, String), Error> {
        let (account, session) = (AccountId::parse(ACCOUNT)?, SessionId::parse(SESSION)?);
        let purpose = Purpose::Link {
            session: SessionBinding::of(&account, &session),
            replace: false,
            return_to: ReturnTarget::Settings,
        };
        let flow = Flow::start(ProviderId::parse("magento")?, purpose, SystemClock.now(), &self.random)?;
        let name = cookies::flow_name(&flow.state);
        let sealed = match format {
            FlowFormat::Ours => self.flow_keys.seal(Kind::Flow, &name, &flow, &self.random)?,
            FlowFormat::Peers => crate::peers::seal(&flow, &name, ACCOUNT, SESSION, &self.random)?,
        };
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", &flow.nonce.reveal())
            .append_pair("state", &flow.state.reveal())
            .append_pair("iss", &self.upstream.origin)
            .finish();
        Ok((query, format!("{name}={sealed}")))
    }
}

fn event(method: &str, function: &str, query: &str, cookies: &[String], form: Option<&str>) -> Value {
    let path = format!("/sso/magento/{function}");
    let mut headers = json!({
        "accept": if function == "status" { "application/json" } else { "text/html,application/xhtml+xml,*/*;q=0.8" },
        "accept-encoding": "gzip, deflate, br, zstd",
        "accept-language": "en-GB,en;q=0.9,fr;q=0.8",
        "content-length": form.map_or(0, str::len).to_string(),
        "host": "accounts.localhost",
        "sec-fetch-dest": if function == "status" { "empty" } else { "document" },
        "sec-fetch-mode": if function == "status" { "cors" } else { "navigate" },
        "sec-fetch-site": "same-origin",
        "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "x-amzn-trace-id": "Root=1-5e6b4a90-1234567890abcdef12345678",
        "x-forwarded-for": "192.0.2.7",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    });
    if form.is_some() {
        headers["content-type"] = "application/x-www-form-urlencoded".into();
        headers["origin"] = ORIGIN.into();
    }
    json!({
        "version": "2.0",
        "routeKey": format!("{method} /sso/{{provider}}/{function}"),
        "rawPath": path,
        "rawQueryString": query,
        "cookies": cookies,
        "headers": headers,
        "pathParameters": {"provider": "magento"},
        "requestContext": {
            "accountId": "123456789012", "apiId": "api", "domainName": "accounts.localhost", "domainPrefix": "accounts",
            "http": {
                "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7",
                "userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
            },
            "requestId": "JKJaXmPLvHcESHA=", "routeKey": format!("{method} /sso/{{provider}}/{function}"), "stage": "$default",
            "time": "12/Mar/2020:19:03:58 +0000", "timeEpoch": 1_583_348_638_390_i64,
        },
        "body": form.map(|form| STANDARD.encode(form)),
        "isBase64Encoded": form.is_some(),
    })
}

/// Checks that `answer` is what `work` comes to, or a ratio would compare something else.
pub(crate) fn check(work: Work, answer: &str) -> Result<(), Error> {
    let parsed: Value = serde_json::from_str(answer)?;
    let body = parsed["body"].as_str().unwrap_or_default();
    let location = parsed["headers"]["location"].as_str().unwrap_or_default();
    let is_right = match work {
        Work::StartLink => parsed["statusCode"] == 303 && location.contains("code_challenge="),
        Work::Status => parsed["statusCode"] == 200 && body.contains(r#""status":"linked""#),
        Work::Callback => parsed["statusCode"] == 303 && location.contains("sso=linked"),
    };
    if is_right {
        Ok(())
    } else {
        Err(format!("{work:?} was answered {answer}").into())
    }
}
