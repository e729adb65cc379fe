//! What `infra/openapi.yaml` allows, held against what was said.

use std::collections::BTreeSet;

use boon::{Compiler, Draft, Schemas};
use harness::{browser::Exchange, documents};
use serde_json::{Map, Value};

/// The name that schemas refer to each other by.
const LOCATION: &str = "contract:/openapi.json";

/// The contract, machine-readable.
pub(crate) struct Contract(Value);

impl Contract {
    pub(crate) fn read() -> Self {
        let mut document = documents::read("infra/openapi.yaml");
        spell_out_null(&mut document);
        Self(document)
    }

    /// Every answer that is documented, as its operation and status: `status 200`.
    pub(crate) fn answers(&self) -> BTreeSet<String> {
        let paths = self.0["paths"].as_object().into_iter().flat_map(Map::values);
        let operations = paths.filter_map(Value::as_object).flat_map(Map::values);
        let answers = operations.filter_map(|operation| {
            let (id, responses) = (operation["operationId"].as_str()?, operation["responses"].as_object()?);
            Some(responses.keys().map(move |status| format!("{id} {status}")))
        });
        answers.flatten().collect()
    }

    /// The operation that `exchange` is one of, when its answer is documented; otherwise what is not.
    pub(crate) fn allows(&self, exchange: &Exchange) -> Result<&str, String> {
        let (path, operation) = self.operation(exchange).ok_or("no such operation")?;
        let status = exchange.status.as_u16().to_string();
        let at = format!(
            "/paths/{}/{operation}/responses/{status}",
            path.replace('~', "~0").replace('/', "~1")
        );
        let (at, response) = self.resolved(&at).ok_or(format!("status {status} is not documented"))?;
        self.check_headers(exchange, response)?;
        self.check_body(exchange, &at, response)?;
        let id = &self.0["paths"][path][operation.as_str()]["operationId"];
        id.as_str().ok_or("the operation has no name".to_owned())
    }

    fn operation(&self, exchange: &Exchange) -> Option<(&str, String)> {
        let segments: Vec<&str> = exchange.url.path().split('/').collect();
        let is_of = |template: &str| {
            let parts: Vec<&str> = template.split('/').collect();
            parts.len() == segments.len()
                && parts
                    .iter()
                    .zip(&segments)
                    .all(|(part, segment)| part.starts_with('{') || part == segment)
        };
        let method = exchange.method.as_str().to_ascii_lowercase();
        let paths = self.0["paths"].as_object()?;
        let (path, item) = paths.iter().find(|(template, _)| is_of(template))?;
        item.get(&method).map(|_| (path.as_str(), method))
    }

    /// What stands at the JSON pointer `at`, behind its references, and where that is.
    fn resolved(&self, at: &str) -> Option<(String, &Value)> {
        let value = self.0.pointer(at)?;
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.resolved(reference.strip_prefix('#')?),
            None => Some((at.to_owned(), value)),
        }
    }

    fn check_headers(&self, exchange: &Exchange, response: &Value) -> Result<(), String> {
        // None are documented where API Gateway itself answers.
        let documented = response["headers"].as_object();
        for (name, header) in documented.into_iter().flatten() {
            let header = match header["$ref"].as_str() {
                Some(reference) => self
                    .0
                    .pointer(reference.trim_start_matches('#'))
                    .ok_or("a dangling reference")?,
                None => header,
            };
            let values: Vec<&str> = exchange
                .headers
                .get_all(name.as_str())
                .iter()
                .filter_map(|value| value.to_str().ok())
                .collect();
            if values.is_empty() && header["required"] == true {
                return Err(format!("{name} is missing"));
            }
            let allowed = header["schema"]["enum"].as_array();
            if allowed.is_some_and(|allowed| !values.iter().all(|value| allowed.contains(&(*value).into()))) {
                return Err(format!("{name} is {values:?}"));
            }
        }
        Ok(())
    }

    fn check_body(&self, exchange: &Exchange, at: &str, response: &Value) -> Result<(), String> {
        if exchange.body.is_empty() {
            return if response["content"].is_null() {
                Ok(())
            } else {
                Err("a body is missing".to_owned())
            };
        }
        let kind = exchange
            .headers
            .get("content-type")
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default();
        if response["content"][kind].is_null() {
            return Err(format!("{} with {kind:?} is not documented", exchange.status));
        }
        if !kind.ends_with("json") {
            return Ok(());
        }
        let body: Value = serde_json::from_slice(&exchange.body).map_err(|error| error.to_string())?;
        let schema = format!("{LOCATION}#{at}/content/{}/schema", kind.replace('/', "~1"));
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        compiler
            .add_resource(LOCATION, self.0.clone())
            .map_err(|error| error.to_string())?;
        let schema = compiler
            .compile(&schema, &mut schemas)
            .map_err(|error| error.to_string())?;
        schemas.validate(&body, schema).map_err(|error| error.to_string())
    }
}

/// Replaces the `nullable` of `OpenAPI` 3.0 by what JSON Schema calls it: the type `null` beside the other.
fn spell_out_null(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.remove("nullable") == Some(Value::Bool(true))
                && let Some(kind) = members.get_mut("type")
            {
                *kind = Value::Array(vec![kind.take(), "null".into()]);
            }
            members.values_mut().for_each(spell_out_null);
        }
        Value::Array(elements) => elements.iter_mut().for_each(spell_out_null),
        _ => {}
    }
}
