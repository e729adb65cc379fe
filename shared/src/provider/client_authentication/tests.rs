use std::collections::HashSet;

use aws_credential_types::Credentials;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED, EcdsaKeyPair, KeyPair, UnparsedPublicKey},
};

use super::*;
use crate::{
    aws::AwsEnvironment,
    clock::SystemRandomness,
    jose::{
        CompactJws,
        test_keys::{p256, published, rsa},
    },
    outbound::{
        Locality,
        scripted_server::{Answer, ScriptedServer},
    },
};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_585_699_200);
const CLIENT_ID: &str = "client!+ID";
const ISSUER: &str = "https://id.example/realm/";
const SECRET_ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:client-AbCdEf";
const KEY_ARN: &str = "arn:aws:kms:eu-west-1:123456789012:key/1234";

fn store(server: &ScriptedServer) -> SecretStore {
    let endpoint = Some(server.url(""));
    let aws = AwsEnvironment {
        region: "eu-west-1".to_owned(),
        credentials: Credentials::new("AKID", "hush", None, None, "test"),
        dynamodb_endpoint: None,
        secrets_manager_endpoint: endpoint.clone(),
        kms_endpoint: endpoint,
    };
    SecretStore::new(aws, HttpClient::new(Locality::Local))
}

async fn credentials_at(
    authentication: &ClientAuthentication,
    now: Timestamp,
) -> Result<ClientCredentials, ClientAuthenticationError> {
    let (issuer, deadline) = (Issuer::parse(ISSUER).unwrap(), Deadline::within(Duration::from_secs(5)));
    authentication
        .credentials(CLIENT_ID, &issuer, now, deadline, &SystemRandomness::default())
        .await
}

async fn assertion(authentication: &ClientAuthentication) -> String {
    match credentials_at(authentication, NOW).await.unwrap() {
        ClientCredentials::Assertion(assertion) => assertion,
        other => panic!("{other:?}"),
    }
}

fn with_key(key: SigningKey) -> ClientAuthentication {
    let settings = ClientAuthenticationSettings::PrivateKeyJwt(Credential::Given(Box::new(key)));
    ClientAuthentication::new(settings, None).unwrap()
}

#[tokio::test]
async fn pt_33_an_assertion_is_for_the_issuer_alone_and_for_a_minute() {
    for key in [p256(), rsa()] {
        let keys = published(&[&key]);
        let assertion = assertion(&with_key(key)).await;
        let jwt = CompactJws::parse(&assertion)
            .unwrap()
            .verify(&keys, &Algorithm::ALL)
            .unwrap();
        assert_eq!((jwt.text("iss"), jwt.text("sub")), (Some(CLIENT_ID), Some(CLIENT_ID)));
        assert_eq!(jwt.text("aud"), Some(ISSUER), "one text, no list");
        assert_eq!(
            (jwt.date("iat"), jwt.date("exp")),
            (Some(NOW), Some(NOW.plus(Duration::from_mins(1))))
        );
        assert_eq!(jwt.text("jti").unwrap().len(), 22);
    }
}

#[tokio::test]
async fn every_assertion_has_a_name_of_its_own() {
    let key = p256();
    let keys = published(&[&key]);
    let authentication = with_key(key);
    let mut names = HashSet::new();
    for _ in 0..10 {
        let assertion = assertion(&authentication).await;
        let jwt = CompactJws::parse(&assertion)
            .unwrap()
            .verify(&keys, &Algorithm::ALL)
            .unwrap();
        names.insert(jwt.text("jti").unwrap().to_owned());
    }
    assert_eq!(names.len(), 10);
}

