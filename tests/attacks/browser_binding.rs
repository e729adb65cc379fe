//! Who may finish a flow: the browser, the account and the session that began it.

use account_linking::ticket::Challenge;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use harness::{
    hostile_provider::Endpoints,
    hostile_world::HostileWorld,
    magento::{Person, until_it_leaves},
    stack::{CONNECT, Stack},
};
use http::Method;

use crate::scene::{
    CONFIRM, EVIL, FLOW, PENDING, SESSION, START_LINK, UNLINK, about_to_come_back, callback_url, confirms, cookies,
    nothing_happened, setup, shown, stack, tampered,
};

/// A page of a sibling host: another origin of the same site.
fn sibling(stack: &Stack) -> String {
    format!("{}/lure", stack.origin().replace("accounts.", "shop.accounts."))
}

fn sign_in_url(stack: &Stack) -> String {
    stack.at(&format!(
        "/sso/magento/sign-in?challenge={}",
        Challenge::of("the login page's secret")
    ))
}

#[tokio::test]
async fn bb_01_forced_link() {
    let stack = stack().await;
    let mallory = stack.signed_in(Person::Bruno).await;
    let back = about_to_come_back(&stack, &mallory, Person::Bruno).await;
    let alice = stack.signed_in(Person::Alice).await;

    // Mallory stops before her own callback and lures Alice there.
    let lured = alice
        .browser()
        .following_a_link_from(EVIL, &callback_url(&back))
        .send()
        .await;

    assert_eq!(lured.status, 400, "{lured:?}");
    nothing_happened(&stack).await;
    assert_eq!(stack.status(&alice).await["status"], "not_linked");
}

#[tokio::test]
async fn bb_03_a_flow_taken_up_in_another_browser_of_the_same_person() {
    let stack = stack().await;
    let settings = stack.signed_in(Person::Alice).await;
    let back = about_to_come_back(&stack, &settings, Person::Alice).await;
    let elsewhere = stack.browser();
    for session in cookies(&stack, settings.browser(), SESSION) {
        elsewhere.is_given(session);
    }

    // Account and session are right; the flow is kept by another browser.
    let answer = elsewhere.types(&callback_url(&back)).await;

    assert_eq!(answer.status, 400, "{answer:?}");
    nothing_happened(&stack).await;
}

#[tokio::test]
async fn bb_04_a_genuine_state_without_the_browser_it_was_made_for() {
    let stack = stack().await;
    let mallory = stack.signed_in(Person::Bruno).await;
    let genuine = about_to_come_back(&stack, &mallory, Person::Bruno).await;
    let alice = stack.signed_in(Person::Alice).await;
    let own = about_to_come_back(&stack, &alice, Person::Alice).await;

    // Alice has a flow of her own, and is given Mallory's state with her own code, and the other way round.
    let state = genuine.location_parameter("state").unwrap();
    let code = genuine.location_parameter("code").unwrap();
    let with_her_code = alice
        .browser()
        .types(&tampered(&callback_url(&own), "state", &state))
        .await;
    assert_eq!(with_her_code.status, 400, "{with_her_code:?}");
    nothing_happened(&stack).await;
    let with_mallorys_code = alice
        .browser()
        .types(&tampered(&callback_url(&own), "code", &code))
        .await;

    assert_eq!(with_mallorys_code.outcome().as_deref(), Some("provider_refused"));
    assert!(stack.contents().await.links.is_empty());
}

