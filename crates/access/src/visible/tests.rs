//! Areas, holes in them, and areas in the holes.

use super::*;

fn nested() -> Visible {
    let text = |all: &[&str]| all.iter().map(|prefix| (*prefix).to_owned()).collect();
    Visible::with_holes(text(&["trial/", "trial/vault/open/", "lab/"]), text(&["trial/vault/"]))
}

#[test]
fn the_longest_prefix_says_whether_a_key_is_visible() {
    let visible = nested();
    assert_eq!(visible.ranges(), ["lab/", "trial/"]);
    for (key, seen) in [
        ("trial/a", true),
        ("trial/vault", true),
        ("trial/vault/", false),
        ("trial/vault/secret", false),
        ("trial/vault/open/x", true),
        ("trial/vault_other/x", true),
        ("lab/x", true),
        ("lab", false),
        ("other/x", false),
    ] {
        assert_eq!(visible.contains(key), seen, "{key}");
    }
}

#[test]
fn a_listing_jumps_over_holes_and_into_what_is_open_inside() {
    let visible = nested();
    assert_eq!(visible.skip("trial/a"), None);
    assert_eq!(visible.skip("trial/vault/a"), Some(Jump::To("trial/vault/open/".to_owned())));
    assert_eq!(visible.skip("trial/vault/z"), Some(Jump::Past("trial/vault/".to_owned())));
    assert_eq!(visible.skip("trial/vault/open/x"), None);
}

#[test]
fn a_prefix_narrows() {
    let visible = nested();
    assert_eq!(visible.under("").ranges(), ["lab/", "trial/"]);
    assert_eq!(visible.under("trial/va").ranges(), ["trial/va"]);
    assert_eq!(visible.under("trial/vault/").ranges(), ["trial/vault/open/"]);
    assert!(visible.under("trial/vault/x").is_empty());
    assert!(visible.under("other/").is_empty());
    assert_eq!(Visible::new(vec![String::new()]).under("any/thing").ranges(), ["any/thing"]);
}
