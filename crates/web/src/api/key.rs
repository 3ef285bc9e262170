//! `/signing-keys`: the keys that the built-in provider signs tokens with.

use super::common::*;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(rotate))
}

/// The keys that are published now.
#[derive(Serialize, ToSchema)]
struct Published {
    /// Their ids (`kid`): of each algorithm the newest first, which signs.
    key_ids: Vec<String>,
}

/// Make new signing keys: tokens that are out stay valid until they expire
#[utoipa::path(post, path = "/signing-keys/rotate", tag = "key", request_body = End, responses((status = 200, body = Published)))]
async fn rotate(caller: Caller, Body(body): Body<End>) -> Result<Json<Published>, Problem> {
    let reason = body.reason()?;
    let permit = caller.may(api::RotateSigningKeys, Installation).await?;
    caller.state.provider.rotate_keys(permit, reason).await?;
    let published = caller.state.provider.jwks().await?;
    let key_ids = published.keys().iter().map(|key| key.key_id().to_owned()).collect();
    Ok(Json(Published { key_ids }))
}
