//! Tables of hostile input over the whole path: one row per case, what is answered, what is written, whom it costs a call.
//!
//! Each row begins with what is good and changes one thing. A row is named after the module of the `OpenID` conformance suite that does the
//! same, where there is one, or begins with the number of the threat in `docs/threat-model.md` that it is the proof for.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod authorization_response;
mod cookies;
mod discovery;
mod faults;
mod forms;
mod id_token;
mod key_sets;
mod provider_answers;
mod session_tokens;
