//! What a permit says may be touched, taken apart once; and which permits open which operation.

use access::{
    Action, Outcome, Permit,
    facts::{DatasetKind, DatasetLocation},
    s3,
};
use base::DatasetId;
use custody::KeyRef;

use super::name::{ObjectKey, VersionId};
use crate::Error;

/// An action on the current version of an object, or on a named one. The two are different rights.
pub trait OnVersion: Action<Resource = access::Object> {
    /// True when the action is about a named version.
    const NAMED: bool;
}

macro_rules! on_version {
    ($($current:ident, $named:ident => $trait:ident: $doc:literal;)*) => {$(
        #[doc = $doc]
        pub trait $trait: OnVersion {}
        impl OnVersion for s3::$current {
            const NAMED: bool = false;
        }
        impl OnVersion for s3::$named {
            const NAMED: bool = true;
        }
        impl $trait for s3::$current {}
        impl $trait for s3::$named {}
    )*};
}

on_version! {
    GetObject, GetObjectVersion => ReadsObject: "Reads an object's bytes.";
    GetObjectAttributes, GetObjectVersionAttributes => ReadsAttributes: "Reads checksums, parts and size.";
    GetObjectTagging, GetObjectVersionTagging => ReadsTags: "Reads tags.";
    PutObjectTagging, PutObjectVersionTagging => WritesTags: "Sets tags.";
    DeleteObjectTagging, DeleteObjectVersionTagging => RemovesTags: "Removes tags.";
}

/// One object of one dataset.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) dataset: DatasetId,
    pub(crate) bucket: String,
    pub(crate) key: ObjectKey,
    pub(crate) version: Option<VersionId>,
    pub(crate) wrap: KeyRef,
    pub(crate) kind: DatasetKind,
    /// As [`Permit::newest_fact`].
    pub(crate) newest_fact: Option<u64>,
}

impl Target {
    /// The object of a permit. The permit's resource is the only source of what is touched.
    pub(crate) fn of<A: Action<Resource = access::Object>>(permit: &Permit<A>) -> Result<Self, Error> {
        let object = permit.resource();
        let location: &DatasetLocation = permit.location().ok_or(Error::NoDataset)?;
        Ok(Self {
            dataset: location.dataset,
            bucket: object.bucket.clone(),
            key: object.key.parse()?,
            version: object.version.as_deref().map(str::parse).transpose()?,
            wrap: location.key.parse().map_err(|_| Error::Damaged { what: "dataset location" })?,
            kind: location.kind,
            newest_fact: permit.newest_fact(),
        })
    }

    /// As [`Target::of`], for an action that is either about the current version or about a named one.
    pub(crate) fn on_version<A: OnVersion>(permit: &Permit<A>) -> Result<Self, Error> {
        if A::NAMED == permit.resource().version.is_some() { Self::of(permit) } else { Err(Error::WrongPermit) }
    }

    /// For an action that writes a new version.
    pub(crate) fn current<A: Action<Resource = access::Object>>(permit: &Permit<A>) -> Result<Self, Error> {
        if permit.resource().version.is_none() { Self::of(permit) } else { Err(Error::WrongPermit) }
    }
}

/// Records what came of a permitted operation that is over, and passes its result on.
pub(crate) fn finished<A: Action, T>(
    permit: Permit<A>,
    result: Result<T, Error>,
    bytes: impl FnOnce(&T) -> u64,
) -> Result<T, Error> {
    let outcome = match &result {
        Ok(value) => Outcome { status: 200, bytes: bytes(value) },
        Err(error) => Outcome { status: status(error), bytes: 0 },
    };
    permit.finish(outcome);
    result
}

/// The status that goes into the record of an operation that failed; the edge answers in its own protocol.
pub(crate) fn status(error: &Error) -> u16 {
    match error {
        Error::NotModified { .. } => 304,
        Error::RangeNotSatisfiable { .. } | Error::NoSuchPart { .. } => 416,
        other => other.kind().http_status(),
    }
}
