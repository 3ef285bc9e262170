//! `/why`: why somebody may or may not do something, and why a recorded decision was made.

use access::{DecisionTarget, Outcome};
use base::DecisionId;
use evidence::{Story, ask};
use serde_json::Value;

use super::common::*;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(why))
}

/// What is asked: a person or a service, and a resource; or a recorded decision.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Id or user name of the person.
    #[serde(default)]
    person: Option<String>,
    /// Id or name of the service, instead of a person.
    #[serde(default)]
    service: Option<String>,
    /// ARN of a bucket or an object.
    #[serde(default)]
    resource: Option<String>,
    /// The action; by default `s3:GetObject`.
    #[serde(default)]
    action: Option<String>,
    /// As it was at this time (RFC 3339); by default now.
    #[serde(default)]
    at: Option<String>,
    /// A recorded decision, instead of who and what.
    #[serde(default)]
    decision: Option<String>,
}

/// What a read of a file is.
const ACTION_DEFAULT: &str = "s3:GetObject";

/// Why was it allowed or refused, and would it be now
#[utoipa::path(get, path = "/why", tag = "why", params(Asked), responses((status = 200, body = Object, description = "A sentence, the verdict with its reasons, the chain of facts behind it, each with its place in the ledger and, for a refusal, what came nearest")))]
async fn why(caller: Caller, Query(asked): Query<Asked>) -> Result<Json<Value>, Problem> {
    let member = resolve::member_if(&caller, asked.person.as_ref(), asked.service.as_ref()).await?;
    let story = match (asked.decision, member, asked.resource) {
        (Some(decision), None, None) => of_decision(&caller, &decision).await?,
        (None, Some(member), Some(resource)) => {
            let question = ask::Question {
                member,
                action: asked.action.unwrap_or_else(|| ACTION_DEFAULT.to_owned()),
                resource: ask::resource(&resource).map_err(|error| Problem::invalid(error.to_string()))?,
                at: asked.at.as_deref().map(|text| time("at", text)).transpose()?,
            };
            let permit = caller.may(api::Why, member).await?;
            let story = ask::of_question(&caller.state.access, &caller.known_names(), question).await?;
            permit.finish(Outcome::DONE);
            story
        }
        _ => return Err(Problem::invalid("ask with `person` or `service` and `resource`, or with `decision` alone")),
    };
    let value = serde_json::to_value(&story).map_err(|error| Problem::of(base::ErrorKind::Internal, &error))?;
    Ok(Json(value))
}

async fn of_decision(caller: &Caller, decision: &str) -> Result<Story, Problem> {
    let decision = parse::<DecisionId>(decision)?;
    // Whose it was, so that people may ask about their own; that there is none is told only to who may ask about anybody's.
    let member = match caller.state.access.decision(decision).await {
        Ok(decided) => decided.member(),
        Err(access::Error::NoDecision { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let permit = caller.may(api::ShowDecision, DecisionTarget { decision, member }).await?;
    let story = ask::of_decision(&caller.state.access, &caller.known_names(), decision).await?;
    permit.finish(Outcome::DONE);
    Ok(story)
}
