//! Kills: a real server under load is killed at random moments, started again and looked at, on both stores.
//!
//! What it acknowledged must be there byte for byte, each acknowledged access must stand in the ledger, and the ledger
//! and the store must verify, as the kill left them and after the next start.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a whole program of tests and their helpers"
)]

#[path = "system/s3.rs"]
mod s3;
#[path = "system/support.rs"]
#[expect(dead_code, reason = "the demonstration is for the other tests of the program")]
mod support;

use base::Timestamp;
use ledger::{Entry, LogKey, Phase, verify::Verifier};
use s3::{Answer, S3, now};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    hash::{BuildHasher, RandomState},
    net::TcpStream,
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{Sender, channel},
    },
};
use store::journal::DiskFiles;
use support::{Galen, Server, free_port};
use tempfile::TempDir;

/// Kills in one run, unless `GALEN_TEST_CRASH_ROUNDS` says how many.
const ROUNDS: u64 = 5;
/// Clients at once: enough that batches of the ledger and of the packs hold entries of several.
const CLIENTS: u64 = 6;
const BUCKET: &str = "crash-bucket";
/// Sizes of objects in bytes: empty, packed, around the edges of a frame (64 KiB), and of many frames.
const SIZES: [usize; 10] = [0, 1, 700, 4_096, 9_000, 65_535, 65_536, 65_537, 200_000, 700_000];

/// What the environment tells a test.
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where the server is")]
fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// SplitMix64: small, and the same bytes from the same seed.
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }
}

/// The content of an object, by the seed that makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Content {
    seed: u64,
    len: usize,
}

impl Content {
    fn new(random: &mut Random) -> Self {
        Self { seed: random.next(), len: SIZES[random.below(SIZES.len())] }
    }
    fn bytes(self) -> Vec<u8> {
        let mut random = Random(self.seed);
        let mut out = Vec::with_capacity(self.len + 8);
        while out.len() < self.len {
            out.extend_from_slice(&random.next().to_le_bytes());
        }
        out.truncate(self.len);
        out
    }
}

/// An access that was acknowledged: the head of its answer arrived.
struct Done {
    name: &'static str,
    key: String,
    request: String,
    ranged: bool,
    begun: Timestamp,
    ended: Timestamp,
}

/// What the clients know.
#[derive(Default)]
struct Known {
    done: Vec<Done>,
    /// The newest acknowledged content of each key.
    stored: BTreeMap<String, Content>,
    /// Writes without an answer: each is there whole, or not at all.
    doubtful: Vec<(String, Content)>,
}

impl Known {
    fn add(&mut self, other: Self) {
        self.done.extend(other.done);
        self.stored.extend(other.stored);
        self.doubtful.extend(other.doubtful);
    }
}

/// One caller of S3, who writes down what was acknowledged.
struct Client<'a> {
    s3: S3,
    events: Option<&'a Sender<()>>,
    known: Known,
}

impl Client<'_> {
    fn told(&mut self) {
        if let Some(events) = self.events {
            // After the kill nobody listens.
            let _gone = events.send(());
        }
    }

    /// Sends one request and records its answer; 404 is an answer that only a doubtful key may give.
    fn ask(
        &mut self,
        name: &'static str,
        key: &str,
        ranged: bool,
        send: impl FnOnce(&S3) -> Result<Answer, ureq::Error>,
    ) -> Result<Answer, ureq::Error> {
        let begun = now();
        self.told();
        let answer = send(&self.s3)?;
        let (key, request) = (key.to_owned(), answer.request.clone());
        if answer.status < 300 {
            self.known.done.push(Done { name, key, request, ranged, begun, ended: now() });
        }
        self.told();
        Ok(answer)
    }

    fn put(&mut self, key: &str, content: Content) -> Result<(), ureq::Error> {
        self.known.doubtful.push((key.to_owned(), content));
        let answer = self.ask("PutObject", key, false, |s3| s3.put(BUCKET, key, &content.bytes()))?;
        assert_eq!(answer.status, 200, "PUT {key}: {}", text(answer.body));
        self.known.doubtful.pop();
        self.known.stored.insert(key.to_owned(), content);
        Ok(())
    }

    fn get(&mut self, key: &str, content: Content) -> Result<(), ureq::Error> {
        let answer = self.ask("GetObject", key, false, |s3| s3.get(BUCKET, key, None))?;
        assert_eq!(answer.status, 200, "GET {key}: {}", text(answer.body));
        assert!(answer.body? == content.bytes(), "{key} has other bytes than were stored");
        Ok(())
    }

    fn get_range(&mut self, key: &str, content: Content, random: &mut Random) -> Result<(), ureq::Error> {
        let first = random.below(content.len);
        let last = first + random.below(content.len - first);
        let answer = self.ask("GetObject", key, true, |s3| s3.get(BUCKET, key, Some((first, last))))?;
        assert_eq!(answer.status, 206, "GET {key} {first}-{last}: {}", text(answer.body));
        assert!(answer.body? == content.bytes()[first..=last], "{key} {first}-{last} has other bytes than were stored");
        Ok(())
    }

    /// One step of the load: mostly writes, among them overwriting, and reads of what was acknowledged.
    fn step(&mut self, own: &str, n: usize, random: &mut Random) -> Result<(), ureq::Error> {
        let at = random.below(self.known.stored.len().max(1));
        let known = self.known.stored.iter().nth(at).map(|(key, content)| (key.clone(), *content));
        match (random.below(10), known) {
            (6..=7, Some((key, content))) => self.get(&key, content),
            (8..=9, Some((key, content))) if content.len > 0 => self.get_range(&key, content, random),
            (5, Some((key, _))) => self.put(&key, Content::new(random)),
            _ => self.put(&format!("{own}{n}"), Content::new(random)),
        }
    }
}

