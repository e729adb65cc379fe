//! What the tests stand on: browsers, engines, providers, and the stack made of them.
//!
//! A test names its actors (`alice`, `mallory`), lets each use a [`browser::Browser`], and asks the stack what came of it.
#![expect(clippy::missing_panics_doc, reason = "a harness that cannot go on fails its test")]
#![expect(clippy::expect_used, reason = "a harness that cannot go on fails its test")]
#![expect(
    clippy::must_use_candidate,
    reason = "an actor may do a thing without looking at what comes of it"
)]

pub mod browser;
pub mod contents;
pub mod database_proxy;
pub mod deployed;
pub mod documents;
pub mod engines;
pub mod front;
pub mod hostile_provider;
pub mod hostile_world;
pub mod iam;
pub mod lambda;
pub mod magento;
pub mod oidc_provider;
pub mod sessions;
pub mod stack;
