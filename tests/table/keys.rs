//! Hostile and extreme names, and items that are not ours.

use account_linking::{
    identity::{AccountId, EmailAddress, Identity, Issuer, ProviderId, Subject},
    link::{AccountRecord, Actor},
    table::{TableError, Unlinked},
};
use serde_json::{Value, json};

use crate::world::{World, account, at, attempt, deadline, event_id, magento, on_both_engines, said, token};

on_both_engines![
    st_13_names_with_separators_are_kept_apart,
    a_subject_is_compared_byte_for_byte,
    the_longest_names_are_linked_and_unlinked,
    links_at_two_providers_are_independent,
    an_item_that_is_not_ours_is_an_error_and_names_no_value,
];

async fn st_13_names_with_separators_are_kept_apart(world: World) {
    let pairs = [
        ("a", "b#c"),
        ("a#b", "c"),
        ("a#LINK#magento", "b"),
        ("EVENT#", "#"),
        ("a#b#", "b##c"),
    ];
    for (account, subject) in pairs {
        world.link(account, subject, at(0)).await;
    }

    for (account, subject) in pairs {
        assert_eq!(world.linked_subject(account).await.as_deref(), Some(subject));
    }
    let pks: Vec<_> = world
        .database
        .items()
        .await
        .into_iter()
        .map(|item| item["pk"]["S"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        pks.iter().any(|pk| pk == "IDENTITY#https://magento.example#b#c"),
        "{pks:?}"
    );
    assert!(pks.iter().any(|pk| pk == "ACCOUNT#a#LINK#magento"), "{pks:?}");
}

async fn a_subject_is_compared_byte_for_byte(world: World) {
    world.link("alice", "Maria", at(0)).await;
    world.link("bob", "maria", at(0)).await;
    world.link("carol", "maria/", at(0)).await;

    assert_eq!(world.linked_subject("alice").await.as_deref(), Some("Maria"));
    assert_eq!(world.linked_subject("bob").await.as_deref(), Some("maria"));
}

async fn the_longest_names_are_linked_and_unlinked(world: World) {
    let mut longest = attempt("alice", "maria", at(0));
    longest.account = AccountId::parse("#".repeat(128)).unwrap();
    longest.provider = ProviderId::parse("p".repeat(32)).unwrap();
    longest.identity = Identity {
        issuer: Issuer::parse(format!("https://{}", "i".repeat(247))).unwrap(),
        subject: Subject::parse("~".repeat(255)).unwrap(),
    };
    longest.email = EmailAddress::parse(&format!("{}@{}", "é".repeat(64), "d".repeat(125)));
    assert_eq!(longest.email.as_ref().unwrap().reveal().len(), 254);

    world.table.commit(&longest, token(), at(5), deadline()).await.unwrap();

    let link = world
        .table
        .read_account(&longest.account, &longest.provider, deadline())
        .await
        .unwrap()
        .link
        .unwrap();
    assert_eq!(
        (link.identity, link.email),
        (longest.identity.clone(), longest.email.clone())
    );
    let actor = Actor::Session(longest.session);
    let unlinked = world
        .table
        .unlink(
            &longest.account,
            &longest.provider,
            &actor,
            event_id(),
            at(10),
            deadline(),
        )
        .await;
    assert_eq!(unlinked.unwrap(), Unlinked::Ended);
}

async fn links_at_two_providers_are_independent(world: World) {
    world.link("alice", "maria", at(0)).await;
    let adobe = ProviderId::parse("adobe").unwrap();
    let mut other = attempt("alice", "maria", at(0));
    other.provider = adobe.clone();
    other.identity.issuer = Issuer::parse("https://adobe.example").unwrap();
    world.commit(&other, at(5)).await.unwrap();

    world.unlink("alice", at(10)).await.unwrap();

    let record = world
        .table
        .read_account(&account("alice"), &adobe, deadline())
        .await
        .unwrap();
    assert_eq!(record.link.unwrap().identity, other.identity);
    assert_eq!(record.flows_valid_after, None);
}

async fn an_item_that_is_not_ours_is_an_error_and_names_no_value(world: World) {
    assert_eq!(world.read("nobody").await, AccountRecord::default());

    let good = json!({
        "issuer": {"S": "https://magento.example"}, "subject": {"S": "maria"}, "linked_at": {"N": "1"},
    });
    let broken: [(&str, Value); 7] = [
        ("issuer", json!({"N": "1"})),
        ("issuer", json!({"S": "hush"})),
        ("subject", json!({"S": "hush hush"})),
        ("linked_at", json!({"S": "hush"})),
        ("linked_at", json!({"N": "1.5"})),
        ("flows_valid_after", json!({"S": "hush"})),
        ("exemption", json!({"S": "hush"})),
    ];
    for (attribute, value) in broken {
        let mut item = good.clone();
        item[attribute] = value;
        item["pk"] = json!({"S": "ACCOUNT#alice"});
        item["sk"] = json!({"S": "LINK#magento"});
        world.database.put(item).await;

        let error = world
            .table
            .read_account(&account("alice"), &magento(), deadline())
            .await
            .unwrap_err();

        assert!(
            matches!(error, TableError::Corrupt { item: "a link", attribute: named } if named == attribute),
            "{attribute}: {error:?}"
        );
        assert!(
            !said(&error).contains("hush") && !error.to_string().contains("hush"),
            "{error:?}"
        );
    }
}
