//! Typed ids: one kind of thing, one type; mixing two kinds does not compile.
//!
//! Every id is a UUIDv7 (RFC 9562), so ids sort by the time they were made. Raw `Uuid`s do not cross a
//! function border. The list is alphabetical and only ever grows.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

use crate::BadName;

macro_rules! id_kinds {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that is already known to name this kind of thing (made by [`crate::Ids`] or read back from the store).
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }
            /// The UUID inside, for storage and wire formats.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
            /// The sixteen bytes, big-endian, so that byte order is time order.
            pub const fn bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }
        impl FromStr for $name {
            type Err = BadName;
            /// Accepts the hyphenated form only, so that one thing has one spelling.
            fn from_str(text: &str) -> Result<Self, BadName> {
                let bad = || BadName::new(concat!("a ", stringify!($name)), text, "a UUID such as 0192f0c1-7a5e-7cc0-8000-0123456789ab");
                if text.len() != 36 {
                    return Err(bad());
                }
                Uuid::try_parse(text).map(Self).map_err(|_| bad())
            }
        }
    )*};
}

id_kinds! {
    /// One stored body of bytes (ciphertext) in an object backend.
    BlobId,
    /// A change that waits, or waited, for its second approval.
    ApprovalId,
    /// One change: all facts written by one call of `store.write` share it.
    ChangeId,
    /// An OIDC client (a relying party of the built-in provider).
    ClientId,
    /// A governed collection of data.
    DatasetId,
    /// One recorded decision of the gate.
    DecisionId,
    /// A business data domain.
    DomainId,
    /// A group's right to assume a role.
    EntitlementId,
    /// One immutable fact.
    FactId,
    /// A grant of a dataset to a group.
    GrantId,
    /// A directory group.
    GroupId,
    /// A key held by custody.
    KeyId,
    /// One edge between a person and a group.
    MembershipId,
    /// A running Galen process of one installation.
    NodeId,
    /// One version of one object.
    ObjectVersionId,
    /// A person of the directory.
    PersonId,
    /// A signed receipt of a revocation.
    ReceiptId,
    /// One request to an edge; sent back to the caller.
    RequestId,
    /// A role that sessions are made from.
    RoleId,
    /// A service identity (machine), owned by a person.
    ServiceId,
    /// A role session.
    SessionId,
    /// One interactive sign-in of a person.
    SignInId,
    /// A multipart upload.
    UploadId,
}
