//! Group codes in tag conditions: written `:code:code:`, matched `*:code:*`.

use super::{Finding, LintCode, LintOptions, finding};
use crate::{
    document::{Condition, Statement},
    operator::OperatorBase,
};

/// The tag that carries group codes unless the caller names others; shards are `GroupHash2`, `GroupHash3`, ..
const CODE_TAG: &str = "GroupHash";

/// The separator that stands before, between and after codes.
const SEPARATOR: char = ':';

pub(super) fn lint(statement: &Statement, options: &LintOptions<'_>, findings: &mut Vec<Finding>) {
    for condition in statement.conditions.iter().filter(|c| carries_codes(c, options)) {
        for value in &condition.values {
            check(condition, value, options, findings);
        }
    }
}

fn carries_codes(condition: &Condition, options: &LintOptions<'_>) -> bool {
    let key = condition.key.to_lowercase();
    let tag = key.strip_prefix("aws:requesttag/").or_else(|| key.strip_prefix("aws:principaltag/"));
    let text = matches!(
        condition.operator.base,
        OperatorBase::StringEquals | OperatorBase::StringEqualsIgnoreCase | OperatorBase::StringLike
    );
    let Some(tag) = tag.filter(|_| text) else { return false };
    if options.code_tags.is_empty() {
        let shard = tag.strip_prefix(&CODE_TAG.to_lowercase());
        return shard.is_some_and(|shard| shard.bytes().all(|b| b.is_ascii_digit()));
    }
    options.code_tags.iter().any(|name| name.to_lowercase() == tag)
}

fn check(condition: &Condition, value: &str, options: &LintOptions<'_>, findings: &mut Vec<Finding>) {
    if value.contains("${") {
        return;
    }
    let like = condition.operator.base == OperatorBase::StringLike;
    let edge = |c: char| c == SEPARATOR || (like && (c == '*' || c == '?'));
    for code in value.split(edge).filter(|code| !code.is_empty()) {
        if like && !is_anchored(value, code) {
            findings.push(finding(
                LintCode::UnanchoredCode,
                format!("`{value}` also matches where `{code}` is part of another code or spans two"),
                format!("write `*{SEPARATOR}{code}{SEPARATOR}*`, and write the tag as `{SEPARATOR}code{SEPARATOR}code{SEPARATOR}`"),
            ));
        }
        registered(code, options, findings);
    }
}

/// Whether every place of `code` in `value` has the separator on both sides.
fn is_anchored(value: &str, code: &str) -> bool {
    let at = |i: usize| value.get(..i).and_then(|before| before.chars().next_back()) == Some(SEPARATOR);
    value.match_indices(code).all(|(i, _)| {
        let after = value.get(i + code.len()..).and_then(|rest| rest.chars().next());
        at(i) && after == Some(SEPARATOR)
    })
}

fn registered(code: &str, options: &LintOptions<'_>, findings: &mut Vec<Finding>) {
    if options.retired_group_codes.is_some_and(|retired| retired.contains(code)) {
        findings.push(finding(
            LintCode::RetiredGroupCode,
            format!("the group code `{code}` is retired: nobody carries it any more"),
            "remove the condition's value, or name the code of the group that took its place",
        ));
    } else if options.known_group_codes.is_some_and(|known| !known.contains(code)) {
        findings.push(finding(
            LintCode::UnknownGroupCode,
            format!("no group has the code `{code}`"),
            "name a code that is in use",
        ));
    }
}
