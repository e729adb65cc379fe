use super::*;
use crate::{
    clock::SystemRandomness,
    properties::{Seeded, for_all, unicode, visible_ascii},
};

const OLD: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const NEW: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const HERE: &str = "https://accounts.example";

fn keys(text: &str) -> FlowKeys {
    FlowKeys::parse(text, HERE).unwrap()
}

fn sealed(keys: &FlowKeys) -> String {
    keys.seal(
        Kind::Flow,
        "__Host-a",
        &"value".to_owned(),
        &SystemRandomness::default(),
    )
    .unwrap()
}

fn opened(keys: &FlowKeys, sealed: &str) -> Result<String, OpenError> {
    keys.open(Kind::Flow, "__Host-a", sealed)
}

#[test]
fn a_value_opens_as_what_it_was_sealed() {
    assert_eq!(opened(&keys(NEW), &sealed(&keys(NEW))).unwrap(), "value");
}

#[test]
fn a_value_opens_neither_under_another_name_nor_as_another_kind_nor_elsewhere() {
    let (keys, elsewhere) = (keys(NEW), FlowKeys::parse(NEW, "https://staging.example").unwrap());
    let sealed = sealed(&keys);
    assert_eq!(
        keys.open::<String>(Kind::Flow, "__Host-b", &sealed),
        Err(OpenError::NotAuthentic)
    );
    assert_eq!(
        keys.open::<String>(Kind::PendingLink, "__Host-a", &sealed),
        Err(OpenError::NotAuthentic)
    );
    assert_eq!(opened(&elsewhere, &sealed), Err(OpenError::NotAuthentic));
}

#[test]
fn a_value_changed_anywhere_does_not_open() {
    let keys = keys(NEW);
    let sealed = sealed(&keys);
    for position in 0..sealed.len() {
        let mut changed = sealed.clone().into_bytes();
        changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
        assert!(
            opened(&keys, std::str::from_utf8(&changed).unwrap()).is_err(),
            "position {position}"
        );
    }
    for length in 0..sealed.len() {
        assert!(opened(&keys, &sealed[..length]).is_err(), "length {length}");
    }
    assert_eq!(opened(&keys, &format!("{sealed}=")), Err(OpenError::NotAuthentic));
    assert_eq!(opened(&keys, &"A".repeat(1025)), Err(OpenError::NotAuthentic));
}

#[test]
fn a_value_longer_than_a_cookie_may_be_does_not_open_and_the_longest_does() {
    let (keys, random) = (keys(NEW), SystemRandomness::default());
    // 1024 characters are 768 bytes, of which 32 are id, nonce and tag, and two the text's own length.
    for (length, opens) in [(734, true), (735, false)] {
        let sealed = keys.seal(Kind::Flow, "__Host-a", &"v".repeat(length), &random).unwrap();
        assert_eq!(opened(&keys, &sealed).is_ok(), opens, "{}", sealed.len());
    }
}

#[test]
fn after_a_rotation_old_values_still_open_and_new_ones_use_the_new_key() {
    let (before, during, after) = (keys(OLD), keys(&format!("{NEW}, {OLD}")), keys(NEW));
    assert_eq!(opened(&during, &sealed(&before)).unwrap(), "value");
    assert_eq!(opened(&after, &sealed(&during)).unwrap(), "value");
    assert_eq!(opened(&before, &sealed(&during)), Err(OpenError::UnknownKey));
    assert_eq!(opened(&after, &sealed(&before)), Err(OpenError::UnknownKey));
}

#[test]
fn two_sealings_of_one_value_differ() {
    let keys = keys(NEW);
    assert_ne!(sealed(&keys), sealed(&keys));
}

#[test]
fn keys_that_are_none_are_refused() {
    for (text, expected) in [
        ("", FlowKeysError::None),
        (" ", FlowKeysError::None),
        ("short", FlowKeysError::NotAKey),
        ("AAAA", FlowKeysError::NotAKey),
        (&format!("{NEW},"), FlowKeysError::NotAKey),
        (&NEW.replace('=', ""), FlowKeysError::NotAKey),
        (&format!("{NEW},{NEW}"), FlowKeysError::Repeated),
    ] {
        assert_eq!(FlowKeys::parse(text, HERE).unwrap_err(), expected, "{text}");
    }
}

#[test]
fn keys_do_not_print() {
    assert_eq!(format!("{:?}", keys(NEW)), "FlowKeys(1 keys)");
}

