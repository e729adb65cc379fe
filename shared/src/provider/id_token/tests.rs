use serde_json::{Map, json};

use super::*;
use crate::{
    clock::SystemRandomness,
    flow::{Flow, Purpose},
    identity::ProviderId,
    jose::{
        SigningKey,
        test_keys::{ed25519, p256, published, rsa, rsa_pss, set_of},
    },
};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_585_000_000);
const ISSUER: &str = "https://magento.example/id";
const CLIENT_ID: &str = "accounts.magento.cloud";

/// One flow at a provider that signs with one key.
struct Case {
    key: SigningKey,
    issuer: Issuer,
    flow: Flow,
}

fn flow() -> Flow {
    let purpose = Purpose::SignIn { challenge: [0; 32] };
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

/// Each of `values` and the absence of the claim, refused for the same reason.
macro_rules! refused {
    ($reason:ident: $($value:tt),* $(,)?) => {
        &[(None, IdTokenError::$reason), $((Some(json!($value)), IdTokenError::$reason)),*]
    };
}

fn at(seconds_from_now: i64) -> Value {
    json!(NOW.unix_seconds() + seconds_from_now)
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
fn step_2_the_issuer_is_the_one_that_was_asked() {
    Case::new(p256()).check(
        "iss",
        &[],
        refused!(Issuer:
            "", "https://magento.example/id1", "https://magento.example/id/", "https://magento.example/i", "https://magento.example",
            "https://MAGENTO.example/id", "http://magento.example/id", " https://magento.example/id", ["https://magento.example/id"],
            1, null, true,
        ),
    );
}

#[test]
fn step_3_the_audience_is_this_client_alone() {
    Case::new(p256()).check(
        "aud",
        &[Some(json!(CLIENT_ID)), Some(json!([CLIENT_ID]))],
        refused!(Audience:
            "", "other", "accounts.magento.cloud1", "accounts.magento", "ACCOUNTS.magento.cloud", [], [""], ["other"],
            ["accounts.magento.cloud", "accounts.magento.cloud1"], ["other", "accounts.magento.cloud"],
            ["accounts.magento.cloud", "accounts.magento.cloud"], [["accounts.magento.cloud"]], [1], 1, null, true,
            {"0": "accounts.magento.cloud"},
        ),
    );
}

#[test]
fn a_client_without_a_name_is_nobodys_audience() {
    let case = Case::new(p256());
    let nameless = Expectations {
        client_id: "",
        ..case.expectations()
    };
    for audience in [json!(""), json!([""])] {
        let mut claims = case.claims();
        claims.insert("aud".to_owned(), audience);
        let token = case.key.sign_jwt(&claims.into()).unwrap();
        let outcome = verify(&token, &published(&[&case.key]), &nameless, NOW);
        assert!(matches!(outcome, Err(IdTokenError::Audience)));
    }
}

#[test]
fn steps_4_and_5_an_authorized_party_is_this_client() {
    let other = |value| (Some(value), IdTokenError::AuthorizedParty);
    Case::new(p256()).check(
        "azp",
        &[None, Some(json!(CLIENT_ID))],
        &[
            other(json!("other")),
            other(json!("")),
            other(json!(null)),
            other(json!([CLIENT_ID])),
            other(json!(1)),
        ],
    );
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
fn step_9_it_has_not_expired() {
    let case = Case::new(p256());
    case.check(
        "exp",
        &[Some(at(300)), Some(at(0)), Some(at(-59)), Some(at(86_399))],
        &[
            (Some(at(-60)), IdTokenError::Expired),
            (Some(at(-61)), IdTokenError::Expired),
            (Some(at(-360)), IdTokenError::Expired),
            (Some(json!(0)), IdTokenError::Expired),
            (Some(json!(-1)), IdTokenError::Expired),
            (Some(json!(i64::MIN)), IdTokenError::Expired),
            // `iat` is a second ago.
            (Some(at(86_400)), IdTokenError::LongLived),
            (Some(at(100 * 365 * 86_400)), IdTokenError::LongLived),
            (Some(json!(i64::MAX)), IdTokenError::LongLived),
        ],
    );
    case.check("exp", &[], refused!(Expiration: "9999999999", "", 1e300, 1_585_000_300.5, 18_446_744_073_709_551_615_u64, null, true, [1_585_000_300], {}));
}

#[test]
fn step_10_it_was_issued_in_the_course_of_this_flow() {
    let case = Case::new(p256());
    case.check(
        "iat",
        &[Some(at(0)), Some(at(-600)), Some(at(60))],
        &[
            (Some(at(-601)), IdTokenError::Stale),
            (Some(at(-365 * 86_400)), IdTokenError::Stale),
            (Some(json!(0)), IdTokenError::Stale),
            (Some(at(61)), IdTokenError::Early),
            (Some(at(86_400)), IdTokenError::Early),
            (Some(json!(i64::MAX)), IdTokenError::Early),
        ],
    );
    case.check(
        "iat",
        &[],
        refused!(IssuedAt: "1585000000", 1e300, 1_585_000_000.0, null, false, [1_585_000_000]),
    );
}

#[test]
fn not_before_is_honoured() {
    let not_yet = |value| (Some(value), IdTokenError::NotBefore);
    Case::new(p256()).check(
        "nbf",
        &[None, Some(at(-1)), Some(at(60)), Some(json!(0))],
        &[
            not_yet(at(61)),
            not_yet(at(86_400)),
            not_yet(json!(i64::MAX)),
            not_yet(json!("1585000000")),
            not_yet(json!(1e9)),
            not_yet(json!(null)),
        ],
    );
}

#[test]
fn step_11_the_nonce_is_this_flows() {
    let case = Case::new(p256());
    let nonce = case.flow.nonce.reveal();
    let flipped = nonce.chars().map(|c| {
        if c.is_lowercase() {
            c.to_ascii_uppercase()
        } else {
            c.to_ascii_lowercase()
        }
    });
    let wrong = |value| (Some(value), IdTokenError::Nonce);
    case.check(
        "nonce",
        &[Some(json!(nonce))],
        &[
            (None, IdTokenError::Nonce),
            wrong(json!("")),
            wrong(json!(format!("{nonce}1"))),
            wrong(json!(nonce[..42])),
            wrong(json!(flipped.collect::<String>())),
            wrong(json!(flow().nonce.reveal())),
            wrong(json!(case.flow.state.reveal())),
            wrong(json!([nonce])),
            wrong(json!(null)),
        ],
    );
}

#[test]
fn a_subject_is_one_to_255_bytes_of_printable_ascii() {
    let case = Case::new(p256());
    let (longest, too_long, huge) = ("s".repeat(255), "s".repeat(256), "s".repeat(10_000));
    case.check(
        "sub",
        &[
            Some(json!("a")),
            Some(json!(longest)),
            Some(json!("x#USER#y")),
            Some(json!("A|b/c")),
        ],
        refused!(Subject:
            "", " ", "a ", "a\0b", "a\n", "a\u{200B}", "é", too_long, huge, 1, null, true, ["a"], {"a": "b"},
        ),
    );
    let subject = |sub: &str| case.verify_with("sub", Some(json!(sub))).unwrap().identity.subject;
    assert_eq!(subject("Maria#1").as_str(), "Maria#1");
    assert_ne!(subject("Maria"), subject("maria"));
}

#[test]
fn an_email_address_is_a_label_and_never_a_reason_to_refuse() {
    let case = Case::new(p256());
    let email = |value: Option<Value>| {
        let identity = case.verify_with("email", value).unwrap();
        (identity.email, identity.email_verified)
    };
    let usable = EmailAddress::parse("Maria@example.com");
    assert_eq!(email(Some(json!("Maria@example.com"))), (usable, true));
    let too_long = format!("{}@example.com", "m".repeat(254));
    for value in [
        None,
        Some(json!("maria")),
        Some(json!(too_long)),
        Some(json!("")),
        Some(json!(1)),
        Some(json!(["a@b.c"])),
    ] {
        assert_eq!(email(value.clone()), (None, false), "{value:?}");
    }
}

#[test]
fn an_email_address_is_verified_only_when_the_provider_says_true() {
    let case = Case::new(p256());
    let verified = |value| case.verify_with("email_verified", value).unwrap().email_verified;
    assert!(verified(Some(json!(true))));
    for value in [
        None,
        Some(json!(false)),
        Some(json!("true")),
        Some(json!(1)),
        Some(json!(null)),
        Some(json!([true])),
    ] {
        assert!(!verified(value.clone()), "{value:?}");
    }
}

#[test]
fn what_only_informs_is_passed_on_or_counts_as_absent() {
    let case = Case::new(p256());
    let with = |name: &str, value: Value| case.verify_with(name, Some(value)).unwrap();

    assert_eq!(with("sid", json!("s1")).provider_session.as_deref(), Some("s1"));
    assert_eq!(
        with("acr", json!("urn:mace:incommon:iap:silver")).acr.as_deref(),
        Some("urn:mace:incommon:iap:silver")
    );
    assert_eq!(
        with("auth_time", at(-5)).auth_time,
        Some(NOW.minus(Duration::from_secs(5)))
    );
    assert_eq!(with("amr", json!(["pwd", "otp"])).amr, ["pwd", "otp"]);

    for value in [
        json!(1),
        json!(""),
        json!(null),
        json!("a\nb"),
        json!("s".repeat(256)),
        json!(["s1"]),
    ] {
        assert_eq!(with("sid", value.clone()).provider_session, None, "{value}");
        assert_eq!(with("acr", value.clone()).acr, None, "{value}");
    }
    for value in [json!("1585000000"), json!(1e300), json!(null)] {
        assert_eq!(with("auth_time", value.clone()).auth_time, None, "{value}");
    }
    for value in [
        json!("pwd"),
        json!(["pwd", 1]),
        json!(["pwd", ""]),
        json!(null),
        json!(vec!["pwd"; 17]),
    ] {
        assert!(with("amr", value.clone()).amr.is_empty(), "{value}");
    }
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

#[test]
fn an_error_says_nothing_of_the_token() {
    let case = Case::new(p256());
    for name in ["iss", "aud", "azp", "exp", "iat", "nbf", "nonce", "sub"] {
        let error = case.verify_with(name, Some(json!("some secret"))).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
}
