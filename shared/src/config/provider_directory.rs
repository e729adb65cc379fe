//! The providers as every function knows them; the relying party reads the rest of `PROVIDERS` in `provider/settings.rs`.

use http::Uri;
use serde::{Deserialize, de::IgnoredAny};

use super::Reader;
use crate::{
    identity::{Issuer, ProviderId},
    outbound::Locality,
};

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
pub(super) fn form_sources(issuer: &str, authorization_endpoint: Option<&str>) -> Option<Vec<String>> {
    let issuer: Uri = issuer.parse().ok()?;
    let (scheme, host) = (issuer.scheme_str()?, issuer.host()?);
    let mut sources = vec![format!("{scheme}://{host}:*"), format!("{scheme}://*.{host}:*")];
    if let Some(endpoint) = authorization_endpoint {
        let endpoint: Uri = endpoint.parse().ok()?;
        sources.push(format!("{}://{}", endpoint.scheme_str()?, endpoint.authority()?));
    }
    Some(sources)
}
