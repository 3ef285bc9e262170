//! The rules that a parser of bytes from outside keeps, for the fuzz targets and for the replay of their corpora in the tests: each
//! function takes any bytes, and panics when a rule is broken.

use base::{AccountId, Arn, Region, SourceIdentity};
use std::{fmt::Display, str::FromStr};

use crate::objects::{Algorithm, BucketName, ByteRange, Checksum, ObjectKey, VersionId};

#[cfg(test)]
mod tests;

fn same<T: FromStr + Display>(text: &str) {
    if let Ok(name) = text.parse::<T>() {
        assert_eq!(name.to_string(), text);
    }
}

/// Names, ranges and checksums: a name is written as it was read.
pub fn names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    same::<Arn>(text);
    same::<AccountId>(text);
    same::<Region>(text);
    same::<SourceIdentity>(text);
    same::<BucketName>(text);
    same::<ObjectKey>(text);
    same::<VersionId>(text);
    if let Ok(arn) = text.parse::<Arn>() {
        let parts = [arn.partition(), arn.service(), arn.region(), arn.account(), arn.resource()];
        assert_eq!(format!("arn:{}", parts.join(":")), text);
    }
    if let Ok(Some(range)) = ByteRange::from_header(text) {
        for size in [0, 1, 1000, u64::MAX] {
            assert!(range.resolve(size).map_or(true, |range| range.start < range.end && range.end <= size));
        }
    }
    for algorithm in [Algorithm::Crc32, Algorithm::Crc64nvme, Algorithm::Sha1, Algorithm::Sha256] {
        let _refused = Checksum::parse(algorithm, text);
    }
}
