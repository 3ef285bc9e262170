//! The keyring: data keys come back, derived keys rotate, an erased person's values are noise.

use super::*;
use crate::Custody;
use base::{Actor, Ids, NodeId, PersonId};
use store::{Options, Store};

fn custody(dir: &Path) -> (Custody, Store) {
    let effects = effects();
    let node = NodeId::from_uuid(effects.uuid());
    let store =
        Store::open(Options::sqlite(dir.join("store"), "eu-1".parse().unwrap(), node, effects.clone())).unwrap();
    let token = Arc::new(SoftwareToken::open_or_init(machine(dir)).unwrap());
    (Custody::new(token, store.clone(), effects, Crypto::default()), store)
}

#[tokio::test]
async fn a_data_key_comes_back_only_where_it_belongs() {
    let dir = tempfile::tempdir().unwrap();
    let (custody, _store) = custody(dir.path());
    let key = custody.ensure(Purpose::DatasetWrap, "d1").unwrap();
    assert_eq!(custody.ensure(Purpose::DatasetWrap, "d1").unwrap(), key);
    let (plain, wrapped) = custody.data_key_new(&key, b"v1").unwrap();
    for forget in [false, true] {
        if forget {
            custody.forget_all();
        }
        assert_eq!(custody.data_key_open(&key, &wrapped, b"v1").unwrap().expose(), plain.expose());
        assert!(matches!(custody.data_key_open(&key, &wrapped, b"v2"), Err(Error::DoesNotUnwrap { .. })));
    }
}

#[tokio::test]
async fn derived_keys_rotate_and_old_ones_stay() {
    let dir = tempfile::tempdir().unwrap();
    let (one, store) = custody(dir.path());
    let first = one.edge_keys().unwrap();
    assert_ne!(first.current().key().expose(), one.session_seal_keys().unwrap().current().key().expose());
    one.rotate_derived(Purpose::Edge).unwrap();
    let second = one.edge_keys().unwrap();
    assert_eq!((second.current().version, second.version(1).unwrap().version), (2, 1));
    assert_eq!(second.version(1).unwrap().key().expose(), first.current().key().expose());
    let hash = one.index_hash("username", b"ann").unwrap();
    assert_ne!(hash, one.index_hash("source-identity", b"ann").unwrap());
    drop((one, store));
    let (again, _store) = custody(dir.path());
    assert_eq!(again.edge_keys().unwrap().current().key().expose(), second.current().key().expose());
    assert_eq!(again.index_hash("username", b"ann").unwrap(), hash);
}

// verifies: DAT-08
#[tokio::test]
async fn an_erased_person_is_noise_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (custody, store) = custody(dir.path());
    let ann = PersonId::from_uuid(effects().uuid());
    assert!(custody.seal_blob(ann, b"x").await.unwrap().is_none());
    let (key, wrapped) = custody.subject_key_new(ann).unwrap();
    let sealed = key.seal("email", b"ann@example.com").unwrap();
    let put = store.write(Actor::System, move |txn| txn.subject_key_put(ann.uuid(), &wrapped));
    assert!(put.await.unwrap().value);
    let blob = custody.seal_blob(ann, b"10.0.0.1").await.unwrap().unwrap();
    assert_eq!(custody.open_blob(ann, &blob).await.unwrap().unwrap().expose(), b"10.0.0.1");
    let found = custody.subject_key(ann).await.unwrap().unwrap();
    assert_eq!(found.open("email", &sealed).unwrap().expose(), b"ann@example.com");
    assert!(found.open("name", &sealed).is_err());
    assert_eq!(found.commit("ip", b"10.0.0.1"), key.commit("ip", b"10.0.0.1"));
    let destroyed = store.write(Actor::System, move |txn| txn.subject_key_destroy(ann.uuid()));
    assert!(destroyed.await.unwrap().value);
    assert!(custody.open_blob(ann, &blob).await.unwrap().is_none());
    assert!(custody.seal_blob(ann, b"10.0.0.1").await.unwrap().is_none());
}
