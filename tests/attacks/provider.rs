//! Attackers who hold a code, a token, or the provider itself.

use account_linking::ticket::Challenge;
use harness::{
    browser::Browser,
    hostile_provider::{CLIENT_ID, Endpoint, Endpoints, Fate, HostileProvider, Reply, Signer},
    hostile_world::HostileWorld,
    magento::Person,
    stack::ProviderCalls,
};
use http::Method;
use serde_json::{Value, json};

use crate::scene::{callback_url, stack, tampered};

#[tokio::test]
async fn pt_01_code_injection() {
    let world = HostileWorld::start(Endpoints::Fixed).await;
    // Mallory's own flow comes back with the code of Alice's.
    let injected = async || {
        let (alice, mallory) = (world.newcomer(), world.newcomer());
        let stolen = world.about_to_come_back(&alice).await.location_parameter("code");
        let own = callback_url(&world.about_to_come_back(&mallory).await);
        mallory.browser.types(&tampered(&own, "code", &stolen.unwrap())).await
    };

    let answer = injected().await;
    assert_eq!(answer.outcome().as_deref(), Some("provider_refused"), "{answer:?}"); // it wants the verifier of Alice's flow

    world.provider.ignores_pkce();
    let answer = injected().await;
    assert_eq!(answer.outcome().as_deref(), Some("identity_invalid"), "{answer:?}"); // the nonce is that of Alice's flow
    assert!(world.stack.contents().await.links.is_empty());
}

#[tokio::test]
async fn pt_03_a_verifier_read_off_the_addresses() {
    let world = HostileWorld::start(Endpoints::Fixed).await;
    let alice = world.newcomer();
    let redirect_uri = world.stack.at("/sso/magento/callback");
    for name in ["state", "nonce", "code_challenge"] {
        let started = world.starts(&alice).await;
        let guess = started.location_parameter(name).unwrap();
        let code = started.follows().await.location_parameter("code").unwrap();
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("grant_type", "authorization_code"), ("client_id", CLIENT_ID)])
            .extend_pairs([
                ("code", &*code),
                ("redirect_uri", &*redirect_uri),
                ("code_verifier", &*guess),
            ])
            .finish();
        let thief = Browser::default()
            .typing(&format!("{}/token", world.provider.issuer()))
            .without_a_browser()
            .method(Method::POST)
            .body("application/x-www-form-urlencoded", form);
        assert_eq!(thief.send().await.json()["error"], "invalid_grant", "{name}");
    }
}

#[tokio::test]
async fn pt_28_an_account_that_was_made_for_the_occasion() {
    let stack = stack().await;
    let settings = stack.signed_in(Person::Alice).await;
    let page = settings
        .presses("I have no Magento.com account yet")
        .await
        .followed()
        .await;
    // Whoever sits there registers; that it is Alice is nothing the provider could know.
    let landed = stack
        .magento
        .creates_account(&page, "mallory@example.com")
        .await
        .followed()
        .await;
    assert_eq!(landed.outcome().as_deref(), Some("confirm"), "{landed:?}");
    assert!(stack.contents().await.links.is_empty());
}

#[tokio::test]
async fn pt_29_claims_of_somebody_else_at_the_userinfo_endpoint() {
    let world = HostileWorld::start(Endpoints::Discovered).await;
    let issuer = world.provider.issuer().to_owned();
    world.provider.change_metadata(move |metadata| {
        metadata["userinfo_endpoint"] = format!("{issuer}/userinfo").into();
    });
    world.time_passes(25 * 60 * 60); // the metadata is learned anew
    let alice = world.newcomer();
    let landed = world.about_to_come_back(&alice).await.follows().await;
    assert_eq!(landed.outcome().as_deref(), Some("linked"));
    assert_eq!(
        world.provider.strays(),
        0,
        "what the ID token does not say is not asked for"
    );
}

#[tokio::test]
async fn pt_32_mix_up_of_two_providers() {
    let evil = HostileProvider::start().await;
    let world = HostileWorld::start_with(Endpoints::Fixed, &[], &[], &[evil.settings("adobe", Endpoints::Fixed)]).await;
    let alice = world.newcomer();
    let honest = world.about_to_come_back(&alice).await;
    let (page, action) = (world.stack.at("/user"), world.stack.at("/sso/adobe/start-link"));
    let at_evil = alice.browser.posting_from(&page, &action, &[]).send().await;
    let evil_state = at_evil.location_parameter("state").unwrap();

    // The evil provider sends the browser to its own callback with the honest one's code: its issuer gives it away, or is missing.
    let code = honest.location_parameter("code").unwrap();
    let callback = world
        .stack
        .at(&format!("/sso/adobe/callback?state={evil_state}&code={code}"));
    let honest_iss: String = form_urlencoded::byte_serialize(world.provider.issuer().as_bytes()).collect();
    let answer = alice.browser.types(&format!("{callback}&iss={honest_iss}")).await;
    assert_eq!(answer.outcome().as_deref(), Some("identity_invalid"), "{answer:?}");
    // Or to the honest callback with the state of its own flow, or with the honest flow at its own callback.
    let crossed = world.stack.at(&format!(
        "/sso/magento/callback?state={evil_state}&code={code}&iss={honest_iss}"
    ));
    assert_eq!(alice.browser.types(&crossed).await.status, 400);
    let moved = callback_url(&honest).replace("/sso/magento/", "/sso/adobe/");
    assert_eq!(alice.browser.types(&moved).await.status, 400);

    assert_eq!(
        evil.codes_brought(),
        Vec::<String>::new(),
        "the honest code never reached the evil provider"
    );
    assert!(world.stack.contents().await.links.is_empty());
    assert_eq!(honest.follows().await.outcome().as_deref(), Some("linked"));
}

