//! Configuration: environment variables, read once at start, one struct per concern (contract section 8).
//!
//! Each struct's `read` notes every mistake it finds, by the variable's name, and goes on; [`Reader::finish`] reports them all
//! together. A function reads only the structs it needs, so its role and its template need only those variables.

use std::{collections::HashMap, fmt, time::Duration};

use self::site::parse_origin;
pub use self::{
    provider_directory::{ProviderDirectory, ProviderEntry},
    site::{PageUrl, Site, read_origin, read_sign_in_complete},
};
#[cfg(feature = "table")]
use crate::table::CallLimits;
use crate::{
    additional_roots::AdditionalRoots,
    clock::Timestamp,
    outbound::{HttpClient, Locality},
    requirement::LinkingRequired,
    seal::FlowKeys,
};

mod provider_directory;
mod site;

/// The variables a process was started with.
#[derive(Clone, Default)]
pub struct Environment {
    variables: HashMap<String, String>,
    #[cfg(feature = "table")]
    call_limits: CallLimits,
}

impl Environment {
    /// The process's own variables. What is not UTF-8 counts as absent.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The variable's value; an empty one counts as absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Sets a variable.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.insert(name.to_owned(), value.into());
    }

    /// Bounds calls to the table by `limits` instead of the contract's. No variable does that: it is for a stack whose database fails
    /// on purpose.
    #[cfg(feature = "table")]
    pub const fn bound_calls(&mut self, limits: CallLimits) {
        self.call_limits = limits;
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self {
            variables: variables.into_iter().collect(),
            ..Self::default()
        }
    }
}

/// Only the names: values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

/// Everything that is wrong with the configuration, each mistake beginning with the variable's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the configuration is wrong: {}", .0.join("; "))]
pub struct ConfigError(pub Vec<String>);

/// Reads an [`Environment`] and collects the mistakes.
#[derive(Debug)]
pub struct Reader<'a> {
    environment: &'a Environment,
    locality: Locality,
    mistakes: Vec<String>,
    additional_roots: Option<AdditionalRoots>,
    http_client: Option<HttpClient>,
}

impl<'a> Reader<'a> {
    /// A reader that has found no mistake yet.
    #[must_use]
    pub fn new(environment: &'a Environment) -> Self {
        let origin = environment.get("PUBLIC_ORIGIN").and_then(parse_origin);
        Self {
            environment,
            locality: origin.map_or(Locality::Deployed, |(_, locality)| locality),
            mistakes: Vec::new(),
            additional_roots: None,
            http_client: None,
        }
    }

    /// How much of a request's time a call to the table may take.
    #[cfg(feature = "table")]
    pub(crate) const fn call_limits(&self) -> CallLimits {
        self.environment.call_limits
    }

    /// `ADDITIONAL_ROOTS`, read once whoever asks; none where that is a mistake, which [`Self::finish`] reports.
    pub fn additional_roots(&mut self) -> AdditionalRoots {
        if let Some(roots) = &self.additional_roots {
            return roots.clone();
        }
        let roots = AdditionalRoots::read(self).unwrap_or_default();
        self.additional_roots.insert(roots).clone()
    }

    /// The HTTPS client of a configuration of `locality`: everybody's, made when the first asks, so that what one has of a server
    /// (a connection, TLS sessions) serves the others.
    pub fn http_client(&mut self, locality: Locality) -> HttpClient {
        let additional_roots = self.additional_roots();
        self.http_client
            .get_or_insert_with(|| HttpClient::trusting(locality, &additional_roots))
            .clone()
    }

    /// What follows from `PUBLIC_ORIGIN`: the stricter rule while that is missing or wrong, which [`read_origin`] reports.
    #[must_use]
    pub const fn locality(&self) -> Locality {
        self.locality
    }

