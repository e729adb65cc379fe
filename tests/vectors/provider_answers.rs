//! What the token endpoint and the endpoint for pushed requests may answer, on the wire and in JSON.

use std::time::Duration;

use harness::{
    browser::Browser,
    hostile_provider::{Endpoint, Endpoints, Fate, HostileProvider, Reply},
    hostile_world::{HostileWorld, Outcome, Verdict},
    stack::ProviderCalls,
};
use serde_json::{Value, json};

/// Long enough for an honest answer on a busy machine, and short enough to be waited for.
const PROVIDER_TIMEOUT: Duration = Duration::from_millis(1500);

type Change = fn(&mut Value);

const TOLERATED: &[(&str, Change)] = &[
    ("pt_36_an_honest_token_answer", |_| {}),
    (
        "fapi2-security-profile-final-client-test-token-type-case-insensitivity",
        |answer| {
            answer["token_type"] = "bEARER".into();
        },
    ),
    (
        "fapi2-security-profile-final-client-test-token-endpoint-response-without-expires_in",
        |answer| {
            answer.as_object_mut().unwrap().remove("expires_in");
        },
    ),
    ("pt_36_members_that_nobody_knows", |answer| {
        answer["id_token_type"] = json!({"a": [1, 2]});
    }),
    ("op_09_a_refresh_token_that_nobody_asked_for", |answer| {
        answer["refresh_token"] = "r".into();
        answer["scope"] = "openid email offline_access".into();
    }),
];

const UNUSABLE: &[(&str, Change)] = &[
    ("op_06_no_id_token", |answer| {
        answer.as_object_mut().unwrap().remove("id_token");
    }),
    ("op_05_a_good_answer_of_more_than_64_kib", |answer| {
        answer["padding"] = "x".repeat(64 * 1024).into();
    }),
    ("op_06_an_id_token_that_is_null", |answer| {
        answer["id_token"] = Value::Null;
    }),
    ("op_06_an_id_token_that_is_an_object", |answer| {
        answer["id_token"] = json!({"sub": "s"});
    }),
    ("op_06_no_access_token", |answer| {
        answer.as_object_mut().unwrap().remove("access_token");
    }),
    ("op_06_no_token_type", |answer| {
        answer.as_object_mut().unwrap().remove("token_type");
    }),
    ("op_06_an_error_with_the_status_of_success", |answer| {
        *answer = json!({"error": "invalid_grant"});
    }),
    ("op_06_a_list", |answer| *answer = json!([answer])),
    ("op_06_a_text", |answer| *answer = json!("ok")),
];

/// What becomes of a call to the token endpoint, and the outcome.
type Answered = (&'static str, Fate, &'static str);

