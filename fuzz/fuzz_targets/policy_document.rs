//! Fuzzes policy documents: read, linted, explained and compiled; the canonical form reads as the same document.

#![no_main]

use libfuzzer_sys::fuzz_target;
use policy::{Document, DocumentKind, explain, lint};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _kind = DocumentKind::guess(&text);
    for kind in [
        DocumentKind::Identity,
        DocumentKind::Resource,
        DocumentKind::Trust,
        DocumentKind::Boundary,
        DocumentKind::Session,
        DocumentKind::ServiceControl,
    ] {
        let Ok(document) = Document::parse_bytes(bytes, kind) else { continue };
        assert!(Document::parse(document.canonical(), kind).is_ok_and(|again| again == document));
        drop(lint::lint(&document, &lint::LintOptions::default()));
        assert!(document.statements().iter().all(|statement| !explain::statement(statement).is_empty()));
        drop(document.compile());
    }
});
