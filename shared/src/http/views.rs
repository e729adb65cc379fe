//! What callers are told: the bodies of status, confirm and account-policy (contract section 2).
//!
//! One struct per answer. Serialised it is the JSON answer; handed to [`page`](super::page) it is the same answer as HTML, so the two
//! cannot tell different stories.

use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::{
    clock::Timestamp,
    flow::PendingLink,
    identity::{AccountId, EmailAddress, Issuer, ProviderId, Subject},
    link::Link,
    requirement::{OtherMethods, Requirement},
    ticket::SignIn,
};

/// What status answers.
#[derive(Clone, Debug)]
pub struct StatusView {
    /// The provider asked about.
    pub provider: ProviderView,
    /// The account that asks.
    pub account: AccountView,
    /// The link, while there is one. `status` is told from it, so that the two always agree.
    pub link: Option<LinkView>,
    /// Whether the account must be linked.
    pub requirement: RequirementView,
    /// Where the section's forms go.
    pub actions: ActionsView,
    /// The URL to visit first when the session is too old to change the link.
    pub reauthenticate: Option<String>,
}

impl Serialize for StatusView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("StatusView", 7)?;
        object.serialize_field("provider", &self.provider)?;
        object.serialize_field("account", &self.account)?;
        object.serialize_field("status", status_of(self.link.is_some()))?;
        object.serialize_field("link", &self.link)?;
        object.serialize_field("requirement", &self.requirement)?;
        object.serialize_field("actions", &self.actions)?;
        object.serialize_field("reauthenticate", &self.reauthenticate)?;
        object.end()
    }
}

/// The word for it.
const fn status_of(is_linked: bool) -> &'static str {
    if is_linked { "linked" } else { "not_linked" }
}

/// A provider, as users know it.
#[derive(Clone, Debug, Serialize)]
pub struct ProviderView {
    /// Its short name in paths.
    pub id: ProviderId,
    /// Its name for people, `Magento.com`.
    pub name: String,
}

/// A link, as its own user sees it.
#[derive(Clone, Debug, Serialize)]
pub struct LinkView {
    /// Since when.
    #[serde(serialize_with = "rfc3339")]
    pub linked_at: Timestamp,
    /// The label, when the provider gave one.
    pub email: Option<MaskedEmail>,
}

impl From<&Link> for LinkView {
    fn from(link: &Link) -> Self {
        Self {
            linked_at: link.linked_at,
            email: link.email.as_ref().map(MaskedEmail::of),
        }
    }
}

/// Whether an account must be linked, and from when.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct RequirementView {
    /// False before the date, for an exempt account, and when paused.
    pub required: bool,
    /// From when linking is required; absent when paused.
    #[serde(serialize_with = "rfc3339_or_null")]
    pub since: Option<Timestamp>,
    /// Until when this account is exempt.
    #[serde(serialize_with = "rfc3339_or_null")]
    pub exempt_until: Option<Timestamp>,
}

impl From<Requirement> for RequirementView {
    fn from(
        Requirement {
            required,
            since,
            exempt_until,
        }: Requirement,
    ) -> Self {
        Self {
            required,
            since,
            exempt_until,
        }
    }
}

/// The paths of the section's forms.
#[derive(Clone, Debug, Serialize)]
pub struct ActionsView {
    /// Begins a flow.
    pub start_link: String,
    /// Ends the link.
    pub unlink: String,
}

impl ActionsView {
    /// The paths at `provider`.
    #[must_use]
    pub fn of(provider: &ProviderId) -> Self {
        Self {
            start_link: format!("/sso/{provider}/start-link"),
            unlink: format!("/sso/{provider}/unlink"),
        }
    }
}

/// What account-policy tells accounts.magento.cloud's server.
#[derive(Clone, Debug, Serialize)]
pub struct AccountPolicyView {
    /// The account asked about.
    pub account_id: AccountId,
    status: &'static str,
    /// The link, while there is one.
    pub link: Option<PolicyLinkView>,
    /// Whether the account must be linked.
    pub requirement: RequirementView,
    /// How the account may sign in.
    pub sign_in: SignInView,
}

impl AccountPolicyView {
    /// What `requirement` means for `account` with this link.
    #[must_use]
    pub fn new(account: AccountId, link: Option<&Link>, requirement: Requirement) -> Self {
        Self {
            account_id: account,
            status: status_of(link.is_some()),
            link: link.map(|link| PolicyLinkView {
                linked_at: link.linked_at,
                email: link.email.clone(),
            }),
            requirement: RequirementView::from(requirement),
            sign_in: SignInView {
                provider: true,
                other_methods: requirement.other_methods(link.is_some()),
            },
        }
    }
}

