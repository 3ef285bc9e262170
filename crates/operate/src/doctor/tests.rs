//! Verdicts at their edges, and one examination of a real store.

use super::*;
use base::{Clock, NodeId};
use std::sync::Arc;
use std::time::Duration;
use store::Options;

struct Still;
impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_790_000_000).unwrap()
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
    let effects = Effects { clock: Arc::new(Still), entropy: Arc::new(Zeros) };
    let node = NodeId::from_uuid(uuid::Uuid::from_bytes([1; 16]));
    let options = Options::sqlite(dir.path().join("db"), "eu-north-1".parse().unwrap(), node, effects.clone());
    let store = Store::open(options).unwrap();
    let (data_dir, ledger) = (dir.path(), dir.path());
    let edge = |name| EdgeTls { name, cert: dir.path(), key: dir.path() };
    let tls = &[edge("TLS of the web edge"), edge("TLS of the AWS edge")];
    let token = token(true);
    let patient = Patient {
        store: &store,
        token,
        data_dir,
        ledger,
        tls,
        second_approval: true,
        ownerless: &[],
        effects: &effects,
    };
    let examination = examine(patient).await;
    let names: Vec<_> = examination.checks.iter().map(|check| check.name).collect();
    let expected = [
        "key token",
        "key seal",
        "cryptographic module",
        "store",
        "clock",
        "data folder",
        "disk",
        "approvals",
        "services",
        "ledger",
        "TLS of the web edge",
        "TLS of the AWS edge",
    ];
    assert_eq!(names, expected);
    assert!(examination.verdict >= Verdict::Warning);
    assert!(serde_json::to_string(&examination).unwrap().contains("\"verdict\""));
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
}
