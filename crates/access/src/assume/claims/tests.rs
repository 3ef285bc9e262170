//! Both forms, their agreement, and every shape that is refused.

use super::*;
use proptest::prelude::*;
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

fn any_json() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("principal_tags".to_owned()),
        Just("transitive_tag_keys".to_owned()),
        Just("a".to_owned()),
        Just("A".to_owned()),
        "\\PC{0,8}",
    ];
    let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), word.clone().prop_map(Value::from)];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((word.clone(), inner), 0..4)
                .prop_map(|all| Value::Object(all.into_iter().collect())),
        ]
    })
}

proptest! {
    // Whatever a provider puts under AWS's names is read within the limits or refused.
    #[test]
    fn whatever_is_read_keeps_the_limits(nested in any_json(), flat in any_json(), keys in any_json()) {
        let claims = json!({TAGS: nested, "https://aws.amazon.com/tags/principal_tags/K": flat, TRANSITIVE_FLAT: keys});
        if let Ok(claims) = AwsClaims::read(claims.as_object().unwrap()) {
            prop_assert!(claims.tags.len() <= TAGS_MAX);
            for tag in &claims.tags {
                prop_assert!(check_tag(&tag.key, &tag.value).is_ok());
                prop_assert_eq!(claims.tags.iter().filter(|other| other.has_key(&tag.key)).count(), 1);
            }
            prop_assert!(claims.transitive.iter().all(|key| claims.tags.iter().any(|tag| tag.has_key(key))));
        }
    }
}
