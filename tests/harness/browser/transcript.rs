//! What browsers said and heard, for tests about all of it.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

/// One exchange, as the contract's tests need it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The method of the request.
    pub method: Method,
    /// Its address.
    pub url: Url,
    /// Its headers.
    pub request_headers: HeaderMap,
    /// Its body.
    pub request_body: Bytes,
    /// The status of the answer.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Every exchange that a group of browsers made, in order. Clones write to the same list.
#[derive(Clone, Default)]
pub struct Transcript(Arc<Mutex<Vec<Exchange>>>);

impl Transcript {
    /// The exchanges so far.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn add(&self, exchange: Exchange) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
    }
}
