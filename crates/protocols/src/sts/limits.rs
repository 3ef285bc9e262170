//! The constraints of the STS service model, with AWS's wording, so that users find the message when they search for it.

use super::fault::Fault;
use super::form::lower_first;

/// A string member: its bounds in characters and the characters that it may hold.
pub(super) struct Text {
    pub(super) name: &'static str,
    pub(super) chars_min: usize,
    pub(super) chars_max: usize,
    pub(super) pattern: &'static str,
    /// `None`: every character.
    pub(super) allowed: Option<fn(char) -> bool>,
}

impl Text {
    /// # Errors
    /// `ValidationError` in AWS's words.
    pub(super) fn check(&self, value: &str) -> Result<(), Fault> {
        let chars = value.chars().count();
        if chars < self.chars_min {
            return Err(
                self.fault(value, &format!("Member must have length greater than or equal to {}", self.chars_min))
            );
        }
        if chars > self.chars_max {
            return Err(self.fault(value, &format!("Member must have length less than or equal to {}", self.chars_max)));
        }
        if self.allowed.is_some_and(|allowed| !value.chars().all(allowed)) {
            return Err(self.fault(value, &format!("Member must satisfy regular expression pattern: {}", self.pattern)));
        }
        Ok(())
    }

    fn fault(&self, value: &str, constraint: &str) -> Fault {
        let shown: String = value.chars().take(64).collect();
        let name = lower_first(self.name);
        Fault::invalid(format!(
            "1 validation error detected: Value '{shown}' at '{name}' failed to satisfy constraint: {constraint}"
        ))
    }
}

/// `[\w+=,.@-]`, ASCII as in AWS.
pub(super) fn name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

/// `[\w+=,.@:/-]`.
pub(super) fn external_id_char(c: char) -> bool {
    name_char(c) || c == ':' || c == '/'
}

/// `[\p{L}\p{Z}\p{N}_.:/=+\-@]`: letters, separators, numbers and a few signs.
pub(super) fn tag_char(c: char) -> bool {
    c.is_alphanumeric() || separator(c) || "_.:/=+-@".contains(c)
}

/// General category Z (Zs, Zl, Zp); control characters are not in it.
fn separator(c: char) -> bool {
    matches!(
        c,
        ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// U+0009, U+000A, U+000D, U+0020 to U+00FF.
pub(super) fn policy_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}')
}

/// An ARN: U+0009, U+000A, U+000D and printable characters in the model; control characters are refused here.
pub(super) fn arn_char(c: char) -> bool {
    !c.is_control()
}

pub(super) const ROLE_SESSION_NAME: Text =
    Text { name: "RoleSessionName", chars_min: 2, chars_max: 64, pattern: r"[\w+=,.@-]*", allowed: Some(name_char) };
pub(super) const SOURCE_IDENTITY: Text =
    Text { name: "SourceIdentity", chars_min: 2, chars_max: 64, pattern: r"[\w+=,.@-]*", allowed: Some(name_char) };
pub(super) const EXTERNAL_ID: Text = Text {
    name: "ExternalId",
    chars_min: 2,
    chars_max: 1224,
    pattern: r"[\w+=,.@:\/-]*",
    allowed: Some(external_id_char),
};
pub(super) const TAG_KEY: Text = Text {
    name: "Tags.Key",
    chars_min: 1,
    chars_max: 128,
    pattern: r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+",
    allowed: Some(tag_char),
};
pub(super) const TAG_VALUE: Text = Text {
    name: "Tags.Value",
    chars_min: 0,
    chars_max: 256,
    pattern: r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*",
    allowed: Some(tag_char),
};
pub(super) const ROLE_ARN: Text =
    Text { name: "RoleArn", chars_min: 20, chars_max: 2048, pattern: r"[\u0020-\uFFFF]+", allowed: Some(arn_char) };
pub(super) const POLICY_ARN: Text = Text {
    name: "PolicyArns.Arn",
    chars_min: 20,
    chars_max: 2048,
    pattern: r"[\u0020-\uFFFF]+",
    allowed: Some(arn_char),
};
pub(super) const POLICY: Text = Text {
    name: "Policy",
    chars_min: 1,
    chars_max: 2048,
    pattern: r"[\u0009\u000A\u000D\u0020-\u00FF]+",
    allowed: Some(policy_char),
};
pub(super) const WEB_IDENTITY_TOKEN: Text =
    Text { name: "WebIdentityToken", chars_min: 4, chars_max: 20_000, pattern: ".+", allowed: None };
pub(super) const PROVIDER_ID: Text =
    Text { name: "ProviderId", chars_min: 4, chars_max: 2048, pattern: ".+", allowed: Some(arn_char) };
pub(super) const SAML_ASSERTION: Text =
    Text { name: "SAMLAssertion", chars_min: 4, chars_max: 100_000, pattern: ".+", allowed: None };

/// Checks one session tag as a request's own would be: lengths, characters, and no key starting with `aws:`. For tags that
/// arrive in claims.
///
/// # Errors
/// `ValidationError` naming the rule.
pub fn check_tag(key: &str, value: &str) -> Result<(), Fault> {
    TAG_KEY.check(key)?;
    TAG_VALUE.check(value)?;
    if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
        return Err(Fault::invalid("a session tag's key must not start with `aws:`"));
    }
    Ok(())
}

/// Checks a role session name. For names that arrive in claims.
///
/// # Errors
/// `ValidationError` naming the rule.
pub fn check_session_name(name: &str) -> Result<(), Fault> {
    ROLE_SESSION_NAME.check(name)
}
