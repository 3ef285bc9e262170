//! Every way to bend a log: each is found, and found where it is.

use base::{Actor, DecisionId, Timestamp};

use super::{TestSigner, key, log_of, opaque, origin};
use crate::{
    CheckpointSigner as _, Entry, LogKey, MemoryFiles, Outcome, Phase, Status, UserIdentity, Window, layout, leaf_hash,
    verify::{Finding, FindingKind, Report, Verifier},
    wal::{FrameBuilder, seed},
};

/// Entries in the log that is bent byte by byte: one full bundle and a partial one.
const SMALL: usize = 260;

fn verifier() -> Verifier {
    Verifier::new(vec![key()]).bytes_only()
}

fn verify(files: &MemoryFiles) -> Report {
    verifier().verify(files).unwrap()
}

fn short(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|index| format!("{index:03}").into_bytes()).collect()
}

/// A small published log with a write-ahead file that repeats its last entries and holds three more.
fn small() -> MemoryFiles {
    with_wal(SMALL)
}

fn with_wal(size: usize) -> MemoryFiles {
    let mut files = log_of(&short(size), &[]);
    let first = size as u64 - 2;
    let mut digest = seed(&origin(), first);
    let mut wal = Vec::new();
    for frame in [vec![first, first + 1], vec![first + 2], vec![first + 3, first + 4]] {
        let mut builder = FrameBuilder::default();
        for index in &frame {
            let entry = format!("{index:03}").into_bytes();
            builder.push(&entry, leaf_hash(&entry)).unwrap();
        }
        let (bytes, next) = builder.finish(&digest, frame[0]);
        wal.extend(bytes);
        digest = next;
    }
    wal.resize((wal.len() + 100).next_power_of_two(), 0);
    files.0.insert(layout::wal(first, wal.len()), wal);
    files.0.insert(layout::filled(layout::SPARE, 512), vec![0; 512]);
    files.0.insert(layout::filled(layout::RESERVE, 512), vec![0; 512]);
    files.0.insert(layout::LOCK.to_owned(), Vec::new());
    files
}

/// Where a finding says that a byte of this file is wrong.
fn locates(finding: &Finding, name: &str, at: usize) -> bool {
    if finding.file.as_deref() != Some(name) {
        return false;
    }
    match finding.kind {
        // A signed text is right or wrong as a whole.
        FindingKind::CheckpointAltered | FindingKind::RolledBack | FindingKind::Rewritten => true,
        FindingKind::EntryAltered => {
            // The entry that starts at the reported offset: 2 bytes of length and 3 of text.
            finding.offset.is_some_and(|offset| (offset..offset + 5).contains(&(at as u64)))
        }
        FindingKind::TileAltered => finding.offset == Some(at as u64),
        FindingKind::WalAltered => finding.offset.is_some_and(|offset| offset <= at as u64),
        _ => finding.offset.is_some_and(|offset| offset == at as u64),
    }
}

#[test]
fn an_untouched_log_is_sound() {
    let report = verify(&small());
    assert!(report.is_sound(), "{:?}", report.findings);
    assert!(report.findings.is_empty());
    assert_eq!((report.size, report.complete_to, report.pending), (260, 260, 3));
    assert!(report.signed);
}

// verifies: AUD-04
#[test]
fn every_flipped_byte_is_found_and_located() {
    let whole = small();
    for (name, bytes) in &whole.0 {
        for at in 0..bytes.len() {
            let mut bent = whole.clone();
            bent.0.get_mut(name).unwrap()[at] ^= 0x01;
            let report = verify(&bent);
            assert!(!report.is_sound(), "byte {at} of {name}: not found");
            assert!(
                report.errors().any(|finding| locates(finding, name, at)),
                "byte {at} of {name}: found elsewhere: {:?}",
                report.findings
            );
        }
    }
}

// verifies: AUD-04
#[test]
fn every_inserted_and_removed_byte_is_found() {
    bend_lengths(&with_wal(20), 1);
    bend_lengths(&small(), 13);
}

