//! Which requests the authorization endpoint takes, and whom it asks.

use super::*;

#[test]
fn a_request_without_our_client_and_its_redirect_uri_is_told_to_nobody_but_the_person() {
    let mut scene = Scene::new();
    scene.sign_in(ALICE);
    for changed in [
        ("client_id", "other"),
        ("client_id", ""),
        ("redirect_uri", ""),
        ("redirect_uri", "http://accounts.localhost:8080/sso/magento/callback/"),
        ("redirect_uri", "http://accounts.localhost:8080/sso/magento/callback?x"),
        ("redirect_uri", "http://evil.localhost:8080/sso/magento/callback"),
    ] {
        let response = scene.authorize(&with(&authorization_request(), &[changed]));
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{changed:?}");
        assert!(!response.headers().contains_key(header::LOCATION));
    }
    let twice = [authorization_request(), vec![("scope", "openid")]].concat();
    assert_eq!(scene.authorize(&twice).status(), StatusCode::BAD_REQUEST);
}

#[test]
fn the_client_learns_what_is_wrong_with_its_request() {
    let mut scene = Scene::new();
    scene.sign_in(ALICE);
    for (changed, error) in [
        (("response_type", ""), "invalid_request"),
        (("response_type", "code id_token"), "unsupported_response_type"),
        (("response_mode", "fragment"), "invalid_request"),
        (("scope", "email"), "invalid_scope"),
        (("scope", "openidconnect"), "invalid_scope"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge", "too-short"), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("prompt", "none login"), "invalid_request"),
        (("prompt", "dance"), "invalid_request"),
        (("max_age", "soon"), "invalid_request"),
        (("request", "a.b.c"), "request_not_supported"),
    ] {
        assert_sent_back_with(&scene.authorize(&with(&authorization_request(), &[changed])), error);
    }
}

#[test]
fn prompt_none_never_shows_a_page() {
    let mut scene = Scene::new();
    let request = with(&authorization_request(), &[("prompt", "none")]);
    assert_sent_back_with(&scene.authorize(&request), "login_required");
    scene.sign_in(ALICE);
    assert!(parameter(&location(&scene.authorize(&request)), "code").is_some());
    scene.clock.move_by_ms(61_000);
    let request = with(&request, &[("max_age", "60")]);
    assert_sent_back_with(&scene.authorize(&request), "login_required");
}

#[test]
fn who_is_signed_in_is_asked_when_the_client_wants_it() {
    let mut scene = Scene::new();
    scene.sign_in(ALICE);
    scene.clock.move_by_ms(61_000);
    for (changed, page) in [
        (("prompt", "login"), "/sign-in?"),
        (("max_age", "60"), "/sign-in?"),
        (("prompt", "select_account"), "/sign-in?"),
        (("prompt", "create"), "/create-account?"),
        (("prompt", "select_account create"), "/create-account?"),
    ] {
        let location = location(&scene.authorize(&with(&authorization_request(), &[changed])));
        assert!(location.starts_with(page), "{changed:?}: {location}");
    }
}

#[test]
fn choosing_an_account_is_no_proof_and_signing_in_again_is() {
    for (changed, proves) in [
        (&[("prompt", "select_account")][..], false),
        (&[("prompt", "login")], true),
        (&[("prompt", "select_account"), ("max_age", "60")], true),
    ] {
        let mut scene = Scene::new();
        scene.sign_in(ALICE);
        let before = scene.clock.now();
        scene.clock.move_by_ms(600_000);
        let page = location(&scene.authorize(&with(&authorization_request(), changed)));
        let interaction = parameter(&page, "interaction").unwrap();
        let answer = location(&scene.submit("/sign-in", &[("interaction", &interaction), ("person", ALICE)]));
        let response = scene.redeem(&parameter(&answer, "code").unwrap(), &[]);
        let auth_time = scene.id_token(&response).date("auth_time").unwrap();
        assert_eq!(auth_time > before, proves, "{changed:?}");
    }
}

#[test]
fn who_declines_is_sent_back_and_cannot_go_on_afterwards() {
    let mut scene = Scene::new();
    let page = location(&scene.authorize(&authorization_request()));
    let interaction = parameter(&page, "interaction").unwrap();
    let cancel = [("interaction", interaction.as_str()), ("decision", "cancel")];
    assert_sent_back_with(&scene.submit("/sign-in", &cancel), "access_denied");
    let late = scene.submit("/sign-in", &[("interaction", &interaction), ("person", ALICE)]);
    assert_eq!(late.status(), StatusCode::BAD_REQUEST);
    assert_eq!(scene.get(&page).status(), StatusCode::BAD_REQUEST);
}

#[test]
fn a_request_may_also_be_posted() {
    let mut scene = Scene::new();
    let request = http::Request::post("/authorize").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let page = location(&scene.send(request, &encode(&authorization_request())));
    assert!(page.starts_with("/sign-in?interaction="), "{page}");
}
