//! The provider's answer comes again, elsewhere, or in the wrong way.

use harness::{
    browser::Answer,
    magento::Person,
    on_every_combination,
    stack::{CONNECT, Setup, Stack},
};

on_every_combination!(
    going_back_after_linking_finds_a_page_that_leads_on,
    a_callback_replayed_from_another_browser_links_nothing,
    a_stolen_flow_is_worthless_in_another_session,
    a_kept_copy_of_the_flow_redeems_no_second_code,
    whoever_signed_out_meanwhile_signs_in_first,
    whoever_became_somebody_else_meanwhile_links_nothing,
    a_forged_error_burns_nothing,
    an_answer_from_another_issuer_links_nothing,
    a_prefetch_takes_nothing_up,
    a_flow_of_one_tab_does_not_serve_the_answer_of_another,
);

/// Alice has signed in at Magento.com and is about to come back: the redirect, not yet followed.
async fn about_to_come_back(stack: &Stack) -> Answer {
    let settings = stack.signed_in(Person::Alice).await;
    let page = settings.presses(CONNECT).await.followed().await;
    stack.magento.signs_in(&page, Person::Alice).await
}

/// `back`'s address with the value of one parameter changed.
fn tampered(back: &Answer, parameter: &str, value: &str) -> String {
    let mut url = back.location().unwrap_or_else(|| panic!("{back:?}"));
    let pairs: Vec<_> = url
        .query_pairs()
        .into_owned()
        .filter(|(name, _)| name != parameter)
        .collect();
    url.query_pairs_mut()
        .clear()
        .extend_pairs(pairs)
        .append_pair(parameter, value);
    url.into()
}

/// Nothing of the flow has happened: no claim, no code redeemed, no link.
async fn is_untouched(stack: &Stack) {
    let contents = stack.contents().await;
    assert!(contents.is_empty(), "{contents:?}");
    assert_eq!(stack.provider_calls().await.token, 0); // refused before the code left our side
}

async fn going_back_after_linking_finds_a_page_that_leads_on(setup: Setup) {
    let stack = setup.start().await;
    let back = about_to_come_back(&stack).await;
    back.follows().await;

    let again = back.follows().await;

    assert_eq!(again.status, 400, "{again:?}");
    let page = again.page();
    assert!(
        page.links.iter().any(|link| link.href == stack.at("/user")),
        "a way on: {page:?}"
    );
    assert_eq!(again.header("referrer-policy"), Some("no-referrer"));
    assert!(!again.text().contains("code="), "{again:?}");
    let contents = stack.contents().await;
    assert_eq!(
        (contents.history(), stack.provider_calls().await.token),
        (vec!["linked"], 1)
    );
}

async fn a_callback_replayed_from_another_browser_links_nothing(setup: Setup) {
    let stack = setup.start().await;
    let back = about_to_come_back(&stack).await;
    let callback_url = back.location().unwrap();

    let stranger = stack.browser().types(callback_url.as_str()).await;
    let mallory = stack.signed_in(Person::Bruno).await;
    let mallory = mallory.browser().types(callback_url.as_str()).await;

    assert_eq!((stranger.status.as_u16(), mallory.status.as_u16()), (400, 400));
    is_untouched(&stack).await;
    let alice = back.followed().await;
    assert_eq!(
        alice.outcome().as_deref(),
        Some("linked"),
        "nobody else could burn it: {alice:?}"
    );
}

async fn a_stolen_flow_is_worthless_in_another_session(setup: Setup) {
    let stack = setup.start().await;
    let back = about_to_come_back(&stack).await;
    let stolen = back
        .browser()
        .cookies_for(&stack.at("/"))
        .into_iter()
        .find(|cookie| cookie.name.contains("sso-flow"));

    for thief in [Person::Bruno, Person::Alice] {
        let settings = stack.signed_in(thief).await;
        settings.browser().is_given(stolen.clone().unwrap());
        let answer = settings.browser().types(back.location().unwrap().as_str()).await;
        assert_eq!(answer.outcome().as_deref(), Some("session_changed"), "{answer:?}");
    }
    is_untouched(&stack).await;
}