fn text(body: Result<Vec<u8>, ureq::Error>) -> String {
    body.map_or_else(|error| error.to_string(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// An installation with one dataset, and somebody who may write and read it.
struct Rig {
    folder: TempDir,
    operator: Galen,
    config: String,
    port: u16,
    aws: u16,
    s3: Option<S3>,
    witness: Option<PathBuf>,
}

impl Rig {
    /// `store` are the settings of the store; none for SQLite.
    fn new(folder: TempDir, store: &[(String, String)]) -> Self {
        let (port, aws) = (free_port(), free_port());
        let mut settings = store.to_vec();
        settings.push(("GALEN__AWS__LISTEN".to_owned(), format!("127.0.0.1:{aws}")));
        let config = folder.path().join("galen.toml").to_str().unwrap().to_owned();
        let operator = Galen::with_settings(&settings);
        let rig = Self { folder, operator, config, port, aws, s3: None, witness: None };
        rig.operator.ok(&[
            "init",
            "--config",
            &rig.config,
            "--data-dir",
            rig.data().to_str().unwrap(),
            "--admin",
            "root-admin",
            "--admin-email",
            "admin@example.com",
            "--issuer",
            &rig.web(),
        ]);
        rig
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
    fn web(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
    /// A server whose two edges both answer: they are bound one after the other.
    fn start(&self) -> Server {
        let mut server = self.operator.serve(&self.config, self.port);
        while TcpStream::connect(("127.0.0.1", self.aws)).is_err() {
            assert!(server.child.try_wait().unwrap().is_none(), "the server ended before it was ready");
            std::thread::yield_now();
        }
        server
    }

    /// People, groups, a role, a dataset and a grant, made as people make them; then credentials.
    fn furnish(&mut self) {
        let secret = self.folder.path().join("root-admin-password");
        self.operator.login_at(&self.web(), "root-admin", fs::read_to_string(secret).unwrap().trim());
        let password = self.folder.path().join("olivia-password");
        fs::write(&password, "plenty of words for olivia 7").unwrap();
        let lines = [
            "group create crash-owners".to_owned(),
            "group create crash-writers".to_owned(),
            format!(
                "person create --username olivia --name Olivia --email olivia@example.com --password-file {}",
                password.display()
            ),
            "membership create --person olivia --group crash-owners".to_owned(),
            "membership create --person olivia --group crash-writers".to_owned(),
            "membership create --person olivia --group data-owners".to_owned(),
            "domain create crash --owner crash-owners".to_owned(),
        ];
        for line in &lines {
            self.operator.ok(&line.split(' ').collect::<Vec<_>>());
        }
        let role =
            self.operator.ok(&["--output", "json", "role", "create", "crash-writer", "--group", "crash-writers"]);
        let role: Value = serde_json::from_str(&role).unwrap();
        let olivia = Galen::new();
        olivia.login_at(&self.web(), "olivia", "plenty of words for olivia 7");
        let dataset = ["dataset", "create", "--domain", "crash", "--owner", "crash-owners"];
        olivia.ok(&[&dataset[..], &["crash", "--bucket", BUCKET]].concat());
        let grant = ["grant", "create", "--dataset", "crash", "--group", "crash-writers", "--level", "write"];
        olivia.ok(&[&grant[..], &["--purpose", "surviving"]].concat());
        let credentials = olivia.ok(&["creds", "--role", role["arn"].as_str().unwrap(), "--format", "json"]);
        self.s3 = Some(S3::new(serde_json::from_str(&credentials).unwrap()));
    }

    fn client<'a>(&self, events: Option<&'a Sender<()>>) -> Client<'a> {
        Client { s3: self.s3.as_ref().unwrap().again(), events, known: Known::default() }
    }

    /// Load from all clients until the server is killed, at a moment that `random` chooses.
    fn load_and_kill(&self, server: Server, round: u64, random: &mut Random) -> Known {
        let (events, heard) = channel();
        let killed = AtomicBool::new(false);
        let mut known = Known::default();
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|number| {
                    let (events, killed, mut random) = (events.clone(), &killed, Random(random.next()));
                    scope.spawn(move || {
                        let mut client = self.client(Some(&events));
                        let own = format!("r{round}/c{number}/");
                        for n in 0.. {
                            if let Err(error) = client.step(&own, n, &mut random) {
                                assert!(killed.load(Ordering::SeqCst), "the server failed before the kill: {error}");
                                break;
                            }
                        }
                        client.known
                    })
                })
                .collect();
            drop(events);
            // An event is a request that begins or an answer that arrived, so the kill meets both.
            for _ in 0..60 + random.below(300) {
                heard.recv().expect("every client ended before the kill");
            }
            for _ in 0..random.below(20_000) {
                std::hint::spin_loop();
            }
            killed.store(true, Ordering::SeqCst);
            kill(server);
            for client in clients {
                known.add(client.join().unwrap());
            }
        });
        known
    }

    /// The ledger and the store, as anybody can check them without the server.
    fn verify(&mut self) -> Value {
        let mut words = vec!["--output", "json", "ledger", "verify", "--config", &self.config];
        if let Some(witness) = &self.witness {
            words.extend(["--witness", witness.to_str().unwrap()]);
        }
        let report = self.operator.ok(&words);
        self.operator.ok(&["state", "verify", "--config", &self.config]);
        // The next look must find a log that continues this one.
        let checkpoint = self.data().join("ledger/checkpoint");
        if checkpoint.exists() {
            let witness = self.folder.path().join("witness");
            fs::copy(checkpoint, &witness).unwrap();
            self.witness = Some(witness);
        }
        serde_json::from_str(&report).unwrap()
    }

    /// Reads back what was acknowledged, and what may be there: whole or not at all, and nothing else is listed.
    fn read_back(&self, prefix: &str, known: &mut Known) {
        let mut client = self.client(None);
        let doubtful = |key: &str| known.doubtful.iter().find(|(of, _)| of == key).map(|(_, content)| *content);
        let keys: BTreeSet<&String> = known.stored.keys().chain(known.doubtful.iter().map(|(key, _)| key)).collect();
        let mut there = BTreeMap::new();
        for key in keys {
            let answer = client.ask("GetObject", key, false, |s3| s3.get(BUCKET, key, None)).unwrap();
            let may: Vec<Content> = known.stored.get(key).copied().into_iter().chain(doubtful(key)).collect();
            if answer.status == 404 && !known.stored.contains_key(key) {
                continue;
            }
            assert_eq!(answer.status, 200, "GET {key} after the kill: {}", text(answer.body));
            let body = answer.body.unwrap();
            let found = may.iter().find(|content| content.bytes() == body);
            let found = found.unwrap_or_else(|| panic!("{key} is neither what was stored nor what was being stored"));
            there.insert(key.clone(), *found);
        }
        let listed = client.s3.list(BUCKET, prefix).unwrap();
        assert_eq!(listed.status, 200, "{}", text(listed.body));
        let expected = there.iter().map(|(key, content)| (key.clone(), content.len)).collect::<Vec<_>>();
        assert_eq!(keys_and_sizes(&text(listed.body)), expected, "the list of {prefix}");
        // What is there now stays.
        known.stored = there;
        known.doubtful.clear();
        known.done.extend(client.known.done);
    }

    /// Reads every object of every round.
    fn read_all(&self, stored: &BTreeMap<String, Content>) -> Vec<Done> {
        let mut client = self.client(None);
        for (key, content) in stored {
            client.get(key, *content).unwrap();
        }
        client.known.done
    }

    /// Each acknowledged access has an intent of its own, or lies in the window of one.
    fn covered(&self, known: &Known) {
        let ledger = Recorded::read(&self.data().join("ledger"));
        for done in &known.done {
            assert!(ledger.covers(done), "{} {} was acknowledged and is not in the ledger", done.name, done.request);
        }
        for key in known.stored.keys() {
            assert!(ledger.writes.contains(&arn(key)), "{key} is visible and no intent to write it is in the ledger");
        }
    }
}

