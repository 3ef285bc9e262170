//! Patterns against a slow matcher, and hostile input.

use super::*;
use proptest::prelude::*;

const LIKE: Dialect = Dialect { wildcards: true, variables: true };

fn like(pattern: &str, text: &str) -> bool {
    Pattern::new(pattern, LIKE).matches(text, &Context::new()).unwrap_or(false)
}

/// Textbook dynamic programme over characters: obviously right, slow.
fn slow(pattern: &[char], text: &[char]) -> bool {
    let mut row = vec![false; text.len() + 1];
    row[0] = true;
    for p in pattern {
        let mut next = vec![false; text.len() + 1];
        next[0] = row[0] && *p == '*';
        for (i, t) in text.iter().enumerate() {
            next[i + 1] = match p {
                '*' => row[i + 1] || next[i],
                '?' => row[i],
                _ => row[i] && p == t,
            };
        }
        row = next;
    }
    row[text.len()]
}

#[test]
fn wildcards() {
    for (pattern, text, want) in [
        ("*", "", true),
        ("", "", true),
        ("", "a", false),
        ("a*", "a", true),
        ("a*", "b", false),
        ("*a", "ba", true),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("?", "ø", true),
        ("*:ab:*", ":xx:ab:", true),
        ("*:ab:*", "xabx", false),
        ("a*b*c", "a--b--c", true),
        ("a*b*c", "a--c--b", false),
        ("ab*ba", "aba", false),
        ("***", "x", true),
        ("*?", "", false),
        ("?*?", "ab", true),
        ("a.c", "abc", false),
    ] {
        assert_eq!(like(pattern, text), want, "{pattern} on {text}");
    }
}

#[test]
fn escapes_are_literal() {
    assert!(like("a${*}b", "a*b"));
    assert!(!like("a${*}b", "axb"));
    assert!(like("a${?}", "a?"));
    assert!(!like("a${?}", "ax"));
    assert!(like("${$}{x}", "${x}"));
    assert!(like("a${b", "a${b"), "an unclosed brace is literal");
}

#[test]
fn what_a_variable_brings_is_literal() {
    let context = Context::new().with("aws:username", "*");
    let pattern = Pattern::new("home/${aws:UserName}/*", LIKE);
    assert_eq!(pattern.matches("home/*/x", &context), Some(true));
    assert_eq!(pattern.matches("home/alice/x", &context), Some(false));
    let nested = Context::new().with("aws:username", "${aws:userid}").with("aws:userid", "u");
    assert_eq!(pattern.matches("home/u/x", &nested), Some(false), "a value is never expanded again");
}

#[test]
fn defaults_and_unresolved_variables() {
    let with = Pattern::new("${aws:PrincipalTag/team, 'no team'}", LIKE);
    assert_eq!(with.matches("no team", &Context::new()), Some(true));
    assert_eq!(with.matches("red", &Context::new().with("AWS:principaltag/TEAM", "red")), Some(true));
    assert_eq!(Pattern::new("${aws:x}", LIKE).matches("", &Context::new()), None);
    let many = Context::new().with_all("aws:x", ["a", "b"]);
    assert_eq!(Pattern::new("${aws:x}", LIKE).matches("a", &many), None, "a multi-valued key is no variable");
    let known = Context::new().with("aws:TagKeys", "a");
    assert_eq!(Pattern::new("${aws:TagKeys}", LIKE).matches("a", &known), None);
}

#[test]
fn hostile_patterns_take_little_work() {
    let text = "a".repeat(20_000);
    for pattern in
        ["a*".repeat(2_000) + "b", "*a".repeat(2_000) + "b", "*".repeat(5_000) + "b", "?*".repeat(2_000) + "b"]
    {
        assert!(!like(&pattern, &text));
    }
    assert!(!like(&("*".to_owned() + &"a?".repeat(8_000) + "b*"), &"a".repeat(40_000)));
    let near = "a".repeat(5_000) + "bc" + &"a".repeat(5_000);
    assert!(like(&("*".to_owned() + &"a?".repeat(500) + "b?*a"), &near));
}

proptest! {
    #[test]
    fn as_the_slow_matcher(pattern in "[ab*?ø]{0,12}", text in "[abø]{0,14}") {
        let want = slow(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>());
        prop_assert_eq!(like(&pattern, &text), want);
    }

    #[test]
    fn both_searches_agree(run in "[ab?ø]{1,80}", text in "[abø]{0,200}") {
        let Pattern::Glob(pieces) = Pattern::new(&format!("*?{run}*"), LIKE) else { return Ok(()) };
        let run = &pieces[1..pieces.len() - 1];
        let simple = text.char_indices().map(|(at, _)| at).chain([text.len()])
            .find_map(|at| run_at_start(run, text.split_at(at).1).map(|used| at + used));
        prop_assert_eq!(find_run_by_bits(run, &text), simple);
    }

    #[test]
    fn a_substituted_value_matches_only_itself(value in "[a*?${}]{1,8}", other in "[a*?${}]{1,8}") {
        let context = Context::new().with("k", value.clone());
        let got = Pattern::new("x${k}", LIKE).matches(&format!("x{other}"), &context);
        prop_assert_eq!(got, Some(value == other));
    }
}