#[tokio::test]
async fn op_07_a_code_is_brought_once_whatever_comes_back() {
    let world = HostileWorld::start(Endpoints::Fixed).await;
    for fate in [
        Fate::LoseRequest,
        Fate::LoseAnswer,
        Fate::Reset,
        Fate::Truncate,
        Fate::Answer(Reply::json(503, &json!({}))),
        Fate::Answer(Reply::json(429, &json!({})).header("retry-after", "0")),
        Fate::Answer(Reply::json(400, &json!({"error": "invalid_grant"}))),
    ] {
        let newcomer = world.newcomer();
        let back = world.about_to_come_back(&newcomer).await;
        world.provider.next(Endpoint::Token, [fate]);
        back.follows().await;
        back.follows().await; // and once more, by hand
    }
    let mut brought = world.provider.codes_brought();
    assert_eq!(brought.len(), 7);
    brought.dedup();
    assert_eq!(brought.len(), 7, "no code twice");
    assert!(world.stack.contents().await.links.is_empty());
}

#[tokio::test]
async fn op_09_tokens_and_scopes_that_nobody_asked_for() {
    let world = HostileWorld::start(Endpoints::Fixed).await;
    world.provider.change_token_answer(|answer| {
        answer["refresh_token"] = "canary-refresh-token".into();
        answer["access_token"] = "canary-access-token".into();
        answer["scope"] = "openid email offline_access admin".into();
    });
    let alice = world.newcomer();

    let landed = world.about_to_come_back(&alice).await.follows().await;

    assert_eq!(landed.outcome().as_deref(), Some("linked"));
    let everything = Value::Array(world.stack.database.items().await).to_string();
    assert!(
        !everything.contains("canary") && !everything.contains("offline_access"),
        "{everything}"
    );
    assert!(!format!("{:?}", landed.headers).contains("canary"));
}

#[tokio::test]
async fn op_12_another_subject_with_the_same_address() {
    let world = HostileWorld::start(Endpoints::Fixed).await;
    let alice = world.newcomer();
    world.about_to_come_back(&alice).await.follows().await;

    // The address was given to somebody else at the provider, who now signs in here.
    world
        .provider
        .knows(json!({ "sub": "another person", "email": alice.claims["email"], "email_verified": true }));
    world
        .provider
        .change_id_token(|token, _| token.claim("sub", "another-person"));
    let challenge = Challenge::of("the login page's secret");
    let sign_in = world.stack.at(&format!("/sso/magento/sign-in?challenge={challenge}"));
    let answer = world
        .stack
        .browser()
        .types(&sign_in)
        .await
        .follows()
        .await
        .follows()
        .await;

    assert_eq!(answer.outcome().as_deref(), Some("not_linked"), "{answer:?}");
    assert_eq!(answer.location_parameter("ticket"), None);
}

#[tokio::test]
async fn op_13_a_storm_of_unknown_keys() {
    let world = HostileWorld::start(Endpoints::Fixed).await;
    world
        .provider
        .change_id_token(|token, keys| token.signed_by(keys, Signer::Rotated));
    for _ in 0..6 {
        let newcomer = world.newcomer();
        let landed = world.about_to_come_back(&newcomer).await.follows().await;
        assert_eq!(landed.outcome().as_deref(), Some("identity_invalid"));
    }
    assert_eq!(
        world.provider.calls(),
        ProviderCalls {
            jwks: 1,
            token: 6,
            ..ProviderCalls::default()
        }
    );
    // The good keys were not lost over it.
    world.provider.behaves();
    let newcomer = world.newcomer();
    let landed = world.about_to_come_back(&newcomer).await.follows().await;
    assert_eq!(landed.outcome().as_deref(), Some("linked"));
}

#[tokio::test]
async fn op_14_an_outage_of_the_keys_is_bridged_for_an_hour() {
    let world = HostileWorld::start(Endpoints::Fixed).await;
    let outcome = async |seconds| {
        world.time_passes(seconds);
        world
            .provider
            .next(Endpoint::Jwks, [Fate::LoseRequest, Fate::LoseRequest]);
        let newcomer = world.newcomer();
        let landed = world.about_to_come_back(&newcomer).await.follows().await;
        world.provider.behaves();
        landed.outcome()
    };
    assert_eq!(outcome(11 * 60).await.as_deref(), Some("linked"));
    assert_eq!(outcome(40 * 60).await.as_deref(), Some("linked"));
    assert_eq!(outcome(10 * 60).await.as_deref(), Some("provider_unavailable"));
    world.time_passes(31);
    let newcomer = world.newcomer();
    let landed = world.about_to_come_back(&newcomer).await.follows().await;
    assert_eq!(
        landed.outcome().as_deref(),
        Some("linked"),
        "and then the keys are back"
    );
}
