//! Conditions: typed values compiled from a document, and their evaluation against a request's context.
//!
//! It decides whether one key under one operator holds; which statement that belongs to is the caller's matter.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use ipnet::IpNet;
use rust_decimal::Decimal;
use std::{cmp::Ordering, net::IpAddr};

use crate::{
    arn::{ArnMatch, ArnPattern, SplitArn},
    context::{self, Context},
    document::Condition,
    operator::{Cardinality, Operator, OperatorBase},
    pattern::{Dialect, Pattern},
};

/// A compiled condition.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    /// The key in lower case.
    pub(crate) key: Box<str>,
    operator: Operator,
    multivalued: bool,
    values: Values,
}

#[derive(Clone, Debug)]
enum Values {
    Text(Box<[Pattern]>),
    TextIgnoreCase(Box<[Pattern]>),
    Decimal(Order, Box<[Decimal]>),
    Instant(Order, Box<[i128]>),
    Bool(Box<[bool]>),
    Bytes(Box<[Vec<u8>]>),
    Network(Box<[IpNet]>),
    Arn(Box<[ArnPattern]>),
    /// Whether an absent, and whether a present key matches.
    Null {
        absent: bool,
        present: bool,
    },
}

/// Which orderings of (request, policy) match.
#[derive(Clone, Copy, Debug)]
struct Order(&'static [Ordering]);

impl Order {
    fn of(base: OperatorBase) -> Self {
        use OperatorBase as B;
        Self(match base {
            B::NumericLessThan | B::DateLessThan => &[Ordering::Less],
            B::NumericLessThanEquals | B::DateLessThanEquals => &[Ordering::Less, Ordering::Equal],
            B::NumericGreaterThan | B::DateGreaterThan => &[Ordering::Greater],
            B::NumericGreaterThanEquals | B::DateGreaterThanEquals => &[Ordering::Greater, Ordering::Equal],
            _ => &[Ordering::Equal],
        })
    }

    fn holds<T: Ord>(self, request: &T, policy: &T) -> bool {
        self.0.contains(&request.cmp(policy))
    }
}

/// What a condition says about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It holds.
    Holds,
    /// It does not.
    Fails,
    /// It does not, because the key has no or several values and the operator takes one.
    NotSingle,
    /// It does not, because the request's value is not of the operator's type.
    IllTyped,
}

/// Whether `value` may stand in a document under `operator`; else what was expected.
pub(crate) fn check_value(operator: Operator, value: &str) -> Result<(), &'static str> {
    use OperatorBase as B;
    let (sound, expected) = match operator.base {
        B::StringEquals | B::StringEqualsIgnoreCase | B::StringLike => (true, "text"),
        B::ArnLike => (!value.is_empty(), "an ARN"),
        B::NumericEquals
        | B::NumericLessThan
        | B::NumericLessThanEquals
        | B::NumericGreaterThan
        | B::NumericGreaterThanEquals => (decimal(value).is_some(), "a decimal number"),
        B::DateEquals | B::DateLessThan | B::DateLessThanEquals | B::DateGreaterThan | B::DateGreaterThanEquals => {
            (instant(value).is_some(), "an ISO 8601 date with its zone, or seconds since 1970")
        }
        B::Bool | B::Null => (boolean(value).is_some(), "`true` or `false`"),
        B::BinaryEquals => (BASE64.decode(value).is_ok(), "bytes in base64"),
        B::IpAddress => (network(value).is_some(), "an IP address or a network in CIDR form"),
    };
    if sound { Ok(()) } else { Err(expected) }
}

impl Test {
    /// Compiles a condition whose values were checked when the document was read.
    pub(crate) fn new(condition: &Condition, variables: bool) -> Self {
        let key: Box<str> = condition.key.to_lowercase().into();
        Self {
            operator: condition.operator,
            multivalued: context::is_multivalued(&key),
            key,
            values: Values::new(condition.operator.base, &condition.values, variables),
        }
    }

    /// Evaluates the condition.
    pub(crate) fn verdict(&self, context: &Context) -> Verdict {
        let found = context.lower(&self.key);
        if let Values::Null { absent, present } = self.values {
            return holds(if found.is_some() { present } else { absent });
        }
        let Some(found) = found else { return holds(self.holds_when_absent()) };
        match self.operator.cardinality {
            Cardinality::Single => match found {
                [only] if !self.multivalued => self.one(only, context),
                _ => Verdict::NotSingle,
            },
            Cardinality::AnyValue => self.any(found, context),
            Cardinality::AllValues => self.all(found, context),
        }
    }

