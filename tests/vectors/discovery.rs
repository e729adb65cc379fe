//! Metadata: whose it may be, where it may lead, what it must promise.

use harness::{
    hostile_provider::{Endpoint, Endpoints, Fate, HostileProvider, Reply},
    hostile_world::{HostileWorld, Outcome, Verdict},
    stack::ProviderCalls,
};
use serde_json::{Value, json};

/// Longer than any metadata serves without being fetched anew.
const TWO_DAYS: i64 = 2 * 24 * 60 * 60;

type Row = (&'static str, fn(&mut Value));

const ACCEPTED: &[Row] = &[
    ("oidcc-client-test-discovery-openid-config", |_| {}),
    ("members that nobody knows", |metadata| {
        metadata["x"] = json!({"y": [1]});
    }),
    ("the code flow among others", |metadata| {
        metadata["response_types_supported"] = json!(["id_token", "code id_token", "code"]);
    }),
    ("S256 among others", |metadata| {
        metadata["code_challenge_methods_supported"] = json!(["plain", "S256"]);
    }),
    ("op_02_an_endpoint_on_a_host_below_the_issuers", |metadata| {
        let below = metadata["token_endpoint"]
            .as_str()
            .unwrap()
            .replace("magento.", "token.magento.");
        metadata["token_endpoint"] = below.into();
    }),
];

const REFUSED: &[Row] = &[
    ("oidcc-client-test-discovery-issuer-mismatch", |metadata| {
        metadata["issuer"] = "https://invalid.example/".into();
    }),
    (
        "fapi2-security-profile-final-client-test-discovery-issuer-mismatch",
        |metadata| {
            metadata["issuer"] = format!("{}INVALID", metadata["issuer"].as_str().unwrap()).into();
        },
    ),
    ("op_01_the_issuer_with_a_slash", |metadata| {
        metadata["issuer"] = format!("{}/", metadata["issuer"].as_str().unwrap()).into();
    }),
    ("op_01_the_issuer_in_capitals", |metadata| {
        metadata["issuer"] = metadata["issuer"].as_str().unwrap().to_uppercase().into();
    }),
    ("op_01_no_issuer", |metadata| metadata["issuer"] = Value::Null),
    ("op_01_the_issuer_in_a_list", |metadata| {
        metadata["issuer"] = json!([metadata["issuer"]]);
    }),
    ("op_02_a_token_endpoint_elsewhere", |metadata| {
        metadata["token_endpoint"] = elsewhere(metadata, "token");
    }),
    ("op_02_keys_elsewhere", |metadata| {
        metadata["jwks_uri"] = elsewhere(metadata, "jwks");
    }),
    ("op_02_an_authorization_endpoint_elsewhere", |metadata| {
        metadata["authorization_endpoint"] = elsewhere(metadata, "authorize");
    }),
    ("op_02_pushed_requests_elsewhere", |metadata| {
        metadata["pushed_authorization_request_endpoint"] = elsewhere(metadata, "par");
    }),
    ("op_02_a_host_that_ends_like_the_issuers", |metadata| {
        metadata["token_endpoint"] = "http://evilmagento.localhost:9/token".into();
    }),
    ("op_02_the_metadata_of_this_machine", |metadata| {
        metadata["jwks_uri"] = "http://169.254.169.254/latest/".into();
    }),
    ("op_02_a_private_address", |metadata| {
        metadata["jwks_uri"] = "https://10.0.0.1/jwks".into();
    }),
    ("op_02_a_file", |metadata| {
        metadata["jwks_uri"] = "file:///etc/passwd".into();
    }),
    ("op_02_credentials_before_the_host", |metadata| {
        metadata["token_endpoint"] = "http://magento.localhost@evil.localhost:9/token".into();
    }),
    ("op_02_an_endpoint_that_is_no_text", |metadata| {
        metadata["token_endpoint"] = json!(["http://magento.localhost/token"]);
    }),
    ("op_02_no_token_endpoint", |metadata| {
        metadata.as_object_mut().unwrap().remove("token_endpoint");
    }),
    ("op_02_no_keys", |metadata| {
        metadata.as_object_mut().unwrap().remove("jwks_uri");
    }),
    ("pt_02_no_word_on_s256", |metadata| {
        metadata
            .as_object_mut()
            .unwrap()
            .remove("code_challenge_methods_supported");
    }),
    ("pt_02_plain_alone", |metadata| {
        metadata["code_challenge_methods_supported"] = json!(["plain"]);
    }),
    ("pt_02_s256_in_small_letters", |metadata| {
        metadata["code_challenge_methods_supported"] = json!(["s256"]);
    }),
    ("pt_02_s256_that_is_no_list", |metadata| {
        metadata["code_challenge_methods_supported"] = "S256".into();
    }),
    ("no code flow", |metadata| {
        metadata["response_types_supported"] = json!(["id_token"]);
    }),
    ("an error with the status of success for metadata", |metadata| {
        *metadata = json!({"error": "server_error"});
    }),
    ("op_05_good_metadata_of_more_than_256_kib", |metadata| {
        metadata["padding"] = "x".repeat(256 * 1024).into();
    }),
    ("metadata that is a list", |metadata| *metadata = json!([metadata])),
];

/// An endpoint of the same server under another site's name: whoever calls it would be answered.
fn elsewhere(metadata: &Value, path: &str) -> Value {
    let issuer = metadata["issuer"].as_str().unwrap();
    format!("{}/{path}", issuer.replace("magento.", "evil.")).into()
}

#[tokio::test]
async fn metadata_is_believed_only_as_far_as_its_issuer_reaches() {
    let world = HostileWorld::start_with(Endpoints::Discovered, &[("PROVIDER_TIMEOUT_MS", "1500")], &[], &[]).await;
    let thief = HostileProvider::start().await;
    let elsewhere = format!("{}/.well-known/openid-configuration", thief.issuer());
    let mut verdict = Verdict::default();
    for (name, change) in ACCEPTED {
        world.time_passes(TWO_DAYS);
        world.provider.change_metadata(change);
        let newcomer = world.newcomer();
        let landed = world.about_to_come_back(&newcomer).await.follows().await;
        let mut expected = Outcome::after_redemption("linked");
        expected.calls = ProviderCalls {
            discovery: 2, // start-link and callback are functions of their own
            jwks: 1,
            ..expected.calls
        };
        verdict.row(name, &expected, &world.outcome(&landed).await);
    }
    let mut expected = Outcome::refused_at_once("provider_unavailable");
    expected.calls.discovery = 1;
    for (name, change) in REFUSED {
        world.time_passes(TWO_DAYS);
        world.provider.change_metadata(change);
        let newcomer = world.newcomer();
        let started = world.starts(&newcomer).await;
        verdict.row(name, &expected, &world.outcome(&started).await);
    }
    world.provider.behaves();
    for (name, fate) in [
        (
            "op_03_metadata_that_moved_elsewhere",
            Fate::Answer(Reply::redirect(302, &elsewhere)),
        ),
        ("metadata that is gone", Fate::Answer(Reply::json(404, &json!({})))),
        (
            "a page in the place of metadata",
            Fate::Answer(Reply::new(200, "text/html", "<html>")),
        ),
        (
            "pt_20_the_issuer_of_metadata_twice",
            Fate::Answer(Reply::new(200, "application/json", r#"{"issuer":"a","issuer":"b"}"#)),
        ),
        ("op_05_metadata_without_an_end", Fate::Flood),
        ("op_04_silence_for_metadata", Fate::Stall),
    ] {
        world.time_passes(TWO_DAYS);
        world.provider.next(Endpoint::Discovery, [fate]);
        let newcomer = world.newcomer();
        let started = world.starts(&newcomer).await;
        verdict.row(name, &expected, &world.outcome(&started).await);
    }
    verdict.is_clean(36);
    assert_eq!(thief.calls(), ProviderCalls::default());
}

#[tokio::test]
async fn op_01_metadata_that_turns_while_a_flow_is_under_way_gets_no_code() {
    let world = HostileWorld::start(Endpoints::Discovered).await;
    world.time_passes(TWO_DAYS);
    let newcomer = world.newcomer();
    let back = world.about_to_come_back(&newcomer).await;
    // The callback learns its metadata for itself: now it names another token endpoint.
    world
        .provider
        .change_metadata(|metadata| metadata["token_endpoint"] = elsewhere(metadata, "token"));
    let landed = back.follows().await;
    let outcome = world.outcome(&landed).await;
    assert_eq!((&*outcome.answer, outcome.linked), ("provider_unavailable", false));
    assert_eq!(world.provider.codes_brought(), Vec::<String>::new());
}

#[tokio::test]
async fn a_client_secret_goes_to_the_token_endpoint_alone() {
    let settings = [
        ("client_authentication", json!("client_secret_basic")),
        ("client_secret", json!("s3cret")),
    ];
    let world = HostileWorld::start_with(Endpoints::Discovered, &[], &settings, &[]).await;
    let mut verdict = Verdict::default();
    let newcomer = world.newcomer();
    let back = world.about_to_come_back(&newcomer).await;
    assert!(!format!("{back:?}").contains("s3cret"));
    let landed = back.follows().await;
    verdict.row(
        "oidcc-client-test-client-secret-basic",
        &Outcome::after_redemption("linked"),
        &world.outcome(&landed).await,
    );
    verdict.is_clean(1);
}
