//! COMMIT on a connection that breaks: before the server has it, and after, when only the answer is lost.

use base::Actor;
use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicU32, Ordering},
};
use store::{
    Error, Options, Store, WriteTxn,
    conformance::{Bed, ManualClock, effects},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::bed::{PostgresBed, server};

const PASS: u8 = 0;
/// Break the connection instead of passing COMMIT on.
const LOSE_COMMIT: u8 = 1;
/// Pass COMMIT on and break the connection instead of passing its answer back.
const LOSE_ANSWER: u8 = 2;

/// A front that passes bytes on until the next COMMIT under a fault.
async fn front(server: String, fault: Arc<AtomicU8>, tasks: &mut tokio::task::JoinSet<()>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tasks.spawn(async move {
        let mut open = tokio::task::JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            let (server, fault) = (server.clone(), Arc::clone(&fault));
            // Broken connections are what is tested.
            open.spawn(async move { drop(pass(client, &server, &fault).await) });
        }
    });
    port
}

async fn pass(client: TcpStream, server: &str, fault: &AtomicU8) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = TcpStream::connect(server).await?.into_split();
    loop {
        tokio::select! {
            asked = some(&mut from_client) => {
                let asked = asked?;
                let commits = asked.windows(7).any(|window| window == b"COMMIT\0");
                let now = if commits { fault.swap(PASS, Ordering::AcqRel) } else { PASS };
                if now == LOSE_COMMIT {
                    return Ok(());
                }
                to_server.write_all(&asked).await?;
                if now == LOSE_ANSWER {
                    return some(&mut from_server).await.map(drop);
                }
            }
            answered = some(&mut from_server) => to_client.write_all(&answered?).await?,
        }
    }
}

async fn some(from: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; 64 * 1024];
    let read = from.read(&mut bytes).await?;
    if read == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    bytes.truncate(read);
    Ok(bytes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_done_exactly_once() {
    let Some(url) = server() else { return };
    let database = PostgresBed::new(url, "commit").database("one");
    let (account, place) = database.split_once('@').unwrap();
    let (place, name) = place.split_once('/').unwrap();
    let (fault, mut tasks) = (Arc::new(AtomicU8::new(PASS)), tokio::task::JoinSet::new());
    let port = front(place.to_owned(), Arc::clone(&fault), &mut tasks).await;
    let url = format!("{account}@127.0.0.1:{port}/{name}?sslmode=disable");
    let clocked = effects(ManualClock::at("2026-11-21T12:00:00Z".parse().unwrap()), 1);
    let backend = store::Backend::Postgres { url: base::Secret::new(url), connections: 2 };
    let bed = PostgresBed::existing(database.clone(), "commit");
    let store = Store::open(Options { backend, ..bed.options("one", clocked, Vec::new()) }).unwrap();
    for (case, runs_expected, value) in [(PASS, 1, "x"), (LOSE_COMMIT, 2, "xx"), (LOSE_ANSWER, 1, "xxx")] {
        let runs = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&runs);
        fault.store(case, Ordering::Release);
        let append = move |txn: &mut WriteTxn<'_>| {
            counted.fetch_add(1, Ordering::AcqRel);
            let before = txn.record_get("t", b"k")?.map_or(Vec::new(), |record| record.value);
            txn.record_put("t", b"k", &[before, b"x".to_vec()].concat(), None)
        };
        store.write::<_, Error, _>(Actor::System, append).await.unwrap();
        assert_eq!(runs.load(Ordering::Acquire), runs_expected, "case {case}");
        let stored = store.read::<_, Error, _>(|txn| txn.record_get("t", b"k")).await.unwrap().unwrap();
        assert_eq!(stored.value, value.as_bytes(), "case {case}");
    }
}
