//! `/revocations`: access ends now, and the answer is the signed receipt that says when it had ended everywhere.

use access::{MembershipEdge, SessionTarget, receipt::Receipt, revoke};
use axum::extract::State as Shared;
use base::{ErrorKind, GrantId, PersonId, ReceiptId, ServiceId, SessionId};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;

use super::{common::*, grant};

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(key)).routes(routes!(show))
}

/// A signed receipt, as `galen receipt verify` reads it.
#[derive(Serialize, ToSchema)]
pub(super) struct ReceiptRow {
    /// What was signed: what was revoked, by whom, why, the facts, and the time to effect on each node.
    #[schema(value_type = Object)]
    statement: Value,
    /// Which key signed it.
    key: String,
    /// Ed25519 over the canonical JSON (RFC 8785) of the statement, in Base64.
    signature: String,
}

impl TryFrom<Receipt> for ReceiptRow {
    type Error = Problem;
    fn try_from(receipt: Receipt) -> Result<Self, Problem> {
        let statement = serde_json::to_value(&receipt.statement);
        let statement = statement.map_err(|error| Problem::of(ErrorKind::Internal, &error))?;
        Ok(Self { statement, key: receipt.key.to_string(), signature: receipt.signature })
    }
}

/// What to revoke.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum What {
    /// End a grant.
    Grant,
    /// Take a person or a service out of a group.
    Membership,
    /// Cut everything that a person has open.
    Person,
    /// Cut everything that a service has open.
    Service,
    /// Cut one session.
    Session,
}

/// A revocation.
#[derive(Deserialize, ToSchema)]
struct Revocation {
    /// What kind of thing.
    what: What,
    /// Its id; for a person also the user name, for a service also its name.
    id: String,
    /// The reason, in a sentence.
    reason: String,
}

/// Revoke a grant, a membership, a person, a service or a session
#[utoipa::path(post, path = "/revocations", tag = "revocation", request_body = Revocation, responses((status = 201, body = ReceiptRow)))]
async fn create(caller: Caller, Body(body): Body<Revocation>) -> Result<(StatusCode, Json<ReceiptRow>), Problem> {
    let reason = End::of(body.reason).reason()?;
    let receipt = match body.what {
        What::Grant => revoke_grant(&caller, &body.id, reason).await?,
        What::Membership => revoke_membership(&caller, &body.id, reason).await?,
        What::Person => {
            let person = PersonId::named(&caller, &body.id).await?;
            let permit = caller.may(api::RevokePerson, person).await?;
            revoke::person(&caller.state.access, permit, reason).await?.try_into()?
        }
        What::Service => {
            let service = ServiceId::named(&caller, &body.id).await?;
            let permit = caller.may(api::RevokeService, service).await?;
            revoke::service(&caller.state.access, permit, reason).await?.try_into()?
        }
        What::Session => revoke_session(&caller, &body.id, reason).await?,
    };
    Ok((StatusCode::CREATED, Json(receipt)))
}

/// Show a receipt
#[utoipa::path(get, path = "/revocations/{id}", tag = "revocation", params(("id" = String, Path)), responses((status = 200, body = ReceiptRow)))]
async fn show(caller: Caller, Path(id): Path<String>) -> Result<Json<ReceiptRow>, Problem> {
    let permit = caller.may(api::ListReceipts, access::Installation).await?;
    let found = revoke::find(&caller.state.access, parse::<ReceiptId>(&id)?).await?;
    permit.finish(access::Outcome::DONE);
    let found = found.ok_or_else(|| Problem::not_found("receipt", &id))?;
    let receipt: Receipt = serde_json::from_slice(&found).map_err(|error| Problem::of(ErrorKind::Corrupt, &error))?;
    Ok(Json(receipt.try_into()?))
}

/// The public key that receipts are signed with.
#[derive(Serialize, ToSchema)]
struct Key {
    /// The key as text, for `galen receipt verify --key-file`.
    key: String,
}

/// Show the public key that receipts are signed with
#[utoipa::path(get, path = "/receipt-key", tag = "revocation", responses((status = 200, body = Key)))]
async fn key(Shared(state): Shared<State>) -> Result<Json<Key>, Problem> {
    let (_, public) =
        access::receipt::key(state.access.custody()).map_err(|error| Problem::of(error.kind(), &error))?;
    let crypto::PublicKey::Ed25519 { x } = public else {
        return Err(Problem::new(ErrorKind::Internal, "receipts are signed with a key that is not Ed25519"));
    };
    Ok(Json(Key { key: BASE64_STANDARD.encode(x) }))
}

/// Ends a grant.
pub(super) async fn revoke_grant(caller: &Caller, id: &str, reason: String) -> Result<ReceiptRow, Problem> {
    let target = grant::target(caller, parse::<GrantId>(id)?).await?;
    let permit = caller.may(api::EndGrant, target).await?;
    revoke::grant(&caller.state.access, permit, reason).await?.try_into()
}

/// Ends a membership.
pub(super) async fn revoke_membership(caller: &Caller, id: &str, reason: String) -> Result<ReceiptRow, Problem> {
    let membership = caller.state.directory.membership(parse(id)?).await?;
    let membership = membership.ok_or_else(|| Problem::not_found("membership", id))?;
    let edge = MembershipEdge { member: membership.member, group: membership.group };
    let permit = caller.may(api::RemoveMember, edge).await?;
    revoke::membership(&caller.state.access, permit, directory::may_sign_in, reason).await?.try_into()
}

/// Cuts a session.
pub(super) async fn revoke_session(caller: &Caller, id: &str, reason: String) -> Result<ReceiptRow, Problem> {
    let session = parse::<SessionId>(id)?;
    let person = caller.state.access.sessions().find(session).await?.and_then(|row| row.person);
    let permit = caller.may(api::EndSession, SessionTarget { session, person }).await?;
    revoke::session(&caller.state.access, permit, reason).await?.try_into()
}
