//! The domain of the account linking service.

pub mod aws;
pub mod clock;
pub mod flow;
pub mod http;
pub mod identity;
pub mod jose;
pub mod link;
pub mod outbound;
#[cfg(feature = "relying-party")]
pub mod provider;
pub mod seal;
pub mod session;
#[cfg(feature = "table")]
pub mod table;
