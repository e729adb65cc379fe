//! How a call to the table fails, told apart by what the caller can do about it.

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use aws_smithy_runtime_api::{box_error::BoxError, client::orchestrator::HttpResponse};

use crate::http::problem::{ErrorCode, Refusal};

/// Why the table gave no answer to act on. `doing` says what we were doing.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// It was throttled, failed, could not be reached or did not answer in time, on every attempt. A write may have happened.
    #[error("{doing}: the database is not available")]
    Unavailable {
        /// What we were doing.
        doing: &'static str,
        /// The last attempt's failure.
        #[source]
        cause: RequestFailure,
    },
    /// Others wrote the same items first on every attempt; we wrote nothing.
    #[error("{doing}: others were writing the same items, on every attempt")]
    Conflict {
        /// What we were doing.
        doing: &'static str,
    },
    /// The database would refuse the request again: permissions, a missing table, a request it cannot take.
    #[error("{doing}: the database refused the request")]
    Refused {
        /// What we were doing.
        doing: &'static str,
        /// What it said.
        #[source]
        cause: RequestFailure,
    },
    /// An item is not what this code writes.
    #[error("reading {item}: unusable {attribute}")]
    Corrupt {
        /// Which kind of item.
        item: &'static str,
        /// Which part of it.
        attribute: &'static str,
    },
}

/// What became of a request. It holds what a log may hold: neither the request nor the answer, which name people, and not the
/// database's message, which may quote them.
#[derive(Debug, thiserror::Error)]
pub enum RequestFailure {
    /// The request's deadline had passed before anything was sent.
    #[error("no time was left")]
    NoTimeLeft,
    /// No answer came in time.
    #[error("no answer in time")]
    TimedOut,
    /// No connection, or it broke.
    #[error("the connection failed")]
    Connection(#[source] BoxError),
    /// An answer came that is none of DynamoDB's.
    #[error("unusable answer with status {status}")]
    Unusable {
        /// HTTP status.
        status: u16,
    },
    /// DynamoDB answered with an error.
    #[error("error {code} with status {status}, request {request_id}")]
    Answered {
        /// DynamoDB's name for the error; of a cancelled transaction, its reasons' names.
        code: String,
        /// HTTP status.
        status: u16,
        /// For AWS support.
        request_id: String,
    },
    /// The SDK could not build the request.
    #[error("building the request")]
    Construction,
}

impl TableError {
    /// What `error`, which no condition of ours explains, means.
    pub(super) fn of<E: SdkFailure>(doing: &'static str, error: SdkError<E, HttpResponse>) -> Self {
        if error.code() == Some("TransactionConflictException") {
            return Self::Conflict { doing };
        }
        let cause = RequestFailure::of(error);
        if cause.is_temporary() {
            Self::Unavailable { doing, cause }
        } else {
            Self::Refused { doing, cause }
        }
    }
}

/// An operation's modelled error.
pub(super) trait SdkFailure: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static {}

impl<E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static> SdkFailure for E {}

impl Refusal for TableError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Unavailable { .. } | Self::Conflict { .. } => ErrorCode::TemporarilyUnavailable,
            Self::Refused { .. } | Self::Corrupt { .. } => ErrorCode::InternalError,
        }
    }
}

impl RequestFailure {
    fn of<E: SdkFailure>(error: SdkError<E, HttpResponse>) -> Self {
        match &error {
            SdkError::TimeoutError(_) => Self::TimedOut,
            SdkError::DispatchFailure(failure) if failure.is_timeout() => Self::TimedOut,
            SdkError::DispatchFailure(_) => error.into_source().map_or(Self::TimedOut, Self::Connection),
            SdkError::ResponseError(response) => Self::Unusable {
                status: response.raw().status().as_u16(),
            },
            SdkError::ServiceError(answer) => Self::Answered {
                code: answer.err().code().unwrap_or("without a name").to_owned(),
                status: answer.raw().status().as_u16(),
                request_id: answer.raw().request_id().unwrap_or("without an id").to_owned(),
            },
            _ => Self::Construction,
        }
    }

    /// This failure of a transaction that was cancelled for `reasons`, by their names.
    pub(super) fn named_after<'a>(self, reasons: impl Iterator<Item = &'a str>) -> Self {
        match self {
            Self::Answered { status, request_id, .. } => Self::Answered {
                code: reasons.collect::<Vec<_>>().join(", "),
                status,
                request_id,
            },
            other => other,
        }
    }

    /// Whether the same request may succeed later.
    fn is_temporary(&self) -> bool {
        match self {
            Self::NoTimeLeft | Self::TimedOut | Self::Connection(_) | Self::Unusable { .. } => true,
            Self::Answered { code, status, .. } => *status >= 500 || *status == 429 || passes_with_time(code),
            Self::Construction => false,
        }
    }
}

/// Whether DynamoDB says by `code`, of a request or of a cancelled transaction's item, that it is asked too much at present, or is at work
/// on this very transaction still.
pub(super) fn passes_with_time(code: &str) -> bool {
    matches!(
        code,
        "ProvisionedThroughputExceeded"
            | "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "ThrottlingError"
            | "ThrottlingException"
            | "TransactionInProgressException"
    )
}