/// A link, as a server sees it.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyLinkView {
    /// Since when.
    #[serde(serialize_with = "rfc3339")]
    pub linked_at: Timestamp,
    /// The label, when the provider gave one; not masked.
    pub email: Option<EmailAddress>,
}

/// How an account may sign in.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SignInView {
    /// Signing in by the provider is never refused; an account that is not linked is just not found by it.
    pub provider: bool,
    /// What all other methods are good for.
    pub other_methods: OtherMethods,
}

/// What redeem-ticket answers: who signed in, and what the provider said about how.
#[derive(Clone, Debug, Serialize)]
pub struct RedeemedTicketView {
    /// The cloud account.
    pub account_id: AccountId,
    /// The provider's short name.
    pub provider: ProviderId,
    /// The identity that is linked to it.
    pub identity: RedeemedIdentityView,
    /// When the person last proved themselves to the provider, in seconds since 1970 (OIDC Core 2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// How.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// By which means.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
}

/// An identity, by the names of the ID token's claims.
#[derive(Clone, Debug, Serialize)]
pub struct RedeemedIdentityView {
    /// Who vouches for it.
    pub iss: Issuer,
    /// Whom the issuer means.
    pub sub: Subject,
    /// The session at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
}

impl From<SignIn> for RedeemedTicketView {
    fn from(sign_in: SignIn) -> Self {
        Self {
            account_id: sign_in.account,
            provider: sign_in.provider,
            identity: RedeemedIdentityView {
                iss: sign_in.identity.issuer,
                sub: sign_in.identity.subject,
                sid: sign_in.provider_session,
            },
            auth_time: sign_in.auth_time.map(Timestamp::unix_seconds),
            acr: sign_in.acr,
            amr: sign_in.amr,
        }
    }
}

/// What confirm answers while something waits to be confirmed.
#[derive(Clone, Debug, Serialize)]
pub struct ConfirmView {
    /// The cloud account that is signed in.
    pub account: AccountView,
    /// The identity that would be linked to it.
    pub identity: ConfirmIdentityView,
    /// Until when it can be confirmed.
    #[serde(serialize_with = "rfc3339")]
    pub expires_at: Timestamp,
    /// The link that would be switched.
    pub replacing: Option<ReplacedLinkView>,
    /// What the form must repeat.
    pub confirmation: String,
}

impl ConfirmView {
    /// What the user of the account with the label `account_email` decides about, with the link that `pending` would switch.
    #[must_use]
    pub fn new(pending: &PendingLink, account_email: Option<EmailAddress>, replacing: Option<&Link>) -> Self {
        Self {
            account: AccountView { email: account_email },
            identity: ConfirmIdentityView {
                email: pending.email.clone(),
                email_verified: pending.email_verified,
            },
            expires_at: pending.expires_at,
            replacing: replacing.map(|link| ReplacedLinkView {
                email: link.email.as_ref().map(MaskedEmail::of),
            }),
            confirmation: pending.confirmation(),
        }
    }
}

/// A cloud account to its own user.
#[derive(Clone, Debug, Serialize)]
pub struct AccountView {
    /// The session's label, not masked.
    pub email: Option<EmailAddress>,
}

/// The identity the user has just proved to be.
#[derive(Clone, Debug, Serialize)]
pub struct ConfirmIdentityView {
    /// Its label, not masked.
    pub email: Option<EmailAddress>,
    /// Whether the provider has verified that address.
    pub email_verified: bool,
}

/// The link that a switch ends.
#[derive(Clone, Debug, Serialize)]
pub struct ReplacedLinkView {
    /// Its label.
    pub email: Option<MaskedEmail>,
}

/// An e-mail label that shows its first character and its domain, and can show no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MaskedEmail(String);

impl MaskedEmail {
    /// The mask of `address`.
    #[must_use]
    pub fn of(address: &EmailAddress) -> Self {
        Self(address.masked())
    }

    /// The masked text, `m***@example.com`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference to the field"
)]
fn rfc3339<S: Serializer>(instant: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(instant)
}

#[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
fn rfc3339_or_null<S: Serializer>(instant: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    instant.map(|instant| instant.to_string()).serialize(serializer)
}

#[cfg(test)]
pub(super) mod tests;
