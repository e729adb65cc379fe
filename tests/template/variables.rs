//! Each function is given the variables it reads, and no others.

use std::{collections::BTreeSet, sync::Arc};

use account_linking::{
    clock::{Clock, Randomness, SystemClock, SystemRandomness},
    config::{ConfigError, Environment},
};

use crate::document;

/// Every variable of contract section 8, but for `PORT` and the like, which are the local stack's.
const ALL: [&str; 19] = [
    "ADDITIONAL_ROOTS",
    "PUBLIC_ORIGIN",
    "SETTINGS_URL",
    "SIGN_IN_URL",
    "SIGN_IN_COMPLETE_URL",
    "ONBOARDING_URL",
    "TABLE_NAME",
    "PROVIDERS",
    "FLOW_KEYS",
    "FLOW_KEYS_ARN",
    "SESSION_ISSUER",
    "SESSION_AUDIENCE",
    "SESSION_JWKS",
    "SESSION_JWKS_URL",
    "SESSION_COOKIE",
    "CONFIRM_LINK",
    "REAUTHENTICATE_AFTER_SECONDS",
    "LINKING_REQUIRED_FROM",
    "PROVIDER_TIMEOUT_MS",
];

/// What `function` finds wrong with `environment`.
async fn mistakes(function: &str, environment: &Environment) -> Vec<String> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let random: Arc<dyn Randomness> = Arc::new(SystemRandomness::default());
    let connected = match function {
        "start-link" => start_link::App::connect(environment, clock, random).await.map(drop),
        "callback" => callback::App::connect(environment, clock, random).await.map(drop),
        "status" => status::App::connect(environment, clock).await.map(drop),
        "confirm" => confirm::App::connect(environment, clock, random).await.map(drop),
        "account-policy" => account_policy::App::connect(environment, clock, random).map(drop),
        "redeem-ticket" => redeem_ticket::App::connect(environment, clock).map(drop),
        "sign-in" => sign_in::App::connect(environment, clock, random).await.map(drop),
        "rotate-flow-keys" => rotate_flow_keys::App::connect(environment, clock, random).map(drop),
        "unlink" => unlink::App::connect(environment, clock, random).await.map(drop),
        other => panic!("{other} is not known here"),
    };
    let ConfigError(mistakes) = connected.unwrap_err();
    mistakes
}

/// The variables that the mistakes begin with, but for Lambda's own, and keys in a variable, which are for local configurations.
fn names(mistakes: &[String]) -> BTreeSet<&str> {
    let begins = mistakes.iter().filter_map(|mistake| mistake.split(' ').next());
    begins
        .filter(|name| !name.starts_with("AWS_") && *name != "FLOW_KEYS")
        .collect()
}

#[tokio::test]
async fn doctor_reads_every_variable_that_a_function_reads() {
    let (nothing, mut nonsense) = (Environment::default(), Environment::default());
    for name in ALL {
        nonsense.set(name, "\u{7}");
    }
    let mut told = Vec::new();
    for environment in [nothing, nonsense] {
        let (stage, random) = (doctor::Stage::Deployed, SystemRandomness::default());
        let report = doctor::examine(&environment, stage, &SystemClock, &random).await;
        let of_variables = report
            .findings()
            .iter()
            .filter(|finding| finding.subject == "variables");
        told.extend(of_variables.map(|finding| finding.text.clone()));
    }
    let all = BTreeSet::from(ALL);
    assert_eq!(
        names(&told),
        all.into_iter().filter(|name| *name != "FLOW_KEYS").collect()
    );
}

#[tokio::test]
async fn each_function_is_given_the_variables_it_reads_and_no_others() {
    // A variable that is read is missed, or cannot be a bell.
    let (nothing, mut nonsense) = (Environment::default(), Environment::default());
    for name in ALL {
        nonsense.set(name, "\u{7}");
    }
    let template = document::read("template.yaml");
    for (name, function) in document::functions(&template) {
        let mistakes = [mistakes(name, &nothing).await, mistakes(name, &nonsense).await].concat();
        let read = names(&mistakes);
        assert!(read.iter().all(|name| ALL.contains(name)), "{name} reads {read:?}");
        assert_eq!(function.variables().collect::<BTreeSet<_>>(), read, "{name}");
    }
}
