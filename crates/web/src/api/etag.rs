//! ETags of the management API: a row that is shown names its version, and whoever changes it may say which version they read.
//!
//! A tag is `"VERSION-DIGEST"`. The version is that of the thing and is what `If-Match` compares, in the transaction of the
//! change. The digest is that of the row as shown, with names that are joined to it, and serves `If-None-Match` alone: a
//! renamed group makes no change of its grants stale.

use access::Version;
use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base::ErrorKind;
use serde::Serialize;
use utoipa::openapi::{
    HeaderBuilder, Object, OpenApi, Ref, RefOr, Required, ResponseBuilder, Type,
    content::ContentBuilder,
    path::{Operation, ParameterBuilder, ParameterIn},
};

use super::Problem;

/// Digits of a digest: two rows of one version rarely exist, and never in such numbers.
const DIGEST_CHARS: usize = 16;

/// A row with its ETag.
pub(crate) struct Shown<T> {
    status: StatusCode,
    version: Version,
    row: T,
}

impl<T: Serialize> Shown<T> {
    /// A row whose version was read before it.
    pub(crate) const fn of(version: Version, row: T) -> Self {
        Self { status: StatusCode::OK, version, row }
    }

    /// The row, to complete it.
    pub(crate) const fn row_mut(&mut self) -> &mut T {
        &mut self.row
    }

    /// The same row, just made.
    pub(crate) fn made(self) -> Self {
        Self { status: StatusCode::CREATED, ..self }
    }
}

impl<T: Serialize> IntoResponse for Shown<T> {
    fn into_response(self) -> Response {
        let Self { status, version, row } = self;
        let bytes = match serde_json::to_vec(&row) {
            Ok(bytes) => bytes,
            Err(error) => return Problem::of(ErrorKind::Internal, &error).into_response(),
        };
        let digest: String = crypto::sha256(&bytes).to_string().chars().take(DIGEST_CHARS).collect();
        let mut response = (status, [(header::CONTENT_TYPE, "application/json")], bytes).into_response();
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}-{digest}\"")) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

/// The tags of a conditional header, weak ones with their mark; `None` when it is absent.
fn tags(headers: &HeaderMap, name: HeaderName) -> Result<Option<Vec<String>>, Problem> {
    let mut all = Vec::new();
    for value in headers.get_all(&name) {
        let text = value.to_str().map_err(|_| Problem::invalid(format!("`{name}` holds ETags in quotes, or `*`")))?;
        all.extend(text.split(',').map(|tag| tag.trim().to_owned()));
    }
    Ok(Some(all).filter(|all| !all.is_empty()))
}

/// The versions that `If-Match` names; `None` when it is absent or `*`. A tag that is not ours, or is weak, matches nothing.
pub(super) fn expected(headers: &HeaderMap) -> Result<Option<Vec<Version>>, Problem> {
    let Some(tags) = tags(headers, header::IF_MATCH)? else { return Ok(None) };
    if tags.iter().any(|tag| tag == "*") {
        return Ok(None);
    }
    let version = |tag: &String| {
        let inner = tag.strip_prefix('"')?.strip_suffix('"')?;
        inner.split_once('-')?.0.parse().ok()
    };
    Ok(Some(tags.iter().filter_map(version).collect()))
}

/// Whether a path of the API names one thing, which has a version.
pub(super) fn is_one(path: &str) -> bool {
    path.contains("{id}")
}

/// Answers 304 to a GET whose `If-None-Match` names the row as it is.
pub(super) async fn not_modified(request: Request, next: Next) -> Response {
    let get = request.method() == Method::GET;
    let known = if get { tags(request.headers(), header::IF_NONE_MATCH) } else { Ok(None) };
    let response = next.run(request).await;
    let Some(tag) = response.headers().get(header::ETAG).cloned() else { return response };
    let same = |known: &String| known == "*" || known.trim_start_matches("W/").as_bytes() == tag.as_bytes();
    match known {
        Ok(Some(known)) if known.iter().any(same) => (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response(),
        Ok(_) => response,
        Err(problem) => problem.into_response(),
    }
}

/// Writes into the API's description what all its operations have in common: problems, ETags, preconditions.
pub(super) fn describe(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let one = is_one(path);
        for operation in
            [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten()
        {
            answer(operation, "default", "A problem (RFC 9457)");
        }
        if let Some(get) = item.get.as_mut().filter(|_| one) {
            header_parameter(
                get,
                "If-None-Match",
                "ETags that are known: the answer is 304 when the row is still one of them",
            );
            answer(get, "304", "The row is as the given ETag says");
            tag(get);
        }
        let changes = [&mut item.put, &mut item.patch, &mut item.delete, &mut item.post];
        for change in changes.into_iter().flatten().filter(|_| one) {
            header_parameter(change, "If-Match", "The ETag that was read: the change is made of that version alone");
            answer(change, "412", "The thing has changed since it was read");
            tag(change);
        }
    }
}

fn answer(operation: &mut Operation, status: &str, description: &str) {
    let schema = Ref::from_schema_name("Problem");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response = ResponseBuilder::new().description(description);
    let response = if status == "304" { response } else { response.content("application/problem+json", content) };
    operation.responses.responses.insert(status.to_owned(), RefOr::T(response.build()));
}

fn header_parameter(operation: &mut Operation, name: &str, description: &str) {
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(Object::with_type(Type::String)))
        .build();
    operation.parameters.get_or_insert_default().push(RefOr::T(parameter));
}

/// The ETag of an answer that shows the row.
fn tag(operation: &mut Operation) {
    for status in ["200", "201"] {
        if let Some(RefOr::T(response)) = operation.responses.responses.get_mut(status) {
            let header = HeaderBuilder::new()
                .description(Some("The version of the row, for `If-Match` and `If-None-Match`"))
                .schema(Some(Object::with_type(Type::String)));
            response.headers.insert("ETag".to_owned(), RefOr::T(header.build()));
        }
    }
}

#[cfg(test)]
mod tests;