fn bend_lengths(whole: &MemoryFiles, step: usize) {
    for (name, bytes) in &whole.0 {
        for at in (0..=bytes.len()).step_by(step) {
            for byte in [b'a', 0] {
                let mut longer = whole.clone();
                longer.0.get_mut(name).unwrap().insert(at, byte);
                let report = verify(&longer);
                assert!(!report.is_sound(), "insertion of {byte} at {at} of {name}");
            }
            if at < bytes.len() {
                let mut shorter = whole.clone();
                shorter.0.get_mut(name).unwrap().remove(at);
                let report = verify(&shorter);
                assert!(!report.is_sound(), "removal at {at} of {name}: {:?}", report.findings);
                let file = report.errors().any(|finding| finding.file.as_deref() == Some(name));
                assert!(file, "removal at {at} of {name}: {:?}", report.findings);
            }
        }
    }
}

// verifies: AUD-04
#[test]
fn every_truncation_is_found() {
    truncate_all(&with_wal(20), 1);
    truncate_all(&small(), 13);
}

fn truncate_all(whole: &MemoryFiles, step: usize) {
    for (name, bytes) in &whole.0 {
        for len in (0..bytes.len()).step_by(step) {
            let mut bent = whole.clone();
            bent.0.get_mut(name).unwrap().truncate(len);
            let report = verify(&bent);
            assert!(!report.is_sound(), "{name} cut to {len}");
            let named = report.errors().any(|finding| finding.file.as_deref() == Some(name));
            assert!(named, "{name} cut to {len}: {:?}", report.findings);
        }
    }
}

/// Half of the filling, or all of it, was once not missed: what was left had a length that a file could have.
// verifies: AUD-04
#[test]
fn any_piece_of_the_filling_that_is_missing_is_found() {
    let mut whole = small();
    let first = SMALL as u64 - 2;
    let small_wal = whole.0.keys().find(|name| layout::wal_first(name) == Some(first)).unwrap().clone();
    let mut wal = whole.0.remove(&small_wal).unwrap();
    let entries_until = wal.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    wal.resize(16384, 0);
    whole.0.insert(layout::wal(first, 16384), wal);
    // Nothing is in it yet: its name is the next index.
    whole.0.insert(layout::wal(first + 5, 8192), vec![0; 8192]);
    for stem in [layout::SPARE, layout::RESERVE] {
        whole.0.retain(|name, _| layout::filling(name).0 != stem);
        whole.0.insert(layout::filled(stem, 8192), vec![0; 8192]);
    }
    assert!(verify(&whole).findings.is_empty(), "{:?}", verify(&whole).findings);
    let filled = whole.0.iter().filter_map(|(name, bytes)| layout::filling(name).1.map(|_| (name, bytes.len())));
    let filled: Vec<_> = filled.collect();
    assert_eq!(filled.len(), 4, "{filled:?}");
    for (name, size) in filled {
        let wal = layout::wal_first(name);
        let from = if wal == Some(first) { entries_until } else { 0 };
        let kind = if wal.is_some() { FindingKind::WalAltered } else { FindingKind::SpaceAltered };
        for len in
            [size - 1, size - 512, size - 4096, size / 2, size / 4, from + 1, from, size + 1, size + 4096, 2 * size]
        {
            let mut bent = whole.clone();
            bent.0.get_mut(name).unwrap().resize(len, 0);
            let report = verify(&bent);
            let found: Vec<_> =
                report.errors().map(|finding| (finding.kind, finding.file.as_deref(), finding.offset)).collect();
            assert_eq!(found, [(kind, Some(name.as_str()), Some(len.min(size) as u64))], "{len} of {size} bytes");
        }
    }
}

