//! What people do, from the settings page and back to it, each story on every database and with every provider.
#![expect(clippy::unwrap_used, reason = "a story that cannot go on fails")]

mod accounts_site;
mod cancel;
mod choose_account;
mod client_registrations;
mod confirm;
mod create_account;
mod integrate;
mod method_1;
mod method_2;
mod no_javascript;
mod replay;
mod requirement;
mod restart;
mod restored_table;
mod second_provider;
mod sign_in;
mod switch;
mod time;
mod two_tabs;
mod unlink;
