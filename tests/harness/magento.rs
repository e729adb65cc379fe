//! What people do at Magento.com, whoever plays it.

use crate::browser::Answer;

/// Everybody's password at the certified provider; the development provider asks for none.
const PASSWORD: &str = "correct horse battery staple";

/// The certified provider's button for whoever is not the one signed in; the development provider always shows everybody.
const OTHER_ACCOUNT: &str = "Use another account";

/// Who plays Magento.com.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Magento {
    /// The development provider of the local stack.
    Development,
    /// `oidc-provider`.
    OidcProvider,
}

/// Somebody with an account at Magento.com. Both providers know the same people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Person {
    /// Has the same, verified, address at accounts.magento.cloud.
    Alice,
    /// Has another address at accounts.magento.cloud.
    Bruno,
    /// Has the same address there, and nobody has verified it here.
    Chloe,
}

impl Person {
    /// The address at Magento.com.
    pub const fn email(self) -> &'static str {
        match self {
            Self::Alice => "alice@example.com",
            Self::Bruno => "bruno.keller@shop.example",
            Self::Chloe => "chloe@example.com",
        }
    }

    /// The `sub` at Magento.com.
    pub const fn subject(self) -> &'static str {
        match self {
            Self::Alice => "6f1c0b7e-2d64-4d0c-9b0a-8b5a4a1f7c11",
            Self::Bruno => "b92d5c3a-71f8-4c55-8f3e-0d9e63c2a522",
            Self::Chloe => "e4a80d19-95b6-4f7d-a1c7-3f27b8d6e933",
        }
    }

    /// The address at accounts.magento.cloud.
    pub const fn account_email(self) -> &'static str {
        match self {
            Self::Alice => "alice@example.com",
            Self::Bruno => "bruno@example.com",
            Self::Chloe => "chloe@example.com",
        }
    }

    /// The account at accounts.magento.cloud.
    pub const fn account_id(self) -> &'static str {
        match self {
            Self::Alice => "acct:7QXW-2LMD#A1",
            Self::Bruno => "acct:M4T9-KZ0E#B2",
            Self::Chloe => "acct:0HVC-8RPS#C3",
        }
    }
}

impl Magento {
    /// Signs `person` in on a page for signing in or for choosing an account, and goes on to where the provider sends the browser: the redirect to the client, not yet
    /// followed.
    pub async fn signs_in(self, page: &Answer, person: Person) -> Answer {
        let answer = match self {
            Self::Development => page.presses(person.email()).await,
            Self::OidcProvider => {
                let chooser = page.has_button(OTHER_ACCOUNT);
                let page = if chooser {
                    &page.presses(OTHER_ACCOUNT).await
                } else {
                    page
                };
                page.pressing("Sign in", &[("email", person.email()), ("password", PASSWORD)])
                    .send()
                    .await
            }
        };
        let answer = until_it_leaves(answer).await;
        // Where somebody else was signed in, oidc-provider ends that session first, by a form that a script would send.
        if answer.location().is_none() && answer.has_button("Continue") {
            return until_it_leaves(answer.presses("Continue").await).await;
        }
        answer
    }

    /// Creates an account with this address on the page for that.
    pub async fn creates_account(self, page: &Answer, email: &str) -> Answer {
        let answer = match self {
            Self::Development => {
                page.pressing(
                    "Create a Magento.com account",
                    &[("name", "Somebody New"), ("email", email)],
                )
                .send()
                .await
            }
            Self::OidcProvider => page.pressing("Create account", &[("email", email)]).send().await,
        };
        until_it_leaves(answer).await
    }

    /// Goes on as whoever is signed in, on the page for choosing an account.
    pub async fn continues_as(self, page: &Answer, person: Person) -> Answer {
        until_it_leaves(page.presses(person.email()).await).await
    }

    /// Declines on whatever page there is.
    pub async fn cancels(self, page: &Answer) -> Answer {
        until_it_leaves(page.presses("Cancel").await).await
    }
}

/// Follows the redirects within the host of `answer`; the first that leads to another host is returned as it came.
pub async fn until_it_leaves(answer: Answer) -> Answer {
    let mut answer = answer;
    while answer
        .location()
        .is_some_and(|location| location.host_str() == answer.url().host_str())
    {
        answer = answer.follows().await;
    }
    answer
}