    /// The variable's value, when it has one.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<&'a str> {
        self.environment.get(name)
    }

    /// The variable's value; a mistake when it has none.
    pub fn required(&mut self, name: &str) -> Option<&'a str> {
        let value = self.optional(name);
        if value.is_none() {
            self.mistake(name, "is missing");
        }
        value
    }

    /// The variable's value as `parse` reads it, or `default` when it has none; a mistake when it cannot be read.
    pub fn parsed<T>(
        &mut self,
        name: &str,
        default: T,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let Some(value) = self.optional(name) else {
            return Some(default);
        };
        let parsed = parse(value);
        if parsed.is_none() {
            self.mistake(name, format_args!("must be {expected}"));
        }
        parsed
    }

    /// Notes a mistake, once whoever finds it. `what` must not repeat the variable's value, which may be a secret.
    pub fn mistake(&mut self, name: &str, what: impl fmt::Display) {
        let mistake = format!("{name} {what}");
        if !self.mistakes.contains(&mistake) {
            self.mistakes.push(mistake);
        }
    }

    /// `configuration`, if everything of it was read and nothing was wrong.
    pub fn finish<T>(self, configuration: Option<T>) -> Result<T, ConfigError> {
        match configuration {
            Some(configuration) if self.mistakes.is_empty() => Ok(configuration),
            _ => Err(ConfigError(self.mistakes)),
        }
    }
}

/// Where the keys that seal flows come from.
#[derive(Debug)]
pub enum FlowKeysSource {
    /// `FLOW_KEYS`: in the environment, local configurations only ([`Site::read`]).
    Given(FlowKeys),
    /// `FLOW_KEYS_ARN`: a secret in Secrets Manager.
    Secret(String),
}

impl FlowKeysSource {
    /// Reads `FLOW_KEYS` or `FLOW_KEYS_ARN`.
    pub fn read(reader: &mut Reader<'_>, site: Option<&Site>) -> Option<Self> {
        match (reader.optional("FLOW_KEYS"), reader.optional("FLOW_KEYS_ARN")) {
            (Some(_), Some(_)) => reader.mistake("FLOW_KEYS", "and FLOW_KEYS_ARN exclude each other"),
            (None, None) => reader.mistake("FLOW_KEYS_ARN", "is missing"),
            (None, Some(arn)) => return Some(Self::Secret(arn.to_owned())),
            // Whatever is wrong with the site, what is wrong with the keys is told too.
            (Some(keys), None) => match FlowKeys::parse(keys, site.map_or("", |site| &site.origin)) {
                Ok(keys) => return site.map(|_| Self::Given(keys)),
                Err(error) => reader.mistake("FLOW_KEYS", format_args!("is unusable: {error}")),
            },
        }
        None
    }
}

/// How old a sign-in may be for a change of the link (`REAUTHENTICATE_AFTER_SECONDS`, default 3600).
pub fn read_reauthenticate_after(reader: &mut Reader<'_>) -> Option<Duration> {
    reader.parsed(
        "REAUTHENTICATE_AFTER_SECONDS",
        Duration::from_hours(1),
        "a whole number of seconds above 0",
        |text| {
            text.parse()
                .ok()
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs)
        },
    )
}

/// How long one call to the provider may take (`PROVIDER_TIMEOUT_MS`, default 3000).
pub fn read_provider_timeout(reader: &mut Reader<'_>) -> Option<Duration> {
    reader.parsed(
        "PROVIDER_TIMEOUT_MS",
        Duration::from_secs(3),
        "a whole number of milliseconds above 0",
        |text| {
            text.parse()
                .ok()
                .filter(|milliseconds| *milliseconds > 0)
                .map(Duration::from_millis)
        },
    )
}

/// From when linking is required (`LINKING_REQUIRED_FROM`, default 2020-04-01T00:00:00Z; `never` pauses it).
pub fn read_linking_required(reader: &mut Reader<'_>) -> Option<LinkingRequired> {
    let default = LinkingRequired::From(Timestamp::from_unix_seconds(1_585_699_200));
    reader.parsed(
        "LINKING_REQUIRED_FROM",
        default,
        "an RFC 3339 instant or `never`",
        |text| match text {
            "never" => Some(LinkingRequired::Never),
            instant => Timestamp::parse_rfc3339(instant).map(LinkingRequired::From),
        },
    )
}

/// When the user is asked before a link is committed (`CONFIRM_LINK`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConfirmLink {
    /// `when_email_differs`: unless the provider has verified the very address the session names.
    #[default]
    WhenEmailDiffers,
    /// `always`.
    Always,
    /// `never`, but for a switch.
    Never,
}

impl ConfirmLink {
    /// Reads `CONFIRM_LINK`.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let expected = "when_email_differs, always or never";
        reader.parsed("CONFIRM_LINK", Self::default(), expected, |text| match text {
            "when_email_differs" => Some(Self::WhenEmailDiffers),
            "always" => Some(Self::Always),
            "never" => Some(Self::Never),
            _ => None,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
