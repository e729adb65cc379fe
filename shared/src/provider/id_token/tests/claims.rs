//! One test per claim: the forms it is accepted in, and those it is not.

use super::*;

/// Each of `values` and the absence of the claim, refused for the same reason.
macro_rules! refused {
    ($reason:ident: $($value:tt),* $(,)?) => {
        &[(None, IdTokenError::$reason), $((Some(json!($value)), IdTokenError::$reason)),*]
    };
}

fn at(seconds_from_now: i64) -> Value {
    json!(NOW.unix_seconds() + seconds_from_now)
}

#[test]
fn step_2_the_issuer_is_the_one_that_was_asked() {
    Case::new(p256()).check(
        "iss",
        &[],
        refused!(Issuer:
            "", "https://magento.example/id1", "https://magento.example/id/", "https://magento.example/i", "https://magento.example",
            "https://MAGENTO.example/id", "http://magento.example/id", " https://magento.example/id", ["https://magento.example/id"],
            1, null, true,
        ),
    );
}

#[test]
fn step_3_the_audience_is_this_client_alone() {
    Case::new(p256()).check(
        "aud",
        &[Some(json!(CLIENT_ID)), Some(json!([CLIENT_ID]))],
        refused!(Audience:
            "", "other", "accounts.magento.cloud1", "accounts.magento", "ACCOUNTS.magento.cloud", [], [""], ["other"],
            ["accounts.magento.cloud", "accounts.magento.cloud1"], ["other", "accounts.magento.cloud"],
            ["accounts.magento.cloud", "accounts.magento.cloud"], [["accounts.magento.cloud"]], [1], 1, null, true,
            {"0": "accounts.magento.cloud"},
        ),
    );
}

#[test]
fn a_client_without_a_name_is_nobodys_audience() {
    let case = Case::new(p256());
    let nameless = Expectations {
        client_id: "",
        ..case.expectations()
    };
    for audience in [json!(""), json!([""])] {
        let mut claims = case.claims();
        claims.insert("aud".to_owned(), audience);
        let token = case.key.sign_jwt(&claims.into()).unwrap();
        let outcome = verify(&token, &published(&[&case.key]), &nameless, NOW);
        assert!(matches!(outcome, Err(IdTokenError::Audience)));
    }
}

#[test]
fn steps_4_and_5_an_authorized_party_is_this_client() {
    let other = |value| (Some(value), IdTokenError::AuthorizedParty);
    Case::new(p256()).check(
        "azp",
        &[None, Some(json!(CLIENT_ID))],
        &[
            other(json!("other")),
            other(json!("")),
            other(json!(null)),
            other(json!([CLIENT_ID])),
            other(json!(1)),
        ],
    );
}

#[test]
fn step_9_it_has_not_expired() {
    let case = Case::new(p256());
    case.check(
        "exp",
        &[Some(at(300)), Some(at(0)), Some(at(-59)), Some(at(86_399))],
        &[
            (Some(at(-60)), IdTokenError::Expired),
            (Some(at(-61)), IdTokenError::Expired),
            (Some(at(-360)), IdTokenError::Expired),
            (Some(json!(0)), IdTokenError::Expired),
            (Some(json!(-1)), IdTokenError::Expired),
            (Some(json!(i64::MIN)), IdTokenError::Expired),
            // `iat` is a second ago.
            (Some(at(86_400)), IdTokenError::LongLived),
            (Some(at(100 * 365 * 86_400)), IdTokenError::LongLived),
            (Some(json!(i64::MAX)), IdTokenError::LongLived),
        ],
    );
    case.check("exp", &[], refused!(Expiration: "9999999999", "", 1e300, 1_585_000_300.5, 18_446_744_073_709_551_615_u64, null, true, [1_585_000_300], {}));
}

#[test]
fn step_10_it_was_issued_in_the_course_of_this_flow() {
    let case = Case::new(p256());
    case.check(
        "iat",
        &[Some(at(0)), Some(at(-600)), Some(at(60))],
        &[
            (Some(at(-601)), IdTokenError::Stale),
            (Some(at(-365 * 86_400)), IdTokenError::Stale),
            (Some(json!(0)), IdTokenError::Stale),
            (Some(at(61)), IdTokenError::Early),
            (Some(at(86_400)), IdTokenError::Early),
            (Some(json!(i64::MAX)), IdTokenError::Early),
        ],
    );
    case.check(
        "iat",
        &[],
        refused!(IssuedAt: "1585000000", 1e300, 1_585_000_000.0, null, false, [1_585_000_000]),
    );
}

#[test]
fn not_before_is_honoured() {
    let not_yet = |value| (Some(value), IdTokenError::NotBefore);
    Case::new(p256()).check(
        "nbf",
        &[None, Some(at(-1)), Some(at(60)), Some(json!(0))],
        &[
            not_yet(at(61)),
            not_yet(at(86_400)),
            not_yet(json!(i64::MAX)),
            not_yet(json!("1585000000")),
            not_yet(json!(1e9)),
            not_yet(json!(null)),
        ],
    );
}

