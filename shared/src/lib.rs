//! The domain of the account linking service.

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
#[cfg(feature = "relying-party")]
pub mod provider;
pub mod requirement;
pub mod seal;
pub mod secrets;
pub mod session;
#[cfg(feature = "table")]
pub mod table;
pub mod telemetry;
