//! Certificates at their edges: good, soon over, over, not yet good, beside another key, and files that are none.

use super::*;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use std::{fs, path::PathBuf};
use tempfile::TempDir;

struct Files {
    folder: TempDir,
}

impl Files {
    /// A certificate from 1 January to 31 December of 2026, and its key.
    fn new() -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        let mut params = CertificateParams::new(vec!["galen.example.com".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2026, 12, 31));
        let key = KeyPair::generate().unwrap();
        fs::write(files.path("cert"), params.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(files.path("key"), key.serialize_pem()).unwrap();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn check(&self, (cert, key): (&str, &str), now: &str) -> Check {
        let (cert, key) = (self.path(cert), self.path(key));
        let edge = EdgeTls { name: "TLS of the web edge", cert: &cert, key: &key };
        super::check(&edge, format!("{now}T00:00:00Z").parse().unwrap())
    }
}

#[test]
fn a_certificate_is_shouted_about_before_it_ends() {
    let files = Files::new();
    for (now, verdict, seen) in [
        ("2026-01-01", Verdict::Ok, "is good for 364 days, until 2026-12-31T00:00:00Z"),
        ("2026-12-01", Verdict::Ok, "is good for 30 days"),
        ("2026-12-02", Verdict::Warning, "EXPIRES IN 29 DAYS"),
        ("2026-12-30", Verdict::Warning, "EXPIRES IN 1 DAY:"),
        ("2026-12-31", Verdict::Failure, "HAS EXPIRED"),
        ("2027-12-31", Verdict::Failure, "HAS EXPIRED"),
        ("2025-12-31", Verdict::Failure, "NOT YET VALID"),
    ] {
        let check = files.check(("cert", "key"), now);
        assert!(check.verdict == verdict && check.seen.contains(seen), "{now}: {check:?}");
        assert_eq!(check.advice.is_empty(), verdict == Verdict::Ok, "{check:?}");
        assert!(!check.seen.contains("EXPIRE") || check.advice.contains("SIGHUP"), "no restart is needed: {check:?}");
    }
}

#[test]
fn a_chain_ends_with_its_first_end() {
    let files = Files::new();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    // After 2049 a time has another form (RFC 5280, section 4.1.2.5).
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2051, 1, 1));
    let issuer = params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    let own = fs::read_to_string(files.path("cert")).unwrap();
    fs::write(files.path("chain"), own + &issuer).unwrap();
    assert!(files.check(("chain", "key"), "2026-06-01").seen.contains("until 2026-12-31T00:00:00Z"));
    let long = validity(&CertificateDer::from_pem_slice(issuer.as_bytes()).unwrap()).unwrap();
    assert_eq!(long.to, "2051-01-01T00:00:00Z".parse().unwrap());
}

#[test]
fn what_the_server_would_not_start_with_is_a_failure() {
    let (files, other) = (Files::new(), Files::new());
    fs::copy(other.path("key"), files.path("other")).unwrap();
    fs::write(files.path("empty"), "").unwrap();
    fs::write(files.path("torn"), "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n").unwrap();
    for (pair, seen) in [
        (("cert", "other"), "THE KEY DOES NOT BELONG"),
        (("empty", "key"), "it holds no certificate"),
        (("torn", "key"), "torn`: "),
        (("cert", "cert"), "cert`: "),
        (("absent", "key"), "absent`: "),
    ] {
        let check = files.check(pair, "2026-06-01");
        assert!(check.verdict == Verdict::Failure && check.seen.contains(seen), "{pair:?}: {check:?}");
        assert!(!check.advice.is_empty() && !check.seen.contains("BEGIN"), "{check:?}");
    }
}
