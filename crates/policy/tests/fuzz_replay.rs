//! The corpus of `fuzz/corpus/policy_document/` and bounded mutations of it: reading, linting and evaluating never panic, and what
//! is read survives its own canonical form. A file that a fuzzer found goes into the corpus and is replayed here for ever.

#![cfg(test)]

use policy::{Compiled, Context, Document, DocumentKind, Inputs, Principal, Request, evaluate, explain, lint, narrow};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Mutations of each file: a few seconds in a debug build.
const MUTATIONS: usize = 150;

const KINDS: &[DocumentKind] = &[
    DocumentKind::Identity,
    DocumentKind::Resource,
    DocumentKind::Trust,
    DocumentKind::Boundary,
    DocumentKind::Session,
    DocumentKind::ServiceControl,
];

/// Text that means something to the reader, so that mutations get past its first lines.
const TOKENS: &[&str] = &[
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\\",
    "\\u0000",
    "${",
    "}",
    "*",
    "?",
    "null",
    "true",
    "-1e999",
    "0.1",
    "arn:aws:s3:::",
    "arn:",
    "NotAction",
    "NotResource",
    "Principal",
    "StringNotLike",
    "ForAllValues:",
    "IfExists",
    "Null",
    "2008-10-17",
    "ø",
    "\u{10ffff}",
    " ",
];

/// xorshift64 (Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

fn mutate(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(out.len() + 1);
        let end = (at + dice.below(12)).min(out.len());
        match dice.below(5) {
            0 => drop(out.drain(at..end)),
            1 => drop(out.splice(at..at, TOKENS[dice.below(TOKENS.len())].bytes())),
            2 => drop(out.splice(at..end, TOKENS[dice.below(TOKENS.len())].bytes())),
            3 => {
                let copy = out[at..end].to_vec();
                let to = dice.below(out.len() + 1);
                drop(out.splice(to..to, copy));
            }
            _ if at < out.len() => out[at] = dice.below(256) as u8,
            _ => {}
        }
    }
    out
}

/// Everything that is done with bytes from outside.
fn exercise(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let _ = policy::simulate::simulate(&text);
    let _ = DocumentKind::guess(&text);
    let mut read = false;
    for kind in KINDS {
        let Ok(document) = Document::parse_bytes(bytes, *kind) else { continue };
        read = true;
        let again = Document::parse(document.canonical(), *kind).expect("the canonical form reads");
        assert_eq!(again, document);
        lint::lint(&document, &lint::LintOptions::default());
        for statement in document.statements() {
            assert!(!explain::statement(statement).is_empty());
        }
        ask(&document.compile());
    }
    read
}

fn ask(compiled: &Arc<Compiled>) {
    let context = || {
        Context::new()
            .with("aws:username", "a*${aws:username}")
            .with("aws:x", "a".repeat(300))
            .with("a:n", "1e400")
            .with("a:d", "9999-12-31T23:59:60Z")
            .with("aws:SourceIp", "::ffff:10.0.0.1")
            .with("aws:SourceArn", ":::::")
            .with_all("aws:TagKeys", ["", "ø"])
    };
    let one = [Arc::clone(compiled)];
    let levels = [one.to_vec()];
    for principal in ["arn:aws:sts::111122223333:assumed-role/r/s", "*", "", "arn:aws:iam::1:saml-provider/x"] {
        for (action, resource) in
            [("s3:GetObject", "arn:aws:s3:::b/a*"), ("sts:AssumeRole", "arn:aws:iam::111122223333:role/r"), (":", "::")]
        {
            let request = Request::new(Principal::parse(principal), action, resource, "111122223333", context());
            let inputs = Inputs {
                identity: &one,
                resource: Some(compiled),
                boundary: Some(compiled),
                session: &one,
                scps: &levels,
            };
            let decision = evaluate(&inputs, &request);
            assert!(!decision.is_allowed() || decision.errors.is_empty());
            assert!(!explain::decision(&decision).is_empty());
            narrow(&inputs, &request);
        }
    }
}

fn corpus(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(&folder).expect("the corpus is there").map(|f| f.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "the corpus in {} is empty", folder.display());
    files
}

#[test]
fn questions_and_their_mutations() {
    let mut answered = 0;
    for (i, file) in corpus("policy_question").iter().enumerate() {
        let bytes = fs::read(file).unwrap();
        assert!(policy::simulate::simulate(std::str::from_utf8(&bytes).unwrap()).is_ok(), "{}", file.display());
        let mut dice = Dice(0x51ed_270b + i as u64);
        for _ in 0..4 * MUTATIONS {
            let mutated = mutate(&bytes, &mut dice);
            answered += usize::from(policy::simulate::simulate(&String::from_utf8_lossy(&mutated)).is_ok());
        }
    }
    assert!(answered > MUTATIONS / 4, "only {answered} mutations were questions");
}

#[test]
fn the_corpus_and_its_mutations() {
    let files = corpus("policy_document");
    let (mut read, mut tried) = (0, 0);
    for (i, file) in files.iter().enumerate() {
        let bytes = fs::read(file).unwrap();
        exercise(&bytes);
        let mut dice = Dice(0x9e37_79b9 + i as u64);
        for _ in 0..MUTATIONS {
            read += usize::from(exercise(&mutate(&bytes, &mut dice)));
            tried += 1;
        }
    }
    assert!(
        read * 20 > tried,
        "only {read} of {tried} mutations are documents: the mutations are too wild to test evaluation"
    );
}
