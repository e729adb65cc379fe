//! The status page: the same facts, forms and texts as the settings section, without JavaScript.

use http::{Response, StatusCode};

use super::{
    super::{
        html::Html,
        texts::{Language, fill},
        views::{LinkView, MaskedEmail, RequirementView, StatusView},
    },
    FormTargets, Writer, button, element, form, linked_after, paragraph, respond,
};
use crate::identity::EmailAddress;

/// What the settings section would show. `outcome` is `sso=` as it came, `reference` what support finds its request by; `form_sources` are
/// where start-link redirects to.
#[must_use]
pub fn status(
    view: &StatusView,
    outcome: Option<&str>,
    reference: Option<&str>,
    language: Language,
    settings_url: &str,
    form_sources: &[String],
) -> Response<String> {
    let writer = Writer::new(language, &view.provider.name);
    let title = &language.texts().section.title;
    let mut contents = vec![element("h1", "", [Html::text(title)])];
    // Success is told only when the link agrees: anybody can write a URL.
    let agrees = |outcome: &&str| linked_after(outcome).is_none_or(|linked| linked == view.link.is_some());
    contents.extend(outcome.filter(agrees).map(|outcome| writer.message(outcome, reference)));
    let facts = writer.facts(view.link.as_ref(), view.requirement);
    contents.push(element(
        "div",
        "sso-content",
        facts.into_iter().chain(writer.actions(view)),
    ));
    respond(
        StatusCode::OK,
        language,
        title,
        contents,
        settings_url,
        FormTargets::Sources(form_sources),
    )
}

impl Writer<'_> {
    /// What is known: the provider, the status, the link, the requirement.
    fn facts(&self, link: Option<&LinkView>, requirement: RequirementView) -> Vec<Html> {
        let (texts, section) = (self.language.texts(), &self.language.texts().section);
        let mut facts = Vec::new();
        if link.is_none() {
            facts.push(paragraph("", &self.say(&section.introduction)));
        }
        facts.push(paragraph("", &self.say(&section.provider)));
        let (linked, status) = match link {
            Some(_) => ("true", &section.status_linked),
            None => ("false", &section.status_not_linked),
        };
        facts.push(Html::element(
            "p",
            &[("class", "sso-status"), ("data-linked", linked)],
            [Html::text(status)],
        ));
        if let Some(link) = link {
            if let Some(email) = &link.email {
                facts.push(paragraph(
                    "",
                    &self.say_with(&section.linked_account, "email", email.as_str()),
                ));
            }
            facts.push(paragraph(
                "",
                &self.say_with(&section.linked_at, "date", &texts.date(link.linked_at)),
            ));
        }
        let required = requirement.since.map(|since| match requirement.exempt_until {
            // One that ends before it begins changes nothing.
            Some(until) if until > since => (&section.exempt_until, until),
            _ if requirement.required => (&section.required_since, since),
            _ => (&section.required_from, since),
        });
        if let Some((text, date)) = required {
            let class = if link.is_some() { "sso-subdued" } else { "sso-note" };
            facts.push(paragraph(class, &self.say_with(text, "date", &texts.date(date))));
        }
        facts
    }

    /// What can be done about it.
    fn actions(&self, view: &StatusView) -> Vec<Html> {
        let section = &self.language.texts().section;
        if let Some(url) = &view.reauthenticate {
            let attributes = [("class", "sso-button sso-primary"), ("href", url.as_str())];
            let link = Html::element("a", &attributes, [Html::text(&section.reauthenticate_link)]);
            return vec![
                paragraph("sso-note", &section.reauthenticate),
                element("p", "sso-actions", [link]),
            ];
        }
        let start_link = view.actions.start_link.as_str();
        let locale = ("locale", self.language.tag());
        let Some(link) = &view.link else {
            let quiet = "sso-button sso-quiet";
            let buttons = [
                button("sso-button sso-primary", None, &self.say(&section.connect)),
                button(quiet, Some(("intent", "create")), &self.say(&section.create)),
                button(quiet, Some(("account", "choose")), &self.say(&section.choose)),
            ];
            return vec![form(start_link, &[locale], buttons)];
        };
        let switch = button("sso-button", None, &self.say(&section.switch));
        let switch = form(
            start_link,
            &[locale, ("replace", "true"), ("account", "choose")],
            [switch],
        );
        // Nothing is ended by one press: the details name both accounts and hold the form.
        let unknown = self.language.texts().confirm.email_unknown.as_str();
        let email = link.email.as_ref().map_or(unknown, MaskedEmail::as_str);
        let account = view.account.email.as_ref().map_or(unknown, EmailAddress::reveal);
        let values = [("provider", self.provider), ("email", email), ("account", account)];
        let disconnect = button("sso-button", None, &section.disconnect);
        let children = [
            element("summary", "", [Html::text(&section.disconnect)]),
            paragraph("", &fill(&section.disconnect_warning, &values)),
            form(&view.actions.unlink, &[], [disconnect]),
        ];
        vec![switch, element("details", "sso-disconnect", children)]
    }
}

#[cfg(test)]
mod tests;
