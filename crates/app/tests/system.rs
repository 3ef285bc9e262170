//! The whole program as a user runs it: the demonstration, the command line, restarts, kills. One binary, real processes.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets what it does not expect fails there"
)]

#[path = "system/api.rs"]
mod api;
#[path = "system/lists.rs"]
mod lists;
#[path = "system/operator.rs"]
mod operator;
#[path = "system/record.rs"]
mod record;
#[path = "system/s3.rs"]
#[expect(dead_code, clippy::expect_used, reason = "the tests of durability use all of it, and fail loudly")]
mod s3;
#[path = "system/security.rs"]
mod security;
#[path = "system/services.rs"]
mod services;
#[path = "system/support.rs"]
mod support;
#[path = "system/why.rs"]
mod why;

use serde_json::{Value, json};
use support::{Demo, Galen};

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn the_ready_line_keeps_its_contract() {
    let demo = Demo::start();
    let ready = &demo.ready;
    assert_eq!(ready["ready"], true);
    assert_eq!(ready["issuer"], ready["web"]);
    for key in ["web", "aws", "region"] {
        assert!(ready[key].is_string(), "{key}");
    }
    assert!(ready["admin"]["password"].is_string());
    let roles = ready["roles"].as_array().unwrap();
    let people = ready["people"].as_array().unwrap();
    let entitling: Vec<&str> = roles.iter().flat_map(|role| strings(&role["groups"])).collect();
    assert!(
        people.iter().any(|p| !strings(&p["groups"]).iter().any(|g| entitling.contains(g))),
        "somebody has no role"
    );
    let granted: Vec<&str> = roles.iter().flat_map(|role| strings(&role["datasets"])).collect();
    let datasets = ready["datasets"].as_array().unwrap();
    assert!(
        datasets.iter().any(|d| !granted.contains(&d["id"].as_str().unwrap())),
        "some dataset is granted to nobody"
    );
    for dataset in datasets {
        assert!(people.iter().any(|p| p["username"] == dataset["owner"]), "{dataset}");
    }
    demo.stop();
}

/// An SDK with many workers starts as many of us at once. A session for each would go on living, and stand in the ledger.
#[test]
fn many_who_ask_for_credentials_at_once_share_one_session() {
    let demo = Demo::start();
    let anna = demo.person("anna");
    let galen = Galen::new();
    galen.login(&demo, anna);
    let role = demo.role_of(anna)["arn"].as_str().unwrap().to_owned();
    let got: Vec<String> = std::thread::scope(|scope| {
        let asks: Vec<_> =
            (0..8).map(|_| scope.spawn(|| galen.ok(&["creds", "--role", &role, "--format", "json"]))).collect();
        asks.into_iter().map(|ask| ask.join().unwrap()).collect()
    });
    assert!(got.iter().all(|one| *one == got[0]), "one session for all of them");
}

// verifies: AUD-07, IAM-03
#[test]
fn what_a_role_may_read_it_reads_and_nothing_else() {
    let demo = Demo::start();
    let anna = demo.person("anna");
    let galen = Galen::new();
    galen.login(&demo, anna);
    let role = demo.role_of(anna);
    let credentials: Value =
        serde_json::from_str(&galen.ok(&["creds", "--role", role["arn"].as_str().unwrap(), "--format", "json"]))
            .unwrap();
    assert!(credentials["access_key_id"].as_str().unwrap().starts_with("ASIA"));
    let name = role["arn"].as_str().unwrap().rsplit('/').next().unwrap();
    let by_name: Value = serde_json::from_str(&galen.ok(&["creds", "--role", name, "--format", "json"])).unwrap();
    assert_eq!(by_name, credentials, "the name means the same role, and finds the same credentials");
    let job = galen.ok(&["creds", "--role", name, "--format", "json", "--session-name", "nightly"]);
    let job: Value = serde_json::from_str(&job).unwrap();
    assert!(job["arn"].as_str().unwrap().ends_with("/nightly"), "not the session of another name: {}", job["arn"]);
    let resource = |name: &str| {
        let dataset = demo.dataset(name);
        format!("arn:aws:s3:::{}/{}ae.csv", dataset["bucket"].as_str().unwrap(), dataset["prefix"].as_str().unwrap())
    };
    let owner = Galen::new();
    owner.login(&demo, demo.person("olivia"));
    let why = |name: &str| -> Value {
        serde_json::from_str(&owner.ok(&["--output", "json", "why", "--person", "anna", "--resource", &resource(name)]))
            .unwrap()
    };
    assert_eq!(why("oncology-sdtm")["verdict"]["effect"], "allowed");
    assert_eq!(why("ophthalmology-sdtm")["verdict"]["effect"], "refused");
    demo.stop();
}

