//! What the two development sites have in common: reading a request, answering it, and a plain page without scripts.

mod form;
mod page;
mod request;
mod response;

pub(crate) use account_linking::http::texts::Language;
pub(crate) use form::{Parameters, Unreadable};
pub(crate) use page::{Page, Text, origin_of};
pub(crate) use request::Request;
pub(crate) use response::{Cookie, Response, file, json, no_icon, not_found, redirect, status_only, stylesheet};
