//! A second provider: configuration, and nothing else (docs/operate.md).

use account_linking::identity::AccountId;
use harness::{
    browser::{Answer, Browser},
    engines::Engine,
    iam,
    magento::{Magento, Person},
    oidc_provider::{OidcProvider, Variant},
    stack::{CONNECT, Setup, Stack},
};
use http::Method;
use serde_json::{Value, json};

/// Two providers that nobody here wrote, and the stack that was told of both.
struct Both {
    stack: Stack,
    _providers: [OidcProvider; 2],
}

impl Both {
    async fn start() -> Self {
        let variants = [
            Variant::default(),
            Variant {
                id_token_signed_response_alg: "ES256",
                pushed_authorization_requests: false,
                client_authentication: "private_key_jwt",
            },
        ];
        let providers = [
            OidcProvider::start(variants[0]).await,
            OidcProvider::start(variants[1]).await,
        ];
        let [magento, mut adobe] = [0, 1].map(|n| variants[n].providers(&providers[n].issuer)[0].take());
        adobe["id"] = json!("adobe");
        adobe["name"] = json!("Adobe");
        let configured = json!([magento, adobe]).to_string();
        let stack = Setup::new(Engine::Embedded, Magento::Development)
            .with("PROVIDERS", &configured)
            .start()
            .await;
        for (n, id) in ["magento", "adobe"].into_iter().enumerate() {
            let mut client = variants[n].client(stack.origin());
            client["redirect_uris"] = json!([format!("{}/sso/{id}/callback", stack.origin())]);
            providers[n].register(client).await;
        }
        Self {
            stack,
            _providers: providers,
        }
    }

    /// Presses `button` on `page` and signs `identity` in at the provider that it leads to, until the browser is back.
    async fn signs_in_by(&self, button: &str, page: &Answer, identity: Person) -> Answer {
        let at_provider = page.presses(button).await.followed().await;
        Magento::OidcProvider
            .signs_in(&at_provider, identity)
            .await
            .followed()
            .await
    }

    async fn status(&self, provider: &str, page: &Answer) -> Value {
        let path = format!("/sso/{provider}/status");
        let answer = page.fetching(Method::GET, &path, "application/json").send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Where `browser` gets by signing in by `button` with `identity`.
    async fn lands(&self, browser: &Browser, button: &str, identity: Person) -> Answer {
        let ways = browser.visits(&self.stack.at("/sign-in")).await;
        self.signs_in_by(button, &ways, identity).await
    }
}

#[tokio::test]
async fn whoever_connects_at_two_providers_has_two_links_and_ends_each_by_itself() {
    let both = Both::start().await;
    let settings = both.stack.signed_in(Person::Alice).await;

    let linked = both.signs_in_by(CONNECT, &settings, Person::Alice).await;
    assert_eq!(linked.outcome().as_deref(), Some("linked"), "{linked:?}");
    assert_eq!(both.status("adobe", &linked).await["status"], "not_linked");
    let linked = both.signs_in_by("Connect with Adobe", &linked, Person::Alice).await;
    assert_eq!(linked.outcome().as_deref(), Some("linked"), "{linked:?}");

    let status = both.status("adobe", &linked).await;
    assert_eq!(status["provider"], json!({"id": "adobe", "name": "Adobe"}));
    assert_eq!(status["status"], "linked");
    assert_eq!(both.status("magento", &linked).await["status"], "linked");
    let links = both.stack.contents().await.links;
    assert!(links.len() == 2 && links[0].issuer != links[1].issuer, "{links:?}");

    let page = linked.browser().visits(&both.stack.at("/sso/magento/status")).await;
    let unlinked = page.presses("Disconnect").await.followed().await;
    assert_eq!(unlinked.outcome().as_deref(), Some("unlinked"), "{unlinked:?}");
    assert_eq!(both.status("magento", &unlinked).await["status"], "not_linked");
    assert_eq!(both.status("adobe", &unlinked).await["status"], "linked");
}

#[tokio::test]
async fn each_provider_signs_in_whoever_linked_there_and_nobody_else() {
    let both = Both::start().await;
    let settings = both.stack.signed_in(Person::Alice).await;
    both.signs_in_by("Connect with Adobe", &settings, Person::Alice).await;

    // The same subject at the other provider is another person.
    let refused = both
        .lands(&both.stack.browser(), "Sign in with Magento.com", Person::Alice)
        .await;
    assert_eq!(refused.outcome().as_deref(), Some("not_linked"), "{refused:?}");
    let landed = both
        .lands(&both.stack.browser(), "Sign in with Adobe", Person::Alice)
        .await;
    assert_eq!(landed.url().as_str(), both.stack.at("/user"), "{landed:?}");

    let account = AccountId::parse(Person::Alice.account_id()).unwrap().to_path_segment();
    let path = format!("/sso/adobe/accounts/{account}");
    let policy = iam::calls(&both.stack, &Method::GET, &path, None).await.json();
    assert_eq!(policy["status"], "linked");
}
