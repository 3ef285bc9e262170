//! What every noun of this API is written with.

pub(super) use super::{
    Problem, State,
    etag::Shown,
    extract::{At, Body, Caller, End, Filter, Named, Page, PageQuery, PageRequest, Query, Row, parse, time},
    names::Names,
    resolve,
};
pub(super) use access::{Installation, action::api};
pub(super) use axum::{
    Json,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse, Response},
};
pub(super) use serde::{Deserialize, Serialize};
pub(super) use utoipa::{IntoParams, ToSchema};
pub(super) use utoipa_axum::{router::OpenApiRouter, routes};
