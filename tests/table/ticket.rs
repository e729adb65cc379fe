//! Handing out tickets and redeeming them.

use std::time::Duration;

use account_linking::{
    clock::{SystemRandomness, Timestamp},
    table::{NewTicket, Owner, TableError, TicketError},
    ticket::{Challenge, SignIn, TICKET_LIFETIME, Ticket, TicketHash},
};
use harness::database_proxy::Fate;
use serde_json::json;

use crate::world::{World, account, at, deadline, email, identity, magento, on_both_engines, said, token};

on_both_engines![
    an_owner_is_who_linked_last,
    a_ticket_is_redeemed_once,
    a_ticket_that_says_everything_is_redeemed_as_it_was_written,
    a_wrong_verifier_gets_nothing_and_spends_nothing,
    a_ticket_is_good_for_a_minute_and_no_longer,
    of_many_who_redeem_at_once_one_gets_the_answer,
    no_ticket_is_written_when_the_owner_is_another_than_was_read,
    a_changed_label_is_written_in_both_places_and_nothing_else_of_the_link_changes,
    a_label_is_not_written_to_a_link_with_another_identity,
    a_ticket_whose_write_s_answer_was_lost_is_there,
    a_redemption_is_sent_once,
];

pub(crate) const VERIFIER: &str = "what the login page keeps in the browser, and nobody else has";

pub(crate) fn sign_in(account: &str, subject: &str) -> SignIn {
    SignIn {
        account: self::account(account),
        provider: magento(),
        identity: identity(subject),
        provider_session: None,
        auth_time: None,
        acr: None,
        amr: Vec::new(),
    }
}

/// A fresh ticket for `account` by `subject`, and what it travels as.
pub(crate) fn new_ticket(account: &str, subject: &str) -> (NewTicket, String) {
    let ticket = Ticket::generate(&SystemRandomness::default()).unwrap();
    let new = NewTicket {
        hash: ticket.hash(),
        challenge: Challenge::of(VERIFIER),
        sign_in: sign_in(account, subject),
        changed_email: None,
    };
    (new, ticket.reveal())
}

impl World {
    pub(crate) async fn hand_out(&self, ticket: &NewTicket, now: Timestamp) -> Result<(), TicketError> {
        self.table.write_ticket(ticket, token(), now, deadline()).await
    }

    pub(crate) async fn redeem(
        &self,
        ticket: &str,
        verifier: &str,
        now: Timestamp,
    ) -> Result<Option<SignIn>, TableError> {
        self.table
            .redeem_ticket(TicketHash::of(ticket), Challenge::of(verifier), now, deadline())
            .await
    }

    async fn tickets(&self) -> usize {
        let items = self.database.items().await;
        items.iter().filter(|item| item["sk"]["S"] == "TICKET").count()
    }
}

async fn an_owner_is_who_linked_last(world: World) {
    let owner = async || world.table.read_owner(&identity("maria"), deadline()).await.unwrap();
    assert_eq!(owner().await, None);

    world.link("alice", "maria", at(0)).await;
    let alice = Owner {
        account: account("alice"),
        email: Some(email("person@example.com")),
    };
    assert_eq!(owner().await, Some(alice));

    world.unlink("alice", at(10)).await.unwrap();
    assert_eq!(owner().await, None);
    world.link("bob", "maria", at(20)).await;
    assert_eq!(owner().await.unwrap().account, account("bob"));
}

async fn a_ticket_is_redeemed_once(world: World) {
    world.link("alice", "maria", at(0)).await;
    let (new, ticket) = new_ticket("alice", "maria");
    world.hand_out(&new, at(10)).await.unwrap();

    assert_eq!(
        world.redeem(&ticket, VERIFIER, at(11)).await.unwrap(),
        Some(new.sign_in)
    );
    assert_eq!(world.redeem(&ticket, VERIFIER, at(12)).await.unwrap(), None);
    assert_eq!(world.tickets().await, 0);
}

