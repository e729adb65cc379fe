#![doc = include_str!("../README.md")]

pub mod additional_roots;
pub mod aws;
pub mod cached;
pub mod clock;
pub mod config;
pub mod flow;
pub mod flow_keys;
pub mod http;
pub mod identity;
pub mod jose;
#[cfg(feature = "lambda")]
pub mod lambda;
pub mod link;
pub mod outbound;
#[cfg(test)]
mod properties;
#[cfg(feature = "relying-party")]
pub mod provider;
pub mod requirement;
pub mod seal;
pub mod secrets;
pub mod session;
#[cfg(feature = "table")]
pub mod table;
pub mod telemetry;
pub mod ticket;
