//! A machine through the whole program: from its registration to the end of it, and what becomes of it when its owner leaves.

use serde_json::Value;

use super::api::admin;
use super::s3::S3;
use super::support::{Demo, Galen};

fn json(galen: &Galen, words: &[&str]) -> Value {
    serde_json::from_str(&galen.ok(&[&["--output", "json"], words].concat())).unwrap_or(Value::Null)
}

/// A machine that signed in with the secret in a file of this folder.
fn machine(demo: &Demo, folder: &tempfile::TempDir, secret: &str) -> Galen {
    let file = folder.path().join("secret");
    std::fs::write(&file, secret).unwrap();
    let galen = Galen::new();
    let words = ["login", "--endpoint", demo.web(), "--service", "etl", "--no-browser", "--secret-file"];
    galen.ok(&[&words[..], &[file.to_str().unwrap()]].concat());
    galen
}

// verifies: IAM-01, IAM-02, IAM-04
#[test]
fn a_machine_reads_what_its_group_may_until_it_may_no_more() {
    let (demo, folder) = (Demo::start(), tempfile::tempdir().unwrap());
    let chief = admin(&demo);
    let (service, owner) = (json(&chief, &["service", "create", "etl", "--owner", "anna"]), Galen::new());
    owner.login(&demo, demo.person("olivia"));
    let waits = json(&chief, &["membership", "create", "--group", "oncology-readers", "--service", "etl"]);
    assert_eq!((&waits["change"], &waits["service"]), (&"add_member".into(), &service["id"]), "{waits}");
    assert_eq!(json(&owner, &["approval", "list"])[0]["service_name"], "etl", "the second person sees for whom");
    owner.ok(&["approval", "approve", waits["id"].as_str().unwrap(), "--reason", "the nightly load"]);

    let secret = service["secret"].as_str().unwrap();
    let galen = machine(&demo, &folder, secret);
    let creds = || json(&galen, &["creds", "--role", "oncology-reader", "--format", "json"]);
    let credentials = creds();
    assert!(credentials["arn"].as_str().unwrap().ends_with("/etl"), "{credentials}");
    assert_eq!(creds(), credentials, "cached");
    let s3 = S3::new(credentials);
    let read = |s3: &S3, name: &str| {
        let (dataset, text) = (demo.dataset(name), |value: &Value| value.as_str().unwrap().to_owned());
        let answer = s3.get(&text(&dataset["bucket"]), &format!("{}ae.csv", text(&dataset["prefix"])), None).unwrap();
        (answer.status, String::from_utf8(answer.body.unwrap()).unwrap())
    };
    assert_eq!(read(&s3, "oncology-sdtm").0, 200);
    let (status, refused) = read(&s3, "ophthalmology-sdtm");
    assert_eq!(status, 403);
    let decision = refused.split_once("decision ").unwrap().1.split(')').next().unwrap().to_owned();
    let told = json(&chief, &["why", "--decision", &decision]);
    let sentence = told["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("service etl, for which anna answers, was refused s3:GetObject"), "{sentence}");
    assert_eq!(told["replay"]["agrees"], true, "{told}");
    assert_eq!(json(&chief, &["session", "list", "--service", "etl"])[0]["service_name"], "etl");

    // What is refused says why, and never the secret.
    for words in [&["person", "list"][..], &["token", "--audience", "galen-cli"], &["whoami"]] {
        let refused = galen.run(words);
        assert!(!refused.status.success() && refused.stdout.is_empty(), "{words:?}");
        assert!(!String::from_utf8_lossy(&refused.stderr).contains(secret), "{words:?}");
    }

    json(&chief, &["revoke", "service", "etl", "--reason", "its host was open to others"]);
    let (status, cut) = read(&s3, "oncology-sdtm");
    assert!(status == 400 || status == 403, "{status}");
    assert!(cut.contains("ExpiredToken"), "{cut}");
    let again = S3::new(creds());
    assert_eq!(read(&again, "oncology-sdtm").0, 200, "its secret is still good");

    // Its owner leaves: nobody is held up by it, and it is told until somebody else answers for it.
    chief.ok(&["person", "end", "anna", "--reason", "left the company"]);
    assert_eq!(json(&chief, &["service", "show", "etl"])["owner_active"], false);
    assert_eq!(read(&again, "oncology-sdtm").0, 200);
    let config = format!("{}/galen.toml", demo.folder().display());
    let looked = || String::from_utf8(chief.run(&["doctor", "--config", &config]).stdout).unwrap();
    assert!(looked().contains("nobody who may sign in answers for: etl"), "{}", looked());
    assert_eq!(json(&chief, &["service", "change", "etl", "--owner", "bo"])["owner_name"], "bo");
    assert!(looked().contains("somebody who may sign in answers for each service"), "{}", looked());

    chief.ok(&["service", "end", "etl", "--reason", "switched off"]);
    let (status, cut) = read(&again, "oncology-sdtm");
    assert!(status == 400 && cut.contains("ExpiredToken"), "{status}: {cut}");
    assert!(!galen.run(&["token"]).status.success());
    assert!(
        json(&chief, &["membership", "list", "--group", "oncology-readers"])
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["service"].is_null())
    );
    let past = json(&chief, &["why", "--decision", &decision]);
    assert!(
        past["sentence"].as_str().unwrap().starts_with("service etl, for which anna answers,"),
        "as it was: {past}"
    );
    // Who has ended is still asked about by the id; another may have the name.
    let id = service["id"].as_str().unwrap();
    let resource = format!("arn:aws:s3:::{}/x", demo.dataset("oncology-sdtm")["bucket"].as_str().unwrap());
    let asked = json(&chief, &["why", "--service", id, "--resource", &resource]);
    assert!(asked["sentence"].as_str().unwrap().contains("etl"), "{asked}");
    assert!(json(&chief, &["session", "list", "--service", id]).is_array());
    assert!(!chief.run(&["service", "show", id]).status.success());
    demo.stop();
}
