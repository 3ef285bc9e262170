//! The management actions, `galen:VERB`, of the API, the portal and the CLI.

use super::actions;
use crate::{DecisionTarget, DomainTarget, GrantTarget, Installation, Member, MembershipEdge, Proposal, SessionTarget};
use base::{AccountId, ClientId, DatasetId, GroupId, PersonId, RoleId, ServiceId};

actions! { "galen";
    /// List people.
    ListPeople(Installation) View Iam;
    /// Show one person.
    ShowPerson(PersonId) View Iam;
    /// Make a person.
    CreatePerson(Installation) Change Iam;
    /// Change a person's attributes.
    ChangePerson(PersonId) Change Iam;
    /// Set or reset a person's password.
    SetPassword(PersonId) Change Iam;
    /// Deactivate a person.
    DeactivatePerson(PersonId) Change Iam;
    /// Let a deactivated person in again.
    ReactivatePerson(PersonId) Change Iam;
    /// Ask that a person's attributes be erased.
    RequestErasure(PersonId) Change Iam;
    /// List the changes that wait for a second approval.
    ListApprovals(Installation) View Iam;
    /// Show one change that waits.
    ShowApproval(Proposal) View Iam;
    /// Approve a change that somebody else asked for, which makes it.
    ApproveChange(Proposal) Change Iam;
    /// Refuse a change that waits, or take one's own request back.
    RefuseChange(Proposal) Change Iam;
    /// List groups.
    ListGroups(Installation) View Iam;
    /// Show one group with its members.
    ShowGroup(GroupId) View Iam;
    /// Make a group.
    CreateGroup(Installation) Change Iam;
    /// Change a group's name or owner.
    ChangeGroup(GroupId) Change Iam;
    /// End a group.
    EndGroup(GroupId) Change Iam;
    /// Add a member to a group.
    AddMember(MembershipEdge) Change Iam;
    /// Remove a member from a group.
    RemoveMember(MembershipEdge) Change Iam;
    /// List roles.
    ListRoles(Installation) View Iam;
    /// Show one role with its documents.
    ShowRole(RoleId) View Iam;
    /// Make a role.
    CreateRole(Installation) Change Iam;
    /// Change a role's documents or limits.
    ChangeRole(RoleId) Change Iam;
    /// End a role.
    EndRole(RoleId) Change Iam;
    /// Entitle a group to a role through a client.
    CreateEntitlement(RoleId) Change Iam;
    /// End an entitlement.
    EndEntitlement(RoleId) Change Iam;
    /// List OIDC clients.
    ListClients(Installation) View Iam;
    /// Show one OIDC client.
    ShowClient(ClientId) View Iam;
    /// Register an OIDC client.
    CreateClient(Installation) Change Iam;
    /// Change an OIDC client.
    ChangeClient(ClientId) Change Iam;
    /// End an OIDC client: roles stop trusting it.
    EndClient(ClientId) Change Iam;
    /// List services.
    ListServices(Installation) View Iam;
    /// Show one service.
    ShowService(ServiceId) View Iam;
    /// Register a service with its owner.
    CreateService(Installation) Change Iam;
    /// Change a service's name or owner.
    ChangeService(ServiceId) Change Iam;
    /// Give a service another secret: the old one stops.
    RenewServiceSecret(ServiceId) Change Iam;
    /// End a service.
    EndService(ServiceId) Change Iam;
    /// List domains.
    ListDomains(Installation) View Iam;
    /// Show one domain.
    ShowDomain(DomainTarget) View Iam;
    /// Make a domain.
    CreateDomain(Installation) Change Iam;
    /// Change a domain.
    ChangeDomain(DomainTarget) Change Iam;
    /// End a domain.
    EndDomain(DomainTarget) Change Iam;
    /// List datasets.
    ListDatasets(Installation) View Iam;
    /// Show one dataset.
    ShowDataset(DatasetId) View Iam;
    /// Register a dataset in a domain.
    CreateDataset(DomainTarget) Change Iam;
    /// Change a dataset's description, classification, owner or stewards.
    ChangeDataset(DatasetId) Change Iam;
    /// Give a dataset a new version of its key.
    RotateDatasetKey(DatasetId) Change Iam;
    /// End a dataset.
    EndDataset(DatasetId) Change Iam;
    /// Read a dataset's policy.
    ShowDatasetPolicy(DatasetId) View Iam;
    /// Set a dataset's policy.
    PutDatasetPolicy(DatasetId) Change Iam;
    /// List grants.
    ListGrants(Installation) View Iam;
    /// Show one grant.
    ShowGrant(GrantTarget) View Iam;
    /// Grant a dataset to a group: only by its owner or a steward.
    CreateGrant(DatasetId) Change Iam;
    /// End a grant.
    EndGrant(GrantTarget) Change Iam;
    /// List live sessions.
    ListSessions(Installation) View Iam;
    /// Show one session.
    ShowSession(SessionTarget) View Iam;
    /// Cut one session.
    EndSession(SessionTarget) Change Iam;
    /// Cut every session of a person.
    RevokePerson(PersonId) Change Iam;
    /// Cut every session of a service.
    RevokeService(ServiceId) Change Iam;
    /// Show the guardrail of an account.
    ShowGuardrail(AccountId) View Iam;
    /// Set the guardrail of an account.
    PutGuardrail(AccountId) Change Iam;
    /// Ask why, of a person or service and a resource.
    Why(Member) View Iam;
    /// Ask why, of a recorded decision.
    ShowDecision(DecisionTarget) View Iam;
    /// Evaluate a recorded decision again.
    ReplayDecision(DecisionTarget) View Iam;
    /// Read and verify the ledger.
    ReadLedger(Installation) View Iam;
    /// Export the facts.
    ExportFacts(Installation) View Iam;
    /// List and show receipts.
    ListReceipts(Installation) View Iam;
    /// Make new signing keys of the OpenID provider.
    RotateSigningKeys(Installation) Change Iam;
    /// Show the configuration and the health of parts.
    ShowSystem(Installation) View Iam;
}
