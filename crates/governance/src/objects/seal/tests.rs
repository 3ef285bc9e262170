//! Frames open where they were sealed for, and nowhere else.

use super::*;
use base::Secret;
use uuid::Uuid;

fn place(part: u32) -> SealedFor {
    SealedFor {
        dataset: DatasetId::from_uuid(Uuid::from_u128(7)),
        key_version: 1,
        version: ObjectVersionId::from_uuid(Uuid::from_u128(9)),
        part,
    }
}

fn key() -> AeadKey {
    AeadKey::new(&Secret::new([3; 32])).unwrap()
}

const FRAME: u32 = 32;

fn sealed(len: usize, part: u32) -> Vec<u8> {
    let sealer = Sealer { key: key(), place: place(part), frame: FRAME };
    let mut out = Vec::new();
    let plain: Vec<u8> = (0..len).map(|n| n as u8).collect();
    for chunk in plain.chunks(FRAME as usize) {
        out.extend_from_slice(chunk);
        out.extend_from_slice(&[0; TAG]);
    }
    sealer.seal(0, &mut out, true, |_| ()).unwrap();
    out
}

fn opener(len: usize, part: u32) -> Opener {
    Opener { key: key(), place: place(part), layout: Layout { len: len as u64, frame: FRAME } }
}

#[test]
fn every_range_of_frames_opens_alone() {
    for len in [1, 31, 32, 33, 64, 100] {
        let stored = sealed(len, 0);
        let layout = Layout { len: len as u64, frame: FRAME };
        assert_eq!(stored.len() as u64, layout.sealed_len());
        for frame in 0..layout.frames() {
            let bytes = layout.stored(&(frame..frame + 1));
            let mut part = stored[bytes.start as usize..bytes.end as usize].to_vec();
            opener(len, 0).open(frame, &mut part).unwrap();
            let plain = &part[..part.len() - TAG];
            let first = frame as usize * FRAME as usize;
            assert_eq!(plain, (first..first + plain.len()).map(|n| n as u8).collect::<Vec<_>>());
        }
    }
}

#[test]
fn moved_cut_and_foreign_frames_do_not_open() {
    let stored = sealed(100, 0);
    let stride = FRAME as usize + TAG;
    let refused = |opener: Opener, first: u64, bytes: &[u8]| assert!(opener.open(first, &mut bytes.to_vec()).is_err());
    // Another index, another part, another version of the key.
    refused(opener(100, 0), 1, &stored[..stride]);
    refused(opener(100, 1), 0, &stored[..stride]);
    let mut other = opener(100, 0);
    other.place.key_version = 2;
    refused(other, 0, &stored[..stride]);
    // Cut at a frame's end: the record says 64 bytes, so frame 1 ought to be the last, and it was not sealed as such.
    refused(opener(64, 0), 1, &stored[stride..2 * stride]);
    // One flipped bit.
    let mut flipped = stored;
    flipped[5] ^= 1;
    refused(opener(100, 0), 0, &flipped[..stride]);
}
