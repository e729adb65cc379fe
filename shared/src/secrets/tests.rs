use super::*;
use crate::{
    http::problem::ErrorCode,
    outbound::{
        Locality,
        scripted_server::{Answer, ScriptedServer},
    },
};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_585_742_400); // 2020-04-01T12:00:00Z
const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:flow-keys-AbCdEf";
const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/1234";

fn deadline() -> Deadline {
    Deadline::within(Duration::from_secs(5))
}

fn store(endpoint: Option<String>) -> SecretStore {
    let variables = [
        ("AWS_REGION", Some("eu-west-1".to_owned())),
        ("AWS_ACCESS_KEY_ID", Some("AKID".to_owned())),
        ("AWS_SECRET_ACCESS_KEY", Some("hush".to_owned())),
        ("AWS_SESSION_TOKEN", Some("token".to_owned())),
        ("AWS_ENDPOINT_URL", endpoint),
    ];
    let lookup = |name: &str| variables.iter().find(|(known, _)| *known == name)?.1.clone();
    SecretStore::new(
        AwsEnvironment::from_lookup(&lookup).unwrap(),
        HttpClient::new(Locality::Local),
    )
}

/// What reading a secret comes to when Secrets Manager answers so. It is asked once.
async fn read_secret(answer: Answer) -> Result<String, SecretError> {
    let server = ScriptedServer::start([answer]).await;
    let outcome = store(Some(server.url(""))).secret(SECRET, NOW, deadline()).await;
    assert_eq!(server.hits(), 1);
    outcome
}

#[test]
fn a_call_goes_to_the_regions_endpoint_unless_another_is_given() {
    let url = |service: &Service, endpoint: Option<&str>| {
        let request = store(None).signed(service, endpoint, &json!({}), NOW).unwrap();
        request.uri().to_string()
    };
    assert_eq!(url(&KMS_SIGN, None), "https://kms.eu-west-1.amazonaws.com/");
    assert_eq!(
        url(&SECRETS_MANAGER, None),
        "https://secretsmanager.eu-west-1.amazonaws.com/"
    );
    assert_eq!(
        url(&KMS_GET_PUBLIC_KEY, Some("http://localhost:4566/")),
        "http://localhost:4566/"
    );
}

