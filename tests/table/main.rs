//! The table against real engines: every rule of the contract's section 7, on the embedded engine and on AWS's DynamoDB Local alike.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod claim;
mod commit;
mod event;
mod exemption;
mod failure;
mod keys;
mod provision;
mod race;
mod switch;
mod ticket;
mod unlink;
mod world;
