//! Whether any request can meet all conditions on one key.
//!
//! Text is decided exactly, by walking the product of the patterns as automata; numbers, dates, booleans and networks by trying a
//! value from every region that their literals cut out. Where something cannot be decided (variables, ARN complements, too many
//! states) the answer is "can be met", so a finding is never wrong.

use std::collections::{BTreeSet, HashSet, VecDeque};

use super::{Finding, LintCode, finding};
use crate::{
    condition::{self, Test, Verdict},
    context::Context,
    document::{Condition, Statement, Version},
    operator::{Cardinality, OperatorBase},
    pattern::{Dialect, Part, Piece, parts},
};

/// Automaton positions that are stepped for one key before the answer is "can be met"; real documents need a few thousand, and a
/// hostile one costs well under a second.
const WORK_MAX: usize = 500_000;

/// Pattern characters of one key beyond which nothing is decided: bounds the size of one state.
const CHARACTERS_MAX: usize = 4_096;

pub(super) fn lint(statement: &Statement, version: Version, findings: &mut Vec<Finding>) {
    let keys: BTreeSet<String> = statement.conditions.iter().map(|c| c.key.to_lowercase()).collect();
    for key in keys {
        let on_key: Vec<&Condition> = statement.conditions.iter().filter(|c| c.key.to_lowercase() == key).collect();
        if !can_be_met(&on_key, version) {
            findings.push(unsatisfiable(&on_key));
        }
    }
}

fn unsatisfiable(on_key: &[&Condition]) -> Finding {
    let key = on_key.first().map_or("", |c| c.key.as_str());
    let said: Vec<String> = on_key.iter().map(|c| format!("{} {}", c.operator, quoted(&c.values))).collect();
    let forbids_all = on_key.iter().find(|c| c.operator.negated && c.values.iter().any(|v| v == "*"));
    let mend = match forbids_all {
        Some(c) => format!(
            "drop the {} `*`: it refuses every value, and the positive operator already fails where `{key}` is absent; to say that the \
             key must be there, write \"Null\": {{\"{key}\": \"false\"}}",
            c.operator
        ),
        None => "the conditions of one statement must hold together: put alternatives into one list of values, or into two statements"
            .to_owned(),
    };
    finding(
        LintCode::Unsatisfiable,
        format!("no request can meet {} on `{key}` together, so the statement never applies", said.join(" and ")),
        mend,
    )
}

fn quoted(values: &[String]) -> String {
    values.iter().map(|v| format!("`{v}`")).collect::<Vec<_>>().join(", ")
}

fn can_be_met(conditions: &[&Condition], version: Version) -> bool {
    let tests: Vec<Test> = conditions.iter().map(|c| Test::new(c, version == Version::V2012)).collect();
    if tests.iter().all(|t| t.verdict(&Context::new()) == Verdict::Holds) {
        return true;
    }
    // With a value. Set operators look at several: each ForAnyValue needs one that also meets every ForAllValues.
    if conditions
        .iter()
        .any(|c| c.operator.base == OperatorBase::Null && !c.values.iter().any(|v| v.eq_ignore_ascii_case("false")))
    {
        return false;
    }
    let on_values: Vec<&Condition> =
        conditions.iter().copied().filter(|c| c.operator.base != OperatorBase::Null).collect();
    let has = |wanted: Cardinality| on_values.iter().any(|c| c.operator.cardinality == wanted);
    if !has(Cardinality::AnyValue) && !has(Cardinality::AllValues) {
        return one_value(&on_values, version);
    }
    if has(Cardinality::Single) {
        return true;
    }
    let all: Vec<&Condition> =
        on_values.iter().copied().filter(|c| c.operator.cardinality == Cardinality::AllValues).collect();
    on_values
        .iter()
        .filter(|c| c.operator.cardinality == Cardinality::AnyValue)
        .all(|any| one_value(&[&[*any], all.as_slice()].concat(), version))
}

