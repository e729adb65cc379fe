//! Items and what they stand for.
//!
//! Instants are numbers of milliseconds, but for the TTL attribute, which DynamoDB wants in seconds. An e-mail address is a label in
//! links and owners and is in nothing else.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::error::TableError;
use crate::{
    clock::Timestamp,
    identity::{AccountId, EmailAddress, Identity, Issuer, Subject},
    link::{AccountRecord, Exemption, Link},
};

/// An item as the SDK has it.
pub(super) type Item = HashMap<String, AttributeValue>;

/// Attribute names; expressions write the same ones out, so that they can be read.
pub(super) mod attribute {
    /// Of an owner: whom the identity belongs to.
    pub(in super::super) const ACCOUNT_ID: &str = "account_id";
    /// Of a claim: the attempt that wrote it.
    pub(in super::super) const ATTEMPT: &str = "attempt";
    /// Of an event: when it happened.
    pub(in super::super) const AT: &str = "at";
    /// Of an event and an exemption: the IAM caller.
    pub(in super::super) const BY: &str = "by";
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
    /// Of a link: the issuer of the identity.
    pub(in super::super) const ISSUER: &str = "issuer";
    /// Of an event: what happened.
    pub(in super::super) const KIND: &str = "kind";
    /// Of a link: since when.
    pub(in super::super) const LINKED_AT: &str = "linked_at";
    /// Of an event: at which provider.
    pub(in super::super) const PROVIDER: &str = "provider";
    /// Of an exemption: why.
    pub(in super::super) const REASON: &str = "reason";
    /// Of an event: the account's session, hashed.
    pub(in super::super) const SESSION: &str = "session";
    /// Of a link: the subject of the identity.
    pub(in super::super) const SUBJECT: &str = "subject";
    /// Of an exemption, and of the event of one: when it ends by itself.
    pub(in super::super) const UNTIL: &str = "until";
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

/// Reads a link item.
pub(super) fn account_record(item: &Item) -> Result<AccountRecord, TableError> {
    let item = Reader { item, kind: "a link" };
    let link = match item.optional_text(attribute::ISSUER)? {
        None => None,
        Some(issuer) => Some(Link {
            identity: Identity {
                issuer: Issuer::parse(issuer).map_err(|_| item.corrupt(attribute::ISSUER))?,
                subject: Subject::parse(item.text(attribute::SUBJECT)?)
                    .map_err(|_| item.corrupt(attribute::SUBJECT))?,
            },
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

    /// A label that is no address any more counts as absent: nothing depends on it.
    fn email(&self) -> Result<Option<EmailAddress>, TableError> {
        Ok(self.optional_text(attribute::EMAIL)?.and_then(EmailAddress::parse))
    }
}
