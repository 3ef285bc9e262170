//! Kills: a real server under load is killed at random moments, started again and looked at, on both stores.
//!
//! What it acknowledged must be there byte for byte, each acknowledged access and change must stand in the ledger, and the
//! ledger and the store must verify, as the kill left them and after the next start.

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    hash::{BuildHasher, RandomState},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::channel,
    },
};

use crate::{
    api::{Governed, Owner},
    load::{Client, Content, Done, Known, Random, inner, text},
    recorded::{Recorded, arn},
    rig::{BUCKET, Database, Rig},
    support::Server,
    told,
};

/// Kills in one run, unless `GALEN_TEST_CRASH_ROUNDS` says how many.
const ROUNDS: u64 = 5;
/// Clients at once: enough that batches of the ledger and of the packs hold entries of several.
const CLIENTS: u64 = 6;

/// The token of olivia's management session, renewed when it is about to end; not under a load that kills the server.
fn token(rig: &Rig) -> String {
    rig.olivia.ok(&["grant", "list"]);
    rig.olivia.session_token()
}

/// Load from all clients until the server is killed, at a moment that `random` chooses.
fn load_and_kill(rig: &Rig, server: Server, round: u64, random: &mut Random, governed: &mut Governed) -> Known {
    let (events, heard) = channel();
    let (killed, s3, token) = (AtomicBool::new(false), rig.s3(), token(rig));
    let stopped = |error: ureq::Error| {
        assert!(killed.load(Ordering::SeqCst), "the server failed before the kill: {error}");
    };
    let mut known = Known::default();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (events, s3, mut random) = (events.clone(), s3.again(), Random(random.next()));
                scope.spawn(move || {
                    let mut client = Client::new(s3, Some(&events));
                    let own = format!("r{round}/c{number}/");
                    if let Some(error) = (0..).find_map(|n| client.step(&own, n, &mut random).err()) {
                        stopped(error);
                    }
                    client.known
                })
            })
            .collect();
        let (owning, mut owners) = (events.clone(), Random(random.next()));
        scope.spawn(move || {
            let owner = Owner::new(rig.web(), token, Some(&owning));
            loop {
                if let Err(error) = owner.step(governed, &mut owners) {
                    return stopped(error);
                }
            }
        });
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

fn kill(mut server: Server) {
    assert!(server.child.try_wait().unwrap().is_none(), "the server ended by itself");
    server.child.kill().unwrap();
    server.child.wait().unwrap();
}

/// Reads back what was acknowledged, and what may be there: whole or not at all, and nothing else is listed. Then
/// finishes the uploads with the parts that were acknowledged.
fn read_back(rig: &Rig, prefix: &str, known: &mut Known) {
    let mut client = Client::new(rig.s3(), None);
    let in_doubt = |key: &str| known.doubtful.iter().find(|(of, _)| of == key).map(|(_, content)| *content);
    let mut keys: BTreeSet<&String> = known.stored.keys().chain(&known.deleted).collect();
    keys.extend(known.doubtful.iter().map(|(key, _)| key));
    let mut there = BTreeMap::new();
    for key in keys {
        let (was, doubt) = (known.stored.get(key).copied(), in_doubt(key));
        let answer = client.ask("GetObject", key, false, |s3| s3.get(BUCKET, key, None)).unwrap();
        if answer.status == 404 && (was.is_none() || doubt == Some(None)) {
            continue;
        }
        assert_eq!(answer.status, 200, "GET {key} after the kill: {}", text(answer.body));
        let body = answer.body.unwrap();
        let mut may = was.into_iter().chain(doubt.flatten());
        let found = may.find(|content| content.bytes() == body);
        there.insert(
            key.clone(),
            found.unwrap_or_else(|| panic!("{key} is neither what was stored nor what was being stored")),
        );
    }
    let listed = client.s3.list(BUCKET, prefix).unwrap();
    assert_eq!(listed.status, 200, "{}", text(listed.body));
    let expected = there.iter().map(|(key, content)| (key.clone(), content.len)).collect::<Vec<_>>();
    assert_eq!(keys_and_sizes(&text(listed.body)), expected, "the list of {prefix}");
    // What is there now stays.
    known.stored = there;
    known.doubtful.clear();
    known.deleted.clear();
    for upload in known.uploads.drain(..) {
        client.known.uploads.push(upload);
        client.finish_upload().unwrap();
    }
    let finished = std::mem::take(&mut client.known.stored);
    known.done.append(&mut client.known.done);
    for (key, content) in finished {
        client.get(&key, content).unwrap();
        known.stored.insert(key, content);
    }
    known.done.append(&mut client.known.done);
}

