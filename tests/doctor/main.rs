//! What doctor says: nothing against a configuration that works, and of each thing that is broken that very thing.
//!
//! What is broken at AWS (secrets, a KMS key) is broken where the template is deployed: `tests/deploy/checks.py`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod provider;

use std::fmt::Write as _;

use account_linking::{
    clock::{MovableClock, SystemClock, SystemRandomness},
    config::Environment,
};
use doctor::{Report, Stage, Verdict};
use harness::{
    engines::Engine,
    magento::Magento,
    oidc_provider::Variant,
    stack::{Setup, Stack},
};
use serde_json::{Value, json};

/// What doctor says of `environment`. Whatever it is, no secret is in it.
async fn report_on(environment: &Environment) -> Report {
    let report = doctor::examine(environment, Stage::Deployed, &SystemClock, &SystemRandomness::default()).await;
    tells_no_secret(environment, &report);
    report
}

fn tells_no_secret(environment: &Environment, report: &Report) {
    let text = report.to_string();
    let providers: Value = serde_json::from_str(environment.get("PROVIDERS").unwrap_or("[]")).unwrap_or_default();
    let of_providers = providers.as_array().into_iter().flatten().flat_map(|provider| {
        let secrets = [provider["client_secret"].as_str(), provider["client_key"]["d"].as_str()];
        secrets.into_iter().flatten().map(str::to_owned)
    });
    let of_environment = ["FLOW_KEYS", "AWS_SECRET_ACCESS_KEY"]
        .into_iter()
        .filter_map(|name| environment.get(name).map(str::to_owned));
    for secret in of_providers.chain(of_environment) {
        assert!(!text.contains(&secret), "{text}");
    }
}

/// Subject and verdict of each line.
fn verdicts(report: &Report) -> String {
    report.findings().iter().fold(String::new(), |mut lines, finding| {
        writeln!(lines, "{:<7} {}", finding.verdict, finding.subject).unwrap();
        lines
    })
}

/// The texts of what `report` finds `verdict` about `subject`.
fn texts(report: &Report, verdict: Verdict, subject: &str) -> String {
    let found = report
        .findings()
        .iter()
        .filter(|finding| finding.verdict == verdict && finding.subject == subject);
    found
        .map(|finding| finding.text.as_str())
        .collect::<Vec<_>>()
        .join("\n")
}

/// `environment` with these variables.
fn with(environment: &Environment, variables: &[(&str, &str)]) -> Environment {
    let mut changed = environment.clone();
    for (name, value) in variables {
        changed.set(name, *value);
    }
    changed
}

/// `environment` with one member of its provider changed.
fn with_member(environment: &Environment, name: &str, value: Value) -> Environment {
    let mut providers: Value = serde_json::from_str(environment.get("PROVIDERS").unwrap()).unwrap();
    providers[0][name] = value;
    with(environment, &[("PROVIDERS", &providers.to_string())])
}

const PUSHING: Variant = Variant {
    id_token_signed_response_alg: "RS256",
    pushed_authorization_requests: true,
    client_authentication: "client_secret_basic",
};

const PLAIN: Variant = Variant {
    pushed_authorization_requests: false,
    ..PUSHING
};

async fn stack_with(variant: Variant) -> Stack {
    Setup::new(Engine::Embedded, Magento::OidcProvider)
        .with_variant(variant)
        .start()
        .await
}

/// A subject, the verdict on it, and part of what is said.
struct Expected(&'static str, Verdict, &'static str);

impl Expected {
    fn of(&self, report: &Report, case: &str) {
        let Self(subject, verdict, text) = self;
        let told = texts(report, *verdict, subject);
        assert!(
            told.contains(text),
            "{case}: {verdict:?} {subject}: {text:?} is not in\n{report}"
        );
        assert_eq!(report.is_wrong(), verdicts(report).contains("WRONG"), "{case}");
    }
}

#[tokio::test]
async fn a_configuration_that_works_is_found_well_with_every_provider() {
    let mut setups = vec![(
        "the development provider",
        Setup::new(Engine::Embedded, Magento::Development),
    )];
    for client_authentication in ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"] {
        for pushed_authorization_requests in [true, false] {
            let variant = Variant {
                pushed_authorization_requests,
                client_authentication,
                ..PUSHING
            };
            let setup = Setup::new(Engine::Embedded, Magento::OidcProvider).with_variant(variant);
            setups.push((client_authentication, setup));
        }
    }
    for (name, setup) in setups {
        let stack = setup.start().await;
        let report = report_on(stack.environment()).await;
        assert_eq!(
            verdicts(&report),
            "\
ok      variables
ok      flow keys
ok      table
advice  table
advice  table
ok      keys of sessions
ok      discovery of magento
ok      credential of magento
ok      keys of magento
ok      clock of magento
ok      client authentication of magento
ok      redirect URI of magento
",
            "{name}\n{report}"
        );
        assert!(!report.is_wrong());
    }
}

