//! An installation in a folder of its own, with people, a dataset and a grant, on SQLite or on a database of its own.

use serde_json::Value;
use std::{fs, net::TcpStream, path::PathBuf};
use tempfile::TempDir;

use crate::{
    s3::S3,
    support::{Galen, Server, free_port},
    told,
};

pub(crate) const BUCKET: &str = "crash-bucket";
pub(crate) const PASSWORD: &str = "plenty of words for olivia 7";
/// What the operator gives; its first use is to set [`PASSWORD`].
pub(crate) const FIRST_PASSWORD: &str = "known to the operator too";

/// An installation with one dataset, and somebody who may write and read it.
pub(crate) struct Rig {
    pub(crate) folder: TempDir,
    pub(crate) operator: Galen,
    /// Owns the dataset, and may write and read it.
    pub(crate) olivia: Galen,
    pub(crate) role: String,
    pub(crate) config: String,
    port: u16,
    aws: u16,
    witness: Option<PathBuf>,
}

impl Rig {
    /// `store` are the settings of the store; none for SQLite.
    pub(crate) fn new(folder: TempDir, store: &[(String, String)]) -> Self {
        let (port, aws) = (free_port(), free_port());
        let mut settings = store.to_vec();
        settings.push(("GALEN__AWS__LISTEN".to_owned(), format!("127.0.0.1:{aws}")));
        let config = folder.path().join("galen.toml").to_str().unwrap().to_owned();
        let operator = Galen::with_settings(&settings);
        let (olivia, role) = (Galen::new(), String::new());
        let rig = Self { folder, operator, olivia, role, config, port, aws, witness: None };
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

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
    pub(crate) fn web(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
    /// A server whose two edges both answer: they are bound one after the other.
    pub(crate) fn start(&self) -> Server {
        let mut server = self.operator.serve(&self.config, self.port);
        while TcpStream::connect(("127.0.0.1", self.aws)).is_err() {
            assert!(server.child.try_wait().unwrap().is_none(), "the server ended before it was ready");
            std::thread::yield_now();
        }
        server
    }

    /// The same installation under these settings.
    pub(crate) fn with_settings(mut self, settings: &[(String, String)]) -> Self {
        let mut settings = settings.to_vec();
        settings.push(("GALEN__AWS__LISTEN".to_owned(), format!("127.0.0.1:{}", self.aws)));
        self.operator = Galen::with_settings(&settings);
        self
    }

    /// People, groups, a role, a dataset and a grant, made as people make them.
    pub(crate) fn furnish(&mut self) {
        let password = self.folder.path().join("olivia-password");
        fs::write(&password, FIRST_PASSWORD).unwrap();
        self.sign_in_operator();
        let lines = [
            "group create crash-owners".to_owned(),
            "group create crash-writers".to_owned(),
            "group create crash-readers".to_owned(),
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
        role["arn"].as_str().unwrap().clone_into(&mut self.role);
        self.olivia.first_login_at(&self.web(), "olivia", (FIRST_PASSWORD, PASSWORD));
        let dataset = ["dataset", "create", "--domain", "crash", "--owner", "crash-owners"];
        self.olivia.ok(&[&dataset[..], &["crash", "--bucket", BUCKET]].concat());
        let grant = ["grant", "create", "--dataset", "crash", "--group", "crash-writers", "--level", "write"];
        self.olivia.ok(&[&grant[..], &["--purpose", "surviving"]].concat());
    }

    pub(crate) fn sign_in_operator(&self) {
        let secret = fs::read_to_string(self.folder.path().join("root-admin-password")).unwrap();
        self.operator.login_at(&self.web(), "root-admin", secret.trim());
    }
    pub(crate) fn sign_in_olivia(&self) {
        self.olivia.login_at(&self.web(), "olivia", PASSWORD);
    }

    /// A caller of S3 with credentials of olivia's role.
    pub(crate) fn s3(&self) -> S3 {
        let credentials = self.olivia.ok(&["creds", "--role", &self.role, "--format", "json"]);
        S3::new(serde_json::from_str(&credentials).unwrap())
    }

    /// The ledger and the store, as anybody can check them without the server.
    pub(crate) fn verify(&mut self) -> Value {
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
}

/// A database of its own on the server that the environment names.
pub(crate) struct Database {
    server: String,
    name: String,
    _folder: TempDir,
    /// The settings that name it.
    pub(crate) settings: Vec<(String, String)>,
}

impl Database {
    /// `None`, and a word about it, where there is no server.
    pub(crate) fn new(purpose: &str) -> Option<Self> {
        let Some(server) = told("GALEN_TEST_POSTGRES_URL") else {
            println!("GALEN_TEST_POSTGRES_URL is not set: PostgreSQL is not tested");
            return None;
        };
        let name = format!("galen_app_{purpose}_{}", std::process::id());
        let folder = tempfile::tempdir().unwrap();
        let url_file = folder.path().join("postgres-url");
        fs::write(&url_file, format!("{}/{name}\n", server.rsplit_once('/').unwrap().0)).unwrap();
        let set = |key: &str, value: &str| (format!("GALEN__STORE__{key}"), value.to_owned());
        let settings = vec![set("KIND", "postgres"), set("URL_FILE", url_file.to_str().unwrap())];
        let database = Self { server, name, _folder: folder, settings };
        database.administer(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", database.name));
        database.administer(&format!("CREATE DATABASE {}", database.name));
        Some(database)
    }

    fn administer(&self, statement: &str) {
        postgres::Client::connect(&self.server, postgres::NoTls).unwrap().batch_execute(statement).unwrap();
    }

    /// After the last server has stopped.
    pub(crate) fn remove(self) {
        self.administer(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}
