//! The operations: from a token or a session, through every check, to the gate and to new credentials.
//!
//! Order: what is refused without knowing who may (the token, the limits), then the gate, then the session.

use base::{Ids as _, RoleId, Secret, SessionId};
use protocols::sts::{
    AssumeRole, AssumeRoleOutput, AssumeRoleWithWebIdentity, AssumeRoleWithWebIdentityOutput, AssumedRoleUser,
    CallerIdentity, Code, Credentials, Fault, SessionWishes,
};
use std::sync::Arc;
use std::time::Duration;

use crate::epoch::EpochKey;
use crate::facts::Role;
use crate::session::session_arn;
use crate::sessions::{IssueError, Issued};
use crate::sts::{AssumableRole, Via, WebIdentity};
use crate::{
    Access, Ancestor, Denied, DenyReason, Federated, Installation, OpContext, Session, SessionKind, SessionName, Tag,
    documents, sts,
};

use super::claims::AwsClaims;
use super::wishes::{self, TagSet};
use super::{IdentityTokens, TokenFault, VerifiedToken};

/// The call that unsigned requests with a token make.
const WEB_IDENTITY: &str = "sts:AssumeRoleWithWebIdentity";

/// The audience of the identity tokens that the management API exchanges (authorisation.md section 1).
pub const MANAGEMENT_AUDIENCE: &str = "galen-cli";

/// `sts:AssumeRole`: from the caller's session to another role.
///
/// # Errors
/// [`Fault`] with AWS's code: `AccessDenied` when trust refuses or the source identity differs, `ValidationError` for a
/// limit, `MalformedPolicyDocument`, `PackedPolicyTooLarge`, `ExpiredToken` when the caller's session is over.
pub async fn assume_role(access: &Access, op: &OpContext, request: AssumeRole) -> Result<AssumeRoleOutput, Fault> {
    let missing = || Fault::new(Code::MissingAuthenticationToken, "Request is missing Authentication Token");
    let parent = op.session.clone().ok_or_else(missing)?;
    let role = tool_role(access, op, &request.session)?;
    if request.source_identity.as_ref().is_some_and(|asked| *asked != parent.source_identity) {
        let message = "the source identity cannot be changed: the calling session has another one";
        let fault = Fault::new(Code::AccessDenied, message);
        return Err(recorded(access, op, "sts:AssumeRole", "sts:SetSourceIdentity", &role, fault));
    }
    if parent.lineage.len() >= Session::LINEAGE_MAX {
        let message = format!("a chain of roles has at most {} links", Session::LINEAGE_MAX);
        return Err(Fault::invalid(message));
    }
    let passed = request.tags.into_iter().map(|tag| Tag { key: tag.key, value: tag.value }).collect();
    let tags = wishes::tags(Some(&parent), passed, request.transitive_tag_keys)?;
    let seconds = wishes::duration(request.session.duration_seconds, role.session_secs_max, true)?;
    let name = name(&request.role_session_name)?;
    let mut session = draft(access, &role, name, tags, seconds, Origin::Session(&parent))?;
    narrow(&mut session, &request.session, &role)?;
    let action = action(&session, Via::Session, request.external_id, seconds);
    let issued = issue(access, op, action, session).await?;
    Ok(output(&issued))
}

