//! What each environment is given, and `CloudFront` in front of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::document;

const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "production"];

#[test]
fn every_environment_gives_parameters_that_the_template_has_and_values_that_it_allows() {
    let template = document::read("template.yaml");
    let declared = template["Parameters"].as_object().unwrap();
    for environment in ENVIRONMENTS {
        let given = document::read(&format!("infra/environments/{environment}.yaml"));
        let given = given.as_object().unwrap();
        for (name, value) in given {
            let declaration = declared.get(name).unwrap_or_else(|| panic!("{environment}: {name}"));
            if let Some(allowed) = declaration["AllowedValues"].as_array() {
                assert!(allowed.contains(value), "{environment}: {name}");
            }
        }
        // What has no default must be given.
        let needed = declared
            .iter()
            .filter(|(_, declaration)| declaration.get("Default").is_none());
        for (name, _) in needed {
            assert!(given.contains_key(name), "{environment}: {name}");
        }
        assert_eq!(given["GradualDeployment"], "true", "{environment}");
        assert_eq!(given.get("AlarmsRing"), None, "{environment}: they do");
        let providers: Value = serde_json::from_str(given["Providers"].as_str().unwrap()).unwrap();
        let provider = &providers[0];
        assert_eq!(provider["client_secret"], Value::Null, "{environment}");
        let alias = format!(":alias/account-linking-{environment}-client");
        assert!(
            provider["client_key_arn"].as_str().unwrap().ends_with(&alias),
            "{environment}"
        );
        let samconfig = document::text("samconfig.toml");
        let parameters = format!(
            "stack_name = \"account-linking-{environment}\"\nparameter_overrides = \"file://infra/environments/{environment}.yaml\""
        );
        assert!(samconfig.contains(&parameters), "{environment}");
    }
}

#[test]
fn what_stands_in_front_keeps_nothing_and_passes_on_what_the_functions_need() {
    let template = document::read("template.yaml");
    assert_eq!(template["Resources"]["Front"]["Condition"], "HasFront");
    let front = document::read("infra/front.yaml");
    let distribution = &front["Resources"]["Distribution"]["Properties"]["DistributionConfig"];
    let [to_api] = document::list(&distribution["CacheBehaviors"]) else {
        panic!("one path goes to the API")
    };
    assert_eq!(to_api["PathPattern"], "/sso/*");
    for behavior in [to_api, &distribution["DefaultCacheBehavior"]] {
        // CachingDisabled; AllViewerExceptHostHeader.
        assert_eq!(behavior["CachePolicyId"], "4135ea2d-6df8-44a3-9df3-4b5a84be39ad");
        assert_eq!(
            behavior["OriginRequestPolicyId"],
            "b689b0a8-53d0-40ab-baf2-68738e2966ac"
        );
    }
    // The statuses that CloudFront would keep for ten seconds (its Developer Guide, "How CloudFront caches errors").
    let kept = [400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504];
    let not_kept: BTreeSet<_> = document::list(&distribution["CustomErrorResponses"])
        .iter()
        .filter(|response| response["ErrorCachingMinTTL"] == 0)
        .map(|response| response["ErrorCode"].as_u64().unwrap())
        .collect();
    assert_eq!(not_kept, BTreeSet::from(kept));
    assert_eq!(
        distribution["ViewerCertificate"]["MinimumProtocolVersion"],
        "TLSv1.2_2021"
    );
    // Its own logs would hold queries.
    assert_eq!(distribution.get("Logging"), None);
    assert_eq!(
        distribution["WebACLId"],
        json!({"If": ["HasWebAcl", {"Ref": "WebAclArn"}, {"Ref": "AWS::NoValue"}]})
    );
}

#[test]
fn whoever_skips_a_check_says_why() {
    for file in [
        "template.yaml",
        "infra/alarms.yaml",
        "infra/dashboard.yaml",
        "infra/front.yaml",
    ] {
        let template = document::read(file);
        for (name, resource) in template["Resources"].as_object().unwrap() {
            for skipped in resource
                .pointer("/Metadata/checkov/skip")
                .into_iter()
                .flat_map(document::list)
            {
                let reason = skipped["comment"].as_str().unwrap();
                assert!(reason.split(' ').count() > 4, "{file}: {name}: {skipped}");
            }
        }
    }
}
