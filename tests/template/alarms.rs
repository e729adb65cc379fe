//! What rings, what is looked at: nobody finds out from AWS that an alarm is missing.

use std::collections::{BTreeMap, BTreeSet};

use account_linking::http::problem::ErrorCode;
use serde_json::{Value, json};

use crate::document::{self, list};

/// The alarms beside those of each function.
const ALARMS: [&str; 12] = [
    "CallbackRefusals",
    "CallbackSlow",
    "Conflicts",
    "EventsUndelivered",
    "FunnelStalls",
    "IdentitiesInUse",
    "ProviderErrors",
    "ProviderSlow",
    "RotationStopped",
    "StatusSlow",
    "TableThrottled",
    "Throttled",
];

/// `start-link` → `StartLink`.
fn camel_case(name: &str) -> String {
    let words = name.split('-');
    words.map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

fn alarms() -> BTreeMap<String, Value> {
    let file = document::read("infra/alarms.yaml");
    document::resources(&file, "AWS::CloudWatch::Alarm")
        .map(|(name, alarm)| (name.to_owned(), alarm["Properties"].clone()))
        .collect()
}

/// What `file` looks at: namespace, metric, dimensions.
fn metrics(alarm: &Value) -> Vec<&Value> {
    let queries = list(&alarm["Metrics"]).iter();
    queries
        .filter_map(|query| query.pointer("/MetricStat/Metric"))
        .collect()
}

#[test]
fn every_function_has_an_alarm_that_takes_its_new_version_back() {
    let (template, file) = (document::read("template.yaml"), document::read("infra/alarms.yaml"));
    let alarms = alarms();
    for (name, function) in document::functions(&template) {
        let camel = camel_case(name);
        let alarm = format!("{camel}Failing");
        let output = format!("Alarms.Outputs.{alarm}");
        let watched = json!([{"If": ["HasAlarms", {"GetAtt": output}, {"Ref": "AWS::NoValue"}]}]);
        assert_eq!(function.properties["DeploymentPreference"]["Alarms"], watched, "{name}");
        assert_eq!(file["Outputs"][&alarm]["Value"], json!({"Ref": alarm}), "{name}");
        let counted: BTreeSet<_> = metrics(&alarms[&alarm])
            .into_iter()
            .map(|metric| {
                let dimensions = json!([{"Name": "FunctionName", "Value": {"Ref": camel}}]);
                assert_eq!(metric["Dimensions"], dimensions, "{name}");
                metric["MetricName"].as_str().unwrap()
            })
            .collect();
        let counts: &[&str] = match name {
            "rotate-flow-keys" => &["Errors"],
            _ => &["Errors", "Invocations", "failures"],
        };
        assert!(counted.iter().eq(counts), "{name}: {counted:?}");
        let given = &template["Resources"]["Alarms"]["Properties"]["Parameters"][&camel];
        assert_eq!(*given, json!({"Ref": format!("{camel}Function")}), "{name}");
    }
}

#[test]
fn there_are_these_alarms_and_no_others() {
    let template = document::read("template.yaml");
    let functions = document::functions(&template).into_keys();
    let mut expected: BTreeSet<_> = functions.map(|name| camel_case(name) + "Failing").collect();
    expected.extend(ALARMS.map(str::to_owned));
    assert_eq!(alarms().into_keys().collect::<BTreeSet<_>>(), expected);
}

#[test]
fn every_alarm_rings_stops_ringing_and_leads_to_its_entry_in_the_runbook() {
    let runbook = document::text("docs/runbook.md");
    let mut entries = BTreeMap::new();
    for entry in runbook.split("\n## ").skip(1) {
        let title = entry.lines().next().unwrap();
        entries.insert(title.to_lowercase().replace(' ', "-"), entry);
    }
    let mut linked = BTreeSet::new();
    for (name, alarm) in alarms() {
        for actions in ["AlarmActions", "OKActions"] {
            assert_eq!(alarm[actions], json!([{"Ref": "Alerts"}]), "{name}");
        }
        let missing = if name == "RotationStopped" {
            "breaching"
        } else {
            "notBreaching"
        };
        assert_eq!(alarm["TreatMissingData"], missing, "{name}");
        let description = alarm["AlarmDescription"]["Sub"].as_str().unwrap();
        let (text, anchor) = description.split_once(" ${Runbook}#").unwrap();
        assert!(text.ends_with('.'), "{name}: {text}");
        let entry = entries
            .get(anchor)
            .unwrap_or_else(|| panic!("{name}: no entry #{anchor}"));
        let names = entry.split('*').nth(1).unwrap();
        assert!(
            names.trim_end_matches('.').split(", ").any(|named| named == name),
            "{name}: {names}"
        );
        linked.insert(anchor.to_owned());
    }
    assert_eq!(linked, entries.into_keys().collect());
}

#[test]
fn every_share_has_a_floor_below_which_it_does_not_ring() {
    for (name, alarm) in alarms() {
        for query in alarm["Metrics"].as_array().into_iter().flatten() {
            let Some(expression) = query["Expression"].as_str() else {
                assert_eq!(query["ReturnData"], Value::Bool(false), "{name}: one thing rings");
                continue;
            };
            let about_few = expression.contains('/') || expression.contains("p9");
            let has_floor = expression.starts_with("IF(") && expression.contains(">= ");
            assert!(!about_few || has_floor, "{name}: {expression}");
        }
    }
}

#[test]
fn what_is_watched_is_what_the_log_counts() {
    let logging = document::text("docs/logging.md");
    let counted = ["requests", "failures", "duration_ms", "provider_ms", "cold_starts"];
    let known = |outcome: &str| {
        ErrorCode::ALL.iter().any(|code| code.as_str() == outcome) || logging.contains(&format!("`{outcome}`"))
    };
    let mut seen = 0;
    for (name, alarm) in alarms() {
        for metric in metrics(&alarm)
            .into_iter()
            .filter(|metric| metric["Namespace"] == "AccountLinking")
        {
            assert!(
                counted.contains(&metric["MetricName"].as_str().unwrap()),
                "{name}: {metric}"
            );
            for dimension in list(&metric["Dimensions"]) {
                match dimension["Name"].as_str().unwrap() {
                    "FunctionName" => assert!(dimension["Value"]["Ref"].is_string(), "{name}"),
                    "outcome" => assert!(known(dimension["Value"].as_str().unwrap()), "{name}: {dimension}"),
                    other => panic!("{name}: {other}"),
                }
            }
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn every_stack_inside_gets_the_parameters_it_declares() {
    let template = document::read("template.yaml");
    let mut seen = 0;
    for (name, stack) in document::resources(&template, "AWS::CloudFormation::Stack") {
        let inside = document::read(stack["Properties"]["TemplateURL"].as_str().unwrap());
        let declared = inside["Parameters"].as_object().unwrap();
        let given = stack["Properties"]["Parameters"].as_object().unwrap();
        let names = |of: &serde_json::Map<String, Value>| of.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(names(given), names(declared), "{name}");
        for (parameter, declaration) in declared {
            assert!(declaration["Description"].is_string(), "{name}: {parameter}");
        }
        seen += 1;
    }
    assert_eq!(seen, 3);
}

#[test]
fn the_dashboard_shows_every_metric_that_the_log_counts() {
    let file = document::read("infra/dashboard.yaml");
    let body = file["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Sub"]
        .as_str()
        .unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let shown = body.to_string();
    for metric in ["requests", "failures", "duration_ms", "provider_ms", "cold_starts"] {
        assert!(shown.contains(&format!(r#""AccountLinking","{metric}""#)), "{metric}");
    }
}
