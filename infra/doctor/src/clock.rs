//! How far a server's clock is from ours.

use account_linking::{
    clock::{Clock, Timestamp},
    outbound::{Bounds, HttpClient, OutboundError},
};
use http::{Request, Uri, header::DATE};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use crate::Examination;

/// As long as a key set may be.
const MAX_BYTES: usize = 256 * 1024;

/// How far ahead of `clock` the server behind `url` is at least, in milliseconds (negative: how far behind); none when its answer
/// bears no date. A `Date` is whole seconds, and of some moment between question and answer.
pub(crate) async fn skew(client: &HttpClient, url: &Uri, clock: &dyn Clock) -> Result<Option<i64>, OutboundError> {
    let mut request = Request::new(Vec::new());
    *request.uri_mut() = url.clone();
    let bounds = Bounds {
        max_bytes: MAX_BYTES,
        timeout: Examination::deadline().left(),
    };
    let asked = clock.now();
    let answer = client.send(request, bounds).await?;
    let answered = clock.now();
    let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
    Ok(date.and_then(parse_date).map(|date| apart(date, asked, answered)))
}

/// An HTTP date (RFC 9110 section 5.6.7), in the one form that is sent.
fn parse_date(text: &str) -> Option<Timestamp> {
    let instant = OffsetDateTime::parse(text, &Rfc2822).ok()?;
    Some(Timestamp::from_unix_seconds(instant.unix_timestamp()))
}

/// The least difference that explains a `date` that was written between `asked` and `answered`.
fn apart(date: Timestamp, asked: Timestamp, answered: Timestamp) -> i64 {
    let (first, last) = (date.unix_ms(), date.unix_ms() + 999);
    if first > answered.unix_ms() {
        first - answered.unix_ms()
    } else {
        (last - asked.unix_ms()).min(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_of_whole_seconds_within_the_exchange_is_no_difference() {
        let at = Timestamp::from_unix_ms;
        for (date, asked, answered, expected) in [
            (10_000, 10_000, 10_100, 0),
            (10_000, 10_999, 11_500, 0),
            (10_000, 11_000, 11_100, -1),
            (11_000, 10_000, 10_900, 100),
            (100_000, 10_000, 10_900, 89_100),
            (10_000, 100_000, 100_900, -89_001),
        ] {
            assert_eq!(
                apart(at(date), at(asked), at(answered)),
                expected,
                "{date} {asked} {answered}"
            );
        }
    }

    #[test]
    fn an_http_date_is_read_and_nothing_else() {
        let date = Timestamp::from_unix_seconds(784_111_777);
        assert_eq!(parse_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(date));
        for other in ["", "now", "784111777", "1994-11-06T08:49:37Z"] {
            assert_eq!(parse_date(other), None, "{other}");
        }
    }
}
