//! `PROVIDERS`: who may be asked, and how (contract section 8).

use std::{collections::BTreeMap, fmt};

use oauth2::ClientSecret;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;

use super::discovery::{ProviderMetadata, endpoint};
use crate::{
    config::Reader,
    identity::{Issuer, ProviderId},
    jose::{Algorithm, SigningKey},
    outbound::Locality,
};

/// The variable.
const PROVIDERS: &str = "PROVIDERS";

/// One element of `PROVIDERS`.
#[derive(Debug)]
pub struct ProviderSettings {
    /// `id`: its name in paths and keys.
    pub id: ProviderId,
    /// `name`: its name for people.
    pub name: String,
    /// `issuer`.
    pub issuer: Issuer,
    /// `client_id`: our name there.
    pub client_id: String,
    /// `client_authentication`, with the secret or key that goes with it.
    pub client_authentication: ClientAuthenticationSettings,
    /// The fixed endpoints, which save discovery.
    pub fixed_metadata: Option<ProviderMetadata>,
    /// `id_token_signing_algs`: the algorithms we registered for.
    pub id_token_signing_algs: Vec<Algorithm>,
}

/// How we prove who we are (OIDC Core 9).
#[derive(Debug)]
pub enum ClientAuthenticationSettings {
    /// `none`: we are a public client.
    None,
    /// `client_secret_basic`.
    ClientSecretBasic(Credential<ClientSecret>),
    /// `client_secret_post`.
    ClientSecretPost(Credential<ClientSecret>),
    /// `private_key_jwt`.
    PrivateKeyJwt(Credential<Box<SigningKey>>),
}

/// Where a secret or a private key is.
#[derive(Debug)]
pub enum Credential<T> {
    /// `client_secret`, `client_key`: here. Local configurations only.
    Given(T),
    /// `client_secret_arn`: in Secrets Manager. `client_key_arn`: in KMS, which it never leaves.
    Arn(String),
}

impl ProviderSettings {
    /// Whether Secrets Manager or KMS is needed.
    #[must_use]
    pub const fn needs_aws(&self) -> bool {
        use ClientAuthenticationSettings::{ClientSecretBasic, ClientSecretPost, None, PrivateKeyJwt};
        match &self.client_authentication {
            ClientSecretBasic(secret) | ClientSecretPost(secret) => matches!(secret, Credential::Arn(_)),
            PrivateKeyJwt(key) => matches!(key, Credential::Arn(_)),
            None => false,
        }
    }
}

/// A mistake was found and noted.
struct Noted;

/// Reads `PROVIDERS`. Every mistake in every element is noted, by the member's name; none of them repeats a value.
pub(super) fn read(reader: &mut Reader<'_>, locality: Locality) -> Option<Vec<ProviderSettings>> {
    let text = reader.required(PROVIDERS)?;
    let Ok(elements) = serde_json::from_str::<Vec<Members>>(text) else {
        reader.mistake(PROVIDERS, "must be a JSON list of objects");
        return None;
    };
    if elements.is_empty() {
        reader.mistake(PROVIDERS, "must name at least one provider");
    }
    let mut providers = Vec::new();
    for (index, members) in elements.into_iter().enumerate() {
        providers.push(Element::new(reader, index, members).read(locality));
    }
    let providers: Vec<ProviderSettings> = providers.into_iter().collect::<Result<_, Noted>>().ok()?;
    for (index, provider) in providers.iter().enumerate() {
        let earlier = &providers[..index];
        if earlier.iter().any(|other| other.id == provider.id) {
            reader.mistake(&format!("{PROVIDERS}[{index}].id"), "is used by an earlier provider");
        }
        // Two providers behind one issuer could not be told apart: not in a response, and not in an identity.
        if earlier.iter().any(|other| other.issuer == provider.issuer) {
            reader.mistake(
                &format!("{PROVIDERS}[{index}].issuer"),
                "is used by an earlier provider",
            );
        }
    }
    (!providers.is_empty()).then_some(providers)
}

/// The members of a JSON object as they were written, repeated ones included.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = entries.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

