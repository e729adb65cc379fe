//! The steps, and what interrupts them, against a Secrets Manager with the two calls and the one promise that matter here: an id has one value.

use std::{
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use account_linking::{
    clock::{MovableClock, SystemRandomness},
    seal::{FlowKeys, Kind, OpenError},
    secrets::SecretVersion,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::*;

const START: Timestamp = Timestamp::from_unix_seconds(1_585_699_200);
const A: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const B: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const C: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
/// As `put-secret-value` of the AWS CLI gives one.
const BY_HAND: &str = "7c3c5f1e-8a44-4a34-9a0c-3f1a5c2e9d10";

fn version(id: &str, keys: &[&str]) -> SecretVersion {
    SecretVersion {
        id: id.to_owned(),
        created_at: START,
        text: keys.join(","),
    }
}

fn step_after(age: Duration, version: &SecretVersion, begin: bool) -> Option<(Step, String)> {
    let new = next(Some(version), begin, START.plus(age), &SystemRandomness::default()).unwrap();
    new.map(|new| (new.step, new.text))
}

fn just_under(duration: Duration) -> Duration {
    duration.saturating_sub(Duration::from_millis(1))
}

#[test]
fn a_secret_without_a_value_gets_its_first_key() {
    for current in [None, Some(version(BY_HAND, &[""])), Some(version(BY_HAND, &["\n"]))] {
        let new = next(current.as_ref(), false, START, &SystemRandomness::default())
            .unwrap()
            .unwrap();
        assert_eq!(new.step, Step::Created);
        assert!(!new.text.contains(',') && FlowKeys::parse(&new.text, "").is_ok());
    }
}

#[test]
fn the_next_key_is_appended_when_the_only_one_is_a_month_old_or_when_somebody_asks() {
    for id in [BY_HAND, "retired-x", "created-x"] {
        let only = version(id, &[A]);
        assert_eq!(step_after(just_under(ROTATED_AFTER), &only, false), None);
        for (age, begin) in [(ROTATED_AFTER, false), (Duration::ZERO, true)] {
            let (step, text) = step_after(age, &only, begin).unwrap();
            assert_eq!(step, Step::Appended, "{id}");
            assert!(
                text.starts_with(&format!("{A},")) && text.len() == 2 * A.len() + 1,
                "{id}"
            );
        }
    }
}

#[test]
fn an_appended_key_moves_to_the_front_after_fifteen_minutes() {
    let appended = version("appended-x", &[A, B, C]);
    for begin in [false, true] {
        assert_eq!(step_after(just_under(APPENDED_FOR), &appended, begin), None);
        let promoted = (Step::Promoted, format!("{C},{A},{B}"));
        assert_eq!(step_after(APPENDED_FOR, &appended, begin), Some(promoted));
    }
}

#[test]
fn all_but_the_first_key_are_dropped_half_an_hour_after_that_or_after_somebody_wrote_them() {
    for id in ["promoted-x", BY_HAND] {
        let promoted = version(id, &[B, A, C]);
        for begin in [false, true] {
            assert_eq!(step_after(just_under(PROMOTED_FOR), &promoted, begin), None, "{id}");
            assert_eq!(
                step_after(PROMOTED_FOR, &promoted, begin),
                Some((Step::Retired, B.to_owned())),
                "{id}"
            );
        }
    }
}

#[test]
fn what_the_functions_cannot_read_is_left_as_it_is_and_not_quoted() {
    for text in [",", "hush", "AAAA", &format!("{A},{A}"), &format!("{A},")] {
        let broken = version(BY_HAND, &[text]);
        let error = next(
            Some(&broken),
            true,
            START.plus(ROTATED_AFTER),
            &SystemRandomness::default(),
        )
        .unwrap_err();
        assert!(matches!(error, RotationError::Keys(_)), "{error:?}");
        assert!(!format!("{error:?} {}", telemetry::cause_of(&error)).contains("hush"));
    }
}

#[test]
fn a_clock_that_is_behind_hurries_nothing() {
    let early = START.minus(Duration::from_hours(1));
    for version in [
        version(BY_HAND, &[A]),
        version("appended-x", &[A, B]),
        version("promoted-x", &[B, A]),
    ] {
        let new = next(Some(&version), false, early, &SystemRandomness::default()).unwrap();
        assert!(new.is_none(), "{new:?}");
    }
}

#[test]
fn an_id_is_one_that_secrets_manager_takes_and_follows_from_the_version_before() {
    let random = SystemRandomness::default();
    let after = |version: &SecretVersion| next(Some(version), true, START, &random).unwrap().unwrap().id;
    let id = after(&version(BY_HAND, &[A]));
    assert!((32..=64).contains(&id.len()), "{id}");
    assert_eq!(id, after(&version(BY_HAND, &[A])));
    assert_ne!(id, after(&version(&id.replace("appended", "retired"), &[A])));
}

/// Through a whole rotation, five minutes by five minutes: what any function seals, with keys that it may have fetched ten minutes before,
/// opens for every function for as long as a flow lives.
#[test]
fn nothing_that_is_sealed_while_keys_rotate_fails_to_open() {
    const MINUTE: Duration = Duration::from_mins(1);
    let random = SystemRandomness::default();
    let at = |minute: usize| START.plus(MINUTE * u32::try_from(minute).unwrap());
    let mut current = version(BY_HAND, &[A]);
    let mut of_minute = Vec::new();
    for minute in 0..120 {
        if minute % 5 == 0
            && let Some(new) = next(Some(&current), minute == 0, at(minute), &random).unwrap()
        {
            current = SecretVersion {
                id: new.id,
                created_at: at(minute),
                text: new.text,
            };
        }
        of_minute.push(current.text.clone());
    }
    assert_ne!(of_minute[119], A, "the key was replaced");
    assert!(!of_minute[119].contains(','), "and the rotation has ended");

    let keys: Vec<_> = of_minute
        .iter()
        .map(|text| FlowKeys::parse(text, "").unwrap())
        .collect();
    for sealed_at in 0..100_usize {
        for seals_with in sealed_at.saturating_sub(10)..=sealed_at {
            let sealed = keys[seals_with].seal(Kind::Flow, "name", &1_u8, &random).unwrap();
            for opened_at in sealed_at..=sealed_at + 10 {
                for opens_with in opened_at.saturating_sub(10)..=opened_at {
                    let opened = keys[opens_with].open::<u8>(Kind::Flow, "name", &sealed);
                    // Who does not know the key asks for newer ones at once.
                    let opened = match opened {
                        Err(OpenError::UnknownKey) => keys[opened_at].open::<u8>(Kind::Flow, "name", &sealed),
                        opened => opened,
                    };
                    assert_eq!(
                        opened,
                        Ok(1),
                        "sealed at {sealed_at} with {seals_with}, opened at {opened_at} with {opens_with}"
                    );
                }
            }
        }
    }
}

/// A secret and its history.
#[derive(Default)]
struct SecretsManager {
    versions: Vec<(String, String)>,
    current: Option<usize>,
    written_at: i64,
    /// How many answers to writes are still to be lost.
    loses: usize,
    /// Makes every write wait for as many.
    meet: Option<Arc<tokio::sync::Barrier>>,
}

/// The function and its Secrets Manager.
struct World {
    app: App,
    clock: Arc<MovableClock>,
    secret: Arc<Mutex<SecretsManager>>,
    _server: JoinSet<()>,
}

impl World {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (secret, clock) = (
            Arc::<Mutex<SecretsManager>>::default(),
            Arc::new(MovableClock::default()),
        );
        let mut environment = Environment::default();
        environment.set("PUBLIC_ORIGIN", "http://accounts.localhost");
        environment.set(
            "FLOW_KEYS_ARN",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:flow-keys-AbCdEf",
        );
        environment.set("AWS_REGION", "eu-west-1");
        environment.set("AWS_ACCESS_KEY_ID", "AKID");
        environment.set("AWS_SECRET_ACCESS_KEY", "hush");
        let port = listener.local_addr().unwrap().port();
        environment.set("AWS_ENDPOINT_URL", format!("http://localhost:{port}"));
        let (kept, time) = (Arc::clone(&secret), Arc::clone(&clock));
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&kept), Arc::clone(&time)));
            }
        });
        let app = App::connect(
            &environment,
            Arc::clone(&clock) as _,
            Arc::new(SystemRandomness::default()),
        )
        .unwrap();
        Self {
            app,
            clock,
            secret,
            _server: server,
        }
    }

    fn secret(&self) -> MutexGuard<'_, SecretsManager> {
        self.secret.lock().unwrap()
    }

    async fn step(&self, begin: bool) -> Result<Option<Step>, RotationError> {
        take_step(&self.app, &Order { begin }, self.app.clock.now()).await
    }

    fn after(&self, time: Duration) {
        self.clock.move_by_ms(i64::try_from(time.as_millis()).unwrap());
    }

    fn keys(&self) -> usize {
        let secret = self.secret();
        secret.versions[secret.current.unwrap()].1.split(',').count()
    }
}

