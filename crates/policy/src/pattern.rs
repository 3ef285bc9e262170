//! Text patterns: `*`, `?`, policy variables and their escapes, compiled once and matched without exponential work.
//!
//! INVARIANT: what a variable resolves to is literal text. A `*` that arrives in a tag or a claim never acts as a wildcard.

use std::collections::HashMap;

use crate::context::Context;

/// One element of a pattern; `T` is the text of the literal parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece<T> {
    /// Literal text.
    Text(T),
    /// `?`: exactly one character.
    One,
    /// `*`: any characters, also none.
    Star,
}

/// One element of a template: a piece, or a variable that the request resolves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Fixed(Piece<Box<str>>),
    Variable { key: Box<str>, default: Option<Box<str>> },
}

/// How the text of a document becomes a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// Whether `*` and `?` are wildcards.
    pub(crate) wildcards: bool,
    /// Whether `${..}` is a variable (version 2012-10-17).
    pub(crate) variables: bool,
}

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// Matches everything.
    All,
    /// Exactly this text.
    Exact(Box<str>),
    /// Text that begins so.
    Prefix(Box<str>),
    /// Any mixture of literal text and wildcards.
    Glob(Box<[Piece<Box<str>>]>),
    /// Holds variables: resolved for each request.
    Template(Box<[Part]>),
}

impl Pattern {
    /// Compiles `text`.
    pub(crate) fn new(text: &str, dialect: Dialect) -> Self {
        Self::from_parts(parts(text, dialect))
    }

    /// Compiles a list of parts.
    pub(crate) fn from_parts(parts: Vec<Part>) -> Self {
        let mut fixed = Vec::with_capacity(parts.len());
        for part in &parts {
            match part {
                Part::Fixed(piece) => push_piece(&mut fixed, piece.clone()),
                Part::Variable { .. } => return Self::Template(parts.into()),
            }
        }
        match fixed.as_slice() {
            [] => Self::Exact("".into()),
            [Piece::Star] => Self::All,
            [Piece::Text(text)] => Self::Exact(text.clone()),
            [Piece::Text(text), Piece::Star] => Self::Prefix(text.clone()),
            _ => Self::Glob(fixed.into()),
        }
    }

    /// Whether `text` matches; `None` where a variable cannot be resolved.
    pub(crate) fn matches(&self, text: &str, context: &Context) -> Option<bool> {
        match self {
            Self::Template(parts) => Some(glob(&resolve(parts, context)?, text)),
            fixed => Some(fixed.matches_fixed(text)),
        }
    }

    /// Whether `text` matches a pattern without variables; one with variables matches nothing.
    pub(crate) fn matches_fixed(&self, text: &str) -> bool {
        match self {
            Self::All => true,
            Self::Exact(exact) => **exact == *text,
            Self::Prefix(prefix) => text.starts_with(&**prefix),
            Self::Glob(pieces) => glob(pieces, text),
            Self::Template(_) => false,
        }
    }

    /// As [`Pattern::matches`], ignoring case (full Unicode lower case).
    pub(crate) fn matches_ignore_case(&self, text: &str, context: &Context) -> Option<bool> {
        let lower = |piece: Piece<&str>| match piece {
            Piece::Text(text) => Piece::Text(text.to_lowercase()),
            Piece::One => Piece::One,
            Piece::Star => Piece::Star,
        };
        let pieces = self.resolved(context)?.into_iter().map(lower).collect::<Vec<_>>();
        Some(glob(&pieces, &text.to_lowercase()))
    }

    /// The pieces with every variable resolved; `None` where one cannot be.
    pub(crate) fn resolved<'a>(&'a self, context: &'a Context) -> Option<Vec<Piece<&'a str>>> {
        Some(match self {
            Self::All => vec![Piece::Star],
            Self::Exact(text) => vec![Piece::Text(text)],
            Self::Prefix(text) => vec![Piece::Text(text), Piece::Star],
            Self::Glob(pieces) => pieces.iter().map(borrowed).collect(),
            Self::Template(parts) => resolve(parts, context)?,
        })
    }
}