/// Names told no size at first. Such files are read as they were: a power of two of bytes, and what a crash left of one that was
/// being made, which had its name from the beginning.
#[test]
fn files_of_the_time_before_sizes_stood_in_names_are_no_finding() {
    let mut whole = small();
    whole.0.retain(|name, _| layout::filling(name).0 != layout::SPARE);
    let sized: Vec<String> = whole.0.keys().filter(|name| layout::filling(name).1.is_some()).cloned().collect();
    for name in sized {
        let bytes = whole.0.remove(&name).unwrap();
        whole.0.insert(layout::filling(&name).0.to_owned(), bytes);
    }
    whole.0.insert("wal/spare.tmp".to_owned(), vec![0; 1024]);
    for left in [0, 512, 1536] {
        whole.0.insert(layout::wal_stem(SMALL as u64 + 3), vec![0; left]);
        assert!(verify(&whole).findings.is_empty(), "{left}: {:?}", verify(&whole).findings);
    }
    for name in [layout::RESERVE.to_owned(), layout::wal_stem(SMALL as u64 - 2)] {
        let mut bent = whole.clone();
        bent.0.get_mut(&name).unwrap().pop();
        assert!(verify(&bent).errors().any(|finding| finding.file.as_deref() == Some(&name)), "{name}");
    }
}

/// A stop while a file of zeros is made leaves it short, under a name that tells no size.
#[test]
fn a_file_that_was_being_made_is_no_finding() {
    for stem in [layout::wal_stem(SMALL as u64 + 3), layout::SPARE.to_owned(), layout::RESERVE.to_owned()] {
        for left in [0, 512, 4096] {
            let mut files = small();
            let name = format!("{stem}{}", layout::TEMPORARY);
            files.0.insert(name.clone(), vec![0; left]);
            assert!(verify(&files).findings.is_empty(), "{name}: {:?}", verify(&files).findings);
        }
    }
}

/// A crash between a publication and the removal of what it replaces leaves narrower tiles; they are no finding, and
/// bent ones are.
#[test]
fn leftover_tiles_must_be_beginnings_of_the_current_ones() {
    let entries = short(SMALL + 300);
    let mut whole = log_of(&entries, &[]);
    let older = log_of(&entries[..SMALL], &[]);
    let leftovers: Vec<_> = older.0.keys().filter(|name| name.contains(".p/")).cloned().collect();
    assert_eq!(leftovers, ["tile/0/001.p/4", "tile/1/000.p/1", "tile/entries/001.p/4"]);
    for name in &leftovers {
        whole.0.insert(name.clone(), older.0[name].clone());
    }
    assert!(verify(&whole).findings.is_empty(), "{:?}", verify(&whole).findings);
    for name in &leftovers {
        let mut bent = whole.clone();
        bent.0.get_mut(name).unwrap()[3] ^= 1;
        let report = verify(&bent);
        let found: Vec<_> = report.errors().map(|finding| (finding.file.clone().unwrap(), finding.offset)).collect();
        assert_eq!(found, [(name.clone(), Some(3))]);
    }
}

#[test]
fn every_missing_file_is_found() {
    let whole = small();
    let beside = [layout::LOG_KEY, layout::RESERVE, layout::LOCK];
    let of_the_log = |name: &&String| !beside.contains(&layout::filling(name).0) && !name.starts_with(layout::WAL);
    for name in whole.0.keys().filter(of_the_log) {
        let mut bent = whole.clone();
        bent.0.remove(name);
        let report = verify(&bent);
        assert!(!report.is_sound(), "{name}");
        assert!(report.errors().any(|finding| finding.file.as_deref() == Some(name)), "{name}: {:?}", report.findings);
    }
    let mut more = whole;
    more.0.insert("tile/notes.txt".to_owned(), Vec::new());
    assert!(verify(&more).errors().any(|finding| finding.kind == FindingKind::UnexpectedFile));
}

