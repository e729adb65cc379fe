//! The words of the provider's pages.

use crate::site::Language;

/// One language's words.
#[derive(Debug)]
pub(super) struct Texts {
    pub(super) site: &'static str,
    pub(super) home: &'static str,
    pub(super) signed_in_as: &'static str,
    pub(super) signed_out: &'static str,
    pub(super) sign_in: &'static str,
    pub(super) sign_in_again: &'static str,
    pub(super) choose_account: &'static str,
    pub(super) create_account: &'static str,
    pub(super) sign_out: &'static str,
    pub(super) cancel: &'static str,
    pub(super) no_password: &'static str,
    pub(super) is_signed_in: &'static str,
    pub(super) not_verified: &'static str,
    pub(super) name: &'static str,
    pub(super) email: &'static str,
    pub(super) email_is_verified: &'static str,
    pub(super) new_email: &'static str,
    pub(super) change_email: &'static str,
    pub(super) name_missing: &'static str,
    pub(super) email_malformed: &'static str,
    pub(super) email_taken: &'static str,
    pub(super) failed: &'static str,
    pub(super) malformed: &'static str,
    pub(super) foreign: &'static str,
    pub(super) over: &'static str,
    pub(super) internal: &'static str,
    pub(super) refused: &'static str,
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
    site: "Magento.com (development)",
    home: "Your Magento.com account",
    signed_in_as: "You are signed in as",
    signed_out: "You are not signed in.",
    sign_in: "Sign in to Magento.com",
    sign_in_again: "Sign in to Magento.com again",
    choose_account: "Choose a Magento.com account",
    create_account: "Create a Magento.com account",
    sign_out: "Sign out",
    cancel: "Cancel",
    no_password: "This is a development stand-in: choose who you are, no password is asked for.",
    is_signed_in: "signed in",
    not_verified: "address not verified",
    name: "Name",
    email: "E-mail address",
    email_is_verified: "The address has been verified",
    new_email: "New e-mail address",
    change_email: "Change the address",
    name_missing: "Enter a name of at most 100 characters.",
    email_malformed: "Enter an e-mail address, such as name@example.com.",
    email_taken: "This address has an account already. Use another one, or sign in.",
    failed: "This did not work",
    malformed: "The request could not be understood. Go back and try again.",
    foreign: "The form was sent from another site. Nothing was done.",
    over: "This sign-in has ended. Go back to the site that you came from and start again.",
    internal: "Something went wrong here. Try again.",
    refused: "The site that sent you here made a request that Magento.com cannot accept. Go back to it and start again.",
};

const FRENCH: Texts = Texts {
    site: "Magento.com (développement)",
    home: "Votre compte Magento.com",
    signed_in_as: "Vous êtes connecté en tant que",
    signed_out: "Vous n’êtes pas connecté.",
    sign_in: "Se connecter à Magento.com",
    sign_in_again: "Se reconnecter à Magento.com",
    choose_account: "Choisir un compte Magento.com",
    create_account: "Créer un compte Magento.com",
    sign_out: "Se déconnecter",
    cancel: "Annuler",
    no_password: "Ceci remplace Magento.com pour le développement : choisissez qui vous êtes, aucun mot de passe n’est demandé.",
    is_signed_in: "connecté",
    not_verified: "adresse non vérifiée",
    name: "Nom",
    email: "Adresse e-mail",
    email_is_verified: "L’adresse a été vérifiée",
    new_email: "Nouvelle adresse e-mail",
    change_email: "Changer l’adresse",
    name_missing: "Saisissez un nom de 100 caractères au plus.",
    email_malformed: "Saisissez une adresse e-mail, par exemple nom@example.com.",
    email_taken: "Cette adresse a déjà un compte. Utilisez-en une autre ou connectez-vous.",
    failed: "Cela n’a pas fonctionné",
    malformed: "La demande n’a pas été comprise. Revenez en arrière et réessayez.",
    foreign: "Le formulaire a été envoyé depuis un autre site. Rien n’a été fait.",
    over: "Cette connexion est terminée. Retournez sur le site d’où vous venez et recommencez.",
    internal: "Une erreur s’est produite ici. Réessayez.",
    refused: "Le site qui vous a envoyé ici a fait une demande que Magento.com ne peut pas accepter. Retournez-y et recommencez.",
};
