//! `/persons`: people, their attributes, and the erasure of them by two approvals.

use access::{Outcome, Permit};
use base::{PersonId, Secret};
use directory::{Made, NewPerson, Person, PersonChange};

use super::{
    approval::{ApprovalRow, waits},
    common::*,
};

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(show, change))
        .routes(routes!(end))
        .routes(routes!(reactivate))
        .routes(routes!(erase))
}

/// A person.
#[derive(Serialize, ToSchema)]
struct PersonRow {
    /// Their id, for ever.
    id: String,
    /// User name; absent after an erasure.
    username: Option<String>,
    /// Name to show; absent after an erasure.
    name: Option<String>,
    /// E-mail address; absent after an erasure.
    email: Option<String>,
    /// The source identity of all their sessions; absent after an erasure.
    source_identity: Option<String>,
    /// active, deactivated or erased.
    status: String,
    /// When they were enrolled.
    created: String,
}

impl Row for PersonRow {
    type Of = Person;
    async fn of(_: &Names<'_>, person: Person) -> Self {
        let personal = person.personal.as_ref();
        Self {
            id: person.id.to_string(),
            username: personal.map(|it| it.username.as_str().to_owned()),
            name: personal.map(|it| it.display_name.as_str().to_owned()),
            email: personal.map(|it| it.email.as_str().to_owned()),
            source_identity: personal.map(|it| it.handle.to_string()),
            status: person.status.as_str().to_owned(),
            created: person.created.to_string(),
        }
    }
    fn key(&self) -> String {
        self.id.clone()
    }
}

/// A person to enrol.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreatePerson {
    /// User name to sign in with.
    username: String,
    /// Name to show.
    name: String,
    /// E-mail address.
    email: String,
    /// The first password; without one the person cannot sign in until one is set.
    #[serde(default)]
    password: Option<String>,
}

/// What changes; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangedPerson {
    /// The new user name to sign in with.
    #[serde(default)]
    username: Option<String>,
    /// The new name to show.
    #[serde(default)]
    name: Option<String>,
    /// The new e-mail address.
    #[serde(default)]
    email: Option<String>,
    /// The new password; everything that the person has open is cut.
    #[serde(default)]
    password: Option<String>,
}

/// Enrol a person
#[utoipa::path(post, path = "/persons", tag = "person", request_body = CreatePerson, responses((status = 201, body = PersonRow)))]
async fn create(caller: Caller, Body(body): Body<CreatePerson>) -> Result<Shown<PersonRow>, Problem> {
    let new = NewPerson {
        username: parse(&body.username)?,
        display_name: parse(&body.name)?,
        email: parse(&body.email)?,
        handle: None,
        password: body.password.map(Secret::new),
        one_time: false,
    };
    let permit = caller.may(api::CreatePerson, Installation).await?;
    let id = caller.state.directory.create_person(permit, new).await?;
    row(&caller, id).await.map(Shown::made)
}

/// List people
#[utoipa::path(get, path = "/persons", tag = "person", params(PageQuery), responses((status = 200, body = Page<PersonRow>)))]
async fn list(caller: Caller, page: PageRequest) -> Result<Json<Page<PersonRow>>, Problem> {
    let permit = caller.may(api::ListPeople, Installation).await?;
    let people = caller.state.directory.list_people(permit, page.after_id()?, page.limit + 1).await?;
    Ok(Page::of(&Names::of_things(&caller), people, page.limit).await)
}

/// Show one person
#[utoipa::path(get, path = "/persons/{id}", tag = "person", params(("id" = String, Path)), responses((status = 200, body = PersonRow)))]
async fn show(At(caller, id): At<PersonId>) -> Result<Shown<PersonRow>, Problem> {
    row(&caller, id).await
}

