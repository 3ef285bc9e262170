//! What counts as the version that was read.

use super::*;

fn expecting(value: &str) -> Option<Vec<String>> {
    let headers = HeaderMap::from_iter([(header::IF_MATCH, HeaderValue::from_str(value).unwrap())]);
    expected(&headers).unwrap().map(|all| all.iter().map(ToString::to_string).collect())
}

#[test]
fn if_match_names_versions_and_nothing_weak_or_foreign_matches() {
    let (a, b) = ("0123456789abcdef01234567", "89abcdef0123456789abcdef");
    assert_eq!(expected(&HeaderMap::new()).unwrap(), None);
    assert_eq!(expecting("*"), None);
    assert_eq!(expecting(&format!("\"{a}-0011\"")), Some(vec![a.to_owned()]));
    assert_eq!(expecting(&format!("\"{a}-0011\" , \"{b}-22\"")), Some(vec![a.to_owned(), b.to_owned()]));
    for nothing in [format!("W/\"{a}-0011\""), format!("{a}-0011"), "\"x\"".to_owned(), "\"\"".to_owned()] {
        assert_eq!(expecting(&nothing), Some(Vec::new()), "{nothing}");
    }
}
