//! Rules match as S3's do; nothing else is allowed.

use super::*;

fn rule(origins: &[&str], methods: &[&str], headers: &[&str]) -> Rule {
    let owned = |list: &[&str]| list.iter().map(|entry| (*entry).to_owned()).collect();
    Rule { origins: owned(origins), methods: owned(methods), headers: owned(headers), ..Rule::default() }
}

fn ask<'a>(origin: &'a str, method: &'a str, headers: &[&str]) -> Ask<'a> {
    Ask { origin, method, headers: headers.iter().map(|name| (*name).to_owned()).collect() }
}

#[test]
fn origin_method_and_every_header_must_match() {
    let rules = [rule(&["https://*.example.com"], &["GET", "PUT"], &["Content-Type", "x-amz-*"])];
    let found = |origin, method, headers: &[&str]| find(&rules, &ask(origin, method, headers)).is_some();
    assert!(found("https://a.example.com", "GET", &[]));
    assert!(found("https://a.example.com", "PUT", &["content-type", "x-amz-date"]));
    assert!(!found("https://a.example.com", "PUT", &["content-type", "authorization"]));
    assert!(!found("https://a.example.com", "DELETE", &[]));
    assert!(!found("https://example.com", "GET", &[]));
    assert!(!found("https://a.example.com.evil.test", "GET", &[]));
    assert!(!found("null", "GET", &[]));
}

#[test]
fn a_specific_origin_is_repeated_and_a_star_is_not_widened() {
    let mut out = HeaderMap::new();
    let specific = rule(&["https://a.test"], &["GET"], &[]);
    allow(&specific, &ask("https://a.test", "GET", &[]), &mut out);
    assert_eq!(out.get("access-control-allow-origin").unwrap(), "https://a.test");
    assert!(out.get("access-control-allow-credentials").is_none());
    assert!(out.get("vary").is_some());
}

#[test]
fn unsound_rules_are_refused() {
    assert!(check(&[]).is_err());
    assert!(check(&[rule(&["*"], &[], &[])]).is_err());
    assert!(check(&[rule(&["*.*"], &["GET"], &[])]).is_err());
    assert!(check(&[rule(&["*"], &["PATCH"], &[])]).is_err());
    assert!(check(&[rule(&["*"], &["GET"], &["*"])]).is_ok());
    let long = Rule { max_age_seconds: Some(86_401), ..rule(&["*"], &["GET"], &[]) };
    assert!(check(&[long]).is_err());
}
