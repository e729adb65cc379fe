//! What is in the table, read in DynamoDB's own words: the functions' view of it is what the tests doubt.

use serde_json::Value;

use crate::{engines::Database, magento::Person};

/// The items of a table, by kind.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Who is linked to whom, by account.
    pub links: Vec<Link>,
    /// What is known of an account beside its link.
    pub accounts: Vec<Account>,
    /// What happened, in the order in which it did.
    pub events: Vec<Event>,
    /// How many flows were claimed.
    pub claims: usize,
    /// How many tickets wait to be redeemed.
    pub tickets: usize,
}

/// A link, seen from both of its items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The cloud account.
    pub account: String,
    /// The issuer of its identity.
    pub issuer: String,
    /// The subject of its identity.
    pub subject: String,
    /// The e-mail label.
    pub email: Option<String>,
    /// Since when, in milliseconds.
    pub linked_at: i64,
}

impl Link {
    /// Whether this links the account of `account` to the identity of `identity`.
    pub fn joins(&self, account: Person, identity: Person) -> bool {
        self.account == account.account_id() && self.subject == identity.subject()
    }
}

/// What outlives a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The cloud account.
    pub account: String,
    /// Flows started at or before this instant, in milliseconds, are worthless.
    pub flows_valid_after: Option<i64>,
    /// Until when it is exempt from the requirement, in milliseconds, also when that has passed.
    pub exempt_until: Option<i64>,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: String,
    /// To which account.
    pub account: String,
    /// When, in milliseconds.
    pub at: i64,
}

impl Contents {
    /// Reads the whole table.
    pub async fn read(database: &Database) -> Self {
        let mut contents = Self::default();
        let mut owners = Vec::new();
        for item in database.items().await {
            let account = text(&item, "pk").and_then(|key| Some(key.strip_prefix("ACCOUNT#")?.to_owned()));
            let kind = text(&item, "sk").unwrap_or_default();
            match (kind.split('#').next().unwrap_or_default(), account) {
                ("CLAIM", None) => contents.claims += 1,
                ("OWNER", None) => owners.push(item),
                ("TICKET", None) => contents.tickets += 1,
                ("EVENT", Some(account)) => contents.events.push(Event {
                    kind: text(&item, "kind").unwrap_or_default(),
                    account,
                    at: number(&item, "at"),
                }),
                ("LINK", Some(account)) => {
                    contents.accounts.push(Account {
                        account: account.clone(),
                        flows_valid_after: instant(&item, "flows_valid_after"),
                        exempt_until: instant(&item["exemption"]["M"], "until"),
                    });
                    contents.links.extend(text(&item, "subject").map(|subject| Link {
                        account,
                        issuer: text(&item, "issuer").unwrap_or_default(),
                        subject,
                        email: text(&item, "email"),
                        linked_at: number(&item, "linked_at"),
                    }));
                }
                _ => panic!("an item that nobody knows: {item}"),
            }
        }
        contents.events.sort_by_key(|event| event.at);
        contents.agrees_with(&owners);
        contents
    }

    /// Whether there is nothing at all.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty() && self.events.is_empty() && self.claims == 0 && self.tickets == 0
    }

    /// What happened, without the details.
    pub fn history(&self) -> Vec<&str> {
        self.events.iter().map(|event| event.kind.as_str()).collect()
    }

    /// Each link has the owner that points back, and no owner points anywhere else. So an identity has at most one account, as an account has
    /// at most one identity: the keys allow one owner for each identity, and one link for each account and provider.
    fn agrees_with(&self, owners: &[Value]) {
        let owned = |owner: &Value| {
            let identity = text(owner, "pk").unwrap_or_default();
            let account = text(owner, "account_id").unwrap_or_default();
            let linked = |link: &&Link| {
                link.account == account && identity == format!("IDENTITY#{}#{}", link.issuer, link.subject)
            };
            assert_eq!(
                self.links.iter().filter(linked).count(),
                1,
                "{owner} has no link of its own in {self:?}"
            );
        };
        owners.iter().for_each(owned);
        assert_eq!(owners.len(), self.links.len(), "a link without an owner: {self:?}");
    }
}

fn text(item: &Value, attribute: &str) -> Option<String> {
    Some(item[attribute]["S"].as_str()?.to_owned())
}

fn instant(item: &Value, attribute: &str) -> Option<i64> {
    item[attribute]["N"].as_str()?.parse().ok()
}

fn number(item: &Value, attribute: &str) -> i64 {
    instant(item, attribute).unwrap_or_else(|| panic!("{attribute} is no number in {item}"))
}
