//! What API Gateway does before and after the functions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::document;

/// What an access log line may tell: nothing that a caller chose, but for the route.
const LOGGED: [&str; 9] = [
    "error.responseType",
    "integrationLatency",
    "integrationStatus",
    "requestId",
    "requestTimeEpoch",
    "responseLatency",
    "responseLength",
    "routeKey",
    "status",
];

fn api() -> Value {
    document::read("template.yaml")["Resources"]["Api"]["Properties"].clone()
}

#[test]
fn the_routes_of_a_flow_are_throttled_lower_and_all_others_too() {
    let limits = |settings: &Value| {
        (
            settings["ThrottlingRateLimit"]["Ref"].as_str().unwrap().to_owned(),
            settings["ThrottlingBurstLimit"]["Ref"].as_str().unwrap().to_owned(),
        )
    };
    let both = |name: &str| (name.to_owned(), name.to_owned());
    let api = api();
    assert_eq!(limits(&api["DefaultRouteSettings"]), both("RequestsPerSecond"));
    let routes: BTreeMap<_, _> = api["RouteSettings"].as_object().unwrap().iter().collect();
    let lower: BTreeSet<_> = routes.keys().map(|route| route.as_str()).collect();
    assert_eq!(
        lower,
        BTreeSet::from([
            "GET /sso/{provider}/callback",
            "GET /sso/{provider}/sign-in",
            "POST /sso/{provider}/start-link"
        ])
    );
    for (route, settings) in routes {
        assert_eq!(limits(settings), both("FlowsPerSecond"), "{route}");
    }
    let template = document::read("template.yaml");
    let default = |name: &str| template["Parameters"][name]["Default"].as_i64().unwrap();
    assert!(default("FlowsPerSecond") < default("RequestsPerSecond"));
}

#[test]
fn the_access_log_holds_neither_paths_nor_queries_nor_addresses() {
    let template = document::read("template.yaml");
    let settings = &template["Resources"]["Api"]["Properties"]["AccessLogSettings"];
    assert_eq!(settings["DestinationArn"], json!({"GetAtt": "ApiLogs.Arn"}));
    let format = settings["Format"].as_str().unwrap();
    let line: BTreeMap<String, String> = serde_json::from_str(format).unwrap();
    let logged: BTreeSet<_> = line
        .values()
        .map(|value| value.strip_prefix("$context.").unwrap())
        .collect();
    assert_eq!(logged, BTreeSet::from(LOGGED));
    let logs = &template["Resources"]["ApiLogs"]["Properties"];
    assert_eq!(logs["RetentionInDays"], json!({"Ref": "LogRetentionDays"}));
    assert_eq!(logs["KmsKeyId"], json!({"GetAtt": "DataKey.Arn"}));
}

#[test]
fn a_domain_of_its_own_is_the_only_one() {
    let template = document::read("template.yaml");
    assert_eq!(
        template["Conditions"]["HasApiDomain"],
        json!({"Not": [{"Equals": [{"Ref": "ApiDomainName"}, ""]}]})
    );
    assert_eq!(
        api()["DisableExecuteApiEndpoint"],
        json!({"If": ["HasApiDomain", true, false]})
    );
    for name in ["ApiDomain", "ApiDomainMapping"] {
        assert_eq!(template["Resources"][name]["Condition"], "HasApiDomain");
    }
    assert_eq!(
        template["Resources"]["ApiDomain"]["Properties"]["DomainNameConfigurations"][0]["SecurityPolicy"],
        "TLS_1_2"
    );
}
