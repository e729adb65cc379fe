//! A provider that misbehaves on purpose.
//!
//! By itself it is honest, and knows whoever it was last told of. A test changes one thing: what it says
//! ([`change_id_token`](HostileProvider::change_id_token) and its like), or how a message gets lost ([`next`](HostileProvider::next)).
//! It counts every call, and remembers every code that was brought to it.

mod id_token;
mod keys;
mod wire;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use account_linking::clock::{Clock, SystemClock};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use self::wire::{Delivery, Request};
pub use self::{
    id_token::IdToken,
    keys::{Keys, Signer},
    wire::Reply,
};
use crate::stack::ProviderCalls;

/// Our client's name there.
pub const CLIENT_ID: &str = "accounts";

/// An endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// The metadata of OpenID Connect Discovery.
    Discovery,
    /// The key set.
    Jwks,
    /// The pushed authorization request endpoint.
    PushedAuthorizationRequest,
    /// The token endpoint.
    Token,
    /// The authorization endpoint.
    Authorization,
}

impl Endpoint {
    fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/.well-known/openid-configuration" => Self::Discovery,
            "/jwks" => Self::Jwks,
            "/par" => Self::PushedAuthorizationRequest,
            "/token" => Self::Token,
            "/authorize" => Self::Authorization,
            _ => return None,
        })
    }
}

/// What becomes of one call.
#[derive(Clone, Debug)]
pub enum Fate {
    /// Nothing special.
    Pass,
    /// The connection ends before the provider has read anything.
    LoseRequest,
    /// The provider does what it is asked, and the connection ends in the place of its answer.
    LoseAnswer,
    /// The provider does what it is asked, and says nothing.
    Stall,
    /// The head of the answer comes at once, its body never ends and comes byte by byte.
    Drip,
    /// The answer never ends.
    Flood,
    /// The answer comes compressed, though nobody asked for that.
    Compress,
    /// The answer breaks off in its middle.
    Truncate,
    /// The connection is reset.
    Reset,
    /// This is answered, and nothing done.
    Answer(Reply),
    /// These bytes are answered, and nothing done.
    Bytes(Vec<u8>),
}

/// Which members of `PROVIDERS` tell of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoints {
    /// Only its issuer: the rest is discovered.
    Discovered,
    /// All of them.
    Fixed,
    /// All of them, and the one for pushed requests.
    FixedWithPushedRequests,
}

/// The parameters of an authorization response, in order.
pub type Parameters = Vec<(String, String)>;

type Change<T> = Box<dyn Fn(&mut T) + Send>;

/// A change that may need the provider's keys.
type KeyedChange<T> = Box<dyn Fn(&mut T, &Keys) + Send>;

/// What is different from an honest provider at the moment.
#[derive(Default)]
struct Behaviour {
    metadata: Option<Change<Value>>,
    key_set: Option<KeyedChange<Value>>,
    response: Option<Change<Parameters>>,
    id_token: Option<KeyedChange<IdToken>>,
    token_answer: Option<Change<Value>>,
    ignores_pkce: bool,
    fates: HashMap<Endpoint, VecDeque<Fate>>,
}

/// What a code stands for.
#[derive(Clone, Debug)]
struct Grant {
    request: BTreeMap<String, String>,
    person: Value,
}

struct State {
    behaviour: Behaviour,
    calls: ProviderCalls,
    person: Value,
    pushed: HashMap<String, BTreeMap<String, String>>,
    grants: HashMap<String, Grant>,
    /// Every code that came to the token endpoint, in order.
    brought: Vec<String>,
    strays: u64,
    previous_id_token: Option<String>,
    issued: u64,
}

struct Shared {
    issuer: String,
    keys: Keys,
    ahead_by_ms: AtomicI64,
    state: Mutex<State>,
}

