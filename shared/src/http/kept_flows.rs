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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, HeaderValue, header::COOKIE};

    use super::*;
    use crate::{
        clock::SystemRandomness,
        flow::{FLOW_LIFETIME, Purpose},
        identity::ProviderId,
        ticket::Challenge,
    };

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_585_699_200);
    const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const NEWER_KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

    fn keys(text: &str) -> FlowKeys {
        FlowKeys::parse(text, "https://accounts.example").unwrap()
    }

    fn flow(age: Duration) -> Flow {
        let challenge = Challenge::of("verifier");
        let provider = ProviderId::parse("magento").unwrap();
        Flow::start(
            provider,
            Purpose::SignIn { challenge },
            NOW.minus(age),
            &SystemRandomness::default(),
        )
        .unwrap()
    }

    /// A flow that is `seconds` old, as a browser keeps it: the cookie's name, and the pair.
    fn kept(seconds: u64) -> (String, String) {
        let flow = flow(Duration::from_secs(seconds));
        let name = cookies::flow_name(&flow.state);
        let sealed = keys(KEY)
            .seal(Kind::Flow, &name, &flow, &SystemRandomness::default())
            .unwrap();
        (name.clone(), format!("{name}={sealed}"))
    }

    /// The cookies that go when a flow comes to a browser that keeps these.
    fn dropped(keys: &FlowKeys, pairs: &[&(String, String)]) -> Vec<String> {
        let pairs: Vec<&str> = pairs.iter().map(|(_, pair)| pair.as_str()).collect();
        let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(&pairs.join("; ")).unwrap())]);
        let cookies = Cookies::without_session(&headers).unwrap();
        let flow = flow(Duration::ZERO);
        let mut set_cookies = keep(keys, &cookies, &flow, NOW, &SystemRandomness::default()).unwrap();
        let name = cookies::flow_name(&flow.state);
        let kept = set_cookies.pop().unwrap();
        let sealed = kept
            .strip_prefix(&format!("{name}="))
            .and_then(|rest| rest.split(';').next())
            .unwrap();
        assert_eq!(keys.open::<Flow>(Kind::Flow, &name, sealed).unwrap().id, flow.id);
        let cleared = set_cookies.iter().map(|cookie| {
            assert!(cookie.ends_with("Max-Age=0"), "{cookie}");
            cookie.split('=').next().unwrap().to_owned()
        });
        cleared.collect()
    }

    #[test]
    fn a_new_flow_is_the_fourth_at_most_and_the_oldest_goes() {
        let (old, older, oldest, another) = (kept(1), kept(20), kept(300), kept(2));
        let keys = keys(KEY);
        assert_eq!(dropped(&keys, &[]), [""; 0]);
        assert_eq!(dropped(&keys, &[&old, &oldest, &older]), [""; 0]);
        assert_eq!(dropped(&keys, &[&old, &oldest, &older, &another]), [oldest.0.as_str()]);
    }

    #[test]
    fn a_flow_that_cannot_be_taken_up_any_more_goes_first() {
        let lifetime = FLOW_LIFETIME.as_secs();
        let (live, ending, over, foreign) = (kept(1), kept(lifetime - 1), kept(lifetime), kept(2));
        let foreign = (foreign.0.clone(), format!("{}=planted", foreign.0));
        let gone = dropped(&keys(KEY), &[&live, &over, &ending, &foreign]);
        assert_eq!(gone, [over.0.as_str(), &foreign.0]);
    }

    #[test]
    fn a_flow_under_a_key_that_is_not_known_here_yet_counts_as_the_oldest() {
        let [one, other, third, fourth] = [1, 2, 3, 4].map(kept);
        let newer = keys(NEWER_KEY);
        assert_eq!(dropped(&newer, &[&one, &other, &third]), [""; 0]);
        assert_eq!(dropped(&newer, &[&one, &other, &third, &fourth]).len(), 1);
    }
}