async fn serve(stream: TcpStream, secret: Arc<Mutex<SecretsManager>>, clock: Arc<MovableClock>) {
    let mut stream = BufReader::new(stream);
    let (mut target, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        match line
            .trim()
            .split_once(": ")
            .map(|(name, value)| (name.to_lowercase(), value))
        {
            Some((name, value)) if name == "x-amz-target" => value.clone_into(&mut target),
            Some((name, value)) if name == "content-length" => length = value.parse().unwrap(),
            _ if line.trim().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let request: Value = serde_json::from_slice(&body).unwrap();
    let meet = secret.lock().unwrap().meet.clone();
    if let Some(meet) = meet.filter(|_| target.ends_with("PutSecretValue")) {
        meet.wait().await;
    }
    let answer = secret.lock().unwrap().answer(&target, &request, clock.now());
    if let Some((status, answer)) = answer {
        let answer = answer.to_string();
        let length = answer.len();
        let answer = format!("HTTP/1.1 {status} -\r\nContent-Length: {length}\r\n\r\n{answer}");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

impl SecretsManager {
    fn answer(&mut self, target: &str, request: &Value, now: Timestamp) -> Option<(u16, Value)> {
        if target == "secretsmanager.GetSecretValue" {
            return Some(match self.current {
                None => (400, json!({"__type": "ResourceNotFoundException"})),
                Some(current) => {
                    let (id, text) = &self.versions[current];
                    let written_at = self.written_at;
                    (
                        200,
                        json!({"VersionId": id, "SecretString": text, "CreatedDate": written_at}),
                    )
                }
            });
        }
        assert_eq!(target, "secretsmanager.PutSecretValue");
        let text = |name: &str| request[name].as_str().unwrap().to_owned();
        let (id, text) = (text("ClientRequestToken"), text("SecretString"));
        match self.versions.iter().find(|(known, _)| *known == id) {
            Some((_, known)) if *known == text => {}
            Some(_) => return Some((400, json!({"__type": "ResourceExistsException"}))),
            None => {
                self.current = Some(self.versions.len());
                self.versions.push((id, text));
                self.written_at = now.unix_seconds();
            }
        }
        if self.loses > 0 {
            self.loses -= 1;
            return None;
        }
        Some((200, json!({})))
    }
}

#[tokio::test]
async fn a_rotation_goes_from_the_first_key_to_the_next_and_ends() {
    let world = World::new().await;
    assert_eq!(world.step(false).await.unwrap(), Some(Step::Created));
    let first = world.secret().versions[0].1.clone();
    assert_eq!(world.step(false).await.unwrap(), None);
    world.after(ROTATED_AFTER);
    for (step, keys, lasts) in [
        (Step::Appended, 2, APPENDED_FOR),
        (Step::Promoted, 2, PROMOTED_FOR),
        (Step::Retired, 1, Duration::from_hours(24)),
    ] {
        assert_eq!(world.step(false).await.unwrap(), Some(step));
        assert_eq!(world.keys(), keys);
        assert_eq!(world.step(false).await.unwrap(), None, "one step at a time");
        world.after(lasts + Duration::from_secs(1));
    }
    assert_eq!(world.step(false).await.unwrap(), None);
    assert!(!world.secret().versions[3].1.contains(&first));
}

#[tokio::test]
async fn a_run_that_dies_after_any_write_leaves_a_secret_from_which_the_next_goes_on() {
    let world = World::new().await;
    for (step, lasts) in [
        (Step::Created, ROTATED_AFTER),
        (Step::Appended, APPENDED_FOR),
        (Step::Promoted, PROMOTED_FOR),
        (Step::Retired, Duration::ZERO),
    ] {
        world.secret().loses = 1;
        let lost = world.step(false).await;
        assert!(matches!(lost, Err(RotationError::Write(_))), "{step:?}: {lost:?}");
        assert_eq!(world.step(false).await.unwrap(), None, "{step:?} was taken, and once");
        world.after(lasts + Duration::from_secs(1));
    }
    let written = &world.secret().versions;
    let steps: Vec<_> = written.iter().map(|(id, _)| id.split_once('-').unwrap().0).collect();
    assert_eq!(steps, ["created", "appended", "promoted", "retired"]);
}

#[tokio::test]
async fn of_two_runs_at_once_one_takes_the_step() {
    let world = World::new().await;
    for (step, keys) in [
        (Step::Created, 1),
        (Step::Appended, 2),
        (Step::Promoted, 2),
        (Step::Retired, 1),
    ] {
        world.secret().meet = Some(Arc::new(tokio::sync::Barrier::new(2)));
        let (one, other) = tokio::join!(world.step(true), world.step(true));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert!(one == Some(step) || other == Some(step), "{one:?} {other:?}");
        assert_eq!(world.keys(), keys);
        world.after(PROMOTED_FOR);
    }
    assert_eq!(world.secret().versions.len(), 4);
}

#[tokio::test]
async fn a_secret_that_was_taken_back_by_hand_is_reported_and_not_touched() {
    let world = World::new().await;
    world.step(false).await.unwrap();
    world.step(true).await.unwrap();
    world.secret().current = Some(0);
    let error = world.step(true).await.unwrap_err();
    assert!(matches!(error, RotationError::TakenBack), "{error:?}");
    assert_eq!(world.secret().current, Some(0));
    // The same keys, written again, are a version to go on from.
    let keys = world.secret().versions[0].1.clone();
    world.secret().versions.push((BY_HAND.to_owned(), keys));
    world.secret().current = Some(2);
    assert_eq!(world.step(true).await.unwrap(), Some(Step::Appended));
}

#[test]
fn an_event_of_the_schedule_asks_for_nothing() {
    let event = json!({"version": "0", "source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
    assert!(!serde_json::from_value::<Order>(event).unwrap().begin);
    assert!(serde_json::from_value::<Order>(json!({"begin": true})).unwrap().begin);
}
