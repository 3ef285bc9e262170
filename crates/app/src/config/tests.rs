//! What `galen init` writes is what took effect.

use super::*;

fn told() -> Config {
    let place = ("000000000001".parse().unwrap(), "eu-north-1".parse().unwrap());
    let listen = |port| SocketAddr::from(([127, 0, 0, 1], port));
    Config::at("/var/lib/\"galen\"".into(), place, "http://127.0.0.1:8080".to_owned(), listen(8080), listen(8081))
}

fn read(text: &str) -> serde_json::Value {
    let config: Config = Figment::from(Toml::string(text)).extract().unwrap();
    serde_json::to_value(config).unwrap()
}

#[test]
fn the_file_says_what_took_effect() {
    let edge = |mut edge: Edge| {
        (edge.url, edge.tls_cert_file) = (Some("https://galen.example.com".to_owned()), Some("/etc/c.pem".into()));
        edge.tls_key_file = Some("/etc/k.pem".into());
        (edge.domains, edge.trusted_proxies) = (vec!["s3.example.com".to_owned()], vec!["10.0.0.0/8".parse().unwrap()]);
        edge
    };
    let plain = told();
    let custody = Custody::Passphrase { passphrase_file: "/run/secret".into() };
    let store = Store::Postgres { url_file: "/etc/url".into(), connections: 3 };
    let mut full = Config { store, custody, approvals: Approvals { second: false }, ..told() };
    (full.web, full.aws) = (Edge { domains: Vec::new(), ..edge(full.web) }, edge(full.aws));
    for config in [plain, full] {
        let text = template(&config).unwrap();
        assert_eq!(read(&text), serde_json::to_value(&config).unwrap(), "{text}");
    }
}

/// Paths of variables are counted from the file's folder; the file is read from anywhere.
#[test]
fn a_path_is_written_whole() {
    let config = Config { store: Store::Postgres { url_file: "url".into(), connections: 8 }, ..told() };
    let text = template(&config).unwrap();
    let here = std::path::absolute("url").unwrap();
    assert_eq!(read(&text)["store"]["url_file"], here.to_str().unwrap());
}

/// Every key below `value`, with those around it.
fn keys(value: &serde_json::Value, found: &mut Vec<String>) {
    for (key, below) in value.as_object().into_iter().flatten() {
        found.push(key.clone());
        keys(below, found);
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "whoever changes the keys asks this test to write the page")]
fn the_reference_page_is_the_file_and_names_every_key() {
    let text = template(&Config { data_dir: "/var/lib/galen".into(), ..told() }).unwrap();
    let custody = Custody::Passphrase { passphrase_file: "/run/secret".into() };
    let store = Store::Postgres { url_file: "/etc/url".into(), connections: 3 };
    let mut all = Vec::new();
    keys(&serde_json::to_value(Config { store, custody, ..told() }).unwrap(), &mut all);
    assert!(all.len() > 20, "{all:?}");
    for key in all {
        assert!(text.contains(&format!("{key} = ")) || text.contains(&format!("[{key}]")), "{key} is not explained");
    }
    let page = format!(
        "# Configuration\n\nThe file that `galen init` writes, with every key; what is in a comment shows the default or an example. A test compares \
         them. `galen config check` reads a file and says what is wrong, `galen config show` prints what takes effect.\n\n```toml\n{text}```\n"
    );
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/reference/configuration.md");
    if std::env::var_os("GALEN_GOLDEN").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == page, "run the test once with GALEN_GOLDEN=1 and read the difference");
}
