//! Who has an account at the development provider.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use account_linking::{
    clock::{NoRandomness, Randomness, random_bytes},
    identity::EmailAddress,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

/// A person with an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Person {
    /// The `sub`: never changed, never given to anybody else.
    pub(super) subject: String,
    pub(super) name: String,
    pub(super) email: EmailAddress,
    pub(super) email_verified: bool,
}

/// The people who are always there. Beside the cloud accounts of the same names they show the three ways a first link can go:
/// the same address, another address, and an address that nobody has verified.
const RESIDENTS: [(&str, &str, &str, bool); 3] = [
    (
        "6f1c0b7e-2d64-4d0c-9b0a-8b5a4a1f7c11",
        "Alice Martin",
        "alice@example.com",
        true,
    ),
    (
        "b92d5c3a-71f8-4c55-8f3e-0d9e63c2a522",
        "Bruno Keller",
        "bruno.keller@shop.example",
        true,
    ),
    (
        "e4a80d19-95b6-4f7d-a1c7-3f27b8d6e933",
        "Chloé Dubois",
        "chloe@example.com",
        false,
    ),
];

/// Everybody, residents first.
#[derive(Debug)]
pub(super) struct People {
    everybody: Mutex<Vec<Person>>,
    file: Option<PathBuf>,
}

/// Why somebody could not be added.
#[derive(Debug, thiserror::Error)]
pub(super) enum RegistrationError {
    #[error("the address has an account already")]
    AddressTaken,
    #[error("making a subject")]
    Subject(#[from] NoRandomness),
    #[error("writing the file of people")]
    Write(#[source] io::Error),
}

impl People {
    /// The residents, and whom `file` holds. Whoever registers is written to it.
    pub(super) fn load(file: Option<PathBuf>) -> io::Result<Self> {
        let registered = match &file {
            Some(file) => read(file)?,
            None => Vec::new(),
        };
        let residents = RESIDENTS.iter().filter_map(|(subject, name, email, email_verified)| {
            Some(Person {
                subject: (*subject).to_owned(),
                name: (*name).to_owned(),
                email: EmailAddress::parse(email)?,
                email_verified: *email_verified,
            })
        });
        Ok(Self {
            everybody: Mutex::new(residents.chain(registered).collect()),
            file,
        })
    }

    /// Everybody.
    pub(super) fn all(&self) -> Vec<Person> {
        self.lock().clone()
    }

    /// The person with this subject.
    pub(super) fn find(&self, subject: &str) -> Option<Person> {
        self.lock().iter().find(|person| person.subject == subject).cloned()
    }

    /// Gives somebody an account.
    pub(super) fn register(
        &self,
        name: &str,
        email: EmailAddress,
        email_verified: bool,
        random: &dyn Randomness,
    ) -> Result<Person, RegistrationError> {
        let mut everybody = self.lock();
        if everybody.iter().any(|person| person.email.is_same_mailbox(&email)) {
            return Err(RegistrationError::AddressTaken);
        }
        let subject = URL_SAFE_NO_PAD.encode(random_bytes::<16>(random)?);
        let person = Person {
            subject,
            name: name.to_owned(),
            email,
            email_verified,
        };
        everybody.push(person.clone());
        if let Some(file) = &self.file
            && let Err(error) = write(file, &everybody[RESIDENTS.len()..])
        {
            everybody.pop();
            return Err(RegistrationError::Write(error));
        }
        Ok(person)
    }

    /// Gives the person with this subject another address, as verified as the one before. That of a resident is forgotten at the end.
    pub(super) fn change_email(&self, subject: &str, email: &EmailAddress) -> Result<(), RegistrationError> {
        let mut everybody = self.lock();
        let is_other = |person: &Person| person.subject != subject;
        if everybody
            .iter()
            .any(|person| is_other(person) && person.email.is_same_mailbox(email))
        {
            return Err(RegistrationError::AddressTaken);
        }
        let mut changed = everybody.clone();
        for person in changed.iter_mut().filter(|person| !is_other(person)) {
            person.email = email.clone();
        }
        if let Some(file) = &self.file {
            write(file, &changed[RESIDENTS.len()..]).map_err(RegistrationError::Write)?;
        }
        *everybody = changed;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Person>> {
        self.everybody.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(file: &Path) -> io::Result<Vec<Person>> {
    match fs::read(file) {
        Ok(text) => serde_json::from_slice(&text).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Writes beside the file and renames, so that a stop in between leaves the old file whole.
fn write(file: &Path, people: &[Person]) -> io::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, serde_json::to_vec_pretty(people).map_err(io::Error::other)?)?;
    fs::rename(new, file)
}