#[tokio::test]
async fn bb_05_consent_phishing() {
    let stack = stack().await;
    let mallory = stack.signed_in(Person::Bruno).await;

    // Alice follows Mallory's authorization URL, signs in at Magento.com as herself, and comes back: signed in here, and not.
    for signed_in_here in [true, false] {
        let authorization_url = callback_url(&mallory.presses(CONNECT).await);
        let alice = stack.browser();
        if signed_in_here {
            stack.signs_in(&alice, Person::Alice).await;
        }
        let lured = alice.following_a_link_from(EVIL, &authorization_url).send().await;
        let answer = stack
            .magento
            .signs_in(&lured.followed().await, Person::Alice)
            .await
            .follows()
            .await;
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    nothing_happened(&stack).await;
    assert_eq!(stack.status(&mallory).await["status"], "not_linked");
}

#[tokio::test]
async fn bb_06_a_link_that_would_plant_a_flow() {
    let stack = stack().await;
    let mallory = stack.signed_in(Person::Bruno).await;
    mallory.presses(CONNECT).await;
    let flow = cookies(&stack, mallory.browser(), FLOW).remove(0);
    let alice = stack.signed_in(Person::Alice).await;

    for path in [
        format!("{START_LINK}?flow={}", flow.value),
        format!("{START_LINK}?{}={}", flow.name, flow.value),
        format!("/sso/magento/callback?{}={}", flow.name, flow.value),
        format!("/sso/magento/status?{}={}", flow.name, flow.value),
        format!("{CONFIRM}?{PENDING}={}", flow.value),
        format!("/sso/magento/sign-in?{}={}", flow.name, flow.value),
    ] {
        let lured = alice
            .browser()
            .following_a_link_from(EVIL, &stack.at(&path))
            .send()
            .await;
        assert!(lured.set_cookies().is_empty(), "{lured:?}");
    }
    assert!(cookies(&stack, alice.browser(), FLOW).is_empty());
    nothing_happened(&stack).await;
}

#[tokio::test]
async fn bb_07_browser_swapping() {
    let stack = stack().await;
    let mallory = stack.signed_in(Person::Chloe).await;
    let authorization_url = callback_url(&mallory.presses(CONNECT).await);
    let victim = stack.browser();
    let page = victim
        .following_a_link_from(EVIL, &authorization_url)
        .send()
        .await
        .followed()
        .await;
    let back = stack.magento.signs_in(&page, Person::Bruno).await;
    let in_the_victims_browser = back.follows().await;

    // What can be done here is done: the response leaks nowhere, and what Mallory gets with it is a question that names the victim.
    assert_eq!(in_the_victims_browser.header("referrer-policy"), Some("no-referrer"));
    let code = back.location_parameter("code").unwrap();
    assert!(!in_the_victims_browser.text().contains(&code));
    let swapped = mallory.browser().visits(&callback_url(&back)).await;
    assert_eq!(swapped.outcome().as_deref(), Some("confirm"), "{swapped:?}");
    assert_eq!(shown(&swapped).await["identity"]["email"], Person::Bruno.email());
    assert!(stack.contents().await.links.is_empty());

    // And after ten minutes there is nothing to swap.
    let authorization_url = callback_url(&mallory.presses(CONNECT).await);
    let back = until_it_leaves(victim.following_a_link_from(EVIL, &authorization_url).send().await).await;
    let kept = cookies(&stack, mallory.browser(), FLOW);
    stack.clock().move_by_ms(10 * 60 * 1000 + 1);
    for mut flow in kept {
        flow.expires_at = None;
        mallory.browser().is_given(flow);
    }
    assert_eq!(mallory.browser().types(&callback_url(&back)).await.status, 400);
}

#[tokio::test]
async fn bb_08_signed_in_at_the_provider_as_somebody_else() {
    let stack = stack().await;
    let alice = stack.signed_in(Person::Alice).await;
    // Mallory's identity is signed in at Magento.com in Alice's browser, without her knowing.
    about_to_come_back(&stack, &alice, Person::Bruno).await;

    let landed = alice.presses(CONNECT).await.followed().await;

    assert_eq!(landed.outcome().as_deref(), Some("confirm"), "{landed:?}");
    let shown = shown(&landed).await;
    assert_eq!(shown["account"]["email"], Person::Alice.account_email());
    assert_eq!(shown["identity"]["email"], Person::Bruno.email());
    assert!(stack.contents().await.links.is_empty());
}

#[tokio::test]
async fn bb_09_cross_origin_post_that_starts_a_flow() {
    let stack = stack().await;
    let alice = stack.signed_in(Person::Alice).await;
    let action = stack.at(START_LINK);

    for page in [
        EVIL.to_owned(),
        sibling(&stack),
        format!("{}/user", stack.origin().replace("http:", "https:")),
    ] {
        let posted = alice
            .browser()
            .posting_from(&page, &action, &[("account", "any")])
            .send()
            .await;
        assert_eq!(posted.status, 403, "{page}: {posted:?}");
    }
    // Neither does a script of theirs, nor a link.
    let fetched = alice
        .fetching(Method::POST, START_LINK, "application/json")
        .header("sec-fetch-site", "cross-site")
        .header("origin", "http://evil.localhost");
    assert_eq!(fetched.send().await.problem(), "403 cross_origin_request");
    let followed = alice.browser().following_a_link_from(EVIL, &action).send().await;
    assert_eq!(followed.status, 404, "{followed:?}");
    assert!(cookies(&stack, alice.browser(), FLOW).is_empty());
    nothing_happened(&stack).await;
}

#[tokio::test]
async fn bb_10_guessing_state_nonce_and_challenge() {
    let world = HostileWorld::start(Endpoints::Fixed).await;
    let newcomer = world.newcomer();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..10 {
        let request = world.starts(&newcomer).await;
        for name in ["state", "nonce", "code_challenge"] {
            let secret = request.location_parameter(name).unwrap();
            let bytes = URL_SAFE_NO_PAD.decode(&secret).unwrap();
            assert_eq!(bytes.len(), 32, "256 bits: {secret}");
            let readable = bytes.iter().filter(|byte| byte.is_ascii_graphic()).count();
            assert!(readable < 28, "something can be read in {bytes:?}");
            assert!(seen.insert(secret), "a secret came twice");
        }
    }
}

#[tokio::test]
async fn bb_11_cross_origin_post_that_confirms_or_unlinks() {
    let stack = stack().await;
    let bruno = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;
    let shown = shown(&bruno).await;
    let alice = stack.linked(Person::Alice, Person::Alice).await;
    let fields = [
        ("decision", "link"),
        ("confirmation", shown["confirmation"].as_str().unwrap()),
    ];

    for page in [EVIL.to_owned(), sibling(&stack)] {
        let confirmed = bruno
            .browser()
            .posting_from(&page, &stack.at(CONFIRM), &fields)
            .send()
            .await;
        assert_eq!(confirmed.status, 403, "{confirmed:?}");
        let unlinked = alice.browser().posting_from(&page, &stack.at(UNLINK), &[]).send().await;
        assert_eq!(unlinked.status, 403, "{unlinked:?}");
    }

    let contents = stack.contents().await;
    assert!(
        matches!(contents.links.as_slice(), [link] if link.joins(Person::Alice, Person::Alice)),
        "{contents:?}"
    );
    assert_eq!(contents.history(), ["linked"]);
}

#[tokio::test]
async fn bb_12_our_pages_in_a_frame() {
    let stack = stack().await;
    let asked = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;
    for path in ["/sso/magento/status", CONFIRM, "/sso/magento/callback"] {
        let page = asked.browser().types(&stack.at(path)).await;
        let policy = page.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("frame-ancestors 'none'"), "{page:?}");
        assert!(!policy.contains("unsafe-inline"), "{page:?}");
    }
}

