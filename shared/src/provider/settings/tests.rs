use serde_json::json;

use super::*;
use crate::config::{ConfigError, Environment};

/// A provider in a deployed configuration; `null` members of `change` are taken out of it.
fn provider(change: &Value) -> Value {
    let mut provider = json!({
        "id": "magento",
        "name": "Magento.com",
        "issuer": "https://id.magento.example/",
        "client_id": "accounts",
        "client_authentication": "client_secret_basic",
        "client_secret_arn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:client-AbCdEf",
    });
    let members = provider.as_object_mut().unwrap();
    members.extend(change.as_object().unwrap().clone());
    members.retain(|_, value| !value.is_null());
    provider
}

fn read_text(text: &str, locality: Locality) -> Result<Vec<ProviderSettings>, Vec<String>> {
    let environment: Environment = [(PROVIDERS.to_owned(), text.to_owned())].into_iter().collect();
    let mut reader = Reader::new(&environment);
    let providers = read(&mut reader, locality);
    reader.finish(providers).map_err(|ConfigError(mistakes)| mistakes)
}

fn read_one(change: &Value, locality: Locality) -> Result<ProviderSettings, Vec<String>> {
    let mut providers = read_text(&json!([provider(change)]).to_string(), locality)?;
    Ok(providers.remove(0))
}

fn mistakes(change: &Value) -> Vec<String> {
    read_one(change, Locality::Deployed).unwrap_err()
}

fn p256_jwk() -> Value {
    json!({
        "kty": "EC", "crv": "P-256", "kid": "client-1",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
    })
}

/// The key of RFC 8037 appendix A.1.
fn ed25519_jwk() -> Value {
    json!({
        "kty": "OKP", "crv": "Ed25519",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    })
}

#[test]
fn a_provider_is_read_with_its_defaults() {
    let settings = read_one(&json!({}), Locality::Deployed).unwrap();
    assert_eq!(
        (settings.id.as_str(), settings.name.as_str()),
        ("magento", "Magento.com")
    );
    assert_eq!(
        (settings.issuer.as_str(), settings.client_id.as_str()),
        ("https://id.magento.example/", "accounts")
    );
    assert!(matches!(
        settings.client_authentication,
        ClientAuthenticationSettings::ClientSecretBasic(Credential::Arn(_))
    ));
    assert_eq!(settings.fixed_metadata, None);
    assert_eq!(settings.id_token_signing_algs.len(), 4);
}

#[test]
fn each_client_authentication_goes_with_its_own_credential() {
    for (change, needs_aws) in [
        (json!({ "client_authentication": "client_secret_post" }), true),
        (json!({ "client_secret_arn": null, "client_secret": "hush" }), false),
        (
            json!({ "client_authentication": "none", "client_secret_arn": null }),
            false,
        ),
        (
            json!({ "client_authentication": "private_key_jwt", "client_secret_arn": null, "client_key": p256_jwk() }),
            false,
        ),
        (
            json!({ "client_authentication": "private_key_jwt", "client_secret_arn": null,
                "client_key_arn": "arn:aws:kms:eu-west-1:123456789012:key/1234" }),
            true,
        ),
    ] {
        let settings = read_one(&change, Locality::Local).unwrap();
        assert_eq!(settings.needs_aws(), needs_aws, "{change}");
    }
    let secret = "with a client secret goes with client_secret_arn, and with no client key";
    let key = "private_key_jwt goes with client_key_arn, and with no client secret";
    for (change, wants) in [
        (json!({ "client_secret_arn": null }), secret),
        (json!({ "client_key": p256_jwk() }), secret),
        (
            json!({ "client_authentication": "none" }),
            "none goes with no client secret and no client key",
        ),
        (json!({ "client_authentication": "private_key_jwt" }), key),
        (
            json!({ "client_authentication": "private_key_jwt", "client_key": p256_jwk() }),
            key,
        ),
    ] {
        let mistakes = read_one(&change, Locality::Local).unwrap_err();
        assert_eq!(
            mistakes,
            [format!("PROVIDERS[0].client_authentication {wants}")],
            "{change}"
        );
    }
}

#[test]
fn a_client_key_is_a_private_p_256_or_rsa_key() {
    let mut public = p256_jwk();
    public.as_object_mut().unwrap().remove("d");
    for key in [public, ed25519_jwk(), json!("hush"), json!({})] {
        let change =
            json!({ "client_authentication": "private_key_jwt", "client_secret_arn": null, "client_key": key });
        let mistakes = read_one(&change, Locality::Local).unwrap_err();
        assert_eq!(mistakes, ["PROVIDERS[0].client_key is unusable"], "{key}");
    }
}

#[test]
fn an_arn_is_one_of_the_service_that_it_is_for() {
    for arn in [
        "arn:aws:kms:eu-west-1:123456789012:key/1234",
        "urn:aws:secretsmanager:eu-west-1:123456789012:secret:a",
        "arn:aws:secretsmanager",
        "arn:aws:secretsmanager:eu-west-1:123456789012",
        "secretsmanager",
        "",
    ] {
        let expected = "PROVIDERS[0].client_secret_arn must be the ARN of something in secretsmanager";
        assert_eq!(mistakes(&json!({ "client_secret_arn": arn })), [expected], "{arn}");
    }
}

