//! Races, replays, and what a table that fails leaves behind.

use harness::{
    database_proxy::Fate, hostile_provider::Endpoints, hostile_world::HostileWorld, magento::Person, stack::CONNECT,
};

use crate::scene::{
    CONFIRM, FLOW, PENDING, UNLINK, about_to_come_back, callback_url, confirms, cookies, setup, shown, stack, tampered,
};

#[tokio::test]
async fn st_01_concurrent_callbacks() {
    let stack = stack().await;
    let settings = stack.signed_in(Person::Alice).await;
    let back = about_to_come_back(&stack, &settings, Person::Alice).await;

    let answers = tokio::join!(
        back.redirected().send(),
        back.redirected().send(),
        back.redirected().send()
    );

    let outcomes: Vec<_> = [answers.0, answers.1, answers.2]
        .iter()
        .map(harness::browser::Answer::outcome)
        .collect();
    let linked = outcomes.iter().flatten().filter(|outcome| *outcome == "linked").count();
    assert_eq!((linked, outcomes.iter().flatten().count()), (1, 1), "{outcomes:?}");
    let contents = stack.contents().await;
    assert_eq!((contents.claims, contents.history()), (1, vec!["linked"]));
    assert_eq!(stack.provider_calls().await.token, 1);
}

#[tokio::test]
async fn st_02_one_state_and_many_codes() {
    let stack = stack().await;
    let settings = stack.signed_in(Person::Alice).await;
    let back = about_to_come_back(&stack, &settings, Person::Alice).await;
    let flow = cookies(&stack, settings.browser(), FLOW).remove(0);

    for guess in ["one", "two", "three"] {
        settings.browser().is_given(flow.clone());
        settings
            .browser()
            .types(&tampered(&callback_url(&back), "code", guess))
            .await;
    }

    assert_eq!(stack.provider_calls().await.token, 1, "the first guess is the last");
    settings.browser().is_given(flow);
    assert_eq!(back.follows().await.status, 400);
    assert!(stack.contents().await.links.is_empty());
}

#[tokio::test]
async fn st_03_replay_after_unlink() {
    let stack = stack().await;
    let settings = stack.signed_in(Person::Alice).await;
    let back = about_to_come_back(&stack, &settings, Person::Alice).await;
    let unused = about_to_come_back(&stack, &settings, Person::Alice).await;
    let kept = cookies(&stack, settings.browser(), FLOW);
    back.follows().await;
    stack.clock().move_by_ms(1000);
    settings.posting(UNLINK, &[]).send().await;

    // Both copies: that of the flow that linked, and that of one that never came back.
    for flow in kept {
        settings.browser().is_given(flow);
    }
    let replayed = [back.follows().await, unused.follows().await];

    assert!(replayed.iter().all(|answer| answer.status == 400), "{replayed:?}");
    assert!(stack.contents().await.links.is_empty());
}

#[tokio::test]
async fn st_04_two_accounts_claim_one_identity() {
    let stack = setup().with("CONFIRM_LINK", "never").start().await;
    let mut backs = Vec::new();
    for person in [Person::Alice, Person::Bruno, Person::Chloe] {
        let settings = stack.signed_in(person).await;
        backs.push(about_to_come_back(&stack, &settings, Person::Alice).await);
    }

    let answers = tokio::join!(
        backs[0].redirected().send(),
        backs[1].redirected().send(),
        backs[2].redirected().send()
    );

    let mut outcomes = [answers.0, answers.1, answers.2].map(|answer| answer.outcome().unwrap());
    outcomes.sort();
    assert_eq!(outcomes, ["identity_in_use", "identity_in_use", "linked"]);
    assert_eq!(stack.contents().await.links.len(), 1);
}

