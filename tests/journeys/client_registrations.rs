//! Every way in which our client may be registered, and every way in which the provider may sign.

use harness::{
    engines::Engine,
    magento::{Magento, Person},
    oidc_provider::Variant,
    stack::Setup,
};

async fn links_with(variant: Variant) {
    let stack = Setup::new(Engine::Embedded, Magento::OidcProvider)
        .with_variant(variant)
        .start()
        .await;
    stack.linked(Person::Alice, Person::Alice).await;
    let pushed = u64::from(variant.pushed_authorization_requests);
    let calls = stack.provider_calls().await;
    assert_eq!((calls.pushed_authorization_request, calls.token), (pushed, 1));
}

#[tokio::test]
async fn client_secret_basic() {
    links_with(Variant {
        client_authentication: "client_secret_basic",
        ..Variant::default()
    })
    .await;
}

#[tokio::test]
async fn client_secret_post() {
    links_with(Variant {
        client_authentication: "client_secret_post",
        ..Variant::default()
    })
    .await;
}

#[tokio::test]
async fn private_key_jwt() {
    links_with(Variant {
        client_authentication: "private_key_jwt",
        ..Variant::default()
    })
    .await;
}

#[tokio::test]
async fn no_client_authentication() {
    links_with(Variant {
        client_authentication: "none",
        ..Variant::default()
    })
    .await;
}

#[tokio::test]
async fn id_tokens_signed_with_es256() {
    links_with(Variant {
        id_token_signed_response_alg: "ES256",
        ..Variant::default()
    })
    .await;
}

#[tokio::test]
async fn no_pushed_authorization_requests() {
    links_with(Variant {
        pushed_authorization_requests: false,
        ..Variant::default()
    })
    .await;
}