/// One element while it is read: each member is taken out once, and what is left in the end is unknown.
struct Element<'r, 'e> {
    reader: &'r mut Reader<'e>,
    index: usize,
    members: BTreeMap<String, Value>,
}

impl<'r, 'e> Element<'r, 'e> {
    fn new(reader: &'r mut Reader<'e>, index: usize, Members(list): Members) -> Self {
        let mut element = Self {
            reader,
            index,
            members: BTreeMap::new(),
        };
        for (name, value) in list {
            if element.members.insert(name.clone(), value).is_some() {
                element.mistake(&name, "is repeated");
            }
        }
        element
    }

    fn read(mut self, locality: Locality) -> Result<ProviderSettings, Noted> {
        let id = self.required("id", "a provider id: 1 to 32 of a-z, 0-9 and -", |id| {
            ProviderId::parse(id).ok()
        });
        let name = self.required("name", "a name of 1 to 100 characters", |name| {
            let is_name = (1..=100).contains(&name.chars().count()) && !name.contains(char::is_control);
            is_name.then(|| name.to_owned())
        });
        let issuer = self.required("issuer", "an https URL without query and fragment", |issuer| {
            endpoint(issuer, locality)?;
            Issuer::parse(issuer).ok()
        });
        let client_id = self.required("client_id", "1 to 255 characters of printable ASCII", |client_id| {
            let is_id = (1..=255).contains(&client_id.len()) && client_id.bytes().all(|byte| byte.is_ascii_graphic());
            is_id.then(|| client_id.to_owned())
        });
        let client_authentication = self.client_authentication(locality);
        let fixed_metadata = self.fixed_metadata(locality);
        let id_token_signing_algs = self.id_token_signing_algs();
        for name in std::mem::take(&mut self.members).into_keys() {
            self.mistake(&name, "is not a member of a provider");
        }
        Ok(ProviderSettings {
            id: id?,
            name: name?,
            issuer: issuer?,
            client_id: client_id?,
            client_authentication: client_authentication?,
            fixed_metadata: fixed_metadata?,
            id_token_signing_algs: id_token_signing_algs?,
        })
    }

    fn client_authentication(&mut self, locality: Locality) -> Result<ClientAuthenticationSettings, Noted> {
        use ClientAuthenticationSettings::{ClientSecretBasic, ClientSecretPost, None as Public, PrivateKeyJwt};
        const METHODS: [&str; 4] = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];

