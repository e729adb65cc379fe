//! The variables of a function that is deployed.

use std::collections::BTreeMap;

use account_linking::config::Environment;
use serde::Deserialize;

/// What the caller's own environment says of AWS; Lambda sets most of it for a function.
const OF_AWS: [&str; 8] = [
    "AWS_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_ENDPOINT_URL_KMS",
];

/// The text is not what `aws lambda get-function-configuration` prints.
#[derive(Debug, thiserror::Error)]
#[error("it has no Environment.Variables")]
pub struct NotAFunction(#[source] serde_json::Error);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Configuration {
    environment: Variables,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Variables {
    variables: BTreeMap<String, String>,
}

/// The environment of the function whose configuration `text` is, as Lambda would give it, with the credentials of `process`.
pub fn of_function(text: &str, process: &Environment) -> Result<Environment, NotAFunction> {
    let configuration: Configuration = serde_json::from_str(text).map_err(NotAFunction)?;
    let mut environment: Environment = configuration.environment.variables.into_iter().collect();
    for name in OF_AWS {
        if let Some(value) = process.get(name) {
            environment.set(name, value);
        }
    }
    // The command line's tools take either.
    if let (None, Some(region)) = (process.get("AWS_REGION"), process.get("AWS_DEFAULT_REGION")) {
        environment.set("AWS_REGION", region);
    }
    Ok(environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_functions_variables_are_read_and_only_aws_is_the_callers() {
        let process: Environment = [
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "A"),
            ("TABLE_NAME", "mine"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into_iter()
        .collect();
        let text =
            r#"{"FunctionName": "callback", "Environment": {"Variables": {"PUBLIC_ORIGIN": "https://a.example"}}}"#;
        let environment = of_function(text, &process).unwrap();
        assert_eq!(environment.get("PUBLIC_ORIGIN"), Some("https://a.example"));
        assert_eq!(environment.get("AWS_REGION"), Some("eu-west-1"));
        assert_eq!(environment.get("AWS_ACCESS_KEY_ID"), Some("A"));
        assert_eq!(environment.get("TABLE_NAME"), None);
        assert!(of_function("{}", &process).is_err());
    }
}
