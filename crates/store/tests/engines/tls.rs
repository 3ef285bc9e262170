//! TLS to PostgreSQL: a front that ends TLS and passes the bytes on to the server of the tests.

use base::Actor;
use std::{path::Path, sync::Arc};
use store::{
    Error, Options, Store,
    conformance::{Bed, ManualClock, effects},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, rustls};

use crate::bed::{PostgresBed, server};

/// The request of a client that wants TLS (PostgreSQL manual, "Message Formats", SSLRequest).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Starts the front for `localhost`; gives its port and the authority's certificate.
async fn front(server: String, tasks: &mut tokio::task::JoinSet<()>) -> (u16, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tasks.spawn(async move {
        let mut open = tokio::task::JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            let (acceptor, server) = (acceptor.clone(), server.clone());
            // A client that refuses the certificate goes away; that is its case, not the front's.
            open.spawn(async move { drop(pass(client, &acceptor, &server).await) });
        }
    });
    (port, made.cert.pem())
}

async fn pass(mut client: TcpStream, acceptor: &TlsAcceptor, server: &str) -> std::io::Result<()> {
    let mut request = [0; 8];
    client.read_exact(&mut request).await?;
    assert_eq!(request, SSL_REQUEST, "nothing before TLS");
    client.write_all(b"S").await?;
    let mut secured = acceptor.accept(client).await?;
    let mut server = TcpStream::connect(server).await?;
    copy_bidirectional(&mut secured, &mut server).await.map(drop)
}

fn through(database: &str, host: &str, port: u16, root: &Path) -> Result<Store, Error> {
    let (account, place) = database.strip_prefix("postgresql://").unwrap().split_once('@').unwrap();
    let (_, name) = place.split_once('/').unwrap();
    let url = format!("postgresql://{account}@{host}:{port}/{name}?sslrootcert={}", root.display());
    let bed = PostgresBed::existing(url.clone(), "tls");
    let effects = effects(ManualClock::at("2026-11-21T12:00:00Z".parse().unwrap()), 1);
    let backend = store::Backend::Postgres { url: base::Secret::new(url), connections: 2 };
    Store::open(Options { backend, ..bed.options("one", effects, Vec::new()) })
}

// verifies: DAT-07
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_reached_only_with_a_certificate_that_verifies() {
    let Some(url) = server() else { return };
    let database = PostgresBed::new(url, "tls").database("one");
    let place = database.split_once('@').unwrap().1.split_once('/').unwrap().0.to_owned();
    let mut tasks = tokio::task::JoinSet::new();
    let (port, authority) = front(place, &mut tasks).await;
    let dir = tempfile::tempdir().unwrap();
    let (right, wrong, empty) = (dir.path().join("right"), dir.path().join("wrong"), dir.path().join("empty"));
    std::fs::write(&right, authority).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(&wrong, other.cert.pem()).unwrap();
    std::fs::write(&empty, "").unwrap();
    let store = through(&database, "localhost", port, &right).unwrap();
    store.write::<_, Error, _>(Actor::System, |txn| txn.record_put("t", b"k", b"v", None)).await.unwrap();
    assert!(store.read::<_, Error, _>(|txn| txn.record_get("t", b"k")).await.unwrap().is_some());
    drop(store);
    let unverified = through(&database, "localhost", port, &wrong);
    assert!(matches!(unverified.map(drop), Err(Error::Engine { doing: "connecting to PostgreSQL", .. })));
    let misnamed = through(&database, "127.0.0.1", port, &right);
    assert!(matches!(misnamed.map(drop), Err(Error::Engine { doing: "connecting to PostgreSQL", .. })));
    let rootless = through(&database, "localhost", port, &empty);
    assert!(matches!(rootless.map(drop), Err(Error::BadOption { option: "url", .. })));
}