    fn holds_when_absent(&self) -> bool {
        match self.operator.cardinality {
            Cardinality::Single => self.operator.if_exists || self.operator.negated,
            Cardinality::AnyValue => false,
            Cardinality::AllValues => true,
        }
    }

    fn any(&self, found: &[String], context: &Context) -> Verdict {
        if is_null_set(found) {
            return Verdict::Fails;
        }
        let mut answer = Verdict::Fails;
        for value in found {
            match self.one(value, context) {
                Verdict::Holds => return Verdict::Holds,
                Verdict::Fails => {}
                other => answer = other,
            }
        }
        answer
    }

    fn all(&self, found: &[String], context: &Context) -> Verdict {
        if is_null_set(found) {
            return Verdict::Holds;
        }
        let verdicts = found.iter().map(|value| self.one(value, context));
        verdicts.into_iter().find(|v| *v != Verdict::Holds).unwrap_or(Verdict::Holds)
    }

    fn one(&self, value: &str, context: &Context) -> Verdict {
        match self.values.contain(value, context) {
            None => Verdict::IllTyped,
            Some(matched) => holds(matched != self.operator.negated),
        }
    }
}

/// No value, or only empty text: then `ForAllValues` holds and `ForAnyValue` does not, whatever they compare (IAM user guide, "Set
/// operators for multivalued context keys").
fn is_null_set(found: &[String]) -> bool {
    found.iter().all(String::is_empty)
}

fn holds(yes: bool) -> Verdict {
    if yes { Verdict::Holds } else { Verdict::Fails }
}

impl Values {
    fn new(base: OperatorBase, values: &[String], variables: bool) -> Self {
        use OperatorBase as B;
        let patterns = |wildcards| {
            let dialect = Dialect { wildcards, variables };
            values.iter().map(|v| Pattern::new(v, dialect)).collect()
        };
        match base {
            B::StringEquals => Self::Text(patterns(false)),
            B::StringLike => Self::Text(patterns(true)),
            B::StringEqualsIgnoreCase => Self::TextIgnoreCase(patterns(false)),
            B::NumericEquals
            | B::NumericLessThan
            | B::NumericLessThanEquals
            | B::NumericGreaterThan
            | B::NumericGreaterThanEquals => {
                Self::Decimal(Order::of(base), values.iter().filter_map(|v| decimal(v)).collect())
            }
            B::DateEquals | B::DateLessThan | B::DateLessThanEquals | B::DateGreaterThan | B::DateGreaterThanEquals => {
                Self::Instant(Order::of(base), values.iter().filter_map(|v| instant(v)).collect())
            }
            B::Bool => Self::Bool(values.iter().filter_map(|v| boolean(v)).collect()),
            B::BinaryEquals => Self::Bytes(values.iter().filter_map(|v| BASE64.decode(v).ok()).collect()),
            B::IpAddress => Self::Network(values.iter().filter_map(|v| network(v)).collect()),
            B::ArnLike => Self::Arn(values.iter().map(|v| ArnPattern::condition(v, variables)).collect()),
            B::Null => {
                let has = |wanted| values.iter().any(|v| boolean(v) == Some(wanted));
                Self::Null { absent: has(true), present: has(false) }
            }
        }
    }

    /// Whether any of the document's values matches; `None` where the request's value is of the wrong type.
    /// A policy variable without a value matches nothing, so that a negated operator then holds.
    fn contain(&self, value: &str, context: &Context) -> Option<bool> {
        Some(match self {
            Self::Text(patterns) => patterns.iter().any(|p| p.matches(value, context) == Some(true)),
            Self::TextIgnoreCase(patterns) => {
                patterns.iter().any(|p| p.matches_ignore_case(value, context) == Some(true))
            }
            Self::Decimal(order, values) => {
                let number = decimal(value)?;
                values.iter().any(|v| order.holds(&number, v))
            }
            Self::Instant(order, values) => {
                let at = instant(value)?;
                values.iter().any(|v| order.holds(&at, v))
            }
            Self::Bool(values) => values.contains(&boolean(value)?),
            Self::Bytes(values) => values.contains(&BASE64.decode(value).ok()?),
            Self::Network(networks) => {
                let address = address(value)?;
                networks.iter().any(|n| n.contains(&address))
            }
            Self::Arn(patterns) => {
                let arn = SplitArn::new(value);
                if !arn.is_arn() {
                    return None;
                }
                patterns.iter().any(|p| p.matches(&arn, context) == ArnMatch::Yes)
            }
            Self::Null { .. } => return None,
        })
    }
}

