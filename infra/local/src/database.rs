//! The embedded DynamoDB, and the table in whichever DynamoDB there is.

use std::{net::Ipv4Addr, path::Path, time::Duration};

use account_linking::{
    aws::{AwsEnvironment, MissingVariables},
    clock::Deadline,
    config::Environment,
    table::{CallLimits, Table, TableError},
};
use dynoxide::Database;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::server::Shutdown;

/// The embedded engine's file under `DATA_DIR`.
const FILE: &str = "dynamodb.sqlite";

/// A DynamoDB that has just been started answers slower than one that runs.
const PROVISIONING_BUDGET: Duration = Duration::from_secs(10);

/// The engine cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Its file cannot be opened.
    #[error("opening the embedded database")]
    Open(#[source] dynoxide::DynoxideError),
    /// No port for it.
    #[error("listening for the embedded database")]
    Listen(#[source] std::io::Error),
    /// The table could not be looked for or made.
    #[error("making the table")]
    Provision(#[from] TableError),
    /// Where DynamoDB is cannot be told.
    #[error("reading where the database is")]
    Aws(#[from] MissingVariables),
}

/// Starts the embedded engine, in memory unless there is a folder for it; answers its endpoint.
pub(crate) async fn embed(
    data_dir: Option<&Path>,
    shutdown: Shutdown,
) -> Result<(String, JoinHandle<()>), DatabaseError> {
    let database = match data_dir {
        Some(folder) => Database::new(&folder.join(FILE).to_string_lossy()),
        None => Database::memory(),
    };
    let database = database.map_err(DatabaseError::Open)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(DatabaseError::Listen)?;
    let endpoint = format!("http://{}", listener.local_addr().map_err(DatabaseError::Listen)?);
    let task = tokio::spawn(async move {
        // It ends in an error only when its listener breaks; every call to it fails from then on, and says so.
        let _ = dynoxide::server::serve_with_shutdown(listener, database, shutdown.requested()).await;
    });
    Ok((endpoint, task))
}

/// Makes the table that `environment` names, unless it is there.
pub(crate) async fn provide_table(environment: &Environment) -> Result<(), DatabaseError> {
    let aws = AwsEnvironment::from_lookup(&|name| environment.get(name).map(str::to_owned))?;
    let name = environment.get("TABLE_NAME").unwrap_or_default().to_owned();
    let limits = CallLimits {
        attempt_timeout: PROVISIONING_BUDGET,
        ..CallLimits::default()
    };
    Table::connect(&aws, name, limits)
        .create_if_absent(Deadline::within(PROVISIONING_BUDGET))
        .await?;
    Ok(())
}