#[test]
fn step_11_the_nonce_is_this_flows() {
    let case = Case::new(p256());
    let nonce = case.flow.nonce.reveal();
    let flipped = nonce.chars().map(|c| {
        if c.is_lowercase() {
            c.to_ascii_uppercase()
        } else {
            c.to_ascii_lowercase()
        }
    });
    let wrong = |value| (Some(value), IdTokenError::Nonce);
    case.check(
        "nonce",
        &[Some(json!(nonce))],
        &[
            (None, IdTokenError::Nonce),
            wrong(json!("")),
            wrong(json!(format!("{nonce}1"))),
            wrong(json!(nonce[..42])),
            wrong(json!(flipped.collect::<String>())),
            wrong(json!(flow().nonce.reveal())),
            wrong(json!(case.flow.state.reveal())),
            wrong(json!([nonce])),
            wrong(json!(null)),
        ],
    );
}

#[test]
fn a_subject_is_one_to_255_bytes_of_printable_ascii() {
    let case = Case::new(p256());
    let (longest, too_long, huge) = ("s".repeat(255), "s".repeat(256), "s".repeat(10_000));
    case.check(
        "sub",
        &[
            Some(json!("a")),
            Some(json!(longest)),
            Some(json!("x#USER#y")),
            Some(json!("A|b/c")),
        ],
        refused!(Subject:
            "", " ", "a ", "a\0b", "a\n", "a\u{200B}", "é", too_long, huge, 1, null, true, ["a"], {"a": "b"},
        ),
    );
    let subject = |sub: &str| case.verify_with("sub", Some(json!(sub))).unwrap().identity.subject;
    assert_eq!(subject("Maria#1").as_str(), "Maria#1");
    assert_ne!(subject("Maria"), subject("maria"));
}

#[test]
fn an_email_address_is_a_label_and_never_a_reason_to_refuse() {
    let case = Case::new(p256());
    let email = |value: Option<Value>| {
        let identity = case.verify_with("email", value).unwrap();
        (identity.email, identity.email_verified)
    };
    let usable = EmailAddress::parse("Maria@example.com");
    assert_eq!(email(Some(json!("Maria@example.com"))), (usable, true));
    let too_long = format!("{}@example.com", "m".repeat(254));
    for value in [
        None,
        Some(json!("maria")),
        Some(json!(too_long)),
        Some(json!("")),
        Some(json!(1)),
        Some(json!(["a@b.c"])),
    ] {
        assert_eq!(email(value.clone()), (None, false), "{value:?}");
    }
}

#[test]
fn an_email_address_is_verified_only_when_the_provider_says_true() {
    let case = Case::new(p256());
    let verified = |value| case.verify_with("email_verified", value).unwrap().email_verified;
    assert!(verified(Some(json!(true))));
    for value in [
        None,
        Some(json!(false)),
        Some(json!("true")),
        Some(json!(1)),
        Some(json!(null)),
        Some(json!([true])),
    ] {
        assert!(!verified(value.clone()), "{value:?}");
    }
}

#[test]
fn what_only_informs_is_passed_on_or_counts_as_absent() {
    let case = Case::new(p256());
    let with = |name: &str, value: Value| case.verify_with(name, Some(value)).unwrap();

    assert_eq!(with("sid", json!("s1")).provider_session.as_deref(), Some("s1"));
    assert_eq!(
        with("acr", json!("urn:mace:incommon:iap:silver")).acr.as_deref(),
        Some("urn:mace:incommon:iap:silver")
    );
    assert_eq!(
        with("auth_time", at(-5)).auth_time,
        Some(NOW.minus(Duration::from_secs(5)))
    );
    assert_eq!(with("amr", json!(["pwd", "otp"])).amr, ["pwd", "otp"]);
    assert_eq!(with("amr", json!(vec!["otp"; 16])).amr.len(), 16);

    for value in [
        json!(1),
        json!(""),
        json!(null),
        json!("a\nb"),
        json!("s".repeat(256)),
        json!(["s1"]),
    ] {
        assert_eq!(with("sid", value.clone()).provider_session, None, "{value}");
        assert_eq!(with("acr", value.clone()).acr, None, "{value}");
    }
    for value in [json!("1585000000"), json!(1e300), json!(null)] {
        assert_eq!(with("auth_time", value.clone()).auth_time, None, "{value}");
    }
    for value in [
        json!("pwd"),
        json!(["pwd", 1]),
        json!(["pwd", ""]),
        json!(null),
        json!(vec!["pwd"; 17]),
    ] {
        assert!(with("amr", value.clone()).amr.is_empty(), "{value}");
    }
}

#[test]
fn an_error_says_nothing_of_the_token() {
    let case = Case::new(p256());
    for name in ["iss", "aud", "azp", "exp", "iat", "nbf", "nonce", "sub"] {
        let error = case.verify_with(name, Some(json!("some secret"))).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
}
