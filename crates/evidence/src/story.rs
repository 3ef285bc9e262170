//! The story of one decision: from the recorded ids to the links of the chain, each with the fact behind it.

use access::facts::{Approver, Grant, Membership, Service, kind, view};
use access::sessions::SessionRow;
use access::why::Ended;
use access::{DenyReason, Member, Reason};
use base::{Actor, DatasetId, DecisionId, FactId, GrantId, GroupId, ServiceId, SessionId, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Fact, ReadTxn, Store};

use crate::miss::{self, Missed};
use crate::names::{Named, Names};
use crate::{Error, refusal, sentence};

#[cfg(test)]
mod tests;

/// What the gate said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Verdict {
    /// Yes, because.
    Allowed {
        /// The grounds.
        reasons: Vec<Reason>,
    },
    /// No, because.
    Refused {
        /// The deciding reason.
        reason: DenyReason,
        /// What the caller was told.
        told: String,
    },
}

/// Where the ledger holds an entry, for whoever wants to check it without Galen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The log.
    pub log: String,
    /// The entry's index in it.
    pub index: u64,
    /// Entries under the checkpoint that proves it; `None` while no checkpoint covers it yet.
    pub checkpoint: Option<u64>,
    /// The inclusion proof (c2sp.org/tlog-proof), when a checkpoint covers it.
    pub inclusion: Option<String>,
}

/// The same question, asked now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NowAnswer {
    /// Whether it would be allowed.
    pub allowed: bool,
    /// In a sentence.
    pub sentence: String,
}

/// The same documents and context, evaluated again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayAnswer {
    /// Whether the answer is the recorded one.
    pub agrees: bool,
    /// The evaluator that decided.
    pub evaluator_then: String,
    /// The evaluator that replayed.
    pub evaluator_now: String,
    /// In a sentence; after an erasure it says what could not be read.
    pub sentence: String,
}

/// A decision as it was recorded, or as it would be now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The decision; `None` for a question that nobody has acted on.
    pub decision: Option<DecisionId>,
    /// The moment that it speaks of.
    pub at: Timestamp,
    /// Who asked.
    pub actor: Actor,
    /// To do what.
    pub action: String,
    /// To what, as an ARN.
    pub resource: String,
    /// Through which session.
    pub session: Option<SessionId>,
    /// The answer.
    pub verdict: Verdict,
    /// Where it is recorded.
    pub proof: Option<Proof>,
    /// What came of it; `None` where nothing did, or not yet.
    pub ended: Option<Ended>,
    /// The same question now, when it was asked.
    pub now: Option<NowAnswer>,
    /// The replay, when it was asked for.
    pub replay: Option<ReplayAnswer>,
}

/// How a membership or a grant was ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// When.
    pub ended: Timestamp,
    /// By whom, where the asker may know of it.
    pub ended_by: Option<Named>,
    /// Why, where a reason was given and the asker may know of it.
    pub end_reason: Option<String>,
    /// The fact that says so.
    pub end_fact: FactId,
    /// Where the ledger holds that fact; `None` where another log does.
    pub end_proof: Option<Proof>,
}

/// What is behind a decision beside its record.
#[derive(Clone, Debug, Default)]
pub struct Behind {
    /// What is kept of its session, where it is still kept.
    pub session: Option<SessionRow>,
    /// The dataset in which the resource lies.
    pub dataset: Option<DatasetId>,
}

impl Recorded {
    /// The person or service that asked.
    const fn member(&self) -> Option<Member> {
        match self.actor {
            Actor::Person(person) => Some(Member::Person(person)),
            Actor::Service(service) => Some(Member::Service(service)),
            Actor::System => None,
        }
    }
}

