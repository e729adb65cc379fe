//! Bad input at every route: the refusal that the contract names, and nothing else.
//!
//! Each test begins with a request that is good and changes one thing.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod account_policy;
mod callback;
mod confirm;
mod every_route;
mod redeem_ticket;
mod session;
mod sign_in;
mod start_link;
mod status;
mod unlink;
mod world;
