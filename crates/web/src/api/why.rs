//! `/why`: why somebody may or may not do something, and why a recorded decision was made.

use super::State;
use utoipa_axum::router::OpenApiRouter;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
}
