//! The flows that one browser keeps: a new one comes, the oldest go (contract section 4).

use super::cookies::{self, Cookies};
use crate::{
    clock::{Randomness, Timestamp},
    flow::{FLOWS_PER_BROWSER, Flow},
    seal::{FlowKeys, Kind, OpenError, SealError},
};

/// The `Set-Cookie`s that leave `flow` in the browser beside those it keeps already, and no more of them than it may keep.
pub fn keep(
    keys: &FlowKeys,
    cookies: &Cookies<'_>,
    flow: &Flow,
    now: Timestamp,
    random: &dyn Randomness,
) -> Result<Vec<String>, SealError> {
    let name = cookies::flow_name(&flow.state);
    let sealed = keys.seal(Kind::Flow, &name, flow, random)?;
    let dropped = flows_to_drop(keys, cookies, now);
    let mut set_cookies: Vec<String> = dropped.into_iter().map(cookies::clear).collect();
    set_cookies.push(cookies::keep(&name, &sealed));
    Ok(set_cookies)
}

/// The flow cookies that must go for a new one to come: what cannot be taken up any more, then the oldest, until one less is left than a
/// browser may keep.
fn flows_to_drop<'a>(keys: &FlowKeys, cookies: &Cookies<'a>, now: Timestamp) -> Vec<&'a str> {
    let mut live: Vec<(Timestamp, &str)> = Vec::new();
    let mut dropped: Vec<&str> = Vec::new();
    for &(name, sealed) in cookies.flows() {
        match keys.open::<Flow>(Kind::Flow, name, sealed) {
            Ok(flow) if flow.is_live(now) => live.push((flow.started_at, name)),
            // Sealed with a key newer than ours, in another environment: usable there, its age unknown here.
            Err(OpenError::UnknownKey) => live.push((Timestamp::from_unix_ms(i64::MIN), name)),
            Ok(_) | Err(OpenError::NotAuthentic) => dropped.push(name),
        }
    }
    live.sort_unstable();
    let surplus = (live.len() + 1).saturating_sub(FLOWS_PER_BROWSER);
    dropped.extend(live.drain(..surplus).map(|(_, name)| name));
    dropped
}
