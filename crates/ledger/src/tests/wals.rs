//! Write-ahead files: read back, cut where a crash cut them, and told apart from alterations.

use super::origin;
use crate::{
    leaf_hash,
    wal::{FRAME_HEADER_BYTES, FrameBuilder, WalEnd, scan, seed},
};

const FIRST: u64 = 40;

fn frames(sizes: &[usize]) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut ends, mut digest, mut index) = (Vec::new(), Vec::new(), seed(&origin(), FIRST), FIRST);
    for size in sizes {
        let mut builder = FrameBuilder::default();
        for number in 0..*size {
            let entry = format!("{{\"entry\":{},\"text\":\"{}\"}}", index + number as u64, "y".repeat(190));
            builder.push(entry.as_bytes(), leaf_hash(entry.as_bytes())).unwrap();
        }
        assert_eq!(builder.entries(), *size);
        let expected = builder.bytes();
        let (frame, next) = builder.finish(&digest, index);
        assert_eq!(frame.len(), expected);
        digest = next;
        index += *size as u64;
        bytes.extend(frame);
        ends.push(bytes.len());
    }
    (bytes, ends)
}

#[test]
fn frames_read_back() {
    let (mut bytes, _) = frames(&[1, 3, 2]);
    bytes.resize(bytes.len() + 5000, 0);
    let scanned = scan(&bytes, &origin(), FIRST);
    assert_eq!(scanned.end, WalEnd::Clean);
    assert_eq!(scanned.next, FIRST + 6);
    assert!(scanned.entries.iter().enumerate().all(|(at, entry)| entry.index == FIRST + at as u64));
    for entry in &scanned.entries {
        assert_eq!(&bytes[entry.offset + 2..entry.offset + 2 + entry.bytes.len()], entry.bytes);
    }
}

/// A crash leaves a beginning of the last frame, then zeros: for every length, whole frames stay readable and nothing
/// is called altered.
#[test]
fn a_torn_tail_is_cut_at_every_length() {
    let (bytes, ends) = frames(&[2, 1, 40]);
    let whole = ends[1];
    // The kernel copies page by page, and disks write sectors: cut at sector borders, wherever the file starts.
    for cut in (whole..bytes.len()).filter(|cut| cut % 512 == 0 || *cut == whole) {
        let mut torn = bytes[..cut].to_vec();
        torn.resize(bytes.len() + 4096, 0);
        let scanned = scan(&torn, &origin(), FIRST);
        assert_eq!(scanned.next, FIRST + 3, "cut at {cut}");
        let expected = if cut == whole { WalEnd::Clean } else { WalEnd::Torn { offset: whole } };
        assert_eq!(scanned.end, expected, "cut at {cut}");
    }
}

/// After a power loss any sectors of the last frame may be missing.
#[test]
fn missing_sectors_of_the_last_frame_are_a_torn_tail() {
    let (bytes, ends) = frames(&[2, 1, 40]);
    let start = ends[1];
    for sector in start.div_ceil(512)..bytes.len() / 512 {
        let mut torn = bytes.clone();
        torn.resize(bytes.len() + 4096, 0);
        torn[sector * 512..(sector + 1) * 512].fill(0);
        assert_eq!(scan(&torn, &origin(), FIRST).end, WalEnd::Torn { offset: start }, "sector {sector}");
    }
}

#[test]
fn an_altered_byte_is_not_a_torn_tail() {
    let (mut bytes, ends) = frames(&[2, 1, 3]);
    bytes.resize(bytes.len() + 700, 0);
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 0x20;
        let frame = ends.iter().filter(|end| **end <= at).count();
        let offset = if frame == 0 { 0 } else { ends[frame - 1] };
        match scan(&altered, &origin(), FIRST).end {
            WalEnd::Altered { offset: found, .. } => assert_eq!(found, offset, "byte {at}"),
            other => panic!("byte {at}: {other:?}"),
        }
    }
}

#[test]
fn frames_of_another_log_or_place_do_not_fit() {
    let (bytes, ends) = frames(&[1, 1]);
    assert!(scan(&bytes, &"other.example/log".parse().unwrap(), FIRST).entries.is_empty());
    assert!(scan(&bytes, &origin(), FIRST + 1).entries.is_empty());
    let without_first = &bytes[ends[0]..];
    assert!(matches!(scan(without_first, &origin(), FIRST).end, WalEnd::Altered { offset: 0, .. }));
    assert!(FRAME_HEADER_BYTES < ends[0]);
}