// verifies: IAM-04
#[test]
fn the_story_goes_from_sign_in_to_the_refused_read() {
    let demo = Demo::start();
    let folder = demo.stop();
    let told = Galen::new().ok(&[
        "demo",
        "--story",
        "--headless",
        "--generated",
        "--data-dir",
        folder.path().to_str().unwrap(),
    ]);
    for step in 1..=8 {
        assert!(told.contains(&format!("{step}. ")), "step {step} is missing:\n{told}");
    }
    assert!(told.contains("signed receipt: in effect everywhere"), "{told}");
    let last = told.split("And why not now?").nth(1).unwrap();
    let ended = last.split("Nearest came the read grant of dataset ophthalmology-sdtm to group").nth(1).unwrap();
    assert!(ended.contains("it was ended at") && ended.contains("(\"the review is done\")"), "{last}");
}

#[test]
fn a_restart_keeps_the_issuer_and_the_people() {
    let first = Demo::start();
    let (issuer, people) = (first.ready["issuer"].clone(), first.ready["people"].clone());
    let second = Demo::start_in(first.stop());
    assert_eq!(second.ready["issuer"], issuer);
    assert_eq!(second.ready["people"], people);
    let galen = Galen::new();
    galen.login(&second, second.person("anna"));
    second.stop();
}

#[test]
fn exit_codes_say_done_refused_and_bad_usage() {
    let galen = Galen::new();
    assert_eq!(galen.run(&["--version"]).status.code(), Some(0));
    assert_eq!(galen.run(&["no-such-command"]).status.code(), Some(2));
    let refused = galen.run(&["--output", "json", "person", "list"]);
    assert_eq!(refused.status.code(), Some(1));
    let problem: Value = serde_json::from_slice(&refused.stderr).unwrap();
    assert!(problem["title"].as_str().unwrap().contains("nobody is signed in"), "{problem}");
    assert!(refused.stdout.is_empty());
    let misused = galen.run(&["revoke", "grant", "--output", "json"]);
    assert_eq!(misused.status.code(), Some(2));
    let problem: Value = serde_json::from_slice(&misused.stderr).unwrap();
    assert_eq!(problem["title"], "the following required arguments were not provided");
    assert!(problem["detail"].as_str().unwrap().contains("--reason"), "{problem}");
}

#[test]
fn a_wrong_configuration_is_told_by_its_key_and_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("galen.toml");
    let words = ["--config", config.to_str().unwrap()];
    let text = |data: &str, web: &str, issuer: &str, more: &str| {
        format!(
            "data_dir = {data:?}\naccount = \"000000000001\"\nregion = \"eu-north-1\"\nissuer = {issuer:?}\n{more}\n\
             [web]\nlisten = {web:?}\n[aws]\nlisten = \"127.0.0.1:9\"\n"
        )
    };
    let (listen, issuer) = ("127.0.0.1:8", "http://127.0.0.1:8");
    for (text, expected) in [
        (text("data", "localhost", issuer, ""), "`web.listen`: invalid socket address syntax: expected an address"),
        (text("data", listen, "http://galen.example.com", ""), "must be https, or http on loopback"),
        (text("data", "127.0.0.1:9", issuer, ""), "both listen on 127.0.0.1:9"),
        (text("data", listen, issuer, "regoin = \"x\""), "`regoin`: unknown field"),
        (text("data", listen, issuer, "limits.requests_per_source = 0"), "a limit of 0 lets nobody in"),
        (
            text("data", listen, issuer, "custody = { seal = \"passphrase\", passphrase_file = \"p\" }"),
            "passphrase_file`",
        ),
    ] {
        std::fs::write(&config, &text).unwrap();
        let refused = Galen::new().run(&[["config", "check"], words].concat());
        assert_eq!(refused.status.code(), Some(1), "{text}");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains(expected), "{said}");
    }
    let variable = [("GALEN__WEB__LISTEN".to_owned(), "nowhere".to_owned())];
    std::fs::write(&config, text("data", listen, issuer, "")).unwrap();
    let refused = Galen::with_settings(&variable).run(&[["config", "check"], words].concat());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("the variable GALEN__WEB__LISTEN"), "{refused:?}");
    // A data folder that is misspelt does not become an empty installation.
    for command in [&["serve"][..], &["doctor"], &["state", "verify"], &["state", "export"], &["ledger", "verify"]] {
        let refused = Galen::new().run(&[command, &words].concat());
        assert!(String::from_utf8_lossy(&refused.stderr).contains("holds no installation"), "{refused:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was made");
}