#[test]
fn fixed_endpoints_come_all_or_none() {
    let all = json!({
        "authorization_endpoint": "https://id.magento.example/authorize",
        "token_endpoint": "https://api.magento.example/token",
        "jwks_uri": "https://keys.example/jwks",
    });
    let metadata = read_one(&all, Locality::Deployed).unwrap().fixed_metadata.unwrap();
    assert_eq!(metadata.token_endpoint.as_str(), "https://api.magento.example/token");
    assert!(metadata.requires_iss && !metadata.prompt_create);
    assert_eq!(metadata.pushed_authorization_request_endpoint, None);

    let mut more = all.clone();
    more["pushed_authorization_request_endpoint"] = "https://id.magento.example/par".into();
    more["prompt_create"] = true.into();
    more["requires_iss"] = false.into();
    let metadata = read_one(&more, Locality::Deployed).unwrap().fixed_metadata.unwrap();
    assert!(metadata.prompt_create && !metadata.requires_iss);
    assert!(metadata.pushed_authorization_request_endpoint.is_some());

    for missing in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
        let mut some = all.clone();
        some[missing] = Value::Null;
        assert_eq!(mistakes(&some), [format!("PROVIDERS[0].{missing} is missing")]);
    }
    for stray in ["pushed_authorization_request_endpoint", "prompt_create", "requires_iss"] {
        let needs = "needs authorization_endpoint, token_endpoint and jwks_uri";
        assert_eq!(
            mistakes(&json!({ stray: true })),
            [format!("PROVIDERS[0].{stray} {needs}")]
        );
    }
}

#[test]
fn http_and_secrets_are_for_local_configurations_only() {
    let local = json!({
        "issuer": "http://magento.localhost:8080", "client_secret_arn": null, "client_secret": "hush",
        "authorization_endpoint": "http://magento.localhost:8080/a",
        "token_endpoint": "http://magento.localhost:8080/t",
        "jwks_uri": "http://magento.localhost:8080/j",
    });
    assert!(read_one(&local, Locality::Local).is_ok());
    let mistakes = mistakes(&local);
    for name in [
        "issuer",
        "client_secret",
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
    ] {
        let start = format!("PROVIDERS[0].{name} ");
        assert!(
            mistakes.iter().any(|mistake| mistake.starts_with(&start)),
            "{name}: {mistakes:?}"
        );
    }
    assert_eq!(mistakes.len(), 5);
    let key =
        json!({ "client_authentication": "private_key_jwt", "client_secret_arn": null, "client_key": p256_jwk() });
    assert_eq!(
        self::mistakes(&key),
        ["PROVIDERS[0].client_key is for local configurations only; use client_key_arn"]
    );
}

#[test]
fn every_mistake_of_every_provider_is_named_and_no_value_is_repeated() {
    let text = r#"[
        {"id": "hush!", "id": "magento", "name": "", "issuer": "https://hush?x", "client_id": "hush hush",
         "client_authentication": "hush", "client_secret": ["hush"], "client_key": {"kty": "hush"}, "hint": "hush",
         "jwks_uri": "hush", "prompt_create": "hush", "id_token_signing_algs": ["none"]},
        {"name": 1, "client_authentication": "private_key_jwt", "client_key_arn": "hush", "id_token_signing_algs": []}
    ]"#;
    let mistakes = read_text(text, Locality::Local).unwrap_err();
    let names: Vec<&str> = mistakes
        .iter()
        .map(|mistake| mistake.split(' ').next().unwrap())
        .collect();
    let [first, second] = ["PROVIDERS[0]", "PROVIDERS[1]"];
    let expected = [
        (first, "id"),
        (first, "name"),
        (first, "issuer"),
        (first, "client_id"),
        (first, "client_authentication"),
        (first, "client_secret"),
        (first, "client_key"),
        (first, "authorization_endpoint"),
        (first, "token_endpoint"),
        (first, "jwks_uri"),
        (first, "prompt_create"),
        (first, "id_token_signing_algs"),
        (first, "hint"),
        (second, "id"),
        (second, "name"),
        (second, "issuer"),
        (second, "client_id"),
        (second, "client_key_arn"),
        (second, "id_token_signing_algs"),
    ]
    .map(|(element, member)| format!("{element}.{member}"));
    assert_eq!(names, expected);
    assert!(!mistakes.concat().contains("hush"), "{mistakes:?}");
}

#[test]
fn what_is_no_list_of_providers_is_refused() {
    for text in ["{}", "[1]", "[", "null", "[[]]"] {
        assert_eq!(
            read_text(text, Locality::Local).unwrap_err(),
            ["PROVIDERS must be a JSON list of objects"]
        );
    }
    assert_eq!(
        read_text("[]", Locality::Local).unwrap_err(),
        ["PROVIDERS must name at least one provider"]
    );
}

#[test]
fn two_providers_share_neither_id_nor_issuer() {
    let other = provider(&json!({ "id": "adobe", "issuer": "https://id.adobe.example" }));
    let both = json!([provider(&json!({})), other]).to_string();
    assert_eq!(read_text(&both, Locality::Deployed).unwrap().len(), 2);
    let twice = json!([provider(&json!({})), provider(&json!({}))]).to_string();
    assert_eq!(
        read_text(&twice, Locality::Deployed).unwrap_err(),
        [
            "PROVIDERS[1].id is used by an earlier provider",
            "PROVIDERS[1].issuer is used by an earlier provider"
        ]
    );
}

#[test]
fn settings_print_no_secret() {
    let settings = read_one(
        &json!({ "client_secret_arn": null, "client_secret": "hush" }),
        Locality::Local,
    )
    .unwrap();
    assert!(!format!("{settings:?}").contains("hush"), "{settings:?}");
}