/// `sts:AssumeRoleWithWebIdentity`: from an identity token to a role. The token stays usable within its validity and
/// its person's epoch: SDKs send it again.
///
/// # Errors
/// [`Fault`] with AWS's code: `InvalidIdentityToken`, `ExpiredTokenException`, `IDPCommunicationError` and
/// `IDPRejectedClaim` for the token, else as [`assume_role`].
pub async fn assume_role_with_web_identity(
    access: &Access,
    tokens: &dyn IdentityTokens,
    op: &OpContext,
    request: AssumeRoleWithWebIdentity,
) -> Result<AssumeRoleWithWebIdentityOutput, Fault> {
    let verified = verify(access, tokens, op, &request.token).await?;
    let claims = AwsClaims::read(&verified.claims)?;
    let op = op.clone().with_actor(verified.actor());
    let listed = allowed_by_provider(&claims, request.session.role_arn.as_str());
    let role = tool_role(access, &op, &request.session);
    // The roles claim is checked before the role is looked at; the record names the role where there is one.
    let (role, listed) = match (role, listed) {
        (Ok(role), Ok(listed)) => (role, listed),
        (Ok(role), Err(fault)) => return Err(recorded(access, &op, WEB_IDENTITY, WEB_IDENTITY, &role, fault)),
        (Err(_), Err(fault)) | (Err(fault), Ok(_)) => return Err(fault),
    };
    let refused = |fault| recorded(access, &op, WEB_IDENTITY, WEB_IDENTITY, &role, fault);
    let via = web_identity(&verified, listed).map_err(refused)?;
    check_identity(&verified, &claims).map_err(refused)?;
    let tags = wishes::tags(None, claims.tags, claims.transitive)?;
    let seconds = wishes::duration(request.session.duration_seconds, role.session_secs_max, false)?;
    let name = name(&request.role_session_name)?;
    let mut session = draft(access, &role, name, tags, seconds, Origin::Token(&verified))?;
    narrow(&mut session, &request.session, &role)?;
    let action = action(&session, via, None, seconds);
    let issued = issue(access, &op, action, session).await?;
    Ok(AssumeRoleWithWebIdentityOutput {
        session: output(&issued),
        subject: verified.subject,
        provider: verified.issuer,
        audience: verified.audience,
    })
}

/// `sts:GetCallerIdentity`: who am I. Needs no permission and cannot be denied.
///
/// # Errors
/// `MissingAuthenticationToken` without a session; `ServiceUnavailable` when it cannot be recorded.
pub async fn get_caller_identity(access: &Access, op: &OpContext) -> Result<CallerIdentity, Fault> {
    let missing = || Fault::new(Code::MissingAuthenticationToken, "Request is missing Authentication Token");
    let session = op.session.clone().ok_or_else(missing)?;
    let permit = access.authorize(op, sts::GetCallerIdentity, Installation).await;
    let permit = permit.map_err(|denied| refusal(&denied, "sts:GetCallerIdentity", op, session.role_arn.as_str()))?;
    permit.finish(crate::Outcome { status: 200, bytes: 0 });
    Ok(CallerIdentity {
        arn: session.arn.to_string(),
        user_id: session.assumed_role_id(),
        account: session.account.to_string(),
    })
}

/// A portal or CLI session: an identity token of the management audience is exchanged for a session in a management
/// role that the person's groups entitle. `role` names it when there are several.
///
/// # Errors
/// As [`assume_role_with_web_identity`]; `ValidationError` listing the roles when there are several and none is named.
pub async fn management_session(
    access: &Access,
    tokens: &dyn IdentityTokens,
    op: &OpContext,
    token: &str,
    role: Option<&str>,
) -> Result<Issued, Fault> {
    let verified = verify(access, tokens, op, token).await?;
    if verified.audience != MANAGEMENT_AUDIENCE {
        // A tool's token must not become a management session, whatever its person may do elsewhere.
        access.unauthenticated(op, TokenFault::Audience.word());
        let message =
            format!("Incorrect token audience: a management session needs a token for `{MANAGEMENT_AUDIENCE}`");
        return Err(Fault::new(Code::InvalidIdentityToken, message));
    }
    management_session_for(access, op, &verified, role).await
}

/// As [`management_session`], for a sign-in that the caller has verified itself (the portal's own).
///
/// # Errors
/// As [`management_session`].
pub async fn management_session_for(
    access: &Access,
    op: &OpContext,
    verified: &VerifiedToken,
    role: Option<&str>,
) -> Result<Issued, Fault> {
    current(access, op, verified)?;
    let op = op.clone().with_actor(verified.actor());
    let role = management_role(access, verified, role)?;
    let via = web_identity(verified, None)?;
    let name = name(verified.handle.as_str())?;
    let none = TagSet { tags: Vec::new(), transitive: Vec::new() };
    let seconds = role.session_secs_max;
    let session = draft(access, &role, name, none, seconds, Origin::Token(verified))?;
    let action = action(&session, via, None, seconds);
    issue(access, &op, action, session).await
}

