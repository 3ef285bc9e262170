//! The request's context: condition keys (case does not matter) and their values.

use std::collections::HashMap;

/// Keys that AWS and Galen define as multi-valued. Whatever number of values a request brings, they need a set operator and are
/// never policy variables (AWS: "Multivalued context keys", IAM user guide). Kept sorted and in lower case.
const MULTIVALUED: &[&str] = &[
    "aws:calledvia",
    "aws:principalorgpaths",
    "aws:principalservicenameslist",
    "aws:resourceorgpaths",
    "aws:sourceorgpaths",
    "aws:tagkeys",
    "aws:vpceorgpaths",
    "cloudformation:resourcetypes",
    "dynamodb:attributes",
    "dynamodb:leadingkeys",
    "events:source",
    "galen:groups",
    "glue:securitygroupids",
    "glue:subnetids",
    "glue:vpcids",
    "kms:encryptioncontextkeys",
    "kms:grantoperations",
    "kms:resourcealiases",
    "lambda:layer",
    "lambda:securitygroupids",
    "lambda:subnetids",
    "s3:inventoryaccessibleoptionalfields",
    "s3:requestobjecttagkeys",
    "saml:cn",
    "saml:eduorghomepageuri",
    "saml:eduorgidentityauthnpolicyuri",
    "saml:eduorglegalname",
    "saml:eduorgsuperioruri",
    "saml:eduorgwhitepagesuri",
    "saml:edupersonaffiliation",
    "saml:edupersonassurance",
    "saml:edupersonentitlement",
    "saml:edupersonnickname",
    "saml:edupersonorgunitdn",
    "saml:edupersonscopedaffiliation",
    "saml:edupersontargetedid",
    "ses:recipients",
    "sts:identitytokenaudience",
    "sts:requestcontextproviders",
    "sts:transitivetagkeys",
];

/// Condition keys and values of one request. Keys compare without regard to case, tag keys among them; values keep theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    values: HashMap<Box<str>, Values>,
}

/// Most keys have one value, which then needs no list of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Values {
    One(String),
    Several(Vec<String>),
}

impl Values {
    fn as_slice(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Several(values) => values,
        }
    }
}

impl Context {
    /// A context without keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` to one value; says whether it had been set.
    pub fn insert(&mut self, key: &str, value: impl Into<String>) -> bool {
        self.put(key, Values::One(value.into()))
    }

    /// Sets `key` to any number of values (an empty list is a key that is present with no value); says whether it had been set.
    pub fn insert_all(&mut self, key: &str, values: impl IntoIterator<Item = impl Into<String>>) -> bool {
        let mut values: Vec<String> = values.into_iter().map(Into::into).collect();
        let one = if values.len() == 1 { values.pop() } else { None };
        self.put(key, one.map_or_else(|| Values::Several(values), Values::One))
    }

    fn put(&mut self, key: &str, values: Values) -> bool {
        self.values.insert(key.to_lowercase().into_boxed_str(), values).is_some()
    }

    /// The same with one more key, for building.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.insert(key, value);
        self
    }

    /// The same with one more multi-valued key, for building.
    #[must_use]
    pub fn with_all(mut self, key: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.insert_all(key, values);
        self
    }

    /// Takes over the keys of `other`; a key in both has the value of `other`.
    pub fn extend(&mut self, other: Self) {
        self.values.extend(other.values);
    }

    /// Removes `key`; says whether it had been set.
    pub fn remove(&mut self, key: &str) -> bool {
        self.values.remove(key.to_lowercase().as_str()).is_some()
    }

    /// The values of `key`, or `None` where the key is absent.
    pub fn values(&self, key: &str) -> Option<&[String]> {
        self.lower(&key.to_lowercase())
    }

    /// Every key in lower case with its values, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.values.iter().map(|(k, v)| (&**k, v.as_slice()))
    }

    /// The values of a key that is in lower case already.
    pub(crate) fn lower(&self, key: &str) -> Option<&[String]> {
        self.values.get(key).map(Values::as_slice)
    }

    /// The value that may stand for a policy variable: the only value of a key that is not multi-valued.
    pub(crate) fn single(&self, key: &str) -> Option<&str> {
        match self.lower(key)? {
            [only] if !is_multivalued(key) => Some(only),
            _ => None,
        }
    }
}

/// Whether `key` (in lower case) is defined as multi-valued.
pub(crate) fn is_multivalued(key: &str) -> bool {
    MULTIVALUED.binary_search(&key).is_ok()
}

impl<K: AsRef<str>, V: Into<String>> FromIterator<(K, V)> for Context {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(iter: T) -> Self {
        let mut context = Self::new();
        for (key, value) in iter {
            context.insert(key.as_ref(), value);
        }
        context
    }
}
