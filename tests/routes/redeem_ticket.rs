//! `POST /sso/tickets/redeem`.

use account_linking::{
    clock::{Clock, Deadline, SystemRandomness},
    http::request::REQUEST_BUDGET,
    identity::{AccountId, Identity, Issuer, ProviderId, Subject},
    table::{CommitToken, NewTicket},
    ticket::{Challenge, SignIn, Ticket},
};
use harness::{
    browser::Answer,
    database_proxy::Fate,
    iam::{SECRET_ACCESS_KEY, calls, signed},
};
use http::Method;
use serde_json::{Value, json};

use crate::world::{World, assert_refused};

const PATH: &str = "/sso/tickets/redeem";
const VERIFIER: &str = "what the login page keeps in the browser, and nobody else has";

async fn redeems(world: &World, ticket: &str, verifier: &str) -> Answer {
    let body = json!({"ticket": ticket, "verifier": verifier, "more": 1});
    calls(&world.stack, &Method::POST, PATH, Some(&body)).await
}

/// A ticket as the callback writes it for Alice's account, linked to `maria` at Magento.com.
async fn handed_out(world: &World) -> String {
    let identity = Identity {
        issuer: Issuer::parse("http://magento.localhost:9").unwrap(),
        subject: Subject::parse("maria").unwrap(),
    };
    let owner = json!({
        "pk": {"S": format!("IDENTITY#{}#{}", identity.issuer, identity.subject)},
        "sk": {"S": "OWNER"},
        "account_id": {"S": "alice"},
    });
    world.stack.database.put(owner).await;
    let random = SystemRandomness::default();
    let ticket = Ticket::generate(&random).unwrap();
    let new = NewTicket {
        hash: ticket.hash(),
        challenge: Challenge::of(VERIFIER),
        sign_in: SignIn {
            account: AccountId::parse("alice").unwrap(),
            provider: ProviderId::parse("magento").unwrap(),
            identity,
            provider_session: Some("sid".to_owned()),
            auth_time: None,
            acr: None,
            amr: vec!["pwd".to_owned()],
        },
        changed_email: None,
    };
    let (token, deadline) = (
        CommitToken::generate(&random).unwrap(),
        Deadline::within(REQUEST_BUDGET),
    );
    let now = world.stack.clock().now();
    let written = world
        .stack
        .database
        .table()
        .write_ticket(&new, token, now, deadline)
        .await;
    written.unwrap();
    ticket.reveal()
}

#[tokio::test]
async fn a_ticket_tells_once_who_signed_in() {
    let world = World::start().await;
    let ticket = handed_out(&world).await;

    let answer = redeems(&world, &ticket, VERIFIER).await;

    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.json(),
        json!({
            "account_id": "alice",
            "provider": "magento",
            "identity": {"iss": "http://magento.localhost:9", "sub": "maria", "sid": "sid"},
            "amr": ["pwd"],
        })
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(world.stack.database_proxy.operations(), ["DeleteItem"]);
    assert_refused(&redeems(&world, &ticket, VERIFIER).await, "404 ticket_unknown");
}

#[tokio::test]
async fn a_wrong_verifier_is_told_nothing_and_spends_nothing() {
    let world = World::start().await;
    let ticket = handed_out(&world).await;
    for wrong in ["", "guess", &VERIFIER[1..], &Challenge::of(VERIFIER).to_string()] {
        assert_refused(&redeems(&world, &ticket, wrong).await, "404 ticket_unknown");
    }
    assert_eq!(redeems(&world, &ticket, VERIFIER).await.status, 200);
}

#[tokio::test]
async fn a_ticket_ends_after_a_minute() {
    let world = World::start().await;
    for (milliseconds, status) in [(55_000, 200), (60_000, 404)] {
        let ticket = handed_out(&world).await;
        world.stack.clock().move_by_ms(milliseconds);
        let answer = redeems(&world, &ticket, VERIFIER).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
}

/// What an answer says, but for the id by which support finds it.
fn said(answer: &Answer) -> (u16, Vec<(String, String)>, Value) {
    let headers = answer.headers.iter().filter(|(name, _)| *name != "date");
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let mut problem = answer.json();
    problem["request_id"] = Value::Null;
    (answer.status.as_u16(), headers.collect(), problem)
}

#[tokio::test]
async fn a_thousand_guesses_and_what_is_no_ticket_at_all_get_one_answer_at_one_price() {
    let world = World::start().await;
    let ticket = handed_out(&world).await;
    assert_eq!(redeems(&world, &ticket, VERIFIER).await.status, 200);
    let spent = redeems(&world, &ticket, VERIFIER).await;
    world.stack.database_proxy.calls();

    let random = SystemRandomness::default();
    let guesses = (0..1000).map(|_| Ticket::generate(&random).unwrap().reveal());
    let none = ["", &ticket[1..], "TICKET#", "é\u{0}", &"t".repeat(3000)].map(str::to_owned);
    for guess in guesses.chain(none) {
        let answer = redeems(&world, &guess, VERIFIER).await;
        assert_eq!(said(&answer), said(&spent), "{guess}");
        assert_eq!(world.stack.database_proxy.operations(), ["DeleteItem"], "{guess}");
    }
}

#[tokio::test]
async fn a_lost_answer_is_not_asked_for_again() {
    let world = World::start().await;
    let ticket = handed_out(&world).await;
    world.stack.database_proxy.next("DeleteItem", [Fate::LoseAnswer]);

    let answer = redeems(&world, &ticket, VERIFIER).await;

    assert_eq!(answer.problem(), "503 temporarily_unavailable", "{answer:?}");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(world.stack.database_proxy.operations(), ["DeleteItem"]);
    assert_refused(&redeems(&world, &ticket, VERIFIER).await, "404 ticket_unknown");
}

#[tokio::test]
async fn what_is_no_redemption_is_refused_before_the_table_is_asked() {
    let world = World::start().await;
    let text = Value::from("x");
    for body in [
        json!({}),
        json!({"ticket": text}),
        json!({"verifier": text}),
        json!({"ticket": text, "verifier": 1}),
        json!({"ticket": [text], "verifier": text}),
        json!({"ticket": null, "verifier": text}),
        json!([text, text]),
        json!({"ticket": "t".repeat(4096), "verifier": text}),
    ] {
        let answer = calls(&world.stack, &Method::POST, PATH, Some(&body)).await;
        assert_refused(&answer, "400 invalid_request");
    }
    assert!(world.stack.database_proxy.operations().is_empty());
}

#[tokio::test]
async fn who_does_not_sign_gets_no_further_than_the_gateway() {
    let world = World::start().await;
    let ticket = handed_out(&world).await;
    let body = json!({"ticket": ticket, "verifier": VERIFIER});

    let forged = signed(&world.stack, &Method::POST, PATH, Some(&body), "another secret")
        .send()
        .await;
    let browser = world
        .page()
        .await
        .posting(PATH, &[("ticket", &ticket), ("verifier", VERIFIER)])
        .send()
        .await;

    for answer in [forged, browser] {
        assert_eq!(
            (answer.status.as_u16(), answer.text()),
            (403, r#"{"message":"Forbidden"}"#)
        );
    }
    assert!(world.stack.database_proxy.operations().is_empty());
    let good = signed(&world.stack, &Method::POST, PATH, Some(&body), SECRET_ACCESS_KEY)
        .send()
        .await;
    assert_eq!(good.status, 200, "{good:?}");
}