/// Verifies a token and refuses it when an epoch cuts its sign-in. A refused token proves nobody: it is counted.
async fn verify(
    access: &Access,
    tokens: &dyn IdentityTokens,
    op: &OpContext,
    token: &str,
) -> Result<VerifiedToken, Fault> {
    let verified = match tokens.verify(token, access.now()).await {
        Ok(verified) => verified,
        Err(fault) => {
            access.unauthenticated(op, fault.word());
            return Err(fault.into());
        }
    };
    current(access, op, &verified)?;
    Ok(verified)
}

/// Records a refusal of somebody known that the gate was not asked about, and gives it back.
fn recorded(access: &Access, op: &OpContext, call: &'static str, missing: &str, role: &Role, fault: Fault) -> Fault {
    let reason = DenyReason::TrustSilent { role: role.id, action: missing.to_owned() };
    access.record_refusal(op, call, &AssumableRole(role.id).into(), reason);
    fault
}

fn current(access: &Access, op: &OpContext, verified: &VerifiedToken) -> Result<(), Fault> {
    let Some(key) = verified.epoch_key() else {
        return Err(Fault::new(Code::AccessDenied, "the token's subject is not known here, or may not sign in"));
    };
    let epochs = access.sessions().epochs();
    let sign_in = verified.sign_in.map(|sign_in| EpochKey::SignIn { sign_in });
    match [Some(key), sign_in].into_iter().flatten().find_map(|key| epochs.cut_of(key, &verified.auth)) {
        None => Ok(()),
        Some(by) => {
            let reason = DenyReason::SessionCut { epoch: by.key.to_string() };
            let known = op.clone().with_actor(verified.actor());
            access.record_refusal(&known, WEB_IDENTITY, &Installation.into(), reason);
            let message = format!("Token expired: the sign-in is older than the cut at {}; sign in again", by.epoch.at);
            Err(Fault::new(Code::ExpiredTokenException, message))
        }
    }
}

/// The roles claim, checked before the trust of the role: when it is there it must list the role, as a literal.
fn allowed_by_provider(claims: &AwsClaims, role_arn: &str) -> Result<Option<bool>, Fault> {
    match &claims.roles {
        None => Ok(None),
        Some(roles) if roles.iter().any(|listed| listed == role_arn) => Ok(Some(true)),
        Some(_) => {
            let message = "The target role ARN is not present in the roles claim of the web identity token.";
            Err(Fault::new(Code::InvalidIdentityToken, message))
        }
    }
}

/// The source identity that the provider asserts must be the person's own handle.
fn check_identity(verified: &VerifiedToken, claims: &AwsClaims) -> Result<(), Fault> {
    match &claims.source_identity {
        Some(asserted) if asserted == verified.handle.as_str() => Ok(()),
        Some(_) => {
            let message = "the token's source identity is not the one of its subject";
            Err(Fault::new(Code::IdpRejectedClaim, message))
        }
        None => {
            let message = "Not authorized to perform sts:AssumeRoleWithWebIdentity: a source identity is required, and \
                           the token has no claim `https://aws.amazon.com/source_identity`";
            Err(Fault::new(Code::AccessDenied, message))
        }
    }
}

fn web_identity(verified: &VerifiedToken, authorized_by_idp: Option<bool>) -> Result<Via, Fault> {
    let unknown = || Fault::new(Code::InvalidIdentityToken, "Incorrect token audience");
    Ok(Via::WebIdentity(WebIdentity {
        client: verified.client.ok_or_else(unknown)?,
        provider: verified.provider().to_owned(),
        audience: verified.audience.clone(),
        subject: verified.subject.clone(),
        amr: verified.auth.amr.clone(),
        authorized_by_idp,
    }))
}

/// The role of a data session. An unknown role is refused in the words of a refused one, and recorded.
fn tool_role(access: &Access, op: &OpContext, wishes: &SessionWishes) -> Result<Arc<Role>, Fault> {
    let arn = wishes.role_arn.as_str();
    match access.role_by_arn(arn) {
        Some(role) if !role.management => Ok(role),
        found => {
            let target = found.map_or(RoleId::from_uuid(uuid::Uuid::nil()), |role| role.id);
            let reason = DenyReason::RoleEnded { role: target };
            let call = if op.session.is_some() { "sts:AssumeRole" } else { WEB_IDENTITY };
            access.record_refusal(op, call, &AssumableRole(target).into(), reason);
            Err(not_authorized(op, call, arn, None))
        }
    }
}