#[tokio::test]
async fn bb_13_cookie_planting() {
    let stack = stack().await;
    let mallory = stack.signed_in(Person::Bruno).await;
    let back = about_to_come_back(&stack, &mallory, Person::Bruno).await;
    let flow = cookies(&stack, mallory.browser(), FLOW).remove(0);
    let alice = stack.signed_in(Person::Alice).await;

    // A sibling cannot: the browser takes `__Host-` from nobody but the host itself.
    let domain = stack
        .origin()
        .trim_start_matches("http://")
        .split(':')
        .next()
        .unwrap()
        .to_owned();
    let planted = format!("{}={}; Domain={domain}; Path=/; Secure", flow.name, flow.value);
    assert!(!alice.browser().keeps(&sibling(&stack), &planted));
    // Who can all the same gets no further: account and session are in the flow.
    alice.browser().is_given(flow);
    let answer = alice
        .browser()
        .following_a_link_from(EVIL, &callback_url(&back))
        .send()
        .await;

    assert_eq!(answer.outcome().as_deref(), Some("session_changed"), "{answer:?}");
    nothing_happened(&stack).await;
}

#[tokio::test]
async fn bb_16_cookies_that_a_browser_would_send_across_sites() {
    let stack = stack().await;
    let asked = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;
    confirms(&asked, &shown(&asked).await).await;
    let exchanges = stack.transcript.exchanges();
    let ours = exchanges
        .iter()
        .flat_map(|exchange| exchange.headers.get_all("set-cookie"));
    let ours: Vec<&str> = ours.filter_map(|value| value.to_str().ok()).collect();
    let ours: Vec<&&str> = ours.iter().filter(|cookie| cookie.starts_with("__Host-sso-")).collect();
    assert!(ours.len() >= 4, "a flow, a pending link, and both cleared: {ours:?}");
    for cookie in ours {
        let attributes = cookie.split_once("; ").unwrap().1;
        assert!(
            ["600", "0"]
                .map(|age| format!("Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={age}"))
                .contains(&attributes.to_owned()),
            "{cookie}"
        );
    }
}