#[cfg(test)]
mod tests {
    use account_linking::clock::{SystemRandomness, random_bytes};
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use http::Method;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        browser::Browser,
        oidc_provider::{OidcProvider, Variant},
    };

    const CLIENT: &str = "http://accounts.localhost:1/sso/magento/callback";
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"; // RFC 7636 appendix B
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    async fn provider(variant: Variant) -> OidcProvider {
        let provider = OidcProvider::start(variant).await;
        let client = json!({
            "client_id": "c", "client_secret": "s".repeat(32), "redirect_uris": [CLIENT],
            "token_endpoint_auth_method": "client_secret_post",
        });
        provider.register(client).await;
        provider
    }

    fn authorization_request(provider: &OidcProvider, more: &str) -> String {
        let state = URL_SAFE_NO_PAD.encode(random_bytes::<8>(&SystemRandomness::default()).unwrap());
        format!(
            "{}/auth?response_type=code&client_id=c&redirect_uri={CLIENT}&scope=openid%20email&state={state}\
             &code_challenge={CHALLENGE}&code_challenge_method=S256{more}",
            provider.issuer
        )
    }

    /// The claims of the ID token for the code in `answer`, the redirect back to the client; and its algorithm.
    async fn redeemed(provider: &OidcProvider, answer: &Answer) -> (Value, Value) {
        assert_eq!(
            answer.location_parameter("iss").as_ref(),
            Some(&provider.issuer),
            "{answer:?}"
        );
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("grant_type", "authorization_code"),
                ("redirect_uri", CLIENT),
                ("code_verifier", VERIFIER),
            ])
            .extend_pairs([("client_id", "c"), ("client_secret", &"s".repeat(32))])
            .append_pair("code", &answer.location_parameter("code").unwrap())
            .finish();
        let token = Browser::default()
            .typing(&format!("{}/token", provider.issuer))
            .without_a_browser()
            .method(Method::POST)
            .body("application/x-www-form-urlencoded", form);
        let id_token = token.send().await.json()["id_token"].as_str().unwrap().to_owned();
        let part = |place| -> Value {
            let part = id_token.split('.').nth(place).unwrap();
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        (part(1), part(0)["alg"].clone())
    }

    #[tokio::test]
    async fn the_certified_provider_signs_people_in_and_remembers_them() {
        let provider = provider(Variant::default()).await;
        let (alice, magento) = (Browser::default(), Magento::OidcProvider);

        let page = alice.visits(&authorization_request(&provider, "")).await;
        let wrong = page
            .pressing("Sign in", &[("email", "alice@example.com"), ("password", "guess")])
            .send()
            .await;
        assert_eq!(wrong.status, 403);
        let (claims, alg) = redeemed(&provider, &magento.signs_in(&page, Person::Alice).await).await;
        assert_eq!(
            (&claims["email"], &claims["email_verified"]),
            (&json!("alice@example.com"), &json!(true))
        );
        assert_eq!(alg, "RS256");

        let again = until_it_leaves(alice.types(&authorization_request(&provider, "")).await).await;
        assert_eq!(redeemed(&provider, &again).await.0["sub"], claims["sub"]);
        assert_eq!(provider.requests().await["/token"], 2);

        let page = alice
            .visits(&authorization_request(&provider, "&prompt=select_account"))
            .await;
        assert!(page.page().text.contains("Choose a Magento.com account"), "{page:?}");
        let other = page.presses("Use another account").await;
        assert!(other.page().text.contains("Sign in to Magento.com"), "{other:?}");
        let kept = magento.continues_as(&page, Person::Alice).await;
        assert_eq!(redeemed(&provider, &kept).await.0["sub"], claims["sub"]);
    }

    #[tokio::test]
    async fn the_certified_provider_creates_accounts_and_takes_no_for_an_answer() {
        let provider = provider(Variant {
            id_token_signed_response_alg: "ES256",
            ..Variant::default()
        })
        .await;
        let (dora, magento) = (Browser::default(), Magento::OidcProvider);

        let page = dora.visits(&authorization_request(&provider, "&prompt=create")).await;
        let (claims, alg) = redeemed(&provider, &magento.creates_account(&page, "dora@example.com").await).await;
        assert_eq!(claims["email"], "dora@example.com");
        assert_eq!(alg, "ES256");

        let page = Browser::default().visits(&authorization_request(&provider, "")).await;
        assert_eq!(
            magento.cancels(&page).await.location_parameter("error").as_deref(),
            Some("access_denied")
        );
    }

    #[tokio::test]
    async fn the_certified_provider_refuses_a_request_without_pkce() {
        let provider = provider(Variant {
            pushed_authorization_requests: false,
            ..Variant::default()
        })
        .await;
        let request = authorization_request(&provider, "").replace("code_challenge", "x");
        let answer = until_it_leaves(Browser::default().types(&request).await).await;
        assert_eq!(answer.location_parameter("error").as_deref(), Some("invalid_request"));
        let metadata = Browser::default()
            .types(&format!("{}/.well-known/openid-configuration", provider.issuer))
            .await;
        assert_eq!(metadata.json()["pushed_authorization_request_endpoint"], Value::Null);
        assert_eq!(
            metadata.json()["prompt_values_supported"],
            json!(["none", "login", "create", "select_account"])
        );
    }
}
