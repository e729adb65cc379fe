//! Committing a link.

use account_linking::link::{IdentityFingerprint, Link};
use serde_json::json;

use crate::world::{World, at, attempt, deadline, email, identity, on_both_engines, said, session};

on_both_engines![
    a_commit_writes_the_link_its_owner_and_the_event,
    the_same_pair_again_keeps_the_date_and_takes_the_new_label,
    a_label_that_the_provider_no_longer_states_is_dropped,
    a_flow_committed_twice_is_linked_once,
    a_flow_links_only_the_identity_it_linked,
    a_flow_that_ended_otherwise_links_nothing,
    an_identity_in_use_is_refused_and_nothing_is_written,
    an_account_linked_otherwise_is_refused_and_nothing_is_written,
    a_flow_started_at_or_before_an_unlink_links_nothing,
    the_flows_outcome_is_told_before_everything_else,
    an_outdated_flow_is_told_before_whose_the_identity_is,
    an_identity_in_use_is_told_before_what_the_account_is_linked_to,
    an_exemption_survives,
];

async fn a_commit_writes_the_link_its_owner_and_the_event(world: World) {
    let attempt = attempt("alice", "maria", at(0));

    assert_eq!(said(&world.commit(&attempt, at(5)).await), "Ok(Linked)");

    assert_eq!(
        world.database.items().await,
        [
            json!({
                "pk": {"S": "ACCOUNT#alice"},
                "sk": {"S": format!("EVENT#{}", attempt.flow_id)},
                "kind": {"S": "linked"},
                "at": {"N": at(5).unix_ms().to_string()},
                "provider": {"S": "magento"},
                "identity": {"S": IdentityFingerprint::of(&identity("maria")).to_string()},
                "session": {"S": session("alice").to_string()},
            }),
            json!({
                "pk": {"S": "ACCOUNT#alice"},
                "sk": {"S": "LINK#magento"},
                "issuer": {"S": "https://magento.example"},
                "subject": {"S": "maria"},
                "email": {"S": "person@example.com"},
                "linked_at": {"N": at(5).unix_ms().to_string()},
            }),
            json!({
                "pk": {"S": "IDENTITY#https://magento.example#maria"},
                "sk": {"S": "OWNER"},
                "account_id": {"S": "alice"},
                "email": {"S": "person@example.com"},
            }),
        ]
    );
    let link = Link {
        identity: identity("maria"),
        email: Some(email("person@example.com")),
        linked_at: at(5),
    };
    assert_eq!(world.read("alice").await.link, Some(link));
}

async fn the_same_pair_again_keeps_the_date_and_takes_the_new_label(world: World) {
    world.unlink("alice", at(0)).await.unwrap();
    world.link("alice", "maria", at(10)).await;
    let mut again = attempt("alice", "maria", at(20));
    again.email = Some(email("new@example.com"));

    assert_eq!(said(&world.commit(&again, at(25)).await), "Ok(Linked)");

    let record = world.read("alice").await;
    assert_eq!(record.flows_valid_after, Some(at(0)));
    let link = record.link.unwrap();
    assert_eq!((link.linked_at, link.email), (at(15), Some(email("new@example.com"))));
    let owner = world
        .item("IDENTITY#https://magento.example#maria", "OWNER")
        .await
        .unwrap();
    assert_eq!(owner["email"]["S"], "new@example.com");
    assert_eq!(world.history("alice").await, ["linked", "linked"]);
}

async fn a_label_that_the_provider_no_longer_states_is_dropped(world: World) {
    world.link("alice", "maria", at(0)).await;
    let mut again = attempt("alice", "maria", at(10));
    again.email = None;

    world.commit(&again, at(15)).await.unwrap();

    assert_eq!(world.read("alice").await.link.unwrap().email, None);
    let owner = world
        .item("IDENTITY#https://magento.example#maria", "OWNER")
        .await
        .unwrap();
    assert_eq!(owner.get("email"), None);
}

async fn a_flow_committed_twice_is_linked_once(world: World) {
    let attempt = world.link("alice", "maria", at(0)).await;
    let before = world.database.items().await;

    assert_eq!(said(&world.commit(&attempt, at(9)).await), "Ok(Linked)");

    assert_eq!(world.database.items().await, before);
}

async fn a_flow_links_only_the_identity_it_linked(world: World) {
    let linked = world.link("alice", "maria", at(0)).await;
    let mut other = attempt("alice", "mario", at(0));
    other.flow_id = linked.flow_id;
    let before = world.database.items().await;

    assert_eq!(said(&world.commit(&other, at(9)).await), "Err(FlowSpent)");

    assert_eq!(world.database.items().await, before);
}

