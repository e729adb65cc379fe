//! What `tests/deploy/deployed.py` has deployed: the functions behind API Gateway, with the table and the secrets of `template.yaml`.
//!
//! There is one of it, with one configuration, so a test has it for itself: [`Deployed::take`] empties the table. A test that wants a
//! variable of its own fails here; the filter of `make deployed` leaves it to the other ways.

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use serde::Deserialize;

use crate::engines::Database;

/// Where everything is: what `DEPLOYED` says.
#[derive(Debug, Deserialize)]
pub struct Deployed {
    endpoint: String,
    /// The API's own domain.
    pub api_host: String,
    /// The port of `PUBLIC_ORIGIN`.
    pub front_port: u16,
    /// The port of the local stack, which plays the provider.
    pub stack_port: u16,
    /// What the local stack must know: the client's secret.
    pub data_dir: PathBuf,
    table_name: String,
}

impl Deployed {
    /// Takes what is deployed for a test that wants these `variables`: none. Nothing of an earlier test is left.
    pub async fn take(variables: &[(String, String)]) -> Self {
        assert!(
            variables.is_empty(),
            "what is deployed has no variables of a test's own: {variables:?}"
        );
        #[expect(
            clippy::disallowed_methods,
            reason = "what a test run is about is the run's configuration"
        )]
        let told = env::var("DEPLOYED").expect("tests/deploy/deployed.py runs this");
        let deployed: Self = serde_json::from_str(&told).expect("what deployed.py tells");
        deployed.database().clear().await;
        // Most tests leave none.
        let _ = fs::remove_file(deployed.data_dir.join("people.json"));
        deployed
    }

    /// Its table.
    pub fn database(&self) -> Database {
        Database::deployed(self.endpoint.clone(), self.table_name.clone())
    }

    /// Where its gateway listens.
    pub fn address(&self) -> SocketAddr {
        let (_, port) = self.endpoint.rsplit_once(':').expect("an endpoint with a port");
        (Ipv4Addr::LOCALHOST, port.parse().expect("a port")).into()
    }
}