#[tokio::test]
async fn bb_17_a_callback_without_the_session_cookie() {
    let stack = stack().await;
    let settings = stack.signed_in(Person::Alice).await;
    let back = about_to_come_back(&stack, &settings, Person::Alice).await;
    let session = cookies(&stack, settings.browser(), SESSION).remove(0);
    settings.browser().forgets(SESSION);

    let answer = back.follows().await;

    assert!(
        answer.location().unwrap().as_str().starts_with(&stack.at("/sign-in?")),
        "{answer:?}"
    );
    nothing_happened(&stack).await;
    // It is not skipped, and not burnt: with the session it goes on.
    settings.browser().is_given(session);
    assert_eq!(back.follows().await.outcome().as_deref(), Some("linked"));
}

#[tokio::test]
async fn bb_18_user_switched_mid_flow() {
    let stack = stack().await;
    let settings = stack.signed_in(Person::Alice).await;
    let back = about_to_come_back(&stack, &settings, Person::Alice).await;
    settings.presses("Sign out").await;
    stack.signs_in(settings.browser(), Person::Bruno).await;

    let answer = back.follows().await;

    assert_eq!(answer.outcome().as_deref(), Some("session_changed"), "{answer:?}");
    nothing_happened(&stack).await;
}

#[tokio::test]
async fn bb_19_the_same_person_in_a_new_session() {
    let stack = stack().await;
    let settings = stack.signed_in(Person::Alice).await;
    let back = about_to_come_back(&stack, &settings, Person::Alice).await;
    // Alice noticed the thief of her session and signed in anew.
    settings.browser().forgets(SESSION);
    stack.signs_in(settings.browser(), Person::Alice).await;

    let answer = back.follows().await;

    assert_eq!(answer.outcome().as_deref(), Some("session_changed"), "{answer:?}");
    nothing_happened(&stack).await;
}

