//! The tree against an independent computation, and its life over a restart.

use crypto::Sha256Digest;
use proptest::prelude::*;

use super::{TestSigner, log_of, opaque, origin, write};
use crate::{
    BUNDLE_ENTRIES, Bundle, LogBuilder, LogFiles as _, MemoryFiles, Tree, layout,
    layout::{TileKind, TileName},
    leaf_hash, node_hash,
};

/// RFC 6962, section 2.1, word by word.
fn merkle_tree_hash(leaves: &[Sha256Digest]) -> Sha256Digest {
    match leaves {
        [] => crypto::sha256(b""),
        [one] => *one,
        many => {
            let split = many.len().next_power_of_two() / 2;
            node_hash(&merkle_tree_hash(&many[..split]), &merkle_tree_hash(&many[split..]))
        }
    }
}

#[test]
fn the_empty_tree_has_the_root_of_nothing() {
    assert_eq!(Tree::new().root().to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

#[test]
fn roots_follow_the_definition_at_every_size() {
    let leaves: Vec<_> = opaque(700).iter().map(|entry| leaf_hash(entry)).collect();
    let mut tree = Tree::new();
    for (size, leaf) in leaves.iter().enumerate() {
        assert_eq!(tree.root(), merkle_tree_hash(&leaves[..size]), "at {size}");
        tree.append(*leaf);
    }
}

#[test]
fn the_tile_library_agrees_on_leaves_nodes_and_tiles() {
    let entries = opaque(3);
    assert_eq!(leaf_hash(&entries[0]).0, tlog_tiles::record_hash(&entries[0]).0);
    let (a, b) = (leaf_hash(&entries[1]), leaf_hash(&entries[2]));
    assert_eq!(node_hash(&a, &b).0, tlog_tiles::node_hash(tlog_tiles::Hash(a.0), tlog_tiles::Hash(b.0)).0);
    for size in [1_u64, 255, 256, 257, 512, 65_535, 65_536, 65_537, 70_000] {
        let mut tree = Tree::new();
        let mut mine = Vec::new();
        for index in 0..size {
            tree.append(Sha256Digest([index.to_be_bytes()[7]; 32]));
        }
        mine.extend(tree.take_full());
        mine.extend(tree.partial());
        let mut mine: Vec<String> = mine.iter().map(|tile| tile.name.path()).collect();
        let mut theirs: Vec<String> = tlog_tiles::Tile::new_tiles(8, 0, size)
            .iter()
            .map(|tile| tile.path().replacen("tile/8/", "tile/", 1))
            .collect();
        mine.sort();
        theirs.sort();
        assert_eq!(mine, theirs, "tiles of a tree of {size}");
    }
}

#[test]
fn names_follow_the_specification() {
    assert_eq!(TileName::hashes(0, 1_234_067, 256).path(), "tile/0/x001/x234/067");
    assert_eq!(TileName::hashes(1, 5, 17).path(), "tile/1/005.p/17");
    assert_eq!(TileName::entries(999, 256).path(), "tile/entries/999");
    for bad in [
        "tile/0/5",
        "tile/0/005.p/0",
        "tile/0/005.p/00",
        "tile/0/005.p/256",
        "tile/0/005.p/+1",
        "tile/64/000",
        "tile/00/000",
        "tile/8/data/000",
        "tile/entries/",
        "tile//000",
        "tile/entries/000/",
        "checkpoint",
        "",
        "tile/0/x1/000",
        "tile/-1/000",
        "tile/0/../000",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert_eq!(TileName::from_path(bad), None, "{bad}");
    }
    assert_eq!(layout::wal_first(&layout::wal(70_000, 512)), Some(70_000));
    assert_eq!(layout::wal_first(&layout::wal_stem(70_000)), Some(70_000), "made before sizes stood in names");
    for bad in ["wal/70000", "wal/00000000000000070000.0512", "wal/00000000000000070000.512.tmp", "wal/spare.512"] {
        assert_eq!(layout::wal_first(bad), None, "{bad}");
    }
    assert_eq!(layout::filling("reserve.4096"), ("reserve", Some(4096)));
    assert_eq!(layout::width_in(257, 1), Some(1));
    assert_eq!(layout::width_in(256, 1), None);
}

#[test]
fn bundles_give_back_what_went_in() {
    let entries = opaque(BUNDLE_ENTRIES as usize + 3);
    let files = log_of(&entries, &[]);
    let mut read = Vec::new();
    for name in ["tile/entries/000", "tile/entries/001.p/3"] {
        let bytes = files.read(name).unwrap().unwrap();
        read.extend(Bundle::new(&bytes).map(|entry| entry.unwrap().to_vec()));
    }
    assert_eq!(read, entries);
}

#[test]
fn a_broken_bundle_ends_where_it_breaks() {
    for (bytes, good, offset) in [(&b"\0\x01a\0"[..], 1, 3), (b"\0\x02a", 0, 0), (b"\0", 0, 0)] {
        let read: Vec<_> = Bundle::new(bytes).collect();
        assert_eq!(read.len(), good + 1);
        assert!(matches!(read[good], Err(crate::Error::BadBundle { offset: at }) if at == offset));
    }
    assert!(crate::push_entry(&mut Vec::new(), &[0; 65_536]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A log that is published and taken up again at any points has the same files as one written at once.
    #[test]
    fn resuming_changes_nothing(size in 1_usize..900, cuts in proptest::collection::vec(0_usize..900, 0..4)) {
        let entries = opaque(size);
        let signer = TestSigner::new(7);
        let mut files = MemoryFiles::default();
        let mut builder = LogBuilder::new(origin());
        for (index, entry) in entries.iter().enumerate() {
            if cuts.contains(&index) {
                let publication = builder.publish(&signer).unwrap();
                let head = publication.head.clone();
                write(&mut files, publication);
                builder = LogBuilder::resume(&files, &head).unwrap();
            }
            builder.append(entry, leaf_hash(entry)).unwrap();
        }
        write(&mut files, builder.publish(&signer).unwrap());
        let mut at_once = log_of(&entries, &[]);
        at_once.0.remove(layout::LOG_KEY);
        prop_assert_eq!(files.0, at_once.0);
    }

    #[test]
    fn tile_names_read_back(level in 0_u8..8, number in 0_u64..10_000_000, width in 1_u16..=256, entries: bool) {
        let kind = if entries { TileKind::Entries } else { TileKind::Hashes(level) };
        let name = TileName { kind, number, width };
        prop_assert_eq!(TileName::from_path(&name.path()), Some(name));
    }
}
