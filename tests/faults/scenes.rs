//! What can happen at each function, up to the one request that meets the fault.

use account_linking::ticket::Challenge;
use harness::{
    browser::{Answer, Outgoing},
    engines::Engine,
    iam,
    magento::{Magento, Person},
    stack::{CHOOSE, Setup, Stack},
};
use http::Method;
use serde_json::{Value, json};

const CONFIRM: &str = "/sso/magento/confirm";
const ACCOUNT: &str = "/sso/magento/accounts/YWNjdDo3UVhXLTJMTUQjQTE"; // Alice's
const VERIFIER: &str = "what the login page keeps in the browser, and nobody else has";

/// One way through one function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scene {
    Status,
    CallbackLinks,
    CallbackAsks,
    CallbackIdentityInUse,
    CallbackSignsIn,
    CallbackSignsInWithNewLabel,
    CallbackNotLinked,
    ConfirmShows,
    ConfirmLinks,
    ConfirmSwitches,
    ConfirmDeclines,
    Unlink,
    UnlinkNothing,
    RedeemTicket,
    AccountPolicy,
    Exempt,
    EndExemption,
    UnlinkAccount,
}

impl Scene {
    /// The function that gets the request.
    pub(crate) const fn function(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::CallbackLinks
            | Self::CallbackAsks
            | Self::CallbackIdentityInUse
            | Self::CallbackSignsIn
            | Self::CallbackSignsInWithNewLabel
            | Self::CallbackNotLinked => "callback",
            Self::ConfirmShows | Self::ConfirmLinks | Self::ConfirmSwitches | Self::ConfirmDeclines => "confirm",
            Self::Unlink | Self::UnlinkNothing => "unlink",
            Self::RedeemTicket => "redeem-ticket",
            Self::AccountPolicy | Self::Exempt | Self::EndExemption | Self::UnlinkAccount => "account-policy",
        }
    }

    /// What comes of the request when nothing goes wrong.
    pub(crate) const fn outcome(self) -> &'static str {
        match self {
            Self::CallbackLinks | Self::ConfirmLinks | Self::ConfirmSwitches => "linked",
            Self::CallbackAsks => "confirm",
            Self::CallbackIdentityInUse => "identity_in_use",
            Self::CallbackSignsIn | Self::CallbackSignsInWithNewLabel => "ticket",
            Self::CallbackNotLinked => "not_linked",
            Self::ConfirmDeclines => "cancelled",
            Self::Unlink | Self::UnlinkNothing => "unlinked",
            Self::Status | Self::ConfirmShows | Self::RedeemTicket | Self::AccountPolicy => "200",
            Self::Exempt | Self::EndExemption | Self::UnlinkAccount => "204",
        }
    }

    /// Whether the answer does not depend on the call at `place`: the history's entry of an `identity_in_use`.
    pub(crate) fn is_best_effort(self, place: usize) -> bool {
        self == Self::CallbackIdentityInUse && place == 2
    }

    /// Whether a call that gets no answer is not made again.
    pub(crate) fn is_sent_once(self) -> bool {
        self == Self::RedeemTicket
    }

    pub(crate) fn setup(self) -> Setup {
        // Linking is never required, so that whoever linked still signs in by e-mail.
        let setup = Setup::new(Engine::Embedded, Magento::Development).with("LINKING_REQUIRED_FROM", "never");
        match self {
            Self::CallbackIdentityInUse => setup.with("CONFIRM_LINK", "never"),
            _ => setup,
        }
    }

    /// Makes the table what the scene begins with.
    pub(crate) async fn given(self, stack: &Stack) {
        for item in stack.database.items().await {
            let key = json!({"Key": {"pk": item["pk"], "sk": item["sk"]}});
            stack.database.call("DeleteItem", key).await;
        }
        match self {
            Self::CallbackLinks
            | Self::CallbackAsks
            | Self::CallbackNotLinked
            | Self::ConfirmLinks
            | Self::ConfirmDeclines
            | Self::UnlinkNothing
            | Self::AccountPolicy
            | Self::Exempt => {}
            Self::EndExemption => {
                let exempted = exemption(stack).send().await;
                assert_eq!(exempted.status, 204, "{exempted:?}");
            }
            Self::Status
            | Self::CallbackIdentityInUse
            | Self::CallbackSignsIn
            | Self::CallbackSignsInWithNewLabel
            | Self::ConfirmShows
            | Self::ConfirmSwitches
            | Self::Unlink
            | Self::RedeemTicket
            | Self::UnlinkAccount => {
                stack.linked(Person::Alice, Person::Alice).await;
            }
        }
        if self == Self::CallbackSignsInWithNewLabel {
            for mut item in stack.database.items().await {
                if item["email"]["S"].is_string() {
                    item["email"]["S"] = "alice@before.example".into();
                    stack.database.put(item).await;
                }
            }
        }
    }

    /// What people do until the request, which is not sent yet. The table may be as before the scene or as after it.
    pub(crate) async fn prepared(self, stack: &Stack) -> Outgoing {
        match self {
            Self::Status => {
                let page = stack.signed_in(Person::Alice).await;
                page.fetching(Method::GET, "/sso/magento/status", "application/json")
            }
            Self::CallbackLinks => answered(stack, Person::Alice, Person::Alice).await,
            Self::CallbackAsks => answered(stack, Person::Bruno, Person::Bruno).await,
            Self::CallbackIdentityInUse => answered(stack, Person::Bruno, Person::Alice).await,
            Self::CallbackSignsIn | Self::CallbackSignsInWithNewLabel | Self::CallbackNotLinked => {
                signing_in(stack).await
            }
            Self::ConfirmShows => fetching_confirmation(&switching(stack).await),
            Self::ConfirmSwitches => deciding(&switching(stack).await, "link").await,
            Self::ConfirmLinks => deciding(&stack.asked_to_confirm(Person::Bruno, Person::Bruno).await, "link").await,
            Self::ConfirmDeclines => {
                deciding(&stack.asked_to_confirm(Person::Bruno, Person::Bruno).await, "cancel").await
            }
            Self::Unlink | Self::UnlinkNothing => {
                let page = stack.signed_in(Person::Alice).await;
                page.posting("/sso/magento/unlink", &[])
            }
            Self::RedeemTicket => {
                let signed_in = signing_in(stack).await.send().await;
                let ticket = signed_in.location_parameter("ticket").unwrap_or_default();
                let body = json!({"ticket": ticket, "verifier": VERIFIER});
                server_calls(stack, &Method::POST, "/sso/tickets/redeem", Some(&body))
            }
            Self::AccountPolicy => server_calls(stack, &Method::GET, ACCOUNT, None),
            Self::Exempt => exemption(stack),
            Self::EndExemption => server_calls(stack, &Method::DELETE, &format!("{ACCOUNT}/exemption"), None),
            Self::UnlinkAccount => server_calls(stack, &Method::DELETE, &format!("{ACCOUNT}/link"), None),
        }
    }

    /// What people do after `answer`: the same request again where the service says that this may help; else all of it once more.
    ///
    /// `is_done`: the database did the call that failed. Then a claim or a ticket is spent with the answer that was lost.
    pub(crate) async fn tries_again(self, stack: &Stack, request: Outgoing, answer: &Answer, is_done: bool) -> Answer {
        let reload_helps = match self.function() {
            "callback" => answer.status.is_server_error() && !is_done,
            "redeem-ticket" => !is_done,
            // Once decided it is over; until then the browser keeps it.
            "confirm" => self == Self::ConfirmShows || answer.set_cookies().is_empty(),
            _ => true,
        };
        if reload_helps {
            return request.send().await;
        }
        self.prepared(stack).await.send().await
    }
}

