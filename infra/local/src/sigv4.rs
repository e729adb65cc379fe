//! AWS Signature Version 4: who signed a request, as API Gateway verifies it for its IAM routes; and signing one, as accounts.magento.cloud's
//! server does.
//!
//! The caller's secret is known here, so `aws-sigv4`, the SDK's own signer, signs what was received once more, and the two signatures must be
//! equal: it covers the method, path, query, signed headers and body alike. Signatures in the query are not taken.

use std::time::{Duration, SystemTime};

use account_linking::{clock::Timestamp, config::Environment, outbound::host_header};
use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use http::{
    HeaderMap,
    header::{AUTHORIZATION, HOST},
    request::Parts,
};
use ring::hmac;

/// How far the time of a signature may be from ours, either way.
const CLOCK_SKEW: Duration = Duration::from_mins(5);

const SERVICE: &str = "execute-api";

/// The one caller there is on this machine.
#[derive(Clone, Debug)]
pub(crate) struct LocalCaller {
    credentials: Credentials,
    region: String,
}

impl LocalCaller {
    /// Whoever knows the stack's own credentials.
    pub(crate) fn of(environment: &Environment) -> Self {
        let value = |name| environment.get(name).unwrap_or_default();
        let (id, secret) = (value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY"));
        Self {
            credentials: Credentials::new(id, secret, None, None, "local"),
            region: value("AWS_REGION").to_owned(),
        }
    }

    /// `request` with this caller's signature as of `now`. None when it is no request to a host.
    pub(crate) fn sign(&self, mut request: http::Request<Vec<u8>>, now: Timestamp) -> Option<http::Request<Vec<u8>>> {
        let host = host_header(request.uri())?;
        request.headers_mut().insert(HOST, host);
        let identity = self.credentials.clone().into();
        let since_epoch = Duration::from_millis(u64::try_from(now.unix_ms()).ok()?);
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(SERVICE)
            .time(SystemTime::UNIX_EPOCH.checked_add(since_epoch)?)
            .settings(SigningSettings::default())
            .build()
            .ok()?;
        let headers = request.headers().iter();
        let headers = headers.map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let headers: Vec<_> = headers.collect::<Option<_>>()?;
        let (method, uri) = (request.method().as_str(), request.uri().to_string());
        let signable =
            SignableRequest::new(method, uri, headers.into_iter(), SignableBody::Bytes(request.body())).ok()?;
        let (instructions, _) = sign(signable, &parameters.into()).ok()?.into_parts();
        instructions.apply_to_request_http1x(&mut request);
        Some(request)
    }

    /// The access key id that `head` and `body` were signed by, when that is this caller's and the signature is good at `now`.
    pub(crate) fn verify(&self, head: &Parts, body: &[u8], now: Timestamp) -> Option<&str> {
        let claimed = Authorization::parse(head.headers.get(AUTHORIZATION)?.to_str().ok()?)?;
        let date = head.headers.get("x-amz-date")?.to_str().ok()?;
        let signed_at = parse_date(date)?;
        let is_fresh = now.minus(CLOCK_SKEW) <= signed_at && signed_at <= now.plus(CLOCK_SKEW);
        let is_ours = claimed.access_key_id == self.credentials.access_key_id()
            && claimed.service == SERVICE
            && date.starts_with(claimed.date);
        let signs_what_it_must = ["host", "x-amz-date"]
            .iter()
            .all(|name| claimed.signed_headers.contains(name));
        if !(is_fresh && is_ours && signs_what_it_must) {
            return None;
        }
        let expected = self.signature(head, body, &claimed, signed_at)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.credentials.secret_access_key().as_bytes());
        // Compares in constant time.
        let tag = hmac::sign(&key, claimed.signature.as_bytes());
        hmac::verify(&key, expected.as_bytes(), tag.as_ref()).ok()?;
        Some(self.credentials.access_key_id())
    }