#[tokio::test]
async fn a_line_says_what_was_asked_and_what_came_of_it() {
    let stack = stack_with(PUSHING).await;
    let report = report_on(stack.environment()).await;
    assert_eq!(
        report.to_string(),
        "\
ok      variables: the functions can read them all
ok      flow keys: there, and of the right form
ok      table: keys, time to live and stream are as they must be
advice  table: it is not protected against deletion. template.yaml makes it so; a restored table must be given it (docs/operate.md).
advice  table: it has no point-in-time recovery. template.yaml makes it so; a restored table must be given it (docs/operate.md).
ok      keys of sessions: a session can be signed with one
ok      discovery of magento: issuer, endpoints, code flow and S256 are as they must be; pushed requests: yes, `iss` in every response: yes, \
prompt=create: yes
ok      credential of magento: there, and of use
ok      keys of magento: there is one for RS256
ok      clock of magento: within a second of this machine's; 60 s are allowed
ok      client authentication of magento: the provider knows us, and refuses who brings no credential
ok      redirect URI of magento: the provider takes a pushed request with it, and refuses another
"
    );
}

#[tokio::test]
async fn all_mistakes_of_variables_are_told_at_once_and_what_can_be_checked_is() {
    let stack = stack_with(PLAIN).await;
    let broken = with(
        stack.environment(),
        &[
            ("PUBLIC_ORIGIN", "http://accounts.localhost/"),
            ("CONFIRM_LINK", "sometimes"),
            ("FLOW_KEYS", ""),
        ],
    );
    let report = report_on(&broken).await;
    for name in [
        "PUBLIC_ORIGIN must be",
        "CONFIRM_LINK must be",
        "FLOW_KEYS_ARN is missing",
    ] {
        Expected("variables", Verdict::Wrong, name).of(&report, name);
    }
    Expected("flow keys", Verdict::Skipped, "mended first").of(&report, "flow keys");
    Expected("discovery of magento", Verdict::Skipped, "mended first").of(&report, "provider");
    Expected("table", Verdict::Ok, "").of(&report, "table");
    Expected("keys of sessions", Verdict::Ok, "").of(&report, "sessions");
    assert!(report.is_wrong());
}

#[tokio::test]
async fn a_provider_that_is_read_wrong_does_not_hide_the_other() {
    let stack = stack_with(PLAIN).await;
    let mut providers: Value = serde_json::from_str(stack.environment().get("PROVIDERS").unwrap()).unwrap();
    let wrong = json!({"id": "adobe", "name": "Adobe", "issuer": "http://adobe.localhost", "client_id": "c", "client_authentication": "secret"});
    providers.as_array_mut().unwrap().insert(0, wrong);
    let report = report_on(&with(stack.environment(), &[("PROVIDERS", &providers.to_string())])).await;
    Expected(
        "variables",
        Verdict::Wrong,
        "PROVIDERS[0].client_authentication must be",
    )
    .of(&report, "adobe");
    Expected("discovery of adobe", Verdict::Skipped, "").of(&report, "adobe");
    Expected("client authentication of magento", Verdict::Ok, "").of(&report, "magento");
    Expected("redirect URI of magento", Verdict::Ok, "").of(&report, "magento");
}

#[tokio::test]
async fn what_the_first_deployment_makes_is_not_looked_at_before() {
    let stack = stack_with(PUSHING).await;
    let mut providers: Value = serde_json::from_str(stack.environment().get("PROVIDERS").unwrap()).unwrap();
    let members = providers[0].as_object_mut().unwrap();
    members.remove("client_secret");
    members.insert("client_authentication".to_owned(), json!("private_key_jwt"));
    members.insert(
        "client_key_arn".to_owned(),
        json!("arn:aws:kms:eu-west-1:000000000000:alias/a"),
    );
    let environment = with(
        stack.environment(),
        &[
            ("PROVIDERS", &providers.to_string()),
            ("TABLE_NAME", ""),
            ("FLOW_KEYS", ""),
            ("AWS_REGION", ""),
            ("AWS_ACCESS_KEY_ID", ""),
            ("AWS_SECRET_ACCESS_KEY", ""),
            ("AWS_ENDPOINT_URL_DYNAMODB", ""),
        ],
    );
    let random = SystemRandomness::default();
    let report = doctor::examine(&environment, Stage::BeforeDeployment, &SystemClock, &random).await;
    assert_eq!(
        verdicts(&report),
        "\
ok      variables
skipped flow keys
skipped table
ok      keys of sessions
ok      discovery of magento
skipped credential of magento
ok      keys of magento
ok      clock of magento
skipped client authentication of magento
skipped redirect URI of magento
",
        "{report}"
    );
    // The same, once there should be all of it.
    assert!(report_on(&environment).await.is_wrong());
}

