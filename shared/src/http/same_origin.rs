//! Whether a form came from our own page (contract section 3).
//!
//! Every `*.magento.cloud` host is same-*site* with us, so `SameSite` is no defence against a sibling; this is.

use http::{HeaderMap, header::ORIGIN};

/// The request did not come from our page, or does not prove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request does not come from our own origin")]
pub struct CrossOrigin;

/// Accepts a request of our own page: `Sec-Fetch-Site`, when present, is `same-origin`; `Origin`, when present and not `null`,
/// equals `public_origin`; and at least one of the two says so.
pub fn check(headers: &HeaderMap, public_origin: &str) -> Result<(), CrossOrigin> {
    let fetch_site = single(headers, "sec-fetch-site")?;
    let origin = single(headers, ORIGIN.as_str())?.filter(|origin| *origin != b"null");
    let site_agrees = fetch_site.map(|site| site == b"same-origin");
    let origin_agrees = origin.map(|origin| origin == public_origin.as_bytes());
    match (site_agrees, origin_agrees) {
        (Some(false), _) | (_, Some(false)) | (None, None) => Err(CrossOrigin),
        (Some(true), _) | (None, Some(true)) => Ok(()),
    }
}

/// The header's only value. A header that comes twice contradicts itself.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a [u8]>, CrossOrigin> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value.map(http::HeaderValue::as_bytes)),
        (_, Some(_)) => Err(CrossOrigin),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const HERE: &str = "https://accounts.example";

    #[test]
    fn both_headers_must_agree_and_at_least_one_must_speak() {
        let rows: &[(&[(&str, &str)], bool)] = &[
            (&[("sec-fetch-site", "same-origin"), ("origin", HERE)], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("origin", HERE)], true),
            (&[("sec-fetch-site", "same-origin"), ("origin", "null")], true),
            (&[], false),
            (&[("origin", "null")], false),
            (&[("sec-fetch-site", "same-site"), ("origin", HERE)], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", HERE)], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "none"), ("origin", HERE)], false),
            (&[("sec-fetch-site", "")], false),
            (&[("sec-fetch-site", "Same-Origin")], false),
            (
                &[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")],
                false,
            ),
            (&[("origin", "https://accounts.example.evil")], false),
            (&[("origin", "https://accounts.example:443")], false),
            (&[("origin", "https://accounts.example/")], false),
            (&[("origin", "http://accounts.example")], false),
            (&[("origin", "https://ACCOUNTS.example")], false),
            (&[("origin", "")], false),
            (&[("origin", HERE), ("origin", HERE)], false),
            (
                &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
                false,
            ),
        ];
        for (row, accepted) in rows {
            let mut headers = HeaderMap::new();
            for (name, value) in *row {
                headers.append(
                    HeaderName::try_from(*name).unwrap(),
                    HeaderValue::from_str(value).unwrap(),
                );
            }
            assert_eq!(check(&headers, HERE).is_ok(), *accepted, "{row:?}");
        }
    }
}
