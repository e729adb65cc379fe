//! Session tokens: who may start a flow, and who may finish it.

use harness::{
    hostile_provider::Endpoints,
    hostile_world::{HostileWorld, Newcomer, Outcome, Verdict},
    sessions::{SESSION_COOKIE, SessionIssuer},
};
use serde_json::{Value, json};

/// A session in the making.
struct Token<'a> {
    claims: Value,
    /// When the row happens.
    now: i64,
    issuer: &'a SessionIssuer,
}

impl Token<'_> {
    fn with(&self, name: &str, value: impl Into<Value>) -> String {
        let mut claims = self.claims.clone();
        claims[name] = value.into();
        self.issuer.sign(&claims)
    }

    fn without(&self, name: &str) -> String {
        let mut claims = self.claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        self.issuer.sign(&claims)
    }

    fn headed(&self, header: &Value) -> String {
        self.issuer.sign_compact(&header.to_string(), &self.claims.to_string())
    }

    /// The good claims, and `member` once more.
    fn and(&self, member: &str) -> String {
        let claims = format!("{},{member}}}", self.claims.to_string().trim_end_matches('}'));
        self.issuer
            .sign_compact(r#"{"alg":"ES256","kid":"sessions","typ":"JWT"}"#, &claims)
    }
}

fn signed(token: &Token<'_>) -> String {
    token.issuer.sign(&token.claims)
}

type Row = (&'static str, fn(&Token<'_>) -> String);

const ACCEPTED: &[Row] = &[
    ("an honest session", signed),
    ("our audience among others", |token| {
        token.with("aud", json!(["shop", "account-linking"]))
    }),
    ("an end just behind the end of a flow", |token| {
        let exp = token.now + 12 * 60;
        token.with("exp", exp)
    }),
    ("beginning within the leeway", |token| {
        let nbf = token.now + 20;
        token.with("nbf", nbf)
    }),
    ("a session with more in it", |token| {
        token.with("roles", json!(["admin"]))
    }),
    ("an account of 128 bytes", |token| token.with("sub", "a".repeat(128))),
    ("no kid where one key fits", |token| {
        token.headed(&json!({"alg": "ES256"}))
    }),
];

