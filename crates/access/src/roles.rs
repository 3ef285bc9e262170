//! Roles and who may assume them: the use cases behind the API, the command line and the first start.
//!
//! It writes facts and reads views of this crate. It must not know HTTP, or how a decision is made.

use base::{AccountId, ClientId, EntitlementId, GroupId, Ids, PersonId, RoleId};
use policy::DocumentKind;
use std::sync::Arc;
use store::WriteTxn;

use crate::{
    Access, Carry, EpochKey, Error, Outcome, Permit,
    action::api,
    documents, epoch,
    facts::{self, Duty, Entitlement, NamedDocument, Role},
    session::role_unique_id,
};

/// Shortest and longest bound of a session, in seconds (AWS IAM: `MaxSessionDuration`).
pub const SESSION_SECS: std::ops::RangeInclusive<u32> = 3_600..=43_200;
/// Most groups that one role is given to at its making.
pub const GROUPS_MAX: usize = 100;

/// A policy of a role: one that Galen brings, or a document of one's own.
#[derive(Clone, Debug)]
pub enum RolePolicy {
    /// A managed policy by name, such as `GalenDataAccess`.
    Managed(String),
    /// A name and the document's text.
    Inline(String, String),
}

/// What a new role is made from.
#[derive(Clone, Debug)]
pub struct NewRole {
    /// Its account.
    pub account: AccountId,
    /// Its name: 1 to 64 of `[\w+=,.@-]`.
    pub name: String,
    /// Which groups its sessions carry.
    pub carry: Carry,
    /// Longest session, in seconds.
    pub session_secs_max: u32,
    /// Its policies, at least one.
    pub policies: Vec<RolePolicy>,
    /// The groups that may assume it.
    pub groups: Vec<GroupId>,
    /// Through which client; `None` through any.
    pub client: Option<ClientId>,
    /// The duty that its sessions bear; a role with a duty is a management role (portal and command line, no data).
    pub management: Management,
}

/// Whether a role is for tools or for managing the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Management {
    /// For tools: data.
    No,
    /// For the portal and the command line, without a duty.
    Plain,
    /// For the portal and the command line, with a duty that its sessions cannot shed.
    Bears(Duty),
}

/// A role with who may assume it.
#[derive(Clone, Debug)]
pub struct RoleView {
    /// The role.
    pub role: Arc<Role>,
    /// The groups that may assume it.
    pub groups: Vec<GroupId>,
}

impl Access {
    /// Makes a role and entitles its groups.
    ///
    /// # Errors
    /// A malformed name, bound or policy; a name that is taken; the store's errors.
    pub async fn create_role(&self, permit: Permit<api::CreateRole>, new: NewRole) -> Result<Role, Error> {
        let id = RoleId::from_uuid(self.effects().uuid());
        let role = Role {
            id,
            account: new.account,
            name: new.name.clone(),
            unique_id: role_unique_id(id),
            session_secs_max: session_secs(new.session_secs_max)?,
            carry: new.carry,
            policies: Vec::new(),
            boundary: None,
            management: new.management != Management::No,
            duty: match new.management {
                Management::Bears(duty) => Some(duty),
                Management::No | Management::Plain => None,
            },
            tags: Vec::new(),
        };
        if new.groups.len() > GROUPS_MAX {
            return Err(Error::Value {
                what: "a new role",
                expected: "at most 100 groups; add others as entitlements",
            });
        }
        let entitle = |group: &GroupId| Entitlement {
            id: EntitlementId::from_uuid(self.effects().uuid()),
            group: *group,
            role: id,
            client: new.client,
        };
        let entitlements: Vec<Entitlement> = new.groups.iter().map(entitle).collect();
        self.change(permit, move |txn| {
            let role = Role { policies: put_policies(txn, &new.policies)?, ..role.clone() };
            facts::put_role(txn, &role, None)?;
            for entitlement in &entitlements {
                facts::add_entitlement(txn, entitlement, None)?;
            }
            Ok(role)
        })
        .await
    }

    /// Changes the permit's role; `None` stays.
    ///
    /// # Errors
    /// As [`Access::create_role`]; [`Error::NoRole`].
    pub async fn change_role(
        &self,
        permit: Permit<api::ChangeRole>,
        new_policies: Option<Vec<RolePolicy>>,
        session_secs_max: Option<u32>,
    ) -> Result<Role, Error> {
        let id = *permit.resource();
        let session_secs_max = session_secs_max.map(session_secs).transpose()?;
        self.change(permit, move |txn| {
            let mut role = facts::role(txn, id)?.ok_or(Error::NoRole { role: id })?;
            if let Some(policies) = &new_policies {
                // Who could give its members more would make an administrator of anybody.
                if role.management {
                    return Err(Error::ManagementRole { role: id });
                }
                role.policies = put_policies(txn, policies)?;
            }
            role.session_secs_max = session_secs_max.unwrap_or(role.session_secs_max);
            facts::put_role(txn, &role, None)?;
            Ok(role)
        })
        .await
    }

