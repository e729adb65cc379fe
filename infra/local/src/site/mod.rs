//! What the two development sites have in common: reading a request, answering it, and a plain page without scripts.

mod form;
mod language;
mod page;
mod request;
mod response;

pub(crate) use form::{Parameters, Unreadable};
pub(crate) use language::Language;
pub(crate) use page::{Page, Text, origin_of};
pub(crate) use request::Request;
pub(crate) use response::{Cookie, Response, file, json, no_icon, not_found, redirect, status_only, stylesheet};