/// What is answered in the place of tokens.
fn said() -> Vec<Answered> {
    let json = |status, body: Value| Fate::Answer(Reply::json(status, &body));
    let text = |status, kind: &str, body: &str| Fate::Answer(Reply::new(status, kind, body));
    let (refused, unavailable) = ("provider_refused", "provider_unavailable");
    vec![
        (
            "an invalid grant",
            json(400, json!({"error": "invalid_grant"})),
            refused,
        ),
        (
            "op_08_an_invalid_client",
            json(401, json!({"error": "invalid_client"})),
            refused,
        ),
        (
            "a forbidden client",
            json(403, json!({"error": "unauthorized_client"})),
            refused,
        ),
        (
            "an error that nobody registered",
            json(400, json!({"error": "<script>", "error_description": "Call 0800"})),
            refused,
        ),
        (
            "op_06_a_page_with_the_status_of_success",
            text(200, "text/html", "<html>Sign in</html>"),
            unavailable,
        ),
        (
            "op_06_a_page_with_the_status_of_an_error",
            text(404, "text/html", "<html>Gone</html>"),
            unavailable,
        ),
        (
            "op_06_nothing_with_the_status_of_success",
            text(200, "application/json", ""),
            unavailable,
        ),
        (
            "op_06_nothing_at_all_to_say",
            text(204, "application/json", ""),
            unavailable,
        ),
        (
            "op_06_a_mark_in_front",
            text(200, "application/json", "\u{feff}{}"),
            unavailable,
        ),
        (
            "op_06_json_that_breaks_off",
            text(200, "application/json", r#"{"access_token":"a","id_tok"#),
            unavailable,
        ),
        (
            "op_06_json_five_thousand_deep",
            text(200, "application/json", &"[".repeat(5000)),
            unavailable,
        ),
        (
            "op_06_bytes_that_are_no_text",
            Fate::Answer(Reply::new(200, "application/json", vec![0xFF, 0xFE])),
            unavailable,
        ),
        (
            "too many requests",
            json(429, json!({"error": "invalid_request"})),
            unavailable,
        ),
        ("a failure", json(500, json!({"error": "server_error"})), unavailable),
        ("a bad gateway", text(502, "text/html", "<html>"), unavailable),
        (
            "maintenance",
            Fate::Answer(Reply::json(503, &json!({})).header("retry-after", "1")),
            unavailable,
        ),
        ("a status of nobody's", json(299, json!({})), unavailable),
    ]
}

/// How an answer gets lost on the wire.
fn on_the_wire() -> Vec<Answered> {
    let unavailable = "provider_unavailable";
    let text = |status, kind: &str, body: &str| Fate::Answer(Reply::new(status, kind, body));
    vec![
        ("no HTTP", Fate::Bytes(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()), unavailable),
        (
            "two lengths",
            Fate::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{}".to_vec()),
            unavailable,
        ),
        (
            "op_05_a_head_without_an_end",
            Fate::Bytes([b"HTTP/1.1 200 OK\r\nx: ".to_vec(), vec![b'y'; 80 * 1024]].concat()),
            unavailable,
        ),
        (
            "op_05_a_long_answer",
            text(200, "application/json", &" ".repeat(64 * 1024 + 1)),
            unavailable,
        ),
        ("op_05_an_answer_without_an_end", Fate::Flood, unavailable),
        // Good tokens are in it. Who unpacks them would unpack a bomb, too.
        ("op_05_a_compressed_answer", Fate::Compress, unavailable),
        ("op_04_silence", Fate::Stall, unavailable),
        ("op_04_an_answer_that_drips", Fate::Drip, unavailable),
        ("op_04_an_answer_that_breaks_off", Fate::Truncate, unavailable),
        ("a connection that is reset", Fate::Reset, unavailable),
        ("a connection that ends", Fate::LoseRequest, unavailable),
    ]
}

async fn patient_world(endpoints: Endpoints) -> HostileWorld {
    let timeout = PROVIDER_TIMEOUT.as_millis().to_string();
    HostileWorld::start_with(endpoints, &[("PROVIDER_TIMEOUT_MS", &timeout)], &[], &[]).await
}

#[tokio::test]
async fn what_the_token_endpoint_says_is_a_token_a_refusal_or_of_no_use() {
    let world = patient_world(Endpoints::Fixed).await;
    let mut verdict = Verdict::default();
    for (rows, answer) in [(TOLERATED, "linked"), (UNUSABLE, "provider_unavailable")] {
        for (name, change) in rows {
            world.provider.change_token_answer(change);
            let newcomer = world.newcomer();
            let landed = world.about_to_come_back(&newcomer).await.follows().await;
            verdict.row(name, &Outcome::after_redemption(answer), &world.outcome(&landed).await);
        }
    }
    world.provider.behaves();
    for (name, fate, answer) in said().into_iter().chain(on_the_wire()) {
        let newcomer = world.newcomer();
        let back = world.about_to_come_back(&newcomer).await;
        world.provider.next(Endpoint::Token, [fate]);
        let landed = back.follows().await;
        assert!(!format!("{landed:?}").contains("0800"), "{landed:?}");
        verdict.row(name, &Outcome::after_redemption(answer), &world.outcome(&landed).await);
    }
    verdict.is_clean(42);
}

#[tokio::test]
async fn op_03_a_redirect_leads_no_code_and_no_request_elsewhere() {
    let thief = HostileProvider::start().await;
    let at = |path: &str| format!("{}{path}", thief.issuer());
    let world = patient_world(Endpoints::FixedWithPushedRequests).await;
    let mut verdict = Verdict::default();
    for (name, status) in [
        ("op_03_moved_permanently", 301),
        ("op_03_found", 302),
        ("op_03_see_other", 303),
        ("op_03_temporary_redirect", 307),
        ("op_03_permanent_redirect", 308),
    ] {
        let newcomer = world.newcomer();
        let back = world.about_to_come_back(&newcomer).await;
        world.provider.calls();
        world
            .provider
            .next(Endpoint::Token, [Fate::Answer(Reply::redirect(status, &at("/token")))]);
        let landed = back.follows().await;
        verdict.row(
            name,
            &Outcome::after_redemption("provider_unavailable"),
            &world.outcome(&landed).await,
        );
        world.provider.next(
            Endpoint::PushedAuthorizationRequest,
            [Fate::Answer(Reply::redirect(status, &at("/par")))],
        );
        let started = world.starts(&newcomer).await;
        assert_eq!(started.outcome().as_deref(), Some("provider_unavailable"), "{name}");
        world.outcome(&started).await;
    }
    verdict.is_clean(5);
    assert_eq!(thief.calls(), ProviderCalls::default());
    assert_eq!(thief.codes_brought(), Vec::<String>::new());
}

#[tokio::test]
async fn what_the_endpoint_for_pushed_requests_says_is_a_reference_a_refusal_or_of_no_use() {
    let world = patient_world(Endpoints::FixedWithPushedRequests).await;
    let json = |status, body: Value| Fate::Answer(Reply::json(status, &body));
    let unusable = [
        ("no reference", json(201, json!({"expires_in": 60}))),
        (
            "an empty reference",
            json(201, json!({"request_uri": "", "expires_in": 60})),
        ),
        (
            "a reference with a blank",
            json(201, json!({"request_uri": "urn:a b", "expires_in": 60})),
        ),
        (
            "a reference with a line end",
            json(201, json!({"request_uri": "urn:a\r\nb", "expires_in": 60})),
        ),
        (
            "a reference that is a list",
            json(201, json!({"request_uri": ["urn:a"], "expires_in": 60})),
        ),
        (
            "a reference that never served",
            json(201, json!({"request_uri": "urn:a", "expires_in": 0})),
        ),
        ("a reference without an end", json(201, json!({"request_uri": "urn:a"}))),
        (
            "a reference longer than any",
            json(201, json!({"request_uri": "u".repeat(5000), "expires_in": 60})),
        ),
        (
            "the wrong success",
            json(200, json!({"request_uri": "urn:a", "expires_in": 60})),
        ),
        (
            "a page for a reference",
            Fate::Answer(Reply::new(201, "text/html", "<html>")),
        ),
        ("a failure for a reference", json(500, json!({"error": "server_error"}))),
        (
            "too many pushed requests",
            json(429, json!({"error": "invalid_request"})),
        ),
        ("op_05_a_reference_without_an_end_of_its_answer", Fate::Flood),
        ("op_04_silence_for_a_reference", Fate::Stall),
    ];
    let mut verdict = Verdict::default();
    let expected = |answer: &str| {
        let mut expected = Outcome::refused_at_once(answer);
        expected.calls.pushed_authorization_request = 1;
        expected
    };
    for (name, fate) in unusable {
        let newcomer = world.newcomer();
        world.provider.next(Endpoint::PushedAuthorizationRequest, [fate]);
        let started = world.starts(&newcomer).await;
        verdict.row(name, &expected("provider_unavailable"), &world.outcome(&started).await);
        assert!(!keeps_a_flow(&newcomer.browser, &world), "{name}");
    }
    for (name, status, error) in [
        ("a pushed request that is refused", 400, "invalid_request"),
        ("a client that is not believed", 401, "invalid_client"),
        (
            "a redirection address that is not registered",
            400,
            "invalid_redirect_uri",
        ),
    ] {
        let newcomer = world.newcomer();
        world.provider.next(
            Endpoint::PushedAuthorizationRequest,
            [json(status, json!({ "error": error }))],
        );
        let started = world.starts(&newcomer).await;
        verdict.row(name, &expected("provider_refused"), &world.outcome(&started).await);
    }
    verdict.is_clean(17);
}

fn keeps_a_flow(browser: &Browser, world: &HostileWorld) -> bool {
    let cookies = browser.cookies_for(&world.stack.at("/"));
    cookies.iter().any(|cookie| cookie.name.starts_with("__Host-sso-flow-"))
}
