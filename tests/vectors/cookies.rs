//! Raw `Cookie` headers: which of their cookies are ours.
//!
//! Every row is sent to the callback with an honest answer of the provider. Ours are the session and the flow; a row that takes one of
//! them away, or doubles it, must get no further, and a row that only adds something of somebody else's must change nothing.

use harness::{
    browser::cookies::Cookie,
    hostile_provider::Endpoints,
    hostile_world::{HostileWorld, Outcome, Verdict},
};

/// What comes of a row.
#[derive(Clone, Copy)]
enum Means {
    /// Both are ours.
    Linked,
    /// One of ours came twice: `invalid_request`.
    Twice,
    /// The flow is nowhere: `flow_unknown`.
    NoFlow,
    /// The session is nowhere: `session_required`, by way of the sign-in page.
    NoSession,
}

use Means::{Linked, NoFlow, NoSession, Twice};

/// `S` stands for the name of the session's cookie and `s` for its value, `F` and `f` for those of the flow.
type Row = (&'static str, &'static [&'static str], Means);

const ROWS: &[Row] = &[
    ("both cookies", &["{S}={s}; {F}={f}"], Linked),
    ("both cookies the other way round", &["{F}={f}; {S}={s}"], Linked),
    ("both cookies in two headers", &["{S}={s}", "{F}={f}"], Linked),
    ("no blank between them", &["{S}={s};{F}={f}"], Linked),
    (
        "somebody else's around them",
        &["a=b; {S}={s}; c=d; {F}={f}; e"],
        Linked,
    ),
    ("somebody else's twice", &["a=b; {S}={s}; a=c; {F}={f}; a=b"], Linked),
    ("an empty pair", &["; {S}={s};; {F}={f}; ;"], Linked),
    ("a name without a value", &["flag; {S}={s}; {F}={f}"], Linked),
    ("a value with an equals sign", &["a==; {S}={s}; {F}={f}"], Linked),
    ("a cookie that is no text", &["a=\u{e9}; {S}={s}; {F}={f}"], Linked),
    (
        "bb_15_seven_kilobytes_of_somebody_elses",
        &["{bomb}; {S}={s}; {F}={f}"],
        Linked,
    ),
    // planted names that only resemble ours: they are nobody's, and ours count
    (
        "bb_14_a_planted_flow_with_an_encoded_name_beside_ours",
        &["__Host%2Dsso-flow-{8}=planted; {S}={s}; {F}={f}"],
        Linked,
    ),
    (
        "bb_14_a_planted_session_with_an_encoded_name_beside_ours",
        &["%5F_Host-accounts-session=planted; {S}={s}; {F}={f}"],
        Linked,
    ),
    (
        "bb_14_a_planted_session_in_other_letters_beside_ours",
        &["__HOST-accounts-session=planted; {S}={s}; {F}={f}"],
        Linked,
    ),
    (
        "bb_14_a_planted_session_with_a_blank_behind_its_name",
        &["{S} =planted; {S}={s}; {F}={f}"],
        Linked,
    ),
    (
        "bb_14_a_planted_session_with_a_wide_blank_before_its_name",
        &["\u{a0}{S}=planted; {S}={s}; {F}={f}"],
        Linked,
    ),
    (
        "bb_14_a_planted_session_in_quotes",
        &["\"{S}\"=planted; {S}={s}; {F}={f}"],
        Linked,
    ),
    (
        "bb_14_a_planted_session_with_a_dollar",
        &["$Version=1; ${S}=planted; {S}={s}; {F}={f}"],
        Linked,
    ),
    (
        "bb_14_a_planted_session_with_a_comma",
        &["a=b, {S}=planted; {S}={s}; {F}={f}"],
        Linked,
    ),
    (
        "bb_14_a_planted_session_without_its_prefix",
        &["accounts-session=planted; {S}={s}; {F}={f}"],
        Linked,
    ),
    (
        "bb_14_a_nameless_cookie_that_holds_a_name",
        &["={S}=planted; {S}={s}; {F}={f}"],
        Linked,
    ),
    // ours, twice: somebody planted one of them
    ("bb_14_the_session_twice", &["{S}={s}; {S}={s}; {F}={f}"], Twice),
    (
        "bb_14_a_planted_session_before_ours",
        &["{S}=planted; {S}={s}; {F}={f}"],
        Twice,
    ),
    (
        "bb_14_a_planted_session_behind_ours",
        &["{S}={s}; {F}={f}; {S}=planted"],
        Twice,
    ),
    ("bb_14_an_empty_session_beside_ours", &["{S}=; {S}={s}; {F}={f}"], Twice),
    (
        "bb_14_a_planted_session_in_another_header",
        &["{S}={s}; {F}={f}", "{S}=planted"],
        Twice,
    ),
    ("bb_14_the_flow_twice", &["{S}={s}; {F}={f}; {F}={f}"], Twice),
    (
        "bb_14_a_planted_flow_beside_ours",
        &["{F}=planted; {S}={s}; {F}={f}"],
        Twice,
    ),
    (
        "bb_14_the_pending_link_twice",
        &["__Host-sso-pending=a; __Host-sso-pending=b; {S}={s}; {F}={f}"],
        Twice,
    ),
    (
        "bb_14_a_tab_before_the_second_session",
        &["{S}={s}; {F}={f};\t{S}=planted"],
        Twice,
    ),
    // ours under names that only resemble it: nobody's
    (
        "bb_14_the_flow_under_an_encoded_name",
        &["{S}={s}; __Host%2Dsso-flow-{8}={f}"],
        NoFlow,
    ),
    (
        "bb_14_the_flow_in_other_letters",
        &["{S}={s}; __host-sso-flow-{8}={f}"],
        NoFlow,
    ),
    (
        "bb_14_the_flow_with_a_blank_behind_its_name",
        &["{S}={s}; {F} ={f}"],
        NoFlow,
    ),
    (
        "bb_14_the_flow_with_a_wide_blank_before_its_name",
        &["{S}={s}; \u{2003}{F}={f}"],
        NoFlow,
    ),
    (
        "bb_14_the_flow_without_its_prefix",
        &["{S}={s}; sso-flow-{8}={f}"],
        NoFlow,
    ),
    (
        "bb_14_the_session_under_an_encoded_name",
        &["__Host%2Daccounts-session={s}; {F}={f}"],
        NoSession,
    ),
    (
        "bb_14_the_session_in_other_letters",
        &["__host-Accounts-session={s}; {F}={f}"],
        NoSession,
    ),
    // values
    ("the flow in quotes", &["{S}={s}; {F}=\"{f}\""], NoFlow),
    ("the flow percent-encoded", &["{S}={s}; {F}={f}%20"], NoFlow),
    ("an empty flow", &["{S}={s}; {F}="], NoFlow),
    ("the flow cut short", &["{S}={s}; {F}={f-short}"], NoFlow),
    ("the flow with a bit changed", &["{S}={s}; {F}={f-flipped}"], NoFlow),
    ("the flow with something behind it", &["{S}={s}; {F}={f}AAAA"], NoFlow),
    ("the session in the place of the flow", &["{S}={s}; {F}={s}"], NoFlow),
    ("the flow in the place of the session", &["{S}={f}; {F}={f}"], NoSession),
    ("an empty session", &["{S}=; {F}={f}"], NoSession),
    ("the session in quotes", &["{S}=\"{s}\"; {F}={f}"], NoSession),
    ("no session", &["{F}={f}"], NoSession),
    ("no flow", &["{S}={s}"], NoFlow),
    ("no cookie", &[], NoFlow),
];

fn one<'a>(cookies: &'a [Cookie], prefix: &str) -> &'a Cookie {
    cookies.iter().find(|cookie| cookie.name.starts_with(prefix)).unwrap()
}

