//! A refusal in words that people know: names beside the ids that the gate speaks of, and whom to ask. Names are joined here,
//! when it is told, and recorded nowhere.

use access::{Denied, DenyReason};
use base::{DatasetId, GrantId, RoleId};

use crate::{Named, Names, sentence::time};

/// The same refusal, told with names where the gate told ids.
pub async fn named(names: &dyn Names, mut denied: Denied) -> Denied {
    if let Some(told) = told(names, &denied.reason).await {
        denied.sentence = told;
    }
    denied
}

/// The same answers to many questions, with each refusal told with names. Neighbours are mostly refused for one reason, whose
/// names are looked up once.
pub async fn all_named<T: Send>(names: &dyn Names, answers: Vec<Result<T, Denied>>) -> Vec<Result<T, Denied>> {
    let mut told = Vec::with_capacity(answers.len());
    let mut last: Option<(DenyReason, String)> = None;
    for answer in answers {
        told.push(match (answer, &last) {
            (Err(denied), Some((reason, sentence))) if denied.reason == *reason => {
                Err(Denied { sentence: sentence.clone(), ..denied })
            }
            (Err(denied), _) => {
                let denied = named(names, denied).await;
                last = Some((denied.reason.clone(), denied.sentence.clone()));
                Err(denied)
            }
            (Ok(permit), _) => Ok(permit),
        });
    }
    told
}

/// The sentence of a reason with names; `None` where the gate's own has none to join.
pub(crate) async fn told(names: &dyn Names, reason: &DenyReason) -> Option<String> {
    Some(match reason {
        DenyReason::NoGrant { dataset } => {
            let (data, owner) = data(names, *dataset).await;
            format!("no grant of {data} goes to a group of this session: ask {owner}")
        }
        DenyReason::NotOwner { dataset } => {
            let (data, owner) = data(names, *dataset).await;
            format!("only the owner or a steward of {data} may: ask {owner}")
        }
        DenyReason::OutOfScope { grant } => {
            let (grant, owner) = self::grant(names, *grant).await?;
            format!("{grant} does not cover this place: ask {owner}")
        }
        DenyReason::LevelTooLow { grant } => {
            let (grant, owner) = self::grant(names, *grant).await?;
            format!("{grant} does not go so far: ask {owner}")
        }
        DenyReason::GrantNotBegun { grant, start } => {
            let (grant, _) = self::grant(names, *grant).await?;
            format!("{grant} begins only at {}", time(*start))
        }
        DenyReason::GrantExpired { grant, expiry } => {
            let (grant, owner) = self::grant(names, *grant).await?;
            format!("{grant} ended at {}: ask {owner} for another", time(*expiry))
        }
        DenyReason::Undischargeable { grant } => {
            let (grant, _) = self::grant(names, *grant).await?;
            format!("{grant} is for filtered rows or columns: read the table through SQL")
        }
        DenyReason::RoleEnded { role } => format!("{} does not exist any more", self::role(names, *role).await),
        DenyReason::NotEntitled { role } => {
            format!("no group of whoever asks entitles to {} through this client", self::role(names, *role).await)
        }
        DenyReason::RoleSilent { role } => {
            format!("the policies of {} do not allow it", self::role(names, *role).await)
        }
        DenyReason::BoundarySilent { role } => {
            format!("the boundary of {} does not allow it", self::role(names, *role).await)
        }
        DenyReason::NotManagement { role } => {
            let role = self::role(names, *role).await;
            format!("{role} is for tools: sign in with `galen login` for a session of a management role")
        }
        _ => return None,
    })
}

async fn role(names: &dyn Names, role: RoleId) -> String {
    format!("role {}", beside(&Named::role(names, role).await))
}

/// A dataset with its domain, and its owner.
async fn data(names: &dyn Names, dataset: DatasetId) -> (String, String) {
    let named = Named::dataset(names, dataset).await;
    let owner = names.owner_of(dataset).await.map_or_else(|| "its owner".to_owned(), |owner| format!("group {owner}"));
    let data = match names.domain_of(dataset).await {
        Some(domain) => format!("dataset {named} in domain {domain} ({dataset})"),
        None => format!("dataset {}", beside(&named)),
    };
    (data, owner)
}

/// A grant by what it opens to whom, and the owner of that; `None` where it is not known.
async fn grant(names: &dyn Names, grant: GrantId) -> Option<(String, String)> {
    let granted = names.grant(grant).await?;
    let group = Named::group(names, granted.group).await;
    let (data, owner) = data(names, granted.dataset).await;
    Some((format!("the {} grant of {data} to group {group}", granted.level), owner))
}

/// A name with its id, so that it can be used in a command; the id alone where there is no name.
fn beside(named: &Named) -> String {
    match &named.name {
        crate::Name::Known(name) => format!("{name} ({})", named.id),
        crate::Name::Erased | crate::Name::Unknown => named.to_string(),
    }
}

#[cfg(test)]
mod tests;