fn management_role(access: &Access, verified: &VerifiedToken, asked: Option<&str>) -> Result<Arc<Role>, Fault> {
    let entitled = verified.member().map(|member| access.entitled_roles(member, verified.client)).unwrap_or_default();
    let mut roles: Vec<_> = entitled.into_iter().filter(|role| role.management).collect();
    if let Some(asked) = asked {
        roles.retain(|role| role.name == asked || role.arn() == asked);
    }
    match roles.as_slice() {
        [role] => Ok(Arc::clone(role)),
        [] => Err(Fault::new(
            Code::AccessDenied,
            match asked {
                Some(_) => {
                    "no group of yours entitles you to this management role: leave it out, or ask an administrator for a group that does"
                }
                None => {
                    "no group of yours entitles you to a management role: ask an administrator to put you into `members`"
                }
            },
        )),
        several => {
            let names: Vec<_> = several.iter().map(|role| role.name.as_str()).collect();
            let message = format!("you have several management roles; name one of: {}", names.join(", "));
            Err(Fault::invalid(message))
        }
    }
}

fn name(text: &str) -> Result<SessionName, Fault> {
    text.parse().map_err(|bad: base::BadName| Fault::invalid(bad.to_string()))
}

/// What a session is made from.
#[derive(Clone, Copy)]
enum Origin<'a> {
    Session(&'a Session),
    Token(&'a VerifiedToken),
}

/// The session as it will be if the gate permits it.
fn draft(
    access: &Access,
    role: &Role,
    name: SessionName,
    tags: TagSet,
    seconds: u32,
    origin: Origin<'_>,
) -> Result<Session, Fault> {
    let internal = |_| Fault::new(Code::InternalFailure, "the session's name cannot be written as an ARN");
    let role_arn = role.arn().parse().map_err(internal)?;
    let issued = access.now();
    let expires = issued.checked_add(Duration::from_secs(u64::from(seconds)));
    let expires = expires.map_err(|_| Fault::new(Code::InternalFailure, "the session's end is beyond all time"))?;
    let base = Session {
        id: SessionId::from_uuid(access.effects().uuid()),
        kind: kind(role, origin),
        person: None,
        service: None,
        source_identity: origin.source_identity(),
        account: role.account,
        role: role.id,
        arn: session_arn(role.account, &role_arn, &name).map_err(internal)?,
        role_arn,
        role_unique_id: role.unique_id.clone(),
        name,
        access_key_id: access.sessions().access_key().map_err(|error| unavailable(&error))?,
        tags: tags.tags,
        transitive: tags.transitive,
        carry: role.carry,
        via: Vec::new(),
        policies: Vec::new(),
        issued,
        expires,
        auth: origin.auth(),
        sign_in: None,
        chained: false,
        lineage: Vec::new(),
        client: None,
        federated: None,
    };
    Ok(origin.inherit(base))
}

fn kind(role: &Role, origin: Origin<'_>) -> SessionKind {
    let machine = match origin {
        Origin::Session(parent) => parent.service.is_some(),
        Origin::Token(token) => token.service.is_some(),
    };
    match (role.management, machine) {
        (true, _) => SessionKind::Management,
        (false, true) => SessionKind::Service,
        (false, false) => SessionKind::Tool,
    }
}

impl Origin<'_> {
    fn source_identity(self) -> base::SourceIdentity {
        match self {
            Self::Session(parent) => parent.source_identity.clone(),
            Self::Token(token) => token.handle.clone(),
        }
    }

    fn auth(self) -> crate::AuthPosition {
        match self {
            Self::Session(parent) => parent.auth.clone(),
            Self::Token(token) => token.auth.clone(),
        }
    }

    /// What follows a person through every session of a chain.
    fn inherit(self, base: Session) -> Session {
        match self {
            Self::Session(parent) => Session {
                person: parent.person,
                service: parent.service,
                sign_in: parent.sign_in,
                chained: true,
                lineage: parent
                    .lineage
                    .iter()
                    .copied()
                    .chain([Ancestor { session: parent.id, role: parent.role }])
                    .collect(),
                client: parent.client,
                federated: parent.federated.clone(),
                ..base
            },
            Self::Token(token) => Session {
                person: token.person,
                service: token.service,
                sign_in: token.sign_in,
                client: token.client,
                federated: Some(Federated {
                    provider: token.provider().to_owned(),
                    audience: token.audience.clone(),
                    subject: token.subject.clone(),
                }),
                ..base
            },
        }
    }
}

