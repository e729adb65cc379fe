//! An ID token in the making: a good one, of which a test changes one thing.

use serde_json::Value;

use super::keys::{Keys, Signer};

/// Everything about one ID token, before it is signed.
#[derive(Clone, Debug)]
pub struct IdToken {
    /// The header.
    pub header: Value,
    /// The claims.
    pub claims: Value,
    /// What stands in the place of the header where JSON values cannot say it: a repeated member, for one.
    pub header_text: Option<String>,
    /// The same for the claims.
    pub claims_text: Option<String>,
    /// Who signs.
    pub signer: Signer,
    /// What becomes of the signed token.
    pub afterwards: fn(&str) -> String,
    /// The time at the provider, in seconds.
    pub now: i64,
    /// The token that was issued before this one.
    pub previous: Option<String>,
}

impl IdToken {
    /// The claim `name` is `value`.
    pub fn claim(&mut self, name: &str, value: impl Into<Value>) {
        self.claims[name] = value.into();
    }

    /// There is no claim `name`.
    pub fn without(&mut self, name: &str) {
        self.claims.as_object_mut().map(|claims| claims.remove(name));
    }

    /// The text of the claim `name` is what `change` makes of it.
    pub fn alter(&mut self, name: &str, change: fn(&str) -> String) {
        let text = self.claims[name].as_str().unwrap_or_default();
        self.claims[name] = change(text).into();
    }

    /// The header parameter `name` is `value`.
    pub fn parameter(&mut self, name: &str, value: impl Into<Value>) {
        self.header[name] = value.into();
    }

    /// There is no header parameter `name`.
    pub fn without_parameter(&mut self, name: &str) {
        self.header.as_object_mut().map(|header| header.remove(name));
    }

    /// Says first what it says anyway, and then `member` once more.
    pub fn claims_and(&mut self, member: &str) {
        let claims = self.claims.to_string();
        self.claims_text = Some(format!("{},{member}}}", claims.trim_end_matches('}')));
    }

    /// The same for the header.
    pub fn header_and(&mut self, member: &str) {
        let header = self.header.to_string();
        self.header_text = Some(format!("{},{member}}}", header.trim_end_matches('}')));
    }

    /// Signed by `signer`, whose header is put in place.
    pub fn signed_by(&mut self, keys: &Keys, signer: Signer) {
        self.signer = signer;
        self.header = keys.header(signer);
    }

    pub(super) fn compact(self, keys: &Keys, client_id: &str) -> String {
        let header = self.header_text.unwrap_or_else(|| self.header.to_string());
        let claims = self.claims_text.unwrap_or_else(|| self.claims.to_string());
        (self.afterwards)(&keys.sign(self.signer, client_id, &header, &claims))
    }
}