#[tokio::test]
async fn kms_signs_the_digest_of_the_assertion_with_the_algorithm_of_its_key() {
    // The smallest DER there is, for r = 1 and s = 2.
    let ecdsa = STANDARD.encode([0x30, 6, 2, 1, 1, 2, 1, 2]);
    for (algorithms, algorithm, alg, signature, expected) in [
        (r#"["ECDSA_SHA_256"]"#, "ECDSA_SHA_256", "ES256", ecdsa.as_str(), {
            let mut raw = [0; 64];
            (raw[31], raw[63]) = (1, 2);
            raw.to_vec()
        }),
        (
            r#"["RSASSA_PSS_SHA_256","RSASSA_PKCS1_V1_5_SHA_256"]"#,
            "RSASSA_PKCS1_V1_5_SHA_256",
            "RS256",
            "AAEC",
            vec![0, 1, 2],
        ),
    ] {
        let signed = Answer::json(200, &format!(r#"{{"Signature":"{signature}"}}"#));
        let public_key = Answer::json(200, &format!(r#"{{"SigningAlgorithms":{algorithms}}}"#));
        let server = ScriptedServer::start([public_key, signed.clone(), signed]).await;
        let settings = ClientAuthenticationSettings::PrivateKeyJwt(Credential::Arn(KEY_ARN.to_owned()));
        let authentication = ClientAuthentication::new(settings, Some(&store(&server))).unwrap();

        let token = assertion(&authentication).await;
        let (signing_input, signature) = token.rsplit_once('.').unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(signature).unwrap(), expected);
        let header = URL_SAFE_NO_PAD
            .decode(signing_input.split('.').next().unwrap())
            .unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header, json!({ "alg": alg, "typ": "JWT" }));

        let request: Value = serde_json::from_str(&server.requests()[1].body).unwrap();
        let hash = digest::digest(&digest::SHA256, signing_input.as_bytes());
        let expected = json!({
            "KeyId": KEY_ARN, "Message": STANDARD.encode(hash), "MessageType": "DIGEST", "SigningAlgorithm": algorithm,
        });
        assert_eq!(request, expected);

        assertion(&authentication).await;
        assert_eq!(server.hits(), 3, "the key's algorithm is asked for once");
    }
}

#[tokio::test]
async fn a_key_that_cannot_sign_an_assertion_is_our_own_failure() {
    let public_key = || Answer::json(200, r#"{"SigningAlgorithms":["ECDSA_SHA_256"]}"#);
    for script in [
        vec![Answer::json(200, r#"{"SigningAlgorithms":["SM2DSA"]}"#)],
        vec![Answer::json(400, r#"{"__type":"NotFoundException"}"#)],
        vec![public_key(), Answer::json(400, r#"{"__type":"AccessDeniedException"}"#)],
        vec![public_key(), Answer::json(200, r#"{"Signature":"AAEC"}"#)],
        vec![public_key(), Answer::json(200, r#"{"Signature":"?"}"#)],
    ] {
        let calls = script.len();
        let server = ScriptedServer::start(script).await;
        let settings = ClientAuthenticationSettings::PrivateKeyJwt(Credential::Arn(KEY_ARN.to_owned()));
        let authentication = ClientAuthentication::new(settings, Some(&store(&server))).unwrap();
        let error = credentials_at(&authentication, NOW).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InternalError, "{error:?}");
        assert_eq!(server.hits(), calls, "nothing is tried twice");
    }
}

#[tokio::test]
async fn an_outage_of_aws_is_a_matter_of_time() {
    let outages = || {
        [
            Answer::json(400, r#"{"__type":"ThrottlingException"}"#),
            Answer::json(503, r#"{"__type":"DependencyTimeoutException"}"#),
            Answer::Hangup,
        ]
    };
    let kinds: [fn() -> ClientAuthenticationSettings; 2] = [
        || ClientAuthenticationSettings::PrivateKeyJwt(Credential::Arn(KEY_ARN.to_owned())),
        || ClientAuthenticationSettings::ClientSecretPost(Credential::Arn(SECRET_ARN.to_owned())),
    ];
    for settings in kinds {
        for outage in outages() {
            let server = ScriptedServer::start([outage]).await;
            let authentication = ClientAuthentication::new(settings(), Some(&store(&server))).unwrap();
            for _ in 0..2 {
                let error = credentials_at(&authentication, NOW).await.unwrap_err();
                assert_eq!(error.code(), ErrorCode::TemporarilyUnavailable, "{error:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_stored_secret_is_read_once_and_again_after_ten_minutes() {
    let secret = |text: &str| Answer::json(200, &format!(r#"{{"SecretString":"{text}"}}"#));
    let server = ScriptedServer::start([secret("old"), secret("new"), Answer::Hangup]).await;
    let settings = ClientAuthenticationSettings::ClientSecretPost(Credential::Arn(SECRET_ARN.to_owned()));
    let authentication = ClientAuthentication::new(settings, Some(&store(&server))).unwrap();
    for (second, expected) in [(0, "old"), (599, "old"), (600, "new"), (1199, "new"), (1200, "new")] {
        let now = NOW.plus(Duration::from_secs(second));
        match credentials_at(&authentication, now).await.unwrap() {
            ClientCredentials::Post(secret) => assert_eq!(secret.secret(), expected, "{second}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(server.hits(), 3);
}

#[test]
fn without_aws_there_is_no_arn_to_use() {
    let settings = ClientAuthenticationSettings::ClientSecretBasic(Credential::Arn(SECRET_ARN.to_owned()));
    assert!(ClientAuthentication::new(settings, None).is_none());
}

#[test]
fn basic_credentials_are_form_encoded_before_they_are_joined() {
    let header = basic(CLIENT_ID, &ClientSecret::new("SECRET?%Gclient é".to_owned())).unwrap();
    let encoded = header.to_str().unwrap().strip_prefix("Basic ").unwrap();
    let decoded = String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap();
    assert_eq!(decoded, "client%21%2BID:SECRET%3F%25Gclient+%C3%A9");
    assert!(!format!("{header:?}").contains(encoded));
}

#[test]
fn a_der_signature_of_a_real_key_verifies_in_the_form_of_jose() {
    #[expect(clippy::disallowed_methods, reason = "ring's signer takes nothing else")]
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random).unwrap();
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_key().as_ref());
    for _ in 0..100 {
        let der = key.sign(&random, b"message").unwrap();
        let raw = ecdsa_signature(der.as_ref()).unwrap();
        public.verify(b"message", &raw).unwrap();
    }
}

#[test]
fn what_is_no_der_signature_is_refused() {
    let negative = [0x30, 6, 2, 1, 0x80, 2, 1, 2];
    let mut too_long = vec![0x30, 39, 2, 34, 0, 1];
    too_long.extend([0; 32]);
    too_long.extend([2, 1, 2]);
    for der in [
        &[][..],
        &[0x30],
        &[0x30, 0],
        &[0x31, 6, 2, 1, 1, 2, 1, 2],
        &[0x30, 7, 2, 1, 1, 2, 1, 2],
        &[0x30, 6, 2, 1, 1, 2, 1, 2, 0],
        &[0x30, 7, 2, 1, 1, 2, 1, 2, 0],
        &[0x30, 6, 3, 1, 1, 2, 1, 2],
        &[0x30, 6, 2, 0, 2, 2, 1, 2],
        &[0x30, 6, 2, 9, 1, 2, 1, 2],
        &negative,
        &too_long,
    ] {
        assert_eq!(ecdsa_signature(der), None, "{der:?}");
    }
}
