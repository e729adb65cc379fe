//! Certificate authorities that are trusted besides those that are compiled in (`ADDITIONAL_ROOTS`).
//!
//! Behind a proxy that inspects TLS, or before endpoints of one's own, no built-in root leads to the certificate that is seen. An
//! administrator adds theirs by a file, which a layer can bring; the system's certificate directory is never read.

use std::{fmt, fs};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, TrustAnchor, pem::PemObject},
};

use crate::config::Reader;

/// What an administrator trusts; usually nothing.
#[derive(Clone, Default)]
pub struct AdditionalRoots {
    anchors: Vec<TrustAnchor<'static>>,
}

impl AdditionalRoots {
    /// Reads `ADDITIONAL_ROOTS`, the path of a file.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let expected = "the path of a file with certificates of authorities in PEM";
        reader.parsed("ADDITIONAL_ROOTS", Self::default(), expected, |path| {
            Self::parse(&fs::read(path).ok()?)
        })
    }

    /// Takes `pem` when there are certificates in it, and each can be an authority's.
    #[must_use]
    pub fn parse(pem: &[u8]) -> Option<Self> {
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            store.add(certificate.ok()?).ok()?;
        }
        let anchors = store.roots;
        (!anchors.is_empty()).then_some(Self { anchors })
    }

    /// Whom it trusts.
    pub(crate) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }
}

impl fmt::Debug for AdditionalRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AdditionalRoots({})", self.anchors.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    const AMAZON: &[u8] = include_bytes!("table/amazon_roots.pem");

    #[test]
    fn every_certificate_of_the_file_is_taken() {
        assert_eq!(AdditionalRoots::parse(AMAZON).unwrap().anchors().len(), 5);
    }

    #[test]
    fn a_file_without_certificates_or_with_one_that_is_none_is_refused() {
        let no_certificate = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for pem in [
            b"".as_slice(),
            b"roots",
            no_certificate,
            &[AMAZON, no_certificate].concat(),
        ] {
            assert!(AdditionalRoots::parse(pem).is_none());
        }
    }

    #[test]
    fn without_the_variable_there_are_none_and_a_path_that_leads_nowhere_is_a_mistake() {
        let mut environment = Environment::default();
        let mut reader = Reader::new(&environment);
        assert!(AdditionalRoots::read(&mut reader).unwrap().anchors().is_empty());

        environment.set("ADDITIONAL_ROOTS", "/nowhere/roots.pem");
        let mut reader = Reader::new(&environment);
        let roots = AdditionalRoots::read(&mut reader);
        let mistakes = reader.finish(roots).unwrap_err();
        assert!(mistakes.to_string().contains("ADDITIONAL_ROOTS must be"), "{mistakes}");
    }
}
