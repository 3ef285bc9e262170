//! The bench asks what it says it asks, and the memory bounds of authorisation.md section 4 hold.

use super::*;

#[test]
fn questions_are_answered_and_memory_is_bounded() {
    let world = bench_world(20_000, 200).unwrap();
    let (allowed, refused) = world.questions();
    assert!(allowed >= 100 && refused >= 100, "{allowed} {refused}");
    assert!((0..200).all(|n| world.allow(n)) && !(0..200).any(|n| world.deny(n)));
    let plain = world.plain();
    assert!(plain.allowed.iter().all(|(person, dataset)| plain.answer(*person, *dataset)));
    assert!(!plain.refused.iter().any(|(person, dataset)| plain.answer(*person, *dataset)));
    let report = world.memory();
    assert_eq!(report.grants, 20_000);
    assert!(report.bytes_per_grant <= 200.0, "{report:?}");
    assert_eq!(report.bytes_per_edge, 8);
}
