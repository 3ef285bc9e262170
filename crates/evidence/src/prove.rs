//! Proofs: where the log of this node holds a decision, and each link of its chain that stands on an entry.
//!
//! It must not tell anything of an entry but its place and its proof, which holds digests alone.

use access::Access;
use base::{FactId, SignInId};
use uuid::Uuid;

use crate::{End, Error, Link, Proof, Story};

/// Where the log holds the entry at `index`, with the proof once a checkpoint covers it.
pub(crate) fn proof(access: &Access, index: u64) -> Proof {
    let journal = access.journal();
    let (head, _) = journal.checkpoint();
    let covered = head.size > index;
    let proven = if covered { journal.prove(index).ok() } else { None };
    Proof {
        log: journal.key().origin().as_str().to_owned(),
        index,
        checkpoint: covered.then_some(head.size),
        inclusion: proven.and_then(|proof| String::from_utf8(proof.encode()).ok()),
    }
}

/// The story with the proof of each link whose entry this log holds.
///
/// # Errors
/// [`Error::Access`] when the index or the log cannot be read.
pub(crate) async fn links(access: &Access, mut story: Story) -> Result<Story, Error> {
    let ids = story.chain.iter_mut().flat_map(stands_on).map(|(id, _)| id).collect();
    let found = access.entries_of(ids).await?;
    for (id, place) in story.chain.iter_mut().flat_map(stands_on) {
        *place = found.get(&id).map(|index| proof(access, *index));
    }
    Ok(story)
}

fn of_end(end: &mut Option<End>) -> Option<(Uuid, &mut Option<Proof>)> {
    end.as_mut().map(|end| (end.end_fact.uuid(), &mut end.end_proof))
}

/// What a link stands on, by id, and where the proof of it goes.
fn stands_on(link: &mut Link) -> Vec<(Uuid, &mut Option<Proof>)> {
    match link {
        Link::Session { session, proof, .. } => vec![(session.uuid(), proof)],
        Link::SignIn { sign_in, proof, .. } => {
            let id = sign_in.as_deref().and_then(|id| id.parse::<SignInId>().ok());
            id.map(|id| (id.uuid(), proof)).into_iter().collect()
        }
        Link::Membership { fact, proof, request, request_proof, end, .. } => {
            let (made, asked) = (fact.map(FactId::uuid), request.map(FactId::uuid));
            let made = made.map(|id| (id, proof)).into_iter();
            made.chain(asked.map(|id| (id, request_proof))).chain(of_end(end)).collect()
        }
        Link::Grant { fact, proof, end, .. } => [(fact.uuid(), proof)].into_iter().chain(of_end(end)).collect(),
        Link::Service { .. }
        | Link::Entitlement { .. }
        | Link::Owner { .. }
        | Link::Statement { .. }
        | Link::Ground { .. } => Vec::new(),
    }
}
