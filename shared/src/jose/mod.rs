//! JOSE: as much of RFC 7515, 7517, 7518 and 8037 as signed tokens of two kinds need, on ring's primitives.
//!
//! A token becomes claims in one way only: [`CompactJws::parse`], then [`CompactJws::verify`] with a [`KeySet`] and the
//! algorithms that its receiver allows. There is no way to read a claim of a token that was not verified, no algorithm that a
//! token could choose for itself, and no key that it could bring along.

mod algorithm;
mod compact_jws;
mod jwk;
mod key_set;
mod remote_key_set;
mod signing_key;
#[cfg(test)]
pub(crate) mod test_keys;
pub mod unique_json;

pub use algorithm::Algorithm;
pub use compact_jws::{CompactJws, JwsError, VerifiedJwt};
pub use key_set::{KeySet, KeySetError};
pub use remote_key_set::{KeySource, KeysUnavailable, RemoteKeySet};
pub use signing_key::{SigningError, SigningKey, SigningKeyError};
