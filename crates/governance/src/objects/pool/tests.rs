//! What is lent comes back and is counted.

use super::Pool;

#[test]
fn buffers_come_back_when_the_last_slice_goes() {
    let pool = Pool::new(1 << 20);
    let whole = pool.lend(pool.take(1 << 20));
    let slice = whole.slice(5..10);
    drop(whole);
    assert!(pool.idle.lock().unwrap().is_empty());
    drop(slice);
    assert_eq!(pool.idle.lock().unwrap().len(), 1);
    assert!(pool.empty(1 << 20).capacity() >= 1 << 20);
    assert!(pool.idle.lock().unwrap().is_empty());
}

#[test]
fn scarcity_shows_and_passes() {
    let pool = Pool::new(64 << 20);
    let lent: Vec<_> = (0..5).map(|_| pool.lend(pool.take(64 << 20))).collect();
    assert!(pool.scarce());
    drop(lent);
    assert!(!pool.scarce());
}
