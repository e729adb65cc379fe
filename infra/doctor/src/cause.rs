//! What an error is due to, and what mends it.

use std::error::Error;

use account_linking::{provider::discovery::DiscoveryError, seal::FlowKeysError, secrets::SecretError};

/// The error of type `E` among `error` and what it is due to.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut error = Some(error);
    while let Some(this) = error {
        if let Some(found) = this.downcast_ref() {
            return Some(found);
        }
        error = this.source();
    }
    None
}

/// What to do when the provider's metadata is not known.
pub(crate) fn mend_discovery(error: &(dyn Error + 'static)) -> &'static str {
    match find::<DiscoveryError>(error) {
        Some(DiscoveryError::Issuer) => {
            "Write into `issuer` what the provider's own document says, to the letter; a slash at its end counts."
        }
        Some(DiscoveryError::Status(_) | DiscoveryError::Json(_)) => {
            "The document must be at <issuer>/.well-known/openid-configuration: look at `issuer`, or give fixed endpoints."
        }
        Some(DiscoveryError::Endpoint(_)) => {
            "Have the provider publish it on the issuer's host, or give fixed endpoints."
        }
        Some(DiscoveryError::Unsupported { .. }) => {
            "Have the provider offer it; if it does and does not say so, give fixed endpoints."
        }
        Some(DiscoveryError::Unreachable(_)) | None => {
            "Look at the name in `issuer`, at its certificate, and at the way there from here."
        }
    }
}

/// What to do when a secret cannot be had, or KMS does not sign.
pub(crate) fn mend_secret(error: &(dyn Error + 'static)) -> &'static str {
    if find::<FlowKeysError>(error).is_some() {
        return "Put keys into it as docs/operate.md says, as a new version; RotateFlowKeysFunction makes the first one.";
    }
    match find::<SecretError>(error) {
        Some(SecretError::NotFound(_)) => {
            "Name one that exists, in this region, and give it a value; RotateFlowKeysFunction makes the first flow key."
        }
        Some(SecretError::Refused { .. }) => {
            "Look whether the ARN names something of the right kind that exists in this region, whether the caller may use it, and whether the caller's \
             credentials have ended."
        }
        Some(SecretError::Unusable(_)) => {
            "Put a text into the secret; a KMS key must sign, and be ECC_NIST_P256 or RSA."
        }
        Some(
            SecretError::Signing(_)
            | SecretError::Call { .. }
            | SecretError::Busy { .. }
            | SecretError::AlreadyExists(_),
        )
        | None => "Look at AWS_REGION, at the credentials, and at the way to AWS from here.",
    }
}