/// One link of the chain, with names and the fact behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "link", rename_all = "snake_case")]
pub enum Link {
    /// The service that acted, and the person who answered for it then.
    Service {
        /// The service.
        service: Named,
        /// The person.
        owner: Named,
    },
    /// The role session that acted.
    Session {
        /// Which.
        session: SessionId,
        /// In which role.
        role: Option<Named>,
        /// From when.
        issued: Option<Timestamp>,
        /// Until when.
        expires: Option<Timestamp>,
        /// Where the ledger holds its making; `None` where another log does.
        proof: Option<Proof>,
    },
    /// The sign-in it goes back to.
    SignIn {
        /// Which, when it was at the built-in provider.
        sign_in: Option<String>,
        /// When the person authenticated.
        auth_time: Timestamp,
        /// Through which client.
        client: Option<Named>,
        /// Where the ledger holds it; `None` where another log does.
        proof: Option<Proof>,
    },
    /// A group entitles the role.
    Entitlement {
        /// The group.
        group: Named,
        /// The role.
        role: Named,
        /// Through which client; `None`: any.
        client: Option<Named>,
    },
    /// A member is in a group.
    Membership {
        /// Who.
        member: Named,
        /// In which group.
        group: Named,
        /// Since when.
        since: Option<Timestamp>,
        /// Who put them there: where two people did, the one who approved it.
        by: Option<Named>,
        /// Who asked for it, where two people did.
        requested_by: Option<Named>,
        /// Why.
        reason: Option<String>,
        /// The fact that says so.
        fact: Option<FactId>,
        /// Where the ledger holds that fact; `None` where another log does.
        proof: Option<Proof>,
        /// The fact of the request, where two people did.
        request: Option<FactId>,
        /// Where the ledger holds the request; `None` where another log does.
        request_proof: Option<Proof>,
        /// How it ended, if it did.
        #[serde(flatten)]
        end: Option<End>,
        /// Why it did not carry, for a refusal; `None` where it did.
        missed: Option<Missed>,
    },
    /// A grant covers the resource.
    Grant {
        /// Which.
        grant: GrantId,
        /// Of which dataset.
        dataset: Named,
        /// To which group.
        group: Named,
        /// How much may be done.
        level: String,
        /// For what purpose.
        purpose: String,
        /// From when.
        start: Timestamp,
        /// Until when.
        expiry: Timestamp,
        /// Who approved it.
        approver: Named,
        /// When it was approved.
        approved: Timestamp,
        /// The fact that made it.
        fact: FactId,
        /// Where the ledger holds that fact; `None` where another log does.
        proof: Option<Proof>,
        /// How it was ended before its expiry, if it was.
        #[serde(flatten)]
        end: Option<End>,
        /// Why it did not carry, for a refusal; `None` where it did.
        missed: Option<Missed>,
    },
    /// The member's group owns or looks after the dataset.
    Owner {
        /// The dataset.
        dataset: Named,
        /// Through which group.
        group: Named,
    },
    /// A statement of a document allows.
    Statement {
        /// The document's part.
        document: String,
        /// Its digest.
        digest: String,
        /// The statement's place in it.
        statement: usize,
        /// Its `Sid`.
        sid: Option<String>,
    },
    /// Galen itself acted, or the action needs no permission.
    Ground {
        /// Which of the two.
        because: String,
    },
}

/// The whole story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// In one sentence or a few.
    pub sentence: String,
    /// Who asked.
    pub who: Named,
    /// The decision as it was recorded.
    #[serde(flatten)]
    pub recorded: Recorded,
    /// The links, from the session to the approver.
    pub chain: Vec<Link>,
}

/// Joins a decision with names and facts.
///
/// # Errors
/// [`Error::Store`] when the facts cannot be read.
pub async fn tell(store: &Store, names: &dyn Names, recorded: Recorded, behind: Behind) -> Result<Story, Error> {
    let who = Named::actor(names, recorded.actor).await;
    let mut chain = Vec::new();
    if let Actor::Service(service) = recorded.actor {
        chain.extend(service_link(store, names, service, recorded.at).await?);
    }
    if let Some(row) = &behind.session {
        chain.extend(session_links(names, row).await);
    } else if let Some(session) = recorded.session {
        chain.push(Link::Session { session, role: None, issued: None, expires: None, proof: None });
    }
    match &recorded.verdict {
        Verdict::Allowed { reasons } => {
            for reason in reasons {
                chain.extend(link(store, names, reason, recorded.at, &chain).await?);
            }
        }
        Verdict::Refused { reason, .. } => {
            chain.extend(missing_links(store, names, &recorded, reason, behind.dataset).await?);
        }
    }
    let mut sentence = match &recorded.verdict {
        Verdict::Allowed { .. } => sentence::allowed(&who, &recorded, &chain),
        Verdict::Refused { reason, told } => {
            let named = refusal::told(names, reason).await;
            sentence::refused(&who, &recorded, reason, named.as_ref().unwrap_or(told), &chain)
        }
    };
    sentence.extend(recorded.ended.as_ref().map(sentence::ended));
    let now = recorded.now.as_ref().map(|now| &now.sentence);
    let replay = recorded.replay.as_ref().map(|replay| &replay.sentence);
    for more in [now, replay].into_iter().flatten() {
        sentence.push(' ');
        sentence.push_str(more);
    }
    Ok(Story { sentence, who, recorded, chain })
}

