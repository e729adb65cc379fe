use serde_json::json;

use super::*;
use crate::jose::{
    SigningKey,
    test_keys::{ed25519, p256, published, rsa, rsa_4096, rsa_pss, set_of},
};

fn accept(token: &str, keys: &KeySet) -> Result<VerifiedJwt, JwsError> {
    CompactJws::parse(token)?.verify(keys, &Algorithm::ALL)
}

/// What the refusal says: two refusals are the same when they say the same.
fn refusal(token: &str, keys: &KeySet) -> String {
    accept(token, keys).map(drop).unwrap_err().to_string()
}

/// A token by `key` with this header, and its key's set.
fn signed(header: &str) -> (String, KeySet) {
    let key = p256();
    (
        key.sign_compact(header, r#"{"sub":"maria"}"#).unwrap(),
        published(&[&key]),
    )
}

#[test]
fn every_algorithm_verifies_what_it_signed() {
    for key in [rsa(), rsa_pss(), rsa_4096(), p256(), ed25519()] {
        let token = key.sign_jwt(&json!({ "sub": "maria" })).unwrap();
        let jwt = accept(&token, &published(&[&key])).unwrap();
        assert_eq!((jwt.text("sub"), jwt.typ()), (Some("maria"), Some("JWT")), "{key:?}");
    }
}

#[test]
fn signatures_made_by_others_verify() {
    // RFC 7515 appendix A.3.
    let es256 = set_of([json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })]);
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
                 DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    assert_eq!(accept(token, &es256).unwrap().text("iss"), Some("joe"));

    // `openssl dgst -sha256 -sign … -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32`.
    let token = "eyJhbGciOiJQUzI1NiIsImtpZCI6InJzYS0xIn0.eyJpc3MiOiJqb2UifQ.\
                 IUWpbAF-F9cNbbyyrKpRI_CXV1MnpyED-7PldsjWYAExp8miD19fIH8FNXp8_P85RpK-duODpvKBWNSnt_lYXALK1VqmfVG01D80ao-ICPB7qonK\
                 0ZxctD7hP4aOncdJdHnd4H9MFxTvxCtJVxneMyiD6xJU4qBx-gtDe-346hZaS1zFuxgnLeHyUwDn5nUMzS64zTW03sjtWLbuXr6kl6hJ4k6J_m6Y\
                 FBPL6pjLu1yYW5DY6AkezN2ezr38W20yWwHfUK_9ASnncHINX81K9cHir06ZdH_iVxBTX4TB4i-jAD0mUusxQrl7AItPgqQuVNbsfOOMFlen7ZSe\
                 2jFFZQ";
    assert_eq!(
        accept(token, &published(&[&rsa_pss()])).unwrap().text("iss"),
        Some("joe")
    );

    // RFC 8037 appendix A.4, whose payload is no JSON: reaching it is what counts.
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
                 hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert!(matches!(
        accept(token, &published(&[&ed25519()])),
        Err(JwsError::Claims(_))
    ));
}

