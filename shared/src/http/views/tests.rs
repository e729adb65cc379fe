use serde_json::{json, to_value};

use super::*;

fn email(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

fn instant(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

#[test]
fn who_signed_in_is_told_with_what_the_provider_said_and_nothing_else() {
    use crate::identity::{Identity, Issuer, Subject};

    let plain = SignIn {
        account: AccountId::parse("alice").unwrap(),
        provider: ProviderId::parse("magento").unwrap(),
        identity: Identity {
            issuer: Issuer::parse("https://magento.example").unwrap(),
            subject: Subject::parse("maria").unwrap(),
        },
        provider_session: None,
        auth_time: None,
        acr: None,
        amr: Vec::new(),
    };
    assert_eq!(
        to_value(RedeemedTicketView::from(plain.clone())).unwrap(),
        json!({
            "account_id": "alice",
            "provider": "magento",
            "identity": {"iss": "https://magento.example", "sub": "maria"}
        })
    );
    let full = SignIn {
        provider_session: Some("s".to_owned()),
        auth_time: Some(instant("2020-03-02T10:11:12Z")),
        acr: Some("2".to_owned()),
        amr: vec!["pwd".to_owned(), "otp".to_owned()],
        ..plain
    };
    assert_eq!(
        to_value(RedeemedTicketView::from(full)).unwrap(),
        json!({
            "account_id": "alice",
            "provider": "magento",
            "identity": {"iss": "https://magento.example", "sub": "maria", "sid": "s"},
            "auth_time": 1_583_143_872,
            "acr": "2",
            "amr": ["pwd", "otp"]
        })
    );
}

fn not_linked() -> StatusView {
    StatusView {
        provider: ProviderView {
            id: ProviderId::parse("magento").unwrap(),
            name: "Magento.com".into(),
        },
        account: AccountView {
            email: Some(email("maria@cloud.example")),
        },
        link: None,
        requirement: RequirementView {
            required: false,
            since: None,
            exempt_until: None,
        },
        actions: ActionsView::of(&ProviderId::parse("magento").unwrap()),
        reauthenticate: Some("https://accounts.example/sign-in".into()),
    }
}

#[test]
fn status_of_a_linked_account_is_the_json_of_the_contract() {
    let linked = StatusView {
        link: Some(LinkView {
            linked_at: instant("2020-03-02T10:11:12Z"),
            email: Some(MaskedEmail::of(&email("maria@example.com"))),
        }),
        requirement: RequirementView {
            required: true,
            since: Some(instant("2020-04-01T00:00:00Z")),
            exempt_until: None,
        },
        reauthenticate: None,
        ..not_linked()
    };
    assert_eq!(
        to_value(linked).unwrap(),
        json!({
            "provider": {"id": "magento", "name": "Magento.com"},
            "account": {"email": "maria@cloud.example"},
            "status": "linked",
            "link": {"linked_at": "2020-03-02T10:11:12Z", "email": "m***@example.com"},
            "requirement": {"required": true, "since": "2020-04-01T00:00:00Z", "exempt_until": null},
            "actions": {"start_link": "/sso/magento/start-link", "unlink": "/sso/magento/unlink"},
            "reauthenticate": null
        })
    );
}

#[test]
fn status_of_an_account_that_is_not_linked_has_no_link() {
    assert_eq!(
        to_value(not_linked()).unwrap(),
        json!({
            "provider": {"id": "magento", "name": "Magento.com"},
            "account": {"email": "maria@cloud.example"},
            "status": "not_linked",
            "link": null,
            "requirement": {"required": false, "since": null, "exempt_until": null},
            "actions": {"start_link": "/sso/magento/start-link", "unlink": "/sso/magento/unlink"},
            "reauthenticate": "https://accounts.example/sign-in"
        })
    );
}

/// Two accounts that somebody is asked about.
pub(in crate::http) fn confirm_view() -> ConfirmView {
    ConfirmView {
        account: AccountView {
            email: Some(email("maria@cloud.example")),
        },
        identity: ConfirmIdentityView {
            email: Some(email("maria@shop.example")),
            email_verified: true,
        },
        expires_at: instant("2020-03-02T10:21:12Z"),
        replacing: None,
        confirmation: "AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
    }
}

#[test]
fn confirm_masks_only_the_link_that_would_be_switched() {
    let view = ConfirmView {
        replacing: Some(ReplacedLinkView {
            email: Some(MaskedEmail::of(&email("old@shop.example"))),
        }),
        ..confirm_view()
    };
    assert_eq!(
        to_value(view).unwrap(),
        json!({
            "account": {"email": "maria@cloud.example"},
            "identity": {"email": "maria@shop.example", "email_verified": true},
            "expires_at": "2020-03-02T10:21:12Z",
            "replacing": {"email": "o***@shop.example"},
            "confirmation": "AAAAAAAAAAAAAAAAAAAAAA"
        })
    );
}
