//! What an identity token says to AWS: session tags, transitive keys, source identity and roles, in the nested and in
//! the flat form that identity providers can emit.
//!
//! It reads verified claims only and knows nothing of trust. Everything it returns is a literal: a `*` stays a `*`.

use protocols::sts::{Code, Fault, TAGS_MAX, check_tag};
use serde_json::{Map, Value};

use crate::Tag;

#[cfg(test)]
mod tests;

const TAGS: &str = "https://aws.amazon.com/tags";
const TAG_FLAT: &str = "https://aws.amazon.com/tags/principal_tags/";
const TRANSITIVE_FLAT: &str = "https://aws.amazon.com/tags/transitive_tag_keys";
const SOURCE_IDENTITY: &str = "https://aws.amazon.com/source_identity";
const ROLES: &str = "https://aws.amazon.com/roles";

/// Most role ARNs that one token may list: bounds the comparison.
const ROLES_MAX: usize = 1000;

/// The AWS claims of one token.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct AwsClaims {
    /// Session tags, one value a key.
    pub(super) tags: Vec<Tag>,
    /// Keys of `tags` that chained sessions inherit.
    pub(super) transitive: Vec<String>,
    /// The source identity that the provider asserts.
    pub(super) source_identity: Option<String>,
    /// The roles that the provider allows; `None` when the token has no such claim.
    pub(super) roles: Option<Vec<String>>,
}

impl AwsClaims {
    /// Reads the claims.
    ///
    /// # Errors
    /// `InvalidIdentityToken` for a claim of another shape, or two forms that contradict each other; `ValidationError`
    /// for a tag that breaks a limit.
    pub(super) fn read(claims: &Map<String, Value>) -> Result<Self, Fault> {
        let mut found = Self::default();
        if let Some(nested) = claims.get(TAGS) {
            found.nested(nested)?;
        }
        for (name, value) in claims {
            if let Some(key) = name.strip_prefix(TAG_FLAT) {
                found.tag(key, one(name, value)?)?;
            }
        }
        if let Some(value) = claims.get(TRANSITIVE_FLAT) {
            found.transitive(TRANSITIVE_FLAT, value)?;
        }
        found.source_identity = claims.get(SOURCE_IDENTITY).map(|value| text(SOURCE_IDENTITY, value)).transpose()?;
        found.roles = claims.get(ROLES).map(|value| list(ROLES, value, ROLES_MAX)).transpose()?;
        found.check()?;
        Ok(found)
    }

    fn nested(&mut self, nested: &Value) -> Result<(), Fault> {
        let members = nested.as_object().ok_or_else(|| shape(TAGS, "an object"))?;
        for (name, value) in members {
            match name.as_str() {
                "principal_tags" => {
                    let tags = value.as_object().ok_or_else(|| shape("principal_tags", "an object"))?;
                    for (key, value) in tags {
                        self.tag(key, one(key, value)?)?;
                    }
                }
                "transitive_tag_keys" => self.transitive("transitive_tag_keys", value)?,
                other => return Err(shape(TAGS, "only principal_tags and transitive_tag_keys").with(other)),
            }
        }
        Ok(())
    }

    /// Adds a tag. The same tag in both forms is one tag; another value under the same key is a contradiction.
    fn tag(&mut self, key: &str, value: String) -> Result<(), Fault> {
        check_tag(key, &value)?;
        match self.tags.iter().find(|tag| tag.has_key(key)) {
            Some(tag) if tag.value == value => Ok(()),
            Some(_) => Err(shape(key, "one value; the token has two")),
            None => {
                self.tags.push(Tag { key: key.to_owned(), value });
                Ok(())
            }
        }
    }

    fn transitive(&mut self, name: &str, value: &Value) -> Result<(), Fault> {
        for key in list(name, value, TAGS_MAX)? {
            if !self.transitive.iter().any(|known| known.to_lowercase() == key.to_lowercase()) {
                self.transitive.push(key);
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Fault> {
        if self.tags.len() > TAGS_MAX {
            let message = format!("the token has {} session tags; at most {TAGS_MAX} are allowed", self.tags.len());
            return Err(Fault::invalid(message));
        }
        match self.transitive.iter().find(|key| !self.tags.iter().any(|tag| tag.has_key(key))) {
            Some(key) => Err(shape(key, "a tag of the same token, as it is listed as transitive")),
            None => Ok(()),
        }
    }
}

trait With {
    fn with(self, what: &str) -> Self;
}

impl With for Fault {
    fn with(mut self, what: &str) -> Self {
        let shown: String = what.chars().take(64).collect();
        self.message.push_str(&format!(" (`{}`)", shown.escape_debug()));
        self
    }
}

fn shape(claim: &str, expected: &str) -> Fault {
    let shown: String = claim.chars().take(128).collect();
    let message = format!("the claim `{}` must be {expected}", shown.escape_debug());
    Fault::new(Code::InvalidIdentityToken, message)
}

fn text(name: &str, value: &Value) -> Result<String, Fault> {
    value.as_str().map(str::to_owned).ok_or_else(|| shape(name, "a string"))
}

/// A string, or an array of exactly one.
fn one(name: &str, value: &Value) -> Result<String, Fault> {
    match value.as_array().map(Vec::as_slice) {
        None => text(name, value),
        Some([value]) => text(name, value),
        Some(_) => Err(shape(name, "exactly one value")),
    }
}

/// A string, or an array of strings.
fn list(name: &str, value: &Value, max: usize) -> Result<Vec<String>, Fault> {
    match value.as_array() {
        None => Ok(vec![text(name, value)?]),
        Some(values) if values.len() <= max => values.iter().map(|value| text(name, value)).collect(),
        Some(_) => Err(shape(name, &format!("at most {max} strings"))),
    }
}