async fn a_ticket_that_says_everything_is_redeemed_as_it_was_written(world: World) {
    world.link("alice", "maria", at(0)).await;
    let (mut new, ticket) = new_ticket("alice", "maria");
    new.sign_in.provider_session = Some("sid#1".to_owned());
    new.sign_in.auth_time = Some(at(5));
    new.sign_in.acr = Some("urn:mace:incommon:iap:silver".to_owned());
    new.sign_in.amr = vec!["pwd".to_owned(), "otp".to_owned(), "pwd".to_owned()];
    world.hand_out(&new, at(10)).await.unwrap();

    // What is stored is enough to answer with, and not enough to redeem with.
    assert_eq!(
        world.item(&format!("TICKET#{}", new.hash), "TICKET").await.unwrap(),
        json!({
            "pk": {"S": format!("TICKET#{}", new.hash)},
            "sk": {"S": "TICKET"},
            "challenge": {"S": Challenge::of(VERIFIER).to_string()},
            "valid_until": {"N": at(70).unix_ms().to_string()},
            "expires_at": {"N": at(71).unix_seconds().to_string()},
            "account_id": {"S": "alice"},
            "provider": {"S": "magento"},
            "issuer": {"S": "https://magento.example"},
            "subject": {"S": "maria"},
            "provider_session": {"S": "sid#1"},
            "auth_time": {"N": at(5).unix_ms().to_string()},
            "acr": {"S": "urn:mace:incommon:iap:silver"},
            "amr": {"L": [{"S": "pwd"}, {"S": "otp"}, {"S": "pwd"}]},
        })
    );
    assert_eq!(
        world.redeem(&ticket, VERIFIER, at(11)).await.unwrap(),
        Some(new.sign_in)
    );
}

async fn a_wrong_verifier_gets_nothing_and_spends_nothing(world: World) {
    world.link("alice", "maria", at(0)).await;
    let (new, ticket) = new_ticket("alice", "maria");
    world.hand_out(&new, at(10)).await.unwrap();

    let challenge = Challenge::of(VERIFIER).to_string();
    for wrong in ["", &VERIFIER[1..], &challenge, &ticket] {
        assert_eq!(world.redeem(&ticket, wrong, at(11)).await.unwrap(), None, "{wrong}");
    }
    for other in ["", &ticket[1..], &format!("{ticket}="), &new.hash.to_string()] {
        assert_eq!(world.redeem(other, VERIFIER, at(11)).await.unwrap(), None, "{other}");
    }
    assert!(world.redeem(&ticket, VERIFIER, at(12)).await.unwrap().is_some());
}

async fn a_ticket_is_good_for_a_minute_and_no_longer(world: World) {
    world.link("alice", "maria", at(0)).await;
    let handed_out = at(10).plus(Duration::from_millis(999));
    let last = handed_out.plus(TICKET_LIFETIME).minus(Duration::from_millis(1));
    for (now, is_good) in [(last, true), (handed_out.plus(TICKET_LIFETIME), false)] {
        let (new, ticket) = new_ticket("alice", "maria");
        world.hand_out(&new, handed_out).await.unwrap();
        assert_eq!(world.redeem(&ticket, VERIFIER, now).await.unwrap().is_some(), is_good);
    }
}

async fn of_many_who_redeem_at_once_one_gets_the_answer(world: World) {
    world.link("alice", "maria", at(0)).await;
    let (new, ticket) = new_ticket("alice", "maria");
    world.hand_out(&new, at(10)).await.unwrap();

    let tries: Vec<_> = (0..20)
        .map(|_| {
            let (world, ticket) = (world.clone(), ticket.clone());
            tokio::spawn(async move { world.redeem(&ticket, VERIFIER, at(11)).await.unwrap() })
        })
        .collect();
    let mut answers = 0;
    for redemption in tries {
        answers += usize::from(redemption.await.unwrap().is_some());
    }
    assert_eq!(answers, 1);
}

