//! The claims that AWS STS reads from a web-identity token, written in both forms that exist.

use serde_json::{Map, Value, json};

const TAGS: &str = "https://aws.amazon.com/tags";

/// What an ID token says to AWS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AwsClaims {
    /// The source identity of the session.
    pub source_identity: String,
    /// Session tags by key: one value each.
    pub principal_tags: Vec<(String, String)>,
    /// The keys of the tags that stay on when roles are chained.
    pub transitive_tag_keys: Vec<String>,
    /// The ARNs of the roles that may be assumed with this token; none leaves the claim out.
    pub roles: Option<Vec<String>>,
}

impl AwsClaims {
    /// Adds the claims: the nested form of AWS's own documents, and the flat form of providers that cannot nest.
    pub fn write(&self, claims: &mut Map<String, Value>) {
        let mut put = |name: String, value: Value| claims.insert(name, value);
        if !self.principal_tags.is_empty() {
            let nested: Map<_, _> =
                self.principal_tags.iter().map(|(key, value)| (key.clone(), json!([value]))).collect();
            let mut tags = json!({"principal_tags": nested});
            if let (false, Some(tags)) = (self.transitive_tag_keys.is_empty(), tags.as_object_mut()) {
                tags.insert("transitive_tag_keys".to_owned(), json!(self.transitive_tag_keys));
            }
            put(TAGS.to_owned(), tags);
            for (key, value) in &self.principal_tags {
                put(format!("{TAGS}/principal_tags/{key}"), json!(value));
            }
            if !self.transitive_tag_keys.is_empty() {
                put(format!("{TAGS}/transitive_tag_keys"), json!(self.transitive_tag_keys));
            }
        }
        put("https://aws.amazon.com/source_identity".to_owned(), json!(self.source_identity));
        if let Some(roles) = &self.roles {
            put("https://aws.amazon.com/roles".to_owned(), json!(roles));
        }
    }
}
