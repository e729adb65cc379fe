use serde_json::{Map, json};

use super::*;
use crate::{
    clock::SystemRandomness,
    flow::{Flow, Purpose},
    identity::ProviderId,
    jose::{
        SigningKey,
        test_keys::{ed25519, p256, published, rsa, rsa_pss, set_of, set_text},
    },
    outbound::{
        HttpClient, Locality,
        scripted_server::{Answer, ScriptedServer},
    },
    ticket::Challenge,
};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_585_000_000);
const ISSUER: &str = "https://magento.example/id";
const CLIENT_ID: &str = "accounts.magento.cloud";

mod claims;

/// One flow at a provider that signs with one key.
struct Case {
    key: SigningKey,
    issuer: Issuer,
    flow: Flow,
}

fn flow() -> Flow {
    let purpose = Purpose::SignIn {
        challenge: Challenge::of("verifier"),
    };
    Flow::start(
        ProviderId::parse("magento").unwrap(),
        purpose,
        NOW,
        &SystemRandomness::default(),
    )
    .unwrap()
}

impl Case {
    fn new(key: SigningKey) -> Self {
        Self {
            key,
            issuer: Issuer::parse(ISSUER).unwrap(),
            flow: flow(),
        }
    }

    fn expectations(&self) -> Expectations<'_> {
        Expectations {
            issuer: &self.issuer,
            client_id: CLIENT_ID,
            algorithms: &[Algorithm::Rs256, Algorithm::Es256, Algorithm::Ps256, Algorithm::EdDsa],
            nonce: &self.flow.nonce,
        }
    }

    /// What an honest provider says: the twin of every row below.
    fn claims(&self) -> Map<String, Value> {
        let claims = json!({
            "iss": ISSUER,
            "sub": "248289761001",
            "aud": CLIENT_ID,
            "exp": NOW.unix_seconds() + 300,
            "iat": NOW.unix_seconds() - 1,
            "nonce": self.flow.nonce.reveal(),
            "email": "maria@example.com",
            "email_verified": true,
        });
        claims.as_object().unwrap().clone()
    }

    fn verify_token(&self, token: &str) -> Result<VerifiedIdentity, IdTokenError> {
        verify(token, &published(&[&self.key]), &self.expectations(), NOW)
    }

    fn verify(&self, claims: Map<String, Value>) -> Result<VerifiedIdentity, IdTokenError> {
        self.verify_token(&self.key.sign_jwt(&claims.into()).unwrap())
    }

    /// The honest claims with one changed, or without it where the change is `None`.
    fn verify_with(&self, name: &str, value: Option<Value>) -> Result<VerifiedIdentity, IdTokenError> {
        let mut claims = self.claims();
        claims.remove(name);
        if let Some(value) = value {
            claims.insert(name.to_owned(), value);
        }
        self.verify(claims)
    }

    /// Checks one claim in each of these forms, `None` being its absence.
    fn check(&self, name: &str, accepted: &[Option<Value>], refused: &[(Option<Value>, IdTokenError)]) {
        for value in accepted {
            assert!(self.verify_with(name, value.clone()).is_ok(), "{name} {value:?}");
        }
        for (value, expected) in refused {
            let error = self.verify_with(name, value.clone()).map(drop).unwrap_err();
            assert_eq!(error.to_string(), expected.to_string(), "{name} {value:?}");
        }
    }
}

#[test]
fn an_honest_token_becomes_an_identity() {
    for key in [rsa(), rsa_pss(), p256(), ed25519()] {
        let case = Case::new(key);
        let expected = VerifiedIdentity {
            identity: Identity {
                issuer: case.issuer.clone(),
                subject: Subject::parse("248289761001").unwrap(),
            },
            email: EmailAddress::parse("maria@example.com"),
            email_verified: true,
            provider_session: None,
            auth_time: None,
            acr: None,
            amr: Vec::new(),
        };
        assert_eq!(case.verify(case.claims()).unwrap(), expected);
    }
}

#[test]
fn members_that_nobody_asked_for_do_no_harm() {
    let case = Case::new(p256());
    let mut claims = case.claims();
    claims.extend([
        ("at_hash".to_owned(), json!("x")),
        ("name".to_owned(), json!({ "given": ["Maria"] })),
    ]);
    assert!(case.verify(claims).is_ok());
}

#[test]
fn step_6_the_signature_is_always_verified() {
    let case = Case::new(p256());
    let token = case.key.sign_jwt(&case.claims().into()).unwrap();
    let (signing_input, _) = token.rsplit_once('.').unwrap();
    let outcome = case.verify_token(&format!("{signing_input}."));
    assert!(matches!(outcome, Err(IdTokenError::Token(JwsError::Signature))));

    let forged = p256().sign_jwt(&case.claims().into()).unwrap();
    assert!(matches!(
        case.verify_token(&forged),
        Err(IdTokenError::Token(JwsError::Signature))
    ));
}

