//! The confirmation page: the two accounts and the decision about them, without JavaScript.

use http::{Response, StatusCode};

use super::{
    super::{
        html::Html,
        texts::{Language, fill, time_of_day},
        views::{ConfirmView, MaskedEmail},
    },
    FormTargets, Writer, button, element, form, linked_after, paragraph, respond,
};
use crate::identity::EmailAddress;

/// The two accounts and the decision about them, below what a URL claims that went wrong before.
#[must_use]
pub fn confirm(
    view: &ConfirmView,
    provider_name: &str,
    outcome: Option<&str>,
    reference: Option<&str>,
    language: Language,
    settings_url: &str,
) -> Response<String> {
    let writer = Writer::new(language, provider_name);
    let title = &language.texts().section.title;
    let mut contents = vec![element("h1", "", [Html::text(title)])];
    // That it waits to be confirmed is what this page is, and that something is linked or unlinked it cannot know.
    let went_wrong = |outcome: &&str| *outcome != "confirm" && linked_after(outcome).is_none();
    contents.extend(
        outcome
            .filter(went_wrong)
            .map(|outcome| writer.message(outcome, reference)),
    );
    contents.push(writer.confirmation(view));
    respond(
        StatusCode::OK,
        language,
        title,
        contents,
        settings_url,
        FormTargets::Sources(&[]),
    )
}

impl Writer<'_> {
    /// Who would be linked to whom, instead of whom, and until when that can be decided.
    fn confirmation(&self, view: &ConfirmView) -> Html {
        let texts = &self.language.texts().confirm;
        let side = |label: &str, email: Option<&str>, remark: Option<Html>| {
            let email = Html::text(email.unwrap_or(&texts.email_unknown));
            let label = element("dt", "", [Html::text(&self.say(label))]);
            element("div", "", [label, element("dd", "", [email].into_iter().chain(remark))])
        };
        let identity_email = view.identity.email.as_ref().map(EmailAddress::reveal);
        let unverified = (identity_email.is_some() && !view.identity.email_verified)
            .then(|| element("small", "", [Html::text(&self.say(&texts.email_unverified))]));
        let mut sides = vec![
            side(
                &texts.account,
                view.account.email.as_ref().map(EmailAddress::reveal),
                None,
            ),
            side(&texts.identity, identity_email, unverified),
        ];
        if let Some(replacing) = &view.replacing {
            sides.push(side(
                &texts.replacing,
                replacing.email.as_ref().map(MaskedEmail::as_str),
                None,
            ));
        }
        let (title, link) = match view.replacing {
            Some(_) => (&texts.title_switch, &texts.link_switch),
            None => (&texts.title, &texts.link),
        };
        let decisions = [
            button("sso-button sso-primary", Some(("decision", "link")), link),
            button("sso-button", Some(("decision", "cancel")), &texts.cancel),
        ];
        let expires_at = fill(&texts.expires_at, &[("time", &time_of_day(view.expires_at))]);
        let children = [
            element("h2", "", [Html::text(&self.say(title))]),
            paragraph("", &self.say(&texts.explanation)),
            element("dl", "sso-accounts", sides),
            // Relative to this page, `/sso/{provider}/confirm`: the form goes back to where it came from.
            form("confirm", &[("confirmation", &view.confirmation)], decisions),
            paragraph("sso-subdued", &expires_at),
        ];
        element("div", "sso-confirm", children)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            super::views::{tests::confirm_view, *},
            tests::{HARMLESS, HOSTILE, SETTINGS, email},
        },
        *,
    };

    #[test]
    fn a_confirmation_names_both_accounts_and_carries_what_was_shown() {
        let body = confirm(&confirm_view(), "Magento.com", None, None, Language::English, SETTINGS).into_body();
        for expected in [
            "<h2>Connect these two accounts?</h2>",
            "<dt>Cloud account</dt><dd>maria@cloud.example</dd>",
            "<dt>Magento.com account</dt><dd>maria@shop.example</dd>",
            r#"action="confirm"><input type="hidden" name="confirmation" value="AAAAAAAAAAAAAAAAAAAAAA">"#,
            r#"name="decision" value="link">Connect</button>"#,
            r#"name="decision" value="cancel">Cancel</button>"#,
            "until 10:21 UTC.",
        ] {
            assert!(body.contains(expected), "{expected}");
        }
        assert!(!body.contains("not verified") && !body.contains("Connected until now"));
    }

    #[test]
    fn a_switch_names_the_masked_link_it_would_end_and_doubts_are_told() {
        let view = ConfirmView {
            account: AccountView { email: None },
            identity: ConfirmIdentityView {
                email_verified: false,
                ..confirm_view().identity
            },
            replacing: Some(ReplacedLinkView {
                email: Some(MaskedEmail::of(&email("old@shop.example"))),
            }),
            ..confirm_view()
        };
        let body = confirm(&view, "Magento.com", None, None, Language::English, SETTINGS).into_body();
        for expected in [
            "<h2>Switch to this Magento.com account?</h2>",
            "<dd>e-mail address not known</dd>",
            "maria@shop.example<small>Magento.com has not verified this address.</small>",
            "<dt>Connected until now</dt><dd>o***@shop.example</dd>",
            r#"value="link">Switch</button>"#,
        ] {
            assert!(body.contains(expected), "{expected}");
        }
    }

    #[test]
    fn what_went_wrong_before_is_told_and_nothing_that_this_page_cannot_know() {
        let body = |outcome| {
            let reference = Some("JKJaXmPLvHcESHA=");
            confirm(
                &confirm_view(),
                "Magento.com",
                Some(outcome),
                reference,
                Language::English,
                SETTINGS,
            )
            .into_body()
        };
        let wrong = body("temporarily_unavailable");
        let text = &Language::English.texts().outcome("temporarily_unavailable").title;
        assert!(wrong.contains(r#"data-success="false""#) && wrong.contains(text.as_str()));
        assert!(wrong.contains("Reference for support: JKJaXmPLvHcESHA="));
        for claim in ["linked", "unlinked", "confirm"] {
            assert!(!body(claim).contains("sso-message-title\">"), "{claim}");
        }
    }

    #[test]
    fn a_confirmation_keeps_hostile_values_text() {
        let view = ConfirmView {
            account: AccountView {
                email: Some(email(&format!("{HOSTILE}@a"))),
            },
            identity: ConfirmIdentityView {
                email: Some(email(&format!("{HOSTILE}@b"))),
                email_verified: false,
            },
            confirmation: HOSTILE.to_owned(),
            ..confirm_view()
        };
        let page = confirm(&view, HOSTILE, None, None, Language::French, HOSTILE).into_body();
        assert!(!page.contains("<script"));
        assert_eq!(page.matches(HARMLESS).count(), 7);
    }
}
