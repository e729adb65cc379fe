//! The same status and callback as people would otherwise write them, in `peers/`: Node and Python.

use account_linking::{
    clock::{Randomness, random_bytes},
    flow::Flow,
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde_json::json;

use crate::world::FLOW_KEYS;

/// `flow` as the peers seal it: AES-256-GCM over JSON, bound to the cookie's name.
pub(crate) fn seal(
    flow: &Flow,
    name: &str,
    account: &str,
    session: &str,
    random: &dyn Randomness,
) -> Result<String, Box<dyn std::error::Error>> {
    let content = json!({
        "id": flow.id.to_string(), "state": flow.state.reveal(), "nonce": flow.nonce.reveal(),
        "code_verifier": flow.code_verifier.reveal(), "provider": flow.provider.as_str(),
        "started_at": flow.started_at.unix_ms(), "account": account, "session": session,
    });
    let key = UnboundKey::new(&AES_256_GCM, &STANDARD.decode(FLOW_KEYS)?).map_err(|_| "a key of 32 bytes")?;
    let nonce: [u8; NONCE_LEN] = random_bytes(random)?;
    let mut sealed = content.to_string().into_bytes();
    LessSafeKey::new(key)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(name), &mut sealed)
        .map_err(|_| "a short value can be sealed")?;
    Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
}