/// Whether one value can meet all conditions. Each family of operators is looked at by itself.
fn one_value(conditions: &[&Condition], version: Version) -> bool {
    let of = |family: Family| -> Vec<&Condition> {
        conditions.iter().copied().filter(|c| Family::of(c.operator.base) == family).collect()
    };
    text_can_be_met(&of(Family::Text), version)
        && [Family::Number, Family::Date, Family::Bool, Family::Address].iter().all(|family| {
            let members = of(*family);
            members.is_empty() || some_candidate(&members, *family)
        })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Text,
    Number,
    Date,
    Bool,
    Address,
    Other,
}

impl Family {
    fn of(base: OperatorBase) -> Self {
        use OperatorBase as B;
        match base {
            B::StringEquals | B::StringEqualsIgnoreCase | B::StringLike | B::ArnLike => Self::Text,
            B::NumericEquals
            | B::NumericLessThan
            | B::NumericLessThanEquals
            | B::NumericGreaterThan
            | B::NumericGreaterThanEquals => Self::Number,
            B::DateEquals | B::DateLessThan | B::DateLessThanEquals | B::DateGreaterThan | B::DateGreaterThanEquals => {
                Self::Date
            }
            B::Bool => Self::Bool,
            B::IpAddress => Self::Address,
            B::BinaryEquals | B::Null => Self::Other,
        }
    }
}

/// Tries a value from every region between the literals.
fn some_candidate(conditions: &[&Condition], family: Family) -> bool {
    let literals: Vec<&str> = conditions.iter().flat_map(|c| c.values.iter().map(String::as_str)).collect();
    let candidates = match family {
        Family::Number => condition::around_numbers(&literals),
        Family::Date => condition::around_dates(&literals),
        Family::Address => condition::around_networks(&literals),
        _ => vec!["true".to_owned(), "false".to_owned()],
    };
    let single = |c: &&Condition| {
        let mut operator = c.operator;
        operator.cardinality = Cardinality::Single;
        Test::new(&Condition { operator, key: "k".to_owned(), values: c.values.clone() }, false)
    };
    let tests: Vec<Test> = conditions.iter().map(single).collect();
    candidates.iter().any(|value| {
        let context = Context::new().with("k", value.as_str());
        tests.iter().all(|t| t.verdict(&context) == Verdict::Holds)
    })
}

/// One character of a pattern, as an automaton edge.
#[derive(Clone, Copy, PartialEq)]
enum Edge {
    Is(char),
    Fold(char),
    Any,
    Loop,
}

/// A condition as patterns; it is met if some pattern matches (or none, when negated).
struct Automaton {
    negated: bool,
    patterns: Vec<Vec<Edge>>,
}

/// Positions that are alive, by condition, pattern and position.
type State = Vec<BTreeSet<(usize, usize)>>;

fn text_can_be_met(conditions: &[&Condition], version: Version) -> bool {
    let automata: Vec<Automaton> = conditions.iter().map(|c| automaton(c, version)).collect();
    let all = |pattern: &Vec<Edge>| !pattern.is_empty() && pattern.iter().all(|edge| *edge == Edge::Loop);
    if automata.iter().any(|a| a.negated && a.patterns.iter().any(all)) {
        return false;
    }
    let size: usize = automata.iter().flat_map(|a| &a.patterns).map(Vec::len).sum();
    if size > CHARACTERS_MAX {
        return true;
    }
    let alphabet = alphabet(&automata);
    let start: State = automata.iter().map(|a| closure(a, (0..a.patterns.len()).map(|p| (p, 0)))).collect();
    let mut seen = HashSet::from([start.clone()]);
    let mut queue = VecDeque::from([start]);
    let mut work = 0;
    while let Some(state) = queue.pop_front() {
        if automata.iter().zip(&state).all(|(a, alive)| accepts(a, alive) != a.negated) {
            return true;
        }
        for symbol in &alphabet {
            let next: State = automata.iter().zip(&state).map(|(a, alive)| step(a, alive, *symbol)).collect();
            work += 1 + next.iter().map(BTreeSet::len).sum::<usize>();
            let dead = automata.iter().zip(&next).any(|(a, alive)| !a.negated && alive.is_empty());
            if !dead && seen.insert(next.clone()) {
                queue.push_back(next);
            }
        }
        if work > WORK_MAX {
            return true;
        }
    }
    false
}

