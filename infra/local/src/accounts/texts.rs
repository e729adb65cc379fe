//! The words of the accounts site's own pages. The section has its own.

use crate::site::Language;

/// One language's words.
#[derive(Debug)]
pub(super) struct Texts {
    pub(super) site: &'static str,
    pub(super) settings: &'static str,
    pub(super) onboarding: &'static str,
    pub(super) onboarding_introduction: &'static str,
    pub(super) signed_in_as: &'static str,
    pub(super) sign_in: &'static str,
    pub(super) sign_in_again: &'static str,
    pub(super) sign_out: &'static str,
    pub(super) no_password: &'static str,
    pub(super) why_again: &'static str,
    pub(super) foreign_sessions: &'static str,
}

impl Texts {
    /// The words of `language`.
    pub(super) const fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::French => &FRENCH,
        }
    }
}

const ENGLISH: Texts = Texts {
    site: "accounts.magento.cloud (development)",
    settings: "Account settings",
    onboarding: "Welcome",
    onboarding_introduction: "One step is left to complete your account.",
    signed_in_as: "You are signed in as",
    sign_in: "Sign in",
    sign_in_again: "Sign in again",
    sign_out: "Sign out",
    no_password: "This is a development stand-in: choose an account, no password is asked for.",
    why_again: "Confirm that it is you to change how you sign in.",
    foreign_sessions: "Sessions are issued elsewhere: SESSION_JWKS or SESSION_JWKS_URL is set. Sign in there.",
};

const FRENCH: Texts = Texts {
    site: "accounts.magento.cloud (développement)",
    settings: "Paramètres du compte",
    onboarding: "Bienvenue",
    onboarding_introduction: "Il reste une étape pour compléter votre compte.",
    signed_in_as: "Vous êtes connecté en tant que",
    sign_in: "Se connecter",
    sign_in_again: "Se reconnecter",
    sign_out: "Se déconnecter",
    no_password: "Ceci remplace le site pour le développement : choisissez un compte, aucun mot de passe n’est demandé.",
    why_again: "Confirmez qu’il s’agit bien de vous pour modifier votre façon de vous connecter.",
    foreign_sessions: "Les sessions sont émises ailleurs : SESSION_JWKS ou SESSION_JWKS_URL est défini. Connectez-vous là-bas.",
};