/// Reads every object of every round.
fn read_all(rig: &Rig, stored: &BTreeMap<String, Content>) -> Vec<Done> {
    let mut client = Client::new(rig.s3(), None);
    for (key, content) in stored {
        client.get(key, *content).unwrap();
    }
    client.known.done
}

/// Each acknowledged access has an intent of its own, or lies in the window of one.
fn covered(rig: &Rig, known: &Known) {
    let ledger = Recorded::read(&rig.data().join("ledger"));
    for done in &known.done {
        assert!(ledger.covers(done), "{} {} was acknowledged and is not in the ledger", done.name, done.request);
    }
    for key in known.stored.keys() {
        assert!(ledger.writes.contains(&arn(key)), "{key} is visible and no intent to write it is in the ledger");
    }
}

/// Each acknowledged change has one entry, each fact stands in exactly one, and no entry names a fact that is not there.
fn told_once(rig: &Rig, governed: &Governed) {
    let ledger = Recorded::read(&rig.data().join("ledger"));
    for (request, name) in &governed.done {
        assert_eq!(ledger.changes.get(request).map(Vec::as_slice), Some(&[(*name).to_owned()][..]), "{request}");
    }
    let file = rig.folder.path().join("facts.jsonl");
    rig.operator.ok(&["state", "export", "--config", &rig.config, "--file", file.to_str().unwrap()]);
    let text = fs::read_to_string(file).unwrap();
    let rows = text.lines().skip(1).map(|line| serde_json::from_str::<Value>(line).unwrap());
    let facts: BTreeMap<_, u32> = rows.filter_map(|row| Some((row.get("id")?.as_str()?.parse().unwrap(), 1))).collect();
    let recorded: BTreeMap<_, u32> = ledger.facts.into_iter().collect();
    assert_eq!(recorded, facts, "facts in the ledger, and in the store");
}

/// Key and size of each object of a list, in its order.
fn keys_and_sizes(xml: &str) -> Vec<(String, usize)> {
    assert!(xml.contains("<IsTruncated>false</IsTruncated>"), "{xml}");
    let rows = xml.split("<Contents>").skip(1);
    rows.map(|row| (inner(row, "Key"), inner(row, "Size").parse().unwrap())).collect()
}

fn survives(mut rig: Rig) {
    let seed = told("GALEN_TEST_CRASH_SEED").map_or_else(|| RandomState::new().hash_one(0), |s| s.parse().unwrap());
    let rounds = told("GALEN_TEST_CRASH_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    println!("GALEN_TEST_CRASH_SEED={seed}");
    let mut random = Random(seed);
    let mut server = rig.start();
    rig.furnish();
    let (mut all, mut known_reads, mut governed) = (Known::default(), Vec::new(), Governed::default());
    for round in 1..=rounds {
        let mut known = load_and_kill(&rig, server, round, &mut random, &mut governed);
        rig.verify();
        known.done.append(&mut known_reads);
        covered(&rig, &known);
        server = rig.start();
        let before = known.done.len();
        read_back(&rig, &format!("r{round}/"), &mut known);
        Owner::new(rig.web(), token(&rig), None).look(&mut governed);
        // These are not behind a kill yet; the next one comes.
        known_reads = known.done.split_off(before);
        all.add(known);
    }
    all.done.append(&mut known_reads);
    all.done.extend(read_all(&rig, &all.stored));
    server.stop();
    let report = rig.verify();
    assert_eq!(report["open_intents"], 0, "what a kill cut off is closed by the next start");
    covered(&rig, &all);
    told_once(&rig, &governed);
    println!(
        "{} acknowledged accesses, {} changes and {} objects survived {rounds} kills",
        all.done.len(),
        governed.done.len(),
        all.stored.len()
    );
}

// verifies: AUD-01
#[test]
fn sqlite_survives_kills_under_load() {
    survives(Rig::new(tempfile::tempdir().unwrap(), &[]));
}

#[test]
fn postgres_survives_kills_under_load() {
    let Some(database) = Database::new("crash") else { return };
    survives(Rig::new(tempfile::tempdir().unwrap(), &database.settings));
    database.remove();
}
