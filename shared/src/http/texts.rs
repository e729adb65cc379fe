//! What users read, in their language. One file per language is the only source, for the pages made here and for the settings
//! section alike.

use std::{collections::HashMap, sync::LazyLock};

use http::{HeaderMap, header::ACCEPT_LANGUAGE};
use serde::Deserialize;
use time::OffsetDateTime;

use super::problem::ErrorCode;
use crate::clock::Timestamp;

/// A language that all texts exist in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English, the default.
    English,
    /// French.
    French,
}

impl Language {
    /// The language that `Accept-Language` prefers among ours (RFC 9110 section 12.5.4). What cannot be read is passed over.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let values = headers
            .get_all(ACCEPT_LANGUAGE)
            .into_iter()
            .filter_map(|value| value.to_str().ok());
        let mut preferred = (0, Self::English);
        for range in values.flat_map(|value| value.split(',')) {
            let (tag, weight) = range
                .split_once(';')
                .map_or((range, Some(1000)), |(tag, rest)| (tag, weight(rest)));
            // Among equals the first wins; zero means "not this one".
            if let (Some(language), Some(weight)) = (Self::of_range(tag.trim()), weight)
                && weight > preferred.0
            {
                preferred = (weight, language);
            }
        }
        preferred.1
    }

    fn of_range(range: &str) -> Option<Self> {
        let primary = range.split('-').next().unwrap_or_default();
        match primary.to_ascii_lowercase().as_str() {
            "en" | "*" => Some(Self::English),
            "fr" => Some(Self::French),
            _ => None,
        }
    }

    /// The language's tag (BCP 47).
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }

    /// The texts in this language.
    #[must_use]
    pub fn texts(self) -> &'static Texts {
        match self {
            Self::English => &ENGLISH,
            Self::French => &FRENCH,
        }
    }
}

/// The weight of a language range in thousandths: `q=0.8` is 800 (RFC 9110 section 12.4.2).
fn weight(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    let (whole, fraction) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !name.trim().eq_ignore_ascii_case("q") || !digits {
        return None;
    }
    let thousandths = format!("{fraction:0<3}").parse().ok()?;
    match (whole, thousandths) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

/// All texts in one language. `{…}` in a text stands for a value, see [`fill`].
#[derive(Debug, Deserialize)]
pub struct Texts {
    /// The section's own.
    pub section: SectionTexts,
    /// The question whether to link.
    pub confirm: ConfirmTexts,
    /// The pages of our own.
    pub pages: PageTexts,
    outcomes: HashMap<String, OutcomeText>,
    unknown_outcome: OutcomeText,
    months: [String; 12],
}

/// What a title and a next step say about an outcome.
#[derive(Debug, Deserialize)]
pub struct OutcomeText {
    /// What happened.
    pub title: String,
    /// What the user can do now.
    pub next_step: String,
}

/// The texts of [`Texts::section`] that pages made here share with the settings section.
#[derive(Debug, Deserialize)]
#[expect(
    missing_docs,
    reason = "the fields are named after the file's keys, and the file says it all"
)]
pub struct SectionTexts {
    pub title: String,
    pub introduction: String,
    pub provider: String,
    pub status_not_linked: String,
    pub status_linked: String,
    pub linked_account: String,
    pub linked_at: String,
    pub required_from: String,
    pub required_since: String,
    pub exempt_until: String,
    pub connect: String,
    pub create: String,
    pub choose: String,
    pub switch: String,
    pub disconnect: String,
    pub disconnect_warning: String,
    pub reauthenticate: String,
    pub reauthenticate_link: String,
    pub show_confirm: String,
    pub request_id: String,
}

/// The texts of [`Texts::confirm`].
#[derive(Debug, Deserialize)]
#[expect(
    missing_docs,
    reason = "the fields are named after the file's keys, and the file says it all"
)]
pub struct ConfirmTexts {
    pub title: String,
    pub title_switch: String,
    pub explanation: String,
    pub account: String,
    pub identity: String,
    pub replacing: String,
    pub email_unknown: String,
    pub email_unverified: String,
    pub expires_at: String,
    pub link: String,
    pub link_switch: String,
    pub cancel: String,
}

/// The texts of [`Texts::pages`].
#[derive(Debug, Deserialize)]
pub struct PageTexts {
    /// Why a reload helps.
    pub reload: OutcomeText,
    /// The way back to the settings page.
    pub back: String,
}

