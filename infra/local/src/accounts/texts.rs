//! The words of the accounts site's own pages. The section has its own.

use account_linking::table::EventKind;

use super::clock::{DISTANCES, STEPS};
use crate::site::Language;

/// One language's words. `{…}` stands for a value.
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
    pub(super) sign_in_with: &'static str,
    pub(super) for_connected_accounts: &'static str,
    pub(super) sign_in_by_email: &'static str,
    pub(super) back_to_settings: &'static str,
    pub(super) other_ways: &'static str,
    pub(super) refused_title: &'static str,
    pub(super) refused: &'static str,
    pub(super) refused_next_step: &'static str,
    pub(super) link_first: &'static str,
    pub(super) linked_now: &'static str,
    pub(super) pages: &'static str,
    pub(super) history: &'static str,
    pub(super) history_note: &'static str,
    pub(super) nothing_happened: &'static str,
    /// By [`EventKind::ALL`].
    events: [&'static str; EventKind::ALL.len()],
    pub(super) in_this_session: &'static str,
    pub(super) in_another_session: &'static str,
    pub(super) by_support: &'static str,
    pub(super) clock: &'static str,
    pub(super) development_tool: &'static str,
    pub(super) time_here: &'static str,
    pub(super) move_clock: &'static str,
    pub(super) date: &'static str,
    pub(super) no_date: &'static str,
    pub(super) distances: [&'static str; DISTANCES.len()],
    pub(super) steps_title: &'static str,
    pub(super) steps: [&'static str; STEPS.len()],
    pub(super) machine_time: &'static str,
    pub(super) clock_note: &'static str,
    pub(super) other_clock: &'static str,
}

impl Texts {
    /// What happened.
    pub(super) fn event(&self, kind: EventKind) -> &'static str {
        // Its own place in the list of all of them.
        let place = EventKind::ALL.iter().position(|other| *other == kind);
        place.map_or("", |place| self.events[place])
    }

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
    sign_in_with: "Sign in with {provider}",
    for_connected_accounts: "For accounts that are connected. Not connected yet? Sign in with e-mail, then connect your accounts.",
    sign_in_by_email: "Sign in with e-mail",
    back_to_settings: "Back to your account settings",
    other_ways: "Other ways to sign in",
    refused_title: "Sign in with {provider} instead",
    refused: "The account {email} is connected, and connecting is required now: e-mail does not open it any more.",
    refused_next_step: "Sign in with the connected account. If you cannot get into that one, recover it there, or contact support.",
    link_first: "Connecting your account is required now. Until you are connected, this is all that you can do here; afterwards sign in with the connected account.",
    linked_now: "Your account is connected. Sign in with the connected account to use it.",
    pages: "Your account",
    history: "Account history",
    history_note: "What happened to your connections, the latest first. Times are UTC.",
    nothing_happened: "Nothing has happened yet.",
    events: [
        "Connected to {provider}",
        "Switched to another {provider} account",
        "Disconnected from {provider}",
        "Connecting to {provider} was refused: that account is connected to another cloud account",
        "Connecting to {provider} was declined",
        "Exempted from connecting to {provider} until {date}",
        "The exemption from connecting to {provider} was ended",
    ],
    in_this_session: "in this session",
    in_another_session: "in another session of yours",
    by_support: "by support",
    clock: "Clock of this stack",
    development_tool: "Development tool",
    time_here: "Here it is {time}.",
    move_clock: "Move the clock",
    date: "Linking is required from {date} on",
    no_date: "Linking is never required: LINKING_REQUIRED_FROM is `never`.",
    distances: [
        "One day before",
        "One minute before",
        "That very instant",
        "One day after",
    ],
    steps_title: "By steps",
    steps: [
        "One day back",
        "One hour back",
        "One minute on",
        "Ten minutes on",
        "One hour on",
        "One day on",
    ],
    machine_time: "The machine’s own time",
    clock_note: "Whoever is signed in stays so as long as their session lasts by this clock; a session from the future is none. What was disconnected at a later time cannot be connected before it.",
    other_clock: "Magento.com is not part of this stack and keeps its own time: what it signs is refused while the clocks differ by more than a minute.",
};

const FRENCH: Texts = Texts {
    site: "accounts.magento.cloud (développement)",
    settings: "Paramètres du compte",
    onboarding: "Bienvenue",
    onboarding_introduction: "Il reste une étape pour compléter votre compte.",
    signed_in_as: "Vous êtes identifié en tant que",
    sign_in: "Se connecter",
    sign_in_again: "Se reconnecter",
    sign_out: "Se déconnecter",
    no_password: "Ceci remplace le site pour le développement : choisissez un compte, aucun mot de passe n’est demandé.",
    why_again: "Confirmez qu’il s’agit bien de vous pour modifier votre façon de vous connecter.",
    foreign_sessions: "Les sessions sont émises ailleurs : SESSION_JWKS ou SESSION_JWKS_URL est défini. Connectez-vous là-bas.",
    sign_in_with: "S’identifier avec {provider}",
    for_connected_accounts: "Pour les comptes connectés. Pas encore connecté ? Identifiez-vous par e-mail, puis connectez vos comptes.",
    sign_in_by_email: "S’identifier par e-mail",
    back_to_settings: "Retour aux paramètres de votre compte",
    other_ways: "Autres façons de se connecter",
    refused_title: "Identifiez-vous plutôt avec {provider}",
    refused: "Le compte {email} est connecté, et la connexion est désormais obligatoire : l’e-mail ne l’ouvre plus.",
    refused_next_step: "Identifiez-vous avec le compte connecté. Si vous n’y avez plus accès, récupérez-le là-bas ou contactez l’assistance.",
    link_first: "Connecter votre compte est désormais obligatoire. En attendant, vous ne pouvez rien faire d’autre ici ; ensuite, identifiez-vous avec le compte connecté.",
    linked_now: "Votre compte est connecté. Identifiez-vous avec le compte connecté pour l’utiliser.",
    pages: "Votre compte",
    history: "Historique du compte",
    history_note: "Ce qui est arrivé à vos connexions, le plus récent d’abord. Les heures sont en UTC.",
    nothing_happened: "Il ne s’est encore rien passé.",
    events: [
        "Connecté à {provider}",
        "Remplacé par un autre compte {provider}",
        "Déconnecté de {provider}",
        "Connexion à {provider} refusée : ce compte est connecté à un autre compte cloud",
        "Connexion à {provider} déclinée",
        "Dispensé de la connexion à {provider} jusqu’au {date}",
        "La dispense de connexion à {provider} a pris fin",
    ],
    in_this_session: "dans cette session",
    in_another_session: "dans une autre de vos sessions",
    by_support: "par l’assistance",
    clock: "Horloge de cet environnement",
    development_tool: "Outil de développement",
    time_here: "Ici, nous sommes le {time}.",
    move_clock: "Régler l’horloge",
    date: "La connexion est obligatoire à partir du {date}",
    no_date: "La connexion n’est jamais obligatoire : LINKING_REQUIRED_FROM vaut « never ».",
    distances: [
        "Un jour avant",
        "Une minute avant",
        "À cet instant même",
        "Un jour après",
    ],
    steps_title: "Pas à pas",
    steps: [
        "Un jour en arrière",
        "Une heure en arrière",
        "Une minute plus tard",
        "Dix minutes plus tard",
        "Une heure plus tard",
        "Un jour plus tard",
    ],
    machine_time: "L’heure de la machine",
    clock_note: "Une personne connectée le reste tant que sa session dure selon cette horloge ; une session venue du futur n’en est pas une. Ce qui a été déconnecté plus tard ne peut pas être connecté avant.",
    other_clock: "Magento.com ne fait pas partie de cet environnement et garde sa propre heure : ce qu’il signe est refusé tant que les horloges diffèrent de plus d’une minute.",
};