async fn a_kept_copy_of_the_flow_redeems_no_second_code(setup: Setup) {
    let stack = setup.start().await;
    let back = about_to_come_back(&stack).await;
    let kept = back
        .browser()
        .cookies_for(&stack.at("/"))
        .into_iter()
        .find(|cookie| cookie.name.contains("sso-flow"));
    back.follows().await;

    back.browser().is_given(kept.unwrap());
    let again = back.follows().await;

    assert_eq!(again.status, 400, "{again:?}");
    assert_eq!(
        (stack.contents().await.claims, stack.provider_calls().await.token),
        (1, 1)
    );
}

async fn whoever_signed_out_meanwhile_signs_in_first(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.signed_in(Person::Alice).await;
    let page = settings.presses(CONNECT).await.followed().await;
    settings.presses("Sign out").await;

    let answer = stack.magento.signs_in(&page, Person::Alice).await.follows().await;

    assert_eq!(answer.status, 303, "{answer:?}");
    let location = answer.location().unwrap();
    assert!(
        location.as_str().starts_with(&stack.at("/sign-in?return_to=settings")),
        "{location}"
    );
    is_untouched(&stack).await;
}

async fn whoever_became_somebody_else_meanwhile_links_nothing(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.signed_in(Person::Alice).await;
    let page = settings.presses(CONNECT).await.followed().await;
    let settings = settings.presses("Sign out").await.followed().await;
    stack.signs_in(settings.browser(), Person::Bruno).await;

    let answer = stack.magento.signs_in(&page, Person::Alice).await.follows().await;

    assert_eq!(answer.outcome().as_deref(), Some("session_changed"), "{answer:?}");
    is_untouched(&stack).await;
}

async fn a_forged_error_burns_nothing(setup: Setup) {
    let stack = setup.start().await;
    let back = about_to_come_back(&stack).await;

    // Another site knows neither the state nor anything else; it can only guess.
    let forged = stack.at("/sso/magento/callback?error=access_denied&error_description=Call+0800&state=AAAA");
    let answer = back
        .browser()
        .following_a_link_from("http://evil.localhost/", &forged)
        .send()
        .await;

    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(!answer.text().contains("0800"), "{answer:?}");
    assert_eq!(back.followed().await.outcome().as_deref(), Some("linked"));
}

async fn an_answer_from_another_issuer_links_nothing(setup: Setup) {
    let stack = setup.start().await;
    let back = about_to_come_back(&stack).await;

    let answer = back
        .browser()
        .types(&tampered(&back, "iss", "https://evil.example"))
        .await;

    assert_eq!(answer.outcome().as_deref(), Some("identity_invalid"), "{answer:?}");
    assert_eq!(stack.provider_calls().await.token, 0);
    assert_eq!(back.follows().await.status, 400, "the flow is burnt");
    assert_eq!(stack.contents().await.links, []);
}

async fn a_prefetch_takes_nothing_up(setup: Setup) {
    let stack = setup.start().await;
    let back = about_to_come_back(&stack).await;

    let prefetched = back
        .redirected()
        .header("sec-purpose", "prefetch;prerender")
        .send()
        .await;
    let framed = back.redirected().header("sec-fetch-dest", "iframe").send().await;
    let fetched = back.redirected().header("sec-fetch-dest", "empty").send().await;

    assert_eq!(
        [prefetched, framed, fetched].map(|answer| answer.status.as_u16()),
        [400; 3]
    );
    is_untouched(&stack).await;
    assert_eq!(back.followed().await.outcome().as_deref(), Some("linked"));
}

async fn a_flow_of_one_tab_does_not_serve_the_answer_of_another(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.signed_in(Person::Alice).await;
    let (first, second) = (
        settings.presses(CONNECT).await.followed().await,
        settings.presses(CONNECT).await.followed().await,
    );
    let first = stack.magento.signs_in(&first, Person::Alice).await;
    let second = stack.magento.signs_in(&second, Person::Alice).await;

    // The code of one flow with the state of the other: PKCE and nonce belong to the other.
    let mixed = tampered(&first, "code", &second.location_parameter("code").unwrap());
    let answer = settings.browser().types(&mixed).await;

    assert_eq!(answer.outcome().as_deref(), Some("provider_refused"), "{answer:?}");
    assert_eq!(stack.contents().await.links, []);
}
