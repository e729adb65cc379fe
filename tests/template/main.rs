//! `template.yaml` and `infra/openapi.yaml`, held against each other and against the code: what AWS would only say at deployment,
//! or never.
#![expect(clippy::unwrap_used, reason = "what a file lacks fails the test that looks for it")]

mod alarms;
mod contract;
mod document;
mod environments;
mod gateway;
mod permissions;
mod resources;
mod routes;
mod variables;
