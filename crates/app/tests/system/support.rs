//! Starting the program, signing in, stopping and killing it; every process has folders of its own.

use ledger::{Entry, LogKey, verify::Verifier};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};
use store::journal::DiskFiles;
use tempfile::TempDir;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_galen");

/// A running demonstration.
pub(crate) struct Demo {
    child: Child,
    folder: Option<TempDir>,
    pub(crate) ready: Value,
}

impl Demo {
    /// A new one, with generated data.
    pub(crate) fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap())
    }

    /// One in a folder that may have been used before.
    pub(crate) fn start_in(folder: TempDir) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["demo", "--headless", "--json", "--generated", "--data-dir"])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            let mut said = String::new();
            child.stderr.as_mut().unwrap().read_to_string(&mut said).unwrap();
            panic!("the demonstration did not become ready: {said}");
        }
        // Its log must not fill the pipe and stop it.
        let mut log = child.stderr.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { ready: serde_json::from_str(&line).unwrap(), child, folder: Some(folder) }
    }

    fn named<'a>(&'a self, list: &str, key: &str, name: &str) -> &'a Value {
        let found = self.ready[list].as_array().unwrap().iter().find(|one| one[key] == name);
        found.unwrap_or_else(|| panic!("the ready line has no {name} in {list}"))
    }
    pub(crate) fn person(&self, username: &str) -> &Value {
        self.named("people", "username", username)
    }
    pub(crate) fn dataset(&self, name: &str) -> &Value {
        self.named("datasets", "name", name)
    }
    /// The first role that a person may assume.
    pub(crate) fn role_of(&self, person: &Value) -> &Value {
        let groups = person["groups"].as_array().unwrap();
        let mut roles = self.ready["roles"].as_array().unwrap().iter();
        roles.find(|role| role["groups"].as_array().unwrap().iter().any(|g| groups.contains(g))).unwrap()
    }
    /// Where it lives.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }
    pub(crate) fn web(&self) -> &str {
        self.ready["web"].as_str().unwrap()
    }

    /// Stops it as an operator would; it must end well.
    pub(crate) fn stop(mut self) -> TempDir {
        terminate(&mut self.child);
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "it must stop on SIGTERM with 0");
        self.folder.take().unwrap()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn terminate(child: &mut Child) {
    let done = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(done.success());
}

/// The command line of one user.
pub(crate) struct Galen {
    home: TempDir,
    settings: Vec<(String, String)>,
}

impl Galen {
    pub(crate) fn new() -> Self {
        Self::with_settings(&[])
    }

    /// With settings that stand in the environment instead of the configuration file.
    pub(crate) fn with_settings(settings: &[(String, String)]) -> Self {
        Self { home: tempfile::tempdir().unwrap(), settings: settings.to_vec() }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(words).env("HOME", self.home.path()).env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME");
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Runs it, and it must succeed; its standard output.
    pub(crate) fn ok(&self, words: &[&str]) -> String {
        let done = self.run(words);
        assert!(
            done.status.success(),
            "galen {}: {}\n{}",
            words.join(" "),
            String::from_utf8_lossy(&done.stderr),
            String::from_utf8_lossy(&done.stdout)
        );
        String::from_utf8(done.stdout).unwrap()
    }

    pub(crate) fn login(&self, demo: &Demo, person: &Value) {
        self.login_at(demo.web(), person["username"].as_str().unwrap(), person["password"].as_str().unwrap());
    }

    pub(crate) fn login_at(&self, web: &str, user: &str, password: &str) {
        let file = self.home.path().join("password");
        std::fs::write(&file, password).unwrap();
        self.ok(&[
            "login",
            "--endpoint",
            web,
            "--user",
            user,
            "--password-file",
            file.to_str().unwrap(),
            "--no-browser",
        ]);
    }

    /// The first sign-in with a password that somebody else chose: an own one takes its place.
    pub(crate) fn first_login_at(&self, web: &str, user: &str, (first, own): (&str, &str)) {
        let file = |name: &str, text: &str| {
            let path = self.home.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let words = ["login", "--endpoint", web, "--user", user, "--no-browser", "--password-file"];
        self.ok(&[&words[..], &[&file("first", first), "--new-password-file", &file("own", own)]].concat());
    }

    /// The token of the management session that the last sign-in opened.
    pub(crate) fn session_token(&self) -> String {
        let folder = self.home.path().join(".config/galen");
        let files = std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
        let kept = files.filter_map(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        // Credentials of a role for tools are kept beside it.
        let sessions = kept.filter(|kept| kept.get("access_key_id").is_none());
        let mut tokens = sessions.filter_map(|kept| Some(kept.get("session_token")?.as_str()?.to_owned()));
        tokens.next().unwrap()
    }

    /// `galen serve`, once its web edge answers.
    pub(crate) fn serve(&self, config: &str, port: u16) -> Server {
        let child = self.command(&["serve", "--config", config]).stderr(Stdio::null()).spawn().unwrap();
        let mut server = Server { child };
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(server.child.try_wait().unwrap().is_none(), "the server ended before it was ready");
            std::thread::yield_now();
        }
        server
    }
}

/// A running `galen serve`.
pub(crate) struct Server {
    pub(crate) child: Child,
}

impl Server {
    /// Has the certificates read again.
    pub(crate) fn hang_up(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    }

    pub(crate) fn stop(mut self) {
        terminate(&mut self.child);
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "it must stop on SIGTERM with 0");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Ports of servers that a test names before they listen: below those that the system gives out, of which every connection of another
/// test takes one.
const PORTS: std::ops::Range<u16> = 16_384..32_768;

/// A port that was free a moment ago, and that no other test of this process is told. So is the one after it, where `galen init` puts
/// the other edge.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (first, pairs) = (std::process::id().wrapping_mul(97), u32::from(PORTS.end - PORTS.start) / 2);
    let mut tried = (0..pairs).map(|_| {
        let place = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % pairs;
        PORTS.start + 2 * u16::try_from(place).unwrap()
    });
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    tried.find(|port| is_free(*port) && is_free(port + 1)).unwrap()
}

/// Every entry of a ledger that verifies.
pub(crate) fn entries(ledger: &Path) -> Vec<Entry> {
    let keys = std::fs::read_to_string(ledger.join(::ledger::layout::LOG_KEY)).unwrap();
    let keys: Vec<LogKey> = keys.lines().map(|line| line.parse().unwrap()).collect();
    let mut found = Vec::new();
    let mut see = |_: u64, bytes: &[u8]| found.push(Entry::decode(bytes).unwrap());
    Verifier::new(keys).verify_each(&DiskFiles::new(ledger), &mut see).unwrap();
    found
}
