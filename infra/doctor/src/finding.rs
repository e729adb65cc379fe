//! What came of the checks, in lines for people.

use std::fmt;

/// What a check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it must be.
    Ok,
    /// It is not, and the text says what to mend.
    Wrong,
    /// It works, and should be mended all the same.
    Advice,
    /// From here it cannot be told.
    Unknown,
    /// Something before it must be mended first, or is not there yet.
    Skipped,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Wrong => "WRONG",
            Self::Advice => "advice",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
        })
    }
}

/// One line: what was checked, and what came of it. It holds no secret, code, token or address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was checked: `clock of magento`.
    pub subject: String,
    /// What came of it.
    pub verdict: Verdict,
    /// Why, and what to mend.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<7} {}: {}", self.verdict, self.subject, self.text)
    }
}

/// All that was found, in the order of the checks.
#[derive(Clone, Debug, Default)]
pub struct Report {
    findings: Vec<Finding>,
}

impl Report {
    /// Its lines.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether something must be mended.
    #[must_use]
    pub fn is_wrong(&self) -> bool {
        self.findings.iter().any(|finding| finding.verdict == Verdict::Wrong)
    }

    pub(crate) fn add(&mut self, subject: impl Into<String>, verdict: Verdict, text: impl Into<String>) {
        self.findings.push(Finding {
            subject: subject.into(),
            verdict,
            text: text.into(),
        });
    }

    pub(crate) fn ok(&mut self, subject: impl Into<String>, text: impl Into<String>) {
        self.add(subject, Verdict::Ok, text);
    }

    /// `what` is wrong; `mend` says what to do about it.
    pub(crate) fn wrong(&mut self, subject: impl Into<String>, what: impl fmt::Display, mend: &str) {
        self.add(subject, Verdict::Wrong, format!("{what}. {mend}"));
    }

    pub(crate) fn unknown(&mut self, subject: impl Into<String>, text: impl Into<String>) {
        self.add(subject, Verdict::Unknown, text);
    }

    pub(crate) fn skipped(&mut self, subject: impl Into<String>, text: impl Into<String>) {
        self.add(subject, Verdict::Skipped, text);
    }
}

/// A line a finding.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        Ok(())
    }
}
