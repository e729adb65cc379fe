//! Items and what they stand for.
//!
//! Instants are numbers of milliseconds, but for the TTL attribute, which DynamoDB wants in seconds. An e-mail address is a label in
//! links and owners and is in nothing else.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;

use super::{error::TableError, event::Kind, history::HistoryEntry, keys::Key, owner::Owner, ticket::NewTicket};
use crate::{
    clock::Timestamp,
    flow::SessionBinding,
    identity::{AccountId, EmailAddress, Identity, Issuer, ProviderId, Subject},
    link::{AccountRecord, Actor, Exemption, Link},
    ticket::SignIn,
};

/// An item as the SDK has it.
pub type Item = HashMap<String, AttributeValue>;

/// Attribute names; expressions write the same ones out, so that they can be read.
pub(super) mod attribute {
    /// Of an owner and a ticket: whom the identity belongs to.
    pub(in super::super) const ACCOUNT_ID: &str = "account_id";
    /// Of a ticket: the `acr` claim.
    pub(in super::super) const ACR: &str = "acr";
    /// Of a ticket: the `amr` claim.
    pub(in super::super) const AMR: &str = "amr";
    /// Of a claim: the attempt that wrote it.
    pub(in super::super) const ATTEMPT: &str = "attempt";
    /// Of an event: when it happened.
    pub(in super::super) const AT: &str = "at";
    /// Of a ticket: the `auth_time` claim.
    pub(in super::super) const AUTH_TIME: &str = "auth_time";
    /// Of an event and an exemption: the IAM caller.
    pub(in super::super) const BY: &str = "by";
    /// Of a ticket: the hash of the secret that redeems it.
    pub(in super::super) const CHALLENGE: &str = "challenge";
    /// Of a link and an owner: the e-mail label.
    pub(in super::super) const EMAIL: &str = "email";
    /// Of a link: the exemption, as a map.
    pub(in super::super) const EXEMPTION: &str = "exemption";
    /// When DynamoDB may sweep the item, in seconds: the table's TTL attribute.
    pub(in super::super) const EXPIRES_AT: &str = "expires_at";
    /// Of a link: flows started at or before this instant are worthless.
    pub(in super::super) const FLOWS_VALID_AFTER: &str = "flows_valid_after";
    /// Of an event: the identity's fingerprint.
    pub(in super::super) const IDENTITY: &str = "identity";
    /// Of a link and a ticket: the issuer of the identity.
    pub(in super::super) const ISSUER: &str = "issuer";
    /// Of an event: what happened.
    pub(in super::super) const KIND: &str = "kind";
    /// Of a link: since when.
    pub(in super::super) const LINKED_AT: &str = "linked_at";
    /// Of an event and a ticket: at which provider.
    pub(in super::super) const PROVIDER: &str = "provider";
    /// Of a ticket: the `sid` claim.
    pub(in super::super) const PROVIDER_SESSION: &str = "provider_session";
    /// Of an exemption: why.
    pub(in super::super) const REASON: &str = "reason";
    /// Of an event: the account's session, hashed.
    pub(in super::super) const SESSION: &str = "session";
    /// Of a link and a ticket: the subject of the identity.
    pub(in super::super) const SUBJECT: &str = "subject";
    /// Of an exemption, and of the event of one: when it ends by itself.
    pub(in super::super) const UNTIL: &str = "until";
    /// Of a ticket: until when it can be redeemed.
    pub(in super::super) const VALID_UNTIL: &str = "valid_until";
}

/// A string attribute.
pub(super) fn text(value: &(impl ToString + ?Sized)) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

/// An instant as a number of milliseconds.
pub(super) fn milliseconds(instant: Timestamp) -> AttributeValue {
    AttributeValue::N(instant.unix_ms().to_string())
}

/// An instant as a number of seconds, for the TTL attribute.
pub(super) fn seconds(instant: Timestamp) -> AttributeValue {
    AttributeValue::N(instant.unix_seconds().to_string())
}

