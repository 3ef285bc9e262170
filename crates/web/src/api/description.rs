//! What the OpenAPI document needs besides what each handler says of itself: names of operations that stand once, a text for
//! every answer, and how a caller proves who they are. It must know no single route but those that need no session.

use utoipa::openapi::{
    OpenApi, RefOr,
    path::Operation,
    security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
};

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
