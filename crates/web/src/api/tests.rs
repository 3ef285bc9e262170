//! The reference page of routes is what the API offers.

use serde_json::Value;
use std::fmt::Write as _;

const HEAD: &str = "# Routes

Made from the program's OpenAPI 3.1 document (`GET /api/v1/openapi.json`, which also has every type); a test compares them. [Management API](api.md) says what
all routes have in common. A `?` marks what may be left out; lists also take `page_size` and `page_token`.

| route | what it does | query or body |
|---|---|---|
";

fn texts<'a>(list: &'a Value, of: &'a str) -> impl Iterator<Item = &'a Value> {
    list.as_array().into_iter().flatten().filter(move |it| it["in"] == of)
}

/// The fields of a request: of its query, or of its body.
fn fields(document: &Value, operation: &Value) -> String {
    let marked = |name: &str, needed: bool| format!("`{name}`{}", if needed { "" } else { "?" });
    let paging = ["page_size", "page_token"];
    let query = texts(&operation["parameters"], "query").filter(|it| !paging.contains(&it["name"].as_str().unwrap()));
    let mut all: Vec<String> =
        query.map(|it| marked(it["name"].as_str().unwrap(), it["required"] == Value::Bool(true))).collect();
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    if let Some(name) = body["$ref"].as_str().and_then(|it| it.rsplit('/').next()) {
        let schema = &document["components"]["schemas"][name];
        let needed = schema["required"].as_array().cloned().unwrap_or_default();
        let named = schema["properties"].as_object().into_iter().flatten();
        all.extend(named.map(|(field, _)| marked(field, needed.iter().any(|it| it == field))));
    } else if !body.is_null() {
        all.push("a JSON document".to_owned());
    }
    all.join(", ")
}

#[test]
#[expect(clippy::disallowed_methods, reason = "whoever changes the routes asks this test to write the page")]
fn the_reference_page_is_what_the_api_offers() {
    let document = serde_json::to_value(super::openapi()).unwrap();
    let mut page = HEAD.to_owned();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in ["get", "post", "put", "patch", "delete"] {
            let operation = &methods[method];
            if let Some(what) = operation["summary"].as_str().or_else(|| operation["description"].as_str()) {
                let route = format!("{} {}", method.to_uppercase(), path.trim_start_matches("/api/v1"));
                writeln!(page, "| `{route}` | {what} | {} |", fields(&document, operation)).unwrap();
            }
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/reference/routes.md");
    if std::env::var_os("GALEN_GOLDEN").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == page, "run the test once with GALEN_GOLDEN=1 and read the difference");
}

#[test]
fn a_body_is_an_object_and_no_list_of_its_fields() {
    #[derive(serde::Deserialize)]
    struct Named {
        name: String,
    }
    let read = |body: &str| super::extract::object::<Named>(body.as_bytes()).map(|it| it.name);
    assert_eq!(read(" \n{\"name\":\"a\"}").ok().as_deref(), Some("a"));
    for bad in ["[\"a\"]", "[]", "\"a\"", "", "{", "{}{"] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

/// Every value below a key of this name.
fn under<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    let below: Vec<&Value> = match value {
        Value::Object(map) => {
            found.extend(map.get(key));
            map.values().collect()
        }
        Value::Array(list) => list.iter().collect(),
        _ => Vec::new(),
    };
    below.into_iter().for_each(|value| under(value, key, found));
}

// A validator of OpenAPI refused the document: answers without a description, operations of one name, a type that is not there.
#[test]
fn the_document_is_openapi() {
    let document = serde_json::to_value(super::openapi()).unwrap();
    let mut refs = Vec::new();
    under(&document, "$ref", &mut refs);
    for target in refs {
        let pointer = target.as_str().unwrap().trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{target}");
    }
    let mut names = std::collections::BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{method} {path}: {name}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                assert!(response["description"].as_str().is_some_and(|it| !it.is_empty()), "{method} {path} {status}");
            }
        }
    }
    let keyed = |path: &str| {
        texts(&document["paths"][path]["post"]["parameters"], "header").any(|it| it["name"] == "Idempotency-Key")
    };
    for (path, takes) in [
        ("/api/v1/grants", true),
        ("/api/v1/approvals/{id}/approve", true),
        ("/api/v1/clients", false),
        ("/api/v1/persons/{id}/end", false),
        ("/api/v1/services/{id}/renew-secret", false),
    ] {
        assert_eq!(keyed(path), takes, "{path}");
    }
    assert_eq!(document["components"]["securitySchemes"]["session"]["scheme"], "bearer");
    assert_eq!(document["paths"]["/api/v1/session"]["post"]["security"], serde_json::json!([]));
}
