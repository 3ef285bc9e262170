//! A certificate that is read again.

use super::*;
use rcgen::CertifiedKey as Made;

fn made(dir: &Path, name: &str) -> Made<rcgen::KeyPair> {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    std::fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made
}

#[test]
fn a_certificate_is_read_again_and_a_broken_pair_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let first = made(dir.path(), "first.example");
    let certificate = Certificate::read(&dir.path().join("cert.pem"), &dir.path().join("key.pem")).unwrap();
    let reload = || certificate.read_again().map(|new| certificate.replace(new));
    let shown = || certificate.current.read().unwrap().cert.first().unwrap().clone();
    assert_eq!(shown(), *first.cert.der());
    let second = made(dir.path(), "second.example");
    assert_eq!(shown(), *first.cert.der(), "only when somebody asks");
    reload().unwrap();
    assert_eq!(shown(), *second.cert.der());
    let third = made(dir.path(), "third.example");
    std::fs::write(dir.path().join("cert.pem"), first.cert.pem()).unwrap();
    assert!(format!("{:#}", reload().unwrap_err()).contains("does not fit the certificate"));
    for broken in ["", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", "no PEM"] {
        std::fs::write(dir.path().join("cert.pem"), broken).unwrap();
        reload().unwrap_err();
    }
    std::fs::remove_file(dir.path().join("key.pem")).unwrap();
    reload().unwrap_err();
    assert_eq!(shown(), *second.cert.der(), "the old one stays");
    std::fs::write(dir.path().join("cert.pem"), third.cert.pem()).unwrap();
    std::fs::write(dir.path().join("key.pem"), third.signing_key.serialize_pem()).unwrap();
    reload().unwrap();
    assert_eq!(shown(), *third.cert.der());
}