fn push_piece(pieces: &mut Vec<Piece<Box<str>>>, piece: Piece<Box<str>>) {
    match (pieces.last_mut(), piece) {
        (Some(Piece::Star), Piece::Star) => {}
        (Some(Piece::Text(before)), Piece::Text(text)) => *before = format!("{before}{text}").into(),
        (_, piece) => pieces.push(piece),
    }
}

fn borrowed(piece: &Piece<Box<str>>) -> Piece<&str> {
    match piece {
        Piece::Text(text) => Piece::Text(text),
        Piece::One => Piece::One,
        Piece::Star => Piece::Star,
    }
}

fn resolve<'a>(parts: &'a [Part], context: &'a Context) -> Option<Vec<Piece<&'a str>>> {
    let one = |part: &'a Part| match part {
        Part::Fixed(piece) => Some(borrowed(piece)),
        Part::Variable { key, default } => context.single(key).or(default.as_deref()).map(Piece::Text),
    };
    parts.iter().map(one).collect()
}

/// The keys of the variables in `text`, in lower case.
pub(crate) fn variables(text: &str) -> impl Iterator<Item = Box<str>> {
    let parts = parts(text, Dialect { wildcards: false, variables: true });
    parts.into_iter().filter_map(|part| match part {
        Part::Variable { key, .. } => Some(key),
        Part::Fixed(_) => None,
    })
}

