//! What is wrong at the provider, or with what we say of it.

use account_linking::config::Environment;
use doctor::Verdict::{Ok, Skipped, Unknown, Wrong};
use harness::{
    engines::Engine,
    hostile_provider::{CLIENT_ID, Endpoint, Endpoints, Fate, HostileProvider, Reply},
    magento::Magento,
    stack::{Setup, Stack},
};
use serde_json::{Value, json};

use crate::{Expected, PLAIN, PUSHING, free_origin, report_on, stack_with, with, with_member};

#[tokio::test]
async fn what_the_providers_registration_does_not_say_is_told() {
    for variant in [PUSHING, PLAIN] {
        let stack = stack_with(variant).await;
        let own = stack.environment();
        let authentication = "client authentication of magento";
        let redirect = "redirect URI of magento";
        let issuer = format!("{}/", issuer_of(own));
        let cases: [(&str, Environment, &[Expected]); 4] = [
            (
                "another secret",
                with_member(own, "client_secret", json!("another secret")),
                &[
                    Expected(authentication, Wrong, "invalid_client"),
                    Expected("credential of magento", Ok, ""),
                ],
            ),
            (
                "another client",
                with_member(own, "client_id", json!("nobody")),
                &[Expected(authentication, Wrong, "invalid_client. Compare `client_id`")],
            ),
            (
                "another origin",
                with(own, &[("PUBLIC_ORIGIN", "http://elsewhere.localhost")]),
                &[
                    Expected(authentication, Ok, ""),
                    Expected(
                        redirect,
                        Wrong,
                        "Register http://elsewhere.localhost/sso/magento/callback there",
                    ),
                ],
            ),
            (
                "a slash behind the issuer",
                with_member(own, "issuer", json!(issuer)),
                &[
                    Expected("discovery of magento", Wrong, "a slash at its end counts"),
                    Expected(authentication, Skipped, ""),
                    Expected("credential of magento", Ok, ""),
                ],
            ),
        ];
        for (case, environment, expected) in cases {
            let report = report_on(&environment).await;
            for each in expected {
                each.of(&report, case);
            }
        }
    }
}

#[tokio::test]
async fn a_client_that_is_unknown_gets_nobody_sent_back() {
    let stack = stack_with(PLAIN).await;
    let report = report_on(&with_member(stack.environment(), "client_id", json!("nobody"))).await;
    Expected("redirect URI of magento", Wrong, "sends nobody back").of(&report, "no pushed requests");
}

