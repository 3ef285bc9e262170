//! Verdicts at their edges, and one examination of a real store.

use super::*;
use base::{Clock, NodeId};
use std::sync::Arc;
use std::time::Duration;
use store::Options;

struct Still(Timestamp);
impl Clock for Still {
    fn now(&self) -> Timestamp {
        self.0
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}
struct Zeros;
impl base::Entropy for Zeros {
    fn fill(&self, out: &mut [u8]) {
        out.fill(0);
    }
}

fn at(second: i64) -> Effects {
    let clock = Arc::new(Still(Timestamp::from_second(second).unwrap()));
    Effects { clock, entropy: Arc::new(Zeros) }
}

fn token(software: bool) -> TokenInfo {
    TokenInfo {
        name: "software token".into(),
        software,
        fips: false,
        keys: "/keys".into(),
        seal: "machine secret /secret".into(),
        backup: "copy /keys and /secret".into(),
    }
}

#[test]
fn a_software_token_is_always_shouted_about() {
    let checks = keys(&token(true));
    assert_eq!(checks[0].verdict, Verdict::Warning);
    assert!(checks[0].advice.contains("not offered yet"), "it advises nothing that cannot be done");
    assert!(checks[0].seen.contains("KEYS ARE IN SOFTWARE"));
    assert!(checks[1].seen.contains("/secret") && checks[1].advice.contains("copy"));
    assert_eq!(keys(&token(false))[0].verdict, Verdict::Ok);
}

#[test]
fn disk_and_ledger_have_edges() {
    let gib = 1 << 30;
    let disk = |free, total| disk_verdict("/d".into(), free, total).verdict;
    assert_eq!(disk(50 * gib, 100 * gib), Verdict::Ok);
    assert_eq!(disk(9 * gib, 100 * gib), Verdict::Warning);
    assert_eq!(disk(4 * gib, 100 * gib), Verdict::Failure);
    assert_eq!(disk(gib / 8, gib / 4), Verdict::Failure);
    assert_eq!(disk(0, 0), Verdict::Failure);
    let room = |free, reserve| ledger_verdict(Path::new("/d/ledger"), free, reserve).verdict;
    assert_eq!([room(gib, true), room(gib, false)], [Verdict::Ok, Verdict::Warning]);
    assert_eq!([room(gib - 1, true), room(FULL_SPACE_BYTES - 1, true)], [Verdict::Warning, Verdict::Failure]);
    assert!(ledger_verdict(Path::new("/d/ledger"), gib, true).seen.contains(" stops at 128 MiB"));
    assert_eq!(ledger(Path::new("/no/such/folder")).verdict, Verdict::Failure);
}

// verifies: DAT-02
#[test]
fn a_clock_behind_the_records_is_a_failure() {
    let at = |secs| Timestamp::from_second(secs).unwrap();
    assert_eq!(clock_verdict(at(100), at(95)).verdict, Verdict::Ok);
    assert_eq!(clock_verdict(at(100), at(94)).verdict, Verdict::Failure);
}

// verifies: SEC-01
#[tokio::test]
async fn an_examination_names_every_check_once() {
    let dir = tempfile::tempdir().unwrap();
    let effects = at(1_790_000_000);
    let node = NodeId::from_uuid(uuid::Uuid::from_bytes([1; 16]));
    let options = Options::sqlite(dir.path().join("db"), "eu-north-1".parse().unwrap(), node, effects.clone());
    let store = Store::open(options).unwrap();
    let (data_dir, ledger) = (dir.path(), dir.path());
    let edge = |name| EdgeTls { name, cert: dir.path(), key: dir.path() };
    let tls = &[edge("TLS of the web edge"), edge("TLS of the AWS edge")];
    let patient = |state, token| Patient {
        name: Ok(()),
        state,
        token,
        data_dir,
        ledger,
        tls,
        second_approval: true,
        effects: &effects,
    };
    let names = |it: &Examination| it.checks.iter().map(|check| check.name).collect::<Vec<_>>();
    let state = State { store, ownerless: Vec::new(), administrators: 2 };
    let examination = examine(patient(Ok(state), Ok(token(true)))).await;
    let expected = [
        "installation",
        "key token",
        "key seal",
        "cryptographic module",
        "store",
        "clock",
        "administrators",
        "services",
        "data folder",
        "disk",
        "approvals",
        "ledger",
        "TLS of the web edge",
        "TLS of the AWS edge",
    ];
    assert_eq!(names(&examination), expected);
    assert!(examination.verdict >= Verdict::Warning);
    assert!(serde_json::to_string(&examination).unwrap().contains("\"verdict\""));
    // What cannot be opened is a check that failed, and the others are made.
    let examination = examine(patient(Err("no answer from db:5432".into()), Err("no machine secret".into()))).await;
    let left = ["key seal", "cryptographic module", "administrators", "services"];
    let expected: Vec<_> = expected.into_iter().filter(|name| !left.contains(name)).collect();
    assert_eq!(names(&examination), expected);
    for (name, seen) in [("store", "no answer from db:5432"), ("key token", "no machine secret")] {
        let check = examination.checks.iter().find(|check| check.name == name).unwrap();
        assert!(check.verdict == Verdict::Failure && check.seen == seen && !check.advice.is_empty(), "{check:?}");
    }
}

#[test]
fn a_service_without_anybody_who_answers_for_it_is_warned_of() {
    let check = services(&["crawler".to_owned(), "etl".to_owned()]);
    assert_eq!((services(&[]).verdict, check.verdict), (Verdict::Ok, Verdict::Warning));
    assert!(check.seen.ends_with("answers for: crawler, etl"), "{}", check.seen);
}

#[test]
fn an_installation_of_one_administrator_is_warned_of() {
    assert_eq!((approvals(true).verdict, approvals(false).verdict), (Verdict::Ok, Verdict::Warning));
    assert_eq!(
        [0, 1, 2].map(|active| administrators(active).verdict),
        [Verdict::Warning, Verdict::Warning, Verdict::Ok]
    );
}