/// Reads a link item, as [`Table::read_account`](super::Table::read_account) does with what it got.
pub fn account_record(item: &Item) -> Result<AccountRecord, TableError> {
    let item = Reader { item, kind: "a link" };
    let link = match item.optional_text(attribute::ISSUER)? {
        None => None,
        Some(_) => Some(Link {
            identity: item.identity()?,
            email: item.email()?,
            linked_at: item.instant(attribute::LINKED_AT)?,
        }),
    };
    let exemption = match item.item.get(attribute::EXEMPTION) {
        None => None,
        Some(AttributeValue::M(exemption)) => Some(read_exemption(exemption)?),
        Some(_) => return Err(item.corrupt(attribute::EXEMPTION)),
    };
    Ok(AccountRecord {
        link,
        flows_valid_after: item.optional_instant(attribute::FLOWS_VALID_AFTER)?,
        exemption,
    })
}

/// Reads of a link item, or of none, from when on flows are worth anything.
pub(super) fn flows_valid_after(item: &Item) -> Result<Option<Timestamp>, TableError> {
    Reader { item, kind: "a link" }.optional_instant(attribute::FLOWS_VALID_AFTER)
}

fn read_exemption(item: &Item) -> Result<Exemption, TableError> {
    let item = Reader {
        item,
        kind: "an exemption",
    };
    Ok(Exemption {
        until: item.instant(attribute::UNTIL)?,
        reason: item.text(attribute::REASON)?.to_owned(),
        by: item.text(attribute::BY)?.to_owned(),
    })
}

/// Writes an exemption, the value of a link's attribute.
pub(super) fn exemption(exemption: &Exemption) -> AttributeValue {
    AttributeValue::M(HashMap::from([
        (attribute::UNTIL.to_owned(), milliseconds(exemption.until)),
        (attribute::REASON.to_owned(), text(&exemption.reason)),
        (attribute::BY.to_owned(), text(&exemption.by)),
    ]))
}

/// Writes an owner item's attributes behind its key.
pub(super) fn owner(key: Item, account: &AccountId, email: Option<&EmailAddress>) -> Item {
    let mut item = key;
    item.insert(attribute::ACCOUNT_ID.to_owned(), text(account));
    if let Some(email) = email {
        item.insert(attribute::EMAIL.to_owned(), text(email.reveal()));
    }
    item
}

/// Reads an owner item.
pub(super) fn read_owner(item: &Item) -> Result<Owner, TableError> {
    let item = Reader { item, kind: "an owner" };
    Ok(Owner {
        account: item.account()?,
        email: item.email()?,
    })
}

/// Writes a ticket that can be redeemed until `valid_until`.
pub(super) fn ticket(ticket: &NewTicket, valid_until: Timestamp) -> Item {
    let SignIn {
        account,
        provider,
        identity,
        provider_session,
        auth_time,
        acr,
        amr,
    } = &ticket.sign_in;
    let mut item = Key::ticket(ticket.hash).into_attributes();
    let mut put = |name: &str, value| item.insert(name.to_owned(), value);
    put(attribute::CHALLENGE, text(&ticket.challenge));
    put(attribute::VALID_UNTIL, milliseconds(valid_until));
    // The next full second, so that nothing is swept that can be redeemed.
    put(attribute::EXPIRES_AT, seconds(valid_until.plus(Duration::from_secs(1))));
    put(attribute::ACCOUNT_ID, text(account));
    put(attribute::PROVIDER, text(provider));
    put(attribute::ISSUER, text(&identity.issuer));
    put(attribute::SUBJECT, text(&identity.subject));
    if let Some(session) = provider_session {
        put(attribute::PROVIDER_SESSION, text(session));
    }
    if let Some(instant) = auth_time {
        put(attribute::AUTH_TIME, milliseconds(*instant));
    }
    if let Some(acr) = acr {
        put(attribute::ACR, text(acr));
    }
    if !amr.is_empty() {
        put(attribute::AMR, AttributeValue::L(amr.iter().map(text).collect()));
    }
    item
}