#[test]
fn demonstration_data_never_becomes_production() {
    let demo = Demo::start();
    let folder = demo.stop();
    let own = folder.path().join("galen.toml");
    let own = ["--config", own.to_str().unwrap()];
    let galen = Galen::new();
    for command in [["ledger", "verify"], ["state", "verify"], ["config", "check"]] {
        galen.ok(&[command, own].concat());
    }
    let config = folder.path().join("other.toml");
    let text = format!(
        "data_dir = {:?}\naccount = \"999999999999\"\nregion = \"eu-north-1\"\nissuer = \"http://127.0.0.1:1\"\n\
         [web]\nlisten = \"127.0.0.1:0\"\n[aws]\nlisten = \"127.0.0.1:0\"\n",
        folder.path().join("installation")
    );
    std::fs::write(&config, text).unwrap();
    for config in [["--config", config.to_str().unwrap()], own] {
        let refused = galen.run(&[["serve"].as_slice(), &config].concat());
        assert_eq!(refused.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&refused.stderr).contains("demonstration"));
    }
}

#[test]
fn completions_that_cannot_be_written_are_an_error() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let done =
        std::process::Command::new(support::PROGRAM).args(["completions", "bash"]).stdout(full).output().unwrap();
    assert_eq!(done.status.code(), Some(1), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn two_first_administrators_are_two_people() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (web, aws) = (support::free_port(), support::free_port());
    let listen = |edge: &str, port: u16| (format!("GALEN__{edge}__LISTEN"), format!("127.0.0.1:{port}"));
    let galen = Galen::with_settings(&[listen("WEB", web), listen("AWS", aws)]);
    let (config, data) = (path("galen.toml"), path("data"));
    let endpoint = format!("http://127.0.0.1:{web}");
    let init = |more: &[&str]| {
        let words = ["init", "--config", &config, "--data-dir", &data, "--issuer", &endpoint];
        galen.run(&[&words[..], &["--admin", "root", "--admin-email", "root@example.com"], more].concat())
    };
    for odd in
        [&["--admin", "tove"][..], &["--admin", "tove", "--admin-email", "t@example.com", "--admin-password-file", "x"]]
    {
        assert_eq!(init(odd).status.code(), Some(1), "{odd:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
    assert!(init(&["--admin", "tove", "--admin-email", "tove@example.com"]).status.success());
    let server = galen.serve(&config, web);
    let given = |name: &str| std::fs::read_to_string(path(&format!("{name}-password"))).unwrap().trim().to_owned();
    galen.login_at(&endpoint, "root", &given("root"));
    let person = ["--username", "bo", "--name", "Bo", "--email", "bo@example.com"];
    galen.ok(&[&["person", "create"][..], &person].concat());
    let asked = galen.ok(&["--output", "json", "membership", "create", "--group", "administrators", "--person", "bo"]);
    let asked: Value = serde_json::from_str(&asked).unwrap();
    assert_eq!(asked["state"], "waiting");
    // Who ran `init` knows the second password too: it opens nothing until its person chose an own one.
    let tove = Galen::new();
    let words = ["login", "--endpoint", &endpoint, "--user", "tove", "--no-browser", "--password-file"];
    assert!(!tove.run(&[&words[..], &[&path("tove-password")]].concat()).status.success());
    tove.first_login_at(&endpoint, "tove", (&given("tove"), "known to Tove alone"));
    tove.ok(&["approval", "approve", asked["id"].as_str().unwrap(), "--reason", "a third one"]);
    server.stop();
}

#[test]
fn an_installation_made_by_init_is_usable_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(path("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let (web, aws) = (support::free_port(), support::free_port());
    let settings = [("WEB", web), ("AWS", aws)].into_iter().flat_map(|(edge, port)| {
        let listen = format!("127.0.0.1:{port}");
        let values = [("LISTEN", listen), ("TLS_CERT_FILE", path("cert.pem")), ("TLS_KEY_FILE", path("key.pem"))];
        values.map(|(key, value)| (format!("GALEN__{edge}__{key}"), value))
    });
    let trusted = ("SSL_CERT_FILE".to_owned(), path("cert.pem"));
    let galen = Galen::with_settings(&settings.chain([trusted.clone()]).collect::<Vec<_>>());
    let config = path("galen.toml");
    let endpoint = format!("https://127.0.0.1:{web}");
    galen.ok(&[
        "init",
        "--config",
        &config,
        "--data-dir",
        &path("data"),
        "--admin",
        "root-admin",
        "--admin-email",
        "admin@example.com",
        "--issuer",
        &endpoint,
    ]);
    galen.ok(&["config", "check", "--config", &config]);
    let server = galen.serve(&config, web);
    let secret = path("root-admin-password");
    let login = ["login", "--endpoint", &endpoint, "--user", "root-admin", "--password-file", &secret, "--no-browser"];
    let stranger = Galen::new().run(&login);
    let said = String::from_utf8_lossy(&stranger.stderr).into_owned();
    assert!(!stranger.status.success() && said.contains("SSL_CERT_FILE") && said.contains(&endpoint), "{said}");
    galen.ok(&login);
    galen.ok(&["group", "create", "readers"]);
    galen.ok(&["role", "create", "reader", "--group", "readers"]);
    let role: Value = serde_json::from_str(&galen.ok(&["--output", "json", "role", "show", "reader"])).unwrap();
    assert_eq!(role["name"], "reader", "a role has a name that can stand for its id");
    let listed: Value = serde_json::from_str(&galen.ok(&["--output", "json", "group", "list"])).unwrap();
    assert!(listed.as_array().unwrap().iter().any(|group| group["name"] == "readers"));
    // Somebody of the group gets credentials from the other edge.
    std::fs::write(path("first"), "chosen by the administrator").unwrap();
    let person = ["--username", "bo", "--name", "Bo", "--email", "bo@example.com", "--password-file", &path("first")];
    galen.ok(&[&["person", "create"][..], &person].concat());
    for group in ["readers", "members"] {
        galen.ok(&["membership", "create", "--group", group, "--person", "bo"]);
    }
    let bo = Galen::with_settings(&[trusted]);
    bo.first_login_at(&endpoint, "bo", ("chosen by the administrator", "known to Bo alone, 1"));
    let arn = role["arn"].as_str().unwrap();
    let credentials = || bo.ok(&["creds", "--role", arn, "--format", "env"]);
    let first = credentials();
    assert!(first.contains("AWS_SESSION_TOKEN"));
    assert_eq!(credentials(), first, "they are kept");
    // Those of a session that was cut are not given again.
    let sessions: Value = serde_json::from_str(&galen.ok(&["--output", "json", "session", "list"])).unwrap();
    let mut sessions = sessions.as_array().unwrap().iter();
    let cut = sessions.find(|session| session["role_name"] == "reader").unwrap()["id"].as_str().unwrap();
    galen.ok(&["session", "end", cut, "--reason", "a lost laptop"]);
    assert_ne!(credentials(), first);
    // A certificate is replaced while it serves; a broken one is not taken.
    let logged_in = || galen.run(&login).status.success();
    std::fs::write(path("cert.pem"), "broken").unwrap();
    server.hang_up();
    std::fs::write(path("trusted.pem"), made.cert.pem()).unwrap();
    let trusting = Galen::with_settings(&[("SSL_CERT_FILE".to_owned(), path("trusted.pem"))]);
    assert!(trusting.run(&login).status.success(), "the old one stays");
    let next = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(path("cert.pem"), next.cert.pem()).unwrap();
    std::fs::write(path("key.pem"), next.signing_key.serialize_pem()).unwrap();
    assert!(!logged_in(), "it trusts the new one alone, which is not shown yet");
    server.hang_up();
    while !logged_in() {
        std::thread::yield_now();
    }
    server.stop();
    galen.ok(&["state", "verify", "--config", &config]);
    galen.ok(&["ledger", "verify", "--config", &config]);
    let replaced: Vec<_> = support::entries(&folder.path().join("data/ledger"))
        .into_iter()
        .filter(|entry| entry.event_name == "ReplaceCertificate")
        .map(|entry| (entry.user_identity.kind, entry.request_parameters.unwrap()))
        .collect();
    let told = |edge| {
        let new = crypto::sha256(next.cert.der()).to_string();
        (ledger::IdentityKind::System, json!({"edge": edge, "file": path("cert.pem"), "sha256": new}))
    };
    assert_eq!(replaced, [told("web"), told("aws")], "the broken one was not taken");
}
