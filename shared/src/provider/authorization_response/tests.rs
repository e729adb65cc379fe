use super::*;

const STATE: &str = "abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKL_012";
const ISSUER: &str = "https://magento.example";

fn with_state(rest: &str) -> String {
    format!("state={STATE}&{rest}")
}

fn accept(rest: &str, requires_iss: bool) -> Result<String, ResponseRefused> {
    let response = AuthorizationResponse::parse(&with_state(rest)).unwrap();
    let code = response.accept(&Issuer::parse(ISSUER).unwrap(), requires_iss)?;
    Ok(code.reveal())
}

#[test]
fn a_response_has_its_state_and_its_code() {
    let query = with_state("code=a%2Fb+c~%7E&iss=https%3A%2F%2Fmagento.example&session_state=x.y&scope=openid");
    let response = AuthorizationResponse::parse(&query).unwrap();
    assert_eq!(response.state(), STATE);
    assert_eq!(
        accept("code=a%2Fb+c~%7E&iss=https%3A%2F%2Fmagento.example", true).unwrap(),
        "a/b c~~"
    );
}

#[test]
fn an_unknown_parameter_is_ignored_even_when_it_is_repeated() {
    assert_eq!(accept("&&x&x=1&x=2&code=c", false).unwrap(), "c");
}

#[test]
fn a_known_parameter_comes_once_however_it_is_written() {
    for (name, rest) in [
        ("state", "code=c&state=x"),
        ("state", "code=c&stat%65=x"),
        ("code", "code=c&code=c"),
        ("code", "code=c&code"),
        ("iss", "code=c&iss=a&iss=a"),
        ("error", "error=a&error=b"),
        ("error_description", "error=a&error_description=b&error_description=b"),
        ("error_uri", "error=a&error_uri=b&error_uri=b"),
    ] {
        let refused = AuthorizationResponse::parse(&with_state(rest)).unwrap_err();
        assert_eq!(refused, MalformedResponse::Repeated(name), "{rest}");
    }
}

#[test]
fn a_state_has_exactly_its_format() {
    let (shorter, longer) = (&STATE[1..], format!("{STATE}a"));
    let slash = STATE.replacen('-', "%2F", 1);
    let padded = format!("{shorter}=");
    let accented = format!("{}%C3%A9", &STATE[2..]);
    for state in ["", shorter, &longer, &slash, &padded, &accented] {
        let refused = AuthorizationResponse::parse(&format!("code=c&state={state}")).unwrap_err();
        assert_eq!(refused, MalformedResponse::State, "{state}");
    }
    assert_eq!(
        AuthorizationResponse::parse("code=c").unwrap_err(),
        MalformedResponse::State
    );
    assert_eq!(AuthorizationResponse::parse("").unwrap_err(), MalformedResponse::State);
}

#[test]
fn there_is_a_code_or_an_error() {
    for rest in ["", "code=c&error=access_denied", "code=&error=", "iss=a"] {
        let refused = AuthorizationResponse::parse(&with_state(rest)).unwrap_err();
        assert_eq!(refused, MalformedResponse::CodeOrError, "{rest}");
    }
    for code in ["", "%C3%A9"] {
        let refused = AuthorizationResponse::parse(&with_state(&format!("code={code}"))).unwrap_err();
        assert_eq!(refused, MalformedResponse::Code, "{code}");
    }
}

#[test]
fn what_is_not_percent_encoded_text_is_refused_wherever_it_stands() {
    for hostile in [
        "%",
        "%4",
        "%zz",
        "%+1",
        "%00",
        "%0A",
        "%7F",
        "%C2%85",
        "%ff",
        "%ED%A0%80",
        "é",
        " ",
        "\0",
        "\n",
    ] {
        for rest in [
            format!("code=c{hostile}"),
            format!("code=c&x=a{hostile}"),
            format!("code=c&{hostile}=a"),
        ] {
            let refused = AuthorizationResponse::parse(&with_state(&rest)).unwrap_err();
            assert_eq!(refused, MalformedResponse::Encoding, "{rest:?}");
        }
    }
}

#[test]
fn a_query_is_at_most_8_kib_long() {
    let longest = with_state(&format!(
        "code={}",
        "c".repeat(8 * 1024 - "state=&code=".len() - STATE_LENGTH)
    ));
    assert!(AuthorizationResponse::parse(&longest).is_ok());
    let refused = AuthorizationResponse::parse(&format!("{longest}c")).unwrap_err();
    assert_eq!(refused, MalformedResponse::TooLong);
}

#[test]
fn the_issuer_is_exactly_the_one_that_was_asked() {
    for wrong in [
        "",
        "https://magento.example/",
        "https://magento.example1",
        "HTTPS://magento.example",
        "https://evil.example",
    ] {
        for (answer, requires_iss) in [("code=c", true), ("code=c", false), ("error=access_denied", false)] {
            let refused = accept(&format!("{answer}&iss={wrong}"), requires_iss).unwrap_err();
            assert!(matches!(refused, ResponseRefused::IssuerMismatch), "{wrong}");
        }
    }
    assert!(matches!(accept("code=c", true), Err(ResponseRefused::IssuerMissing)));
    assert!(matches!(
        accept("error=access_denied", true),
        Err(ResponseRefused::IssuerMissing)
    ));
    assert_eq!(accept("code=c", false).unwrap(), "c");
}

#[test]
fn an_error_is_a_cancellation_or_a_refusal_and_its_text_goes_nowhere() {
    assert!(matches!(
        accept("error=access_denied&error_description=x", false),
        Err(ResponseRefused::Cancelled)
    ));
    for (error, logged) in [
        ("server_error", "server_error"),
        ("temporarily_unavailable", "temporarily_unavailable"),
        ("login_required", "login_required"),
        ("Access_Denied", "(unregistered)"),
        ("%3Cscript%3E", "(unregistered)"),
        ("", "(unregistered)"),
    ] {
        let refused = accept(&format!("error={error}&error_description=%3Cb%3E&error_uri=x"), false).unwrap_err();
        assert!(
            matches!(refused, ResponseRefused::Refused(code) if code.to_string() == logged),
            "{error}"
        );
    }
}

#[test]
fn neither_response_nor_code_prints() {
    let response = AuthorizationResponse::parse(&with_state("code=hush")).unwrap();
    assert_eq!(format!("{response:?}"), "AuthorizationResponse(…)");
    let code = response.accept(&Issuer::parse(ISSUER).unwrap(), false).unwrap();
    assert_eq!(format!("{code:?}"), "AuthorizationCode(…)");
}