#[tokio::test]
async fn bb_20_the_answer_of_one_tab_in_another() {
    let stack = stack().await;
    let settings = stack.signed_in(Person::Alice).await;
    let first = about_to_come_back(&stack, &settings, Person::Alice).await;
    let second = about_to_come_back(&stack, &settings, Person::Alice).await;

    let mixed = tampered(
        &callback_url(&first),
        "code",
        &second.location_parameter("code").unwrap(),
    );
    let answer = settings.browser().types(&mixed).await;

    assert_eq!(answer.outcome().as_deref(), Some("provider_refused"), "{answer:?}");
    assert!(stack.contents().await.links.is_empty());
}

#[tokio::test]
async fn bb_21_double_click_refresh_and_back() {
    let stack = stack().await;
    let settings = stack.signed_in(Person::Alice).await;
    tokio::join!(settings.presses(CONNECT), settings.presses(CONNECT));
    let back = about_to_come_back(&stack, &settings, Person::Alice).await;

    let landed = back.follows().await.followed().await;
    landed.reloaded().await;
    let again = [back.follows().await, back.follows().await];

    assert!(again.iter().all(|answer| answer.status == 400), "{again:?}");
    let contents = stack.contents().await;
    assert_eq!((contents.links.len(), contents.history()), (1, vec!["linked"]));
    assert_eq!(stack.provider_calls().await.token, 1);
}