async fn a_flow_that_ended_otherwise_links_nothing(world: World) {
    let attempt = attempt("alice", "maria", at(0));
    world.table.cancel(&attempt, at(5), deadline()).await.unwrap();

    assert_eq!(said(&world.commit(&attempt, at(6)).await), "Err(FlowSpent)");

    assert_eq!(world.linked_subject("alice").await, None);
}

async fn an_identity_in_use_is_refused_and_nothing_is_written(world: World) {
    world.link("alice", "maria", at(0)).await;
    let before = world.database.items().await;

    assert_eq!(
        said(&world.commit(&attempt("bob", "maria", at(10)), at(15)).await),
        "Err(IdentityInUse)"
    );

    assert_eq!(world.database.items().await, before);
}

async fn an_account_linked_otherwise_is_refused_and_nothing_is_written(world: World) {
    world.link("alice", "maria", at(0)).await;
    let before = world.database.items().await;

    assert_eq!(
        said(&world.commit(&attempt("alice", "mario", at(10)), at(15)).await),
        "Err(AccountAlreadyLinked)"
    );

    assert_eq!(world.database.items().await, before);
}

async fn a_flow_started_at_or_before_an_unlink_links_nothing(world: World) {
    world.link("alice", "maria", at(0)).await;
    world.unlink("alice", at(20)).await.unwrap();

    for started_at in [at(10), at(20)] {
        let early = attempt("alice", "maria", started_at);
        assert_eq!(said(&world.commit(&early, at(25)).await), "Err(FlowOutdated)");
    }

    let a_millisecond_later = at(20).plus(std::time::Duration::from_millis(1));
    assert_eq!(
        said(
            &world
                .commit(&attempt("alice", "maria", a_millisecond_later), at(25))
                .await
        ),
        "Ok(Linked)"
    );
}

async fn the_flows_outcome_is_told_before_everything_else(world: World) {
    // Linked by this flow, then unlinked, then both were linked otherwise: every condition fails.
    let first = world.link("alice", "maria", at(0)).await;
    world.unlink("alice", at(10)).await.unwrap();
    world.link("alice", "mario", at(20)).await;
    world.link("bob", "maria", at(20)).await;

    assert_eq!(said(&world.commit(&first, at(30)).await), "Ok(Linked)"); // what this flow did, not what is now
    let mut other_identity = first.clone();
    other_identity.identity = identity("luigi");
    assert_eq!(said(&world.commit(&other_identity, at(30)).await), "Err(FlowSpent)");

    assert_eq!(world.linked_subject("alice").await.as_deref(), Some("mario"));
    assert_eq!(world.linked_subject("bob").await.as_deref(), Some("maria"));
}

async fn an_outdated_flow_is_told_before_whose_the_identity_is(world: World) {
    world.unlink("alice", at(10)).await.unwrap();
    world.link("alice", "mario", at(20)).await;
    world.link("bob", "maria", at(20)).await;

    assert_eq!(
        said(&world.commit(&attempt("alice", "maria", at(5)), at(30)).await),
        "Err(FlowOutdated)"
    );
}

async fn an_identity_in_use_is_told_before_what_the_account_is_linked_to(world: World) {
    world.link("alice", "mario", at(0)).await;
    world.link("bob", "maria", at(0)).await;

    assert_eq!(
        said(&world.commit(&attempt("alice", "maria", at(10)), at(15)).await),
        "Err(IdentityInUse)"
    );
}

async fn an_exemption_survives(world: World) {
    let exemption = json!({"M": {
        "until": {"N": at(1000).unix_ms().to_string()},
        "reason": {"S": "migrating"},
        "by": {"S": "arn:aws:iam::123456789012:user/olga"},
    }});
    let link = json!({"pk": {"S": "ACCOUNT#alice"}, "sk": {"S": "LINK#magento"}, "exemption": exemption});
    world.database.put(link).await;
    let granted = world.read("alice").await.exemption.unwrap();
    assert_eq!((granted.until, granted.reason.as_str()), (at(1000), "migrating"));

    world.link("alice", "maria", at(0)).await;
    assert_eq!(world.read("alice").await.exemption.as_ref(), Some(&granted));
    world.switch(&attempt("alice", "mario", at(10)), at(15)).await.unwrap();
    assert_eq!(world.read("alice").await.exemption.as_ref(), Some(&granted));
    world.unlink("alice", at(20)).await.unwrap();
    assert_eq!(world.read("alice").await.exemption.as_ref(), Some(&granted));
    world.unlink("alice", at(30)).await.unwrap();
    assert_eq!(world.read("alice").await.exemption, Some(granted));
}
