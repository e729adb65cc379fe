//! The language of a page.

/// A language the pages are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Language {
    #[default]
    English,
    French,
}

impl Language {
    /// The BCP 47 tag.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }

    /// The language of one BCP 47 tag, when it is ours: `fr-CA` is French.
    pub(crate) fn from_tag(tag: &str) -> Option<Self> {
        match tag.split('-').next()?.to_ascii_lowercase().as_str() {
            "en" => Some(Self::English),
            "fr" => Some(Self::French),
            _ => None,
        }
    }

    /// The first of ours among `tags`, most wanted first and divided by spaces (`ui_locales`, OIDC Core 3.1.2.1).
    pub(crate) fn from_ui_locales(tags: &str) -> Option<Self> {
        tags.split(' ').find_map(Self::from_tag)
    }

    /// The best of ours for an `Accept-Language` (RFC 9110 section 12.5.4); the default when none is accepted.
    pub(crate) fn from_accept_language(header: &str) -> Self {
        let mut best = (Self::default(), 0.0);
        for range in header.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let language = parts.next().and_then(Self::from_tag);
            let weight = parts
                .find_map(|part| part.strip_prefix("q="))
                .map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0));
            if let Some(language) = language
                && weight > best.1
            {
                best = (language, weight);
            }
        }
        best.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_the_browser_wants_most_among_ours() {
        for (header, expected) in [
            ("", Language::English),
            ("de", Language::English),
            ("fr-FR,fr;q=0.9,en;q=0.8", Language::French),
            ("en;q=0.5, fr-CA;q=0.7", Language::French),
            ("fr;q=0, en;q=0.1", Language::English),
            ("de, fr;q=0.3", Language::French),
        ] {
            assert_eq!(Language::from_accept_language(header), expected, "{header:?}");
        }
    }

    #[test]
    fn ui_locales_are_taken_in_their_order() {
        assert_eq!(Language::from_ui_locales("de fr-CA en"), Some(Language::French));
        assert_eq!(Language::from_ui_locales("de"), None);
    }
}
