//! Management sessions: an ID token of the command line's client becomes a session of a management role; live sessions are listed and cut.

use access::{Outcome, Session, SessionTarget, assume, sessions::SessionRow as Live};
use axum::{extract::State as Shared, http::request::Parts};
use base::SessionId;

use super::{
    common::*,
    extract::anonymous,
    revocation::{ReceiptRow, revoke_session},
};

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(about))
        .routes(routes!(open))
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(end))
}

/// What tools need to know of an installation.
#[derive(Serialize, ToSchema)]
struct About {
    /// URL of the AWS edge.
    aws: String,
    /// Region for AWS tools.
    region: String,
}

/// Say where the AWS edge is, for tools without a management session
#[utoipa::path(get, path = "/about", tag = "session", responses((status = 200, body = About)))]
async fn about(Shared(state): Shared<State>) -> Json<About> {
    Json(About { aws: state.about.aws.clone(), region: state.about.region.to_string() })
}

/// What a management session is opened with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Open {
    /// An ID token of the built-in provider for the client `galen-cli`.
    id_token: String,
    /// Name or ARN of the management role, when there are several.
    #[serde(default)]
    role: Option<String>,
}

/// A management session.
#[derive(Serialize, ToSchema)]
struct Opened {
    /// The bearer token of the session.
    token: String,
    /// When it ends.
    expires: String,
    /// The session's ARN.
    arn: String,
    /// The user name of who signed in.
    username: String,
    /// URL of the AWS edge.
    aws: String,
    /// Region for AWS tools.
    region: String,
}

/// Open a management session
#[utoipa::path(post, path = "/session", tag = "session", request_body = Open, responses((status = 201, body = Opened)))]
async fn open(
    Shared(state): Shared<State>,
    parts: Parts,
    Body(body): Body<Open>,
) -> Result<(StatusCode, Json<Opened>), Problem> {
    let op = anonymous(&state, &parts);
    let issued =
        assume::management_session(&state.access, &state.provider, &op, &body.id_token, body.role.as_deref()).await;
    let issued = issued.map_err(|fault| Problem::new(fault.kind(), fault.message))?;
    let opened = Opened {
        token: issued.session_token.expose().clone(),
        expires: issued.session.expires.to_string(),
        arn: issued.session.arn.to_string(),
        username: username(&state, &issued.session).await?,
        aws: state.about.aws.clone(),
        region: state.about.region.to_string(),
    };
    Ok((StatusCode::CREATED, Json(opened)))
}

/// The user name of who signed in; a machine has none, and is called by its source identity.
async fn username(state: &State, session: &Session) -> Result<String, Problem> {
    let personal = match session.person {
        Some(person) => state.directory.personal_of(person).await?,
        None => None,
    };
    Ok(personal.map_or_else(|| session.source_identity.to_string(), |it| it.username.as_str().to_owned()))
}

/// A live session.
#[derive(Serialize, ToSchema)]
struct SessionRow {
    /// Its id.
    id: String,
    /// Id of the person; absent for a machine's.
    person: Option<String>,
    /// Their user name, for a caller who may see them.
    person_name: Option<String>,
    /// Id of the service, for a machine's.
    service: Option<String>,
    /// The service's name.
    service_name: Option<String>,
    /// Id of its role.
    role: String,
    /// Its name.
    role_name: Option<String>,
    /// The session from which it was chained.
    parent: Option<String>,
    /// When it was made.
    issued: String,
    /// When it ends.
    expires: String,
}

impl Row for SessionRow {
    type Of = Live;
    async fn of(names: &Names<'_>, row: Live) -> Self {
        Self {
            id: row.id.to_string(),
            person: row.person.map(|id| id.to_string()),
            service: row.service.map(|id| id.to_string()),
            service_name: names.service(row.service).await,
            role: row.role.to_string(),
            role_name: names.role(row.role).await,
            person_name: names.person(row.person).await,
            parent: row.parent.map(|id| id.to_string()),
            issued: row.issued.to_string(),
            expires: row.expires.to_string(),
        }
    }
    fn key(&self) -> String {
        self.id.clone()
    }
}

/// Which sessions.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Of {
    /// Only those of this person (id or user name).
    #[serde(default)]
    person: Option<String>,
    /// Only those of this service (id or name).
    #[serde(default)]
    service: Option<String>,
}

impl Filter for Of {
    const NAMES: &'static [&'static str] = &["person", "service"];
}

/// List live sessions
#[utoipa::path(get, path = "/sessions", tag = "session", params(PageQuery, Of), responses((status = 200, body = Page<SessionRow>)))]
async fn list(caller: Caller, page: PageRequest<Of>) -> Result<Json<Page<SessionRow>>, Problem> {
    let member = resolve::member_if(&caller, page.of.person.as_ref(), page.of.service.as_ref()).await?;
    let permit = caller.may(api::ListSessions, Installation).await?;
    let rows = caller.state.access.sessions().live(member, page.after_id()?, page.limit + 1).await?;
    permit.finish(Outcome::DONE);
    Ok(Page::of(&Names::of_list(&caller).await, rows, page.limit).await)
}

/// Show one live session
#[utoipa::path(get, path = "/sessions/{id}", tag = "session", params(("id" = String, Path)), responses((status = 200, body = SessionRow)))]
async fn show(caller: Caller, Path(id): Path<String>) -> Result<Shown<SessionRow>, Problem> {
    let session = parse::<SessionId>(&id)?;
    let found = caller.state.access.sessions().find(session).await?;
    let target = SessionTarget { session, person: found.as_ref().and_then(|row| row.person) };
    caller.see(api::ShowSession, target).await?;
    let row = found.ok_or_else(|| Problem::not_found("live session", &id))?;
    let names = Names::of_row(&caller, row.person).await;
    Ok(Shown::of(caller.version(target).await?, SessionRow::of(&names, row).await))
}

/// Cut one session: its open streams close at once; the answer is the signed receipt
#[utoipa::path(post, path = "/sessions/{id}/end", tag = "session", params(("id" = String, Path)), request_body = End, responses((status = 200, body = ReceiptRow)))]
async fn end(caller: Caller, Path(id): Path<String>, Body(body): Body<End>) -> Result<Json<ReceiptRow>, Problem> {
    revoke_session(&caller, &id, body.reason()?).await.map(Json)
}