/// The running provider. It ends with this value.
pub struct HostileProvider {
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl Drop for HostileProvider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl HostileProvider {
    /// Starts an honest one.
    pub async fn start() -> Self {
        let listener = wire::bind().await;
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let shared = Arc::new(Shared {
            issuer: format!("http://magento.localhost:{port}"),
            keys: Keys::new(),
            ahead_by_ms: AtomicI64::new(0),
            state: Mutex::new(State {
                behaviour: Behaviour::default(),
                calls: ProviderCalls::default(),
                person: Value::Null,
                pushed: HashMap::new(),
                grants: HashMap::new(),
                brought: Vec::new(),
                strays: 0,
                previous_id_token: None,
                issued: 0,
            }),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self { shared, server }
    }

    /// Its issuer identifier and origin.
    pub fn issuer(&self) -> &str {
        &self.shared.issuer
    }

    /// Its keys.
    pub fn keys(&self) -> &Keys {
        &self.shared.keys
    }

    /// The element of `PROVIDERS` for it, called `id`.
    pub fn settings(&self, id: &str, endpoints: Endpoints) -> Value {
        let mut settings = json!({
            "id": id, "name": "Magento.com", "issuer": self.issuer(),
            "client_id": CLIENT_ID, "client_authentication": "none",
        });
        if endpoints != Endpoints::Discovered {
            let at = |path: &str| format!("{}{path}", self.issuer());
            settings["authorization_endpoint"] = at("/authorize").into();
            settings["token_endpoint"] = at("/token").into();
            settings["jwks_uri"] = at("/jwks").into();
        }
        if endpoints == Endpoints::FixedWithPushedRequests {
            settings["pushed_authorization_request_endpoint"] = format!("{}/par", self.issuer()).into();
        }
        settings
    }

    /// From now on `claims` (`sub`, `email`, `email_verified`) tell of whoever signs in.
    pub fn knows(&self, claims: Value) {
        self.state().person = claims;
    }

    /// Its clock goes on by this much.
    pub fn time_passes(&self, milliseconds: i64) {
        self.shared.ahead_by_ms.fetch_add(milliseconds, Ordering::Relaxed);
    }

    /// Changes every metadata document from now on.
    pub fn change_metadata(&self, change: impl Fn(&mut Value) + Send + 'static) {
        self.state().behaviour.metadata = Some(Box::new(change));
    }

    /// Changes every key set from now on.
    pub fn change_key_set(&self, change: impl Fn(&mut Value, &Keys) + Send + 'static) {
        self.state().behaviour.key_set = Some(Box::new(change));
    }

    /// Changes every authorization response from now on.
    pub fn change_response(&self, change: impl Fn(&mut Parameters) + Send + 'static) {
        self.state().behaviour.response = Some(Box::new(change));
    }

    /// Changes every ID token from now on, before it is signed.
    pub fn change_id_token(&self, change: impl Fn(&mut IdToken, &Keys) + Send + 'static) {
        self.state().behaviour.id_token = Some(Box::new(change));
    }

    /// Changes every token answer from now on.
    pub fn change_token_answer(&self, change: impl Fn(&mut Value) + Send + 'static) {
        self.state().behaviour.token_answer = Some(Box::new(change));
    }

    /// From now on a code is good for whoever brings it.
    pub fn ignores_pkce(&self) {
        self.state().behaviour.ignores_pkce = true;
    }

    /// Decides about the next calls of `endpoint`, each in turn. Later ones pass.
    pub fn next(&self, endpoint: Endpoint, fates: impl IntoIterator<Item = Fate>) {
        self.state().behaviour.fates.entry(endpoint).or_default().extend(fates);
    }

    /// Is honest again.
    pub fn behaves(&self) {
        self.state().behaviour = Behaviour::default();
    }

    /// The calls since this was last asked.
    pub fn calls(&self) -> ProviderCalls {
        std::mem::take(&mut self.state().calls)
    }

    /// Every code that was brought to the token endpoint since the start, in order.
    pub fn codes_brought(&self) -> Vec<String> {
        self.state().brought.clone()
    }

    /// How many calls went to no endpoint of an honest provider's.
    pub fn strays(&self) -> u64 {
        self.state().strays
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new(); // ends with this task
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(answer(stream, Arc::clone(&shared)));
    }
}

async fn answer(mut stream: TcpStream, shared: Arc<Shared>) {
    let Some(request) = wire::receive(&mut stream).await else {
        return;
    };
    let delivery = shared.state().answer(&shared, &request);
    wire::deliver(stream, delivery).await;
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> i64 {
        let ahead = self.ahead_by_ms.load(Ordering::Relaxed) / 1000;
        SystemClock.now().unix_seconds() + ahead
    }
}

impl State {
    fn answer(&mut self, shared: &Shared, request: &Request) -> Delivery {
        let Some(endpoint) = Endpoint::of(&request.path) else {
            self.strays += 1;
            return Delivery::Whole(Reply::new(404, "text/plain", "nobody is here"));
        };
        self.count(endpoint);
        if endpoint == Endpoint::Token {
            self.brought.extend(parameters(&request.body).remove("code"));
        }
        let fates = self.behaviour.fates.get_mut(&endpoint);
        match fates.and_then(VecDeque::pop_front).unwrap_or(Fate::Pass) {
            Fate::Pass => Delivery::Whole(self.honest(shared, endpoint, request)),
            Fate::LoseRequest => Delivery::Close,
            Fate::LoseAnswer => {
                self.honest(shared, endpoint, request);
                Delivery::Close
            }
            Fate::Stall => {
                self.honest(shared, endpoint, request);
                Delivery::Never
            }
            Fate::Drip => Delivery::Drip(self.honest(shared, endpoint, request)),
            Fate::Flood => Delivery::Flood(self.honest(shared, endpoint, request)),
            Fate::Compress => {
                let mut reply = self
                    .honest(shared, endpoint, request)
                    .header("content-encoding", "gzip");
                reply.body = wire::gzipped(&reply.body);
                Delivery::Whole(reply)
            }
            Fate::Truncate => Delivery::Half(self.honest(shared, endpoint, request)),
            Fate::Reset => Delivery::Reset,
            Fate::Answer(reply) => Delivery::Whole(reply),
            Fate::Bytes(bytes) => Delivery::Bytes(bytes),
        }
    }

    fn count(&mut self, endpoint: Endpoint) {
        match endpoint {
            Endpoint::Discovery => self.calls.discovery += 1,
            Endpoint::Jwks => self.calls.jwks += 1,
            Endpoint::PushedAuthorizationRequest => self.calls.pushed_authorization_request += 1,
            Endpoint::Token => self.calls.token += 1,
            Endpoint::Authorization => {} // the browser's call, not ours
        }
    }

    /// What an honest provider would answer, with what is to be changed changed.
    fn honest(&mut self, shared: &Shared, endpoint: Endpoint, request: &Request) -> Reply {
        match endpoint {
            Endpoint::Discovery => self.metadata(shared),
            Endpoint::Jwks => {
                let mut set = shared.keys.honest_set();
                if let Some(change) = &self.behaviour.key_set {
                    change(&mut set, &shared.keys);
                }
                Reply::json(200, &set)
            }
            Endpoint::PushedAuthorizationRequest => {
                self.issued += 1;
                let request_uri = format!("urn:ietf:params:oauth:request_uri:{}", self.issued);
                self.pushed.insert(request_uri.clone(), parameters(&request.body));
                Reply::json(201, &json!({ "request_uri": request_uri, "expires_in": 60 }))
            }
            Endpoint::Authorization => self.authorize(shared, &request.query),
            Endpoint::Token => self.redeem(shared, &request.body),
        }
    }

    fn metadata(&self, shared: &Shared) -> Reply {
        let at = |path: &str| format!("{}{path}", shared.issuer);
        let mut metadata = json!({
            "issuer": shared.issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "jwks_uri": at("/jwks"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "PS256", "EdDSA"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        });
        changed(self.behaviour.metadata.as_deref(), &mut metadata);
        Reply::json(200, &metadata)
    }

    /// Signs in whoever is known, without a question, and sends the browser back.
    fn authorize(&mut self, shared: &Shared, query: &str) -> Reply {
        let mut request = parameters(query);
        if let Some(pushed) = request.get("request_uri").and_then(|uri| self.pushed.remove(uri)) {
            request = pushed;
        }
        let of = |name: &str| request.get(name).cloned().unwrap_or_default();
        self.issued += 1;
        let code = format!("code-{}", self.issued);
        let mut response = vec![
            ("code".to_owned(), code.clone()),
            ("state".to_owned(), of("state")),
            ("iss".to_owned(), shared.issuer.clone()),
        ];
        changed(self.behaviour.response.as_deref(), &mut response);
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&response)
            .finish();
        let location = format!("{}?{query}", of("redirect_uri"));
        let person = self.person.clone();
        self.grants.insert(code, Grant { request, person });
        Reply::redirect(302, &location)
    }

    fn redeem(&mut self, shared: &Shared, body: &str) -> Reply {
        let form = parameters(body);
        let of = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let refused = |error: &str| Reply::json(400, &json!({ "error": error }));
        // Once: whoever brings it again gets nothing (RFC 6749 section 4.1.2).
        let Some(grant) = self.grants.remove(of("code")) else {
            return refused("invalid_grant");
        };
        let asked = |name: &str| grant.request.get(name).map(String::as_str).unwrap_or_default();
        let proven = challenge(of("code_verifier")) == asked("code_challenge");
        if !proven && !self.behaviour.ignores_pkce {
            return refused("invalid_grant");
        }
        if of("grant_type") != "authorization_code" || of("redirect_uri") != asked("redirect_uri") {
            return refused("invalid_request");
        }
        let now = shared.now();
        let mut claims = json!({
            "iss": shared.issuer, "aud": CLIENT_ID, "nonce": asked("nonce"),
            "iat": now, "exp": now + 300, "auth_time": now - 30,
        });
        for (name, value) in grant.person.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        let mut id_token = IdToken {
            header: shared.keys.header(Signer::P256),
            claims,
            header_text: None,
            claims_text: None,
            signer: Signer::P256,
            afterwards: str::to_owned,
            now,
            previous: self.previous_id_token.clone(),
        };
        if let Some(change) = &self.behaviour.id_token {
            change(&mut id_token, &shared.keys);
        }
        let id_token = id_token.compact(&shared.keys, CLIENT_ID);
        self.previous_id_token = Some(id_token.clone());
        let mut answer = json!({
            "access_token": "an access token that nobody wants", "token_type": "Bearer", "expires_in": 300,
            "id_token": id_token,
        });
        changed(self.behaviour.token_answer.as_deref(), &mut answer);
        Reply::json(200, &answer).header("cache-control", "no-store")
    }
}

fn changed<T>(change: Option<&(dyn Fn(&mut T) + Send)>, value: &mut T) {
    if let Some(change) = change {
        change(value);
    }
}

fn parameters(encoded: &str) -> BTreeMap<String, String> {
    form_urlencoded::parse(encoded.as_bytes()).into_owned().collect()
}

/// The S256 challenge of `verifier` (RFC 7636 section 4.2).
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}
