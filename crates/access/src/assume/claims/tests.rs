//! Both forms, their agreement, and every shape that is refused.

use super::*;
use serde_json::json;

fn read(value: Value) -> Result<AwsClaims, Code> {
    AwsClaims::read(value.as_object().unwrap()).map_err(|fault| fault.code)
}

fn tag(key: &str, value: &str) -> Tag {
    Tag { key: key.into(), value: value.into() }
}

#[test]
fn the_nested_and_the_flat_form_say_the_same() {
    let nested = json!({TAGS: {"principal_tags": {"Cost": ["42"], "Team": ["x"]}, "transitive_tag_keys": ["Cost"]}});
    let flat = json!({
        "https://aws.amazon.com/tags/principal_tags/Cost": "42",
        "https://aws.amazon.com/tags/principal_tags/Team": ["x"],
        "https://aws.amazon.com/tags/transitive_tag_keys": ["cost"],
    });
    let a = read(nested.clone()).unwrap();
    assert_eq!(a.tags, [tag("Cost", "42"), tag("Team", "x")]);
    let b = read(flat.clone()).unwrap();
    assert_eq!((a.tags.clone(), &b.transitive[..]), (b.tags, &["cost".to_owned()][..]));
    let mut both = nested.as_object().unwrap().clone();
    both.extend(flat.as_object().unwrap().clone());
    let both = read(Value::Object(both)).unwrap();
    assert_eq!((both.tags.len(), both.transitive.len()), (2, 1), "the same in both forms is one tag");
}

#[test]
fn identity_and_roles_are_read_as_literals() {
    let claims = read(json!({SOURCE_IDENTITY: "a*n", ROLES: "arn:aws:iam::1:role/*", "sub": "x"})).unwrap();
    assert_eq!(claims.source_identity.as_deref(), Some("a*n"));
    assert_eq!(claims.roles.as_deref(), Some(&["arn:aws:iam::1:role/*".to_owned()][..]));
    assert_eq!(read(json!({ROLES: []})).unwrap().roles, Some(vec![]), "an empty list allows no role");
    assert_eq!(read(json!({})).unwrap(), AwsClaims::default());
}

#[test]
fn other_shapes_are_refused() {
    let refused = [
        (json!({TAGS: "x"}), Code::InvalidIdentityToken),
        (json!({TAGS: {"principal_tags": ["a"]}}), Code::InvalidIdentityToken),
        (json!({TAGS: {"principal_tags": {"a": ["1", "2"]}}}), Code::InvalidIdentityToken),
        (json!({TAGS: {"principal_tags": {"a": []}}}), Code::InvalidIdentityToken),
        (json!({TAGS: {"principal_tags": {"a": [1]}}}), Code::InvalidIdentityToken),
        (json!({TAGS: {"principal_tags": {"a": "1", "A": "2"}}}), Code::InvalidIdentityToken),
        (json!({TAGS: {"admin": true}}), Code::InvalidIdentityToken),
        (json!({TAGS: {"transitive_tag_keys": ["absent"]}}), Code::InvalidIdentityToken),
        (json!({SOURCE_IDENTITY: ["ann"]}), Code::InvalidIdentityToken),
        (json!({ROLES: {"a": 1}}), Code::InvalidIdentityToken),
        (json!({TAGS: {"principal_tags": {"aws:x": "1"}}}), Code::ValidationError),
        (json!({TAGS: {"principal_tags": {"": "1"}}}), Code::ValidationError),
        (json!({TAGS: {"principal_tags": {"a": "1*"}}}), Code::ValidationError),
        (json!({TAGS: {"principal_tags": {"a": "x".repeat(257)}}}), Code::ValidationError),
        (json!({TAGS: {"principal_tags": {"k".repeat(129): "x"}}}), Code::ValidationError),
    ];
    for (claims, code) in refused {
        assert_eq!(read(claims.clone()), Err(code), "{claims}");
    }
    let many: Map<String, Value> = (0..51).map(|n| (format!("k{n}"), json!("v"))).collect();
    assert_eq!(read(json!({TAGS: {"principal_tags": many}})), Err(Code::ValidationError));
}
