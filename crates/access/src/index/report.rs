//! How much memory the index holds, for the bench and `/metrics`.

use serde::Serialize;

use super::{EdgeRow, GrantRow, World};

/// Bytes of the index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct MemoryReport {
    /// Grants that are not ended.
    pub grants: usize,
    /// Bytes of grants, their keys and their scopes.
    pub grant_bytes: usize,
    /// The same for each grant; the bound is 200.
    pub bytes_per_grant: f64,
    /// Live membership edges.
    pub edges: usize,
    /// Bytes of one edge; the bound is 8.
    pub bytes_per_edge: usize,
    /// People and services with an edge.
    pub members: usize,
    /// Bytes of edges and of the keys of members.
    pub member_bytes: usize,
    /// Groups that a fact named.
    pub groups: usize,
    /// Datasets with a location.
    pub datasets: usize,
    /// Roles that live.
    pub roles: usize,
}

impl World {
    pub(crate) fn memory(&self) -> MemoryReport {
        let grants = self.grants.rows();
        let grant_bytes = self.grants.bytes() + self.scopes.bytes();
        #[expect(clippy::cast_precision_loss, reason = "a figure for people; 53 bits are plenty")]
        let bytes_per_grant = if grants == 0 { 0.0 } else { grant_bytes as f64 / grants as f64 };
        MemoryReport {
            grants,
            grant_bytes,
            bytes_per_grant,
            edges: self.members.rows(),
            bytes_per_edge: size_of::<EdgeRow>(),
            members: self.members.keys(),
            member_bytes: self.members.bytes() + self.groups.bytes(),
            groups: self.groups.len(),
            datasets: self.locations.len(),
            roles: self.roles.len(),
        }
    }
}

/// The bound of authorisation.md section 4, kept by the compiler.
const _: () = assert!(size_of::<EdgeRow>() == 8 && size_of::<GrantRow>() <= 48);
