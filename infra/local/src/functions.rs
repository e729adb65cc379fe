//! The functions, connected as their own `main`s connect them.

use std::sync::Arc;

use account_linking::{
    clock::{Clock, Randomness},
    config::{ConfigError, Environment},
};

/// Every function of the contract's table of endpoints.
pub(crate) struct Functions {
    pub(crate) account_policy: account_policy::App,
    pub(crate) callback: callback::App,
    pub(crate) confirm: confirm::App,
    pub(crate) redeem_ticket: redeem_ticket::App,
    pub(crate) sign_in: sign_in::App,
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
        let mut mistakes = Mistakes::default();
        let account_policy = mistakes.of(account_policy::App::connect(environment, clock(), random()));
        let callback = mistakes.of(callback::App::connect(environment, clock(), random()).await);
        let confirm = mistakes.of(confirm::App::connect(environment, clock(), random()).await);
        let redeem_ticket = mistakes.of(redeem_ticket::App::connect(environment, clock()));
        let sign_in = mistakes.of(sign_in::App::connect(environment, clock(), random()).await);
        let start_link = mistakes.of(start_link::App::connect(environment, clock(), random()).await);
        let status = mistakes.of(status::App::connect(environment, clock()).await);
        let unlink = mistakes.of(unlink::App::connect(environment, clock(), random()).await);
        let connected = (|| {
            Some(Self {
                account_policy: account_policy?,
                callback: callback?,
                confirm: confirm?,
                redeem_ticket: redeem_ticket?,
                sign_in: sign_in?,
                start_link: start_link?,
                status: status?,
                unlink: unlink?,
            })
        })();
        connected.ok_or(ConfigError(mistakes.0))
    }
}

/// What is wrong for any of the functions, each told once.
#[derive(Default)]
struct Mistakes(Vec<String>);

impl Mistakes {
    /// The function, or nothing and its mistakes among the others.
    fn of<T>(&mut self, connected: Result<T, ConfigError>) -> Option<T> {
        match connected {
            Ok(function) => Some(function),
            Err(ConfigError(found)) => {
                for mistake in found {
                    if !self.0.contains(&mistake) {
                        self.0.push(mistake);
                    }
                }
                None
            }
        }
    }
}