#[tokio::test]
async fn a_secret_is_read_by_a_call_signed_for_its_service_and_day() {
    let server = ScriptedServer::start([Answer::json(200, r#"{"ARN":"a","SecretString":"a,b"}"#)]).await;
    let secret = store(Some(server.url("")))
        .secret(SECRET, NOW, deadline())
        .await
        .unwrap();
    assert_eq!(secret, "a,b");

    let request = &server.requests()[0];
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/"));
    assert_eq!(request.header("x-amz-target").unwrap(), "secretsmanager.GetSecretValue");
    assert_eq!(request.header("content-type").unwrap(), "application/x-amz-json-1.1");
    assert_eq!(request.header("x-amz-date").unwrap(), "20200401T120000Z");
    assert_eq!(request.header("x-amz-security-token").unwrap(), "token");
    assert_eq!(request.body, json!({ "SecretId": SECRET }).to_string());
    let (start, signature) = request
        .header("authorization")
        .unwrap()
        .split_once(", Signature=")
        .unwrap();
    assert_eq!(
        start,
        "AWS4-HMAC-SHA256 Credential=AKID/20200401/eu-west-1/secretsmanager/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
    );
    assert!(
        signature.len() == 64 && signature.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{signature}"
    );
}

#[tokio::test]
async fn a_digest_is_signed_by_the_algorithm_that_is_asked_for() {
    let server = ScriptedServer::start([Answer::json(200, r#"{"Signature":"AAEC"}"#)]).await;
    let store = store(Some(server.url("")));
    let signature = store
        .sign(KEY, KmsAlgorithm::EcdsaSha256, &[0; 32], NOW, deadline())
        .await
        .unwrap();
    assert_eq!(signature, [0, 1, 2]);
    let request = &server.requests()[0];
    assert_eq!(request.header("x-amz-target").unwrap(), "TrentService.Sign");
    let body: Value = serde_json::from_str(&request.body).unwrap();
    let message = STANDARD.encode([0; 32]);
    let expected =
        json!({ "KeyId": KEY, "Message": message, "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256" });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_keys_algorithm_is_the_first_of_its_own_that_is_known_here() {
    let server = ScriptedServer::start([]).await;
    let store = store(Some(server.url("")));
    for (algorithms, expected) in [
        (r#"["ECDSA_SHA_256"]"#, Some(KmsAlgorithm::EcdsaSha256)),
        (
            r#"["RSASSA_PSS_SHA_512","RSASSA_PKCS1_V1_5_SHA_256"]"#,
            Some(KmsAlgorithm::RsassaPkcs1V15Sha256),
        ),
        (r#"["ECDSA_SHA_384"]"#, None),
        ("[]", None),
        ("1", None),
    ] {
        server.then(Answer::json(200, &format!(r#"{{"SigningAlgorithms":{algorithms}}}"#)));
        let outcome = store.signing_algorithm(KEY, NOW, deadline()).await;
        assert_eq!(outcome.ok(), expected, "{algorithms}");
    }
    for request in server.requests() {
        assert_eq!(request.header("x-amz-target").unwrap(), "TrentService.GetPublicKey");
    }
}

#[tokio::test]
async fn a_refusal_is_known_by_its_status_and_an_unusable_answer_is_not_quoted() {
    for (status, exception, expected) in [
        (400, "AccessDeniedException", ErrorCode::InternalError),
        (403, "AccessDeniedException", ErrorCode::InternalError),
        (400, "ThrottlingException", ErrorCode::TemporarilyUnavailable),
        (429, "x", ErrorCode::TemporarilyUnavailable),
        (500, "InternalServiceError", ErrorCode::TemporarilyUnavailable),
        (503, "x", ErrorCode::TemporarilyUnavailable),
    ] {
        let body = format!(r#"{{"__type":"com.amazonaws#{exception}","m":"hush"}}"#);
        let error = read_secret(Answer::json(status, &body)).await.unwrap_err();
        assert_eq!(error.code(), expected, "{error:?}");
        assert!(error.to_string().contains(&status.to_string()), "{error}");
        assert!(!format!("{error:?}").contains("hush"));
    }
    for body in [
        r#"{"SecretBinary":"aHVzaA=="}"#,
        r#"{"SecretString":["hush"]}"#,
        "hush",
        "",
    ] {
        let error = read_secret(Answer::json(200, body)).await.unwrap_err();
        assert!(
            matches!(error, SecretError::Unusable(_)) && !format!("{error:?}").contains("hush"),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_version_is_known_by_its_id_and_its_age_and_a_secret_may_have_none() {
    let server = ScriptedServer::start([]).await;
    let store = store(Some(server.url("")));
    server.then(Answer::json(
        200,
        r#"{"VersionId":"v1","CreatedDate":1585742400.25,"SecretString":"hush","VersionStages":["AWSCURRENT"]}"#,
    ));
    let version = store.current_version(SECRET, NOW, deadline()).await.unwrap().unwrap();
    assert_eq!((version.id.as_str(), version.text.as_str()), ("v1", "hush"));
    assert_eq!(version.created_at, NOW.plus(Duration::from_millis(250)));
    assert!(!format!("{version:?}").contains("hush"));

    for exception in [
        "ResourceNotFoundException",
        "com.amazonaws.secretsmanager#ResourceNotFoundException",
    ] {
        server.then(Answer::json(400, &json!({ "__type": exception }).to_string()));
        let version = store.current_version(SECRET, NOW, deadline()).await;
        assert!(matches!(version, Ok(None)), "{exception}: {version:?}");
    }
    for body in [
        r#"{"VersionId":"v1","CreatedDate":-1,"SecretString":"a"}"#,
        r#"{"VersionId":"v1","CreatedDate":1e300,"SecretString":"a"}"#,
        r#"{"VersionId":"v1","SecretString":"a"}"#,
    ] {
        server.then(Answer::json(200, body));
        let version = store.current_version(SECRET, NOW, deadline()).await;
        assert!(matches!(version, Err(SecretError::Unusable(_))), "{body}: {version:?}");
    }
}

#[tokio::test]
async fn a_version_is_written_under_its_id_which_has_one_value_for_ever() {
    let server = ScriptedServer::start([]).await;
    let store = store(Some(server.url("")));
    server.then(Answer::json(200, r#"{"VersionId":"v2"}"#));
    store.put_version(SECRET, "v2", "a,b", NOW, deadline()).await.unwrap();
    let request = &server.requests()[0];
    assert_eq!(request.header("x-amz-target").unwrap(), "secretsmanager.PutSecretValue");
    assert_eq!(
        serde_json::from_str::<Value>(&request.body).unwrap(),
        json!({ "SecretId": SECRET, "ClientRequestToken": "v2", "SecretString": "a,b" })
    );
    server.then(Answer::json(400, r#"{"__type":"ResourceExistsException"}"#));
    let again = store.put_version(SECRET, "v2", "c", NOW, deadline()).await;
    assert!(matches!(again, Err(SecretError::AlreadyExists(_))), "{again:?}");
}

#[tokio::test]
async fn no_answer_is_told_from_a_refusal() {
    for answer in [Answer::Hangup, Answer::flood("Transfer-Encoding: chunked")] {
        let error = read_secret(answer).await.unwrap_err();
        assert!(matches!(error, SecretError::Call { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_service_that_stalls_is_left_after_two_seconds() {
    let (server, deadline) = (ScriptedServer::start([Answer::Silence]).await, deadline());
    let store = store(Some(server.url("")));
    let outcome = server.without_waiting(store.secret(SECRET, NOW, deadline)).await;
    assert!(matches!(outcome, Err(SecretError::Call { .. })), "{outcome:?}");
    assert!(
        deadline.left() > Duration::from_millis(2500),
        "of 5 s: {:?}",
        deadline.left()
    );
}
