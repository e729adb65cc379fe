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
    use fastrand::Rng;

    use crate::{
        identity::{Issuer, Subject},
        properties::{Seeded, for_all, visible_ascii},
        ticket::Ticket,
    };

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

    /// What a key names, read off it by who only knows section 7 of the contract.
    #[derive(Debug, PartialEq)]
    enum Named {
        Link(AccountId, ProviderId),
        Event(AccountId, String),
        Owner(Identity),
        Claim(String),
        Ticket(String),
    }

    impl Named {
        fn read(key: &Key) -> Self {
            let account = |text: &str| AccountId::parse(text).unwrap();
            let (kind, name) = key.pk.split_once('#').unwrap();
            match (kind, &*key.sk) {
                ("IDENTITY", "OWNER") => {
                    let (issuer, subject) = name.split_once('#').unwrap();
                    Self::Owner(identity(issuer, subject))
                }
                ("FLOW", "CLAIM") => Self::Claim(name.to_owned()),
                ("TICKET", "TICKET") => Self::Ticket(name.to_owned()),
                ("ACCOUNT", sk) => match sk.split_once('#').unwrap() {
                    ("LINK", provider) => Self::Link(account(name), ProviderId::parse(provider).unwrap()),
                    ("EVENT", id) => Self::Event(account(name), id.to_owned()),
                    _ => panic!("{sk}"),
                },
                _ => panic!("{key:?}"),
            }
        }
    }

    fn any_identity(rng: &mut Rng) -> Identity {
        let path = visible_ascii(rng, 247).replace(['?', '#'], "/");
        identity(&format!("https://{path}"), &visible_ascii(rng, 255))
    }

    /// A thing that has a key, and that key.
    fn any_key(rng: &mut Rng) -> (Named, Key) {
        let account = AccountId::parse(visible_ascii(rng, 128)).unwrap();
        match rng.u8(..5) {
            0 => {
                let length = rng.usize(1..=32);
                let provider: String = (0..length)
                    .map(|_| *rng.choice(&['a', 'z', '0', '9', '-']).unwrap())
                    .collect();
                let provider = ProviderId::parse(provider).unwrap();
                let key = Key::link(&account, &provider);
                (Named::Link(account, provider), key)
            }
            1 => {
                let flow = FlowId::generate(&Seeded::by(rng)).unwrap();
                let key = Key::event(&account, flow);
                (Named::Event(account, flow.to_string()), key)
            }
            2 => {
                let identity = any_identity(rng);
                let key = Key::owner(&identity);
                (Named::Owner(identity), key)
            }
            3 => {
                let flow = FlowId::generate(&Seeded::by(rng)).unwrap();
                (Named::Claim(flow.to_string()), Key::claim(flow))
            }
            _ => {
                let ticket = Ticket::generate(&Seeded::by(rng)).unwrap().hash();
                (Named::Ticket(ticket.to_string()), Key::ticket(ticket))
            }
        }
    }

    #[test]
    fn a_key_tells_what_it_names_whatever_the_names_hold() {
        for_all(|rng| {
            let (named, key) = any_key(rng);
            assert_eq!(Named::read(&key), named);
            // DynamoDB's bounds.
            assert!(key.pk.len() <= 2048 && key.sk.len() <= 1024);
        });
    }

    #[test]
    fn no_two_things_share_a_key_however_alike_their_names_are() {
        for_all(|rng| {
            let ((named, key), (other_named, other_key)) = (any_key(rng), any_key(rng));
            assert_eq!(key == other_key, named == other_named);
            // The nearest that another identity comes: the same text, divided elsewhere, or with one letter changed.
            let one = any_identity(rng);
            let text = format!("{}#{}", one.issuer, one.subject);
            for (position, _) in text.match_indices(['#', '/', 'a', 'A']) {
                let divided = (Issuer::parse(&text[..position]), Subject::parse(&text[position + 1..]));
                let mut changed = text.clone();
                changed.replace_range(
                    position..=position,
                    if text.as_bytes()[position] == b'a' { "A" } else { "a" },
                );
                let changed = changed
                    .split_once('#')
                    .map(|(issuer, subject)| (Issuer::parse(issuer), Subject::parse(subject)));
                for pair in [Some(divided), changed] {
                    if let Some((Ok(issuer), Ok(subject))) = pair {
                        let other = Identity { issuer, subject };
                        assert_eq!(
                            Key::owner(&one) == Key::owner(&other),
                            one == other,
                            "{one:?}, {other:?}"
                        );
                    }
                }
            }
        });
    }
}