fn kill(mut server: Server) {
    assert!(server.child.try_wait().unwrap().is_none(), "the server ended by itself");
    server.child.kill().unwrap();
    server.child.wait().unwrap();
}

fn arn(key: &str) -> String {
    format!("arn:aws:s3:::{BUCKET}/{key}")
}

/// Key and size of each object of a list, in its order.
fn keys_and_sizes(xml: &str) -> Vec<(String, usize)> {
    let inner = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>")).unwrap();
        rest.split_once(&format!("</{name}>")).unwrap().0.to_owned()
    };
    assert!(xml.contains("<IsTruncated>false</IsTruncated>"), "{xml}");
    let rows = xml.split("<Contents>").skip(1);
    rows.map(|row| (inner(row, "Key"), inner(row, "Size").parse().unwrap())).collect()
}

/// What the ledger says about accesses.
#[derive(Default)]
struct Recorded {
    /// Operation and object of each intent, by request.
    intents: HashMap<String, (String, String)>,
    /// From when until when ranges of an object are covered.
    windows: HashMap<String, Vec<(Timestamp, Timestamp)>>,
    /// Objects that somebody began to write.
    writes: BTreeSet<String>,
}

impl Recorded {
    fn read(folder: &Path) -> Self {
        let keys = fs::read_to_string(folder.join(ledger::layout::LOG_KEY)).unwrap();
        let keys: Vec<LogKey> = keys.lines().map(|line| line.parse().unwrap()).collect();
        let mut recorded = Self::default();
        let mut see = |_: u64, bytes: &[u8]| recorded.see(&Entry::decode(bytes).unwrap());
        Verifier::new(keys).verify_each(&DiskFiles::new(folder), &mut see).unwrap();
        recorded
    }