#[tokio::test]
async fn bb_22_prefetch_prerender_and_link_scanners() {
    let stack = stack().await;
    let settings = stack.signed_in(Person::Alice).await;
    let back = about_to_come_back(&stack, &settings, Person::Alice).await;

    for purpose in ["prefetch", "prefetch;prerender", "prefetch;anonymous-client-ip"] {
        let answer = back.redirected().header("sec-purpose", purpose).send().await;
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    // A scanner has neither cookies nor a browser.
    let scanned = stack
        .browser()
        .typing(&callback_url(&back))
        .without_a_browser()
        .send()
        .await;
    assert_eq!(scanned.status, 400, "{scanned:?}");
    // Nor does a `GET` of anything else decide anything.
    let asked = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;
    asked
        .browser()
        .types(&stack.at("/sso/magento/confirm?decision=link"))
        .await;
    asked.browser().types(&stack.at("/sso/magento/unlink")).await;
    assert!(stack.contents().await.links.is_empty());
    assert_eq!(back.followed().await.outcome().as_deref(), Some("linked"));
}

#[tokio::test]
async fn bb_23_framed_and_fetched_callbacks() {
    let stack = stack().await;
    let settings = stack.signed_in(Person::Alice).await;
    let back = about_to_come_back(&stack, &settings, Person::Alice).await;
    for destination in [
        "iframe", "frame", "embed", "object", "empty", "image", "script", "worker", "",
    ] {
        let answer = back.redirected().header("sec-fetch-dest", destination).send().await;
        assert_eq!(answer.status, 400, "{destination:?}: {answer:?}");
    }
    nothing_happened(&stack).await;
    assert_eq!(back.followed().await.outcome().as_deref(), Some("linked"));
}

#[tokio::test]
async fn bb_24_a_session_nobody_proved_lately() {
    let stack = setup().with("REAUTHENTICATE_AFTER_SECONDS", "60").start().await;
    let alice = stack.linked(Person::Alice, Person::Alice).await;
    let bruno = stack.signed_in(Person::Bruno).await;
    stack.clock().move_by_ms(120 * 1000);

    for (page, path) in [(&bruno, START_LINK), (&alice, UNLINK)] {
        let answer = page.posting(path, &[]).send().await;
        let location = answer.location().unwrap();
        assert!(
            location.as_str().starts_with(&stack.at("/sign-in?reauthenticate=1")),
            "{location}"
        );
    }
    assert_eq!(stack.contents().await.history(), ["linked"]);
}

#[tokio::test]
async fn bb_25_session_fixation_at_sign_in() {
    let stack = stack().await;
    stack.linked(Person::Alice, Person::Alice).await;
    let mallory = stack.browser();
    let page = mallory.visits(&sign_in_url(&stack)).await;
    let mallorys = stack.magento.signs_in(&page, Person::Alice).await;

    // Neither does Mallory's sign-in end in the victim's browser, nor does any sign-in here set or keep a session.
    let victim = stack.browser();
    victim.keeps(stack.origin(), "__Host-accounts-session=planted; Path=/; Secure");
    assert_eq!(victim.types(&callback_url(&mallorys)).await.status, 400);
    let page = victim.visits(&sign_in_url(&stack)).await;
    let signed_in = stack.magento.signs_in(&page, Person::Alice).await.follows().await;

    assert!(signed_in.location_parameter("ticket").is_some(), "{signed_in:?}");
    let sessions = |cookie: &&str| cookie.starts_with(SESSION);
    assert!(!signed_in.set_cookies().iter().any(sessions), "{signed_in:?}");
}

#[tokio::test]
async fn bb_26_purpose_confusion() {
    let stack = stack().await;
    let settings = stack.signed_in(Person::Alice).await;
    // A sign-in in a session that could link, with an identity that nobody has: it does not become a link.
    let page = settings.browser().visits(&sign_in_url(&stack)).await;
    let signed_in = stack.magento.signs_in(&page, Person::Alice).await.follows().await;
    assert_eq!(signed_in.outcome().as_deref(), Some("not_linked"), "{signed_in:?}");

    // A flow is no pending link, a pending link no flow, and neither is a session.
    let back = about_to_come_back(&stack, &settings, Person::Bruno).await;
    let flow = cookies(&stack, settings.browser(), FLOW).remove(0);
    let mut as_pending = flow.clone();
    as_pending.name = PENDING.to_owned();
    settings.browser().is_given(as_pending);
    let confirm = settings.fetching(Method::GET, CONFIRM, "application/json").send().await;
    assert_eq!(confirm.problem(), "404 nothing_to_confirm");
    back.follows().await;
    let mut pending = cookies(&stack, settings.browser(), PENDING).remove(0);
    let second = about_to_come_back(&stack, &settings, Person::Bruno).await;
    pending.name = cookies(&stack, settings.browser(), FLOW).remove(0).name;
    settings.browser().is_given(pending);
    assert_eq!(second.follows().await.status, 400);
    let stranger = stack.browser();
    stranger.keeps(stack.origin(), &format!("{SESSION}={}; Path=/; Secure", flow.value));
    let status = stranger
        .typing(&stack.at("/sso/magento/status"))
        .header("accept", "application/json");
    assert_eq!(status.send().await.problem(), "401 session_required");

    // And a link flow that ends does not sign anybody in.
    let third = about_to_come_back(&stack, &settings, Person::Bruno)
        .await
        .follows()
        .await;
    assert_eq!(third.location_parameter("ticket"), None);
    assert!(stack.contents().await.links.is_empty());
}

#[tokio::test]
async fn bb_28_an_answer_that_nobody_asked_for() {
    let stack = stack().await;
    let mallory = stack.signed_in(Person::Bruno).await;
    let code = about_to_come_back(&stack, &mallory, Person::Bruno)
        .await
        .location_parameter("code")
        .unwrap();
    let alice = stack.signed_in(Person::Alice).await;
    let issuer = urlencoded(
        &alice
            .presses(CONNECT)
            .await
            .location()
            .unwrap()
            .origin()
            .ascii_serialization(),
    );

    // A genuine code, and a state that nobody here ever gave out; and what a provider that starts by itself would send.
    for query in [
        format!("code={code}&state={}&iss={issuer}", "A".repeat(43)),
        format!("code={code}&iss={issuer}"),
        format!("iss={issuer}&login_hint=alice&target_link_uri=/user"),
    ] {
        let url = stack.at(&format!("/sso/magento/callback?{query}"));
        let answer = alice.browser().following_a_link_from(EVIL, &url).send().await;
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    nothing_happened(&stack).await;
}

fn urlencoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
