//! The functions, connected as their own `main`s connect them.

use std::sync::Arc;

use account_linking::{
    clock::{Clock, Randomness},
    config::{ConfigError, Environment},
};

/// Every function of the contract's table of endpoints.
pub(crate) struct Functions {
    pub(crate) callback: callback::App,
    pub(crate) confirm: confirm::App,
    pub(crate) start_link: start_link::App,
    pub(crate) status: status::App,
    pub(crate) unlink: unlink::App,
}

impl Functions {
    /// Connects all of them, or tells what is wrong for any of them.
    pub(crate) async fn connect(
        environment: &Environment,
        clock: &Arc<dyn Clock>,
        random: &Arc<dyn Randomness>,
    ) -> Result<Self, ConfigError> {
        let (clock, random) = (|| Arc::clone(clock), || Arc::clone(random));
        let mut mistakes = Vec::new();
        let callback = noting(
            callback::App::connect(environment, clock(), random()).await,
            &mut mistakes,
        );
        let confirm = noting(
            confirm::App::connect(environment, clock(), random()).await,
            &mut mistakes,
        );
        let start_link = noting(
            start_link::App::connect(environment, clock(), random()).await,
            &mut mistakes,
        );
        let status = noting(status::App::connect(environment, clock()).await, &mut mistakes);
        let unlink = noting(
            unlink::App::connect(environment, clock(), random()).await,
            &mut mistakes,
        );
        let connected = (|| {
            Some(Self {
                callback: callback?,
                confirm: confirm?,
                start_link: start_link?,
                status: status?,
                unlink: unlink?,
            })
        })();
        connected.ok_or(ConfigError(mistakes))
    }
}

/// The function, or nothing and its mistakes among the others, each told once.
fn noting<T>(connected: Result<T, ConfigError>, mistakes: &mut Vec<String>) -> Option<T> {
    match connected {
        Ok(function) => Some(function),
        Err(ConfigError(found)) => {
            for mistake in found {
                if !mistakes.contains(&mistake) {
                    mistakes.push(mistake);
                }
            }
            None
        }
    }
}