#[test]
fn steps_7_and_8_the_algorithm_is_one_we_registered_for() {
    let case = Case::new(p256());
    let payload = Value::from(case.claims()).to_string();
    for algorithm in ["none", "None", "", "HS256", "RS512", "ES256K"] {
        let token = case
            .key
            .sign_compact(&json!({ "alg": algorithm }).to_string(), &payload)
            .unwrap();
        assert!(
            matches!(
                case.verify_token(&token),
                Err(IdTokenError::Token(JwsError::AlgorithmNotAllowed))
            ),
            "{algorithm}"
        );
    }

    // A genuine signature by a key of the set, by an algorithm that is not on our list.
    let token = case.key.sign_jwt(&case.claims().into()).unwrap();
    let (keys, all) = (published(&[&case.key]), case.expectations());
    let without_es256 = Expectations {
        algorithms: &[Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa],
        ..all
    };
    assert!(verify(&token, &keys, &all, NOW).is_ok());
    let outcome = verify(&token, &keys, &without_es256, NOW);
    assert!(matches!(
        outcome,
        Err(IdTokenError::Token(JwsError::AlgorithmNotAllowed))
    ));
}

#[test]
fn a_token_of_another_kind_is_no_id_token() {
    let case = Case::new(p256());
    let verify = |header: Value| {
        let token = case
            .key
            .sign_compact(&header.to_string(), &Value::from(case.claims()).to_string())
            .unwrap();
        case.verify_token(&token)
    };
    assert!(verify(json!({ "alg": "ES256" })).is_ok());
    assert!(verify(json!({ "alg": "ES256", "typ": "JWT" })).is_ok());
    assert!(verify(json!({ "alg": "ES256", "typ": "jwt" })).is_ok());
    for typ in [
        "at+jwt",
        "application/at+jwt",
        "logout+jwt",
        "dpop+jwt",
        "JOSE",
        "",
        "JWT ",
    ] {
        assert!(
            matches!(verify(json!({ "alg": "ES256", "typ": typ })), Err(IdTokenError::Type)),
            "{typ}"
        );
    }
}

#[test]
fn repeated_members_are_refused() {
    let case = Case::new(p256());
    let claims = Value::from(case.claims()).to_string();
    let verify = |payload: &str| case.verify_token(&case.key.sign_compact(r#"{"alg":"ES256"}"#, payload).unwrap());
    assert!(verify(&claims).is_ok());

    let members = &claims[1..claims.len() - 1];
    for again in [
        r#""sub":"248289761001""#,
        r#""sub":"other""#,
        r#""\u0073ub":"other""#,
        r#""iss":"https://evil.example""#,
    ] {
        for payload in [format!("{{{again},{members}}}"), format!("{{{members},{again}}}")] {
            let outcome = verify(&payload);
            assert!(
                matches!(outcome, Err(IdTokenError::Token(JwsError::Claims(_)))),
                "{payload}"
            );
        }
    }
}

#[test]
fn an_unknown_key_can_be_told_from_a_wrong_signature() {
    let case = Case::new(p256());
    let token = case.key.sign_jwt(&case.claims().into()).unwrap();
    let mut renamed = case.key.public_jwk();
    renamed["kid"] = "p256-0".into();
    let outcome = verify(&token, &set_of([renamed]), &case.expectations(), NOW);
    assert!(matches!(outcome, Err(IdTokenError::Token(JwsError::UnknownKey))));
}

#[tokio::test]
async fn a_key_that_is_not_published_yet_is_looked_for_once_more() {
    let case = Case::new(p256());
    let token = case.key.sign_jwt(&case.claims().into()).unwrap();
    let publishing = |key: &SigningKey| Answer::json(200, &set_text([key.public_jwk()]));
    let script = [publishing(&rsa()), publishing(&case.key), publishing(&rsa())];
    let server = ScriptedServer::start(script).await;
    let jwks_uri = server.url("/jwks").parse().unwrap();
    let published = RemoteKeySet::new(HttpClient::new(Locality::Local), jwks_uri, Duration::from_secs(3));
    let verify_at = async |now| {
        let deadline = Deadline::within(Duration::from_secs(5));
        verify_with_published_keys(&token, &published, &case.expectations(), now, deadline).await
    };

    assert!(verify_at(NOW).await.is_ok(), "the second set has it");
    assert_eq!(server.hits(), 2);
    assert!(verify_at(NOW).await.is_ok());
    assert_eq!(server.hits(), 2, "keys are kept");

    // Ten minutes later the key is gone, and nobody looks for it again at once. That the token is old by now comes second.
    let outcome = verify_at(NOW.plus(Duration::from_mins(10))).await;
    assert!(matches!(outcome, Err(IdTokenError::Token(JwsError::UnknownKey))));
    assert_eq!(server.hits(), 3);
}

#[tokio::test]
async fn a_provider_that_does_not_publish_its_keys_is_unavailable_and_no_identity_is_invalid() {
    let case = Case::new(p256());
    let token = case.key.sign_jwt(&case.claims().into()).unwrap();
    let server = ScriptedServer::start([Answer::json(503, "{}")]).await;
    let jwks_uri = server.url("/jwks").parse().unwrap();
    let published = RemoteKeySet::new(HttpClient::new(Locality::Local), jwks_uri, Duration::from_secs(3));
    let deadline = Deadline::within(Duration::from_secs(5));
    let outcome = verify_with_published_keys(&token, &published, &case.expectations(), NOW, deadline).await;
    assert_eq!(outcome.unwrap_err().code(), ErrorCode::ProviderUnavailable);
    assert_eq!(IdTokenError::Nonce.code(), ErrorCode::IdentityInvalid);
}
