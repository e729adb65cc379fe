//! Secrets Manager and KMS: one signed call each, over our own HTTPS client.
//!
//! Two more SDK crates would bring code for some hundred operations of which we use one apiece. The signature (version 4)
//! is the SDK's own crate's.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderValue, Method, Request, StatusCode, header::CONTENT_TYPE};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    aws::AwsEnvironment,
    clock::{Deadline, Timestamp},
    http::problem::{ErrorCode, Refusal},
    outbound::{Bounds, HttpClient, OutboundError},
};

/// How long one call may take when the request's deadline leaves that much.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);

/// A secret may have 64 KiB (Secrets Manager's own bound), and JSON around it.
const MAX_ANSWER_BYTES: usize = 80 * 1024;

/// Why a secret could not be had, or nothing be signed.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The request could not be signed: the clock, the credentials or the endpoint are unusable.
    #[error("signing the request to {0}")]
    Signing(&'static str),
    /// No answer came.
    #[error("calling {service}")]
    Call {
        /// Secrets Manager or KMS.
        service: &'static str,
        /// What went wrong.
        #[source]
        source: OutboundError,
    },
    /// There is no such secret, or it has no value yet.
    #[error("{0} knows no such value")]
    NotFound(&'static str),
    /// A version of this id has another value.
    #[error("{0} has another value under this version's id")]
    AlreadyExists(&'static str),
    /// The service has too much to do, or has failed.
    #[error("{service} is busy, status {status}")]
    Busy {
        /// Secrets Manager or KMS.
        service: &'static str,
        /// What it answered.
        status: StatusCode,
    },
    /// The service refused: no permission, no such key.
    #[error("{service} refused with status {status}")]
    Refused {
        /// Secrets Manager or KMS.
        service: &'static str,
        /// What it answered.
        status: StatusCode,
    },
    /// The answer, or the secret in it, is not what it must be.
    #[error("reading the answer of {0}")]
    Unusable(&'static str),
}

impl Refusal for SecretError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Call { .. } | Self::Busy { .. } => ErrorCode::TemporarilyUnavailable,
            Self::Signing(_)
            | Self::NotFound(_)
            | Self::AlreadyExists(_)
            | Self::Refused { .. }
            | Self::Unusable(_) => ErrorCode::InternalError,
        }
    }
}

/// The algorithms KMS signs a client assertion with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KmsAlgorithm {
    /// RS256: an RSA key.
    RsassaPkcs1V15Sha256,
    /// ES256: a P-256 key.
    EcdsaSha256,
}

impl KmsAlgorithm {
    const ALL: [Self; 2] = [Self::EcdsaSha256, Self::RsassaPkcs1V15Sha256];

    const fn as_str(self) -> &'static str {
        match self {
            Self::RsassaPkcs1V15Sha256 => "RSASSA_PKCS1_V1_5_SHA_256",
            Self::EcdsaSha256 => "ECDSA_SHA_256",
        }
    }
}

/// One version of a secret.
#[derive(Clone)]
pub struct SecretVersion {
    /// Its id, which its writer chose.
    pub id: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// The secret.
    pub text: String,
}

impl fmt::Debug for SecretVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretVersion")
            .field("id", &self.id)
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}

/// Calls Secrets Manager and KMS with this process's credentials.
#[derive(Clone, Debug)]
pub struct SecretStore {
    aws: AwsEnvironment,
    client: HttpClient,
}

struct Service {
    name: &'static str,
    signing_name: &'static str,
    target: &'static str,
}

const SECRETS_MANAGER: Service = Service {
    name: "Secrets Manager",
    signing_name: "secretsmanager",
    target: "secretsmanager.GetSecretValue",
};

const SECRETS_MANAGER_PUT: Service = Service {
    target: "secretsmanager.PutSecretValue",
    ..SECRETS_MANAGER
};

const KMS_SIGN: Service = Service {
    name: "KMS",
    signing_name: "kms",
    target: "TrentService.Sign",
};

const KMS_GET_PUBLIC_KEY: Service = Service {
    target: "TrentService.GetPublicKey",
    ..KMS_SIGN
};

impl SecretStore {
    /// Calls as `aws` says, through `client`.
    #[must_use]
    pub const fn new(aws: AwsEnvironment, client: HttpClient) -> Self {
        Self { aws, client }
    }

