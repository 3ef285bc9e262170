//! The condition operators by name: base operator, negation, set qualifier and `IfExists`.

use std::fmt;

/// What an operator compares, without negation, set qualifier or `IfExists`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OperatorBase {
    /// Exact text.
    StringEquals,
    /// Exact text, ignoring case.
    StringEqualsIgnoreCase,
    /// Text with `*` and `?`.
    StringLike,
    /// Decimal equality.
    NumericEquals,
    /// Decimal order.
    NumericLessThan,
    /// Decimal order or equality.
    NumericLessThanEquals,
    /// Decimal order.
    NumericGreaterThan,
    /// Decimal order or equality.
    NumericGreaterThanEquals,
    /// Instants are the same.
    DateEquals,
    /// Earlier.
    DateLessThan,
    /// Earlier or the same.
    DateLessThanEquals,
    /// Later.
    DateGreaterThan,
    /// Later or the same.
    DateGreaterThanEquals,
    /// `true` or `false`.
    Bool,
    /// Bytes, written in base64.
    BinaryEquals,
    /// An address in a network.
    IpAddress,
    /// An ARN, part by part, with wildcards (`ArnEquals` is the same operator).
    ArnLike,
    /// Whether the key is absent.
    Null,
}

/// The set qualifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cardinality {
    /// None: the key has exactly one value.
    Single,
    /// `ForAnyValue:`
    AnyValue,
    /// `ForAllValues:`
    AllValues,
}

/// A condition operator as written in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Operator {
    /// What is compared.
    pub base: OperatorBase,
    /// Whether the values are a NOR (`StringNotEquals`, `NotIpAddress`, ..).
    pub negated: bool,
    /// The set qualifier.
    pub cardinality: Cardinality,
    /// Whether an absent key counts as a match.
    pub if_exists: bool,
    /// Position in [`NAMES`], to print the name that was written (`ArnEquals` or `ArnLike`).
    name: usize,
}

/// Every base operator name with its meaning.
const NAMES: &[(&str, OperatorBase, bool)] = &[
    ("StringEquals", OperatorBase::StringEquals, false),
    ("StringNotEquals", OperatorBase::StringEquals, true),
    ("StringEqualsIgnoreCase", OperatorBase::StringEqualsIgnoreCase, false),
    ("StringNotEqualsIgnoreCase", OperatorBase::StringEqualsIgnoreCase, true),
    ("StringLike", OperatorBase::StringLike, false),
    ("StringNotLike", OperatorBase::StringLike, true),
    ("NumericEquals", OperatorBase::NumericEquals, false),
    ("NumericNotEquals", OperatorBase::NumericEquals, true),
    ("NumericLessThan", OperatorBase::NumericLessThan, false),
    ("NumericLessThanEquals", OperatorBase::NumericLessThanEquals, false),
    ("NumericGreaterThan", OperatorBase::NumericGreaterThan, false),
    ("NumericGreaterThanEquals", OperatorBase::NumericGreaterThanEquals, false),
    ("DateEquals", OperatorBase::DateEquals, false),
    ("DateNotEquals", OperatorBase::DateEquals, true),
    ("DateLessThan", OperatorBase::DateLessThan, false),
    ("DateLessThanEquals", OperatorBase::DateLessThanEquals, false),
    ("DateGreaterThan", OperatorBase::DateGreaterThan, false),
    ("DateGreaterThanEquals", OperatorBase::DateGreaterThanEquals, false),
    ("Bool", OperatorBase::Bool, false),
    ("BinaryEquals", OperatorBase::BinaryEquals, false),
    ("IpAddress", OperatorBase::IpAddress, false),
    ("NotIpAddress", OperatorBase::IpAddress, true),
    ("ArnEquals", OperatorBase::ArnLike, false),
    ("ArnNotEquals", OperatorBase::ArnLike, true),
    ("ArnLike", OperatorBase::ArnLike, false),
    ("ArnNotLike", OperatorBase::ArnLike, true),
    ("Null", OperatorBase::Null, false),
];

impl Operator {
    /// Every operator without qualifier, in the order of the reference page.
    pub fn bases() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, ..)| *name)
    }

    /// Reads a name such as `ForAnyValue:StringLikeIfExists`; case is ignored. `Null` takes no qualifier.
    pub fn parse(text: &str) -> Option<Self> {
        let (cardinality, rest) = match text.split_once(':') {
            Some((set, rest)) if set.eq_ignore_ascii_case("ForAnyValue") => (Cardinality::AnyValue, rest),
            Some((set, rest)) if set.eq_ignore_ascii_case("ForAllValues") => (Cardinality::AllValues, rest),
            Some(_) => return None,
            None => (Cardinality::Single, text),
        };
        let (rest, if_exists) = match strip_suffix_ignore_case(rest, "IfExists") {
            Some(base) => (base, true),
            None => (rest, false),
        };
        let (name, (_, base, negated)) =
            NAMES.iter().enumerate().find(|(_, (name, ..))| name.eq_ignore_ascii_case(rest))?;
        if *base == OperatorBase::Null && (if_exists || cardinality != Cardinality::Single) {
            return None;
        }
        Some(Self { base: *base, negated: *negated, cardinality, if_exists, name })
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.cardinality {
            Cardinality::Single => "",
            Cardinality::AnyValue => "ForAnyValue:",
            Cardinality::AllValues => "ForAllValues:",
        })?;
        f.write_str(NAMES.get(self.name).map_or("", |(name, ..)| name))?;
        f.write_str(if self.if_exists { "IfExists" } else { "" })
    }
}

fn strip_suffix_ignore_case<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let at = text.len().checked_sub(suffix.len())?;
    let (head, tail) = (text.get(..at)?, text.get(at..)?);
    tail.eq_ignore_ascii_case(suffix).then_some(head)
}