#[tokio::test]
async fn st_05_one_account_claims_two_identities() {
    let stack = setup().with("CONFIRM_LINK", "never").start().await;
    let settings = stack.signed_in(Person::Alice).await;
    let first = about_to_come_back(&stack, &settings, Person::Alice).await;
    let second = about_to_come_back(&stack, &settings, Person::Bruno).await;

    let answers = tokio::join!(first.redirected().send(), second.redirected().send());

    let mut outcomes = [answers.0, answers.1].map(|answer| answer.outcome().unwrap());
    outcomes.sort();
    assert_eq!(outcomes, ["account_already_linked", "linked"]);
    assert_eq!(stack.contents().await.links.len(), 1);
}

#[tokio::test]
async fn st_07_what_has_expired_and_was_not_swept() {
    let stack = stack().await;
    let alice = stack.signed_in(Person::Alice).await;
    let back = about_to_come_back(&stack, &alice, Person::Alice).await;
    let bruno = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;
    let shown = shown(&bruno).await;
    let mut kept = cookies(&stack, alice.browser(), FLOW);
    kept.extend(cookies(&stack, bruno.browser(), PENDING));
    stack.clock().move_by_ms(10 * 60 * 1000 + 1);
    for mut cookie in kept {
        cookie.expires_at = None;
        alice.browser().is_given(cookie.clone());
        bruno.browser().is_given(cookie);
    }

    let (late, confirmed) = (back.follows().await, confirms(&bruno, &shown).await);

    assert_eq!(late.status, 400, "{late:?}");
    assert_eq!(
        confirmed.outcome().as_deref(),
        Some("nothing_to_confirm"),
        "{confirmed:?}"
    );
    assert!(stack.contents().await.links.is_empty());
}

#[tokio::test]
async fn st_09_a_pending_link_kept_over_an_unlink() {
    let stack = stack().await;
    let asked = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;
    let (never_used, shown_first) = (cookies(&stack, asked.browser(), PENDING).remove(0), shown(&asked).await);
    let asked = stack.brings(&asked, Person::Bruno).await;
    let (used, shown_second) = (cookies(&stack, asked.browser(), PENDING).remove(0), shown(&asked).await);
    confirms(&asked, &shown_second).await;
    stack.clock().move_by_ms(1000);
    asked.posting(UNLINK, &[]).send().await;

    asked.browser().is_given(never_used);
    let answer = confirms(&asked, &shown_first).await;
    assert_eq!(answer.outcome().as_deref(), Some("nothing_to_confirm"), "{answer:?}");
    // The one that linked is told again how it ended then; it does not link again.
    asked.browser().is_given(used);
    confirms(&asked, &shown_second).await;

    let contents = stack.contents().await;
    assert_eq!(
        (contents.links.len(), contents.history()),
        (0, vec!["linked", "unlinked"])
    );
    assert_eq!(stack.status(&asked).await["status"], "not_linked");
}

#[tokio::test]
async fn st_10_a_commit_that_stops_halfway() {
    let stack = stack().await;
    let settings = stack.signed_in(Person::Alice).await;
    let back = about_to_come_back(&stack, &settings, Person::Alice).await;
    stack.database_proxy.calls();
    stack.database_proxy.next(
        "TransactWriteItems",
        [Fate::LoseRequest, Fate::LoseRequest, Fate::LoseRequest],
    );

    let failed = back.follows().await;

    assert_eq!(
        failed.outcome().as_deref(),
        Some("temporarily_unavailable"),
        "{failed:?}"
    );
    let contents = stack.contents().await; // no owner without a link, no link without an owner
    assert_eq!((contents.links.len(), contents.history().len()), (0, 0));
    stack.database_proxy.forget();
    stack.database_proxy.calls();
    let linked = about_to_come_back(&stack, &settings, Person::Alice)
        .await
        .follows()
        .await;
    assert_eq!(linked.outcome().as_deref(), Some("linked"));
    let calls = stack.database_proxy.calls();
    let writes: Vec<_> = calls
        .iter()
        .filter(|call| call.operation == "TransactWriteItems")
        .collect();
    assert_eq!(
        writes[0].request["TransactItems"].as_array().unwrap().len(),
        3,
        "link, owner and event at once"
    );
}

