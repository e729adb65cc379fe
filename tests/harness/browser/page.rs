//! What a reader sees of an HTML page, and the forms and links on it.

use std::collections::BTreeMap;

use html5gum::{DefaultEmitter, HtmlString, Spanned, StartTag, Token, Tokenizer};

/// A page, read far enough to be used: its words, its links, its forms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The `lang` of the document.
    pub language: String,
    /// The `title`.
    pub title: String,
    /// The words of the body, `noscript` included (this browser runs no scripts); white space collapsed.
    pub text: String,
    /// Links, in the order of the document.
    pub links: Vec<Link>,
    /// Forms, in the order of the document.
    pub forms: Vec<Form>,
}

/// An `a` element with somewhere to go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its words.
    pub label: String,
    /// Where it goes, as written.
    pub href: String,
}

/// A form as it stands on the page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Where it goes, as written; empty for the page itself.
    pub action: String,
    /// Whether it posts.
    pub posts: bool,
    /// The fields it would send without any button, in order.
    pub fields: Vec<(String, String)>,
    /// Names of the fields that a user can fill in.
    pub fillable: Vec<String>,
    /// Its submit buttons.
    pub buttons: Vec<Button>,
}

/// A submit button.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Button {
    /// What it says: its words, or its `value`.
    pub label: String,
    /// The field it adds when it is the one pressed.
    pub field: Option<(String, String)>,
    /// Its own `formaction`, in place of the form's.
    pub action: Option<String>,
}

impl Page {
    /// Reads `html`.
    pub fn parse(html: &str) -> Self {
        let mut reader = Reader::default();
        reader.read(html);
        let mut page = reader.page;
        page.text = collapsed(&page.text);
        page
    }
}

/// Where the reader is.
#[derive(Default)]
struct Reader {
    page: Page,
    form: Option<Form>,
    link: Option<Link>,
    button: Option<Button>,
    select: Option<Select>,
    text_area: Option<(String, String)>,
    /// The element whose words are not for readers: script, style, title.
    unseen: Option<Vec<u8>>,
    in_noscript: bool,
}

#[derive(Default)]
struct Select {
    name: String,
    chosen: Option<String>,
}

impl Reader {
    fn read(&mut self, html: &str) {
        let mut emitter = DefaultEmitter::default();
        emitter.naively_switch_states(true);
        for token in Tokenizer::new_with_emitter(html, emitter).flatten() {
            match token {
                Token::StartTag(tag) => self.open(&tag),
                Token::EndTag(tag) => self.close(&tag.name),
                // The tokenizer takes it for text, as a browser that runs scripts does. To this one it is part of the page.
                Token::String(html) if self.in_noscript => {
                    self.in_noscript = false;
                    self.read(&String::from_utf8_lossy(&html));
                }
                Token::String(text) => self.words(&String::from_utf8_lossy(&text)),
                _ => {}
            }
        }
    }

    fn open(&mut self, tag: &StartTag<()>) {
        let attribute = |name: &str| text_of(&tag.attributes, name);
        match tag.name.as_slice() {
            b"html" => self.page.language = attribute("lang").unwrap_or_default(),
            name @ (b"script" | b"style" | b"title") => self.unseen = Some(name.to_vec()),
            b"noscript" => self.in_noscript = true,
            b"a" => {
                self.link = attribute("href").map(|href| Link {
                    href,
                    label: String::new(),
                });
            }
            b"form" => {
                self.form = Some(Form {
                    action: attribute("action").unwrap_or_default(),
                    posts: attribute("method").is_some_and(|method| method.eq_ignore_ascii_case("post")),
                    ..Form::default()
                });
            }
            b"input" => self.input(tag),
            b"button" if attribute("type").is_none_or(|kind| kind == "submit") => {
                self.button = Some(Button {
                    label: String::new(),
                    field: attribute("name").map(|name| (name, attribute("value").unwrap_or_default())),
                    action: attribute("formaction"),
                });
            }
            b"select" => self.select = attribute("name").map(|name| Select { name, chosen: None }),
            b"option" => {
                if let (Some(select), Some(value)) = (&mut self.select, attribute("value"))
                    && (select.chosen.is_none() || attribute("selected").is_some())
                {
                    select.chosen = Some(value);
                }
            }
            b"textarea" => self.text_area = attribute("name").map(|name| (name, String::new())),
            b"br" | b"p" | b"div" | b"li" | b"h1" | b"h2" | b"h3" | b"dt" | b"dd" | b"section" => {
                self.page.text.push(' ');
            }
            _ => {}
        }
    }

