//! The sum is bounded, comes back, and large bodies leave room for small ones.

use super::*;

#[test]
fn what_is_held_is_bounded_and_comes_back() {
    let bodies = Bodies::default();
    let large: Vec<Share> = (0..40).map(|_| bodies.share()).filter(|share| share.take(1 << 20).is_ok()).collect();
    assert_eq!(large.len() << 20, ALL_BYTES_MAX - FOR_SMALL_BYTES);
    let refused = bodies.share();
    assert_eq!(refused.take(SMALL_BYTES_MAX), Ok(()), "small bodies have room beside large ones");
    assert_eq!(refused.take(1), Err(Spent), "a body that grows is not small any more");
    assert!(refused.refused() && !large[0].refused());
    refused.give_back();
    assert_eq!(refused.take(SMALL_BYTES_MAX), Ok(()));
    drop(refused);
    let small: Vec<Share> =
        (0..5000).map(|_| bodies.share()).filter(|share| share.take(SMALL_BYTES_MAX).is_ok()).collect();
    assert_eq!(small.len() * SMALL_BYTES_MAX, FOR_SMALL_BYTES);
    assert_eq!(bodies.share().take(1), Err(Spent));
    drop((large, small));
    assert_eq!(bodies.0.load(Ordering::Relaxed), 0);
}
