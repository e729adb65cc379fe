//! Authorization responses: what comes back through the browser, and how far it gets.

use harness::{
    hostile_provider::{Endpoints, Parameters},
    hostile_world::{HostileWorld, Outcome, Verdict},
};

/// Where a response stops.
#[derive(Clone, Copy)]
enum Stops {
    /// Nowhere.
    Linked,
    /// Before the flow is claimed, as nothing that is a response: the flow stays good.
    Malformed,
    /// Before the flow is claimed, since no flow is the response's.
    NoFlow,
    /// Behind the claim, before the code is sent.
    Claimed(&'static str),
    /// At the provider, which refuses the code.
    Redeemed(&'static str),
}

use Stops::{Claimed, Linked, Malformed, NoFlow, Redeemed};

/// A row: its name, the query, and where it stops. `{code}`, `{state}` and `{iss}` are the good values, percent-encoded.
type Row = (&'static str, &'static str, Stops);

const ROWS: &[Row] = &[
    ("an honest response", "code={code}&state={state}&iss={iss}", Linked),
    (
        "the same in another order",
        "iss={iss}&state={state}&code={code}",
        Linked,
    ),
    (
        "pt_36_parameters_that_nobody_knows",
        "code={code}&state={state}&iss={iss}&session_state=a.b&hd=example.com",
        Linked,
    ),
    (
        "pt_36_an_unknown_parameter_twice",
        "code={code}&state={state}&iss={iss}&x=1&x=2",
        Linked,
    ),
    ("pt_36_empty_pairs", "&code={code}&&state={state}&iss={iss}&", Linked),
    (
        "pt_30_an_id_token_in_front",
        "code={code}&state={state}&iss={iss}&id_token=e30.e30.&access_token=a",
        Linked,
    ),
    // state
    (
        "fapi2-security-profile-final-client-test-ensure-authorization-response-with-invalid-state-fails",
        "code={code}&state={state}1&iss={iss}",
        Malformed,
    ),
    (
        "fapi2-security-profile-final-client-test-ensure-authorization-response-with-invalid-missing-state-fails",
        "code={code}&iss={iss}",
        Malformed,
    ),
    ("bb_02_an_empty_state", "code={code}&state=&iss={iss}", Malformed),
    (
        "bb_02_an_unknown_state_of_the_right_form",
        "code={code}&state=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&iss={iss}",
        NoFlow,
    ),
    (
        "bb_02_the_state_shortened",
        "code={code}&state={state-shortened}&iss={iss}",
        Malformed,
    ),
    (
        "bb_02_the_state_in_other_letters",
        "code={code}&state={state-swapped}&iss={iss}",
        NoFlow,
    ),
    (
        "bb_02_the_beginning_of_the_state_and_a_guess",
        "code={code}&state={state-guessed}&iss={iss}",
        NoFlow,
    ),
    (
        "bb_02_the_state_with_a_blank",
        "code={code}&state={state}+&iss={iss}",
        Malformed,
    ),
    (
        "bb_02_the_state_padded",
        "code={code}&state={state}%3D&iss={iss}",
        Malformed,
    ),
    (
        "bb_02_a_state_in_an_array",
        "code={code}&state%5B%5D={state}&iss={iss}",
        Malformed,
    ),
    (
        "bb_02_the_parameter_in_capitals",
        "code={code}&STATE={state}&iss={iss}",
        Malformed,
    ),
    // form
    ("nothing at all", "", Malformed),
    (
        "pt_34_the_state_twice",
        "code={code}&state={state}&state={state}&iss={iss}",
        Malformed,
    ),
    (
        "pt_34_the_code_twice",
        "code={code}&code={code}&state={state}&iss={iss}",
        Malformed,
    ),
    (
        "pt_34_two_codes",
        "code={code}&code=another&state={state}&iss={iss}",
        Malformed,
    ),
    (
        "pt_34_code_and_error",
        "code={code}&error=access_denied&state={state}&iss={iss}",
        Malformed,
    ),
    (
        "pt_34_the_code_twice_written_otherwise",
        "code={code}&c%6Fde={code}&state={state}&iss={iss}",
        Malformed,
    ),
    (
        "pt_34_the_error_twice",
        "error=access_denied&error=server_error&state={state}&iss={iss}",
        Malformed,
    ),
    ("pt_34_neither_code_nor_error", "state={state}&iss={iss}", Malformed),
    ("pt_34_an_empty_code", "code=&state={state}&iss={iss}", Malformed),
    (
        "pt_34_a_nul_in_the_code",
        "code={code}%00&state={state}&iss={iss}",
        Malformed,
    ),
    (
        "pt_34_a_line_end_in_the_code",
        "code={code}%0D%0AX:+y&state={state}&iss={iss}",
        Malformed,
    ),
    (
        "pt_34_bytes_that_are_no_text",
        "code=%FF%FE&state={state}&iss={iss}",
        Malformed,
    ),
    ("pt_34_overlong_text", "code=%C0%80&state={state}&iss={iss}", Malformed),
    (
        "pt_34_letters_of_another_script_in_the_code",
        "code=%D0%BA&state={state}&iss={iss}",
        Malformed,
    ),
    (
        "pt_34_half_a_percent_sign",
        "code={code}%4&state={state}&iss={iss}",
        Malformed,
    ),
    (
        "pt_34_a_percent_sign_and_no_number",
        "code={code}%zz&state={state}&iss={iss}",
        Malformed,
    ),
    (
        "pt_34_broken_text_in_a_parameter_nobody_knows",
        "code={code}&state={state}&iss={iss}&x=%FF",
        Malformed,
    ),
    (
        "pt_34_more_than_eight_kilobytes",
        "code={code}&state={state}&iss={iss}&x={long}",
        Malformed,
    ),
    (
        "pt_34_semicolons_between_the_pairs",
        "code={code};state={state};iss={iss}",
        Malformed,
    ),
    (
        "pt_30_tokens_in_the_place_of_a_code",
        "id_token=e30.e30.&access_token=a&token_type=Bearer&state={state}&iss={iss}",
        Malformed,
    ),
    (
        "pt_30_a_response_in_a_token",
        "response=e30.e30.&state={state}",
        Malformed,
    ),
    // code
    (
        "another code",
        "code=another&state={state}&iss={iss}",
        Redeemed("provider_refused"),
    ),
    (
        "the code in other letters",
        "code={code}x&state={state}&iss={iss}",
        Redeemed("provider_refused"),
    ),
    // iss
    (
        "fapi2-security-profile-final-client-test-invalid-authorization-response-iss",
        "code={code}&state={state}&iss=https%3A%2F%2Finvalid.example",
        Claimed("identity_invalid"),
    ),
    (
        "fapi2-security-profile-final-client-test-remove-authorization-response-iss",
        "code={code}&state={state}",
        Claimed("identity_invalid"),
    ),
    (
        "pt_31_the_issuer_twice",
        "code={code}&state={state}&iss={iss}&iss={iss}",
        Malformed,
    ),
    (
        "pt_31_two_issuers",
        "code={code}&state={state}&iss={iss}&iss=https%3A%2F%2Fevil.example",
        Malformed,
    ),
    (
        "pt_31_the_issuer_with_a_slash",
        "code={code}&state={state}&iss={iss}%2F",
        Claimed("identity_invalid"),
    ),
    (
        "pt_31_the_issuer_encoded_twice",
        "code={code}&state={state}&iss={iss-encoded-twice}",
        Claimed("identity_invalid"),
    ),
    (
        "pt_31_the_issuer_in_capitals",
        "code={code}&state={state}&iss={iss-in-capitals}",
        Claimed("identity_invalid"),
    ),
    (
        "pt_31_an_empty_issuer",
        "code={code}&state={state}&iss=",
        Claimed("identity_invalid"),
    ),
    (
        "pt_31_the_wrong_issuer_on_an_error",
        "error=access_denied&state={state}&iss=https%3A%2F%2Fevil.example",
        Claimed("identity_invalid"),
    ),
    (
        "pt_31_no_issuer_on_an_error",
        "error=access_denied&state={state}",
        Claimed("identity_invalid"),
    ),
    // error
    (
        "the user declined",
        "error=access_denied&state={state}&iss={iss}",
        Claimed("cancelled"),
    ),
    (
        "pt_35_an_error_with_texts",
        "error=server_error&error_description=Call+0800&error_uri=https%3A%2F%2Fevil.example&state={state}&iss={iss}",
        Claimed("provider_refused"),
    ),
    (
        "pt_35_an_error_that_nobody_registered",
        "error=%3Cscript%3E&state={state}&iss={iss}",
        Claimed("provider_refused"),
    ),
    (
        "pt_35_an_empty_error",
        "error=&state={state}&iss={iss}",
        Claimed("provider_refused"),
    ),
    (
        "pt_35_an_error_of_a_flow_that_is_not_there",
        "error=access_denied&state=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&iss={iss}",
        NoFlow,
    ),
    (
        "pt_35_an_error_in_other_letters",
        "error=Access_Denied&state={state}&iss={iss}",
        Claimed("provider_refused"),
    ),
    (
        "pt_35_the_description_twice",
        "error=access_denied&error_description=a&error_description=b&state={state}&iss={iss}",
        Malformed,
    ),
];

fn swapped(text: &str) -> String {
    let swap = |letter: char| {
        if letter.is_ascii_lowercase() {
            letter.to_ascii_uppercase()
        } else {
            letter.to_ascii_lowercase()
        }
    };
    text.chars().map(swap).collect()
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

impl Stops {
    fn expected(self) -> Outcome {
        match self {
            Linked => Outcome::after_redemption("linked"),
            Malformed => Outcome::refused_at_once("invalid_request"),
            NoFlow => Outcome::refused_at_once("flow_unknown"),
            Claimed(code) => Outcome {
                claimed: true,
                ..Outcome::refused_at_once(code)
            },
            Redeemed(code) => Outcome::after_redemption(code),
        }
    }
}

#[tokio::test]
async fn what_comes_back_through_the_browser_gets_no_further_than_it_may() {
    let world = HostileWorld::start(Endpoints::Fixed).await;
    let issuer = world.provider.issuer().to_owned();
    let mut verdict = Verdict::default();
    for (name, query, stops) in ROWS {
        let newcomer = world.newcomer();
        let back = world.about_to_come_back(&newcomer).await;
        let (code, state) = (
            back.location_parameter("code").unwrap(),
            back.location_parameter("state").unwrap(),
        );
        let query = query
            .replace("{code}", &code)
            .replace("{state}", &state)
            .replace("{state-shortened}", &state[..42])
            .replace("{state-swapped}", &swapped(&state))
            .replace("{state-guessed}", &format!("{}{}", &state[..8], "A".repeat(35)))
            .replace("{iss}", &encoded(&issuer))
            .replace("{iss-encoded-twice}", &encoded(&encoded(&issuer)))
            .replace("{iss-in-capitals}", &encoded(&issuer.to_uppercase()))
            .replace("{long}", &"x".repeat(8 * 1024));
        let url = world.stack.at(&format!("/sso/magento/callback?{query}"));

        let landed = newcomer.browser.types(&url).await;

        assert!(
            !landed.text().contains("0800") && !landed.text().contains("<script"),
            "{name}: {landed:?}"
        );
        verdict.row(name, &stops.expected(), &world.outcome(&landed).await);
        // What stops before the claim burns nothing: the honest response still links.
        if matches!(stops, Malformed | NoFlow) {
            let honest = back.follows().await;
            assert_eq!(
                world.outcome(&honest).await,
                Linked.expected(),
                "{name}: the flow is gone"
            );
        }
    }
    verdict.is_clean(55);
}

/// The same faults, but made by the provider, which signs its people in and sends them back with them.
#[tokio::test]
async fn what_the_provider_itself_sends_back_wrong_gets_no_further_either() {
    type ProviderRow = (&'static str, fn(&mut Parameters), Stops);
    let rows: [ProviderRow; 8] = [
        ("an honest redirect", |_| {}, Linked),
        (
            "pt_31_the_provider_leaves_its_issuer_out",
            |response| response.retain(|(name, _)| name != "iss"),
            Claimed("identity_invalid"),
        ),
        (
            "pt_31_the_provider_says_its_issuer_twice",
            |response| again(response, "iss"),
            Malformed,
        ),
        (
            "pt_31_the_provider_names_another_issuer",
            |response| set(response, "iss", "https://evil.example"),
            Claimed("identity_invalid"),
        ),
        (
            "bb_02_the_provider_forgets_the_state",
            |response| response.retain(|(name, _)| name != "state"),
            Malformed,
        ),
        (
            "pt_34_the_provider_sends_the_code_twice",
            |response| again(response, "code"),
            Malformed,
        ),
        (
            "pt_34_the_provider_sends_a_code_and_an_error",
            |response| set(response, "error", "access_denied"),
            Malformed,
        ),
        (
            "pt_35_the_provider_sends_an_error_alone",
            |response| {
                response.retain(|(name, _)| name != "code");
                set(response, "error", "login_required");
            },
            Claimed("provider_refused"),
        ),
    ];
    let world = HostileWorld::start(Endpoints::Discovered).await;
    let mut verdict = Verdict::default();
    for (name, change, stops) in rows {
        world.provider.change_response(change);
        let newcomer = world.newcomer();
        let landed = world.about_to_come_back(&newcomer).await.follows().await;
        verdict.row(name, &stops.expected(), &world.outcome(&landed).await);
    }
    verdict.is_clean(8);
}

fn again(response: &mut Parameters, name: &str) {
    let parameter = response.iter().find(|(other, _)| other == name).unwrap().clone();
    response.push(parameter);
}

fn set(response: &mut Parameters, name: &str, value: &str) {
    response.retain(|(other, _)| other != name);
    response.push((name.to_owned(), value.to_owned()));
}