/// A variable is any text when it has to match, and no text when it must not.
fn automaton(condition: &Condition, version: Version) -> Automaton {
    let operator = condition.operator;
    let wildcards = matches!(operator.base, OperatorBase::StringLike | OperatorBase::ArnLike);
    let dialect = Dialect { wildcards, variables: version == Version::V2012 };
    let fold = operator.base == OperatorBase::StringEqualsIgnoreCase;
    let edges = |text: &str| -> Option<Vec<Edge>> {
        let mut out = Vec::new();
        for part in parts(text, dialect) {
            match part {
                Part::Fixed(Piece::Star) => out.push(Edge::Loop),
                Part::Fixed(Piece::One) => out.push(Edge::Any),
                Part::Fixed(Piece::Text(t)) => {
                    out.extend(t.chars().map(|c| if fold { Edge::Fold(c) } else { Edge::Is(c) }))
                }
                Part::Variable { .. } if operator.negated => return None,
                Part::Variable { .. } => out.push(Edge::Loop),
            }
        }
        Some(out)
    };
    // An ARN pattern is matched part by part: as plain text it says more than it means, which is only safe where it has to match.
    let undecided = operator.negated && operator.base == OperatorBase::ArnLike;
    let values: &[String] = if undecided { &[] } else { &condition.values };
    Automaton { negated: operator.negated, patterns: values.iter().filter_map(|v| edges(v)).collect() }
}

/// Every character that some pattern names, in both cases where case is ignored, and one that none names.
fn alphabet(automata: &[Automaton]) -> Vec<char> {
    let mut symbols = BTreeSet::new();
    for edge in automata.iter().flat_map(|a| &a.patterns).flatten() {
        match edge {
            Edge::Is(c) => {
                symbols.insert(*c);
            }
            Edge::Fold(c) => symbols.extend(c.to_lowercase().chain(c.to_uppercase()).chain([*c])),
            Edge::Any | Edge::Loop => {}
        }
    }
    let other = ('\u{e000}'..='\u{f8ff}').find(|c| !symbols.contains(c));
    symbols.into_iter().chain(other).collect()
}

fn closure(a: &Automaton, from: impl IntoIterator<Item = (usize, usize)>) -> BTreeSet<(usize, usize)> {
    let mut alive = BTreeSet::new();
    for (pattern, mut at) in from {
        alive.insert((pattern, at));
        while a.patterns.get(pattern).and_then(|edges| edges.get(at)) == Some(&Edge::Loop) {
            at += 1;
            alive.insert((pattern, at));
        }
    }
    alive
}

fn step(a: &Automaton, alive: &BTreeSet<(usize, usize)>, symbol: char) -> BTreeSet<(usize, usize)> {
    let moved = alive.iter().filter_map(|(pattern, at)| {
        let next = match a.patterns.get(*pattern)?.get(*at)? {
            Edge::Loop => *at,
            Edge::Any => at + 1,
            Edge::Is(c) if *c == symbol => at + 1,
            Edge::Fold(c) if c.to_lowercase().eq(symbol.to_lowercase()) => at + 1,
            Edge::Is(_) | Edge::Fold(_) => return None,
        };
        Some((*pattern, next))
    });
    closure(a, moved)
}

fn accepts(a: &Automaton, alive: &BTreeSet<(usize, usize)>) -> bool {
    alive.iter().any(|(pattern, at)| a.patterns.get(*pattern).is_some_and(|edges| edges.len() == *at))
}
