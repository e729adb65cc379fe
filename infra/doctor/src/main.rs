//! Reads what to check, and prints what was found.

use std::{
    error::Error,
    io::{self, Read, Write},
    process::ExitCode,
};

use account_linking::{
    clock::{SystemClock, SystemRandomness},
    config::Environment,
};
use doctor::{Stage, examine, of_function};

const USAGE: &str = "\
Checks a configuration of the functions, and says what to mend. Ends in 1 when something is wrong.

    doctor [--before-deployment] [-]

It checks the variables of its own environment; with `-` those in what `aws lambda get-function-configuration` prints, read from
standard input, with the environment's credentials. Before the first deployment it does not look at what that will make.
";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let (mut stage, mut reads_input) = (Stage::Deployed, false);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--before-deployment" => stage = Stage::BeforeDeployment,
            "-" => reads_input = true,
            _ => {
                // Without a standard error there is nobody to tell.
                let _ = io::stderr().write_all(USAGE.as_bytes());
                return ExitCode::from(2);
            }
        }
    }
    let process = Environment::of_process();
    let environment = if reads_input {
        match read_input(&process) {
            Ok(environment) => environment,
            Err(error) => {
                let _ = writeln!(io::stderr(), "reading the function's configuration: {error}");
                return ExitCode::from(2);
            }
        }
    } else {
        process
    };
    let report = examine(&environment, stage, &SystemClock, &SystemRandomness::default()).await;
    let written = write!(io::stdout(), "{report}");
    if report.is_wrong() || written.is_err() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn read_input(process: &Environment) -> Result<Environment, Box<dyn Error>> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    Ok(of_function(&text, process)?)
}
