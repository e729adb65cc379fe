//! What the stack itself is told, and the variables it adds for the functions.

use std::{fs, path::PathBuf};

use account_linking::{
    clock::{NoRandomness, Randomness, random_bytes},
    config::Environment,
    outbound::is_local_host,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::Uri;
use serde_json::json;

const DEFAULT_PORT: u16 = 8080;

/// The host of the development provider. Another site than `accounts.localhost` to a browser.
pub(crate) const PROVIDER_HOST: &str = "magento.localhost";

/// The development provider's client. Its name needs the encoding of RFC 6749 section 2.3.1, as names may.
pub(crate) const CLIENT_ID: &str = "account-linking:local";

/// The stack's own configuration, and what is wrong with it.
#[derive(Debug)]
pub(crate) struct StackConfig {
    /// `PORT`; 0 takes a free one.
    pub(crate) port: u16,
    /// `DATA_DIR`, which exists.
    pub(crate) data_dir: Option<PathBuf>,
    /// Whether to play the provider.
    pub(crate) plays_provider: bool,
    /// Whether to embed the database.
    pub(crate) embeds_database: bool,
    /// Whether to issue sessions.
    pub(crate) issues_sessions: bool,
    /// Each beginning with a variable's name. The functions find more; all are reported together.
    pub(crate) mistakes: Vec<String>,
}

impl StackConfig {
    /// Reads what `environment` says to the stack. Where that is wrong, a value that serves takes its place, so that the functions
    /// find their own mistakes and no consequences of these.
    pub(crate) fn read(environment: &mut Environment) -> Self {
        let mut mistakes = Vec::new();
        let port = match environment.get("PORT").map(str::parse) {
            None => DEFAULT_PORT,
            Some(Ok(port)) => port,
            Some(Err(_)) => {
                mistakes.push("PORT must be a number from 0 to 65535".to_owned());
                0
            }
        };
        let data_dir = environment.get("DATA_DIR").map(PathBuf::from);
        if let Some(Err(error)) = data_dir.as_ref().map(fs::create_dir_all) {
            mistakes.push(format!("DATA_DIR must be a folder, or a place for one: {error}"));
        }
        let plays_provider = environment.get("PROVIDERS").is_none();
        if let Some(mistake) = environment
            .get("PUBLIC_ORIGIN")
            .and_then(|origin| mistake_in_origin(origin, plays_provider))
        {
            mistakes.push(mistake);
            environment.set("PUBLIC_ORIGIN", "");
        }
        Self {
            port,
            data_dir: data_dir.filter(|folder| folder.is_dir()),
            plays_provider,
            embeds_database: environment.get("AWS_ENDPOINT_URL_DYNAMODB").is_none(),
            issues_sessions: ["SESSION_JWKS", "SESSION_JWKS_URL"]
                .iter()
                .all(|name| environment.get(name).is_none()),
            mistakes,
        }
    }
}

/// What is wrong with a `PUBLIC_ORIGIN` that is served here.
fn mistake_in_origin(origin: &str, plays_provider: bool) -> Option<String> {
    // Without a scheme it would be a mere authority.
    let uri: Option<Uri> = origin.parse().ok().filter(|uri: &Uri| uri.scheme().is_some());
    let host = uri.as_ref().and_then(Uri::host).filter(|host| is_local_host(host));
    match host {
        None => {
            Some("PUBLIC_ORIGIN must be an origin at localhost or *.localhost: no other host is served here".to_owned())
        }
        Some(PROVIDER_HOST) if plays_provider => Some(format!(
            "PUBLIC_ORIGIN must not be at {PROVIDER_HOST}, the development provider's host"
        )),
        Some(_) => None,
    }
}

/// Gives everything the functions need and `environment` does not say a value that works on one machine.
pub(crate) fn complete(environment: &mut Environment, port: u16, random: &dyn Randomness) -> Result<(), NoRandomness> {
    default(environment, "PUBLIC_ORIGIN", || {
        format!("http://accounts.localhost:{port}")
    });
    let origin = environment.get("PUBLIC_ORIGIN").unwrap_or_default().to_owned();
    for (name, path) in [
        ("SETTINGS_URL", "/user"),
        ("SIGN_IN_URL", "/sign-in"),
        ("SIGN_IN_COMPLETE_URL", "/sign-in/complete"),
        ("ONBOARDING_URL", "/onboarding"),
    ] {
        default(environment, name, || format!("{origin}{path}"));
    }
    default(environment, "SESSION_ISSUER", || origin.clone());
    default(environment, "SESSION_AUDIENCE", || origin.clone());
    default(environment, "SESSION_COOKIE", || "__Host-accounts-session".to_owned());
    default(environment, "TABLE_NAME", || "account-links".to_owned());
    for (name, value) in [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "LOCAL"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
    ] {
        default(environment, name, || value.to_owned());
    }
    if environment.get("FLOW_KEYS_ARN").is_none() {
        let key = STANDARD.encode(random_bytes::<32>(random)?);
        default(environment, "FLOW_KEYS", || key);
    }
    Ok(())
}

/// The element of `PROVIDERS` for the development provider. It says no endpoints, so that they are discovered.
pub(crate) fn development_provider(issuer: &str, client_secret: &str) -> String {
    json!([{
        "id": "magento",
        "name": "Magento.com",
        "issuer": issuer,
        "client_id": CLIENT_ID,
        "client_authentication": "client_secret_basic",
        "client_secret": client_secret,
    }])
    .to_string()
}

fn default(environment: &mut Environment, name: &str, value: impl FnOnce() -> String) {
    if environment.get(name).is_none() {
        environment.set(name, value());
    }
}

#[cfg(test)]
mod tests {
    use account_linking::clock::SystemRandomness;

    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn nothing_said_is_a_whole_configuration() {
        let mut environment = Environment::default();
        let config = StackConfig::read(&mut environment);
        assert!(config.mistakes.is_empty(), "{:?}", config.mistakes);
        assert_eq!(config.port, 8080);
        assert!(config.plays_provider && config.embeds_database && config.issues_sessions);
        complete(&mut environment, 8080, &SystemRandomness::default()).unwrap();
        assert_eq!(environment.get("PUBLIC_ORIGIN"), Some("http://accounts.localhost:8080"));
        assert_eq!(
            environment.get("SETTINGS_URL"),
            Some("http://accounts.localhost:8080/user")
        );
    }

    #[test]
    fn what_is_given_takes_the_place_of_a_part() {
        let given = |name| StackConfig::read(&mut environment(&[(name, "x")]));
        assert!(!given("PROVIDERS").plays_provider);
        assert!(!given("AWS_ENDPOINT_URL_DYNAMODB").embeds_database);
        assert!(!given("SESSION_JWKS").issues_sessions);
        assert!(!given("SESSION_JWKS_URL").issues_sessions);
    }

    #[test]
    fn what_is_given_is_kept_and_the_rest_follows_it() {
        let mut environment = environment(&[("PUBLIC_ORIGIN", "http://localhost:9"), ("FLOW_KEYS_ARN", "arn")]);
        complete(&mut environment, 8080, &SystemRandomness::default()).unwrap();
        assert_eq!(environment.get("SIGN_IN_URL"), Some("http://localhost:9/sign-in"));
        assert_eq!(environment.get("SESSION_ISSUER"), Some("http://localhost:9"));
        assert_eq!(environment.get("FLOW_KEYS"), None);
    }

    #[test]
    fn mistakes_begin_with_the_name_of_the_variable() {
        let file = std::env::current_exe().unwrap();
        for (name, value) in [
            ("PORT", "80a"),
            ("PORT", "65536"),
            ("DATA_DIR", file.to_str().unwrap()),
            ("PUBLIC_ORIGIN", "https://accounts.example"),
            ("PUBLIC_ORIGIN", "accounts.localhost"),
            ("PUBLIC_ORIGIN", "/"),
            ("PUBLIC_ORIGIN", "http://magento.localhost:8080"),
        ] {
            let mistakes = StackConfig::read(&mut environment(&[(name, value)])).mistakes;
            assert_eq!(mistakes.len(), 1, "{name}={value}: {mistakes:?}");
            assert!(mistakes[0].starts_with(name), "{mistakes:?}");
        }
    }
}