    /// Ends the permit's role; its sessions stop working at once.
    ///
    /// # Errors
    /// [`Error::NoRole`], [`Error::ManagementRole`]; the store's errors.
    pub async fn end_role(&self, permit: Permit<api::EndRole>, reason: String) -> Result<(), Error> {
        let id = *permit.resource();
        self.change(permit, move |txn| {
            facts::keep_role(txn, id)?;
            facts::end_role(txn, id, Some(&reason))?;
            // Tools whose session is cut renew it, and are told then that the role is gone.
            epoch::raise(txn, EpochKey::Role { role: id }, Some(reason.clone()))?;
            Ok(())
        })
        .await
    }

    /// Entitles a group to the permit's role.
    ///
    /// # Errors
    /// [`Error::NoRole`]; the store's errors.
    pub async fn create_entitlement(
        &self,
        permit: Permit<api::CreateEntitlement>,
        group: GroupId,
        client: Option<ClientId>,
    ) -> Result<Entitlement, Error> {
        let role = *permit.resource();
        let entitlement = Entitlement { id: EntitlementId::from_uuid(self.effects().uuid()), group, role, client };
        self.change(permit, move |txn| {
            // Who could entitle a group to it would make administrators of its members, alone.
            if facts::role(txn, role)?.is_some_and(|it| it.management) {
                return Err(Error::ManagementRole { role });
            }
            facts::add_entitlement(txn, &entitlement, None)?;
            Ok(entitlement.clone())
        })
        .await
    }

    /// Ends what entitles a group to the permit's role, through every client.
    ///
    /// # Errors
    /// [`Error::Missing`] when nothing does; [`Error::ManagementRole`]; the store's errors.
    pub async fn end_entitlements(
        &self,
        permit: Permit<api::EndEntitlement>,
        group: GroupId,
        reason: String,
    ) -> Result<(), Error> {
        let role = *permit.resource();
        self.change(permit, move |txn| {
            facts::keep_role(txn, role)?;
            let mut entitled = facts::entitlements_of(txn, role)?;
            entitled.retain(|it| it.group == group);
            if entitled.is_empty() {
                return Err(Error::Missing { what: "entitlement of that group" });
            }
            entitled.iter().try_for_each(|it| facts::end_entitlement(txn, it.id, Some(&reason)).map(drop))
        })
        .await
    }

    /// A role with who may assume it.
    pub fn viewed(&self, role: Arc<Role>) -> RoleView {
        RoleView { groups: self.entitled_groups(role.id), role }
    }

    /// The texts of a role's policies, in their order; one that the store lost is empty.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn policies_of(&self, role: Arc<Role>) -> Result<Vec<String>, Error> {
        let read = self.store().read(move |txn| {
            let text = |policy: &NamedDocument| Ok(txn.document_get(policy.digest)?.unwrap_or_default());
            role.policies.iter().map(text).collect::<Result<Vec<_>, store::Error>>()
        });
        let texts = read.await?;
        Ok(texts.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect())
    }

    /// The tool roles that a person may assume now, through whatever client.
    pub fn roles_of(&self, person: PersonId) -> Vec<RoleView> {
        let own = self.groups_of(person);
        let tools = self.roles().into_iter().filter(|role| !role.management).map(|role| self.viewed(role));
        tools.filter(|view| view.groups.iter().any(|group| own.contains(group))).collect()
    }

    /// Roles after `after`, in the order of their making, at most `limit`.
    pub fn list_roles(&self, permit: Permit<api::ListRoles>, after: Option<RoleId>, limit: usize) -> Vec<RoleView> {
        let mut roles = self.roles();
        roles.sort_by_key(|role| role.id);
        permit.finish(Outcome::DONE);
        let rest = roles.into_iter().filter(|role| after.is_none_or(|after| role.id > after));
        rest.take(limit).map(|role| self.viewed(role)).collect()
    }
}

fn session_secs(secs: u32) -> Result<u32, Error> {
    if SESSION_SECS.contains(&secs) {
        Ok(secs)
    } else {
        Err(Error::Value { what: "the longest session", expected: "3,600 to 43,200 seconds" })
    }
}

/// Keeps the documents of a role's policies.
fn put_policies(txn: &mut WriteTxn<'_>, policies: &[RolePolicy]) -> Result<Vec<NamedDocument>, Error> {
    let put = |policy: &RolePolicy| match policy {
        RolePolicy::Managed(name) => documents::put_managed(txn, name),
        RolePolicy::Inline(name, text) => {
            let digest = documents::put(txn, text, DocumentKind::Identity)?;
            Ok(NamedDocument { name: name.clone(), digest })
        }
    };
    policies.iter().map(put).collect()
}
