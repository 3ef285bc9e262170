//! ARN patterns: the first five parts and the resource are matched separately, so that a wildcard never runs over a colon
//! before the sixth part. Used for `Resource` and for the `Arn..` operators.

use crate::{
    context::Context,
    pattern::{Dialect, Part, Pattern, Piece, glob, parts},
};

/// Parts of an ARN that colons separate.
const PARTS: usize = 6;

/// A compiled ARN pattern.
#[derive(Clone, Debug)]
pub(crate) enum ArnPattern {
    /// `*`: every resource, also what is no ARN.
    Everything,
    /// Can match nothing (too few parts).
    Never,
    /// Six parts, each with its pattern; only the last holds variables.
    Parts(Box<[Pattern; PARTS]>),
    /// Variables stand before the fifth colon: split anew for each request.
    Whole(Pattern),
}

/// What a pattern says about a request's ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArnMatch {
    Yes,
    No,
    /// A variable has no value.
    Unresolved,
}

impl From<Option<bool>> for ArnMatch {
    fn from(matched: Option<bool>) -> Self {
        match matched {
            Some(true) => Self::Yes,
            Some(false) => Self::No,
            None => Self::Unresolved,
        }
    }
}

impl ArnPattern {
    /// Compiles the value of an `Arn..` operator. Anything with fewer than six parts matches nothing.
    pub(crate) fn condition(text: &str, variables: bool) -> Self {
        let parts = parts(text, Dialect { wildcards: true, variables });
        match split(&parts) {
            Some(six) => Self::Parts(Box::new(six.map(Pattern::from_parts))),
            None if parts.iter().any(|p| matches!(p, Part::Variable { .. })) => Self::Whole(Pattern::from_parts(parts)),
            None => Self::Never,
        }
    }

    /// Compiles a `Resource` value that has six parts (the caller expands short ones).
    pub(crate) fn resource(text: &str, variables: bool) -> Self {
        if text == "*" { Self::Everything } else { Self::condition(text, variables) }
    }

    /// Whether `arn` matches, part by part.
    pub(crate) fn matches(&self, arn: &SplitArn<'_>, context: &Context) -> ArnMatch {
        match self {
            Self::Everything => ArnMatch::Yes,
            Self::Never => ArnMatch::No,
            Self::Parts(patterns) => {
                let Some(parts) = arn.parts else { return ArnMatch::No };
                for (pattern, part) in patterns.iter().zip(parts) {
                    match pattern.matches(part, context) {
                        Some(true) => {}
                        other => return other.into(),
                    }
                }
                ArnMatch::Yes
            }
            Self::Whole(pattern) => match pattern.resolved(context) {
                Some(pieces) => Some(whole(&pieces, arn)).into(),
                None => ArnMatch::Unresolved,
            },
        }
    }
}

/// Text split at its first five colons.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SplitArn<'a> {
    parts: Option<[&'a str; PARTS]>,
}

impl<'a> SplitArn<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let mut parts = [""; PARTS];
        let mut found = text.splitn(PARTS, ':');
        let complete = parts.iter_mut().all(|slot| found.next().map(|part| *slot = part).is_some());
        Self { parts: complete.then_some(parts) }
    }

    /// Whether the text has six parts.
    pub(crate) fn is_arn(&self) -> bool {
        self.parts.is_some()
    }

    /// Part `index`, from 0; empty where the text is no ARN.
    pub(crate) fn part(&self, index: usize) -> &'a str {
        self.parts.and_then(|parts| parts.get(index).copied()).unwrap_or_default()
    }
}

/// Splits at the first five colons of the literal text; `None` where there are fewer, or a variable comes before the fifth.
fn split(parts: &[Part]) -> Option<[Vec<Part>; PARTS]> {
    let mut six: [Vec<Part>; PARTS] = Default::default();
    let mut at = 0;
    for part in parts {
        match part {
            Part::Fixed(Piece::Text(text)) => {
                for (i, chunk) in text.splitn(PARTS - at, ':').enumerate() {
                    at += usize::from(i > 0);
                    if !chunk.is_empty() {
                        six.get_mut(at)?.push(Part::Fixed(Piece::Text(chunk.into())));
                    }
                }
            }
            Part::Variable { .. } if at < PARTS - 1 => return None,
            other => six.get_mut(at)?.push(other.clone()),
        }
    }
    (at == PARTS - 1).then_some(six)
}

/// Splits resolved pieces at their first five colons, also those that came with a value, and matches part by part.
fn whole(pieces: &[Piece<&str>], arn: &SplitArn<'_>) -> bool {
    let mut six: [Vec<Piece<&str>>; PARTS] = Default::default();
    let mut at = 0;
    for piece in pieces {
        match piece {
            Piece::Text(text) => {
                for (i, chunk) in text.splitn(PARTS - at, ':').enumerate() {
                    at += usize::from(i > 0);
                    if let Some(slot) = six.get_mut(at) {
                        slot.push(Piece::Text(chunk));
                    }
                }
            }
            other => {
                if let Some(slot) = six.get_mut(at) {
                    slot.push(other.clone());
                }
            }
        }
    }
    let Some(parts) = arn.parts else { return false };
    at == PARTS - 1 && six.iter().zip(parts).all(|(pattern, part)| glob(pattern, part))
}
