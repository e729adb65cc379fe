//! People at the pages.

use super::*;

#[test]
fn a_new_account_is_signed_in_and_kept() {
    let folder = std::env::temp_dir().join(format!("provider-people-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("people.json");

    let mut scene = Scene::keeping(Some(&file));
    let page = location(&scene.authorize(&with(&authorization_request(), &[("prompt", "create")])));
    let interaction = parameter(&page, "interaction").unwrap();
    let fields = [
        ("interaction", interaction.as_str()),
        ("name", "Dana <b>"),
        ("email", "dana@example.com"),
    ];
    let answer = location(&scene.submit("/create-account", &with(&fields, &[("email_verified", "true")])));
    let response = scene.redeem(&parameter(&answer, "code").unwrap(), &[]);
    let id_token = scene.id_token(&response);
    assert_eq!(id_token.text("email"), Some("dana@example.com"));
    assert_eq!(id_token.claim("email_verified"), Some(&json!(true)));

    let mut restarted = Scene::keeping(Some(&file));
    let page = restarted.get("/sign-in");
    assert!(page.body().contains("Dana &lt;b&gt;"), "{}", page.body());
    restarted.sign_in(id_token.text("sub").unwrap());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn an_account_that_cannot_be_created_is_explained_on_the_form() {
    let mut scene = Scene::new();
    for (name, email) in [
        ("", "dana@example.com"),
        ("Dana", "dana"),
        ("Dana", "ALICE@example.com"),
        ("", ""),
    ] {
        let page = scene.submit("/create-account", &[("name", name), ("email", email)]);
        assert_eq!(page.status(), StatusCode::BAD_REQUEST, "{name} {email}");
        assert!(page.body().contains("role=\"alert\""), "{name} {email}");
        assert!(!page.headers().contains_key(header::SET_COOKIE));
    }
}

#[test]
fn a_new_address_is_told_at_once_and_the_subject_stays() {
    let mut scene = Scene::new();
    scene.sign_in(ALICE);
    assert_eq!(
        location(&scene.submit("/change-email", &[("email", "a.martin@example.com")])),
        "/"
    );
    let answer = location(&scene.authorize(&authorization_request()));
    let response = scene.redeem(&parameter(&answer, "code").unwrap(), &[]);
    let id_token = scene.id_token(&response);
    assert_eq!(id_token.text("email"), Some("a.martin@example.com"));
    assert_eq!(id_token.text("sub"), Some(ALICE));

    for taken in ["chloe@example.com", "nobody"] {
        let page = scene.submit("/change-email", &[("email", taken)]);
        assert_eq!(page.status(), StatusCode::BAD_REQUEST, "{taken}");
        assert!(page.body().contains("role=\"alert\""), "{}", page.body());
    }
}

#[test]
fn signing_out_ends_the_session_for_good() {
    let mut scene = Scene::new();
    scene.sign_in(ALICE);
    let kept = scene.cookie.clone();
    scene.submit("/sign-out", &[]);
    scene.cookie = kept;
    assert!(location(&scene.authorize(&authorization_request())).starts_with("/sign-in?"));
}

#[test]
fn a_form_of_another_site_signs_nobody_in() {
    let mut scene = Scene::new();
    for path in ["/sign-in", "/create-account", "/change-email", "/sign-out"] {
        let request = http::Request::post(path)
            .header(header::ORIGIN, "http://accounts.localhost:8080")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let response = scene.send(request, &encode(&[("person", ALICE), ("name", "n"), ("email", "a@b")]));
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
        assert!(!response.headers().contains_key(header::SET_COOKIE), "{path}");
    }
}

#[test]
fn the_pages_speak_the_language_that_the_client_asks_for() {
    let mut scene = Scene::new();
    let request = with(&authorization_request(), &[("ui_locales", "de fr-CA en")]);
    let page = location(&scene.authorize(&request));
    let page = scene.get(&page);
    assert!(page.body().contains("<html lang=\"fr\">"), "{}", page.body());
    let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(
        policy.contains("form-action 'self' http://accounts.localhost:8080;"),
        "{policy}"
    );
}
