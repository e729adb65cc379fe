//! ID tokens: what is said, who signs it, and what is believed of it.

use account_linking::ticket::Challenge;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use harness::{
    hostile_provider::{Endpoints, IdToken, Keys, Signer},
    hostile_world::{HostileWorld, Outcome, Verdict},
};
use serde_json::{Value, json};

struct Row {
    name: &'static str,
    change: fn(&mut IdToken, &Keys),
    answer: &'static str,
    /// How often the keys are fetched once more.
    refetches: u64,
}

const fn accepted(name: &'static str, change: fn(&mut IdToken, &Keys)) -> Row {
    Row {
        name,
        change,
        answer: "linked",
        refetches: 0,
    }
}

/// Believed as far as the identity goes, but not without asking the user.
const fn asked(name: &'static str, change: fn(&mut IdToken, &Keys)) -> Row {
    Row {
        name,
        change,
        answer: "confirm",
        refetches: 0,
    }
}

const fn refused(name: &'static str, change: fn(&mut IdToken, &Keys)) -> Row {
    Row {
        name,
        change,
        answer: "identity_invalid",
        refetches: 0,
    }
}

/// Refused, after the keys were fetched once more: a newer key might have turned it.
const fn refused_after_a_refetch(name: &'static str, change: fn(&mut IdToken, &Keys)) -> Row {
    Row {
        name,
        change,
        answer: "identity_invalid",
        refetches: 1,
    }
}

const DAY: i64 = 24 * 60 * 60;

const ACCEPTED: &[Row] = &[
    accepted("oidcc-client-test", |_, _| {}),
    accepted("oidcc-client-test-idtoken-sig-rs256", |token, keys| {
        token.signed_by(keys, Signer::Rsa);
    }),
    accepted("a token signed by PS256", |token, keys| {
        token.signed_by(keys, Signer::RsaPss);
    }),
    accepted("a token signed by EdDSA", |token, keys| {
        token.signed_by(keys, Signer::Ed25519);
    }),
    accepted("fapi2-security-profile-final-client-test-happy-path", |token, _| {
        token.claim("acr", "urn:example:loa2");
        token.claim("amr", json!(["pwd", "otp"]));
    }),
    accepted(
        "fapi2-security-profile-final-client-test-valid-aud-as-array",
        |token, _| {
            token.claims["aud"] = json!([token.claims["aud"]]);
        },
    ),
    accepted("an authorized party that is us", |token, _| {
        token.claims["azp"] = token.claims["aud"].clone();
    }),
    accepted("no typ", |token, _| token.without_parameter("typ")),
    accepted("a typ in other letters", |token, _| token.parameter("typ", "jwt")),
    accepted("claims and parameters that nobody asked for", |token, _| {
        token.claim("https://magento.example/tenant", json!({"a": [1, null]}));
        token.parameter("x-hint", json!([1]));
    }),
    accepted("expired within the skew of two clocks", |token, _| {
        token.claim("exp", token.now - 50);
    }),
    accepted("issued ahead within the skew of two clocks", |token, _| {
        token.claim("iat", token.now + 50);
        token.claim("nbf", token.now + 50);
    }),
    accepted("issued a while ago, within the flow", |token, _| {
        token.claim("iat", token.now - 500);
    }),
    accepted("valid for a day and no longer", |token, _| {
        token.claim("exp", token.now + DAY);
    }),
    accepted("a subject of 255 bytes", |token, _| {
        token.claim("sub", "s".repeat(255));
    }),
    accepted("the same address in capitals", |token, _| {
        token.alter("email", str::to_ascii_uppercase);
    }),
    accepted("pt_27_no_auth_time_and_no_acr_where_none_was_asked_for", |token, _| {
        token.without("auth_time");
    }),
    accepted("pt_26_an_at_hash_of_a_token_that_nobody_uses", |token, _| {
        token.claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA");
    }),
];

