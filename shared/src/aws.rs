//! What this process may do at AWS, and where AWS is: read once from the variables that Lambda itself sets.

use aws_credential_types::Credentials;

use crate::{config::Reader, outbound::Locality};

/// Where AWS is, when it is not where it always is.
const ENDPOINTS: [&str; 4] = [
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_KMS",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
];

/// Region, credentials and endpoints, for the table, Secrets Manager and KMS.
///
/// Lambda hands a function its role's credentials in these variables for as long as the environment lives, so nothing has to be
/// fetched or renewed.
///
/// The derived `Debug` is safe: [`Credentials`] redact themselves.
#[derive(Clone, Debug)]
pub struct AwsEnvironment {
    /// `AWS_REGION`.
    pub region: String,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for temporary credentials, `AWS_SESSION_TOKEN`.
    pub credentials: Credentials,
    /// `AWS_ENDPOINT_URL_DYNAMODB`, else `AWS_ENDPOINT_URL`; without either, the region's own endpoint.
    pub dynamodb_endpoint: Option<String>,
    /// `AWS_ENDPOINT_URL_SECRETS_MANAGER`, else `AWS_ENDPOINT_URL`.
    pub secrets_manager_endpoint: Option<String>,
    /// `AWS_ENDPOINT_URL_KMS`, else `AWS_ENDPOINT_URL`.
    pub kms_endpoint: Option<String>,
}

/// Variables that must be set and are not, by name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not set: {}", .0.join(", "))]
pub struct MissingVariables(pub Vec<&'static str>);

impl AwsEnvironment {
    /// Reads the variables; each one that is missing is a mistake, and in a deployed configuration each endpoint that is not https.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let locality = reader.locality();
        for name in ENDPOINTS {
            let is_https = |url: &str| url.starts_with("https://");
            if locality == Locality::Deployed && !reader.optional(name).is_none_or(is_https) {
                reader.mistake(name, "must be an https URL (http only in a local configuration)");
            }
        }
        match Self::from_lookup(&|name| reader.optional(name).map(str::to_owned)) {
            Ok(aws) => Some(aws),
            Err(MissingVariables(names)) => {
                for name in names {
                    reader.mistake(name, "is missing");
                }
                None
            }
        }
    }

    /// Reads the variables through `lookup`; an empty one counts as not set.
    ///
    /// # Errors
    ///
    /// The names of all required variables that are not set.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, MissingVariables> {
        let optional = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let endpoint = |name: &str| optional(name).or_else(|| optional("AWS_ENDPOINT_URL"));
        let mut missing = Vec::new();
        let mut required = |name: &'static str| {
            optional(name).unwrap_or_else(|| {
                missing.push(name);
                String::new()
            })
        };

        let region = required("AWS_REGION");
        let access_key_id = required("AWS_ACCESS_KEY_ID");
        let secret_access_key = required("AWS_SECRET_ACCESS_KEY");
        if !missing.is_empty() {
            return Err(MissingVariables(missing));
        }
        let session_token = optional("AWS_SESSION_TOKEN");
        Ok(Self {
            region,
            credentials: Credentials::new(access_key_id, secret_access_key, session_token, None, "environment"),
            dynamodb_endpoint: endpoint("AWS_ENDPOINT_URL_DYNAMODB"),
            secrets_manager_endpoint: endpoint("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
            kms_endpoint: endpoint("AWS_ENDPOINT_URL_KMS"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    fn read(variables: &[(&str, &str)]) -> Result<AwsEnvironment, MissingVariables> {
        AwsEnvironment::from_lookup(&|name| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    const REQUIRED: [(&str, &str); 3] = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
    ];

    #[test]
    fn the_region_and_the_credentials_are_read() {
        let aws = read(&[&REQUIRED[..], &[("AWS_SESSION_TOKEN", "for-now")]].concat()).unwrap();
        assert_eq!(aws.region, "eu-west-1");
        assert_eq!(aws.credentials.access_key_id(), "AKIAEXAMPLE");
        assert_eq!(aws.credentials.secret_access_key(), "hush");
        assert_eq!(aws.credentials.session_token(), Some("for-now"));
        assert_eq!(aws.dynamodb_endpoint, None);
    }

    #[test]
    fn everything_missing_is_named_at_once_and_empty_is_missing() {
        let error = read(&[("AWS_REGION", "")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "not set: AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"
        );
    }

    #[test]
    fn an_endpoint_of_its_own_outranks_the_common_one() {
        let endpoints = [
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:2"),
        ];
        let aws = read(&[&REQUIRED[..], &endpoints].concat()).unwrap();
        assert_eq!(aws.dynamodb_endpoint.as_deref(), Some("http://127.0.0.1:2"));
        assert_eq!(aws.secrets_manager_endpoint.as_deref(), Some("http://127.0.0.1:1"));
        assert_eq!(aws.kms_endpoint.as_deref(), Some("http://127.0.0.1:1"));
    }

    #[test]
    fn an_endpoint_of_http_is_for_local_configurations_only() {
        let mistakes = |origin: &str, url: &str| {
            let variables = ENDPOINTS.map(|name| (name, url));
            let variables = [&REQUIRED[..], &variables, &[("PUBLIC_ORIGIN", origin)]].concat();
            let variables = variables
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
            let environment: Environment = variables.collect();
            let mut reader = Reader::new(&environment);
            // Whoever reads it a second time tells nothing new.
            let aws = AwsEnvironment::read(&mut reader).and(AwsEnvironment::read(&mut reader));
            reader.finish(aws).map_or_else(|error| error.0.len(), |_| 0)
        };
        let (deployed, local) = ("https://accounts.example", "http://accounts.localhost:8080");
        assert_eq!(mistakes(deployed, "http://127.0.0.1:1"), ENDPOINTS.len());
        assert_eq!(mistakes("no origin", "http://127.0.0.1:1"), ENDPOINTS.len());
        assert_eq!(mistakes(deployed, "https://dynamodb.example"), 0);
        assert_eq!(mistakes(local, "http://127.0.0.1:1"), 0);
    }

    #[test]
    fn a_secret_does_not_print() {
        let aws = read(&[&REQUIRED[..], &[("AWS_SESSION_TOKEN", "for-now")]].concat()).unwrap();
        let printed = format!("{aws:?}");
        assert!(!printed.contains("hush") && !printed.contains("for-now"), "{printed}");
    }
}
