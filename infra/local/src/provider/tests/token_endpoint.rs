//! What the token endpoint grants, to whom, and how often.

use super::*;

#[test]
fn a_code_is_redeemed_once() {
    let mut scene = Scene::new();
    scene.sign_in(ALICE);
    let code = scene.code();
    assert_eq!(scene.redeem(&code, &[]).status(), StatusCode::OK);
    assert_refused(&scene.redeem(&code, &[]), "invalid_grant");
}

#[test]
fn a_code_needs_the_verifier_and_the_redirect_uri_it_was_asked_for_with() {
    for (name, other) in [
        ("code_verifier", "another-verifier-of-at-least-forty-three-characters"),
        ("redirect_uri", "http://accounts.localhost:8080/sso/magento/callback/"),
        ("code", "another"),
    ] {
        let mut scene = Scene::new();
        scene.sign_in(ALICE);
        let code = scene.code();
        assert_refused(&scene.redeem(&code, &[(name, other)]), "invalid_grant");
        assert_refused(&scene.redeem(&code, &[(name, "")]), "invalid_request");
    }
}

#[test]
fn a_wrong_verifier_spends_the_code() {
    let mut scene = Scene::new();
    scene.sign_in(ALICE);
    let code = scene.code();
    let wrong = [("code_verifier", "another-verifier-of-at-least-forty-three-characters")];
    assert_refused(&scene.redeem(&code, &wrong), "invalid_grant");
    assert_refused(&scene.redeem(&code, &[]), "invalid_grant");
}

#[test]
fn a_code_expires() {
    let mut scene = Scene::new();
    scene.sign_in(ALICE);
    let code = scene.code();
    scene.clock.move_by_ms(60_000);
    assert_refused(&scene.redeem(&code, &[]), "invalid_grant");
}

#[test]
fn only_codes_are_granted_anything() {
    let mut scene = Scene::new();
    assert_refused(
        &scene.redeem("c", &[("grant_type", "client_credentials")]),
        "unsupported_grant_type",
    );
    assert_refused(&scene.redeem("c", &[("grant_type", "")]), "invalid_request");
}

#[test]
fn the_client_proves_itself_by_exactly_one_method() {
    let mut scene = Scene::new();
    let mut token = |authorization: Option<String>, fields: &[(&str, &str)]| {
        let mut request =
            http::Request::post("/token").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let fields = with(&[("grant_type", "authorization_code"), ("code", "c")], fields);
        let fields = with(&fields, &[("redirect_uri", REDIRECT_URI), ("code_verifier", VERIFIER)]);
        scene.send(request, &encode(&fields))
    };
    // An unknown code is what is wrong once the client is known.
    assert_refused(&token(Some(basic(CLIENT_ID, SECRET)), &[]), "invalid_grant");
    assert_refused(
        &token(None, &[("client_id", CLIENT_ID), ("client_secret", SECRET)]),
        "invalid_grant",
    );

    for (authorization, fields, error) in [
        (None, vec![], "invalid_client"),
        (None, vec![("client_id", CLIENT_ID)], "invalid_client"),
        (
            None,
            vec![("client_id", CLIENT_ID), ("client_secret", "wrong")],
            "invalid_client",
        ),
        (
            None,
            vec![("client_id", "other"), ("client_secret", SECRET)],
            "invalid_client",
        ),
        (Some(basic(CLIENT_ID, "wrong")), vec![], "invalid_client"),
        (Some(basic("other", SECRET)), vec![], "invalid_client"),
        // The encoding of RFC 6749 section 2.3.1 is not left out.
        (
            Some(format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{SECRET}")))),
            vec![],
            "invalid_client",
        ),
        (Some("Basic !".to_owned()), vec![], "invalid_client"),
        (Some(format!("Bearer {SECRET}")), vec![], "invalid_client"),
        (
            Some(basic(CLIENT_ID, SECRET)),
            vec![("client_id", "other")],
            "invalid_request",
        ),
        (
            Some(basic(CLIENT_ID, SECRET)),
            vec![("client_secret", SECRET)],
            "invalid_request",
        ),
    ] {
        let response = token(authorization, &fields);
        assert_refused(&response, error);
        assert_eq!(
            response.headers().contains_key(header::WWW_AUTHENTICATE),
            error == "invalid_client"
        );
    }
}