const ASKED: &[Row] = &[
    asked("op_10_another_address", |token, _| {
        token.claim("email", "somebody.else@example.com");
    }),
    asked("op_10_an_address_that_nobody_verified", |token, _| {
        token.claim("email_verified", false);
    }),
    asked("op_10_a_verification_that_is_text", |token, _| {
        token.claim("email_verified", "true");
    }),
    asked("op_10_a_verification_that_is_a_number", |token, _| {
        token.claim("email_verified", 1);
    }),
    asked("op_10_an_address_without_a_word_on_it", |token, _| {
        token.without("email_verified");
    }),
    asked("op_10_no_address", |token, _| token.without("email")),
    asked("op_16_an_address_longer_than_any", |token, _| {
        token.claim("email", format!("{}@example.com", "a".repeat(1000)));
    }),
    asked("op_16_an_address_with_a_line_in_it", |token, _| {
        token.claim("email", "newcomer@example.com\r\nBcc: all@example.com");
    }),
    asked("op_16_an_address_that_is_an_object", |token, _| {
        token.claim("email", json!({"address": "newcomer@example.com"}));
    }),
    asked("op_16_an_address_that_only_looks_the_same", |token, _| {
        token.alter("email", |email| email.replace('e', "\u{435}"));
    }),
];

const REFUSED: &[Row] = &[
    refused("pt_21_the_token_of_another_flow", |token, _| {
        // The row before this one was believed: here is its token again, genuine in every way but for whose it is.
        let previous = token.previous.clone().unwrap_or_default();
        token.claim("again", previous);
        token.afterwards = |token| between(token.split('.').nth(1).unwrap(), "again");
    }),
    // 2: iss
    refused("oidcc-client-test-invalid-iss", |token, _| {
        token.claim("iss", "https://invalid.example/");
    }),
    refused("fapi2-security-profile-final-client-test-invalid-iss", |token, _| {
        token.alter("iss", |iss| format!("{iss}1"));
    }),
    refused(
        "fapi2-security-profile-final-client-test-invalid-missing-iss",
        |token, _| {
            token.without("iss");
        },
    ),
    refused("pt_12_the_issuer_with_a_slash_behind_it", |token, _| {
        token.alter("iss", |iss| format!("{iss}/"));
    }),
    refused("pt_12_the_issuer_in_capitals", |token, _| {
        token.alter("iss", str::to_uppercase);
    }),
    refused("pt_12_the_issuer_over_https", |token, _| {
        token.alter("iss", |iss| iss.replace("http:", "https:"));
    }),
    refused("pt_12_the_issuer_among_others", |token, _| {
        token.claims["iss"] = json!([token.claims["iss"], "https://evil.example"]);
    }),
    refused("pt_12_the_issuer_alone_in_a_list", |token, _| {
        token.claims["iss"] = json!([token.claims["iss"]]);
    }),
    refused("pt_12_the_issuer_is_a_number", |token, _| token.claim("iss", 1)),
    refused("pt_12_the_issuer_is_null", |token, _| token.claim("iss", Value::Null)),
    refused("pt_12_the_issuer_is_empty", |token, _| token.claim("iss", "")),
    refused("op_11_the_token_chooses_its_issuer", |token, keys| {
        token.claim("iss", "https://magento.example/other-tenant");
        token.signed_by(keys, Signer::Rsa);
    }),
    // 3: aud
    refused("oidcc-client-test-invalid-aud", |token, _| {
        token.claim("aud", "another client");
    }),
    refused("fapi2-security-profile-final-client-test-invalid-aud", |token, _| {
        token.alter("aud", |aud| format!("{aud}1"));
    }),
    refused("oidcc-client-test-missing-aud", |token, _| token.without("aud")),
    refused(
        "fapi2-security-profile-final-client-test-invalid-missing-aud",
        |token, _| {
            token.without("aud");
            token.claim("azp", "accounts");
        },
    ),
    refused(
        "fapi2-security-profile-final-client-test-invalid-secondary-aud",
        |token, _| {
            token.claim("aud", json!(["accounts", "accounts1"]));
        },
    ),
    refused("pt_14_another_audience_before_ours", |token, _| {
        token.claim("aud", json!(["another", "accounts"]));
    }),
    refused("pt_14_our_audience_twice", |token, _| {
        token.claim("aud", json!(["accounts", "accounts"]));
    }),
    refused("pt_13_no_audience_in_a_list", |token, _| token.claim("aud", json!([]))),
    refused("pt_13_the_audience_is_empty", |token, _| token.claim("aud", "")),
    refused("pt_13_the_audience_is_a_number", |token, _| token.claim("aud", 7)),
    refused("pt_13_the_audience_is_null", |token, _| token.claim("aud", Value::Null)),
    refused("pt_13_the_beginning_of_our_name", |token, _| {
        token.claim("aud", "account");
    }),
    refused("pt_13_our_name_in_capitals", |token, _| token.claim("aud", "ACCOUNTS")),
    refused("pt_13_our_name_within_a_list_within_a_list", |token, _| {
        token.claim("aud", json!([["accounts"]]));
    }),
    refused("pt_13_our_name_as_a_member", |token, _| {
        token.claim("aud", json!({"accounts": true}));
    }),
    refused("pt_13_our_name_and_a_blank", |token, _| token.claim("aud", "accounts ")),
    // 4, 5: azp
    refused("pt_15_another_authorized_party", |token, _| {
        token.claim("azp", "another");
    }),
    refused("pt_15_an_authorized_party_that_is_a_list", |token, _| {
        token.claim("azp", json!(["accounts"]));
    }),
    refused("pt_15_an_authorized_party_that_is_null", |token, _| {
        token.claim("azp", Value::Null);
    }),
    // 6 to 8: the signature
    refused("oidcc-client-test-idtoken-sig-none", |token, _| {
        token.header = json!({"alg": "none"});
        token.signer = Signer::Nobody;
    }),
    refused(
        "fapi2-security-profile-final-client-test-invalid-null-alg",
        |token, _| {
            token.parameter("alg", "none");
            token.signer = Signer::Nobody;
        },
    ),
    refused("pt_05_none_in_other_letters", |token, _| {
        token.parameter("alg", "nOnE");
        token.signer = Signer::Nobody;
    }),
    refused("pt_05_none_and_a_signature", |token, _| token.parameter("alg", "none")),
    refused("pt_05_no_algorithm", |token, _| token.without_parameter("alg")),
    refused("pt_05_an_empty_algorithm", |token, _| token.parameter("alg", "")),
    refused("pt_05_a_signature_that_was_taken_off", |token, _| {
        token.signer = Signer::Nobody;
    }),
    refused("pt_05_two_parts_only", |token, _| {
        token.afterwards = |token| token.rsplit_once('.').unwrap().0.to_owned();
    }),
    refused("pt_05_an_algorithm_that_is_a_list", |token, _| {
        token.parameter("alg", json!(["ES256"]));
    }),
    refused("oidcc-client-test-invalid-sig-hs256", |token, _| {
        token.header = json!({"alg": "HS256"});
        token.signer = Signer::HmacOfClientId;
    }),
    refused("pt_06_the_public_key_as_a_secret", |token, _| {
        token.header = json!({"alg": "HS256", "kid": "rsa-1"});
        token.signer = Signer::HmacOfPublicKey;
    }),
    refused("pt_06_the_public_key_as_a_secret_called_rs256", |token, _| {
        token.header = json!({"alg": "RS256", "kid": "rsa-1"});
        token.signer = Signer::HmacOfPublicKey;
    }),
    refused_after_a_refetch(
        "pt_06_an_elliptic_signature_under_the_name_of_an_rsa_key",
        |token, _| {
            token.parameter("kid", "rsa-1");
        },
    ),
    refused_after_a_refetch("pt_06_an_rsa_signature_called_elliptic", |token, _| {
        token.header = json!({"alg": "ES256", "kid": "rsa-1"});
        token.signer = Signer::Rsa;
    }),
    refused("oidcc-client-test-invalid-sig-rs256", |token, keys| {
        token.signed_by(keys, Signer::Rsa);
        token.afterwards = flipped;
    }),
    refused("oidcc-client-test-invalid-sig-es256", |token, _| {
        token.afterwards = flipped;
    }),
    refused("pt_07_somebody_elses_key_under_the_same_name", |token, keys| {
        token.signed_by(keys, Signer::Stranger);
    }),
    refused("pt_07_claims_changed_after_signing", |token, _| {
        token.afterwards = |token| {
            let parts: Vec<&str> = token.split('.').collect();
            let claims = format!("{}A", &parts[1][..parts[1].len() - 1]);
            [parts[0], &claims, parts[2]].join(".")
        };
    }),
    refused("pt_07_the_signature_of_another_token", |token, _| {
        let signature = token.previous.clone().unwrap_or_default();
        let signature = signature.rsplit('.').next().unwrap().to_owned();
        // The signature goes where a function pointer cannot carry it: into the claims, and from there to its place.
        token.claim("signature", signature);
        token.afterwards = |token| {
            let claims = token.split('.').nth(1).unwrap();
            let signature = between(claims, "signature");
            format!("{}.{signature}", token.rsplit_once('.').unwrap().0)
        };
    }),
    refused("pt_07_an_empty_signature_of_zeros", |token, _| {
        token.afterwards = |token| format!("{}.{}", token.rsplit_once('.').unwrap().0, "A".repeat(86));
    }),
    refused("pt_08_rs512_by_the_right_key", |token, _| {
        token.header = json!({"alg": "RS512", "kid": "rsa-1"});
        token.signer = Signer::RsaSha512;
    }),
    refused("pt_08_rs512_called_rs256", |token, _| {
        token.header = json!({"alg": "RS256", "kid": "rsa-1"});
        token.signer = Signer::RsaSha512;
    }),
    refused("pt_08_an_elliptic_curve_of_another_family", |token, _| {
        token.parameter("alg", "ES256K");
    }),
    refused_after_a_refetch("pt_08_ps256_by_a_key_for_rs256_alone", |token, keys| {
        token.signed_by(keys, Signer::RsaPss);
        token.parameter("kid", "rsa-1");
    }),
    refused("pt_08_an_algorithm_in_small_letters", |token, _| {
        token.parameter("alg", "es256");
    }),
    refused("pt_09_a_key_brought_along_in_the_header", |token, keys| {
        token.signed_by(keys, Signer::Stranger);
        token.parameter("jwk", keys.public_jwk(Signer::Stranger));
    }),
    refused_after_a_refetch("pt_09_a_key_brought_along_and_no_name_of_ours", |token, keys| {
        token.signed_by(keys, Signer::Stranger);
        token.parameter("kid", "mine");
        token.parameter("jwk", keys.public_jwk(Signer::Stranger));
    }),
    refused("pt_09_keys_at_an_address_in_the_header", |token, keys| {
        token.signed_by(keys, Signer::Stranger);
        token.parameter("jku", "http://evil.localhost:9/jwks");
        token.parameter("x5u", "http://evil.localhost:9/x5u");
    }),
    refused("pt_09_a_certificate_in_the_header", |token, keys| {
        token.signed_by(keys, Signer::Stranger);
        token.parameter("x5c", json!(["MIIB"]));
    }),
    refused("pt_10_a_critical_parameter_that_nobody_knows", |token, _| {
        token.parameter("crit", json!(["x"]));
        token.parameter("x", true);
    }),
    refused("pt_10_an_empty_list_of_critical_parameters", |token, _| {
        token.parameter("crit", json!([]));
    }),
    refused("pt_10_claims_that_are_not_encoded", |token, _| {
        token.parameter("b64", false);
    }),
    refused("pt_10_a_token_within_the_token", |token, _| {
        token.parameter("cty", "JWT");
    }),
    refused("pt_10_an_encrypted_token", |token, _| {
        token.header = json!({"alg": "RSA-OAEP-256", "enc": "A256GCM"});
        token.afterwards = |token| format!("{token}.AAAA.AAAA");
    }),
    refused("pt_11_an_access_token", |token, _| token.parameter("typ", "at+jwt")),
    refused("pt_11_a_logout_token", |token, _| {
        token.parameter("typ", "logout+jwt");
        token.claim(
            "events",
            json!({"http://schemas.openid.net/event/backchannel-logout": {}}),
        );
    }),
    refused("pt_11_an_empty_typ", |token, _| token.parameter("typ", "")),
    refused("pt_11_a_typ_that_is_no_text", |token, _| token.parameter("typ", 1)),
    // 9: exp
    refused(
        "fapi2-security-profile-final-client-test-invalid-expired-exp",
        |token, _| {
            token.claim("exp", token.now - 360);
        },
    ),
    refused(
        "fapi2-security-profile-final-client-test-invalid-missing-exp",
        |token, _| {
            token.without("exp");
        },
    ),
    refused("pt_16_expired_just_beyond_the_skew", |token, _| {
        token.claim("exp", token.now - 62);
    }),
    refused("pt_16_expired_at_the_beginning_of_time", |token, _| {
        token.claim("exp", 0);
    }),
    refused("pt_16_expired_before_the_beginning_of_time", |token, _| {
        token.claim("exp", -1);
    }),
    refused("pt_16_valid_for_a_century", |token, _| {
        token.claim("exp", token.now + 36_525 * DAY);
    }),
    refused("pt_16_valid_for_more_than_a_day", |token, _| {
        token.claim("exp", token.now + DAY + 10);
    }),
    refused("pt_18_an_expiry_that_is_text", |token, _| {
        token.claim("exp", "9999999999");
    }),
    refused("pt_18_an_expiry_with_a_fraction", |token, _| {
        token.claim("exp", 9_999_999_999.5);
    }),
    refused("pt_18_an_expiry_that_is_no_number_of_ours", |token, _| {
        token.claim("exp", 1e300);
    }),
    refused("pt_18_an_expiry_that_is_null", |token, _| {
        token.claim("exp", Value::Null);
    }),
    refused("pt_18_an_expiry_that_is_true", |token, _| token.claim("exp", true)),
    refused("pt_18_an_expiry_that_is_a_list", |token, _| {
        token.claims["exp"] = json!([token.claims["exp"]]);
    }),
    refused("pt_18_an_expiry_beyond_every_integer", |token, _| {
        token.claim("exp", u64::MAX);
    }),
    // 10: iat, nbf
    refused("oidcc-client-test-missing-iat", |token, _| token.without("iat")),
    refused("pt_17_issued_tomorrow", |token, _| {
        token.claim("iat", token.now + DAY);
        token.claim("exp", token.now + DAY + 300);
    }),
    refused("pt_17_issued_just_beyond_the_skew", |token, _| {
        token.claim("iat", token.now + 65);
    }),
    refused("pt_17_issued_a_year_ago", |token, _| {
        token.claim("iat", token.now - 365 * DAY);
    }),
    refused("pt_17_issued_before_the_flow_could_have_begun", |token, _| {
        token.claim("iat", token.now - 605);
    }),
    refused("pt_17_not_yet_valid", |token, _| token.claim("nbf", token.now + 65)),
    refused("pt_18_an_issue_date_that_is_text", |token, _| {
        token.claims["iat"] = token.now.to_string().into();
    }),
    refused("pt_18_a_beginning_that_is_text", |token, _| {
        token.claims["nbf"] = token.now.to_string().into();
    }),
    refused("pt_18_a_beginning_that_is_null", |token, _| {
        token.claim("nbf", Value::Null);
    }),
    // 11: nonce
    refused("oidcc-client-test-nonce-invalid", |token, _| {
        token.claim("nonce", "another nonce");
    }),
    refused("fapi2-security-profile-final-client-test-invalid-nonce", |token, _| {
        token.alter("nonce", |nonce| format!("{nonce}1"));
    }),
    refused(
        "fapi2-security-profile-final-client-test-invalid-missing-nonce",
        |token, _| {
            token.without("nonce");
        },
    ),
    refused("pt_04_the_beginning_of_the_nonce", |token, _| {
        token.alter("nonce", |nonce| nonce[..42].to_owned());
    }),
    refused("pt_04_the_nonce_in_other_letters", |token, _| {
        token.alter("nonce", |nonce| nonce.chars().map(swapped).collect());
    }),
    refused("pt_04_the_nonce_in_a_list", |token, _| {
        token.claims["nonce"] = json!([token.claims["nonce"]]);
    }),
    refused("pt_04_an_empty_nonce", |token, _| token.claim("nonce", "")),
    refused("pt_04_a_nonce_that_is_null", |token, _| {
        token.claim("nonce", Value::Null);
    }),
    refused("pt_04_the_nonce_padded", |token, _| {
        token.alter("nonce", |nonce| format!("{nonce}="));
    }),
    // sub
    refused("oidcc-client-test-missing-sub", |token, _| token.without("sub")),
    refused("pt_19_an_empty_subject", |token, _| token.claim("sub", "")),
    refused("pt_19_a_subject_that_is_a_number", |token, _| token.claim("sub", 1234)),
    refused("pt_19_a_subject_that_is_null", |token, _| {
        token.claim("sub", Value::Null);
    }),
    refused("pt_19_a_subject_that_is_a_list", |token, _| {
        token.claim("sub", json!(["s"]));
    }),
    refused("pt_19_a_subject_of_256_bytes", |token, _| {
        token.claim("sub", "s".repeat(256));
    }),
    refused("pt_19_a_subject_with_a_nul", |token, _| token.claim("sub", "s\0")),
    refused("pt_19_a_subject_with_a_line_end", |token, _| token.claim("sub", "s\n")),
    refused("pt_19_a_subject_with_a_blank_behind_it", |token, _| {
        token.claim("sub", "s ");
    }),
    refused("pt_19_a_subject_with_nothing_to_see_in_it", |token, _| {
        token.claim("sub", "s\u{200b}");
    }),
    refused("pt_19_a_subject_in_another_script", |token, _| {
        token.claim("sub", "\u{455}");
    }),
    // the form
    refused("pt_20_the_subject_twice", |token, _| {
        token.claims_and(r#""sub":"another""#);
    }),
    refused("pt_20_the_issuer_twice", |token, _| {
        token.claims_and(r#""iss":"https://evil.example""#);
    }),
    refused("pt_20_the_nonce_twice_written_otherwise", |token, _| {
        token.claims_and(r#""nonc\u0065":"another""#);
    }),
    refused("pt_20_the_algorithm_twice", |token, _| {
        token.header_and(r#""alg":"none""#);
    }),
    refused("pt_20_a_member_twice_far_inside", |token, _| {
        token.claims_and(r#""address":{"a":1,"a":2}"#);
    }),
    refused("claims that are no object", |token, _| {
        token.claims_text = Some("[]".to_owned());
    }),
    refused("claims with something behind them", |token, _| {
        token.claims_text = Some(format!("{}x", token.claims));
    }),
    refused("a header that is no JSON", |token, _| {
        token.header_text = Some("alg=ES256".to_owned());
    }),
    refused("no token at all", |token, _| token.afterwards = |_| String::new()),
    refused("a token of dots", |token, _| token.afterwards = |_| "..".to_owned()),
    refused("a token with a blank in front", |token, _| {
        token.afterwards = |token| format!(" {token}");
    }),
    refused("a token that is padded", |token, _| {
        token.afterwards = |token| format!("{token}=");
    }),
    refused("pt_37_claims_five_thousand_deep", |token, _| {
        token.claims_text = Some(format!("{{\"a\":{}{}}}", "[".repeat(5000), "]".repeat(5000)));
    }),
    // kid
    refused_after_a_refetch("pt_22_a_key_that_nobody_published", |token, keys| {
        token.signed_by(keys, Signer::Rotated);
    }),
    refused_after_a_refetch("pt_22_an_empty_key_name", |token, _| token.parameter("kid", "")),
    refused("pt_22_a_key_name_that_is_a_number", |token, _| {
        token.parameter("kid", 1);
    }),
    refused_after_a_refetch("pt_22_the_name_of_a_file", |token, _| {
        token.parameter("kid", "../../dev/null");
    }),
];

/// The same signature with one bit another.
fn flipped(token: &str) -> String {
    let middle = token.rfind('.').unwrap() + 10;
    let other = if &token[middle..=middle] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &token[..middle], &token[middle + 1..])
}

fn swapped(letter: char) -> char {
    if letter.is_ascii_lowercase() {
        letter.to_ascii_uppercase()
    } else {
        letter.to_ascii_lowercase()
    }
}

/// The claim `name` in the encoded claims of a token.
fn between(claims: &str, name: &str) -> String {
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    claims[name].as_str().unwrap().to_owned()
}

async fn verdict_of(world: &HostileWorld, rows: &[Row], verdict: &mut Verdict) {
    for row in rows {
        if row.refetches > 0 {
            world.time_passes(31); // the keys may be fetched once in 30 s
        }
        let change = row.change;
        let newcomer = world.newcomer();
        world.provider.change_id_token(change);
        let landed = world.about_to_come_back(&newcomer).await.follows().await;
        let mut expected = Outcome::after_redemption(row.answer);
        expected.calls.jwks = row.refetches;
        verdict.row(row.name, &expected, &world.outcome(&landed).await);
    }
}

#[tokio::test]
async fn what_an_id_token_says_and_who_signs_it_decides_whether_it_is_believed() {
    let world = HostileWorld::start(Endpoints::Discovered).await;
    let mut verdict = Verdict::default();
    for rows in [ACCEPTED, ASKED, REFUSED] {
        verdict_of(&world, rows, &mut verdict).await;
    }
    // After all this, an honest one is believed still.
    verdict_of(
        &world,
        &[accepted("an honest token after all of them", |_, _| {})],
        &mut verdict,
    )
    .await;
    verdict.is_clean(130);
}

#[tokio::test]
async fn an_algorithm_that_we_did_not_register_for_is_refused_though_its_key_is_published() {
    let algs = [("id_token_signing_algs", json!(["ES256"]))];
    let world = HostileWorld::start_with(Endpoints::Fixed, &[], &algs, &[]).await;
    let mut verdict = Verdict::default();
    let rows = [
        accepted("the one that we registered for", |_, _| {}),
        refused(
            "fapi2-security-profile-final-client-test-invalid-alternate-alg",
            |token, keys| {
                token.signed_by(keys, Signer::Rsa);
            },
        ),
        refused("pt_08_ps256_where_es256_was_registered", |token, keys| {
            token.signed_by(keys, Signer::RsaPss);
        }),
        refused("pt_08_eddsa_where_es256_was_registered", |token, keys| {
            token.signed_by(keys, Signer::Ed25519);
        }),
    ];
    verdict_of(&world, &rows, &mut verdict).await;
    verdict.is_clean(4);
}

#[tokio::test]
async fn a_sign_in_believes_no_more_than_a_link_does() {
    let world = HostileWorld::start(Endpoints::Fixed).await;
    let owner = world.newcomer();
    let linked = world.about_to_come_back(&owner).await.follows().await;
    assert_eq!(linked.outcome().as_deref(), Some("linked"));
    world.outcome(&linked).await;
    let challenge = Challenge::of("what the login page keeps in the browser");
    let start = world.stack.at(&format!("/sso/magento/sign-in?challenge={challenge}"));

    let mut verdict = Verdict::default();
    for row in REFUSED {
        if row.refetches > 0 {
            world.time_passes(31);
        }
        let change = row.change;
        world.provider.change_id_token(change);
        // Everything but the row says that the linked person signs in: what is believed here opens their account.
        let landed = world
            .stack
            .browser()
            .types(&start)
            .await
            .follows()
            .await
            .follows()
            .await;
        assert_eq!(landed.location_parameter("ticket"), None, "{}", row.name);
        let mut expected = Outcome::after_redemption(row.answer);
        expected.calls.jwks = row.refetches;
        verdict.row(row.name, &expected, &world.outcome(&landed).await);
    }
    verdict.is_clean(100);

    world.provider.behaves();
    let honest = world
        .stack
        .browser()
        .types(&start)
        .await
        .follows()
        .await
        .follows()
        .await;
    assert!(honest.location_parameter("ticket").is_some(), "{honest:?}");
}
