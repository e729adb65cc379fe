use std::collections::BTreeSet;

use http::HeaderValue;
use serde_json::Value;

use super::*;

const FILES: [&str; 2] = [
    include_str!("../../../../infra/settings-page/texts/en.json"),
    include_str!("../../../../infra/settings-page/texts/fr.json"),
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
        assert_eq!(others, BTreeSet::from(["confirm", "linked", "unlinked"]));
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
            include_str!("../../../../infra/settings-page/section.html"),
        ),
        (
            Language::French,
            include_str!("../../../../infra/settings-page/section.fr.html"),
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
    assert_eq!(Language::French.texts().date(instant), "1er avril 2020");
    let next = instant.plus(std::time::Duration::from_hours(24));
    assert_eq!(Language::English.texts().date(next), "2 April 2020");
    assert_eq!(Language::French.texts().date(next), "2 avril 2020");
    assert_eq!(time_of_day(instant), "00:00 UTC");
}

#[test]
fn a_value_is_put_in_once_and_never_read_as_a_template() {
    let values = [("a", "{b}"), ("b", "B")];
    assert_eq!(fill("{a} und {b}, {c}{", &values), "{b} und B, {");
}
