#![doc = include_str!("../README.md")]

mod cause;
mod clock;
mod finding;
mod function;
mod provider;

use account_linking::{
    clock::{Clock, Deadline, Randomness},
    config::{
        ConfigError, ConfirmLink, Environment, Reader, Site, read_linking_required, read_reauthenticate_after,
        read_sign_in_complete,
    },
    flow_keys::FlowKeyRing,
    http::request::REQUEST_BUDGET,
    outbound::{HttpClient, Locality},
    provider::Providers,
    session::Sessions,
    table::Table,
    telemetry::cause_of,
};
use serde_json::Value;

use crate::cause::mend_secret;
pub use crate::{
    finding::{Finding, Report, Verdict},
    function::{NotAFunction, of_function},
};

/// What there is already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Everything.
    Deployed,
    /// Nothing at AWS: the table, the flow keys and the client's credential are not looked at.
    BeforeDeployment,
}

/// What every check needs.
pub(crate) struct Examination<'a> {
    environment: &'a Environment,
    stage: Stage,
    clock: &'a dyn Clock,
    random: &'a dyn Randomness,
    client: HttpClient,
    locality: Locality,
}

impl Examination<'_> {
    /// Each check has the time of a request, since that is what the functions have.
    fn deadline() -> Deadline {
        Deadline::within(REQUEST_BUDGET)
    }
}

/// Checks the configuration in `environment`. Every check that can run runs, whatever came of the others; none writes anything.
pub async fn examine(environment: &Environment, stage: Stage, clock: &dyn Clock, random: &dyn Randomness) -> Report {
    let mut report = Report::default();
    let environment = &match stage {
        Stage::Deployed => environment.clone(),
        Stage::BeforeDeployment => with_stand_ins(environment.clone()),
    };
    let mut reader = Reader::new(environment);
    let parts = Parts::read(&mut reader);
    examine_variables(reader, stage, &mut report);

    let locality = parts.site.as_ref().map_or(Locality::Deployed, |site| site.locality);
    let examination = Examination {
        environment,
        stage,
        clock,
        random,
        client: Reader::new(environment).http_client(locality),
        locality,
    };
    examination.flow_keys(parts.flow_keys, &mut report).await;
    examination.table(parts.table, &mut report).await;
    examination.sessions(parts.sessions, &mut report).await;
    let elements = environment.get("PROVIDERS").map(serde_json::from_str::<Vec<Value>>);
    for element in elements.and_then(Result::ok).unwrap_or_default() {
        examination.provider(&element, &mut report).await;
    }
    report
}

/// What the functions read, as they read it.
struct Parts {
    site: Option<Site>,
    flow_keys: Option<FlowKeyRing>,
    table: Option<Table>,
    sessions: Option<Sessions>,
}

impl Parts {
    fn read(reader: &mut Reader<'_>) -> Self {
        let site = Site::read(reader);
        let parts = Self {
            flow_keys: FlowKeyRing::read(reader, site.as_ref()),
            table: Table::read(reader),
            sessions: Sessions::read(reader),
            site,
        };
        // The rest is read for its mistakes.
        let _ = read_sign_in_complete(reader);
        let _ = (ConfirmLink::read(reader), read_reauthenticate_after(reader));
        let _ = read_linking_required(reader);
        let _ = Providers::read(reader, parts.site.as_ref());
        parts
    }
}

/// What stands for what the stack will make.
fn with_stand_ins(mut environment: Environment) -> Environment {
    if environment.get("FLOW_KEYS").is_none() {
        environment.set("FLOW_KEYS_ARN", "(made by the stack)");
    }
    for name in ["TABLE_NAME", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        if environment.get(name).is_none() {
            environment.set(name, "(made by the stack)");
        }
    }
    environment
}

fn examine_variables(reader: Reader<'_>, stage: Stage, report: &mut Report) {
    let mistakes = match reader.finish(Some(())) {
        Ok(()) => Vec::new(),
        Err(ConfigError(mistakes)) => mistakes,
    };
    for mistake in &mistakes {
        report.wrong("variables", mistake, "No function that reads it starts.");
    }
    if mistakes.is_empty() {
        let but = match stage {
            Stage::Deployed => "",
            Stage::BeforeDeployment => ", but for those that the stack sets",
        };
        report.ok("variables", format!("the functions can read them all{but}"));
    }
}

const UNREAD: &str = "its variables must be mended first";
const NOT_YET: &str = "the first deployment makes it";

impl Examination<'_> {
    async fn flow_keys(&self, keys: Option<FlowKeyRing>, report: &mut Report) {
        let subject = "flow keys";
        let Some(keys) = keys else {
            return report.skipped(subject, UNREAD);
        };
        if self.stage == Stage::BeforeDeployment && self.environment.get("FLOW_KEYS").is_none() {
            return report.skipped(subject, NOT_YET);
        }
        match keys.current(self.clock.now(), Self::deadline()).await {
            Ok(_) => report.ok(subject, "there, and of the right form"),
            Err(error) => report.wrong(subject, cause_of(&error), mend_secret(&error)),
        }
    }

    async fn table(&self, table: Option<Table>, report: &mut Report) {
        let subject = "table";
        let Some(table) = table else {
            return report.skipped(subject, UNREAD);
        };
        if self.stage == Stage::BeforeDeployment {
            return report.skipped(subject, NOT_YET);
        }
        let faults = match table.examine(Self::deadline()).await {
            Ok(faults) => faults,
            Err(error) => {
                let mend = "Look at TABLE_NAME, AWS_REGION, the credentials, and the way to AWS from here.";
                return report.wrong(subject, cause_of(&error), mend);
            }
        };
        if !faults.iter().any(|fault| !fault.is_about_loss()) {
            report.ok(subject, "keys, time to live and stream are as they must be");
        }
        for fault in faults {
            let mend = "template.yaml makes it so; a restored table must be given it (docs/operate.md).";
            if fault.is_about_loss() {
                report.add(subject, Verdict::Advice, format!("{fault}. {mend}"));
            } else {
                report.wrong(subject, fault, mend);
            }
        }
    }

    async fn sessions(&self, sessions: Option<Sessions>, report: &mut Report) {
        let subject = "keys of sessions";
        let Some(sessions) = sessions else {
            return report.skipped(subject, UNREAD);
        };
        match sessions.have_usable_keys(self.clock.now(), Self::deadline()).await {
            Ok(true) => report.ok(subject, "a session can be signed with one"),
            Ok(false) => report.wrong(
                subject,
                "none is for ES256, RS256 or EdDSA",
                "Have accounts.magento.cloud publish the public half of the key that signs its sessions.",
            ),
            Err(error) => report.wrong(
                subject,
                cause_of(&error),
                "SESSION_JWKS_URL must answer 200 with a JWK Set, without a redirect.",
            ),
        }
    }
}
