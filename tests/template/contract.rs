//! The error codes of `infra/openapi.yaml` are the code's.

use account_linking::http::problem::ErrorCode;
use serde_json::{Value, json};

use crate::document;

#[test]
fn the_contract_lists_every_error_code_in_order() {
    let contract = document::read("infra/openapi.yaml");
    let codes: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(contract["components"]["schemas"]["ErrorCode"]["enum"], json!(codes));
}

#[test]
fn every_problem_document_carries_the_status_of_its_code() {
    let contract = document::read("infra/openapi.yaml");
    let responses = contract["components"]["responses"].as_object().unwrap();
    let problems = responses.iter().filter_map(|(name, response)| {
        Some((
            name,
            response.pointer("/content/application~1problem+json/schema/allOf/1/properties")?,
        ))
    });
    let mut seen = 0;
    for (name, properties) in problems {
        for code in properties["code"]["enum"].as_array().unwrap() {
            let known = ErrorCode::ALL.iter().find(|known| code == known.as_str()).unwrap();
            assert_eq!(
                properties["status"]["enum"],
                json!([known.status().as_u16()]),
                "{name}: {code}"
            );
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn every_answer_says_how_it_must_not_be_kept_sniffed_or_passed_on() {
    let contract = document::read("infra/openapi.yaml");
    // What the gateway answers by itself has only what API Gateway gives it.
    let components = contract["components"]["responses"].as_object().unwrap().iter();
    let of_functions = components.filter(|(name, _)| *name != "Unsigned");
    let mut responses: Vec<&Value> = of_functions.map(|(_, response)| response).collect();
    let paths = contract["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|path| path.as_object().unwrap().values());
    let answers = operations
        .filter_map(|operation| operation["responses"].as_object())
        .flat_map(|all| all.values());
    responses.extend(answers.filter(|response| response.get("$ref").is_none()));
    for response in responses {
        for header in [
            "Cache-Control",
            "X-Content-Type-Options",
            "Referrer-Policy",
            "Strict-Transport-Security",
        ] {
            assert!(response["headers"][header].is_object(), "{header}: {response}");
        }
        let is_page = response["content"]["text/html"].is_object();
        assert_eq!(
            response["headers"]["Content-Security-Policy"].is_object(),
            is_page,
            "{response}"
        );
    }
}
