//! What is put on Lambda, in bytes.

use std::{fs, io::Write, path::Path};

use flate2::{Compression, write::DeflateEncoder};

/// What a zip archive has around the one file in it.
const ARCHIVE_BYTES: usize = 139;

/// A binary, and the archive with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) binary: usize,
    pub(crate) zip: usize,
}

impl Size {
    pub(crate) fn of(artefact: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let bytes = fs::read(artefact).map_err(|error| format!("{}: {error}", artefact.display()))?;
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&bytes)?;
        Ok(Self {
            binary: bytes.len(),
            zip: encoder.finish()?.len() + ARCHIVE_BYTES,
        })
    }
}