    /// The current text of the secret `arn` (`GetSecretValue`).
    pub async fn secret(&self, arn: &str, now: Timestamp, deadline: Deadline) -> Result<String, SecretError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(rename = "SecretString")]
            secret: String,
        }
        let answer: Answer = self.get(arn, now, deadline).await?;
        Ok(answer.secret)
    }

    /// The current version of the secret `arn` (`GetSecretValue`); none when it never had a value.
    pub async fn current_version(
        &self,
        arn: &str,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Option<SecretVersion>, SecretError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            version_id: String,
            created_date: f64,
            secret_string: String,
        }
        let answer: Answer = match self.get(arn, now, deadline).await {
            Ok(answer) => answer,
            Err(SecretError::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let since_epoch = Duration::try_from_secs_f64(answer.created_date)
            .map_err(|_| SecretError::Unusable(SECRETS_MANAGER.name))?;
        Ok(Some(SecretVersion {
            id: answer.version_id,
            created_at: Timestamp::from_unix_ms(0).plus(since_epoch),
            text: answer.secret_string,
        }))
    }

    /// Makes `text` the current version of the secret `arn`, under the id `version` (`PutSecretValue`).
    ///
    /// Done again with the same text it changes nothing; with another text it is refused ([`SecretError::AlreadyExists`]).
    pub async fn put_version(
        &self,
        arn: &str,
        version: &str,
        text: &str,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<(), SecretError> {
        let endpoint = self.aws.secrets_manager_endpoint.as_deref();
        let request = json!({ "SecretId": arn, "ClientRequestToken": version, "SecretString": text });
        self.call(&SECRETS_MANAGER_PUT, endpoint, &request, now, deadline)
            .await?;
        Ok(())
    }

    async fn get<T: DeserializeOwned>(&self, arn: &str, now: Timestamp, deadline: Deadline) -> Result<T, SecretError> {
        let endpoint = self.aws.secrets_manager_endpoint.as_deref();
        let body = self
            .call(&SECRETS_MANAGER, endpoint, &json!({ "SecretId": arn }), now, deadline)
            .await?;
        serde_json::from_slice(&body).map_err(|_| SecretError::Unusable(SECRETS_MANAGER.name))
    }

    /// `digest`, a SHA-256, signed with the key `arn` (`Sign`). An ECDSA signature comes in DER.
    pub async fn sign(
        &self,
        arn: &str,
        algorithm: KmsAlgorithm,
        digest: &[u8],
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Vec<u8>, SecretError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(rename = "Signature")]
            signature: String,
        }
        let request = json!({
            "KeyId": arn,
            "Message": STANDARD.encode(digest),
            "MessageType": "DIGEST",
            "SigningAlgorithm": algorithm.as_str(),
        });
        let body = self
            .call(&KMS_SIGN, self.aws.kms_endpoint.as_deref(), &request, now, deadline)
            .await?;
        let unusable = SecretError::Unusable(KMS_SIGN.name);
        let Ok(answer) = serde_json::from_slice::<Answer>(&body) else {
            return Err(unusable);
        };
        STANDARD.decode(answer.signature).map_err(|_| unusable)
    }

    /// By which algorithm the key `arn` signs (`GetPublicKey`).
    pub async fn signing_algorithm(
        &self,
        arn: &str,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<KmsAlgorithm, SecretError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(rename = "SigningAlgorithms")]
            signing_algorithms: Vec<String>,
        }
        let endpoint = self.aws.kms_endpoint.as_deref();
        let body = self
            .call(&KMS_GET_PUBLIC_KEY, endpoint, &json!({ "KeyId": arn }), now, deadline)
            .await?;
        let names =
            serde_json::from_slice(&body).map_or_else(|_| Vec::new(), |answer: Answer| answer.signing_algorithms);
        KmsAlgorithm::ALL
            .into_iter()
            .find(|algorithm| names.iter().any(|name| name == algorithm.as_str()))
            .ok_or(SecretError::Unusable(KMS_GET_PUBLIC_KEY.name))
    }

    async fn call(
        &self,
        service: &Service,
        endpoint: Option<&str>,
        body: &Value,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Vec<u8>, SecretError> {
        let request = self
            .signed(service, endpoint, body, now)
            .ok_or(SecretError::Signing(service.name))?;
        let bounds = Bounds {
            max_bytes: MAX_ANSWER_BYTES,
            timeout: CALL_TIMEOUT.min(deadline.left()),
        };
        let answer = self.client.send(request, bounds).await;
        let answer = answer.map_err(|source| SecretError::Call {
            service: service.name,
            source,
        })?;
        match answer.status() {
            StatusCode::OK => Ok(answer.into_body()),
            status => Err(refusal(service.name, status, answer.body())),
        }
    }

    /// The request in AWS's JSON protocol 1.1, signed at `now`.
    fn signed(
        &self,
        service: &Service,
        endpoint: Option<&str>,
        body: &Value,
        now: Timestamp,
    ) -> Option<Request<Vec<u8>>> {
        let endpoint = endpoint.map_or_else(
            || format!("https://{}.{}.amazonaws.com", service.signing_name, self.aws.region),
            |endpoint| endpoint.trim_end_matches('/').to_owned(),
        );
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("{endpoint}/"))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"))
            .header("x-amz-target", HeaderValue::from_static(service.target))
            .body(serde_json::to_vec(body).ok()?)
            .ok()?;
        let identity = self.aws.credentials.clone().into();
        let since_epoch = Duration::from_millis(u64::try_from(now.unix_ms()).ok()?);
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.aws.region)
            .name(service.signing_name)
            .time(SystemTime::UNIX_EPOCH.checked_add(since_epoch)?)
            .settings(SigningSettings::default())
            .build()
            .ok()?;
        let headers = request
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let uri = request.uri().to_string();
        let signable = SignableRequest::new("POST", &uri, headers, SignableBody::Bytes(request.body())).ok()?;
        let (instructions, _signature) = sign(signable, &parameters.into()).ok()?.into_parts();
        instructions.apply_to_request_http1x(&mut request);
        Some(request)
    }
}

/// What a refusal means, by the name of its exception.
fn refusal(service: &'static str, status: StatusCode, body: &[u8]) -> SecretError {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "__type")]
        exception: String,
    }
    let named = serde_json::from_slice(body).map(|answer: Answer| answer.exception);
    // The name may come with its namespace: `com.amazonaws.secretsmanager#ResourceNotFoundException`.
    let exception = named.as_deref().unwrap_or_default().rsplit('#').next();
    match exception {
        Some("ResourceNotFoundException") => SecretError::NotFound(service),
        Some("ResourceExistsException") => SecretError::AlreadyExists(service),
        Some("ThrottlingException") => SecretError::Busy { service, status },
        _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            SecretError::Busy { service, status }
        }
        _ => SecretError::Refused { service, status },
    }
}

#[cfg(test)]
mod tests;
