use rustls::{ServerConfig, ServerConnection, pki_types::PrivatePkcs8KeyDer};

use super::{
    scripted_server::{Answer, ScriptedServer},
    *,
};
use crate::clock::Deadline;

const BOUNDS: Bounds = Bounds {
    max_bytes: 1000,
    timeout: Duration::from_secs(5),
};

async fn get(url: &str, bounds: Bounds) -> Result<Response<Vec<u8>>, OutboundError> {
    let request = Request::get(url).body(Vec::new()).unwrap();
    HttpClient::new(Locality::Local).send(request, bounds).await
}

/// What a server that always gives `answer` makes of one call.
async fn ask(answer: Answer) -> Result<Response<Vec<u8>>, OutboundError> {
    let server = ScriptedServer::start([answer]).await;
    let outcome = get(&server.url("/"), BOUNDS).await;
    assert_eq!(server.hits(), 1, "nothing is ever sent twice");
    outcome
}

#[test]
fn every_suite_of_ring_is_offered_and_aes_128_with_sha_256_first() {
    let tls = tls_trusting(&[]);
    let suites = &tls.crypto_provider().cipher_suites;
    assert_eq!(suites[0].suite(), CipherSuite::TLS13_AES_128_GCM_SHA256);
    assert_eq!(suites.len(), ring::default_provider().cipher_suites.len());
}

#[test]
fn only_localhost_and_the_names_below_it_are_local() {
    for host in ["localhost", "LOCALHOST", "magento.localhost", "a.b.localhost"] {
        assert_eq!(Locality::of_host(host), Locality::Local, "{host}");
    }
    for host in [
        "",
        "localhost.example",
        "notlocalhost",
        "127.0.0.1",
        "[::1]",
        "localhost.",
    ] {
        assert_eq!(Locality::of_host(host), Locality::Deployed, "{host}");
    }
}

#[test]
fn http_is_allowed_to_local_hosts_in_a_local_configuration_alone() {
    assert!(Locality::Deployed.allows("https", "magento.example"));
    assert!(Locality::Local.allows("http", "magento.localhost"));
    assert!(!Locality::Local.allows("http", "magento.example"));
    assert!(!Locality::Deployed.allows("http", "magento.localhost"));
    assert!(!Locality::Local.allows("ftp", "localhost"));
}

#[tokio::test]
async fn a_plain_call_has_its_host_and_asks_for_no_compression() {
    let server = ScriptedServer::start([Answer::json(200, "{}")]).await;
    let answer = get(&server.url("/path?query=1"), BOUNDS).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.body().as_slice()),
        (200, b"{}".as_slice())
    );
    let request = &server.requests()[0];
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("GET", "/path?query=1")
    );
    assert_eq!(request.header("host").unwrap(), server.authority());
    assert_eq!(request.header("accept-encoding").unwrap(), "identity");
    assert!(request.header("user-agent").unwrap().starts_with("account-linking/"));
}

#[tokio::test]
async fn a_post_carries_its_body() {
    let server = ScriptedServer::start([Answer::json(200, "{}")]).await;
    let request = Request::post(server.url("/")).body(b"name=a+b".to_vec()).unwrap();
    HttpClient::new(Locality::Local).send(request, BOUNDS).await.unwrap();
    assert_eq!(server.requests()[0].method, "POST");
    assert_eq!(server.requests()[0].form(), [("name".to_owned(), "a b".to_owned())]);
}

#[tokio::test]
async fn an_insecure_url_is_never_called() {
    let server = ScriptedServer::start([Answer::new(200, "text/plain", "reached")]).await;
    let port = server.port();
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://[::1]:{port}/"),
        "/relative".to_owned(),
    ] {
        assert!(
            matches!(get(&url, BOUNDS).await, Err(OutboundError::InsecureUrl)),
            "{url}"
        );
    }
    let request = Request::get(server.url("/")).body(Vec::new()).unwrap();
    let deployed = HttpClient::new(Locality::Deployed).send(request, BOUNDS).await;
    assert!(matches!(deployed, Err(OutboundError::InsecureUrl)));
    assert_eq!(server.hits(), 0);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let elsewhere = ScriptedServer::start([Answer::new(200, "text/plain", "followed")]).await;
    for status in [301, 302, 303, 307, 308] {
        let head = format!(
            "HTTP/1.1 {status} Moved\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
            elsewhere.url("/")
        );
        assert_eq!(
            ask(Answer::Bytes(head.into_bytes())).await.unwrap().status().as_u16(),
            status
        );
    }
    assert_eq!(elsewhere.hits(), 0);
}

#[tokio::test]
async fn a_compressed_answer_stays_compressed() {
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00";
    let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\n".to_vec();
    bytes.extend(gzip);
    assert_eq!(ask(Answer::Bytes(bytes)).await.unwrap().body(), gzip);
}

#[tokio::test]
async fn a_body_may_be_as_long_as_its_bound_and_no_longer() {
    let body = "x".repeat(1000);
    assert_eq!(
        ask(Answer::new(200, "text/plain", &body)).await.unwrap().body().len(),
        1000
    );
    let too_long = ask(Answer::new(200, "text/plain", &format!("{body}x"))).await;
    assert!(
        matches!(too_long, Err(OutboundError::TooLarge { max_bytes: 1000 })),
        "{too_long:?}"
    );
}

