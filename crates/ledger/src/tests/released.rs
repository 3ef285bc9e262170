//! Logs of released formats, kept as files: whatever is written from now on, these must verify for ever.

use std::{fs, path::Path};

use super::key;
use crate::{Entry, LogKey, MemoryFiles, Phase, TlogProof, verify::Verifier};

fn load(folder: &Path, prefix: &str, files: &mut MemoryFiles) {
    for file in fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        let name = format!("{prefix}{}", file.file_name().into_string().unwrap());
        match file.file_type().unwrap().is_dir() {
            true => load(&file.path(), &format!("{name}/"), files),
            false => {
                files.0.insert(name, fs::read(file.path()).unwrap());
            }
        }
    }
}

/// Seven entries of every phase, published; two more in a write-ahead file.
#[test]
fn version_1_verifies() {
    let mut files = MemoryFiles::default();
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/v1"), "", &mut files);
    assert_eq!(LogKey::claimed(&files).unwrap(), Some(key()));
    let mut phases = Vec::new();
    let report = Verifier::new(vec![key()])
        .verify_each(&files, &mut |_, bytes| phases.push(Entry::decode(bytes).unwrap().phase))
        .unwrap();
    assert!(report.is_sound() && report.findings.is_empty(), "{:?}", report.findings);
    assert_eq!((report.size, report.complete_to, report.pending, report.open_intents), (7, 7, 2, 0));
    assert_eq!(report.root.unwrap().to_string(), "aabde52610f362629623a916942649cf0e61b1adc482a63fef66ead3b69e0956");
    for phase in [Phase::Intent, Phase::Outcome, Phase::Change, Phase::Denial, Phase::Denials, Phase::Note] {
        assert!(phases.contains(&phase), "{phase:?}");
    }
    for index in 0..7 {
        TlogProof::prove(&files, &[key()], index).unwrap();
    }
}