/// What came of a request, in a word: the `sso` that the page is told, or the status.
pub(crate) fn outcome_of(answer: &Answer) -> String {
    if answer.location_parameter("ticket").is_some() {
        return "ticket".to_owned();
    }
    match (answer.location_parameter("sso"), answer.status.as_u16()) {
        (Some(outcome), _) => outcome,
        (None, 500) => "internal_error".to_owned(),
        (None, 503) => "temporarily_unavailable".to_owned(),
        (None, status) => status.to_string(),
    }
}

/// `person` has brought the identity of `at_magento`: the redirect to the callback.
async fn answered(stack: &Stack, person: Person, at_magento: Person) -> Outgoing {
    let page = stack.signed_in(person).await.presses(CHOOSE).await.followed().await;
    stack.magento.signs_in(&page, at_magento).await.redirected()
}

/// Alice signs in at Magento.com: the redirect to the callback.
async fn signing_in(stack: &Stack) -> Outgoing {
    let start = stack.at(&format!("/sso/magento/sign-in?challenge={}", Challenge::of(VERIFIER)));
    let page = stack.browser().visits(&start).await;
    stack.magento.signs_in(&page, Person::Alice).await.redirected()
}

/// Alice, who has another identity already, is asked whether Bruno's shall take its place.
async fn switching(stack: &Stack) -> Answer {
    stack.clock().move_by_ms(1000);
    let settings = stack.signed_in(Person::Alice).await;
    let start = settings.posting("/sso/magento/start-link", &[("replace", "true"), ("account", "choose")]);
    let page = start.send().await.followed().await;
    stack.magento.signs_in(&page, Person::Bruno).await.followed().await
}

fn fetching_confirmation(page: &Answer) -> Outgoing {
    page.fetching(Method::GET, CONFIRM, "application/json")
}

/// The user of `page` decides about what is shown.
async fn deciding(page: &Answer, decision: &str) -> Outgoing {
    let shown = fetching_confirmation(page).send().await.json();
    let confirmation = shown["confirmation"].as_str().unwrap_or_default();
    page.posting(CONFIRM, &[("decision", decision), ("confirmation", confirmation)])
}

fn exemption(stack: &Stack) -> Outgoing {
    let body = json!({"until": "2999-01-01T00:00:00Z", "reason": "a merger"});
    server_calls(stack, &Method::PUT, &format!("{ACCOUNT}/exemption"), Some(&body))
}

fn server_calls(stack: &Stack, method: &Method, path: &str, body: Option<&Value>) -> Outgoing {
    iam::signed(stack, method, path, body, iam::SECRET_ACCESS_KEY)
}
