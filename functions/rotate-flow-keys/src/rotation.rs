//! Which step of a rotation is due: a decision about the current version and the time.

use std::{fmt, time::Duration};

use account_linking::{
    clock::{NoRandomness, Randomness, Timestamp, random_bytes},
    seal::{FlowKeys, FlowKeysError},
    secrets::SecretVersion,
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::digest;

use crate::RotationError;

/// How long a key seals before the next one is appended.
pub const ROTATED_AFTER: Duration = Duration::from_hours(24 * 30);

/// How long a key is only there to open, until every function has it: they refetch after ten minutes.
pub const APPENDED_FOR: Duration = Duration::from_mins(15);

/// How long the key before it still opens: who has not refetched yet seals with it for ten minutes, and a flow lives for ten.
pub const PROMOTED_FOR: Duration = Duration::from_mins(30);

/// The secret's text is not what the functions can read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct UnusableKeys(#[from] FlowKeysError);

/// What a run does to the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There was no key; now there is one.
    Created,
    /// The new key is appended, behind those that seal and open.
    Appended,
    /// The new key is at the front, where it seals.
    Promoted,
    /// The older keys are gone.
    Retired,
}

impl Step {
    /// Its name in the log and in the ids of versions.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Appended => "appended",
            Self::Promoted => "promoted",
            Self::Retired => "retired",
        }
    }
}

/// The version that takes the place of the current one.
pub struct NewVersion {
    /// The step that it is.
    pub step: Step,
    /// Its id.
    pub id: String,
    /// The keys, newest first, but for an appended one.
    pub text: String,
}

impl NewVersion {
    /// `step` on top of `before`. Its id tells the step and follows from the id before, so that a version has one successor.
    fn new(step: Step, before: Option<&SecretVersion>, keys: &[&str]) -> Result<Self, UnusableKeys> {
        let text = keys.join(",");
        // What the functions could not read must never become current, not even by a one in four billion chance of two like ids.
        FlowKeys::parse(&text, "")?;
        let before = before.map_or("", |version| &version.id);
        let hash = digest::digest(&digest::SHA256, before.as_bytes());
        Ok(Self {
            step,
            id: format!("{}-{}", step.as_str(), URL_SAFE_NO_PAD.encode(hash)),
            text,
        })
    }
}

/// Without the keys.
impl fmt::Debug for NewVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewVersion")
            .field("step", &self.step)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The version that is due `now` after `current`; `begin` asks for a rotation before its time.
///
/// # Errors
///
/// When `current` is not keys that the functions can read, or no key can be drawn.
pub fn next(
    current: Option<&SecretVersion>,
    begin: bool,
    now: Timestamp,
    random: &dyn Randomness,
) -> Result<Option<NewVersion>, RotationError> {
    // A secret that CloudFormation makes has no value, or an empty one.
    let Some(version) = current.filter(|version| !version.text.trim().is_empty()) else {
        let first = new_key(random)?;
        return Ok(Some(NewVersion::new(Step::Created, current, &[&first])?));
    };
    FlowKeys::parse(&version.text, "").map_err(UnusableKeys)?;
    let keys: Vec<&str> = version.text.split(',').map(str::trim).collect();
    let is_due = |after| now >= version.created_at.plus(after);
    let was_appended = version.id.starts_with("appended-");
    let step = |step, keys: &[&str]| Ok(Some(NewVersion::new(step, current, keys)?));
    match keys[..] {
        [only] if begin || is_due(ROTATED_AFTER) => step(Step::Appended, &[only, &new_key(random)?]),
        [ref older @ .., newest] if was_appended && !older.is_empty() => {
            let promoted = [&[newest], older].concat();
            if is_due(APPENDED_FOR) {
                step(Step::Promoted, &promoted)
            } else {
                Ok(None)
            }
        }
        [newest, _, ..] if is_due(PROMOTED_FOR) => step(Step::Retired, &[newest]),
        _ => Ok(None),
    }
}

/// 32 random bytes in standard base64.
fn new_key(random: &dyn Randomness) -> Result<String, NoRandomness> {
    Ok(STANDARD.encode(random_bytes::<32>(random)?))
}