        let method = self.required("client_authentication", &METHODS.join(", "), |method| {
            METHODS.into_iter().find(|known| *known == method)
        });
        let secret = self.credential("client_secret", locality, "secretsmanager", |value| {
            let secret = value.as_str().filter(|secret| !secret.is_empty())?;
            Some(ClientSecret::new(secret.to_owned()))
        });
        let key = self.credential("client_key", locality, "kms", |value| {
            let key = SigningKey::from_jwk(value.to_string().as_bytes()).ok()?;
            (key.algorithm() != Algorithm::EdDsa).then(|| Box::new(key))
        });
        let wants = match (method?, secret?, key?) {
            ("client_secret_basic", Some(secret), None) => return Ok(ClientSecretBasic(secret)),
            ("client_secret_post", Some(secret), None) => return Ok(ClientSecretPost(secret)),
            ("private_key_jwt", None, Some(key)) => return Ok(PrivateKeyJwt(key)),
            ("none", None, None) => return Ok(Public),
            ("private_key_jwt", ..) => "private_key_jwt goes with client_key_arn, and with no client secret",
            ("none", ..) => "none goes with no client secret and no client key",
            _ => "with a client secret goes with client_secret_arn, and with no client key",
        };
        Err(self.mistake("client_authentication", wants))
    }

    /// What is either here, under `name`, or at AWS, under `name` and `_arn`, where `service` has it.
    fn credential<T>(
        &mut self,
        name: &str,
        locality: Locality,
        service: &str,
        parse: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<Credential<T>>, Noted> {
        let name_of_arn = format!("{name}_arn");
        let given = self.members.remove(name);
        let arn = self.optional(&name_of_arn, &format!("the ARN of something in {service}"), |arn| {
            // arn:<partition>:<service>:<region>:<account>:<resource>
            let parts: Vec<&str> = arn.splitn(6, ':').collect();
            (parts.len() == 6 && parts[0] == "arn" && parts[2] == service).then(|| arn.to_owned())
        });
        match (given, arn?) {
            (Some(_), Some(_)) => Err(self.mistake(name, format_args!("and {name_of_arn} exclude each other"))),
            (Some(_), None) if locality == Locality::Deployed => Err(self.mistake(
                name,
                format_args!("is for local configurations only; use {name_of_arn}"),
            )),
            (Some(value), None) => match parse(&value) {
                Some(given) => Ok(Some(Credential::Given(given))),
                None => Err(self.mistake(name, "is unusable")),
            },
            (None, Some(arn)) => Ok(Some(Credential::Arn(arn))),
            (None, None) => Ok(None),
        }
    }

    /// The fixed endpoints: the required ones all or none, and what stands in for discovery with them alone.
    fn fixed_metadata(&mut self, locality: Locality) -> Result<Option<ProviderMetadata>, Noted> {
        const REQUIRED: [&str; 3] = ["authorization_endpoint", "token_endpoint", "jwks_uri"];
        const OPTIONAL: [&str; 3] = ["pushed_authorization_request_endpoint", "prompt_create", "requires_iss"];

        if !REQUIRED.iter().any(|name| self.members.contains_key(*name)) {
            let mut outcome = Ok(None);
            for name in OPTIONAL {
                if self.members.remove(name).is_some() {
                    outcome = Err(self.mistake(name, "needs authorization_endpoint, token_endpoint and jwks_uri"));
                }
            }
            return outcome;
        }
        let [authorization_endpoint, token_endpoint, jwks_uri] =
            REQUIRED.map(|name| self.required(name, "an https URL", |url| endpoint(url, locality)));
        let pushed = self.optional(OPTIONAL[0], "an https URL", |url| endpoint(url, locality));
        let prompt_create = self.boolean(OPTIONAL[1], false);
        let requires_iss = self.boolean(OPTIONAL[2], true);
        Ok(Some(ProviderMetadata {
            authorization_endpoint: authorization_endpoint?,
            token_endpoint: token_endpoint?,
            jwks_uri: jwks_uri?,
            pushed_authorization_request_endpoint: pushed?,
            prompt_create: prompt_create?,
            requires_iss: requires_iss?,
        }))
    }

    fn id_token_signing_algs(&mut self) -> Result<Vec<Algorithm>, Noted> {
        let name = "id_token_signing_algs";
        let Some(value) = self.members.remove(name) else {
            return Ok(vec![
                Algorithm::Rs256,
                Algorithm::Es256,
                Algorithm::Ps256,
                Algorithm::EdDsa,
            ]);
        };
        let names = value.as_array().filter(|names| !names.is_empty());
        names
            .and_then(|names| names.iter().map(|name| Algorithm::from_name(name.as_str()?)).collect())
            .ok_or_else(|| self.mistake(name, "must be a list of RS256, ES256, PS256 and EdDSA"))
    }

    /// The member as `parse` reads it.
    fn required<T>(&mut self, name: &str, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Noted> {
        self.optional(name, expected, parse)?
            .ok_or_else(|| self.mistake(name, "is missing"))
    }

    /// The member as `parse` reads it, if it is there.
    fn optional<T>(
        &mut self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Noted> {
        let Some(value) = self.members.remove(name) else {
            return Ok(None);
        };
        match value.as_str().and_then(parse) {
            Some(parsed) => Ok(Some(parsed)),
            None => Err(self.mistake(name, format_args!("must be {expected}"))),
        }
    }

    /// The member, or `default`.
    fn boolean(&mut self, name: &str, default: bool) -> Result<bool, Noted> {
        let Some(value) = self.members.remove(name) else {
            return Ok(default);
        };
        value
            .as_bool()
            .ok_or_else(|| self.mistake(name, "must be true or false"))
    }

    fn mistake(&mut self, member: &str, what: impl fmt::Display) -> Noted {
        self.reader
            .mistake(&format!("{PROVIDERS}[{}].{member}", self.index), what);
        Noted
    }
}

#[cfg(test)]
mod tests;