#[tokio::test]
async fn algorithms_that_no_key_of_the_provider_serves_are_told() {
    let stack = stack_with(PLAIN).await;
    let report = report_on(&with_member(
        stack.environment(),
        "id_token_signing_algs",
        json!(["EdDSA"]),
    ))
    .await;
    Expected(
        "keys of magento",
        Wrong,
        "none is for EdDSA. Let `id_token_signing_algs`",
    )
    .of(&report, "EdDSA");
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_told_and_the_rest_is_checked() {
    let stack = stack_with(PLAIN).await;
    let report = report_on(&with_member(stack.environment(), "issuer", json!(free_origin()))).await;
    Expected("discovery of magento", Wrong, "Look at the name in `issuer`").of(&report, "nobody");
    for subject in ["keys", "clock", "client authentication", "redirect URI"] {
        let subject: &'static str = format!("{subject} of magento").leak();
        Expected(subject, Skipped, "discovery").of(&report, "nobody");
    }
    Expected("table", Ok, "").of(&report, "nobody");
}

fn issuer_of(environment: &Environment) -> String {
    let providers: Value = serde_json::from_str(environment.get("PROVIDERS").unwrap()).unwrap();
    providers[0]["issuer"].as_str().unwrap().to_owned()
}

/// A stack, and a provider that does as it is told.
struct Scene {
    stack: Stack,
    provider: HostileProvider,
}

impl Scene {
    async fn set() -> Self {
        Self {
            stack: Setup::new(Engine::Embedded, Magento::Development).start().await,
            provider: HostileProvider::start().await,
        }
    }

    fn environment(&self, endpoints: Endpoints) -> Environment {
        let providers = json!([self.provider.settings("magento", endpoints)]);
        with(self.stack.environment(), &[("PROVIDERS", &providers.to_string())])
    }

    /// The same with a client that should prove who it is.
    fn confidential(&self) -> Environment {
        let environment = self.environment(Endpoints::Discovered);
        let environment = with_member(&environment, "client_authentication", json!("client_secret_basic"));
        with_member(&environment, "client_secret", json!("a secret that nobody asks for"))
    }
}

type Change = fn(&mut Value);

#[tokio::test]
async fn what_a_provider_must_publish_and_does_not_is_told() {
    let scene = Scene::set().await;
    let environment = scene.environment(Endpoints::Discovered);
    let cases: [(&str, Change, &str); 5] = [
        (
            "no S256",
            |metadata| metadata["code_challenge_methods_supported"] = json!(["plain"]),
            "`code_challenge_methods_supported` does not list `S256`. Have the provider offer it",
        ),
        (
            "no code flow",
            |metadata| metadata["response_types_supported"] = json!(["id_token"]),
            "`response_types_supported` does not list `code`",
        ),
        (
            "no key set",
            |metadata| metadata["jwks_uri"] = Value::Null,
            "`jwks_uri` is not an https URL on the issuer's host",
        ),
        (
            "somebody else's token endpoint",
            |metadata| metadata["token_endpoint"] = json!("https://mallory.example/token"),
            "`token_endpoint` is not an https URL on the issuer's host",
        ),
        (
            "another issuer",
            |metadata| metadata["issuer"] = json!("https://mallory.example"),
            "`issuer` is not the configured one. Write into `issuer`",
        ),
    ];
    for (case, change, text) in cases {
        scene.provider.behaves();
        scene.provider.change_metadata(change);
        let report = report_on(&environment).await;
        let text: &'static str = text;
        Expected("discovery of magento", Wrong, text).of(&report, case);
    }
    scene.provider.behaves();
    scene.provider.next(
        Endpoint::Discovery,
        [Fate::Answer(Reply::new(404, "text/html", "<p>nothing</p>"))],
    );
    let report = report_on(&environment).await;
    Expected(
        "discovery of magento",
        Wrong,
        "must be at <issuer>/.well-known/openid-configuration",
    )
    .of(&report, "404");
}

#[tokio::test]
async fn a_key_set_without_a_usable_key_is_told() {
    let scene = Scene::set().await;
    scene.provider.change_key_set(|set, _| set["keys"] = json!([]));
    let report = report_on(&scene.environment(Endpoints::Discovered)).await;
    Expected("keys of magento", Wrong, "none of its keys can be used").of(&report, "no keys");
}

#[tokio::test]
async fn endpoints_that_are_fixed_are_not_vouched_for() {
    let scene = Scene::set().await;
    let report = report_on(&scene.environment(Endpoints::Fixed)).await;
    Expected("discovery of magento", Unknown, "its endpoints are fixed").of(&report, "fixed");
    Expected("keys of magento", Ok, "there is one for RS256, ES256, PS256, EdDSA").of(&report, "fixed");
}

#[tokio::test]
async fn what_a_token_endpoint_says_to_a_made_up_code_is_told_for_what_it_proves() {
    let scene = Scene::set().await;
    let subject = "client authentication of magento";
    let error = |error: &str| Fate::Answer(Reply::json(400, &json!({ "error": error })));
    let tokens = json!({"access_token": "a", "token_type": "Bearer", "id_token": "a.b.c"});
    let public = scene.environment(Endpoints::Discovered);
    let confidential = scene.confidential();
    let cases = [
        ("an honest one", &public, Fate::Pass, Ok, "it is a public one"),
        (
            "who looks at the code first",
            &confidential,
            Fate::Pass,
            Unknown,
            "looks at the code first",
        ),
        (
            "who does not know us",
            &confidential,
            error("invalid_client"),
            Wrong,
            "invalid_client",
        ),
        (
            "who does not serve us",
            &confidential,
            error("unauthorized_client"),
            Wrong,
            "unauthorized_client",
        ),
        (
            "who says something else",
            &confidential,
            error("invalid_request"),
            Unknown,
            "tells nothing of us",
        ),
        (
            "who takes any code",
            &confidential,
            Fate::Answer(Reply::json(200, &tokens)),
            Wrong,
            "took a code that nobody gave out",
        ),
        (
            "who is out of order",
            &confidential,
            Fate::Answer(Reply::new(500, "text/plain", "")),
            Wrong,
            "token endpoint",
        ),
        (
            "who says nothing",
            &confidential,
            Fate::LoseAnswer,
            Wrong,
            "token endpoint",
        ),
    ];
    for (case, environment, fate, verdict, text) in cases {
        scene.provider.next(Endpoint::Token, [fate]);
        let report = report_on(environment).await;
        Expected(subject, verdict, text).of(&report, case);
    }
}

#[tokio::test]
async fn where_an_authorization_endpoint_sends_a_browser_is_told_for_what_it_proves() {
    let scene = Scene::set().await;
    let subject = "redirect URI of magento";
    let environment = scene.environment(Endpoints::Discovered);
    let page = |status| Fate::Answer(Reply::new(status, "text/html", "<p>a page</p>"));
    let cases = [
        ("anywhere at all", vec![], Wrong, "to addresses that nobody registered"),
        (
            "back, and nowhere else",
            vec![Fate::Pass, page(400)],
            Ok,
            "sends browsers back to it, and refuses another",
        ),
        (
            "nowhere",
            vec![page(400)],
            Wrong,
            "sends nobody back. Register http://accounts.localhost",
        ),
        ("a page that asks", vec![page(200)], Unknown, "without a question"),
        (
            "its own page",
            vec![Fate::Answer(Reply::redirect(302, "https://magento.example/sorry"))],
            Unknown,
            "sends nobody back",
        ),
        (
            "back, and a page for others",
            vec![Fate::Pass, page(200)],
            Unknown,
            "of another one",
        ),
        ("no answer", vec![Fate::LoseAnswer], Unknown, "exchanging"),
    ];
    for (case, fates, verdict, text) in cases {
        scene.provider.next(Endpoint::Authorization, fates);
        let report = report_on(&environment).await;
        Expected(subject, verdict, text).of(&report, case);
        scene.provider.behaves();
    }

    scene
        .provider
        .change_response(|response| response.retain(|(name, _)| name != "iss"));
    let report = report_on(&environment).await;
    Expected(subject, Unknown, "`iss` is missing").of(&report, "a response without `iss`");
}

#[tokio::test]
async fn a_pushed_request_that_proves_nothing_is_told() {
    let scene = Scene::set().await;
    let environment = scene.environment(Endpoints::FixedWithPushedRequests);
    let report = report_on(&environment).await;
    Expected("redirect URI of magento", Unknown, "takes any other as well").of(&report, "anything is taken");

    let refused = Reply::json(400, &json!({"error": "invalid_request"}));
    scene
        .provider
        .next(Endpoint::PushedAuthorizationRequest, [Fate::Answer(refused)]);
    let report = report_on(&environment).await;
    Expected(
        "redirect URI of magento",
        Wrong,
        "(invalid_request). Register http://accounts.localhost",
    )
    .of(&report, "refused");
    assert!(!report.to_string().contains(&format!("client_id={CLIENT_ID}")));
}

#[tokio::test]
async fn the_clock_of_a_provider_that_tells_no_date_is_unknown_and_a_wrong_one_is_told() {
    let scene = Scene::set().await;
    let environment = scene.environment(Endpoints::Discovered);
    let report = report_on(&environment).await;
    Expected("clock of magento", Unknown, "no date").of(&report, "no date");

    let long_ago = Reply::json(200, &json!({"keys": []})).header("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    scene
        .provider
        .next(Endpoint::Jwks, [Fate::Pass, Fate::Answer(long_ago)]);
    let report = report_on(&environment).await;
    Expected(
        "clock of magento",
        Wrong,
        "behind this machine's; 60 s are allowed. Set this machine's clock",
    )
    .of(&report, "1994");
}