// verifies: AUD-04
#[test]
fn swapped_and_repeated_entries_are_located() {
    let entries = short(SMALL);
    let whole = log_of(&entries, &[]);
    let bundle = whole.0["tile/entries/000"].clone();
    for (left, right) in [(0, 1), (10, 200), (254, 255)] {
        let mut bent = bundle.clone();
        for byte in 0..5 {
            bent.swap(left * 5 + byte, right * 5 + byte);
        }
        let mut files = whole.clone();
        files.0.insert("tile/entries/000".to_owned(), bent);
        let report = verify(&files);
        let found: Vec<_> = report.errors().filter_map(|finding| finding.entry).collect();
        assert_eq!(found, [left as u64, right as u64]);
        assert_eq!(report.complete_to, left as u64);
    }
    let mut files = whole.clone();
    let repeated = [&bundle[..10], &bundle[5..]].concat();
    files.0.insert("tile/entries/000".to_owned(), repeated);
    let report = verify(&files);
    let first = report.errors().next().unwrap();
    assert_eq!((first.entry, first.offset), (Some(2), Some(10)));
    assert_eq!(first.to_string(), "entry 2 (tile/entries/000, offset 10): the entry is not the one that was signed");
}

#[test]
fn a_log_rewritten_with_its_tiles_differs_from_its_checkpoint() {
    let mut entries = short(SMALL);
    let checkpoint = log_of(&entries, &[]).0[layout::CHECKPOINT].clone();
    entries[17] = b"lie".to_vec();
    let mut files = log_of(&entries, &[]);
    files.0.insert(layout::CHECKPOINT.to_owned(), checkpoint);
    let report = verify(&files);
    assert!(report.errors().any(|finding| finding.kind == FindingKind::Rewritten));
    assert_eq!(report.complete_to, 0);
}

#[test]
fn kept_checkpoints_narrow_a_rewriting_down() {
    let mut entries = opaque(9000);
    let cuts = [4096, 8200];
    let honest = log_of(&entries, &cuts);
    assert!(verify(&honest).is_sound());
    assert_eq!(verify(&honest).checkpoints, 3);
    entries[5000] = b"lie".to_vec();
    let mut files = log_of(&entries, &cuts);
    for name in [layout::CHECKPOINT.to_owned(), layout::kept_checkpoint(4096), layout::kept_checkpoint(8200)] {
        files.0.insert(name.clone(), honest.0[&name].clone());
    }
    let report = verify(&files);
    let first = report.errors().next().unwrap();
    assert_eq!((first.kind, first.entry, first.until), (FindingKind::Rewritten, Some(4096), Some(8200)));
    assert_eq!(report.complete_to, 4096);
}

// verifies: AUD-04
#[test]
fn every_flipped_byte_of_a_kept_checkpoint_is_found() {
    let whole = log_of(&opaque(4100), &[4097]);
    let name = layout::kept_checkpoint(4097);
    for at in 0..whole.0[&name].len() {
        let mut bent = whole.clone();
        bent.0.get_mut(&name).unwrap()[at] ^= 0x01;
        let report = verify(&bent);
        let found: Vec<_> = report.errors().map(|finding| (finding.kind, finding.file.clone().unwrap())).collect();
        assert_eq!(found, [(FindingKind::CheckpointAltered, name.clone())], "byte {at}");
    }
}

#[test]
fn a_rollback_is_found_against_a_witness() {
    let entries = opaque(600);
    let newer = log_of(&entries, &[]);
    let older = log_of(&entries[..300], &[]);
    let witness = &newer.0[layout::CHECKPOINT];
    assert!(verify(&older).is_sound(), "an older valid state is valid by itself");
    assert_eq!(verify(&older).witnessed, None, "and nothing is claimed about freshness");
    let report = verifier().with_witness(witness).unwrap().verify(&older).unwrap();
    assert!(report.errors().any(|finding| finding.kind == FindingKind::RolledBack && finding.entry == Some(300)));

    let seen_earlier = verifier().with_witness(&older.0[layout::CHECKPOINT]).unwrap();
    let report = seen_earlier.verify(&newer).unwrap();
    assert!(report.is_sound());
    assert_eq!(report.witnessed, Some(300));

    let mut other = entries;
    other[3] = b"lie".to_vec();
    let report = seen_earlier.verify(&log_of(&other, &[])).unwrap();
    assert!(report.errors().any(|finding| finding.kind == FindingKind::Forked && finding.until == Some(300)));
    assert!(verifier().with_witness(b"nothing").is_err());
}

