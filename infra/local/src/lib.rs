//! The local stack: the whole system as one process, for development and tests. Never a dependency of a function.
//!
//! ```text
//! browser ── http://accounts.localhost:8080 ──┬─ /sso/*  gateway ── the functions ── embedded DynamoDB
//!         │                                   └─ else    development accounts site
//!         └─ http://magento.localhost:8080 ────────────  development provider
//! ```
//!
//! [`Stack::start`] takes the variables of the functions (contract section 8). For each thing it is given, it does not start its
//! own: `PROVIDERS` replaces the development provider, `AWS_ENDPOINT_URL_DYNAMODB` the embedded database, `SESSION_JWKS` or
//! `SESSION_JWKS_URL` the sessions of the accounts site. Two variables are its own: `PORT` (default 8080; 0 takes a free one)
//! and `DATA_DIR` (keeps what would else be gone at the end).

mod accounts;
mod config;
mod database;
mod functions;
mod gateway;
mod keys;
mod provider;
mod server;
mod sigv4;
mod site;
mod stack;

pub use database::DatabaseError;
pub use gateway::{Caller, ROUTES, Route};
pub use keys::KeysError;
pub use provider::ProviderCalls;
pub use stack::{Stack, StartError};
