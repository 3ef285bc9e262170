//! `Access`: the value that every edge and pillar asks.
//!
//! It owns the way into the gate. It must not decide: `gate` computes, `recorder` records, this joins them.

use base::{ClientId, DatasetId, DecisionId, GroupId, Ids, PersonId, RoleId, Timestamp};
use std::sync::Arc;

use crate::facts::{Client, DatasetLocation, Role};
use crate::{Action, Denied, DenyReason, OpContext, Permit, Visible};

/// The gate and what it stands on; cheap to clone.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    effects: base::Effects,
}

impl Access {
    /// Decides whether `op` may do `action` to `resource`, records the decision and gives the proof.
    ///
    /// A read or write of a `strict` dataset returns only when its intent is durable.
    ///
    /// # Errors
    /// [`Denied`], recorded; also when the decision cannot be recorded.
    #[expect(clippy::unused_async, reason = "the signature others compile against; the recorder follows")]
    pub async fn authorize<A: Action>(
        &self,
        _op: &OpContext,
        _action: A,
        _resource: A::Resource,
    ) -> Result<Permit<A>, Denied> {
        Err(self.refused(DenyReason::NotRecorded))
    }

    /// As [`Access::authorize`] for many resources: one batch of the ledger, an answer per item, in order.
    #[expect(clippy::unused_async, reason = "the signature others compile against; the recorder follows")]
    pub async fn authorize_many<A: Action + Clone>(
        &self,
        _op: &OpContext,
        _action: A,
        resources: Vec<A::Resource>,
    ) -> Vec<Result<Permit<A>, Denied>> {
        resources.into_iter().map(|_| Err(self.refused(DenyReason::NotRecorded))).collect()
    }

    /// The areas of `bucket` that the session may read, for LIST. Not a permit; the LIST itself is authorised.
    pub fn visible(&self, _op: &OpContext, _bucket: &str) -> Visible {
        Visible::default()
    }

    /// The buckets in which the session can see something, sorted.
    pub fn visible_buckets(&self, _op: &OpContext) -> Vec<String> {
        Vec::new()
    }

    /// The datasets that the session holds any live grant of, or owns, or looks after.
    pub fn visible_datasets(&self, _op: &OpContext) -> Vec<DatasetId> {
        Vec::new()
    }

    /// The dataset to which `bucket/key` belongs, by longest prefix.
    pub fn locate(&self, _bucket: &str, _key: &str) -> Option<Located> {
        None
    }

    /// Every dataset with a place in `bucket`.
    pub fn locations_in(&self, _bucket: &str) -> Vec<Arc<DatasetLocation>> {
        Vec::new()
    }

    /// The location of a dataset.
    pub fn location(&self, _dataset: DatasetId) -> Option<Arc<DatasetLocation>> {
        None
    }

    /// A live role.
    pub fn role(&self, _role: RoleId) -> Option<Arc<Role>> {
        None
    }

    /// The live role of this ARN.
    pub fn role_by_arn(&self, _arn: &str) -> Option<Arc<Role>> {
        None
    }

    /// Every live role, by name.
    pub fn roles(&self) -> Vec<Arc<Role>> {
        Vec::new()
    }

    /// The live OIDC client whose tokens have this audience.
    pub fn client_by_audience(&self, _audience: &str) -> Option<Arc<Client>> {
        None
    }

    /// A live OIDC client.
    pub fn client(&self, _client: ClientId) -> Option<Arc<Client>> {
        None
    }

    /// The live groups of a person, sorted.
    pub fn groups_of(&self, _person: PersonId) -> Vec<GroupId> {
        Vec::new()
    }

    /// The live groups that entitle `person` to `role` through `client` now, sorted; empty: not entitled.
    pub fn entitling(&self, _person: PersonId, _role: RoleId, _client: Option<ClientId>) -> Vec<GroupId> {
        Vec::new()
    }

    /// The roles that `person` is entitled to through `client` now.
    pub fn entitled_roles(&self, _person: PersonId, _client: Option<ClientId>) -> Vec<Arc<Role>> {
        Vec::new()
    }

    /// The wall clock.
    pub fn now(&self) -> Timestamp {
        self.0.effects.now()
    }

    fn refused(&self, reason: DenyReason) -> Denied {
        Denied {
            decision: DecisionId::from_uuid(self.0.effects.uuid()),
            sentence: "the decision could not be recorded, so it is not given: retry later".to_owned(),
            reason,
        }
    }
}

/// Where a key belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The dataset with its places, kind, classification and key.
    pub location: Arc<DatasetLocation>,
    /// The prefix of the place that holds the key; the rest of the key is inside the dataset.
    pub prefix: String,
}
