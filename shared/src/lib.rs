//! The domain of the account linking service.

pub mod clock;
pub mod flow;
pub mod identity;
pub mod link;
#[cfg(feature = "relying-party")]
pub mod provider;
pub mod jose;
pub mod outbound;
#[cfg(feature = "table")]
pub mod table;
