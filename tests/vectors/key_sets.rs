//! Key sets: which of them can be used, and which key of one.

use harness::{
    hostile_provider::{Endpoint, Endpoints, Fate, HostileProvider, IdToken, Keys, Reply, Signer},
    hostile_world::{HostileWorld, Outcome, Verdict},
    stack::ProviderCalls,
};
use serde_json::{Value, json};

/// Longer than any set serves without being fetched anew.
const TWO_HOURS: i64 = 2 * 60 * 60;

struct Row {
    name: &'static str,
    set: fn(&mut Value, &Keys),
    token: fn(&mut IdToken, &Keys),
    answer: &'static str,
}

const fn row(
    name: &'static str,
    answer: &'static str,
    set: fn(&mut Value, &Keys),
    token: fn(&mut IdToken, &Keys),
) -> Row {
    Row {
        name,
        set,
        token,
        answer,
    }
}

const LINKED: &str = "linked";
const INVALID: &str = "identity_invalid";
const UNAVAILABLE: &str = "provider_unavailable";

const HONEST: fn(&mut IdToken, &Keys) = |_, _| {};
const WITHOUT_KID: fn(&mut IdToken, &Keys) = |token, _| token.without_parameter("kid");

fn only(set: &mut Value, keys: &Keys, signers: &[Signer]) {
    set["keys"] = signers.iter().map(|signer| keys.public_jwk(*signer)).collect();
}

fn first_with(set: &mut Value, name: &str, value: impl Into<Value>) {
    set["keys"][0][name] = value.into();
}

fn decoy(set: &mut Value, decoy: Value) {
    set["keys"].as_array_mut().unwrap().insert(0, decoy);
}