/// A decimal number, also in scientific form. Never a binary float: `0.1 + 0.2` must not creep in.
fn decimal(text: &str) -> Option<Decimal> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'));
    if !plain || !text.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text)).ok().map(|d| d.normalize())
}

fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Nanoseconds since 1970 from seconds, or from the W3C profile of ISO 8601 (a year alone reads as seconds, as AWS documents).
fn instant(text: &str) -> Option<i128> {
    const NANOS: i128 = 1_000_000_000;
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse::<i64>().ok().map(|seconds| i128::from(seconds) * NANOS);
    }
    if text.len() == 7 {
        return day(&format!("{text}-01"));
    }
    if text.len() == 10 {
        return day(text);
    }
    // No annotations: a time zone's name would have to be looked up.
    let plain = |b: u8| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b':' | b'.' | b'T' | b'Z');
    if !text.bytes().all(plain) {
        return None;
    }
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_nanosecond)
}

fn day(text: &str) -> Option<i128> {
    let date: jiff::civil::Date = text.parse().ok()?;
    let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(midnight.timestamp().as_nanosecond())
}

/// An address; an IPv4 address that is written as IPv6 (`::ffff:10.0.0.1`) is the IPv4 address, so that no network is evaded by spelling.
fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().map(|a: IpAddr| a.to_canonical())
}

/// A network, or a bare address as a network of one host. Host bits in the address are ignored.
fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| address(text).map(IpNet::from))
}

/// A number from every region that the literals cut out: each literal, between neighbours, below and above all.
pub(crate) fn around_numbers(literals: &[&str]) -> Vec<String> {
    let mut numbers: Vec<Decimal> = literals.iter().filter_map(|l| decimal(l)).collect();
    numbers.sort();
    // Halved before they are added, so that the largest numbers do not overflow.
    let half = |n: &Decimal| n.checked_div(Decimal::TWO);
    let between =
        numbers.iter().zip(numbers.iter().skip(1)).filter_map(|(a, b)| half(a).zip(half(b))?.0.checked_add(half(b)?));
    let below = numbers.first().and_then(|n| n.checked_sub(Decimal::ONE));
    let above = numbers.last().and_then(|n| n.checked_add(Decimal::ONE));
    let all = between.chain(below).chain(above).chain(numbers.iter().copied());
    all.map(|n| n.to_string()).collect()
}

/// A date from every region that the literals cut out.
pub(crate) fn around_dates(literals: &[&str]) -> Vec<String> {
    let mut instants: Vec<i128> = literals.iter().filter_map(|l| instant(l)).collect();
    instants.sort_unstable();
    const DAY: i128 = 86_400_000_000_000;
    let between = instants.iter().zip(instants.iter().skip(1)).map(|(a, b)| a + (b - a) / 2);
    let ends = instants.first().map(|i| i - DAY).into_iter().chain(instants.last().map(|i| i + DAY));
    let all = between.chain(ends).chain(instants.iter().copied());
    all.filter_map(|i| jiff::Timestamp::from_nanosecond(i).ok()).map(|t| t.to_string()).collect()
}

/// An address from every region that the networks cut out. Networks are nested or disjoint, so the first address of each and the
/// one after its last are enough.
pub(crate) fn around_networks(literals: &[&str]) -> Vec<String> {
    let after = |last: IpAddr| match last {
        IpAddr::V4(a) => u32::from(a).checked_add(1).map(|n| IpAddr::V4(n.into())),
        IpAddr::V6(a) => u128::from(a).checked_add(1).map(|n| IpAddr::V6(n.into())),
    };
    let mut out = vec!["0.0.0.0".to_owned(), "::".to_owned()];
    for net in literals.iter().filter_map(|l| network(l)) {
        out.push(net.network().to_string());
        out.extend(after(net.broadcast()).map(|a| a.to_string()));
    }
    out
}

#[cfg(test)]
mod tests;
