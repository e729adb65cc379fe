//! accounts.magento.cloud: its origin and its pages.

use http::Uri;

use super::Reader;
use crate::{flow::ReturnTarget, outbound::Locality};

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
pub(super) fn parse_origin(text: &str) -> Option<(String, Locality)> {
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

    pub(super) fn parse(text: &str, locality: Locality) -> Option<Self> {
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
