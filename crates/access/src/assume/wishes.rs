//! What a caller may ask of a session: how long, which tags, which policies. Pure checks of the limits that need more
//! than the request: the role's own bound, the calling session, the account.

use base::AccountId;
use protocols::sts::{Code, DURATION_SECONDS_DEFAULT, Fault, SessionWishes, TAGS_MAX};
use std::sync::Arc;

use crate::{Session, SessionPolicy, Tag};

#[cfg(test)]
mod tests;

/// A chained session lasts one hour at most (AWS STS: role chaining).
pub(super) const CHAINED_SECONDS_MAX: u32 = 3600;

/// Inline policy and policy ARNs together, in characters (AWS STS API reference, `Policy`).
const POLICY_CHARS_MAX: usize = 2048;

/// The length of the session.
///
/// # Errors
/// `ValidationError` when more is asked for than the role or chaining allows: an error, never a shorter session.
pub(super) fn duration(asked: Option<u32>, role_max: u32, chained: bool) -> Result<u32, Fault> {
    let seconds = asked.unwrap_or_else(|| DURATION_SECONDS_DEFAULT.min(role_max));
    if chained && seconds > CHAINED_SECONDS_MAX {
        let message =
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
        return Err(Fault::invalid(message));
    }
    if seconds > role_max {
        let message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        return Err(Fault::invalid(message));
    }
    Ok(seconds)
}

/// Session tags and which of them the next role inherits.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TagSet {
    pub(super) tags: Vec<Tag>,
    pub(super) transitive: Vec<String>,
}

/// The tags of a new session: what the calling session hands on, then what this call passes.
///
/// # Errors
/// `ValidationError` when a passed key is an inherited transitive key, or there are more than 50 tags together.
pub(super) fn tags(parent: Option<&Session>, passed: Vec<Tag>, transitive: Vec<String>) -> Result<TagSet, Fault> {
    let mut set = TagSet { tags: Vec::new(), transitive: Vec::new() };
    if let Some(parent) = parent {
        let handed_on = |tag: &&Tag| parent.transitive.iter().any(|key| tag.has_key(key));
        set.tags = parent.tags.iter().filter(handed_on).cloned().collect();
        set.transitive.clone_from(&parent.transitive);
    }
    if let Some(tag) = passed.iter().find(|tag| set.tags.iter().any(|inherited| inherited.has_key(&tag.key))) {
        let message = format!(
            "The tag key `{}` can't be set because it conflicts with a transitive tag key from the calling session",
            tag.key.escape_debug()
        );
        return Err(Fault::invalid(message));
    }
    set.tags.extend(passed);
    set.transitive.extend(transitive);
    if set.tags.len() > TAGS_MAX {
        let message =
            format!("the session would have {} tags, inherited ones included; at most {TAGS_MAX}", set.tags.len());
        return Err(Fault::invalid(message));
    }
    Ok(set)
}

/// The policies that narrow the new session. `managed` gives the text of a managed policy by its ARN.
///
/// # Errors
/// `ValidationError` for ARNs of another account, unknown ARNs and more than 2,048 characters together;
/// `MalformedPolicyDocument` for a text that is not a session policy.
pub(super) fn policies(
    wishes: &SessionWishes,
    account: AccountId,
    managed: impl Fn(&str) -> Option<Arc<str>>,
) -> Result<Vec<SessionPolicy>, Fault> {
    let arns = wishes.policy_arns.iter().map(|arn| arn.as_str().chars().count());
    let chars = wishes.policy.as_deref().map_or(0, |text| text.chars().count()) + arns.sum::<usize>();
    if chars > POLICY_CHARS_MAX {
        let message = format!(
            "the session policy and the policy ARNs have {chars} characters together; at most {POLICY_CHARS_MAX}"
        );
        return Err(Fault::invalid(message));
    }
    let inline = wishes.policy.iter();
    let mut policies: Vec<_> =
        inline.map(|text| SessionPolicy { origin: "inline".into(), text: Arc::from(text.as_str()) }).collect();
    for arn in &wishes.policy_arns {
        if arn.account() != account.to_string() && arn.account() != "aws" {
            return Err(Fault::invalid(format!("the policy `{arn}` is not of the role's account {account}")));
        }
        let text = managed(arn.as_str());
        let text =
            text.ok_or_else(|| Fault::invalid(format!("the policy `{arn}` does not exist or is not attachable")))?;
        policies.push(SessionPolicy { origin: arn.to_string(), text });
    }
    policies.iter().try_for_each(well_formed)?;
    Ok(policies)
}

fn well_formed(policy: &SessionPolicy) -> Result<(), Fault> {
    match policy::Document::parse(&policy.text, policy::DocumentKind::Session) {
        Ok(_) => Ok(()),
        Err(error) => {
            let message = format!("the session policy `{}` is not a policy: {error}", policy.origin);
            Err(Fault::new(Code::MalformedPolicyDocument, message))
        }
    }
}

/// Refuses a session whose policies and tags need more room than there is.
///
/// # Errors
/// `PackedPolicyTooLarge` with the figure.
pub(super) fn packed(session: &Session) -> Result<u32, Fault> {
    let percent = crate::token::packed_percent(session);
    if percent <= 100 {
        return Ok(percent);
    }
    let message = if session.tags.is_empty() {
        format!("Packed policy consumes {percent}% of allotted space, please use smaller policy.")
    } else {
        format!("Packed size of session tags consumes {percent}% of allotted space.")
    };
    Err(Fault::new(Code::PackedPolicyTooLarge, message))
}