async fn no_ticket_is_written_when_the_owner_is_another_than_was_read(world: World) {
    for (subject, changed_email) in [("maria", None), ("mario", Some(email("new@example.com")))] {
        let (first, second) = (format!("first-{subject}"), format!("second-{subject}"));
        world.link(&first, subject, at(0)).await;
        let mut new = new_ticket(&first, subject).0;
        new.changed_email = changed_email;
        world.unlink(&first, at(10)).await.unwrap();

        let to_nobody = world.hand_out(&new, at(11)).await;
        assert!(matches!(to_nobody, Err(TicketError::OwnerChanged)), "{to_nobody:?}");
        world.link(&second, subject, at(20)).await;
        let to_another = world.hand_out(&new, at(30)).await;
        assert!(matches!(to_another, Err(TicketError::OwnerChanged)), "{to_another:?}");

        assert_eq!(world.tickets().await, 0);
        assert_eq!(
            world.read(&second).await.link.unwrap().email,
            Some(email("person@example.com"))
        );
    }
}

async fn a_changed_label_is_written_in_both_places_and_nothing_else_of_the_link_changes(world: World) {
    world.link("alice", "maria", at(0)).await;
    let before = world.read("alice").await;
    let (mut new, ticket) = new_ticket("alice", "maria");
    new.changed_email = Some(email("new@example.com"));
    world.hand_out(&new, at(10)).await.unwrap();

    let mut expected = before;
    expected.link.as_mut().unwrap().email = Some(email("new@example.com"));
    assert_eq!(world.read("alice").await, expected);
    let owner = world.table.read_owner(&identity("maria"), deadline()).await.unwrap();
    assert_eq!(owner.unwrap().email, Some(email("new@example.com")));
    assert!(world.redeem(&ticket, VERIFIER, at(11)).await.unwrap().is_some());
    assert_eq!(world.history("alice").await, ["linked"]);
}

async fn a_label_is_not_written_to_a_link_with_another_identity(world: World) {
    world.link("alice", "maria", at(0)).await;
    // An owner that no link agrees with, as no code of ours writes it.
    let owner = json!({"pk": {"S": "IDENTITY#https://magento.example#mario"}, "sk": {"S": "OWNER"}, "account_id": {"S": "alice"}});
    world.database.put(owner).await;
    let mut new = new_ticket("alice", "mario").0;
    new.changed_email = Some(email("new@example.com"));

    let outcome = world.hand_out(&new, at(10)).await;

    assert!(
        matches!(outcome, Err(TicketError::Table(TableError::Corrupt { .. }))),
        "{outcome:?}"
    );
    assert_eq!(world.tickets().await, 0);
    assert_eq!(
        world.read("alice").await.link.unwrap().email,
        Some(email("person@example.com"))
    );
}

async fn a_ticket_whose_write_s_answer_was_lost_is_there(world: World) {
    world.link("alice", "maria", at(0)).await;
    let (behind, proxy) = world.behind_proxy().await;
    proxy.next("TransactWriteItems", [Fate::LoseAnswer]);
    let (new, ticket) = new_ticket("alice", "maria");

    assert_eq!(said(&behind.hand_out(&new, at(10)).await), "Ok(())");

    assert_eq!(proxy.operations(), ["TransactWriteItems", "TransactWriteItems"]);
    assert!(world.redeem(&ticket, VERIFIER, at(11)).await.unwrap().is_some());
}

async fn a_redemption_is_sent_once(world: World) {
    world.link("alice", "maria", at(0)).await;
    for fate in [Fate::LoseAnswer, Fate::LoseRequest, Fate::throttled()] {
        let (new, ticket) = new_ticket("alice", "maria");
        world.hand_out(&new, at(10)).await.unwrap();
        let (behind, proxy) = world.behind_proxy().await;
        proxy.next("DeleteItem", [fate]);

        let outcome = behind.redeem(&ticket, VERIFIER, at(11)).await;

        assert!(matches!(outcome, Err(TableError::Unavailable { .. })), "{outcome:?}");
        assert_eq!(proxy.operations(), ["DeleteItem"]);
    }
}
