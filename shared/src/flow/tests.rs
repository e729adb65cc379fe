use super::*;
use crate::{
    clock::SystemRandomness,
    http::cookies,
    seal::{FlowKeys, Kind},
};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_585_000_000);

fn account() -> AccountId {
    AccountId::parse("a".repeat(128)).unwrap()
}

fn binding() -> SessionBinding {
    SessionBinding::of(&account(), &SessionId::parse("s".repeat(128)).unwrap())
}

fn flow() -> Flow {
    let purpose = Purpose::Link {
        session: binding(),
        replace: true,
        return_to: ReturnTarget::Onboarding,
    };
    Flow::start(
        ProviderId::parse("p".repeat(32)).unwrap(),
        purpose,
        NOW,
        &SystemRandomness::default(),
    )
    .unwrap()
}

fn longest_identity() -> VerifiedIdentity {
    VerifiedIdentity {
        identity: Identity {
            issuer: Issuer::parse(format!("https://{}", "i".repeat(247))).unwrap(),
            subject: Subject::parse("\"".repeat(255)).unwrap(),
        },
        email: EmailAddress::parse(&format!("{}@{}", "é".repeat(100), "d".repeat(53))),
        email_verified: true,
        provider_session: None,
        auth_time: None,
        acr: None,
        amr: Vec::new(),
    }
}

fn pending() -> PendingLink {
    let attempt = flow().attempt(account(), binding(), longest_identity());
    PendingLink::park(
        attempt,
        true,
        true,
        ReturnTarget::Onboarding,
        NOW,
        &SystemRandomness::default(),
    )
    .unwrap()
}

#[test]
fn a_cookie_has_at_most_1024_bytes_however_long_the_names_in_it() {
    let keys = FlowKeys::parse(
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "https://accounts.example",
    )
    .unwrap();
    let random = SystemRandomness::default();
    let (flow, pending) = (flow(), pending());
    assert_eq!(pending.email.as_ref().unwrap().reveal().len(), 254);
    let name = cookies::flow_name(&flow.state);
    let flow = cookies::keep(&name, &keys.seal(Kind::Flow, &name, &flow, &random).unwrap());
    let name = cookies::PENDING_LINK;
    let pending = cookies::keep(name, &keys.seal(Kind::PendingLink, name, &pending, &random).unwrap());
    assert!(flow.len() <= 1024, "{}", flow.len());
    assert!(pending.len() <= 1024, "{}", pending.len());
}

#[test]
fn a_flow_lives_ten_minutes_and_not_before_it_began() {
    let flow = flow();
    assert!(flow.is_live(NOW));
    assert!(flow.is_live(NOW.plus(FLOW_LIFETIME).minus(Duration::from_millis(1))));
    assert!(!flow.is_live(NOW.plus(FLOW_LIFETIME)));
    assert!(!flow.is_live(NOW.minus(Duration::from_millis(1))));
}

#[test]
fn a_pending_link_lives_ten_minutes() {
    let pending = pending();
    assert!(pending.is_live(NOW.plus(PENDING_LIFETIME).minus(Duration::from_millis(1))));
    assert!(!pending.is_live(NOW.plus(PENDING_LIFETIME)));
}

#[test]
fn a_pending_link_is_of_the_issuer_that_earned_it() {
    let (pending, identity) = (pending(), longest_identity().identity);
    assert_eq!(pending.identity(&identity.issuer), Some(identity.clone()));
    assert_eq!(pending.identity(&Issuer::parse("https://other.example").unwrap()), None);
}

#[test]
fn the_secrets_of_a_flow_are_256_bits_each_and_its_own() {
    let (one, other) = (flow(), flow());
    let secrets = [
        &one.state,
        &one.nonce,
        &one.code_verifier,
        &other.state,
        &other.nonce,
        &other.code_verifier,
    ];
    let mut revealed: Vec<String> = secrets.iter().map(|secret| secret.reveal()).collect();
    assert!(
        revealed
            .iter()
            .all(|secret| URL_SAFE_NO_PAD.decode(secret).unwrap().len() == 32)
    );
    revealed.sort();
    revealed.dedup();
    assert_eq!(revealed.len(), 6);
    assert!(!one.state.reveal().contains(&one.id.to_string()));
}

#[test]
fn a_secret_matches_itself_alone_and_does_not_print() {
    let flow = flow();
    let state = flow.state.reveal();
    assert!(flow.state.matches(&state));
    for other in [
        "",
        &state[..42],
        &format!("{state}A"),
        &state.to_ascii_uppercase(),
        &flow.nonce.reveal(),
    ] {
        assert!(!flow.state.matches(other));
    }
    // Twice the same difference: as sums they would cancel out.
    let zeros = FlowSecret([0; 32]);
    assert!(zeros.matches(&"A".repeat(43)));
    assert!(!zeros.matches(&format!("BB{}", "A".repeat(41))));
    assert_eq!(format!("{:?}", flow.state), "FlowSecret(…)");
}

#[test]
fn a_session_binding_tells_account_and_session_apart() {
    let binding = |account: &str, session: &str| {
        SessionBinding::of(&AccountId::parse(account).unwrap(), &SessionId::parse(session).unwrap())
    };
    assert_eq!(binding("ab", "c"), binding("ab", "c"));
    assert_ne!(binding("ab", "c"), binding("a", "bc"));
    assert_ne!(binding("ab", "c"), binding("ab", "d"));
    assert_ne!(binding("ab", "c"), binding("c", "ab"));
}

#[test]
fn a_session_binding_is_read_as_it_is_written() {
    let text = binding().to_string();
    assert_eq!(text.len(), 43);
    assert_eq!(SessionBinding::parse(&text), Some(binding()));
    assert_eq!(format!("{:?}", binding()), format!("SessionBinding({text})"));
    for other in ["", &text[..42], &format!("{text}A"), &format!("{text}="), "!"] {
        assert_eq!(SessionBinding::parse(other), None, "{other}");
    }
}

#[test]
fn a_confirmation_is_128_bits_as_text_and_its_own() {
    let (one, other) = (pending(), pending());
    assert_eq!(URL_SAFE_NO_PAD.decode(one.confirmation()).unwrap(), one.confirmation);
    assert_ne!(one.confirmation(), other.confirmation());
}

#[test]
fn a_return_target_is_one_of_two_ids() {
    assert_eq!(ReturnTarget::parse("settings"), Some(ReturnTarget::Settings));
    assert_eq!(ReturnTarget::parse("onboarding"), Some(ReturnTarget::Onboarding));
    for text in [
        "",
        "Settings",
        "https://evil.example",
        "/user",
        "//evil.example",
        "settings ",
    ] {
        assert_eq!(ReturnTarget::parse(text), None, "{text}");
    }
}
