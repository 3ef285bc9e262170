//! How many of a thing, in words that people read. It must not know what the things are.

use std::fmt;

/// So many of a thing that is named in the singular: `1 entry`, `2 entries`.
pub fn count<N: fmt::Display + PartialEq + From<u8>>(number: N, thing: &str) -> String {
    let vowel_before_y = ["ay", "ey", "oy", "uy"].iter().any(|end| thing.ends_with(end));
    match thing.strip_suffix('y').filter(|_| !vowel_before_y) {
        _ if number == N::from(1) => format!("{number} {thing}"),
        Some(stem) => format!("{number} {stem}ies"),
        None => format!("{number} {thing}s"),
    }
}
