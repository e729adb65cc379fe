//! The compiled functions as Lambda starts them: `make lambda` builds them and runs this.

use std::process::Command;

use harness::lambda::bootstraps;
use serde_json::{Value, json};

#[test]
fn a_function_without_its_variables_names_all_of_them_and_ends() {
    for (function, program) in bootstraps() {
        let output = Command::new(program).env_clear().output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{function}");
        assert_eq!(output.stderr, b"", "{function}: it stops before it looks for Lambda");

        let told = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in &lines {
            assert_eq!(line["function"], json!(function), "{line}");
            assert_eq!(line["outcome"], json!("configuration_error"), "{line}");
            assert!(line["cause"].as_str().unwrap().ends_with(" is missing"), "{line}");
        }
        // Two that are read at different places of every function's start.
        let names = |cause: &str| lines.iter().any(|line| line["cause"] == json!(cause));
        let last = match function.as_str() {
            "start-link" | "sign-in" => "FLOW_KEYS_ARN is missing",
            _ => "AWS_REGION is missing",
        };
        assert!(names("PUBLIC_ORIGIN is missing") && names(last), "{told}");
    }
}