    /// The signature that the request would have from this caller.
    fn signature(
        &self,
        head: &Parts,
        body: &[u8],
        claimed: &Authorization<'_>,
        signed_at: Timestamp,
    ) -> Option<String> {
        let identity = self.credentials.clone().into();
        let mut settings = SigningSettings::default();
        settings.excluded_headers = None; // the caller chose which headers to sign
        let since_epoch = Duration::from_millis(u64::try_from(signed_at.unix_ms()).ok()?);
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(claimed.region)
            .name(SERVICE)
            .time(SystemTime::UNIX_EPOCH.checked_add(since_epoch)?)
            .settings(settings)
            .build()
            .ok()?;
        let headers = signed_headers(&head.headers, claimed)?;
        let headers = headers.iter().map(|(name, value)| (*name, value.as_str()));
        let path_and_query = head.uri.path_and_query()?.as_str();
        // The host is among the headers.
        let uri = format!("http://signed.localhost{path_and_query}");
        let request = SignableRequest::new(head.method.as_str(), uri, headers, SignableBody::Bytes(body)).ok()?;
        let (_, signature) = sign(request, &parameters.into()).ok()?.into_parts();
        Some(signature)
    }
}

/// The headers that were signed, each with its values; none when one is missing.
fn signed_headers<'a>(headers: &HeaderMap, claimed: &Authorization<'a>) -> Option<Vec<(&'a str, String)>> {
    let value = |name: &str| {
        let values = headers.get_all(name).iter().map(|value| value.to_str().ok());
        let values: Vec<_> = values.collect::<Option<_>>()?;
        (!values.is_empty()).then(|| values.join(","))
    };
    let names = claimed.signed_headers.iter().copied();
    names.map(|name| Some((name, value(name)?))).collect()
}

/// What the `Authorization` header claims.
#[derive(Debug)]
struct Authorization<'a> {
    access_key_id: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let parameters = text.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let parameter = |name: &str| {
            let found = |part: &'a str| part.trim().strip_prefix(name)?.strip_prefix('=');
            parameters.split(',').find_map(found)
        };
        let scope: Vec<_> = parameter("Credential")?.split('/').collect();
        let [access_key_id, date, region, service, "aws4_request"] = scope[..] else {
            return None;
        };
        Some(Self {
            access_key_id,
            date,
            region,
            service,
            signed_headers: parameter("SignedHeaders")?.split(';').collect(),
            signature: parameter("Signature")?,
        })
    }
}