    fn see(&mut self, entry: &Entry) {
        if entry.phase != Phase::Intent {
            return;
        }
        let arn = entry.resources.first().map(|resource| resource.arn.to_string()).unwrap_or_default();
        if let Some(window) = entry.window {
            self.windows.entry(arn.clone()).or_default().push((entry.event_time, window.until));
        }
        if entry.event_name == "PutObject" {
            self.writes.insert(arn.clone());
        }
        if let Some(request) = entry.request_id {
            self.intents.insert(request.to_string(), (entry.event_name.clone(), arn));
        }
    }

    fn covers(&self, done: &Done) -> bool {
        let arn = arn(&done.key);
        let own = self.intents.get(&done.request).is_some_and(|(name, of)| name == done.name && *of == arn);
        let mut windows = self.windows.get(&arn).into_iter().flatten();
        own || (done.ranged && windows.any(|(from, until)| *from <= done.ended && done.begun < *until))
    }
}

fn survives(mut rig: Rig) {
    let seed = told("GALEN_TEST_CRASH_SEED").map_or_else(|| RandomState::new().hash_one(0), |s| s.parse().unwrap());
    let rounds = told("GALEN_TEST_CRASH_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    println!("GALEN_TEST_CRASH_SEED={seed}");
    let mut random = Random(seed);
    let mut server = rig.start();
    rig.furnish();
    let (mut all, mut read_back) = (Known::default(), Vec::new());
    for round in 1..=rounds {
        let mut known = rig.load_and_kill(server, round, &mut random);
        rig.verify();
        known.done.append(&mut read_back);
        rig.covered(&known);
        server = rig.start();
        let before = known.done.len();
        rig.read_back(&format!("r{round}/"), &mut known);
        // These are not behind a kill yet; the next one comes.
        read_back = known.done.split_off(before);
        all.add(known);
    }
    all.done.append(&mut read_back);
    all.done.extend(rig.read_all(&all.stored));
    server.stop();
    let report = rig.verify();
    assert_eq!(report["open_intents"], 0, "what a kill cut off is closed by the next start");
    rig.covered(&all);
    println!("{} acknowledged accesses and {} objects survived {rounds} kills", all.done.len(), all.stored.len());
}

// verifies: AUD-01
#[test]
fn sqlite_survives_kills_under_load() {
    survives(Rig::new(tempfile::tempdir().unwrap(), &[]));
}

/// A database of its own on the server that the environment names.
#[test]
fn postgres_survives_kills_under_load() {
    let Some(server) = told("GALEN_TEST_POSTGRES_URL") else {
        println!("GALEN_TEST_POSTGRES_URL is not set: PostgreSQL is not tested");
        return;
    };
    let name = format!("galen_app_crash_{}", std::process::id());
    let administer = |statement: &str| {
        postgres::Client::connect(&server, postgres::NoTls).unwrap().batch_execute(statement).unwrap();
    };
    administer(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
    administer(&format!("CREATE DATABASE {name}"));
    let folder = tempfile::tempdir().unwrap();
    let url_file = folder.path().join("postgres-url");
    fs::write(&url_file, format!("{}/{name}\n", server.rsplit_once('/').unwrap().0)).unwrap();
    let set = |key: &str, value: &str| (format!("GALEN__STORE__{key}"), value.to_owned());
    survives(Rig::new(folder, &[set("KIND", "postgres"), set("URL_FILE", url_file.to_str().unwrap())]));
    administer(&format!("DROP DATABASE {name} WITH (FORCE)"));
}