async fn service_link(store: &Store, names: &dyn Names, id: ServiceId, at: Timestamp) -> Result<Option<Link>, Error> {
    let rows = store.read(move |txn| txn.view_as_of(view::SERVICE, &id.to_string(), at, at)).await?;
    let Some(then) = rows.into_iter().find_map(|row| Service::deserialize(row.body).ok()) else { return Ok(None) };
    let service = Named::new(id, names.service(id).await);
    Ok(Some(Link::Service { service, owner: Named::actor(names, Actor::Person(then.owner)).await }))
}

async fn session_links(names: &dyn Names, row: &SessionRow) -> [Link; 2] {
    let client = match row.client {
        Some(client) => Some(Named::client(names, client).await),
        None => None,
    };
    [
        Link::Session {
            session: row.id,
            role: Some(Named::role(names, row.role).await),
            issued: Some(row.issued),
            expires: Some(row.expires),
            proof: None,
        },
        Link::SignIn { sign_in: row.sign_in.map(|id| id.to_string()), auth_time: row.auth_time, client, proof: None },
    ]
}

async fn link(
    store: &Store,
    names: &dyn Names,
    reason: &Reason,
    at: Timestamp,
    before: &[Link],
) -> Result<Option<Link>, Error> {
    Ok(Some(match reason {
        Reason::Session { session, role } => {
            if before.iter().any(|link| matches!(link, Link::Session { role: Some(_), .. })) {
                return Ok(None);
            }
            let role = Some(Named::role(names, *role).await);
            Link::Session { session: *session, role, issued: None, expires: None, proof: None }
        }
        Reason::Statement(at) => Link::Statement {
            document: at.document.slot.to_string(),
            digest: at.document.digest.to_string(),
            statement: at.statement,
            sid: at.sid.clone(),
        },
        Reason::Membership { member, group } => membership_link(store, names, *member, *group, at).await?,
        Reason::Grant { grant, .. } => return grant_link(store, names, *grant, None).await,
        Reason::Owner { dataset, group } => {
            Link::Owner { dataset: Named::dataset(names, *dataset).await, group: Named::group(names, *group).await }
        }
        Reason::Entitlement { role, group, client } => Link::Entitlement {
            group: Named::group(names, *group).await,
            role: Named::role(names, *role).await,
            client: match client {
                Some(client) => Some(Named::client(names, *client).await),
                None => None,
            },
        },
        Reason::System => Link::Ground { because: "Galen itself acted".to_owned() },
        Reason::Free => Link::Ground { because: "the action needs no permission".to_owned() },
    }))
}

fn actor_of(member: Member) -> Actor {
    match member {
        Member::Person(person) => Actor::Person(person),
        Member::Service(service) => Actor::Service(service),
    }
}

/// What a refusal lacked: the grant that it speaks of, else what came nearest, each after the membership on which it depends.
async fn missing_links(
    store: &Store,
    names: &dyn Names,
    recorded: &Recorded,
    reason: &DenyReason,
    dataset: Option<DatasetId>,
) -> Result<Vec<Link>, Error> {
    let (Some(member), at) = (recorded.member(), recorded.at) else { return Ok(Vec::new()) };
    let mut links = Vec::new();
    if let Some((id, missed)) = miss::spoken_of(reason) {
        let found = grant_link(store, names, id, Some(missed)).await?;
        let group = store.read(move |txn| made(txn, id)).await?.map(|(_, grant)| grant.group);
        if let Some(group) = group {
            links.push(membership_link(store, names, member, group, at).await?);
        }
        links.extend(found);
        return Ok(links);
    }
    let Some(dataset) = miss::about(reason, dataset) else { return Ok(links) };
    // Who may not know of the dataset does not hear from its grants that it is there.
    if !names.knows_of(dataset).await {
        return Ok(links);
    }
    let near = store.read(move |txn| miss::nearest(txn, member, dataset, at)).await?;
    let Some(miss::Near { group, membership, left, grant, over }) = near else { return Ok(links) };
    let facts = store.read(move |txn| txn.facts_of(membership.uuid())).await?;
    links.push(membership_of(names, member, group, &facts, left).await);
    links.extend(grant_link(store, names, grant, over).await?);
    Ok(links)
}

