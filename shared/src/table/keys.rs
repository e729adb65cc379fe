//! Keys: the one place that writes them.
//!
//! No key is ambiguous. Account ids, flow ids and event ids are each alone behind a fixed prefix, and in an owner's key the issuer holds no
//! `#`, so that the subject begins behind the second one, whatever it holds itself.

use std::{collections::HashMap, fmt};

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    flow::FlowId,
    identity::{AccountId, Identity, ProviderId},
    ticket::TicketHash,
};

/// The partition key's attribute.
pub(super) const PK: &str = "pk";
/// The sort key's attribute.
pub(super) const SK: &str = "sk";

/// An item's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pk: String,
    sk: String,
}

impl Key {
    /// What is known of `account` at `provider`.
    pub(super) fn link(account: &AccountId, provider: &ProviderId) -> Self {
        Self {
            pk: account_partition(account),
            sk: format!("LINK#{provider}"),
        }
    }

    /// Which account `identity` belongs to.
    pub(super) fn owner(identity: &Identity) -> Self {
        Self {
            pk: format!("IDENTITY#{}#{}", identity.issuer, identity.subject),
            sk: "OWNER".to_owned(),
        }
    }

    /// Who took up `flow`.
    pub(super) fn claim(flow: FlowId) -> Self {
        Self {
            pk: format!("FLOW#{flow}"),
            sk: "CLAIM".to_owned(),
        }
    }

    /// What happened to `account`: the event called `id`.
    pub(super) fn event(account: &AccountId, id: impl fmt::Display) -> Self {
        Self {
            pk: account_partition(account),
            sk: format!("EVENT#{id}"),
        }
    }

    /// What the names of all events of `account` begin with.
    pub(super) fn events(account: &AccountId) -> Self {
        Self::event(account, "")
    }

    /// What `ticket` stands for.
    pub(super) fn ticket(ticket: TicketHash) -> Self {
        Self {
            pk: format!("TICKET#{ticket}"),
            sk: "TICKET".to_owned(),
        }
    }

    /// The partition, and what the sort key is or begins with.
    pub(super) fn into_parts(self) -> (String, String) {
        (self.pk, self.sk)
    }

    /// The key as attributes: complete as a request's key, the beginning of an item.
    pub(super) fn into_attributes(self) -> HashMap<String, AttributeValue> {
        HashMap::from([
            (PK.to_owned(), AttributeValue::S(self.pk)),
            (SK.to_owned(), AttributeValue::S(self.sk)),
        ])
    }
}

fn account_partition(account: &AccountId) -> String {
    format!("ACCOUNT#{account}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Issuer, Subject};

    fn identity(issuer: &str, subject: &str) -> Identity {
        Identity {
            issuer: Issuer::parse(issuer).unwrap(),
            subject: Subject::parse(subject).unwrap(),
        }
    }

    #[test]
    fn keys_hold_ids_byte_for_byte() {
        let account = AccountId::parse("a#LINK#%2F").unwrap();
        let magento = ProviderId::parse("magento").unwrap();
        assert_eq!(
            Key::link(&account, &magento),
            Key {
                pk: "ACCOUNT#a#LINK#%2F".to_owned(),
                sk: "LINK#magento".to_owned()
            }
        );
        assert_eq!(
            Key::owner(&identity("https://id.example/a", "User#1|b")),
            Key {
                pk: "IDENTITY#https://id.example/a#User#1|b".to_owned(),
                sk: "OWNER".to_owned()
            }
        );
        assert_eq!(
            Key::event(&account, "e"),
            Key {
                pk: "ACCOUNT#a#LINK#%2F".to_owned(),
                sk: "EVENT#e".to_owned()
            }
        );
    }

    #[test]
    fn no_two_identities_share_a_key() {
        let identities = [
            identity("https://id.example", "a#b"),
            identity("https://id.example/a", "b"),
            identity("https://id.example", "a"),
            identity("https://id.example", "A"),
            identity("https://id.example/", "a"),
        ];
        for (position, one) in identities.iter().enumerate() {
            for other in &identities[position + 1..] {
                assert_ne!(Key::owner(one), Key::owner(other));
            }
        }
    }
}