/// The honest token is signed by the first key of the honest set.
const ROWS: &[Row] = &[
    row("oidcc-client-test-discovery-jwks-uri-keys", LINKED, |_, _| {}, HONEST),
    row(
        "oidcc-client-test-kid-absent-single-jwks",
        LINKED,
        |set, keys| only(set, keys, &[Signer::P256]),
        WITHOUT_KID,
    ),
    row(
        "pt_22_no_key_name_and_one_key_of_the_kind",
        LINKED,
        |_, _| {},
        WITHOUT_KID,
    ),
    // The suite lets a client try all keys that fit; we take no token that leaves a choice.
    row(
        "oidcc-client-test-kid-absent-multiple-jwks",
        INVALID,
        |set, keys| only(set, keys, &[Signer::P256, Signer::Rotated]),
        WITHOUT_KID,
    ),
    row(
        "pt_22_decoys_of_other_kinds_under_the_same_name",
        LINKED,
        |set, keys| {
            for signer in [Signer::Rsa, Signer::Ed25519] {
                let mut other = keys.public_jwk(signer);
                other["kid"] = "p256-1".into();
                decoy(set, other);
            }
        },
        HONEST,
    ),
    row(
        "pt_22_a_decoy_of_the_same_kind_under_the_same_name",
        LINKED,
        |set, keys| decoy(set, keys.public_jwk(Signer::Stranger)),
        HONEST,
    ),
    row(
        "pt_22_a_decoy_in_the_place_of_the_key",
        INVALID,
        |set, keys| only(set, keys, &[Signer::Stranger, Signer::Rsa]),
        HONEST,
    ),
    row(
        "oidcc-client-test-ignores-unparseable-key-in-jwks",
        LINKED,
        |set, _| {
            decoy(
                set,
                json!({"kty": "AKP", "alg": "ML-DSA-9999", "kid": "pq", "pub": "AA"}),
            );
            decoy(set, json!({"kty": "MADE-UP", "kid": "made-up"}));
        },
        HONEST,
    ),
    row(
        "pt_25_a_key_of_our_kind_that_cannot_be_read",
        LINKED,
        |set, _| decoy(set, json!({"kty": "EC", "crv": "P-256", "x": "!"})),
        HONEST,
    ),
    row(
        "pt_25_a_curve_that_nobody_here_knows",
        LINKED,
        |set, _| decoy(set, json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"})),
        HONEST,
    ),
    row(
        "pt_25_a_kind_that_nobody_here_knows",
        LINKED,
        |set, _| decoy(set, json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"})),
        HONEST,
    ),
    row(
        "pt_25_a_key_that_is_no_object",
        LINKED,
        |set, _| decoy(set, json!("key")),
        HONEST,
    ),
    row(
        "pt_25_a_secret_beside_the_key",
        LINKED,
        |set, _| decoy(set, json!({"kty": "oct", "kid": "p256-1", "k": "AAAA"})),
        HONEST,
    ),
    row(
        "pt_25_64_keys",
        LINKED,
        |set, _| set["keys"].as_array_mut().unwrap().resize(64, json!({})),
        HONEST,
    ),
    row(
        "pt_25_an_rsa_key_of_4096_bits",
        LINKED,
        |set, keys| only(set, keys, &[Signer::Rsa4096]),
        |token, keys| token.signed_by(keys, Signer::Rsa4096),
    ),
    row(
        "pt_25_65_keys",
        UNAVAILABLE,
        |set, _| set["keys"].as_array_mut().unwrap().resize(65, json!({})),
        HONEST,
    ),
    row(
        "pt_25_more_than_256_kib",
        UNAVAILABLE,
        |set, _| set["x"] = "x".repeat(256 * 1024).into(),
        HONEST,
    ),
    row(
        "pt_25_a_secret_alone",
        UNAVAILABLE,
        |set, _| set["keys"] = json!([{"kty": "oct", "kid": "p256-1", "k": "AAAA"}]),
        HONEST,
    ),
    row("pt_25_no_keys", UNAVAILABLE, |set, _| set["keys"] = json!([]), HONEST),
    row(
        "pt_25_keys_that_are_no_list",
        UNAVAILABLE,
        |set, _| set["keys"] = json!({}),
        HONEST,
    ),
    row("pt_25_no_set", UNAVAILABLE, |set, _| *set = json!([]), HONEST),
    row(
        "pt_25_an_error_with_the_status_of_success",
        UNAVAILABLE,
        |set, _| *set = json!({"error": "server_error"}),
        HONEST,
    ),
    row(
        "pt_25_the_key_is_for_encryption",
        INVALID,
        |set, _| first_with(set, "use", "enc"),
        HONEST,
    ),
    row(
        "pt_25_the_key_is_for_signing_only",
        INVALID,
        |set, _| first_with(set, "key_ops", json!(["sign"])),
        HONEST,
    ),
    row(
        "pt_25_the_key_tells_its_private_half",
        INVALID,
        |set, _| first_with(set, "d", "AAAA"),
        HONEST,
    ),
    row(
        "pt_25_the_key_is_for_another_algorithm",
        INVALID,
        |set, _| first_with(set, "alg", "ES384"),
        HONEST,
    ),
    row(
        "pt_25_a_point_that_is_too_short",
        INVALID,
        |set, _| first_with(set, "x", "AAAA"),
        HONEST,
    ),
    row(
        "pt_25_a_point_off_the_curve",
        INVALID,
        |set, _| first_with(set, "x", "A".repeat(43)),
        HONEST,
    ),
    row(
        "pt_25_an_rsa_key_of_512_bits",
        INVALID,
        |set, keys| {
            only(set, keys, &[Signer::Rsa, Signer::P256]);
            first_with(set, "n", "_".repeat(86));
        },
        |token, keys| token.signed_by(keys, Signer::Rsa),
    ),
    row(
        "pt_25_an_rsa_key_of_1024_bits",
        INVALID,
        |set, keys| {
            only(set, keys, &[Signer::Rsa, Signer::P256]);
            first_with(set, "n", "_".repeat(171));
        },
        |token, keys| token.signed_by(keys, Signer::Rsa),
    ),
    row(
        "pt_25_an_rsa_key_of_16384_bits",
        INVALID,
        |set, keys| {
            only(set, keys, &[Signer::Rsa, Signer::P256]);
            first_with(set, "n", "_".repeat(2731));
        },
        |token, keys| token.signed_by(keys, Signer::Rsa),
    ),
    row(
        "pt_25_an_exponent_of_one",
        INVALID,
        |set, keys| {
            only(set, keys, &[Signer::Rsa, Signer::P256]);
            first_with(set, "e", "AQ");
        },
        |token, keys| token.signed_by(keys, Signer::Rsa),
    ),
    row(
        "pt_06_the_public_key_published_as_a_secret_too",
        INVALID,
        |set, keys| {
            let n = keys.public_jwk(Signer::Rsa)["n"].clone();
            decoy(set, json!({"kty": "oct", "kid": "rsa-1", "alg": "HS256", "k": n}));
        },
        |token, _| {
            token.header = json!({"alg": "HS256", "kid": "rsa-1"});
            token.signer = Signer::HmacOfPublicKey;
        },
    ),
];

#[tokio::test]
async fn a_key_set_is_read_as_strictly_as_a_token() {
    let world = HostileWorld::start(Endpoints::Fixed).await;
    let mut verdict = Verdict::default();
    for row in ROWS {
        world.time_passes(TWO_HOURS); // so that the row's own set is fetched
        let (set, token) = (row.set, row.token);
        world.provider.change_key_set(set);
        world.provider.change_id_token(token);
        let newcomer = world.newcomer();
        let landed = world.about_to_come_back(&newcomer).await.follows().await;
        let mut expected = Outcome::after_redemption(row.answer);
        expected.calls.jwks = 1;
        verdict.row(row.name, &expected, &world.outcome(&landed).await);
    }
    verdict.is_clean(31);
}

#[tokio::test]
async fn an_answer_that_is_no_key_set_leaves_no_keys() {
    let world = HostileWorld::start_with(Endpoints::Fixed, &[("PROVIDER_TIMEOUT_MS", "1500")], &[], &[]).await;
    let thief = HostileProvider::start().await;
    let elsewhere = format!("{}/jwks", thief.issuer());
    let mut verdict = Verdict::default();
    for (name, fate) in [
        (
            "a page in the place of keys",
            Fate::Answer(Reply::new(200, "text/html", "<html>")),
        ),
        (
            "op_03_keys_that_moved_elsewhere",
            Fate::Answer(Reply::redirect(302, &elsewhere)),
        ),
        ("keys that are gone", Fate::Answer(Reply::json(404, &json!({})))),
        (
            "pt_20_keys_twice",
            Fate::Answer(Reply::new(200, "application/json", r#"{"keys":[],"keys":[]}"#)),
        ),
        ("op_05_keys_without_an_end", Fate::Flood),
        ("op_04_keys_that_drip", Fate::Drip),
        ("keys that break off", Fate::Truncate),
    ] {
        world.time_passes(TWO_HOURS);
        let newcomer = world.newcomer();
        let back = world.about_to_come_back(&newcomer).await;
        world.provider.next(Endpoint::Jwks, [fate]);
        let landed = back.follows().await;
        let mut expected = Outcome::after_redemption(UNAVAILABLE);
        expected.calls.jwks = 1;
        verdict.row(name, &expected, &world.outcome(&landed).await);
    }
    verdict.is_clean(7);
    assert_eq!(thief.calls(), ProviderCalls::default());
}

/// A flow whose token is signed by `signer` while `published` are the keys: the answer, and how often the keys were fetched.
async fn flow(world: &HostileWorld, published: &'static [Signer], signer: Signer) -> (String, u64) {
    world
        .provider
        .change_key_set(move |set, keys| only(set, keys, published));
    world
        .provider
        .change_id_token(move |token, keys| token.signed_by(keys, signer));
    let newcomer = world.newcomer();
    let landed = world.about_to_come_back(&newcomer).await.follows().await;
    let outcome = world.outcome(&landed).await;
    (outcome.answer, outcome.calls.jwks)
}

#[tokio::test]
async fn pt_23_keys_that_rotate_between_request_and_answer() {
    let world = HostileWorld::start(Endpoints::Discovered).await;
    assert_eq!(
        flow(&world, &[Signer::P256], Signer::P256).await,
        (LINKED.to_owned(), 0)
    );
    // The flow has begun when the provider changes its key.
    assert_eq!(
        flow(&world, &[Signer::Rotated], Signer::Rotated).await,
        (LINKED.to_owned(), 1)
    );
    assert_eq!(
        flow(&world, &[Signer::Rotated], Signer::Rotated).await,
        (LINKED.to_owned(), 0)
    );
}

#[tokio::test]
async fn pt_24_a_key_that_was_taken_back() {
    let world = HostileWorld::start(Endpoints::Discovered).await;
    assert_eq!(
        flow(&world, &[Signer::P256, Signer::Rotated], Signer::P256).await,
        (LINKED.to_owned(), 0)
    );
    // It leaked, and the provider takes it out of its set: ten minutes later nobody believes it.
    world.time_passes(10 * 60 + 1);
    assert_eq!(
        flow(&world, &[Signer::Rotated], Signer::P256).await,
        (INVALID.to_owned(), 1)
    );
    assert_eq!(
        flow(&world, &[Signer::Rotated], Signer::Rotated).await,
        (LINKED.to_owned(), 0)
    );
}