#[tokio::test]
async fn a_clock_that_is_more_than_a_minute_away_is_told_either_way() {
    let stack = stack_with(PLAIN).await;
    for (moved_ms, verdict, text) in [
        (-70_000, Verdict::Wrong, "s ahead of this machine's"),
        (-50_000, Verdict::Ok, "s ahead of this machine's"),
        (50_000, Verdict::Ok, "s behind this machine's"),
        (75_000, Verdict::Wrong, "s behind this machine's"),
    ] {
        let clock = MovableClock::default();
        clock.move_by_ms(moved_ms);
        let random = SystemRandomness::default();
        let report = doctor::examine(stack.environment(), Stage::Deployed, &clock, &random).await;
        Expected("clock of magento", verdict, text).of(&report, &moved_ms.to_string());
    }
}

#[tokio::test]
async fn a_table_that_lacks_something_is_told_what() {
    for engine in [Engine::Embedded, Engine::DynamoDbLocal] {
        let stack = Setup::new(engine, Magento::Development).start().await;
        let told = async |verdict, text| {
            let report = report_on(stack.environment()).await;
            Expected("table", verdict, text).of(&report, &format!("{engine:?}"));
        };
        told(Verdict::Ok, "keys, time to live and stream are as they must be").await;

        let off = json!({"TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": false}});
        stack.database.call("UpdateTimeToLive", off).await;
        told(Verdict::Wrong, "time to live is not on `expires_at`").await;

        let (own, other) = (stack.environment(), "a-table-that-is-not-there");
        let report = report_on(&with(own, &[("TABLE_NAME", other)])).await;
        Expected("table", Verdict::Wrong, "ResourceNotFoundException").of(&report, other);

        stack.database.call("DeleteTable", json!({})).await;
        let other_keys = json!({
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        });
        stack.database.call("CreateTable", other_keys).await;
        told(Verdict::Wrong, "its keys are not `pk` and `sk`, both strings").await;
        told(Verdict::Wrong, "it has no stream with new and old images").await;
    }
}

#[tokio::test]
async fn keys_of_sessions_that_serve_nobody_are_told() {
    let stack = stack_with(PLAIN).await;
    let mut jwks: Value = serde_json::from_str(stack.environment().get("SESSION_JWKS").unwrap()).unwrap();
    let nobody = free_origin();
    let unreachable = format!("{nobody}/jwks");
    let report = report_on(&with(stack.environment(), &[("SESSION_JWKS_URL", &unreachable)])).await;
    Expected("keys of sessions", Verdict::Wrong, "connecting").of(&report, "nobody there");

    jwks["keys"][0] = json!({
        "kty": "RSA", "alg": "PS256", "e": "AQAB", "n": format!("{}w", "w".repeat(341)),
    });
    let report = report_on(&with(stack.environment(), &[("SESSION_JWKS", &jwks.to_string())])).await;
    Expected("keys of sessions", Verdict::Wrong, "none is for ES256, RS256 or EdDSA").of(&report, "PS256");
}

#[tokio::test]
async fn flow_keys_that_cannot_be_had_are_told() {
    let stack = stack_with(PLAIN).await;
    let nobody = free_origin();
    let broken = with(
        stack.environment(),
        &[
            ("FLOW_KEYS", ""),
            (
                "FLOW_KEYS_ARN",
                "arn:aws:secretsmanager:eu-west-1:000000000000:secret:keys",
            ),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &nobody),
        ],
    );
    let report = report_on(&broken).await;
    Expected(
        "flow keys",
        Verdict::Wrong,
        "Look at AWS_REGION, at the credentials, and at the way to AWS",
    )
    .of(&report, "nobody");
}

/// An origin where nobody listens.
fn free_origin() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://nobody.localhost:{}", listener.local_addr().unwrap().port())
}
