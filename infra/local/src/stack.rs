//! Starting and stopping.

use std::{io, path::Path, sync::Arc, time::Duration};

use account_linking::{
    clock::{Clock, MovableClock, NoRandomness, Randomness, SystemRandomness},
    config::{ConfigError, Environment, ProviderDirectory, ProviderEntry, Reader, read_linking_required},
    jose::{KeySetError, SigningKey},
    requirement::LinkingRequired,
    table::Table,
};
use http::Uri;
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use crate::{
    accounts::{AccountsSite, Service, SessionIssuer, SessionTerms},
    config::{self, CLIENT_ID, PROVIDER_HOST, StackConfig},
    database::{self, DatabaseError},
    functions::Functions,
    gateway::Gateway,
    keys::{Keys, KeysError, ProviderKeys},
    provider::{Client, ClientSecret, Provider, ProviderCalls},
    server::{Hosts, Listeners, Shutdown},
    sigv4::LocalCaller,
};

/// Who registered at the development provider, under `DATA_DIR`.
const PEOPLE_FILE: &str = "people.json";

/// How long requests that run may take to end when the stack stops; a browser that keeps half a request open waits longer.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// Why the stack does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Everything that is wrong with the variables.
    #[error(transparent)]
    Configuration(#[from] ConfigError),
    /// The port cannot be had.
    #[error("listening on PORT {port}")]
    Listen {
        /// The port.
        port: u16,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The database cannot be used.
    #[error("starting the database")]
    Database(#[from] DatabaseError),
    /// The file of people under `DATA_DIR` cannot be read.
    #[error("reading the people of DATA_DIR")]
    People(#[source] io::Error),
    /// The keys and secrets of provider and accounts site could not be had.
    #[error("getting keys")]
    Keys(#[from] KeysError),
    /// A key that was made cannot be used.
    #[error("publishing a key")]
    KeySet(#[from] KeySetError),
    /// The operating system has no randomness.
    #[error("making secrets")]
    Randomness(#[from] NoRandomness),
}

/// The system as it runs. Dropped, it stops; [`Stack::shutdown`] also waits for that.
pub struct Stack {
    environment: Environment,
    pub(crate) hosts: Arc<Hosts>,
    dynamodb_endpoint: String,
    clock: Arc<MovableClock>,
    front: Servers,
    /// Stopped after those who ask it.
    database: Servers,
}

/// Servers that stop together.
struct Servers {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Servers {
    fn new() -> (Self, Shutdown) {
        let (stop, stopping) = watch::channel(false);
        (
            Self {
                stop,
                tasks: Vec::new(),
            },
            Shutdown(stopping),
        )
    }

    async fn shutdown(self) {
        // Nobody listens any more when all servers have ended by themselves.
        let _ = self.stop.send(true);
        let ending = async {
            for task in self.tasks {
                // A server that panicked has ended as well.
                let _ = task.await;
            }
        };
        // Whoever is not done by then has had their time.
        let _ = timeout(SHUTDOWN_GRACE, ending).await;
    }
}

impl Stack {
    /// Starts whatever `environment` does not replace. When it returns, every part answers.
    pub async fn start(mut environment: Environment) -> Result<Self, StartError> {
        let config = StackConfig::read(&mut environment);
        let clock = Arc::new(MovableClock::default());
        let (time, random) = (
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::new(SystemRandomness::default()) as Arc<dyn Randomness>,
        );
        let (mut front, front_shutdown) = Servers::new();
        let (mut database, database_shutdown) = Servers::new();

        let listeners = Listeners::bind(config.port).await;
        let listeners = listeners.map_err(|source| StartError::Listen {
            port: config.port,
            source,
        })?;
        config::complete(&mut environment, listeners.port, &*random)?;

        if config.embeds_database {
            let (endpoint, task) = database::embed(config.data_dir.as_deref(), database_shutdown).await?;
            environment.set("AWS_ENDPOINT_URL_DYNAMODB", endpoint);
            database.tasks.push(task);
        }
        let keys = Keys::load(config.data_dir.as_deref(), &*random)?;
        let provider = if config.plays_provider {
            let provider = play_provider(
                &mut environment,
                &config,
                listeners.port,
                keys.provider,
                (&time, &random),
            )?;
            Some(Arc::new(provider))
        } else {
            None
        };
        let sessions = if config.issues_sessions {
            Some(issue_sessions(&mut environment, keys.accounts, &random)?)
        } else {
            None
        };

        let origin = value(&environment, "PUBLIC_ORIGIN");
        let accounts = AccountsSite {
            origin: origin.clone(),
            settings_url: value(&environment, "SETTINGS_URL"),
            onboarding_url: value(&environment, "ONBOARDING_URL"),
            providers: providers(&environment),
            sessions,
            service: Service::new(origin.clone(), LocalCaller::of(&environment)),
            table: Table::read(&mut Reader::new(&environment)),
            linking_required: read_linking_required(&mut Reader::new(&environment)).unwrap_or(LinkingRequired::Never),
            clock: Arc::clone(&clock),
            provider_follows: provider.is_some(),
            random: Arc::clone(&random),
        };
        let hosts = Arc::new(Hosts {
            public_host: origin
                .parse::<Uri>()
                .ok()
                .and_then(|uri| uri.host().map(str::to_owned))
                .unwrap_or_default(),
            public_origin: origin,
            gateway: Gateway::default(),
            accounts,
            provider,
            random: Arc::clone(&random),
        });
        // The provider answers before the functions ask it for its metadata and keys.
        front.tasks = listeners.serve(&hosts, &front_shutdown);

        match Functions::connect(&environment, &time, &random).await {
            Ok(functions) if config.mistakes.is_empty() => hosts.gateway.open(functions, LocalCaller::of(&environment)),
            Ok(_) => return Err(ConfigError(config.mistakes).into()),
            Err(ConfigError(others)) => return Err(ConfigError([config.mistakes, others].concat()).into()),
        }
        database::provide_table(&environment).await?;
        let dynamodb_endpoint = value(&environment, "AWS_ENDPOINT_URL_DYNAMODB");
        Ok(Self {
            environment,
            hosts,
            dynamodb_endpoint,
            clock,
            front,
            database,
        })
    }

    /// The variables as the functions got them.
    #[must_use]
    pub const fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Where people begin: `PUBLIC_ORIGIN`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.hosts.public_origin
    }

    /// The development provider's issuer identifier and origin, unless another provider took its place.
    #[must_use]
    pub fn provider_origin(&self) -> Option<&str> {
        self.hosts.provider.as_deref().map(Provider::issuer)
    }

    /// How often the development provider's endpoints were called; never, when another took its place.
    #[must_use]
    pub fn provider_calls(&self) -> ProviderCalls {
        self.hosts
            .provider
            .as_deref()
            .map_or(ProviderCalls::default(), Provider::calls)
    }

    /// Where DynamoDB is.
    #[must_use]
    pub fn dynamodb_endpoint(&self) -> &str {
        &self.dynamodb_endpoint
    }

    /// The time of everything in the stack but the database.
    #[must_use]
    pub fn clock(&self) -> &MovableClock {
        &self.clock
    }

    /// Lets requests that run end, and stops.
    pub async fn shutdown(self) {
        self.front.shutdown().await;
        self.database.shutdown().await;
    }
}

/// The development provider, which `environment` then names.
fn play_provider(
    environment: &mut Environment,
    config: &StackConfig,
    port: u16,
    ProviderKeys { key, client_secret }: ProviderKeys,
    (clock, random): (&Arc<dyn Clock>, &Arc<dyn Randomness>),
) -> Result<Provider, StartError> {
    let issuer = format!("http://{PROVIDER_HOST}:{port}");
    environment.set("PROVIDERS", config::development_provider(&issuer, &client_secret));
    let client = Client {
        id: CLIENT_ID.to_owned(),
        secret: ClientSecret::new(client_secret),
        redirect_uri: format!("{}/sso/magento/callback", value(environment, "PUBLIC_ORIGIN")),
    };
    let people = config.data_dir.as_deref().map(|folder: &Path| folder.join(PEOPLE_FILE));
    Provider::open(issuer, client, key, people, Arc::clone(clock), Arc::clone(random)).map_err(StartError::People)
}

/// The issuer of sessions, whose keys `environment` then has.
fn issue_sessions(
    environment: &mut Environment,
    key: SigningKey,
    random: &Arc<dyn Randomness>,
) -> Result<SessionIssuer, StartError> {
    let terms = SessionTerms {
        issuer: value(environment, "SESSION_ISSUER"),
        audience: value(environment, "SESSION_AUDIENCE"),
        cookie: value(environment, "SESSION_COOKIE"),
    };
    let sessions = SessionIssuer::new(terms, key, Arc::clone(random))?;
    environment.set("SESSION_JWKS", sessions.jwks().to_string());
    Ok(sessions)
}

/// The providers that the functions will know. What is wrong with `PROVIDERS` they tell.
fn providers(environment: &Environment) -> Vec<ProviderEntry> {
    let mut reader = Reader::new(environment);
    ProviderDirectory::read(&mut reader)
        .as_ref()
        .map(ProviderDirectory::entries)
        .unwrap_or_default()
        .to_vec()
}

fn value(environment: &Environment, name: &str) -> String {
    environment.get(name).unwrap_or_default().to_owned()
}
