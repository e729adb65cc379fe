//! The SDK's client: how often, how long and whom it may trust.

use std::{future::Future, time::Duration};

use aws_runtime::{
    invocation_id::InvocationIdInterceptor, request_info::RequestInfoInterceptor, user_agent::UserAgentInterceptor,
};
use aws_sdk_dynamodb::{
    Client, Config,
    config::{
        BehaviorVersion, ConfigBag, Intercept, Region, StalledStreamProtectionConfig,
        interceptors::BeforeSerializationInterceptorContextRef,
        retry::{ClassifyRetry, RetryAction, RetryConfig},
        timeout::TimeoutConfig,
    },
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError, update_item::UpdateItemError},
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::interceptors::{context::InterceptorContext, disable_interceptor, dyn_dispatch_hint},
};
use aws_smithy_types::retry::ErrorKind;
use tokio::time::timeout;

use super::{
    connector::https_client,
    error::{RequestFailure, TableError},
    transaction::may_pass_later,
};
use crate::{additional_roots::AdditionalRoots, aws::AwsEnvironment, clock::Deadline};

/// How much of a request's time one call to the table may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// How often a request is sent at most.
    pub attempts: u32,
    /// How long one attempt may take, when the request's deadline leaves that much.
    pub attempt_timeout: Duration,
    /// The longest pause before the second attempt; it doubles with each further one.
    pub initial_backoff: Duration,
}

/// The contract's bounds (section 7).
impl Default for CallLimits {
    fn default() -> Self {
        Self {
            attempts: 3,
            attempt_timeout: Duration::from_secs(2),
            initial_backoff: Duration::from_millis(50),
        }
    }
}

/// A call to the table, as part of a request.
pub(super) trait Call: Future + Sized {
    /// What comes of it by `deadline`. Once that has passed nothing is sent.
    ///
    /// The deadline is kept here and not told to the SDK, which would set up the whole client anew for a time-out that differs from call to
    /// call.
    fn in_time(
        self,
        doing: &'static str,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Self::Output, TableError>> {
        // On the heap from here on: the SDK's futures are large, and would be a part of every future that waits for one.
        let call = Box::pin(self);
        async move {
            let unavailable = |cause| TableError::Unavailable { doing, cause };
            let left = deadline.left();
            if left.is_zero() {
                return Err(unavailable(RequestFailure::NoTimeLeft));
            }
            timeout(left, call)
                .await
                .map_err(|_| unavailable(RequestFailure::TimedOut))
        }
    }
}

impl<F: Future> Call for F {}

/// A client for `aws`. Credentials and region are given, so that nothing is looked up.
pub(super) fn connect(aws: &AwsEnvironment, additional_roots: &AdditionalRoots, limits: CallLimits) -> Client {
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(aws.region.clone()))
        .credentials_provider(aws.credentials.clone())
        .http_client(https_client(additional_roots, limits.attempt_timeout))
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(limits.attempts)
                .with_initial_backoff(limits.initial_backoff),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(limits.attempt_timeout)
                .build(),
        )
        .retry_classifier(RetryConflicts)
        .interceptor(NoTelemetry)
        // Answers are small, and each attempt has a bound of its own.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(endpoint) = &aws.dynamodb_endpoint {
        config = config.endpoint_url(endpoint);
    }
    Client::from_conf(config.build())
}

/// Leaves out the headers by which the SDK tells AWS about its parts and its attempts. DynamoDB needs none of them, and writing and signing
/// them is a tenth of a call's work.
#[derive(Debug)]
struct NoTelemetry;

#[dyn_dispatch_hint]
impl Intercept for NoTelemetry {
    fn name(&self) -> &'static str {
        "no telemetry"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let cause = "DynamoDB does not need it";
        config
            .interceptor_state()
            .store_put(disable_interceptor::<UserAgentInterceptor>(cause))
            .store_put(disable_interceptor::<InvocationIdInterceptor>(cause))
            .store_put(disable_interceptor::<RequestInfoInterceptor>(cause));
        Ok(())
    }
}

/// Sends again what only met another transaction: nothing was written, and a moment later the items are free. The SDK does not, since it
/// cannot know that a cancellation has no other reason.
#[derive(Debug)]
struct RetryConflicts;