#[test]
fn a_header_says_nothing_but_what_is_supported() {
    let rows = [
        (r#"{"alg":"ES256"}"#, None),
        (r#"{"alg":"ES256","kid":"p256-1","typ":"JWT"}"#, None),
        (r#"{"alg":"ES256","x-unknown":{"a":1}}"#, None),
        (
            r#"{"alg":"ES256","jku":"https://evil.example","x5u":"https://evil.example","x5c":["AA"]}"#,
            None,
        ),
        (r#"{"typ":"JWT"}"#, Some(JwsError::HeaderParameter("alg"))),
        (r#"{"alg":256}"#, Some(JwsError::HeaderParameter("alg"))),
        (r#"{"alg":["ES256"]}"#, Some(JwsError::HeaderParameter("alg"))),
        (r#"{"alg":null}"#, Some(JwsError::HeaderParameter("alg"))),
        (r#"{"alg":""}"#, Some(JwsError::AlgorithmNotAllowed)),
        (r#"{"alg":"none"}"#, Some(JwsError::AlgorithmNotAllowed)),
        (r#"{"alg":"nOnE"}"#, Some(JwsError::AlgorithmNotAllowed)),
        (r#"{"alg":"HS256"}"#, Some(JwsError::AlgorithmNotAllowed)),
        (r#"{"alg":"RS512"}"#, Some(JwsError::AlgorithmNotAllowed)),
        (r#"{"alg":"ES256K"}"#, Some(JwsError::AlgorithmNotAllowed)),
        (r#"{"alg":"ES256","kid":1}"#, Some(JwsError::HeaderParameter("kid"))),
        (r#"{"alg":"ES256","kid":null}"#, Some(JwsError::HeaderParameter("kid"))),
        (
            r#"{"alg":"ES256","typ":["JWT"]}"#,
            Some(JwsError::HeaderParameter("typ")),
        ),
        (
            r#"{"alg":"ES256","crit":["exp"],"exp":1}"#,
            Some(JwsError::HeaderParameter("crit")),
        ),
        (r#"{"alg":"ES256","crit":[]}"#, Some(JwsError::HeaderParameter("crit"))),
        (
            r#"{"alg":"ES256","crit":null}"#,
            Some(JwsError::HeaderParameter("crit")),
        ),
        (r#"{"alg":"ES256","b64":false}"#, Some(JwsError::HeaderParameter("b64"))),
        (r#"{"alg":"ES256","cty":"JWT"}"#, Some(JwsError::HeaderParameter("cty"))),
        (
            r#"{"alg":"ES256","enc":"A128GCM"}"#,
            Some(JwsError::HeaderParameter("enc")),
        ),
    ];
    for (header, expected) in rows {
        let (token, keys) = signed(header);
        let outcome = accept(&token, &keys).err().map(|error| error.to_string());
        assert_eq!(outcome, expected.map(|error| error.to_string()), "{header}");
    }
    for header in [
        r#"{"alg":"ES256","alg":"ES256"}"#,
        r#"["ES256"]"#,
        r#""ES256""#,
        "",
        "{",
        "{}{}",
    ] {
        let (token, keys) = signed(header);
        assert!(matches!(accept(&token, &keys), Err(JwsError::Header(_))), "{header}");
    }
}

#[test]
fn an_algorithm_that_the_receiver_does_not_allow_is_refused_whatever_the_keys() {
    let key = rsa_pss();
    let token = key.sign_jwt(&json!({})).unwrap();
    let verify = |allowed: &[Algorithm]| CompactJws::parse(&token).unwrap().verify(&published(&[&key]), allowed);
    assert!(verify(&[Algorithm::Ps256]).is_ok());
    assert!(matches!(
        verify(&[Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa]),
        Err(JwsError::AlgorithmNotAllowed)
    ));
    assert!(matches!(verify(&[]), Err(JwsError::AlgorithmNotAllowed)));
}

#[test]
fn a_token_cannot_bring_its_key_along() {
    let (ours, theirs) = (p256(), p256());
    let header = json!({ "alg": "ES256", "jwk": theirs.public_jwk(), "jku": "https://evil.example/keys" });
    let token = theirs.sign_compact(&header.to_string(), "{}").unwrap();
    assert_eq!(refusal(&token, &published(&[&ours])), JwsError::Signature.to_string());
}

#[test]
fn the_compact_serialization_is_read_strictly() {
    let key = ed25519();
    let keys = published(&[&key]);
    let token = key.sign_jwt(&json!({ "sub": "maria" })).unwrap();
    assert!(accept(&token, &keys).is_ok());

    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        panic!("three parts")
    };
    let rows = [
        String::new(),
        ".".to_owned(),
        header.to_owned(),
        format!("{header}.{payload}"),
        format!("{token}.{signature}"),
        format!("{header}.{payload}..{signature}"),
        format!("{header}.{payload}.{payload}.{payload}.{signature}"),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}.{signature}=="),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{header}.{payload}\n.{signature}"),
        format!(
            "{header}.{payload}.{}",
            signature.replacen(|c: char| c.is_ascii_alphanumeric(), "+", 1)
        ),
        format!("{header}.{payload}.é{signature}"),
    ];
    for token in rows {
        assert_eq!(refusal(&token, &keys), JwsError::NotCompact.to_string(), "{token:?}");
    }
}

#[test]
fn a_signature_has_one_form() {
    // 64 bytes leave four bits in the last character: other values of them are other texts of the same bytes.
    let key = ed25519();
    let token = key.sign_jwt(&json!({})).unwrap();
    let (rest, last) = token.split_at(token.len() - 1);
    assert!("AQgw".contains(last));
    for other in "BCDRSThijxyz".chars() {
        let token = format!("{rest}{other}");
        assert_eq!(
            refusal(&token, &published(&[&key])),
            JwsError::NotCompact.to_string(),
            "{other}"
        );
    }
}

#[test]
fn a_token_longer_than_any_answer_is_not_decoded() {
    let key = ed25519();
    let token = |filler: usize| key.sign_jwt(&json!({ "filler": "x".repeat(filler) })).unwrap();
    assert!(accept(&token(48_000), &published(&[&key])).is_ok());
    assert_eq!(
        refusal(&token(50_000), &published(&[&key])),
        JwsError::TooLong.to_string()
    );
    assert_eq!(
        refusal(&".".repeat(1_000_000), &published(&[&key])),
        JwsError::TooLong.to_string()
    );
}

#[test]
fn a_wrong_signature_is_refused_for_every_algorithm() {
    for key in [rsa(), rsa_pss(), p256(), ed25519()] {
        let keys = published(&[&key]);
        let token = key.sign_jwt(&json!({ "sub": "maria" })).unwrap();
        let other = key.sign_jwt(&json!({ "sub": "mario" })).unwrap();
        let (signing_input, signature) = token.rsplit_once('.').unwrap();
        let (other_input, _) = other.rsplit_once('.').unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();

        let mut hostile = vec![
            vec![],
            vec![0; bytes.len()],
            bytes[1..].to_vec(),
            [&[0], &bytes[..]].concat(),
            [&bytes[..], &[0]].concat(),
        ];
        for position in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut flipped = bytes.clone();
            flipped[position] ^= 1;
            hostile.push(flipped);
        }
        for signature in hostile {
            let token = format!("{signing_input}.{}", URL_SAFE_NO_PAD.encode(signature));
            assert_eq!(refusal(&token, &keys), JwsError::Signature.to_string(), "{key:?}");
        }
        assert_eq!(
            refusal(&format!("{other_input}.{signature}"), &keys),
            JwsError::Signature.to_string(),
            "{key:?}"
        );
    }
}

#[test]
fn an_es256_signature_in_der_is_refused() {
    let key = p256();
    let token = key.sign_jwt(&json!({})).unwrap();
    let (signing_input, signature) = token.rsplit_once('.').unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let integer = |half: &[u8]| {
        let first = half.iter().position(|byte| *byte != 0).unwrap();
        let padding: &[u8] = if half[first] < 0x80 { &[] } else { &[0] };
        let digits = [padding, &half[first..]].concat();
        [&[2, u8::try_from(digits.len()).unwrap()], &digits[..]].concat()
    };
    let body = [integer(&bytes[..32]), integer(&bytes[32..])].concat();
    let der = [&[0x30, u8::try_from(body.len()).unwrap()], &body[..]].concat();
    let token = format!("{signing_input}.{}", URL_SAFE_NO_PAD.encode(der));
    assert_eq!(refusal(&token, &published(&[&key])), JwsError::Signature.to_string());
}

/// `key`'s public half under another name, or under none, for any algorithm of its kind.
fn renamed(key: &SigningKey, key_id: Option<&str>) -> Value {
    let mut jwk = key.public_jwk();
    jwk.as_object_mut()
        .unwrap()
        .retain(|name, _| name != "kid" && name != "alg");
    if let Some(key_id) = key_id {
        jwk["kid"] = key_id.into();
    }
    jwk
}

/// What, the token's `kid`, the set, and the refusal if any.
type SelectionRow = (&'static str, Option<&'static str>, Vec<Value>, Option<JwsError>);

#[test]
fn the_key_is_picked_by_name_type_and_algorithm() {
    let (key, other, decoy) = (p256(), p256(), rsa());
    let token = |key_id: Option<&str>| {
        let header = key_id.map_or(
            json!({ "alg": "ES256" }),
            |key_id| json!({ "alg": "ES256", "kid": key_id }),
        );
        key.sign_compact(&header.to_string(), "{}").unwrap()
    };
    let named = |key: &SigningKey, key_id: &str| renamed(key, Some(key_id));
    let for_encryption = || {
        let mut jwk = named(&other, "a");
        jwk["use"] = "enc".into();
        jwk
    };
    let rows: Vec<SelectionRow> = vec![
        ("named", Some("a"), vec![named(&other, "b"), named(&key, "a")], None),
        (
            "decoys of other types",
            Some("a"),
            vec![named(&decoy, "a"), named(&ed25519(), "a"), named(&key, "a")],
            None,
        ),
        (
            "a namesake of its type",
            Some("a"),
            vec![named(&other, "a"), named(&key, "a")],
            None,
        ),
        (
            "a namesake for encryption",
            Some("a"),
            vec![for_encryption(), named(&key, "a")],
            None,
        ),
        ("no name, one key", None, vec![named(&key, "a")], None),
        ("no name, one nameless key", None, vec![renamed(&key, None)], None),
        (
            "no name, one key that fits",
            None,
            vec![named(&decoy, "a"), named(&key, "b"), named(&ed25519(), "c")],
            None,
        ),
        (
            "no name, several fit",
            None,
            vec![named(&key, "a"), named(&other, "b")],
            Some(JwsError::AmbiguousKey),
        ),
        (
            "no name, none fits",
            None,
            vec![named(&decoy, "a")],
            Some(JwsError::UnknownKey),
        ),
        (
            "unknown name",
            Some("c"),
            vec![named(&key, "a"), named(&other, "b")],
            Some(JwsError::UnknownKey),
        ),
        (
            "the only key has another name",
            Some("c"),
            vec![named(&key, "a")],
            Some(JwsError::UnknownKey),
        ),
        (
            "the only key has no name",
            Some("c"),
            vec![renamed(&key, None)],
            Some(JwsError::UnknownKey),
        ),
        (
            "names are not folded",
            Some("A"),
            vec![named(&key, "a")],
            Some(JwsError::UnknownKey),
        ),
        (
            "a namesake of another type",
            Some("a"),
            vec![named(&decoy, "a")],
            Some(JwsError::UnknownKey),
        ),
        (
            "named another",
            Some("b"),
            vec![named(&key, "a"), named(&other, "b")],
            Some(JwsError::Signature),
        ),
    ];
    for (what, key_id, jwks, expected) in rows {
        let outcome = accept(&token(key_id), &set_of(jwks))
            .err()
            .map(|error| error.to_string());
        assert_eq!(outcome, expected.map(|error| error.to_string()), "{what}");
    }
}

#[test]
fn a_key_for_one_algorithm_verifies_no_other() {
    let (pkcs1, pss) = (rsa(), rsa_pss());
    let token = pkcs1.sign_jwt(&json!({})).unwrap();
    assert!(accept(&token, &published(&[&pkcs1])).is_ok());
    assert_eq!(refusal(&token, &published(&[&pss])), JwsError::UnknownKey.to_string());
}

#[test]
fn claims_are_one_object_without_repeated_members() {
    let key = p256();
    let keys = published(&[&key]);
    let token = |payload: &str| key.sign_compact(r#"{"alg":"ES256"}"#, payload).unwrap();
    assert!(accept(&token(r#"{"sub":"a","iss":"b"}"#), &keys).is_ok());
    for payload in [
        r#"{"sub":"a","sub":"b"}"#,
        r#"{"a":[{"b":1,"b":1}]}"#,
        "",
        "[]",
        "null",
        "{}x",
        "\u{FEFF}{}",
        &"[".repeat(5000),
    ] {
        assert!(
            matches!(accept(&token(payload), &keys), Err(JwsError::Claims(_))),
            "{payload:.30}"
        );
    }
}

#[test]
fn dates_are_whole_numbers_of_seconds() {
    let key = p256();
    let date = |value: &str| {
        let token = key
            .sign_compact(r#"{"alg":"ES256"}"#, &format!(r#"{{"exp":{value}}}"#))
            .unwrap();
        accept(&token, &published(&[&key])).unwrap().date("exp")
    };
    assert_eq!(date("1585000000"), Some(Timestamp::from_unix_seconds(1_585_000_000)));
    assert_eq!(date("0"), Some(Timestamp::from_unix_seconds(0)));
    assert_eq!(date("-1"), Some(Timestamp::from_unix_seconds(-1)));
    for value in [
        "\"1585000000\"",
        "1585000000.0",
        "1585000000.5",
        "1e9",
        "1e300",
        "18446744073709551615",
        "null",
        "true",
        "[1]",
        "{}",
    ] {
        assert_eq!(date(value), None, "{value}");
    }
}
