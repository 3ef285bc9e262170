//! What a file system refuses goes the old way.

use super::*;
use governance::ports::paged;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// Pages to be written: they take the way past memory wherever it is open.
fn pages() -> bytes::BytesMut {
    let mut pages = paged(2 * PAGE);
    pages.resize(2 * PAGE, 7);
    assert!(are_pages(&pages, 0));
    pages
}

#[test]
fn a_file_without_direct_writes_is_written_through_memory() {
    // A device that has no pages refuses the flag, as file systems without direct writes do.
    let refusing = OpenOptions::new().write(true).open("/dev/null").unwrap();
    let refused = fcntl_setfl(&refusing, fcntl_getfl(&refusing).unwrap() | OFlags::DIRECT);
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    let handle = SystemHandle(refusing);
    handle.write_past_memory(&pages(), 0).unwrap();
    assert!(!fcntl_getfl(&handle.0).unwrap().contains(OFlags::DIRECT));
}