/// Splits `text` into literal text, wildcards and variables.
///
/// `${*}`, `${?}` and `${$}` are the literal characters; `${key}` and `${key, 'default'}` are variables; a `${` without `}` is literal.
pub(crate) fn parts(text: &str, dialect: Dialect) -> Vec<Part> {
    let mut out = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if dialect.variables
            && let Some((inner, after)) = rest.strip_prefix("${").and_then(|r| r.split_once('}'))
        {
            match inner {
                "*" | "?" | "$" => literal.push_str(inner),
                _ => {
                    flush(&mut out, &mut literal);
                    out.push(variable(inner));
                }
            }
            rest = after;
            continue;
        }
        match c {
            '*' | '?' if dialect.wildcards => {
                flush(&mut out, &mut literal);
                out.push(Part::Fixed(if c == '*' { Piece::Star } else { Piece::One }));
            }
            _ => literal.push(c),
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    flush(&mut out, &mut literal);
    out
}

fn flush(out: &mut Vec<Part>, literal: &mut String) {
    if !literal.is_empty() {
        out.push(Part::Fixed(Piece::Text(std::mem::take(literal).into())));
    }
}

fn variable(inner: &str) -> Part {
    let (key, default) = match inner.split_once(',') {
        Some((key, default)) => (key, default.trim().strip_prefix('\'').and_then(|d| d.strip_suffix('\''))),
        None => (inner, None),
    };
    Part::Variable { key: key.trim().to_lowercase().into(), default: default.map(Into::into) }
}

/// Whether the whole `text` matches `pieces`.
///
/// The runs between stars are placed one after the other at their first possible place and never moved again, which is enough
/// for patterns of this language. A run of plain text is found in linear time; a long run with `?` costs a 64th of its length for each
/// character of the text.
pub(crate) fn glob<T: AsRef<str>>(pieces: &[Piece<T>], text: &str) -> bool {
    let mut runs = pieces.split(|p| matches!(p, Piece::Star));
    let Some(head) = runs.next() else {
        return text.is_empty();
    };
    let Some(used) = run_at_start(head, text) else {
        return false;
    };
    let mut rest = text.get(used..).unwrap_or_default();
    let Some(tail) = runs.next_back() else {
        return rest.is_empty();
    };
    for run in runs {
        match find_run(run, rest) {
            Some(end) => rest = rest.get(end..).unwrap_or_default(),
            None => return false,
        }
    }
    run_at_end(tail, rest)
}

/// Bytes of `text` that `run` takes at its start.
fn run_at_start<T: AsRef<str>>(run: &[Piece<T>], text: &str) -> Option<usize> {
    let mut rest = text;
    for piece in run {
        rest = match piece {
            Piece::Text(literal) => rest.strip_prefix(literal.as_ref())?,
            Piece::One => rest.get(rest.chars().next()?.len_utf8()..)?,
            Piece::Star => return None,
        };
    }
    Some(text.len() - rest.len())
}

fn run_at_end<T: AsRef<str>>(run: &[Piece<T>], text: &str) -> bool {
    let mut rest = text;
    for piece in run.iter().rev() {
        let shorter = match piece {
            Piece::Text(literal) => rest.strip_suffix(literal.as_ref()),
            Piece::One => rest.chars().next_back().and_then(|c| rest.get(..rest.len() - c.len_utf8())),
            Piece::Star => None,
        };
        match shorter {
            Some(shorter) => rest = shorter,
            None => return false,
        }
    }
    true
}

/// The end of the first place in `text` where `run` matches.
fn find_run<T: AsRef<str>>(run: &[Piece<T>], text: &str) -> Option<usize> {
    if let [Piece::Text(literal)] = run {
        let literal = literal.as_ref();
        return text.find(literal).map(|at| at + literal.len());
    }
    if run.iter().all(|piece| matches!(piece, Piece::Text(_))) {
        let whole: String =
            run.iter().filter_map(|p| if let Piece::Text(t) = p { Some(t.as_ref()) } else { None }).collect();
        return text.find(&whole).map(|at| at + whole.len());
    }
    let shortest: usize = run.iter().map(|piece| if let Piece::Text(t) = piece { t.as_ref().len() } else { 1 }).sum();
    let last = text.len().checked_sub(shortest)?;
    if shortest.saturating_mul(last) > SIMPLE_WORK_MAX {
        return find_run_by_bits(run, text);
    }
    let starts = text.char_indices().map(|(at, _)| at).chain([text.len()]).take_while(|at| *at <= last);
    starts.into_iter().find_map(|at| run_at_start(run, text.get(at..)?).map(|used| at + used))
}

/// Steps of the simple search with `?` beyond which the search by bits takes over; below, it is the faster of the two.
const SIMPLE_WORK_MAX: usize = 65_536;

/// Shift-and (Baeza-Yates, Gonnet 1992): one bit for each character of the run, so that a hostile run costs its length / 64 for each
/// character of the text.
fn find_run_by_bits<T: AsRef<str>>(run: &[Piece<T>], text: &str) -> Option<usize> {
    let symbols: Vec<Option<char>> = run
        .iter()
        .flat_map(|piece| match piece {
            Piece::Text(t) => t.as_ref().chars().map(Some).collect(),
            Piece::One | Piece::Star => vec![None],
        })
        .collect();
    let words = symbols.len().div_ceil(64);
    let bits = |wanted: Option<char>| {
        let mut mask = vec![0_u64; words];
        for (i, symbol) in symbols.iter().enumerate() {
            if let Some(word) = mask.get_mut(i / 64).filter(|_| symbol.is_none() || *symbol == wanted) {
                *word |= 1 << (i % 64);
            }
        }
        mask
    };
    let any = bits(None);
    let mut masks: HashMap<char, Vec<u64>> = HashMap::new();
    for symbol in symbols.iter().flatten() {
        masks.entry(*symbol).or_insert_with(|| bits(Some(*symbol)));
    }
    let goal = (symbols.len().checked_sub(1)?) % 64;
    let mut alive = vec![0_u64; words];
    for (at, c) in text.char_indices() {
        let mask = masks.get(&c).unwrap_or(&any);
        let mut carry = 1;
        for (word, mask) in alive.iter_mut().zip(mask) {
            let next = (*word << 1) | carry;
            carry = *word >> 63;
            *word = next & mask;
        }
        if alive.last().is_some_and(|word| word >> goal & 1 == 1) {
            return Some(at + c.len_utf8());
        }
    }
    None
}

#[cfg(test)]
mod tests;
