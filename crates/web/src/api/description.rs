//! What the OpenAPI document needs besides what each handler says of itself: names of operations that stand once, a text for
//! every answer, and how a caller proves who they are. It must know no single route but those that need no session.

use utoipa::openapi::{
    ObjectBuilder, OpenApi, RefOr,
    path::{Operation, Parameter, ParameterBuilder, ParameterIn},
    schema::Type,
    security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
};

use super::idempotency::{KEY_BYTES_MAX, takes_key};

/// How callers prove who they are.
const SESSION: &str = "session";
/// Where a session begins, where the AWS edge is, and what anybody may check a receipt with.
const WITHOUT_SESSION: &[&str] = &["/api/v1/about", "/api/v1/receipt-key", "/api/v1/session"];

/// Completes the document: without this it is not OpenAPI, and tools that read it refuse it.
pub(super) fn complete(document: &mut OpenApi) {
    let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    document.components.get_or_insert_default().add_security_scheme(SESSION, scheme);
    document.security = Some(vec![SecurityRequirement::new(SESSION, Vec::<String>::new())]);
    for (path, item) in &mut document.paths.paths {
        if let Some(operation) = item.post.as_mut().filter(|_| takes_key(path)) {
            operation.parameters.get_or_insert_default().push(RefOr::T(key()));
        }
        let all = [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
        for operation in all.into_iter().flatten() {
            name(operation);
            tell(operation);
            if WITHOUT_SESSION.contains(&path.as_str()) {
                operation.security = Some(Vec::new());
            }
        }
    }
}

/// The header with which a POST is made once.
fn key() -> Parameter {
    let text =
        ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(KEY_BYTES_MAX)).build();
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some(
            "The same key with the same request within a day gives the same answer, with `idempotency-replayed: true`, and does nothing twice",
        ))
        .schema(Some(text))
        .build()
}

/// Handlers of all nouns are called `list`, `show` and so on; in the document the noun comes first.
fn name(operation: &mut Operation) {
    let noun = operation.tags.iter().flatten().next();
    if let (Some(noun), Some(verb)) = (noun, &operation.operation_id) {
        operation.operation_id = Some(format!("{noun}_{verb}"));
    }
}

fn tell(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            let text = match status.as_str() {
                "201" => "It was made",
                "202" => "It waits for a second person",
                "204" => "It was done",
                _ => "The answer",
            };
            text.clone_into(&mut response.description);
        }
    }
}
