//! A no in one sentence for the caller: ids of what was asked for, and what would help.

use crate::DenyReason;
use crate::permit::EvaluationFault;

/// The sentence for `reason`.
pub(crate) fn sentence(reason: &DenyReason) -> String {
    match reason {
        DenyReason::NotSignedIn => "nobody is signed in".to_owned(),
        DenyReason::SessionExpired { at } => format!("the session ended at {at}: sign in again"),
        DenyReason::SessionCut { epoch } => format!("the session was cut ({epoch}): sign in again"),
        DenyReason::RoleEnded { role } => format!("role {role} does not exist any more"),
        DenyReason::NoRole => "no group of whoever asks entitles to any role".to_owned(),
        DenyReason::NotEntitled { role } => {
            format!("no group of whoever asks entitles to role {role} through this client")
        }
        DenyReason::Denied(at) => format!("the {} forbids it (statement {})", at.document.slot, at.statement),
        DenyReason::RoleSilent { role } => format!("the policies of role {role} do not allow it"),
        DenyReason::BoundarySilent { role } => format!("the boundary of role {role} does not allow it"),
        DenyReason::SessionPolicySilent => "the session was narrowed and does not allow it".to_owned(),
        DenyReason::GuardrailSilent { account } => format!("the guardrail of account {account} does not allow it"),
        DenyReason::TrustSilent { role, action } => format!("not authorized to perform: {action} on role {role}"),
        DenyReason::NoDataset => "the place belongs to no dataset".to_owned(),
        DenyReason::NoGrant { dataset } => {
            format!("no grant of dataset {dataset} goes to a group of this session: ask its owner")
        }
        DenyReason::OutOfScope { grant } => format!("grant {grant} does not cover this place"),
        DenyReason::LevelTooLow { grant } => format!("grant {grant} does not go so far"),
        DenyReason::GrantNotBegun { grant, start } => format!("grant {grant} begins at {start}"),
        DenyReason::GrantExpired { grant, expiry } => {
            format!("grant {grant} ended at {expiry}: ask the owner to renew it")
        }
        DenyReason::Undischargeable { grant } => {
            format!("grant {grant} is for filtered rows or columns: read the table through SQL")
        }
        DenyReason::NothingVisible => "nothing under this prefix is readable".to_owned(),
        DenyReason::NotOwner { dataset } => format!("only the owner or a steward of dataset {dataset} may"),
        DenyReason::NotDomainOwner { domain } => format!("only the owner or a steward of domain {domain} may"),
        DenyReason::Retention => "permanent deletion is left to retention".to_owned(),
        DenyReason::PublicAccess => "public access is always blocked".to_owned(),
        DenyReason::OtherAccount => "the bucket is not owned by the account that the request expects".to_owned(),
        DenyReason::SelfApproval => "neither who asked for it nor whom it concerns can approve it".to_owned(),
        DenyReason::NotManagement { role } => {
            format!("role {role} is for tools: sign in with `galen login` for a session of a management role")
        }
        DenyReason::SelfMembership => "nobody puts themself into a group".to_owned(),
        DenyReason::AuditorWrites => "an auditor never writes".to_owned(),
        DenyReason::AuthTooOld { age_secs, max_secs } => {
            format!("the sign-in is {age_secs} s old, and this needs one of at most {max_secs} s: sign in again")
        }
        DenyReason::UnknownAction => "the action is not known".to_owned(),
        DenyReason::Stale => "the state here is older than the bound: retry later".to_owned(),
        DenyReason::TooManyStreams => "too many streams are open: retry later".to_owned(),
        DenyReason::NotRecorded => "the decision could not be recorded, so it is not given: retry later".to_owned(),
        DenyReason::Evaluation { what } => match what {
            EvaluationFault::DocumentMissing => {
                "a policy document is missing or altered, so nothing is allowed".to_owned()
            }
            EvaluationFault::DocumentMalformed => "a policy document cannot be read, so nothing is allowed".to_owned(),
            EvaluationFault::Evaluator => "the request could not be evaluated, so it is not allowed".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests;