const REFUSED: &[Row] = &[
    ("a session of another issuer", |token| {
        token.with("iss", "https://evil.example")
    }),
    ("an issuer with a slash", |token| {
        token.with("iss", "https://sessions.example/")
    }),
    ("issuers in a list", |token| {
        token.with("iss", json!(["https://sessions.example"]))
    }),
    ("a session without an issuer", |token| token.without("iss")),
    ("a session for somebody else", |token| token.with("aud", "shop")),
    ("a session for nobody", |token| token.without("aud")),
    ("an empty list of audiences", |token| token.with("aud", json!([]))),
    ("an audience that is a number", |token| token.with("aud", 1)),
    ("a session that is over", |token| {
        let exp = token.now - 31;
        token.with("exp", exp)
    }),
    ("a session without an end", |token| token.without("exp")),
    ("an end that is text", |token| token.with("exp", "9999999999")),
    ("an end with a fraction", |token| token.with("exp", 9_999_999_999.5)),
    ("an end that is null", |token| token.with("exp", Value::Null)),
    ("a session that ends before the flow could", |token| {
        let exp = token.now + 600;
        token.with("exp", exp)
    }),
    ("a session that has not begun", |token| {
        let nbf = token.now + 40;
        token.with("nbf", nbf)
    }),
    ("a beginning that is text", |token| token.with("nbf", "0")),
    ("no account", |token| token.without("sub")),
    ("an empty account", |token| token.with("sub", "")),
    ("an account of 129 bytes", |token| token.with("sub", "a".repeat(129))),
    ("an account with a blank", |token| token.with("sub", "a b")),
    ("an account with a line end", |token| token.with("sub", "a\n")),
    ("an account in another script", |token| token.with("sub", "\u{430}")),
    ("an account that is a number", |token| token.with("sub", 1)),
    ("no session id", |token| token.without("sid")),
    ("an empty session id", |token| token.with("sid", "")),
    ("a session id of 129 bytes", |token| token.with("sid", "s".repeat(129))),
    ("a session id that is a list", |token| token.with("sid", json!(["s"]))),
    ("no date of the sign-in", |token| token.without("auth_time")),
    ("a date of the sign-in that is text", |token| {
        token.with("auth_time", "0")
    }),
    ("the account twice", |token| token.and(r#""sub":"another""#)),
    ("the session id twice written otherwise", |token| {
        token.and(r#""s\u0069d":"another""#)
    }),
    ("pt_05_a_session_signed_by_none", |token| {
        let signed = token.headed(&json!({"alg": "none"}));
        format!("{}.", signed.rsplit_once('.').unwrap().0)
    }),
    ("a session whose signature was taken off", |token| {
        format!("{}.", signed(token).rsplit_once('.').unwrap().0)
    }),
    ("pt_06_a_session_called_hs256", |token| {
        token.headed(&json!({"alg": "HS256", "kid": "sessions"}))
    }),
    ("a session called rs256", |token| {
        token.headed(&json!({"alg": "RS256", "kid": "sessions"}))
    }),
    ("a session of a key that nobody knows", |token| {
        token.headed(&json!({"alg": "ES256", "kid": "another"}))
    }),
    ("a session with a critical parameter", |token| {
        token.headed(&json!({"alg": "ES256", "kid": "sessions", "crit": ["x"], "x": 1}))
    }),
    ("a session by somebody else's key of the same name", |token| {
        SessionIssuer::new().sign(&token.claims)
    }),
    ("a session with a bit changed", |token| {
        let session = signed(token);
        let place = session.rfind('.').unwrap() + 10;
        let other = if &session[place..=place] == "A" { "B" } else { "A" };
        format!("{}{other}{}", &session[..place], &session[place + 1..])
    }),
    ("two parts of a session", |token| {
        signed(token).rsplit_once('.').unwrap().0.to_owned()
    }),
    ("no session at all", |_| String::new()),
    ("something in the place of a session", |_| "undefined".to_owned()),
];

/// The newcomer's browser has this session instead.
fn takes(world: &HostileWorld, newcomer: &Newcomer, session: &str) {
    let set_cookie = format!("{SESSION_COOKIE}={session}; Path=/; Secure; HttpOnly; SameSite=Lax");
    assert!(
        newcomer.browser.keeps(world.stack.origin(), &set_cookie),
        "no cookie can hold {session}"
    );
}

#[tokio::test]
async fn only_a_session_of_accounts_magento_cloud_starts_a_flow() {
    let world = HostileWorld::start(Endpoints::Fixed).await;
    let mut verdict = Verdict::default();
    for (rows, accepted) in [(ACCEPTED, true), (REFUSED, false)] {
        for (name, make) in rows {
            let newcomer = world.newcomer();
            let token = Token {
                now: newcomer.claims["iat"].as_i64().unwrap(),
                claims: newcomer.claims.clone(),
                issuer: &world.sessions,
            };
            takes(&world, &newcomer, &make(&token));
            let started = world.starts(&newcomer).await;
            let (landed, expected) = if accepted {
                let back = started.follows().await;
                (back.follows().await, Outcome::after_redemption("linked"))
            } else {
                let location = started.location().unwrap_or_else(|| panic!("{name}: {started:?}"));
                assert!(
                    location.as_str().starts_with(&world.stack.at("/sign-in?")),
                    "{name}: {location}"
                );
                (started, Outcome::refused_at_once("session_required"))
            };
            verdict.row(name, &expected, &world.outcome(&landed).await);
        }
    }
    verdict.is_clean(45);
}

/// The rows that begin with a good session and end with another one: `session_changed`, or no session at all.
#[tokio::test]
async fn only_the_session_that_started_a_flow_finishes_it() {
    let world = HostileWorld::start(Endpoints::Fixed).await;
    let changed: &[Row] = &[
        ("bb_18_another_account_at_the_callback", |token| {
            token.with("sub", "another-account")
        }),
        ("bb_18_the_account_in_other_letters", |token| {
            let account = token.claims["sub"].as_str().unwrap().to_uppercase();
            token.with("sub", account)
        }),
        ("bb_19_another_session_of_the_account_at_the_callback", |token| {
            token.with("sid", "another-session")
        }),
        ("bb_19_the_session_in_other_letters", |token| {
            let session = token.claims["sid"].as_str().unwrap().to_uppercase();
            token.with("sid", session)
        }),
    ];
    let mut verdict = Verdict::default();
    for (rows, answer) in [(changed, "session_changed"), (REFUSED, "session_required")] {
        for (name, make) in rows {
            // A flow may outlast what its start demands of a session: that it lasts until the flow's end.
            if *name == "a session that ends before the flow could" {
                continue;
            }
            let newcomer = world.newcomer();
            let back = world.about_to_come_back(&newcomer).await;
            let token = Token {
                now: newcomer.claims["iat"].as_i64().unwrap(),
                claims: newcomer.claims.clone(),
                issuer: &world.sessions,
            };
            takes(&world, &newcomer, &make(&token));
            let landed = back.follows().await;
            verdict.row(name, &Outcome::refused_at_once(answer), &world.outcome(&landed).await);
        }
    }
    verdict.is_clean(45);
}

/// What `never` spares the user is a comparison. Without an address there is none, and nothing to recognise the account by.
#[tokio::test]
async fn without_an_address_every_link_is_confirmed() {
    for confirm_link in ["never", "when_email_differs"] {
        let variables = [("CONFIRM_LINK", confirm_link)];
        let world = HostileWorld::start_with(Endpoints::Fixed, &variables, &[], &[]).await;
        let newcomer = world.newcomer();
        let token = Token {
            now: newcomer.claims["iat"].as_i64().unwrap(),
            claims: newcomer.claims.clone(),
            issuer: &world.sessions,
        };
        takes(&world, &newcomer, &token.without("email"));
        let landed = world.about_to_come_back(&newcomer).await.follows().await;
        let outcome = world.outcome(&landed).await;
        assert_eq!(outcome, Outcome::after_redemption("confirm"), "{confirm_link}");
    }
}
