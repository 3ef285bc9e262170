//! The software token keeps the contract, refuses wrong seals and altered files, and survives reopening.

use crate::{Error, KeyRef, Purpose, Seal, SoftwareToken, SoftwareTokenOptions, Token, conformance};
use base::{Clock, Effects, Secret};
use crypto::{Crypto, SystemEntropy};
use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

mod keyring;

struct Ticking(AtomicI64);
impl Clock for Ticking {
    fn now(&self) -> base::Timestamp {
        base::Timestamp::from_millisecond(1_790_000_000_000 + self.0.fetch_add(1, Ordering::Relaxed)).unwrap()
    }
    fn monotonic(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.load(Ordering::Relaxed)).unwrap())
    }
}

fn effects() -> Effects {
    Effects { clock: Arc::new(Ticking(AtomicI64::new(0))), entropy: Arc::new(SystemEntropy) }
}

fn machine(dir: &Path) -> SoftwareTokenOptions {
    let seal = Seal::MachineSecret { file: dir.join("secret/machine") };
    SoftwareTokenOptions { dir: dir.join("keys"), seal, effects: effects(), crypto: Crypto::default() }
}

fn phrase(dir: &Path, text: &str) -> SoftwareTokenOptions {
    SoftwareTokenOptions { seal: Seal::Passphrase(Secret::new(text.to_owned())), ..machine(dir) }
}

fn refusal(result: Result<SoftwareToken, Error>) -> String {
    result.err().unwrap().to_string()
}

fn key_file(dir: &Path, key: &KeyRef) -> std::path::PathBuf {
    dir.join(format!("keys/{}.key", key.id))
}

#[test]
fn the_software_token_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let token = SoftwareToken::init(machine(dir.path())).unwrap();
    conformance::suite(&token).unwrap();
    assert!(token.describe().software);
}

#[test]
fn keys_survive_reopening_and_other_processes_see_rotations() {
    let dir = tempfile::tempdir().unwrap();
    let one = SoftwareToken::init(machine(dir.path())).unwrap();
    let key = one.generate(Purpose::DatasetWrap, "d1").unwrap();
    let wrapped = one.wrap(&key, b"secret", b"").unwrap();
    let two = SoftwareToken::open(machine(dir.path())).unwrap();
    assert_eq!(two.unwrap(&key, &wrapped, b"").unwrap().expose(), b"secret");
    let newer = one.rotate(key.id).unwrap();
    let wrapped = one.wrap(&newer, b"later", b"").unwrap();
    assert_eq!(two.unwrap(&newer, &wrapped, b"").unwrap().expose(), b"later");
    let other = one.generate(Purpose::DatasetWrap, "d2").unwrap();
    assert_eq!(two.find(Purpose::DatasetWrap, "d2").unwrap(), Some(other));
}

#[test]
fn another_machine_secret_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(SoftwareToken::init(machine(dir.path())).unwrap());
    let secret = dir.path().join("secret/machine");
    assert_eq!(std::fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::write(&secret, "another").unwrap();
    assert!(refusal(SoftwareToken::open(machine(dir.path()))).contains("does not open with this machine secret"));
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refusal(SoftwareToken::open(machine(dir.path()))).contains("set it to 600"));
}

#[test]
fn a_passphrase_seals_too() {
    let dir = tempfile::tempdir().unwrap();
    assert!(refusal(SoftwareToken::init(phrase(dir.path(), "short"))).contains("at least 12"));
    drop(SoftwareToken::init(phrase(dir.path(), "correct horse battery")).unwrap());
    SoftwareToken::open(phrase(dir.path(), "correct horse battery")).unwrap();
    assert!(refusal(SoftwareToken::open(phrase(dir.path(), "correct horse buttery"))).contains("this passphrase"));
    assert!(refusal(SoftwareToken::open(machine(dir.path()))).contains("sealed by a passphrase"));
    assert!(refusal(SoftwareToken::init(machine(dir.path()))).contains("never overwritten"));
}

#[test]
fn an_altered_key_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let token = SoftwareToken::init(machine(dir.path())).unwrap();
    let key = token.generate(Purpose::Edge, "one").unwrap();
    drop(token);
    let file = key_file(dir.path(), &key);
    let sound = std::fs::read_to_string(&file).unwrap();
    // Another purpose or label for the same material is an alteration like any other.
    for altered in [sound.replace("\"edge\"", "\"session-seal\""), sound.replace("\"one\"", "\"two\"")] {
        assert_ne!(altered, sound);
        std::fs::write(&file, altered).unwrap();
        assert!(refusal(SoftwareToken::open(machine(dir.path()))).contains(&key.id.to_string()));
    }
    std::fs::write(&file, sound.replace("\"format\": 1", "\"format\": 9")).unwrap();
    assert!(refusal(SoftwareToken::open(machine(dir.path()))).contains("newer release"));
    std::fs::write(&file, "{").unwrap();
    assert!(refusal(SoftwareToken::open(machine(dir.path()))).contains("restore it from the backup"));
    std::fs::write(&file, sound).unwrap();
    SoftwareToken::open(machine(dir.path())).unwrap();
}

#[test]
fn a_destroyed_version_stays_destroyed() {
    let dir = tempfile::tempdir().unwrap();
    let token = SoftwareToken::init(machine(dir.path())).unwrap();
    let key = token.generate(Purpose::SubjectWrap, "s").unwrap();
    let wrapped = token.wrap(&key, b"x", b"").unwrap();
    token.destroy(&key).unwrap();
    assert!(!std::fs::read_to_string(key_file(dir.path(), &key)).unwrap().contains("AAAA"));
    let token = SoftwareToken::open(machine(dir.path())).unwrap();
    assert!(matches!(token.unwrap(&key, &wrapped, b""), Err(Error::Destroyed { .. })));
}

#[test]
fn a_key_reference_has_one_spelling() {
    let key: KeyRef = "0192f0c1-7a5e-7cc0-8000-0123456789ab.12".parse().unwrap();
    assert_eq!(key.to_string().parse::<KeyRef>().unwrap(), key);
    for bad in ["", "0192f0c1-7a5e-7cc0-8000-0123456789ab", "0192f0c1-7a5e-7cc0-8000-0123456789ab.01", "x.1"] {
        assert!(bad.parse::<KeyRef>().is_err(), "{bad}");
    }
}