#[tokio::test]
async fn a_cookie_is_ours_by_the_exact_bytes_of_its_name_and_comes_once() {
    let world = HostileWorld::start(Endpoints::Fixed).await;
    let bomb = format!("bomb={}", "x".repeat(7 * 1024));
    let mut verdict = Verdict::default();
    for (name, headers, means) in ROWS {
        let newcomer = world.newcomer();
        let back = world.about_to_come_back(&newcomer).await;
        let cookies = newcomer.browser.cookies_for(&world.stack.at("/"));
        let (session, flow) = (
            one(&cookies, "__Host-accounts-session"),
            one(&cookies, "__Host-sso-flow-"),
        );
        let middle = flow.value.len() / 2;
        let other = if &flow.value[middle..=middle] == "A" { "B" } else { "A" };
        let flipped = format!("{}{other}{}", &flow.value[..middle], &flow.value[middle + 1..]);
        let mut request = back.redirected().without("cookie");
        for header in *headers {
            let header = header
                .replace("{S}", &session.name)
                .replace("{s}", &session.value)
                .replace("{F}", &flow.name)
                .replace("{f}", &flow.value)
                .replace("{f-short}", &flow.value[..flow.value.len() - 1])
                .replace("{f-flipped}", &flipped)
                .replace("{8}", flow.name.trim_start_matches("__Host-sso-flow-"))
                .replace("{bomb}", &bomb);
            request = request.another_header("cookie", &header);
        }

        let landed = request.send().await;

        let expected = match means {
            Linked => Outcome::after_redemption("linked"),
            Twice => Outcome::refused_at_once("invalid_request"),
            NoFlow => Outcome::refused_at_once("flow_unknown"),
            NoSession => Outcome::refused_at_once("session_required"),
        };
        verdict.row(name, &expected, &world.outcome(&landed).await);
        // What is refused here burns nothing: the browser's own cookies still link.
        if !matches!(means, Linked) {
            let honest = back.follows().await;
            assert_eq!(
                world.outcome(&honest).await,
                Outcome::after_redemption("linked"),
                "{name}"
            );
        }
    }
    verdict.is_clean(50);
}
