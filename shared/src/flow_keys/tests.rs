use serde_json::json;

use super::*;
use crate::{
    clock::SystemRandomness,
    config::{Environment, tests::site_at},
    outbound::scripted_server::{Answer, ScriptedServer},
};

const ORIGIN: &str = "http://accounts.localhost";
const NOW: Timestamp = Timestamp::from_unix_seconds(1_585_742_400);
const OLD: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const NEW: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const NEWER: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
const COOKIE: &str = "__Host-sso-flow-AAAAAAAA";

fn holding(keys: &str) -> Answer {
    Answer::json(200, &json!({ "SecretString": keys }).to_string())
}

fn ring(secrets: &ScriptedServer) -> FlowKeyRing {
    let mut environment = Environment::default();
    for (name, value) in [
        (
            "FLOW_KEYS_ARN",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:flow-keys",
        ),
        ("PUBLIC_ORIGIN", ORIGIN),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
        ("AWS_ENDPOINT_URL", &secrets.url("")),
    ] {
        environment.set(name, value);
    }
    let mut reader = Reader::new(&environment);
    let ring = FlowKeyRing::read(&mut reader, Some(&site_at(ORIGIN)));
    reader.finish(ring).unwrap()
}

/// What a function with `keys` would seal.
fn sealed_by(keys: &str) -> String {
    let keys = FlowKeys::parse(keys, ORIGIN).unwrap();
    keys.seal(Kind::Flow, COOKIE, &1_u8, &SystemRandomness::default())
        .unwrap()
}

async fn opened(ring: &FlowKeyRing, sealed: &str, now: Timestamp) -> Result<u8, OpenSealedError> {
    let deadline = Deadline::within(Duration::from_secs(5));
    ring.open(Kind::Flow, COOKIE, sealed, now, deadline).await
}

#[tokio::test]
async fn an_unknown_key_is_asked_for_and_once_in_thirty_seconds_at_most() {
    let secrets = ScriptedServer::start([
        holding(OLD),
        holding(&format!("{NEW},{OLD}")),
        holding(&format!("{NEWER},{NEW}")),
    ])
    .await;
    let ring = ring(&secrets);
    let after = |seconds| NOW.plus(Duration::from_secs(seconds));
    ring.warm_up(NOW).await;
    assert_eq!(opened(&ring, &sealed_by(OLD), NOW).await.unwrap(), 1);
    assert_eq!(secrets.hits(), 1);

    assert_eq!(opened(&ring, &sealed_by(NEW), after(1)).await.unwrap(), 1);
    assert_eq!(secrets.hits(), 2);

    for seconds in [1, 30] {
        let unknown = opened(&ring, &sealed_by(NEWER), after(seconds)).await;
        assert!(
            matches!(unknown, Err(OpenSealedError::Open(OpenError::UnknownKey))),
            "{unknown:?}"
        );
    }
    assert_eq!(secrets.hits(), 2);
    assert_eq!(opened(&ring, &sealed_by(NEWER), after(31)).await.unwrap(), 1);
    assert_eq!(secrets.hits(), 3);
}

#[tokio::test]
async fn the_keys_are_fetched_again_after_ten_minutes() {
    let secrets = ScriptedServer::start([holding(OLD), holding(&format!("{NEW},{OLD}"))]).await;
    let ring = ring(&secrets);
    ring.warm_up(NOW).await;
    for (milliseconds, hits) in [(599_999, 1), (600_000, 2)] {
        let now = NOW.plus(Duration::from_millis(milliseconds));
        assert_eq!(opened(&ring, &sealed_by(OLD), now).await.unwrap(), 1);
        assert_eq!(secrets.hits(), hits);
    }
}

#[tokio::test]
async fn keys_out_of_reach_are_a_matter_of_time_and_no_fault_of_the_value() {
    let secrets = ScriptedServer::start([Answer::Hangup]).await;
    let unreachable = opened(&ring(&secrets), &sealed_by(OLD), NOW).await.unwrap_err();
    assert_eq!(
        unreachable.code_for(ErrorCode::FlowUnknown),
        ErrorCode::TemporarilyUnavailable
    );
}
