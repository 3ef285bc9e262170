//! What an operator does with an installation: making it, and finding what is wrong with it.

use serde_json::Value;
use std::path::Path;

use crate::support::{self, Demo, Galen};

#[test]
fn init_that_is_refused_makes_nothing_and_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let galen = Galen::new();
    let init = |email: &str| {
        let (config, data) = (path("galen.toml"), path("data"));
        galen.run(&["init", "--config", &config, "--data-dir", &data, "--admin", "root", "--admin-email", email])
    };
    assert_eq!(init("no-address").status.code(), Some(1));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    std::fs::write(path("root-password"), "of another installation").unwrap();
    let refused = init("root@example.com");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("would be overwritten"), "{refused:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    std::fs::remove_file(path("root-password")).unwrap();
    // Nor does one that a variable spoils: the same command is given again.
    for (name, value) in [("STORE__KIND", "postgres"), ("WEB__LISTEN", "nowhere"), ("CUSTODY__SEAL", "passphrase")] {
        let spoilt = Galen::with_settings(&[(format!("GALEN__{name}"), value.to_owned())]);
        let refused = spoilt.run(&[
            "init",
            "--config",
            &path("galen.toml"),
            "--data-dir",
            &path("data"),
            "--admin",
            "root",
            "--admin-email",
            "root@example.com",
        ]);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{name}");
    }
}

/// An installation whose keys a passphrase seals, as variables said at `galen init`; the address of its web edge.
fn sealed(folder: &Path) -> String {
    std::fs::write(folder.join("passphrase"), "known to the operator alone").unwrap();
    let settings = [("SEAL", "passphrase"), ("PASSPHRASE_FILE", "passphrase")]
        .map(|(key, value)| (format!("GALEN__CUSTODY__{key}"), value.to_owned()));
    let issuer = format!("http://127.0.0.1:{}", support::free_port());
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    Galen::with_settings(&settings).ok(&[
        "init",
        "--config",
        &path("galen.toml"),
        "--data-dir",
        &path("data"),
        "--issuer",
        &issuer,
        "--admin",
        "root",
        "--admin-email",
        "root@example.com",
    ]);
    issuer
}

#[test]
fn what_variables_said_at_init_stays_without_them() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = sealed(folder.path());
    let config = folder.path().join("galen.toml");
    let galen = Galen::new();
    let config = ["--config", config.to_str().unwrap()];
    galen.ok(&[&["config", "check"][..], &config].concat());
    galen.ok(&[&["ledger", "verify"][..], &config].concat());
    let server = galen.serve(config[1], issuer.rsplit(':').next().unwrap().parse().unwrap());
    server.stop();
}

/// What `galen doctor` found, by the names of its checks.
fn examined(config: &[&str; 2]) -> Vec<(String, Value)> {
    let done = Galen::new().run(&[&["doctor", "--output", "json"][..], config].concat());
    let report: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("no report: {done:?}"));
    let checks = report["checks"].as_array().unwrap().iter();
    checks.map(|check| (check["name"].as_str().unwrap().to_owned(), check.clone())).collect()
}

#[test]
fn the_doctor_goes_on_where_a_part_does_not_open() {
    let folder = tempfile::tempdir().unwrap();
    sealed(folder.path());
    let config = folder.path().join("galen.toml");
    let config = ["--config", config.to_str().unwrap()];
    let of = |name: &str| examined(&config).into_iter().find(|(it, _)| it == name).unwrap().1;
    assert_eq!([of("store")["verdict"].clone(), of("administrators")["verdict"].clone()], ["ok", "warning"]);
    std::fs::write(folder.path().join("passphrase"), "a wrong one, of another place").unwrap();
    std::fs::rename(folder.path().join("data/store"), folder.path().join("elsewhere")).unwrap();
    for name in ["key token", "store"] {
        let check = of(name);
        assert!(check["verdict"] == "failure" && !check["advice"].as_str().unwrap().is_empty(), "{check}");
    }
    for name in ["clock", "data folder", "approvals", "installation"] {
        assert_ne!(of(name)["verdict"], "failure", "{name}");
    }
    // How they come out is this machine's affair.
    assert!([of("disk"), of("ledger")].iter().all(|check| check["seen"].as_str().unwrap().contains(" MiB ")));
}

#[test]
fn an_issuer_that_changed_is_named_as_the_cause() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = sealed(folder.path());
    let config = folder.path().join("galen.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace(&format!("issuer = \"{issuer}"), "issuer = \"https://new.example.com"))
        .unwrap();
    let config = ["--config", config.to_str().unwrap()];
    let made = issuer.split("//").nth(1).unwrap();
    let cause = format!("`issuer` is `https://new.example.com`, this installation was made with `{made}`: set it back");
    for command in [&["serve"][..], &["config", "check"], &["ledger", "verify"]] {
        let refused = Galen::new().run(&[command, &config].concat());
        assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains(&cause), "{refused:?}");
    }
    let found = examined(&config);
    assert!(found.iter().any(|(name, check)| name == "installation" && check["seen"] == cause.as_str()), "{found:?}");
}

#[test]
fn a_key_of_another_certificate_is_found_by_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let made = |name: &str| rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let (one, other) = (made("127.0.0.1"), made("127.0.0.1"));
    std::fs::write(&cert, one.cert.pem()).unwrap();
    sealed(folder.path());
    let config = folder.path().join("galen.toml");
    let files = [("CERT", &cert), ("KEY", &key)]
        .map(|(name, file)| (format!("GALEN__WEB__TLS_{name}_FILE"), file.to_str().unwrap().to_owned()));
    let galen = Galen::with_settings(&files);
    let check = || galen.run(&["config", "check", "--config", config.to_str().unwrap()]);
    std::fs::write(&key, one.signing_key.serialize_pem()).unwrap();
    assert!(check().status.success());
    std::fs::write(&key, other.signing_key.serialize_pem()).unwrap();
    let refused = check();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("does not fit the certificate"), "{refused:?}");
}

#[test]
fn a_sign_in_at_another_address_is_told_the_right_one() {
    let demo = Demo::start();
    let galen = Galen::new();
    let other = demo.web().replace("127.0.0.1", "localhost");
    let refused =
        galen.run(&["login", "--endpoint", &other, "--user", "anna", "--password-file", "/dev/null", "--no-browser"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains(&format!("use --endpoint {}", demo.web())), "{said}");
    demo.stop();
}