    fn input(&mut self, tag: &StartTag<()>) {
        let attribute = |name: &str| text_of(&tag.attributes, name);
        let Some(form) = &mut self.form else { return };
        let kind = attribute("type").unwrap_or_default().to_ascii_lowercase();
        let value = attribute("value");
        match (kind.as_str(), attribute("name")) {
            ("submit", name) => form.buttons.push(Button {
                label: value.clone().unwrap_or_default(),
                field: name.map(|name| (name, value.unwrap_or_default())),
                action: attribute("formaction"),
            }),
            ("button" | "reset" | "image", _) | (_, None) => {}
            ("checkbox" | "radio", Some(name)) => {
                if attribute("checked").is_some() {
                    form.fields.push((name.clone(), value.unwrap_or("on".to_owned())));
                }
                form.fillable.push(name);
            }
            (kind, Some(name)) => {
                if kind != "hidden" {
                    form.fillable.push(name.clone());
                }
                form.fields.push((name, value.unwrap_or_default()));
            }
        }
    }

    fn close(&mut self, name: &HtmlString) {
        if self.unseen.as_deref() == Some(name.as_slice()) {
            self.unseen = None;
        }
        match name.as_slice() {
            b"title" => self.page.title = collapsed(&self.page.title),
            b"noscript" => self.in_noscript = false,
            b"a" => {
                if let Some(link) = self.link.take() {
                    self.page.links.push(Link {
                        label: collapsed(&link.label),
                        ..link
                    });
                }
            }
            b"button" => {
                if let (Some(button), Some(form)) = (self.button.take(), &mut self.form) {
                    form.buttons.push(Button {
                        label: collapsed(&button.label),
                        ..button
                    });
                }
            }
            b"select" => {
                if let (
                    Some(Select {
                        name,
                        chosen: Some(value),
                    }),
                    Some(form),
                ) = (self.select.take(), &mut self.form)
                {
                    form.fillable.push(name.clone());
                    form.fields.push((name, value));
                }
            }
            b"textarea" => {
                if let (Some((name, value)), Some(form)) = (self.text_area.take(), &mut self.form) {
                    form.fillable.push(name.clone());
                    form.fields.push((name, value));
                }
            }
            b"form" => self.page.forms.extend(self.form.take()),
            b"p" | b"div" | b"li" | b"h1" | b"h2" | b"h3" | b"dt" | b"dd" | b"section" => self.page.text.push(' '),
            _ => {}
        }
    }

    fn words(&mut self, words: &str) {
        if let Some(unseen) = &self.unseen {
            if unseen == b"title" {
                self.page.title.push_str(words);
            }
            return;
        }
        if let Some((_, value)) = &mut self.text_area {
            value.push_str(words);
            return;
        }
        if let Some(link) = &mut self.link {
            link.label.push_str(words);
        }
        if let Some(button) = &mut self.button {
            button.label.push_str(words);
        }
        self.page.text.push_str(words);
    }
}

fn text_of(attributes: &BTreeMap<HtmlString, Spanned<HtmlString, ()>>, name: &str) -> Option<String> {
    attributes
        .get(name.as_bytes())
        .map(|value| String::from_utf8_lossy(value).into_owned())
}

fn collapsed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_its_words_links_and_forms() {
        let page = Page::parse(
            r#"<!doctype html><html lang="fr"><title>Compte</title><style>p { color: red }</style>
            <h1>Authentification&nbsp;unique</h1><p>Statut&#8239;: <b>non</b> connecté</p><script>if (a < b) "<p>unseen"</script>
            <noscript><p>Sans <a href="/status">script</a></p></noscript><a href="/help?a=1&amp;b=2">De l’aide</a>"#,
        );
        assert_eq!(page.language, "fr");
        assert_eq!(page.title, "Compte");
        assert_eq!(
            page.text,
            "Authentification unique Statut : non connecté Sans script De l’aide"
        );
        let link = |label: &str, href: &str| Link {
            label: label.into(),
            href: href.into(),
        };
        assert_eq!(
            page.links,
            [link("script", "/status"), link("De l’aide", "/help?a=1&b=2")]
        );
    }

    #[test]
    fn a_form_knows_what_it_sends_and_what_its_buttons_add() {
        let page = Page::parse(
            r#"<form method=POST action="/start">
                <input type=hidden name=token value="a&quot;b"><input name=email><input type=password name=password>
                <input type=checkbox name=stay checked><input type=checkbox name=spam value=yes>
                <select name=locale><option value=en>English<option value=fr selected>Français</select>
                <textarea name=note>as it
stands</textarea>
                <button name=intent value=create>I have <em>no</em> account</button><button type=button>Help</button>
                <input type=submit value=Go formaction="/elsewhere"></form>"#,
        );
        let [form] = page.forms.as_slice() else {
            panic!("{:?}", page.forms)
        };
        assert!(form.posts);
        assert_eq!(form.action, "/start");
        let fields: Vec<_> = form
            .fields
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            fields,
            [
                "token=a\"b",
                "email=",
                "password=",
                "stay=on",
                "locale=fr",
                "note=as it\nstands"
            ]
        );
        assert_eq!(form.fillable, ["email", "password", "stay", "spam", "locale", "note"]);
        assert_eq!(form.buttons[0].label, "I have no account");
        assert_eq!(form.buttons[0].field, Some(("intent".into(), "create".into())));
        assert_eq!(form.buttons[1].action.as_deref(), Some("/elsewhere"));
        assert_eq!(form.buttons.len(), 2);
    }
}
