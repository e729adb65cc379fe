//! What the functions call, played over TLS: DynamoDB, Secrets Manager, an OpenID provider.
//!
//! Answers are made of what is known in advance; only the ID token is signed per call, since it carries the flow's nonce. The code that
//! a callback brings is that nonce, so that nothing has to be remembered between the two.

use std::{cell::Cell, convert::Infallible, io, net::Ipv4Addr, path::PathBuf, rc::Rc, sync::Arc};

use account_linking::{
    clock::{Clock, SystemClock},
    jose::SigningKey,
};
use bytes::Bytes;
use http::{Request, Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Collected, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task};
use tokio_rustls::TlsAcceptor;

use crate::world::{CLIENT_ID, EMAIL, FLOW_KEYS, SUBJECT};

/// The servers. They end with the process.
pub(crate) struct Upstream {
    /// Where they listen: one server for all, by TLS.
    pub(crate) origin: String,
    /// The file with the certificate of the authority that vouches for it.
    pub(crate) roots: PathBuf,
    calls: Rc<Calls>,
}

/// How often whom.
#[derive(Default)]
struct Calls {
    connections: Cell<u64>,
    database: Cell<u64>,
    provider: Cell<u64>,
    secrets: Cell<u64>,
}

/// How often whom, since the last time it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) database: u64,
    pub(crate) provider: u64,
    pub(crate) secrets: u64,
}

impl Upstream {
    /// Starts them, with a certificate authority of their own.
    pub(crate) async fn start() -> Result<Self, Box<dyn std::error::Error>> {
        let authority_key = KeyPair::generate()?;
        let mut authority = CertificateParams::new([])?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        authority
            .distinguished_name
            .push(DnType::CommonName, "account linking bench");
        let roots = std::env::temp_dir().join(format!("account-linking-bench-{}.pem", std::process::id()));
        std::fs::write(&roots, authority.self_signed(&authority_key)?.pem())?;

        let key = KeyPair::generate()?;
        // Without a name of its own OpenSSL would take it for its own issuer.
        let mut leaf = CertificateParams::new(["localhost".to_owned()])?;
        leaf.distinguished_name.push(DnType::CommonName, "localhost");
        let certificate = leaf.signed_by(&key, &Issuer::new(authority, authority_key))?;
        let private_key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private_key)?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()]; // all that DynamoDB speaks

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let origin = format!("https://localhost:{}", listener.local_addr()?.port());
        let calls = Rc::new(Calls::default());
        let service = Rc::new(Service {
            origin: origin.clone(),
            id_token_key: SigningKey::generate_p256("provider")?,
            calls: Rc::clone(&calls),
        });
        task::spawn_local(accept(listener, TlsAcceptor::from(Arc::new(tls)), service));
        Ok(Self { origin, roots, calls })
    }

    /// How many connections were made since this was asked last.
    pub(crate) fn connections(&self) -> u64 {
        self.calls.connections.take()
    }

    /// How often they were called since this was asked last.
    pub(crate) fn counted(&self) -> Counted {
        Counted {
            database: self.calls.database.take(),
            provider: self.calls.provider.take(),
            secrets: self.calls.secrets.take(),
        }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // Were it not there any more, so much the better.
        let _ = std::fs::remove_file(&self.roots);
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, service: Rc<Service>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, service) = (tls.clone(), Rc::clone(&service));
        count(&service.calls.connections);
        task::spawn_local(async move {
            stream.set_nodelay(true)?;
            let stream = tls.accept(stream).await?;
            let answer = service_fn(|request| service.answer(request));
            // A client that goes away ends its connection, as it should.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
            Ok::<_, io::Error>(())
        });
    }
}

struct Service {
    origin: String,
    id_token_key: SigningKey,
    calls: Rc<Calls>,
}

impl Service {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
        let target = head.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
        let (media_type, answer) = match (target, head.uri.path()) {
            (Some(target), _) if target.starts_with("DynamoDB") => {
                count(&self.calls.database);
                ("application/x-amz-json-1.0", database(target))
            }
            (Some(_), _) => {
                count(&self.calls.secrets);
                ("application/x-amz-json-1.1", json!({ "SecretString": FLOW_KEYS }))
            }
            (None, "/jwks") => {
                count(&self.calls.provider);
                ("application/json", json!({"keys": [self.id_token_key.public_jwk()]}))
            }
            (None, "/token") => {
                count(&self.calls.provider);
                ("application/json", self.tokens(&body))
            }
            (None, "/.well-known/openid-configuration") => {
                count(&self.calls.provider);
                ("application/json", self.metadata())
            }
            (None, _) => ("application/json", Value::Null),
        };
        let mut response = Response::new(Full::from(answer.to_string()));
        response
            .headers_mut()
            .insert(CONTENT_TYPE, http::HeaderValue::from_static(media_type));
        Ok(response)
    }

    fn tokens(&self, form: &[u8]) -> Value {
        let code = form_urlencoded::parse(form).find(|(name, _)| name == "code");
        let nonce = code.map(|(_, code)| code.into_owned());
        let now = SystemClock.now().unix_seconds();
        let claims = json!({
            "iss": self.origin, "aud": CLIENT_ID, "sub": SUBJECT, "nonce": nonce, "email": EMAIL, "email_verified": true,
            "iat": now, "exp": now + 300,
        });
        // A claim set of strings and numbers can be signed; without a token the function's answer is the wrong one, which is noticed.
        let id_token = self.id_token_key.sign_jwt(&claims).ok();
        json!({"access_token": "unused", "token_type": "Bearer", "expires_in": 300, "id_token": id_token})
    }

    fn metadata(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.origin);
        json!({
            "issuer": self.origin,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "jwks_uri": at("/jwks"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        })
    }
}

fn count(calls: &Cell<u64>) {
    calls.set(calls.get() + 1);
}

fn database(target: &str) -> Value {
    if !target.ends_with("GetItem") {
        return json!({});
    }
    json!({"Item": {
        "pk": {"S": "ACCOUNT#account-1"}, "sk": {"S": "LINK#magento"},
        "issuer": {"S": "https://id.magento.example"}, "subject": {"S": SUBJECT}, "email": {"S": EMAIL},
        "linked_at": {"N": "1583143872000"},
    }})
}