impl ClassifyRetry for RetryConflicts {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = context.output_or_error() else {
            return RetryAction::NoActionIndicated;
        };
        let Some(error) = error.as_operation_error() else {
            return RetryAction::NoActionIndicated;
        };
        let is_conflict = match error.downcast_ref() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                may_pass_later(cancelled.cancellation_reasons())
            }
            _ => {
                matches!(
                    error.downcast_ref(),
                    Some(PutItemError::TransactionConflictException(_))
                ) || matches!(
                    error.downcast_ref(),
                    Some(UpdateItemError::TransactionConflictException(_))
                )
            }
        };
        if is_conflict {
            RetryAction::retryable_error(ErrorKind::TransientError)
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "transaction conflicts"
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use ring::digest;

    use super::{super::connector::AMAZON_ROOTS, *};
    use crate::{
        http::request::REQUEST_BUDGET,
        outbound::scripted_server::{Answer, ScriptedServer},
    };

    fn connect_to(endpoint: &str) -> Client {
        let aws = AwsEnvironment {
            region: "eu-west-1".to_owned(),
            credentials: aws_credential_types::Credentials::new("AKIAEXAMPLE", "hush", None, None, "test"),
            dynamodb_endpoint: Some(endpoint.to_owned()),
            secrets_manager_endpoint: None,
            kms_endpoint: None,
        };
        connect(&aws, &AdditionalRoots::default(), CallLimits::default())
    }

    #[tokio::test]
    async fn a_request_carries_what_dynamodb_needs_and_no_more() {
        let server = ScriptedServer::start([Answer::json(200, "{}")]).await;
        let client = connect_to(&format!("http://127.0.0.1:{}", server.port()));

        let read = client.get_item().table_name("links").send();
        let deadline = Deadline::within(Duration::from_secs(5));
        read.in_time("reading", deadline).await.unwrap().unwrap();

        let request = server.requests().remove(0);
        let authorization = request.header("authorization").unwrap();
        assert!(
            authorization.contains("SignedHeaders=content-length;content-type;host;x-amz-date;x-amz-target,"),
            "{authorization}"
        );
        assert!(request.header("user-agent").unwrap().starts_with("account-linking/"));
        for left_out in ["x-amz-user-agent", "amz-sdk-invocation-id", "amz-sdk-request"] {
            assert_eq!(request.header(left_out), None, "{left_out}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_takes_no_longer_than_what_is_left() {
        let started = Deadline::within(Duration::from_mins(1));
        let never = std::future::pending::<()>();
        let cut = never.in_time("testing", Deadline::within(Duration::from_millis(500)));
        let TableError::Unavailable { cause, .. } = cut.await.unwrap_err() else {
            panic!("a database that does not answer is unavailable")
        };
        assert!(matches!(cause, RequestFailure::TimedOut), "{cause}");
        let left = started.left().as_millis();
        assert!((59_490..=59_500).contains(&left), "{left}");

        let client = connect_to("http://127.0.0.1:1");
        let timeouts = client.config().timeout_config().unwrap();
        assert_eq!(timeouts.operation_attempt_timeout(), Some(Duration::from_secs(2)));
    }

    #[tokio::test]
    async fn nothing_is_sent_once_the_deadline_has_passed() {
        let sent = async { panic!("it was sent") };
        let refused = sent.in_time("testing", Deadline::within(Duration::ZERO)).await;
        let Err(TableError::Unavailable { cause, .. }) = refused else {
            panic!("there is no time left")
        };
        assert!(matches!(cause, RequestFailure::NoTimeLeft), "{cause}");
    }

    #[test]
    fn all_attempts_of_a_call_fit_into_a_requests_deadline() {
        let limits = CallLimits::default();
        let pauses = limits.initial_backoff * (2_u32.pow(limits.attempts - 1) - 1);
        assert!(limits.attempt_timeout * limits.attempts + pauses < REQUEST_BUDGET);
    }

    /// The fingerprints are those that Amazon Trust Services publishes.
    #[test]
    fn the_roots_are_amazons() {
        let expected = [
            "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e", // Amazon Root CA 1
            "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4", // Amazon Root CA 2
            "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4", // Amazon Root CA 3
            "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092", // Amazon Root CA 4
            "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5", // Starfield Services Root CA G2
        ];
        let text = std::str::from_utf8(AMAZON_ROOTS).unwrap();
        let certificates = text.split("-----BEGIN CERTIFICATE-----").skip(1).map(|rest| {
            let body = rest.split("-----END CERTIFICATE-----").next().unwrap();
            STANDARD.decode(body.split_whitespace().collect::<String>()).unwrap()
        });
        let fingerprints: Vec<_> = certificates
            .map(|der| {
                let hash = digest::digest(&digest::SHA256, &der);
                hash.as_ref()
                    .iter()
                    .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
            })
            .collect();
        assert_eq!(fingerprints, expected);
    }
}