#[tokio::test]
async fn st_11_an_answer_that_was_lost() {
    let stack = stack().await;
    let settings = stack.signed_in(Person::Alice).await;
    let back = about_to_come_back(&stack, &settings, Person::Alice).await;
    stack.database_proxy.next("PutItem", [Fate::LoseAnswer]);
    stack.database_proxy.next("TransactWriteItems", [Fate::LoseAnswer]);

    let landed = back.follows().await;

    assert_eq!(landed.outcome().as_deref(), Some("linked"), "{landed:?}");
    let contents = stack.contents().await;
    assert_eq!((contents.claims, contents.history()), (1, vec!["linked"]));
    assert_eq!(stack.provider_calls().await.token, 1);
}

#[tokio::test]
async fn st_14_subjects_that_differ_only_in_their_letters() {
    let world = HostileWorld::start(Endpoints::Fixed).await;
    for subject in ["Subject#1", "subject#1", "SUBJECT#1", "subject#1#OWNER", "subject"] {
        let newcomer = world.newcomer();
        world
            .provider
            .change_id_token(move |token, _| token.claim("sub", subject));
        let landed = world.about_to_come_back(&newcomer).await.follows().await;
        assert_eq!(landed.outcome().as_deref(), Some("linked"), "{subject}");
    }
    assert_eq!(world.stack.contents().await.links.len(), 5, "five identities");
}

#[tokio::test]
async fn st_18_a_confirmation_spent_on_another_identity() {
    let stack = stack().await;
    let settings = stack.signed_in(Person::Alice).await;
    let first = stack.brings(&settings, Person::Bruno).await;
    let shown_first = shown(&first).await;
    let kept = cookies(&stack, settings.browser(), PENDING).remove(0);
    let second = stack.brings(&settings, Person::Chloe).await;
    let shown_second = shown(&second).await;

    let spent = confirms(&second, &shown_first).await;
    assert_eq!(spent.outcome().as_deref(), Some("nothing_to_confirm"), "{spent:?}");
    settings.browser().is_given(kept);
    let swapped = confirms(&second, &shown_second).await;

    assert_eq!(swapped.outcome().as_deref(), Some("nothing_to_confirm"), "{swapped:?}");
    assert!(stack.contents().await.links.is_empty());
}

#[tokio::test]
async fn st_19_many_people_at_once_in_one_environment() {
    let world = HostileWorld::start(Endpoints::Discovered).await;
    let mut backs = Vec::new();
    for _ in 0..8 {
        let newcomer = world.newcomer();
        backs.push((world.about_to_come_back(&newcomer).await, newcomer));
    }

    let callbacks: Vec<_> = backs
        .iter()
        .map(|(back, _)| tokio::spawn(back.redirected().send()))
        .collect();
    for callback in callbacks {
        assert_eq!(callback.await.unwrap().outcome().as_deref(), Some("linked"));
    }

    let contents = world.stack.contents().await;
    for (_, newcomer) in &backs {
        let own = contents.links.iter().filter(|link| link.account == newcomer.account);
        assert_eq!(own.map(|link| &link.subject).collect::<Vec<_>>(), [&newcomer.subject]);
    }
}

#[tokio::test]
async fn st_18_a_pending_link_in_another_account() {
    let stack = stack().await;
    let asked = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;
    let shown = shown(&asked).await;
    let alice = stack.signed_in(Person::Alice).await;
    alice.presses(CONNECT).await;
    alice
        .browser()
        .is_given(cookies(&stack, asked.browser(), PENDING).remove(0));

    let answer = confirms(&alice, &shown).await;

    assert_eq!(answer.outcome().as_deref(), Some("nothing_to_confirm"), "{answer:?}");
    let told = alice
        .fetching(http::Method::GET, CONFIRM, "application/json")
        .send()
        .await;
    assert_eq!(told.problem(), "404 nothing_to_confirm");
    assert!(stack.contents().await.links.is_empty());
}