/// Change a person; the password of somebody else who has one is asked for: a second person approves
#[utoipa::path(patch, path = "/persons/{id}", tag = "person", params(("id" = String, Path)), request_body = ChangedPerson, responses((status = 200, body = PersonRow), (status = 202, body = ApprovalRow)))]
async fn change(At(caller, id): At<PersonId>, Body(body): Body<ChangedPerson>) -> Result<Response, Problem> {
    let attributes = body.username.is_some() || body.name.is_some() || body.email.is_some();
    if attributes && body.password.is_some() {
        return Err(Problem::invalid("a password is set in a request of its own, so that each change is made whole"));
    }
    if attributes {
        let change = PersonChange {
            username: body.username.as_deref().map(parse).transpose()?,
            display_name: body.name.as_deref().map(parse).transpose()?,
            email: body.email.as_deref().map(parse).transpose()?,
        };
        let permit = caller.may(api::ChangePerson, id).await?;
        caller.state.directory.change_person(permit, change, None).await?;
    }
    if let Some(password) = body.password {
        // Asked for first: a new password of one's own cuts the very session that asks.
        let show = caller.may(api::ShowPerson, id).await?;
        let permit = caller.may(api::SetPassword, id).await?;
        let made = caller.state.directory.set_password(permit, &Secret::new(password), None).await?;
        return Ok(match made {
            Made::Now(()) => shown(&caller, show).await?.into_response(),
            Made::Waits(waiting) => {
                show.finish(Outcome::DONE);
                waits(&caller, *waiting).await
            }
        });
    }
    Ok(row(&caller, id).await?.into_response())
}

/// Deactivate a person: everything that they have open is cut
#[utoipa::path(post, path = "/persons/{id}/end", tag = "person", params(("id" = String, Path)), request_body = End, responses((status = 204)))]
async fn end(At(caller, id): At<PersonId>, Body(body): Body<End>) -> Result<StatusCode, Problem> {
    let permit = caller.may(api::DeactivatePerson, id).await?;
    caller.state.directory.deactivate(permit, Some(body.reason()?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Let a deactivated person in again, with the memberships that they had; where those reach data or run the installation, a second person approves
#[utoipa::path(post, path = "/persons/{id}/reactivate", tag = "person", params(("id" = String, Path)), request_body = End, responses((status = 200, body = PersonRow), (status = 202, body = ApprovalRow)))]
async fn reactivate(At(caller, id): At<PersonId>, Body(body): Body<End>) -> Result<Response, Problem> {
    let permit = caller.may(api::ReactivatePerson, id).await?;
    Ok(match caller.state.directory.reactivate(permit, Some(body.reason()?)).await? {
        Made::Now(()) => row(&caller, id).await?.into_response(),
        Made::Waits(waiting) => waits(&caller, *waiting).await,
    })
}

/// Approve the erasure of a person's attributes; the second approval, by another signed-in person, performs it
#[utoipa::path(post, path = "/persons/{id}/erase", tag = "person", params(("id" = String, Path)), request_body = End, responses((status = 204), (status = 202, body = ApprovalRow)))]
async fn erase(At(caller, person): At<PersonId>, Body(body): Body<End>) -> Result<Response, Problem> {
    let reason = body.reason()?;
    let Some(asked) = caller.state.directory.erasure_request(person).await? else {
        let permit = caller.may(api::RequestErasure, person).await?;
        let waiting = caller.state.directory.request_erasure(permit, reason).await?;
        return Ok(waits(&caller, waiting).await);
    };
    let permit = caller.may_while(person, api::ApproveChange, asked.proposal()).await?;
    caller.state.directory.approve(permit, Some(reason)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn row(caller: &Caller, id: PersonId) -> Result<Shown<PersonRow>, Problem> {
    shown(caller, caller.may(api::ShowPerson, id).await?).await
}

async fn shown(caller: &Caller, permit: Permit<api::ShowPerson>) -> Result<Shown<PersonRow>, Problem> {
    caller.shown(*permit.resource(), caller.state.directory.show_person(permit)).await
}
