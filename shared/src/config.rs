//! Configuration: environment variables, read once at start, one struct per concern (contract section 8).
//!
//! Each struct's `read` notes every mistake it finds, by the variable's name, and goes on; [`Reader::finish`] reports them all
//! together. A function reads only the structs it needs, so its role and its template need only those variables.

use std::{collections::HashMap, fmt, time::Duration};

use http::Uri;
use serde::{Deserialize, de::IgnoredAny};

#[cfg(feature = "table")]
use crate::table::CallLimits;
use crate::{
    additional_roots::AdditionalRoots,
    clock::Timestamp,
    flow::ReturnTarget,
    identity::{Issuer, ProviderId},
    outbound::{HttpClient, Locality},
    requirement::LinkingRequired,
    seal::FlowKeys,
};

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
    mistakes: Vec<String>,
    additional_roots: Option<AdditionalRoots>,
    http_client: Option<HttpClient>,
}

impl<'a> Reader<'a> {
    /// A reader that has found no mistake yet.
    #[must_use]
    pub const fn new(environment: &'a Environment) -> Self {
        Self {
            environment,
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
    pub fn locality(&self) -> Locality {
        let origin = self.optional("PUBLIC_ORIGIN").and_then(parse_origin);
        origin.map_or(Locality::Deployed, |(_, locality)| locality)
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

/// The origin and the pages of accounts.magento.cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// `PUBLIC_ORIGIN`: scheme, host and port, as a browser writes them.
    pub origin: String,
    /// What follows from its host.
    pub locality: Locality,
    /// `SETTINGS_URL`: the page with the section *Single sign-on*.
    pub settings: PageUrl,
    /// `SIGN_IN_URL`.
    pub sign_in: PageUrl,
    /// `ONBOARDING_URL`, the other place a flow may end.
    pub onboarding: Option<PageUrl>,
}

impl Site {
    /// Reads `PUBLIC_ORIGIN`, `SETTINGS_URL`, `SIGN_IN_URL` and `ONBOARDING_URL`.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let origin = read_origin(reader);
        let settings = PageUrl::read(reader, "SETTINGS_URL");
        let sign_in = PageUrl::read(reader, "SIGN_IN_URL");
        let onboarding = match reader.optional("ONBOARDING_URL") {
            None => Some(None),
            Some(_) => PageUrl::read(reader, "ONBOARDING_URL").map(Some),
        };
        let (origin, locality) = origin?;
        // Whether or not this function seals: a key does not belong into a deployed environment.
        if locality == Locality::Deployed && reader.optional("FLOW_KEYS").is_some() {
            reader.mistake("FLOW_KEYS", "is for local configurations only; use FLOW_KEYS_ARN");
        }
        Some(Self {
            origin,
            locality,
            settings: settings?,
            sign_in: sign_in?,
            onboarding: onboarding?,
        })
    }

    /// Whether a flow may end at `target` here.
    #[must_use]
    pub const fn has_page(&self, target: ReturnTarget) -> bool {
        match target {
            ReturnTarget::Settings => true,
            ReturnTarget::Onboarding => self.onboarding.is_some(),
        }
    }

    /// The page a return target stands for. A target is only sealed into a flow when its page is configured; should the configuration
    /// have changed since, the settings page serves.
    #[must_use]
    pub fn page(&self, target: ReturnTarget) -> &PageUrl {
        match target {
            ReturnTarget::Settings => &self.settings,
            ReturnTarget::Onboarding => self.onboarding.as_ref().unwrap_or(&self.settings),
        }
    }
}

/// The page that redeems tickets (`SIGN_IN_COMPLETE_URL`).
pub fn read_sign_in_complete(reader: &mut Reader<'_>) -> Option<PageUrl> {
    PageUrl::read(reader, "SIGN_IN_COMPLETE_URL")
}

/// `PUBLIC_ORIGIN`, as a browser writes it, and what follows from its host.
pub fn read_origin(reader: &mut Reader<'_>) -> Option<(String, Locality)> {
    let origin = parse_origin(reader.required("PUBLIC_ORIGIN")?);
    if origin.is_none() {
        reader.mistake(
            "PUBLIC_ORIGIN",
            "must be an origin, https://host or https://host:port (http only for localhost and *.localhost)",
        );
    }
    origin
}

/// `scheme://host[:port]` in the form browsers put into `Origin`: lower case, no default port, nothing behind it.
fn parse_origin(text: &str) -> Option<(String, Locality)> {
    let uri: Uri = text.parse().ok()?;
    let (scheme, host) = (uri.scheme_str()?, uri.host()?);
    let locality = Locality::of_host(host);
    let default_port = if scheme == "https" { 443 } else { 80 };
    let written = match uri.port_u16() {
        Some(port) if port != default_port => format!("{scheme}://{host}:{port}"),
        _ => format!("{scheme}://{host}"),
    };
    let as_browsers_write_it = text == written && !text.contains(|c: char| c.is_ascii_uppercase());
    (locality.allows(scheme, host) && as_browsers_write_it).then_some((written, locality))
}

/// The absolute URL of a page of accounts.magento.cloud, to which queries are added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageUrl(String);

impl PageUrl {
    fn read(reader: &mut Reader<'_>, name: &str) -> Option<Self> {
        let text = reader.required(name)?;
        let url = Self::parse(text, reader.locality());
        if url.is_none() {
            reader.mistake(
                name,
                "must be an absolute https URL in ASCII, without fragment (http only in a local configuration)",
            );
        }
        url
    }

    fn parse(text: &str, locality: Locality) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        // A header field, which is what redirects there, holds ASCII.
        let plain = !uri.authority()?.as_str().contains('@') && !text.contains('#') && text.is_ascii();
        (plain && locality.allows(uri.scheme_str()?, uri.host()?)).then(|| Self(text.to_owned()))
    }

    /// The URL as configured.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL with `parameters` added to its query.
    #[must_use]
    pub fn with(&self, parameters: &[(&str, &str)]) -> String {
        let separator = if self.0.contains('?') { '&' } else { '?' };
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .finish();
        format!("{}{separator}{query}", self.0)
    }
}

/// A provider as far as everybody needs to know it: its name in paths, its name for people, where it lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderEntry {
    /// Its name in paths and keys.
    pub id: ProviderId,
    /// Its name for people.
    pub name: String,
    /// Who vouches for its identities.
    pub issuer: Issuer,
    /// What a page's `form-action` must allow, as a browser holds the redirect after a form to it: wherever discovery may find the authorization
    /// endpoint, which is the issuer's host and those below it, and the origin of a fixed one (CSP Level 3 section 2.3.1).
    pub form_sources: Vec<String>,
}