#[tokio::test]
async fn a_flood_is_cut_off_however_it_is_framed() {
    for framing in [
        "Content-Length: 99999999999",
        "Transfer-Encoding: chunked",
        "Connection: close",
    ] {
        let outcome = ask(Answer::flood(framing)).await;
        assert!(
            matches!(outcome, Err(OutboundError::TooLarge { .. })),
            "{framing}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_whose_header_section_is_too_long_is_broken() {
    let answer = |length| {
        let filler = "x".repeat(length);
        Answer::Bytes(format!("HTTP/1.1 200 OK\r\nX: {filler}\r\nContent-Length: 0\r\n\r\n").into_bytes())
    };
    assert!(ask(answer(MAX_HEAD_BYTES / 2)).await.is_ok());
    assert!(matches!(
        ask(answer(MAX_HEAD_BYTES)).await,
        Err(OutboundError::Broken(_))
    ));
}

#[tokio::test]
async fn an_answer_that_ends_early_is_broken() {
    let truncated = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{".to_vec();
    for answer in [
        Answer::Bytes(truncated),
        Answer::Bytes(b"\0\0\0 no HTTP\r\n\r\n".to_vec()),
        Answer::Hangup,
    ] {
        let outcome = ask(answer).await;
        assert!(matches!(outcome, Err(OutboundError::Broken(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_when_the_time_is_up() {
    let server = ScriptedServer::start([Answer::Silence]).await;
    let url = server.url("/");
    let outcome = server.without_waiting(get(&url, BOUNDS)).await;
    assert!(matches!(outcome, Err(OutboundError::TimedOut(_))), "{outcome:?}");
    assert_eq!(server.hits(), 1);
}

#[tokio::test]
async fn a_server_that_stops_halfway_is_left_when_the_time_is_up() {
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{".to_vec();
    let server = ScriptedServer::start([Answer::ThenSilence(half)]).await;
    let url = server.url("/");
    let outcome = server.without_waiting(get(&url, BOUNDS)).await;
    assert!(matches!(outcome, Err(OutboundError::TimedOut(_))), "{outcome:?}");
}

#[tokio::test]
async fn nobody_listening_is_a_failure_to_connect() {
    let server = ScriptedServer::start([]).await;
    let url = server.url("/");
    server.stop().await;
    assert!(matches!(get(&url, BOUNDS).await, Err(OutboundError::Connect(_))));
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_a_failure_to_connect() {
    let server = ScriptedServer::start([Answer::new(200, "text/plain", "plain")]).await;
    let url = server.url("/?code=secret").replacen("http:", "https:", 1);
    let error = get(&url, BOUNDS).await.unwrap_err();
    assert!(matches!(error, OutboundError::Connect(_)), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("secret"));
}

#[tokio::test]
async fn op_15_a_certificate_that_no_authority_signed_is_a_failure_to_connect() {
    let certificate = include_bytes!("../../testdata/untrusted.test-only.cert.der")
        .as_slice()
        .into();
    let key = PrivatePkcs8KeyDer::from(include_bytes!("../../testdata/untrusted.test-only.key.der").as_slice());
    let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())
        .unwrap();
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut connection = ServerConnection::new(Arc::new(tls)).unwrap();
        // Ends when the client has said what it thinks of the certificate.
        connection.complete_io(&mut stream).unwrap_err()
    });
    let error = get(&url, BOUNDS).await.unwrap_err();
    assert!(
        matches!(&error, OutboundError::Connect(cause) if cause.to_string().contains("UnknownIssuer")),
        "{error:?}"
    );
    assert!(server.join().unwrap().to_string().contains("UnknownCA"));
}

#[tokio::test(start_paused = true)]
async fn connecting_is_given_up_after_two_seconds() {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let deadline = Deadline::within(Duration::from_secs(10));
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    assert!(matches!(get(&url, BOUNDS).await, Err(OutboundError::TimedOut(_))));
    let left = deadline.left();
    assert!(
        (Duration::from_millis(7900)..=Duration::from_secs(8)).contains(&left),
        "{left:?}"
    );
}

async fn get_by(client: &HttpClient, url: &str) -> Result<Response<Vec<u8>>, OutboundError> {
    client.send(Request::get(url).body(Vec::new()).unwrap(), BOUNDS).await
}

/// Which connection each request to `server` came over.
fn connections(server: &ScriptedServer) -> Vec<usize> {
    server.requests().iter().map(|request| request.connection).collect()
}

#[tokio::test]
async fn the_next_call_to_the_same_origin_has_the_same_connection() {
    let server = ScriptedServer::start(vec![Answer::then_next(200, "{}"); 3]).await;
    let client = HttpClient::new(Locality::Local);
    for path in ["/jwks", "/token", "/token"] {
        get_by(&client, &server.url(path)).await.unwrap();
    }
    assert_eq!(connections(&server), [0, 0, 0]);
}

#[tokio::test]
async fn a_connection_is_fresh_for_four_seconds_of_either_clock() {
    let server = ScriptedServer::start([Answer::then_next(200, "{}")]).await;
    let client = HttpClient::new(Locality::Local);
    get_by(&client, &server.url("/")).await.unwrap();

    let connection = client.kept.all().remove(0);
    assert!(connection.is_fresh(connection.since));
    assert!(connection.is_fresh(connection.since.plus(Duration::from_millis(3999))));
    assert!(
        !connection.is_fresh(connection.since.plus(Duration::from_secs(4))),
        "as after being frozen"
    );
    assert!(
        !connection.is_fresh(connection.since.minus(Duration::from_millis(1))),
        "the clock was set back"
    );
    tokio::time::pause();
    tokio::time::advance(kept::KEPT_FOR).await;
    assert!(!connection.is_fresh(connection.since));
}

#[tokio::test]
async fn each_origin_has_a_connection_and_of_too_many_the_oldest_is_closed() {
    let server = ScriptedServer::start(vec![Answer::then_next(200, "{}"); 8]).await;
    let client = HttpClient::new(Locality::Local);
    for name in ["a", "b", "a", "c", "d", "e", "a", "b"] {
        let url = format!("http://{name}.localhost:{}/", server.port());
        get_by(&client, &url).await.unwrap();
    }
    // `b` was the oldest when `e` came.
    assert_eq!(connections(&server), [0, 1, 0, 2, 3, 4, 0, 5]);
}

#[tokio::test]
async fn of_calls_to_one_origin_at_once_the_last_leaves_its_connection() {
    let server = ScriptedServer::start(vec![Answer::then_next(200, "{}"); 3]).await;
    let client = HttpClient::new(Locality::Local);
    let url = server.url("/");
    let (first, second) = tokio::join!(get_by(&client, &url), get_by(&client, &url));
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(client.kept.all().len(), 1);
    get_by(&client, &url).await.unwrap();
    assert!(connections(&server).iter().all(|connection| *connection < 2));
}

#[tokio::test]
async fn a_server_that_says_that_it_hangs_up_is_connected_to_anew() {
    let server = ScriptedServer::start(vec![Answer::json(200, "{}"); 2]).await;
    let client = HttpClient::new(Locality::Local);
    for _ in 0..2 {
        get_by(&client, &server.url("/")).await.unwrap();
    }
    assert_eq!(connections(&server), [0, 1]);
}

#[tokio::test]
async fn a_server_that_has_hung_up_without_a_word_is_connected_to_anew() {
    let silent = Answer::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec());
    let server = ScriptedServer::start(vec![silent; 2]).await;
    let client = HttpClient::new(Locality::Local);
    get_by(&client, &server.url("/")).await.unwrap();
    let has_heard = || client.kept.all()[0].connection.sender.is_closed();
    while !has_heard() {
        tokio::task::yield_now().await;
    }
    get_by(&client, &server.url("/")).await.unwrap();
    assert_eq!(connections(&server), [0, 1]);
}

#[tokio::test]
async fn what_was_written_to_a_kept_connection_is_not_written_again() {
    let server = ScriptedServer::start([Answer::then_next(200, "{}"), Answer::Hangup]).await;
    let client = HttpClient::new(Locality::Local);
    get_by(&client, &server.url("/")).await.unwrap();
    let lost = get_by(&client, &server.url("/")).await;
    assert!(matches!(lost, Err(OutboundError::Broken(_))), "{lost:?}");
    assert_eq!(connections(&server), [0, 0]);
}

#[tokio::test]
async fn a_connection_whose_answer_was_not_read_to_its_end_is_not_kept() {
    let too_long = Answer::then_next(200, &"x".repeat(1001));
    let server = ScriptedServer::start([too_long, Answer::json(200, "{}")]).await;
    let client = HttpClient::new(Locality::Local);
    get_by(&client, &server.url("/")).await.unwrap_err();
    get_by(&client, &server.url("/")).await.unwrap();
    assert_eq!(connections(&server), [0, 1]);
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_answers_nobody() {
    let whole = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let two_at_once = Answer::ThenNext(format!("{}{}", whole("first"), whole("unasked")).into_bytes());
    let server = ScriptedServer::start([two_at_once, Answer::new(200, "text/plain", "second")]).await;
    let client = HttpClient::new(Locality::Local);
    for expected in ["first", "second"] {
        let answer = get_by(&client, &server.url("/")).await.unwrap();
        assert_eq!(answer.body(), expected.as_bytes());
    }
    assert_eq!(connections(&server), [0, 1]);
}

/// As when its time is up.
#[tokio::test]
async fn a_connection_whose_answer_was_not_waited_for_is_not_kept() {
    let server = ScriptedServer::start([Answer::Silence, Answer::json(200, "{}")]).await;
    let client = HttpClient::new(Locality::Local);
    let url = server.url("/");
    tokio::select! {
        answer = get_by(&client, &url) => panic!("{answer:?}"),
        () = server.asked() => {}
    }
    get_by(&client, &url).await.unwrap();
    assert_eq!(connections(&server), [0, 1]);
}