async fn membership_link(
    store: &Store,
    names: &dyn Names,
    member: Member,
    group: GroupId,
    at: Timestamp,
) -> Result<Link, Error> {
    let facts = store.read(move |txn| membership_facts(txn, member, group, at)).await?;
    Ok(membership_of(names, member, group, &facts, None).await)
}

async fn membership_of(
    names: &dyn Names,
    member: Member,
    group: GroupId,
    facts: &[Fact],
    missed: Option<Missed>,
) -> Link {
    let added = facts.iter().find(|fact| fact.kind == kind::MEMBERSHIP_ADDED);
    let by = match added {
        Some(fact) => Some(Named::actor(names, fact.actor).await),
        None => None,
    };
    // An approved membership has the id of its approval, whose first fact is the request.
    let request = facts.first().filter(|fact| fact.kind != kind::MEMBERSHIP_ADDED);
    let requested_by = match request {
        Some(fact) => Some(Named::actor(names, fact.actor).await),
        None => None,
    };
    Link::Membership {
        member: Named::actor(names, actor_of(member)).await,
        group: Named::group(names, group).await,
        since: added.map(|fact| fact.valid_from),
        by,
        requested_by,
        reason: added.and_then(|fact| fact.reason.clone()),
        fact: added.map(|fact| fact.id),
        proof: None,
        request: request.map(|fact| fact.id),
        request_proof: None,
        end: end_of(names, facts, kind::MEMBERSHIP_REMOVED, true).await,
        missed,
    }
}

/// The end that the facts of one thing tell; `told`: also who ended it, and why.
async fn end_of(names: &dyn Names, facts: &[Fact], kind: &str, told: bool) -> Option<End> {
    let fact = facts.iter().find(|fact| fact.kind == kind)?;
    let ended_by = if told { Some(Named::actor(names, fact.actor).await) } else { None };
    let end_reason = fact.reason.clone().filter(|_| told);
    Some(End { ended: fact.valid_from, ended_by, end_reason, end_fact: fact.id, end_proof: None })
}

/// The facts of what put the member into the group, as it held and was known at that moment, oldest first.
fn membership_facts(
    txn: &ReadTxn<'_>,
    member: Member,
    group: GroupId,
    at: Timestamp,
) -> Result<Vec<Fact>, store::Error> {
    let value = member.uuid().hyphenated().to_string();
    let rows = txn.view_lookup_as_of(view::MEMBERSHIP, view::BY_MEMBER, &value, at, at)?;
    let memberships = rows.into_iter().filter_map(|row| Membership::deserialize(row.body).ok());
    let Some(membership) = memberships.into_iter().find(|it| it.group == group) else { return Ok(Vec::new()) };
    txn.facts_of(membership.id.uuid())
}

/// A grant with the fact that made it.
fn made(txn: &ReadTxn<'_>, id: GrantId) -> Result<Option<(Vec<Fact>, Grant)>, store::Error> {
    let facts = txn.facts_of(id.uuid())?;
    let made = facts.iter().find(|fact| fact.kind == kind::GRANT_CREATED);
    let grant = made.and_then(|fact| Grant::deserialize(&fact.body).ok());
    Ok(grant.map(|grant| (facts, grant)))
}

async fn grant_link(
    store: &Store,
    names: &dyn Names,
    id: GrantId,
    missed: Option<Missed>,
) -> Result<Option<Link>, Error> {
    let Some((facts, grant)) = store.read(move |txn| made(txn, id)).await? else { return Ok(None) };
    let Some(made) = facts.iter().find(|fact| fact.kind == kind::GRANT_CREATED) else { return Ok(None) };
    let approver = match grant.approver {
        Approver::Person(person) => Named::actor(names, Actor::Person(person)).await,
        Approver::AccountPolicy(account) => {
            Named::new(account, crate::Name::Known(format!("the policy of account {account}")))
        }
    };
    let told = names.knows_of(grant.dataset).await;
    Ok(Some(Link::Grant {
        grant: id,
        dataset: Named::dataset(names, grant.dataset).await,
        group: Named::group(names, grant.group).await,
        level: grant.level.as_str().to_owned(),
        purpose: grant.purpose,
        start: grant.start,
        expiry: grant.expiry,
        approver,
        approved: made.recorded.timestamp(),
        fact: made.id,
        proof: None,
        end: end_of(names, &facts, kind::GRANT_ENDED, told).await,
        missed,
    }))
}
