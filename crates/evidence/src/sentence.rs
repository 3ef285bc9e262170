//! The sentence: plain words from the links of a chain. Pure.

use access::DenyReason;
use access::why::{Ended, Outcome, Status};
use base::Timestamp;

use crate::miss::{self, Missed};
use crate::names::Named;
use crate::story::{End, Link, Recorded};

/// An allow, from whoever asked back to whoever approved.
pub fn allowed(who: &Named, recorded: &Recorded, chain: &[Link]) -> String {
    let verb = if recorded.decision.is_some() { "was allowed" } else { "may do" };
    let head = head(who, verb, recorded, chain);
    let grounds: Vec<String> = chain.iter().filter_map(ground).collect();
    let mut sentence =
        if grounds.is_empty() { format!("{head}.") } else { format!("{head}, because {}.", join(&grounds)) };
    sentence.extend(origin(chain));
    sentence
}

/// A deny, with what was missing.
pub fn refused(who: &Named, recorded: &Recorded, reason: &DenyReason, told: &str, chain: &[Link]) -> String {
    let verb = if recorded.decision.is_some() { "was refused" } else { "may not do" };
    let head = head(who, verb, recorded, chain);
    let why = grant_words(reason, chain).unwrap_or_else(|| told.trim_end_matches('.').to_owned());
    let mut sentence = format!("{head}: {why}.");
    if miss::spoken_of(reason).is_none() {
        sentence.extend(nearest(chain));
    }
    sentence.extend(origin(chain));
    sentence
}

/// Who was told what, of what and when; a machine with the person who answers for it.
fn head(who: &Named, verb: &str, recorded: &Recorded, chain: &[Link]) -> String {
    let service = chain.iter().find_map(|link| match link {
        Link::Service { service, owner } => Some(format!("service {service}, for which {owner} answers,")),
        _ => None,
    });
    let who = service.unwrap_or_else(|| who.to_string());
    format!("{who} {verb} {} on {} ({})", recorded.action, recorded.resource, time(recorded.at))
}

/// How a permitted act ended, as a sentence of its own.
pub(crate) fn ended(ended: &Ended) -> String {
    let Outcome { status, code, bytes, .. } = ended.outcome;
    let bytes = bytes.map(|bytes| format!(" after {}", base::count(bytes, "byte"))).unwrap_or_default();
    let code = code.map(|code| format!(" with status {code}")).unwrap_or_default();
    let at = time(ended.at);
    match status {
        Status::Ok => format!(" It ended{code}{bytes} at {at}."),
        Status::Cut => format!(" It was cut off{bytes} at {at}."),
        Status::Failed => format!(" It failed{code}{bytes} at {at}."),
        Status::Unknown => " How it ended is not known: Galen stopped in between.".to_owned(),
    }
}

/// Times to the second, UTC; the exact ones are in the chain.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn join(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{}, and {last}", first.join(", ")),
    }
}

/// What a link adds to the reasons of an allow.
fn ground(link: &Link) -> Option<String> {
    Some(match link {
        Link::Grant { grant, dataset, group, level, purpose, expiry, approver, approved, .. } => format!(
            "grant {grant} of dataset {dataset} to group {group} ({level}, for \"{purpose}\", until {}) was approved by \
             {approver} on {}",
            time(*expiry),
            time(*approved)
        ),
        Link::Membership { member, group, since, by, requested_by, .. } => {
            let since = since.map(|at| format!(" since {}", time(at))).unwrap_or_default();
            let by = by.as_ref().map(|by| format!(", put there by {by}")).unwrap_or_default();
            let asked = requested_by.as_ref().map(|by| format!(", as {by} had asked")).unwrap_or_default();
            format!("{member} is in group {group}{since}{by}{asked}")
        }
        Link::Owner { dataset, group } => format!("group {group} owns or looks after dataset {dataset}"),
        Link::Entitlement { group, role, client } => {
            let client = client.as_ref().map(|client| format!(" through {client}")).unwrap_or_default();
            format!("group {group} entitles role {role}{client}")
        }
        Link::Statement { document, statement, sid, .. } => {
            let sid = sid.as_ref().map(|sid| format!(" (\"{sid}\")")).unwrap_or_default();
            format!("statement {statement}{sid} of the {document} allows it")
        }
        Link::Ground { because } => because.clone(),
        Link::Service { .. } | Link::Session { .. } | Link::SignIn { .. } => return None,
    })
}

/// Where the session came from, as a sentence of its own.
fn origin(chain: &[Link]) -> Option<String> {
    let session = chain.iter().find_map(|link| match link {
        Link::Session { session, role: Some(role), .. } => Some(format!(" The session {session} in role {role}")),
        _ => None,
    })?;
    let sign_in = chain.iter().find_map(|link| match link {
        Link::SignIn { auth_time, client, .. } => {
            let client = client.as_ref().map(|client| format!(" through {client}")).unwrap_or_default();
            Some(format!(" came from the sign-in at {}{client}.", time(*auth_time)))
        }
        _ => None,
    });
    Some(session + &sign_in.unwrap_or_else(|| " acted.".to_owned()))
}

/// A refusal that speaks of a grant, with its names.
fn grant_words(reason: &DenyReason, chain: &[Link]) -> Option<String> {
    let (grant, end) = chain.iter().find_map(grant_of)?;
    Some(match reason {
        DenyReason::GrantExpired { expiry, .. } => match end {
            Some(end) => format!("{grant} was ended {}", end_words(end)),
            None => format!("{grant} ended at {}", time(*expiry)),
        },
        DenyReason::GrantNotBegun { start, .. } => format!("{grant} begins only at {}", time(*start)),
        DenyReason::OutOfScope { .. } => format!("{grant} does not cover this key or prefix"),
        DenyReason::LevelTooLow { .. } => format!("{grant} does not allow this action"),
        DenyReason::Undischargeable { .. } => {
            format!("{grant} carries a row filter or columns, which only a table can apply and a file cannot")
        }
        _ => return None,
    })
}

/// A grant in words, and how it was ended.
fn grant_of(link: &Link) -> Option<(String, Option<&End>)> {
    match link {
        Link::Grant { dataset, group, level, end, .. } => {
            Some((format!("the {level} grant of dataset {dataset} to group {group}"), end.as_ref()))
        }
        _ => None,
    }
}

/// When something was ended, by whom and why.
fn end_words(End { ended, ended_by, end_reason, .. }: &End) -> String {
    let by = ended_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let reason = end_reason.as_ref().map(|reason| format!(" (\"{reason}\")")).unwrap_or_default();
    format!("at {}{by}{reason}", time(*ended))
}

/// What came nearest to allowing it, as a sentence of its own.
fn nearest(chain: &[Link]) -> Option<String> {
    let (grant, _) = chain.iter().find_map(grant_of)?;
    let ways = chain.iter().filter_map(|link| match link {
        Link::Membership { member, end: Some(end), missed: Some(_), .. } => {
            Some(format!("the membership of {member} in the group was ended {}", end_words(end)))
        }
        Link::Grant { end: Some(end), missed: Some(Missed::Ended), .. } => {
            Some(format!("it was ended {}", end_words(end)))
        }
        Link::Grant { expiry, missed: Some(Missed::Expired), .. } => Some(format!("it ended at {}", time(*expiry))),
        Link::Grant { start, missed: Some(Missed::NotBegun), .. } => {
            Some(format!("it begins only at {}", time(*start)))
        }
        _ => None,
    });
    let ways: Vec<String> = ways.collect();
    (!ways.is_empty()).then(|| format!(" Nearest came {grant}: {}.", join(&ways)))
}