/// The configured providers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderDirectory(Vec<ProviderEntry>);

impl ProviderDirectory {
    /// Reads `id`, `name`, `issuer` and `authorization_endpoint` of each element of `PROVIDERS`, and of the rest only whether it is for local
    /// configurations alone.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        #[derive(Deserialize)]
        struct Element {
            id: ProviderId,
            name: String,
            issuer: Issuer,
            authorization_endpoint: Option<String>,
            client_secret: Option<IgnoredAny>,
            client_key: Option<IgnoredAny>,
        }
        let text = reader.required("PROVIDERS")?;
        let elements = serde_json::from_str::<Vec<Element>>(text)
            .ok()
            .filter(|elements| !elements.is_empty());
        let Some(elements) = elements else {
            reader.mistake(
                "PROVIDERS",
                "must be a JSON list of providers, each with id, name and issuer",
            );
            return None;
        };
        let is_local = |element: &Element| {
            let issuer = element.issuer.as_str().parse();
            let has_credential = element.client_secret.is_some() || element.client_key.is_some();
            has_credential || !issuer.is_ok_and(|issuer| Locality::Deployed.allows_uri(&issuer))
        };
        if reader.locality() == Locality::Deployed && elements.iter().any(is_local) {
            let what =
                "has an issuer of http, a client_secret or a client_key, which are for local configurations only";
            reader.mistake("PROVIDERS", what);
        }
        let entries: Vec<ProviderEntry> = elements
            .into_iter()
            .map(|element| {
                let fixed = element.authorization_endpoint.as_deref();
                let form_sources = form_sources(element.issuer.as_str(), fixed).unwrap_or_default();
                ProviderEntry {
                    id: element.id,
                    name: element.name,
                    issuer: element.issuer,
                    form_sources,
                }
            })
            .collect();
        let repeated = entries
            .iter()
            .enumerate()
            .any(|(n, entry)| entries[..n].iter().any(|other| other.id == entry.id));
        if repeated {
            reader.mistake("PROVIDERS", "names a provider twice");
            return None;
        }
        Some(Self(entries))
    }

    /// All of them, in their order.
    #[must_use]
    pub fn entries(&self) -> &[ProviderEntry] {
        &self.0
    }

    /// The provider of this id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&ProviderEntry> {
        self.0.iter().find(|entry| entry.id.as_str() == id)
    }
}

/// See [`ProviderEntry::form_sources`]; none when `issuer` is no URL of a host.
fn form_sources(issuer: &str, authorization_endpoint: Option<&str>) -> Option<Vec<String>> {
    let issuer: Uri = issuer.parse().ok()?;
    let (scheme, host) = (issuer.scheme_str()?, issuer.host()?);
    let mut sources = vec![format!("{scheme}://{host}:*"), format!("{scheme}://*.{host}:*")];
    if let Some(endpoint) = authorization_endpoint {
        let endpoint: Uri = endpoint.parse().ok()?;
        sources.push(format!("{}://{}", endpoint.scheme_str()?, endpoint.authority()?));
    }
    Some(sources)
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