impl Texts {
    /// What there is to say about `code`.
    #[must_use]
    pub fn code(&self, code: ErrorCode) -> &OutcomeText {
        self.outcome(code.as_str())
    }

    /// What there is to say about an outcome as it stands in a URL: anything, so an unknown one gets a general text.
    #[must_use]
    pub fn outcome(&self, outcome: &str) -> &OutcomeText {
        self.outcomes.get(outcome).unwrap_or(&self.unknown_outcome)
    }

    /// The day of `instant` in UTC, `1 April 2020`.
    #[must_use]
    pub fn date(&self, instant: Timestamp) -> String {
        let date = utc(instant);
        let month = &self.months[usize::from(u8::from(date.month())) - 1];
        format!("{} {month} {}", date.day(), date.year())
    }
}

/// The time of day of `instant`, `10:21 UTC`.
#[must_use]
pub fn time_of_day(instant: Timestamp) -> String {
    let time = utc(instant);
    format!("{:02}:{:02} UTC", time.hour(), time.minute())
}

fn utc(instant: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(instant.unix_seconds()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// `template` with each `{name}` replaced by its value. A value's own braces stay as they are.
#[must_use]
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, name, after)) = next_placeholder(rest) {
        filled.push_str(before);
        filled.push_str(
            values
                .iter()
                .find(|(other, _)| *other == name)
                .map_or("", |(_, value)| value),
        );
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// What stands before the first placeholder of `template`, its name, and what stands behind it.
fn next_placeholder(template: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = template.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

static ENGLISH: LazyLock<Texts> = LazyLock::new(|| read(include_str!("../../../infra/settings-page/texts/en.json")));
static FRENCH: LazyLock<Texts> = LazyLock::new(|| read(include_str!("../../../infra/settings-page/texts/fr.json")));

#[expect(clippy::expect_used, reason = "the files are compiled in, and the tests read them")]
fn read(json: &'static str) -> Texts {
    serde_json::from_str(json).expect("a complete file of texts")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use http::HeaderValue;
    use serde_json::Value;

    use super::*;

    const FILES: [&str; 2] = [
        include_str!("../../../infra/settings-page/texts/en.json"),
        include_str!("../../../infra/settings-page/texts/fr.json"),
    ];
    const LANGUAGES: [Language; 2] = [Language::English, Language::French];

    /// Every text of a file with its path.
    fn texts(path: &str, value: &Value, found: &mut Vec<(String, String)>) {
        match value {
            Value::Object(members) => members
                .iter()
                .for_each(|(key, value)| texts(&format!("{path}/{key}"), value, found)),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .for_each(|(i, value)| texts(&format!("{path}/{i}"), value, found)),
            text => found.push((path.to_owned(), text.as_str().unwrap().to_owned())),
        }
    }

    fn placeholders(mut text: &str) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        while let Some((_, name, rest)) = next_placeholder(text) {
            names.insert(name);
            text = rest;
        }
        names
    }

    #[test]
    fn every_language_has_the_same_texts_with_the_same_placeholders() {
        let [english, french] = FILES.map(|file| {
            let mut found = Vec::new();
            texts("", &serde_json::from_str(file).unwrap(), &mut found);
            found
        });
        assert!(english.len() > 80);
        for ((path, english), (other_path, french)) in english.iter().zip(&french) {
            assert_eq!(path, other_path);
            assert_eq!(placeholders(english), placeholders(french), "{path}");
            assert!(!english.trim().is_empty() && !french.trim().is_empty(), "{path}");
        }
        assert_eq!(english.len(), french.len());
    }

    #[test]
    fn every_error_code_has_a_text_and_a_next_step_that_need_no_context() {
        for texts in LANGUAGES.map(Language::texts) {
            for code in ErrorCode::ALL {
                let text = &texts.outcomes[code.as_str()];
                for part in [&text.title, &text.next_step] {
                    assert!(!part.is_empty() && !part.contains(['{', '}']), "{code}: {part}");
                }
            }
            let others: BTreeSet<_> = texts
                .outcomes
                .keys()
                .filter(|name| ErrorCode::ALL.iter().all(|code| code.as_str() != *name))
                .map(String::as_str)
                .collect();
            assert_eq!(others, BTreeSet::from(["confirm", "linked", "switched", "unlinked"]));
        }
    }

    #[test]
    fn the_texts_that_send_to_support_are_those_of_the_codes_that_come_with_a_reference() {
        for (language, support) in [(Language::English, "support"), (Language::French, "l’assistance")] {
            for &code in ErrorCode::ALL {
                let sends = language.texts().code(code).next_step.contains(support);
                assert_eq!(sends, code.names_support(), "{code} in {language:?}");
            }
        }
    }

    #[test]
    fn an_outcome_nobody_knows_gets_a_general_text() {
        let texts = Language::English.texts();
        assert_eq!(texts.outcome("<script>").title, texts.unknown_outcome.title);
        assert_eq!(texts.outcome("cancelled").title, texts.code(ErrorCode::Cancelled).title);
    }

    #[test]
    fn the_labels_are_those_that_users_know() {
        let [english, french] = LANGUAGES.map(|language| &language.texts().section);
        let labels = |texts: &SectionTexts| {
            [
                &texts.title,
                &texts.provider,
                &texts.status_not_linked,
                &texts.connect,
                &texts.create,
                &texts.choose,
            ]
            .map(|text| fill(text, &[("provider", "Magento.com")]))
        };
        assert_eq!(
            labels(english),
            [
                "Single sign-on",
                "Provider: Magento.com",
                "Status: Not connected",
                "Connect with Magento.com",
                "I have no Magento.com account yet",
                "Use another Magento.com account",
            ]
        );
        assert_eq!(
            labels(french)[..4],
            [
                "Authentification unique",
                "Fournisseur : Magento.com",
                "Statut : Non connecté",
                "Se connecter avec Magento.com",
            ]
        );
    }

    #[test]
    fn the_static_sections_say_what_the_texts_say() {
        let sections = [
            (
                Language::English,
                include_str!("../../../infra/settings-page/section.html"),
            ),
            (
                Language::French,
                include_str!("../../../infra/settings-page/section.fr.html"),
            ),
        ];
        for (language, html) in sections {
            let texts = language.texts();
            let section = &texts.section;
            for text in [
                &section.title,
                &section.introduction,
                &section.provider,
                &section.connect,
                &section.create,
                &section.choose,
                &section.show_confirm,
            ] {
                let said = format!(">{}<", fill(text, &[("provider", "Magento.com")]));
                assert!(html.contains(&said), "{language:?}: {said}");
            }
            assert!(html.contains(&format!(r#"name="locale" value="{}""#, language.tag())));
        }
    }

    #[test]
    fn the_browsers_preference_decides_the_language() {
        let language = |value: &'static str| {
            Language::of(&HeaderMap::from_iter([(
                ACCEPT_LANGUAGE,
                HeaderValue::from_static(value),
            )]))
        };
        for french in [
            "fr",
            "FR-ca",
            "fr, en",
            "en;q=0.8, fr",
            "en;q=0.80,fr;q=0.801",
            "de, fr;q=0.1",
            "en;q=0, fr;q=0.001",
            "en;q=2, en;q=1.5, en;q=-1, en;q=nan, en;q=0.1234, en;q=, en;x=1, fr ; Q = 0.5",
        ] {
            assert_eq!(language(french), Language::French, "{french}");
        }
        for english in [
            "",
            "en",
            "de",
            "en-GB,fr;q=0.9",
            "*, fr;q=0.5",
            "fr;q=0",
            "frx",
            "f",
            ",;,=;q",
            "en;q=1.000, fr",
        ] {
            assert_eq!(language(english), Language::English, "{english}");
        }
        assert_eq!(Language::of(&HeaderMap::new()), Language::English);
    }

    #[test]
    fn dates_are_written_as_the_language_writes_them() {
        let instant = Timestamp::parse_rfc3339("2020-04-01T00:00:00Z").unwrap();
        assert_eq!(Language::English.texts().date(instant), "1 April 2020");
        assert_eq!(Language::French.texts().date(instant), "1 avril 2020");
        assert_eq!(time_of_day(instant), "00:00 UTC");
    }

    #[test]
    fn a_value_is_put_in_once_and_never_read_as_a_template() {
        let values = [("a", "{b}"), ("b", "B")];
        assert_eq!(fill("{a} und {b}, {c}{", &values), "{b} und B, {");
    }
}