/// Reads what a ticket stands for.
pub(super) fn sign_in(item: &Item) -> Result<SignIn, TableError> {
    let item = Reader { item, kind: "a ticket" };
    let optional = |name| Ok(item.optional_text(name)?.map(str::to_owned));
    Ok(SignIn {
        account: item.account()?,
        provider: ProviderId::parse(item.text(attribute::PROVIDER)?).map_err(|_| item.corrupt(attribute::PROVIDER))?,
        identity: item.identity()?,
        provider_session: optional(attribute::PROVIDER_SESSION)?,
        auth_time: item.optional_instant(attribute::AUTH_TIME)?,
        acr: optional(attribute::ACR)?,
        amr: item.texts(attribute::AMR)?,
    })
}

/// Reads an event.
pub(super) fn history_entry(item: &Item) -> Result<HistoryEntry, TableError> {
    let item = Reader { item, kind: "an event" };
    let kind = item.text(attribute::KIND)?;
    let session = item.optional_text(attribute::SESSION)?;
    let actor = match session.map(SessionBinding::parse) {
        Some(session) => Actor::Session(session.ok_or_else(|| item.corrupt(attribute::SESSION))?),
        None => Actor::Iam(item.text(attribute::BY)?.to_owned()),
    };
    Ok(HistoryEntry {
        kind: Kind::ALL
            .into_iter()
            .find(|known| known.as_str() == kind)
            .ok_or_else(|| item.corrupt(attribute::KIND))?,
        at: item.instant(attribute::AT)?,
        provider: item.text(attribute::PROVIDER)?.to_owned(),
        actor,
        until: item.optional_instant(attribute::UNTIL)?,
    })
}

/// Takes attributes out of an item, by the name and the type we wrote them with.
struct Reader<'a> {
    item: &'a Item,
    kind: &'static str,
}

impl<'a> Reader<'a> {
    fn corrupt(&self, attribute: &'static str) -> TableError {
        TableError::Corrupt {
            item: self.kind,
            attribute,
        }
    }

    fn optional_text(&self, name: &'static str) -> Result<Option<&'a str>, TableError> {
        match self.item.get(name) {
            None => Ok(None),
            Some(AttributeValue::S(value)) => Ok(Some(value)),
            Some(_) => Err(self.corrupt(name)),
        }
    }

    fn text(&self, name: &'static str) -> Result<&'a str, TableError> {
        self.optional_text(name)?.ok_or_else(|| self.corrupt(name))
    }

    fn optional_instant(&self, name: &'static str) -> Result<Option<Timestamp>, TableError> {
        match self.item.get(name) {
            None => Ok(None),
            Some(AttributeValue::N(value)) => value
                .parse()
                .map(|value| Some(Timestamp::from_unix_ms(value)))
                .map_err(|_| self.corrupt(name)),
            Some(_) => Err(self.corrupt(name)),
        }
    }

    fn instant(&self, name: &'static str) -> Result<Timestamp, TableError> {
        self.optional_instant(name)?.ok_or_else(|| self.corrupt(name))
    }

    /// A list of texts; an empty one when there is none.
    fn texts(&self, name: &'static str) -> Result<Vec<String>, TableError> {
        match self.item.get(name) {
            None => Ok(Vec::new()),
            Some(AttributeValue::L(values)) => {
                let texts = values.iter().map(|value| value.as_s().cloned());
                texts.collect::<Result<_, _>>().map_err(|_| self.corrupt(name))
            }
            Some(_) => Err(self.corrupt(name)),
        }
    }

    fn account(&self) -> Result<AccountId, TableError> {
        AccountId::parse(self.text(attribute::ACCOUNT_ID)?).map_err(|_| self.corrupt(attribute::ACCOUNT_ID))
    }

    fn identity(&self) -> Result<Identity, TableError> {
        Ok(Identity {
            issuer: Issuer::parse(self.text(attribute::ISSUER)?).map_err(|_| self.corrupt(attribute::ISSUER))?,
            subject: Subject::parse(self.text(attribute::SUBJECT)?).map_err(|_| self.corrupt(attribute::SUBJECT))?,
        })
    }

    /// A label that is no address any more counts as absent: nothing depends on it.
    fn email(&self) -> Result<Option<EmailAddress>, TableError> {
        Ok(self.optional_text(attribute::EMAIL)?.and_then(EmailAddress::parse))
    }
}