/// Keys as [`FlowKeys::parse`] reads them, no two the same.
fn any_keys(rng: &mut fastrand::Rng) -> Vec<String> {
    (0..rng.u8(1..5))
        .map(|position| {
            let mut key = [position; 32];
            rng.fill(&mut key[1..]);
            STANDARD.encode(key)
        })
        .collect()
}

fn any_kind(rng: &mut fastrand::Rng) -> Kind {
    *rng.choice([Kind::Flow, Kind::PendingLink].iter()).unwrap()
}

/// As many bytes as fit into [`MAX_SEALED_LEN`], or fewer, and a text.
fn any_payload(rng: &mut fastrand::Rng) -> (Vec<u8>, String) {
    let text = unicode(rng, 50);
    let mut bytes = vec![0; rng.usize(..=MAX_SEALED_LEN / 4 * 3 - KEY_ID_LEN - NONCE_LEN - 16 - 4 - text.len())];
    rng.fill(&mut bytes);
    (bytes, text)
}

#[test]
fn whatever_is_sealed_opens_as_long_as_its_key_is_kept() {
    for_all(|rng| {
        let (mut list, kind, payload) = (any_keys(rng), any_kind(rng), any_payload(rng));
        let (name, origin) = (visible_ascii(rng, 40), visible_ascii(rng, 60));
        let parse = |list: &[String]| FlowKeys::parse(&list.join(","), &origin).unwrap();
        let sealed = parse(&list).seal(kind, &name, &payload, &Seeded::by(rng)).unwrap();
        assert!(sealed.len() <= MAX_SEALED_LEN);
        let opened = |list: &[String]| parse(list).open::<(Vec<u8>, String)>(kind, &name, &sealed);
        assert_eq!(opened(&list), Ok(payload.clone()));
        // Newer keys come, the older go, whatever their order.
        let sealing = list[0].clone();
        list.extend(any_keys(rng).into_iter().filter(|_| rng.bool()));
        rng.shuffle(&mut list);
        assert_eq!(opened(&list), Ok(payload));
        list.retain(|key| *key != sealing);
        if !list.is_empty() {
            assert_eq!(opened(&list), Err(OpenError::UnknownKey));
        }
    });
}

#[test]
fn whatever_is_changed_or_taken_for_something_else_never_opens() {
    for_all(|rng| {
        let (list, kind, payload) = (any_keys(rng), any_kind(rng), any_payload(rng));
        let (name, origin) = (visible_ascii(rng, 40), visible_ascii(rng, 60));
        let parse = |origin: &str| FlowKeys::parse(&list.join(","), origin).unwrap();
        let sealed = parse(&origin).seal(kind, &name, &payload, &Seeded::by(rng)).unwrap();
        let opened = |origin: &str, kind, name: &str, sealed: &str| {
            parse(origin).open::<(Vec<u8>, String)>(kind, name, sealed).is_ok()
        };
        assert!(opened(&origin, kind, &name, &sealed));

        let other_kind = if kind == Kind::Flow {
            Kind::PendingLink
        } else {
            Kind::Flow
        };
        assert!(!opened(&origin, other_kind, &name, &sealed));
        let (other_name, other_origin) = (visible_ascii(rng, 40), visible_ascii(rng, 60));
        assert!(other_name == name || !opened(&origin, kind, &other_name, &sealed));
        assert!(other_origin == origin || !opened(&other_origin, kind, &name, &sealed));

        // The same letters in the same order, divided elsewhere.
        let (longer_origin, shorter_name) = (format!("{origin}{}", &name[..1]), &name[1..]);
        assert!(!opened(&longer_origin, kind, shorter_name, &sealed));

        let mut bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        let position = rng.usize(..bytes.len());
        bytes[position] ^= rng.u8(1..);
        assert!(
            !opened(&origin, kind, &name, &URL_SAFE_NO_PAD.encode(&bytes)),
            "byte {position}"
        );
        let mut text = sealed.clone().into_bytes();
        let position = rng.usize(..text.len());
        text[position] ^= rng.u8(1..0x80);
        assert!(
            !opened(&origin, kind, &name, str::from_utf8(&text).unwrap()),
            "character {position}"
        );
        assert!(!opened(&origin, kind, &name, &sealed[..rng.usize(..sealed.len())]));
        assert!(!opened(&origin, kind, &name, &(sealed + &visible_ascii(rng, 4))));
    });
}
