//! Pushed authorization requests (RFC 9126).

use super::*;

#[test]
fn a_pushed_request_serves_once_and_only_its_client() {
    let mut scene = Scene::new();
    scene.sign_in(ALICE);
    let push = |scene: &mut Scene| {
        let response = scene.call("/par", &authorization_request());
        assert_eq!(response.status(), StatusCode::CREATED);
        let answer: Value = serde_json::from_str(response.body()).unwrap();
        assert_eq!(answer["expires_in"], 60);
        answer["request_uri"].as_str().unwrap().to_owned()
    };
    let request_uri = push(&mut scene);
    let foreign = scene.authorize(&[("client_id", "other"), ("request_uri", &request_uri)]);
    assert_eq!(foreign.status(), StatusCode::BAD_REQUEST);

    let request = [("client_id", CLIENT_ID), ("request_uri", request_uri.as_str())];
    assert!(parameter(&location(&scene.authorize(&request)), "code").is_some());
    assert_eq!(scene.authorize(&request).status(), StatusCode::BAD_REQUEST);

    let request_uri = push(&mut scene);
    scene.clock.move_by_ms(60_000);
    let late = scene.authorize(&[("client_id", CLIENT_ID), ("request_uri", &request_uri)]);
    assert_eq!(late.status(), StatusCode::BAD_REQUEST);
}

#[test]
fn what_would_be_refused_in_the_browser_is_refused_when_pushed() {
    let mut scene = Scene::new();
    for (changed, error) in [
        (("redirect_uri", "http://evil.localhost/"), "invalid_request"),
        (("client_id", "other"), "invalid_request"),
        (("code_challenge", ""), "invalid_request"),
        (
            ("request_uri", "urn:ietf:params:oauth:request_uri:x"),
            "invalid_request",
        ),
        (("scope", "email"), "invalid_scope"),
    ] {
        assert_refused(&scene.call("/par", &with(&authorization_request(), &[changed])), error);
    }
    let request = http::Request::post("/par").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    assert_refused(
        &scene.send(request, &encode(&authorization_request())),
        "invalid_client",
    );
}
