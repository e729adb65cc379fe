//! The cloud accounts of the development site.

/// A cloud account.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Account {
    /// Opaque, and holding characters that a careless key or path would stumble over.
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) email: &'static str,
}

/// Everybody who can sign in.
pub(super) static ACCOUNTS: [Account; 3] = [
    Account {
        id: "acct:7QXW-2LMD#A1",
        name: "Alice Martin",
        email: "alice@example.com",
    },
    Account {
        id: "acct:M4T9-KZ0E#B2",
        name: "Bruno Keller",
        email: "bruno@example.com",
    },
    Account {
        id: "acct:0HVC-8RPS#C3",
        name: "Chloé Dubois",
        email: "chloe@example.com",
    },
];

impl Account {
    /// The account with this id.
    pub(super) fn find(id: &str) -> Option<&'static Self> {
        ACCOUNTS.iter().find(|account| account.id == id)
    }
}