/// Reads `20200401T000000Z`.
fn parse_date(text: &str) -> Option<Timestamp> {
    let is_basic = text.len() == 16 && text.is_ascii() && text.as_bytes()[8] == b'T' && text.ends_with('Z');
    if !is_basic {
        return None;
    }
    let part = |from: usize| &text[from..from + 2];
    Timestamp::parse_rfc3339(&format!(
        "{}-{}-{}T{}:{}:{}Z",
        &text[..4],
        part(4),
        part(6),
        part(9),
        part(11),
        part(13)
    ))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const ID: &str = "LOCAL";
    const SECRET: &str = "hush";

    fn now() -> Timestamp {
        Timestamp::parse_rfc3339("2020-04-01T12:00:00Z").unwrap()
    }

    fn caller() -> LocalCaller {
        let variables = [
            ("AWS_ACCESS_KEY_ID", ID),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("AWS_REGION", "eu-west-1"),
        ];
        LocalCaller::of(
            &variables
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// A request as a client of AWS's own signs it.
    fn signed(id: &str, secret: &str, service: &str, at: Timestamp) -> (Parts, Vec<u8>) {
        let body = br#"{"until": "2020-06-01T00:00:00Z", "reason": "x"}"#.to_vec();
        let uri = "http://accounts.localhost:8080/sso/magento/accounts/YWxpY2U/exemption?a=1&b=%20";
        let mut request = Request::put(uri)
            .header("host", "accounts.localhost:8080")
            .header("content-type", "application/json")
            .header("user-agent", "curl")
            .body(body.clone())
            .unwrap();
        let identity = Credentials::new(id, secret, None, None, "test").into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region("eu-west-1")
            .name(service)
            .time(SystemTime::UNIX_EPOCH + Duration::from_secs(at.unix_seconds().unsigned_abs()))
            .settings(SigningSettings::default())
            .build()
            .unwrap();
        let headers = request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        let signable = SignableRequest::new("PUT", uri, headers, SignableBody::Bytes(&body)).unwrap();
        let (instructions, _) = sign(signable, &parameters.into()).unwrap().into_parts();
        instructions.apply_to_request_http1x(&mut request);
        let (head, body) = request.into_parts();
        (head, body)
    }

    #[test]
    fn who_knows_the_secret_is_the_caller() {
        let (head, body) = signed(ID, SECRET, "execute-api", now());
        assert_eq!(caller().verify(&head, &body, now()), Some(ID));
    }

    #[test]
    fn what_the_caller_signs_is_the_caller_s() {
        let request = Request::post("http://accounts.localhost:8080/sso/tickets/redeem")
            .header("content-type", "application/json")
            .body(b"{}".to_vec())
            .unwrap();
        let (head, body) = caller().sign(request, now()).unwrap().into_parts();
        assert_eq!(caller().verify(&head, &body, now()), Some(ID));
        assert_eq!(caller().verify(&head, b"{ }", now()), None);
        let nowhere = Request::post("/sso/tickets/redeem").body(Vec::new()).unwrap();
        assert!(caller().sign(nowhere, now()).is_none());
    }

    #[test]
    fn another_secret_key_id_or_service_signs_for_nobody() {
        for (id, secret, service) in [
            (ID, "guess", "execute-api"),
            ("OTHER", SECRET, "execute-api"),
            (ID, SECRET, "dynamodb"),
        ] {
            let (head, body) = signed(id, secret, service, now());
            assert_eq!(caller().verify(&head, &body, now()), None, "{id} {secret} {service}");
        }
    }

    #[test]
    fn what_was_signed_cannot_be_changed() {
        let changes: [fn(&mut Parts, &mut Vec<u8>); 6] = [
            |head, _| head.method = http::Method::DELETE,
            |head, _| head.uri = "/sso/magento/accounts/Ym9i/exemption?a=1&b=%20".parse().unwrap(),
            |head, _| head.uri = "/sso/magento/accounts/YWxpY2U/exemption?a=2&b=%20".parse().unwrap(),
            |head, _| drop(head.headers.insert("content-type", "text/plain".parse().unwrap())),
            |head, _| drop(head.headers.remove("content-type")),
            |_, body| body.push(b' '),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let (mut head, mut body) = signed(ID, SECRET, "execute-api", now());
            change(&mut head, &mut body);
            assert_eq!(caller().verify(&head, &body, now()), None, "change {number}");
        }
        // What was not signed can.
        let (mut head, body) = signed(ID, SECRET, "execute-api", now());
        head.headers.insert("user-agent", "other".parse().unwrap());
        assert_eq!(caller().verify(&head, &body, now()), Some(ID));
    }

    #[test]
    fn a_signature_is_good_for_five_minutes_either_way() {
        let (head, body) = signed(ID, SECRET, "execute-api", now());
        let seconds = Duration::from_secs;
        assert!(caller().verify(&head, &body, now().plus(seconds(300))).is_some());
        assert!(caller().verify(&head, &body, now().minus(seconds(300))).is_some());
        assert!(caller().verify(&head, &body, now().plus(seconds(301))).is_none());
        assert!(caller().verify(&head, &body, now().minus(seconds(301))).is_none());
    }

    #[test]
    fn no_signature_and_half_of_one_are_refused() {
        let (head, body) = signed(ID, SECRET, "execute-api", now());
        let whole = head.headers[AUTHORIZATION].to_str().unwrap().to_owned();
        let (start, signature) = whole.rsplit_once("Signature=").unwrap();
        let without_host = whole.replace("host;", "");
        for text in [
            "",
            "Bearer x",
            start,
            &format!("{start}Signature={}", &signature[1..]),
            &without_host,
        ] {
            let (mut head, _) = signed(ID, SECRET, "execute-api", now());
            head.headers.insert(AUTHORIZATION, text.parse().unwrap());
            assert_eq!(caller().verify(&head, &body, now()), None, "{text}");
        }
        for name in ["authorization", "x-amz-date", "host"] {
            let (mut head, _) = signed(ID, SECRET, "execute-api", now());
            head.headers.remove(name);
            assert_eq!(caller().verify(&head, &body, now()), None, "{name}");
        }
        for date in [
            "20200401T120000",
            "2020-04-01T12:00:00Z",
            "20200401T12000éZ",
            "99999999T999999Z",
        ] {
            assert_eq!(parse_date(date), None, "{date}");
        }
    }
}
