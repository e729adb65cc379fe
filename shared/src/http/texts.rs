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
            let language = match tag.trim() {
                "*" => Some(Self::English),
                tag => Self::of_tag(tag),
            };
            if let (Some(language), Some(weight)) = (language, weight)
                && weight > preferred.0
            {
                preferred = (weight, language);
            }
        }
        preferred.1
    }

    /// The language of a tag (BCP 47), when it is ours: `fr-CA` is French.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default();
        match primary.to_ascii_lowercase().as_str() {
            "en" => Some(Self::English),
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
    /// How the first day of a month is written; the others are numbers.
    first_day: String,
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
        match date.day() {
            1 => format!("{} {month} {}", self.first_day, date.year()),
            day => format!("{day} {month} {}", date.year()),
        }
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
mod tests;