#[test]
fn a_log_signed_by_another_key_is_not_ours() {
    let stranger = LogKey::new(origin(), TestSigner::new(9).public_key());
    let report = Verifier::new(vec![stranger]).bytes_only().verify(&small()).unwrap();
    let kinds: Vec<_> = report.errors().map(|finding| finding.kind).collect();
    assert!(kinds.contains(&FindingKind::KeyAltered) && kinds.contains(&FindingKind::CheckpointAltered));
    assert!(!report.signed);
}

#[test]
fn an_empty_log_is_sound() {
    let report = verify(&MemoryFiles::default());
    assert!(report.is_sound());
    assert_eq!((report.size, report.complete_to), (0, 0));
    assert!(verify(&log_of(&[], &[])).is_sound());
}

fn id(number: u128) -> DecisionId {
    format!("00000000-0000-7000-8000-{number:012x}").parse().unwrap()
}

fn entry(phase: Phase, number: u128) -> Entry {
    let who = UserIdentity::new(Actor::System);
    Entry::new(phase, id(number), Timestamp::UNIX_EPOCH, "s3.amazonaws.com", "GetObject", who)
}

fn outcome(number: u128, of: &Entry) -> Entry {
    let outcome = Outcome { status: Status::Ok, code: Some(200), bytes: Some(1), offset: None, shown: None };
    Entry::outcome_of(of, id(number), Timestamp::UNIX_EPOCH, outcome)
}

#[test]
fn intents_and_outcomes_must_pair_up() {
    let (first, second) = (entry(Phase::Intent, 1), entry(Phase::Intent, 2));
    let mut window = entry(Phase::Intent, 3);
    window.window = Some(Window { until: Timestamp::UNIX_EPOCH });
    let entries = [
        first.clone(),
        outcome(10, &first),
        outcome(11, &first), // closed already
        second.clone(),      // stays open
        window.clone(),
        outcome(12, &window),
        outcome(13, &window),
        outcome(14, &entry(Phase::Intent, 99)), // never opened
        second,                                 // opened twice
        entry(Phase::Note, 20),
    ];
    let mut bytes: Vec<Vec<u8>> = entries.iter().map(|entry| entry.encode().unwrap()).collect();
    bytes.push(b"{}".to_vec());
    let report = Verifier::new(vec![key()]).verify(&log_of(&bytes, &[])).unwrap();
    let found: Vec<_> = report.findings.iter().map(|finding| (finding.kind, finding.entry.unwrap())).collect();
    assert_eq!(
        found,
        [
            (FindingKind::OutcomeWithoutIntent, 2),
            (FindingKind::OutcomeWithoutIntent, 7),
            (FindingKind::DuplicateIntent, 8),
            (FindingKind::NotAnEntry, 10),
            (FindingKind::IntentOpen, 8),
        ]
    );
    assert_eq!(report.open_intents, 1);
    assert_eq!(report.complete_to, 11, "the bytes are intact all the same");
}

#[test]
fn the_observer_sees_proven_entries_only() {
    let entries = short(SMALL);
    let mut files = log_of(&entries, &[]);
    files.0.get_mut("tile/entries/000").unwrap()[5 * 5 + 2] ^= 1;
    let mut seen = Vec::new();
    verifier().verify_each(&files, &mut |index, bytes| seen.push((index, bytes.to_vec()))).unwrap();
    assert_eq!(seen.len(), SMALL - 1);
    assert!(seen.iter().all(|(index, bytes)| *index != 5 && *bytes == entries[*index as usize]));
}
