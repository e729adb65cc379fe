use serde_json::Value;

use super::*;

fn record() -> Record<'static> {
    Record {
        timestamp: Timestamp::from_unix_ms(1_585_699_200_123),
        level: Level::Warn,
        function: "callback",
        function_name: "callback",
        outcome: "flow_unknown",
        status: 400,
        request_id: "id",
        trace_id: None,
        provider_id: Some("magento"),
        flow_id: None,
        duration_ms: 7,
        provider_ms: None,
        cold_start: false,
        cause: None,
    }
}

fn line(record: &Record<'_>) -> Value {
    serde_json::to_value(Counted::of(record)).unwrap()
}

#[test]
fn a_record_is_one_line_of_json_whatever_is_in_it() {
    let record = Record {
        request_id: "id\n\u{1b}[31m",
        cause: Some("a\r\nb".to_owned()),
        ..record()
    };
    let line = serde_json::to_string(&Counted::of(&record)).unwrap();
    let (told, counted) = line.split_once(r#","_aws":"#).unwrap();
    assert_eq!(
        told,
        r#"{"timestamp":"2020-04-01T00:00:00Z","level":"WARN","function":"callback","FunctionName":"callback","outcome":"flow_unknown","status":400,"request_id":"id\n\u001b[31m","provider.id":"magento","duration_ms":7,"cause":"a\r\nb","requests":1,"failures":0"#
    );
    assert_eq!(
        counted,
        r#"{"Timestamp":1585699200123,"CloudWatchMetrics":[{"Namespace":"AccountLinking","Dimensions":[["FunctionName"],["FunctionName","outcome"]],"Metrics":[{"Name":"requests","Unit":"Count"}]},{"Namespace":"AccountLinking","Dimensions":[["FunctionName"]],"Metrics":[{"Name":"failures","Unit":"Count"},{"Name":"duration_ms","Unit":"Milliseconds"}]}]}}"#
    );
}

/// The rules of the embedded metric format that `CloudWatch` enforces by ignoring the line.
#[test]
fn every_metric_and_dimension_is_a_member_of_its_line() {
    for (provider_ms, cold_start) in [(None, false), (None, true), (Some(0), false), (Some(3), true)] {
        let record = Record {
            provider_ms,
            cold_start,
            ..record()
        };
        let line = line(&record);
        let mut counted = Vec::new();
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
            for dimension in directive["Dimensions"].as_array().unwrap() {
                for name in dimension.as_array().unwrap() {
                    assert!(line[name.as_str().unwrap()].is_string(), "{name}: {line}");
                }
            }
            for metric in directive["Metrics"].as_array().unwrap() {
                let name = metric["Name"].as_str().unwrap();
                assert!(line[name].is_number(), "{name}: {line}");
                counted.push(name);
            }
        }
        assert_eq!(counted.contains(&"provider_ms"), provider_ms.is_some());
        assert_eq!(counted.contains(&"cold_starts"), cold_start);
    }
}

#[test]
fn what_we_failed_at_counts_as_a_failure_and_what_we_refused_does_not() {
    for (level, failures) in [(Level::Info, 0), (Level::Warn, 0), (Level::Error, 1)] {
        assert_eq!(line(&Record { level, ..record() })["failures"], failures, "{level:?}");
    }
}

#[test]
fn a_trace_is_its_root_and_nothing_else_is_one() {
    let root = "1-5759e988-bd862e3fe1be46a994272793";
    for header in [
        format!("Root={root}"),
        format!("Root={root};Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a:0"),
        format!("Self=1-67891234-12456789abcdef012345678;Root={root}"),
    ] {
        let trace = TraceId::of_header(&header).unwrap();
        let line = line(&Record {
            trace_id: Some(&trace),
            ..record()
        });
        assert_eq!(line["trace_id"], root, "{header}");
    }
    for header in [
        "",
        root,
        "Root=",
        "Root=1-5759e988",
        "Root=2-5759e988-bd862e3fe1be46a994272793",
        "Root=1-5759e988-bd862e3fe1be46a99427279",
        "Root=1-5759e98g-bd862e3fe1be46a994272793",
        "Root=1-5759e988-bd862e3fe1be46a99427279\n",
        "root=1-5759e988-bd862e3fe1be46a994272793",
    ] {
        assert_eq!(TraceId::of_header(header), None, "{header}");
    }
}

#[test]
fn a_cause_names_the_whole_chain_once() {
    #[derive(Debug, thiserror::Error)]
    #[error("redeeming the code")]
    struct Outer(#[source] Inner);
    #[derive(Debug, thiserror::Error)]
    #[error("connecting")]
    struct Inner;
    assert_eq!(cause_of(&Outer(Inner)), "redeeming the code: connecting");
}
