//! What the development provider and the accounts site sign and prove with: fresh at every start, or kept under `DATA_DIR`, so that
//! whoever is signed in stays so.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use account_linking::{
    clock::{NoRandomness, Randomness, random_bytes},
    jose::{SigningError, SigningKey, SigningKeyError},
};
use base64::{DecodeError, Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// The file under `DATA_DIR`.
const FILE: &str = "keys.json";

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// Their file cannot be read or written.
    #[error("keeping the keys of DATA_DIR")]
    File(#[source] io::Error),
    /// What their file holds is not base64.
    #[error("reading the keys of DATA_DIR")]
    Encoding(#[from] DecodeError),
    /// What their file holds is no key.
    #[error("reading the keys of DATA_DIR")]
    Key(#[from] SigningKeyError),
    /// A key could not be made.
    #[error("making a key")]
    Making(#[from] SigningError),
    /// The operating system has no randomness.
    #[error("making a client's secret")]
    Randomness(#[from] NoRandomness),
}

/// The keys of both sites.
pub(crate) struct Keys {
    /// Signs sessions.
    pub(crate) accounts: SigningKey,
    pub(crate) provider: ProviderKeys,
}

/// The provider's.
pub(crate) struct ProviderKeys {
    /// Signs ID tokens.
    pub(crate) key: SigningKey,
    /// What its client proves itself with.
    pub(crate) client_secret: String,
}

/// The file. What it lacks is made: PKCS #8 in base64, and a text.
#[derive(Default, Deserialize, Serialize)]
struct Kept {
    accounts: Option<String>,
    magento: Option<String>,
    client_secret: Option<String>,
}

impl Keys {
    /// The keys kept in `folder`, with what it lacks made and kept; without a folder all are made.
    pub(crate) fn load(folder: Option<&Path>, random: &dyn Randomness) -> Result<Self, KeysError> {
        let file = folder.map(|folder| folder.join(FILE));
        let kept = file.as_deref().map(read).transpose().map_err(KeysError::File)?;
        let kept = kept.unwrap_or_default();
        let make_key = || Ok::<_, SigningError>(STANDARD.encode(SigningKey::generate_p256_pkcs8()?));
        // Standard base64, for its `+`, `/` and `=`, which need the encoding that is easily forgotten.
        let make_secret = || Ok::<_, NoRandomness>(STANDARD.encode(random_bytes::<32>(random)?));
        let accounts = kept.accounts.map_or_else(make_key, Ok)?;
        let magento = kept.magento.map_or_else(make_key, Ok)?;
        let client_secret = kept.client_secret.map_or_else(make_secret, Ok)?;
        let keys = Self {
            accounts: SigningKey::p256_from_pkcs8("accounts", &STANDARD.decode(&accounts)?)?,
            provider: ProviderKeys {
                key: SigningKey::p256_from_pkcs8("magento", &STANDARD.decode(&magento)?)?,
                client_secret: client_secret.clone(),
            },
        };
        if let Some(file) = file {
            let kept = Kept {
                accounts: Some(accounts),
                magento: Some(magento),
                client_secret: Some(client_secret),
            };
            write(&file, &kept).map_err(KeysError::File)?;
        }
        Ok(keys)
    }
}

fn read(file: &Path) -> io::Result<Kept> {
    match fs::read(file) {
        Ok(text) => serde_json::from_slice(&text).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kept::default()),
        Err(error) => Err(error),
    }
}

/// Nobody but the owner reads the file.
const OWNER_ALONE: u32 = 0o600;

/// Writes beside the file and renames, so that a stop in between leaves the old file whole.
fn write(file: &Path, kept: &Kept) -> io::Result<()> {
    let text = serde_json::to_vec_pretty(kept).map_err(io::Error::other)?;
    let beside = file.with_extension("new");
    let mut new = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(OWNER_ALONE)
        .open(&beside)?;
    // One that an earlier start had left there keeps its mode.
    new.set_permissions(Permissions::from_mode(OWNER_ALONE))?;
    new.write_all(&text)?;
    fs::rename(beside, file)
}