/// Adds the session policies and checks the room they take.
fn narrow(session: &mut Session, wishes: &SessionWishes, role: &Role) -> Result<(), Fault> {
    session.policies = wishes::policies(wishes, role.account, managed)?;
    wishes::packed(session).map(|_percent| ())
}

/// The managed policies that a caller may name: those that Galen brings, under the role's account.
fn managed(arn: &str) -> Option<Arc<str>> {
    let (_, name) = arn.rsplit_once(":policy/")?;
    documents::managed(name).map(Arc::from)
}

fn action(session: &Session, via: Via, external_id: Option<String>, seconds: u32) -> sts::AssumeRole {
    sts::AssumeRole {
        via,
        session_name: session.name.to_string(),
        source_identity: session.source_identity.clone(),
        sets_source_identity: true,
        tags: session.tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect(),
        transitive: session.transitive.clone(),
        external_id,
        duration_secs: Some(seconds),
    }
}

async fn issue(access: &Access, op: &OpContext, action: sts::AssumeRole, session: Session) -> Result<Issued, Fault> {
    let call = crate::Action::name(&action);
    let role_arn = session.role_arn.to_string();
    let permit = access.authorize(op, action, AssumableRole(session.role)).await;
    let permit = permit.map_err(|denied| refusal(&denied, call, op, &role_arn))?;
    access.sessions().issue(permit, session).await.map_err(|error| unavailable(&error))
}

fn refusal(denied: &Denied, call: &str, op: &OpContext, resource: &str) -> Fault {
    match denied.kind() {
        base::ErrorKind::Unauthenticated => Fault::new(Code::ExpiredToken, denied.sentence.clone()),
        base::ErrorKind::Unavailable => Fault::new(Code::ServiceUnavailable, denied.sentence.clone()),
        _ => {
            let missing = match &denied.reason {
                DenyReason::TrustSilent { action, .. } => action.as_str(),
                _ => call,
            };
            not_authorized(op, missing, resource, Some(denied))
        }
    }
}

/// The words that users of AWS search for, then Galen's own sentence.
fn not_authorized(op: &OpContext, call: &str, resource: &str, denied: Option<&Denied>) -> Fault {
    let who = op.session.as_ref().map(|session| format!("User: {} is n", session.arn));
    let who = who.unwrap_or_else(|| "N".to_owned());
    let told = denied.map(|denied| format!(" ({}; decision {})", denied.sentence, denied.decision));
    let message = format!("{who}ot authorized to perform: {call} on resource: {resource}{}", told.unwrap_or_default());
    Fault::new(Code::AccessDenied, message)
}

fn unavailable(error: &IssueError) -> Fault {
    tracing::error!(error = error as &dyn std::error::Error, "a session could not be issued");
    Fault::new(Code::ServiceUnavailable, error.to_string())
}

fn output(issued: &Issued) -> AssumeRoleOutput {
    let session = &issued.session;
    AssumeRoleOutput {
        credentials: Credentials {
            access_key_id: session.access_key_id.to_string(),
            secret_access_key: Secret::clone(&issued.secret_access_key),
            session_token: Secret::clone(&issued.session_token),
            expiration: session.expires,
        },
        user: AssumedRoleUser { assumed_role_id: session.assumed_role_id(), arn: session.arn.to_string() },
        packed_percent: Some(issued.packed_percent),
        source_identity: Some(session.source_identity.to_string()),
    }
}

/// When a fault of the token itself is worth a word in the log: never its content.
impl From<TokenFault> for Fault {
    fn from(fault: TokenFault) -> Self {
        let code = match fault {
            TokenFault::Expired { .. } => Code::ExpiredTokenException,
            TokenFault::IssuerUnreachable => Code::IdpCommunicationError,
            TokenFault::Rejected { .. } => Code::IdpRejectedClaim,
            TokenFault::Malformed { .. }
            | TokenFault::UnknownIssuer
            | TokenFault::Signature
            | TokenFault::Audience
            | TokenFault::NotYetValid => Code::InvalidIdentityToken,
        };
        Self::new(code, fault.to_string())
    }
}
