//! The first start: the groups and management roles that every installation has, the two clients of the command line, and the
//! first administrators. Galen itself acts, through the gate, and every step is recorded.

use access::{
    Carry, Installation, Member, MembershipEdge, OpContext,
    action::api,
    documents,
    facts::Duty,
    roles::{Management, NewRole, RolePolicy},
};
use anyhow::{Context, Result};
use base::{ClientId, GroupId, Secret};
use directory::{ClientKind, GroupClaim, Made, NewClient, NewPerson};

use crate::{compose::System, creds, signin};

/// One of the first administrators.
pub(crate) struct Administrator {
    pub(crate) username: String,
    pub(crate) email: String,
    pub(crate) password: Secret<String>,
}

/// Group, management role, managed policy, duty of each kind of person who uses the portal and the command line.
const MANAGEMENT: &[(&str, &str, &str, Management)] = &[
    ("administrators", "administrator", documents::ADMINISTRATOR, Management::Bears(Duty::Administrator)),
    ("data-owners", "data-owner", documents::DATA_OWNER, Management::Bears(Duty::DataOwner)),
    ("auditors", "auditor", documents::AUDITOR, Management::Bears(Duty::Auditor)),
    ("members", "member", documents::MEMBER, Management::Plain),
];

/// A management session lasts a working day at most; the command line renews shorter ones by itself.
const MANAGEMENT_SESSION_SECS: u32 = 3_600;

/// Makes what every installation has.
///
/// # Errors
/// The first step that fails; an installation that is half made is made anew by `galen init` in an empty folder.
pub(crate) async fn run(system: &System, first: Vec<Administrator>) -> Result<()> {
    let cli = client(system, cli_client()).await.context("the client galen-cli")?;
    client(system, aws_client()).await.context("the client galen-aws")?;
    let mut administrators = None;
    for (group_name, role_name, policy, management) in MANAGEMENT {
        let group = group(system, group_name).await.with_context(|| format!("the group {group_name}"))?;
        administrators.get_or_insert(group);
        let new = NewRole {
            account: system.access.account(),
            name: (*role_name).to_owned(),
            carry: Carry::All,
            session_secs_max: MANAGEMENT_SESSION_SECS,
            policies: vec![RolePolicy::Managed((*policy).to_owned())],
            groups: vec![group],
            client: Some(cli),
            management: *management,
        };
        let permit = system.access.authorize(&op(system), api::CreateRole, Installation).await?;
        system.access.create_role(permit, new).await.with_context(|| format!("the role {role_name}"))?;
    }
    let group = administrators.context("no group was made")?;
    for (place, administrator) in first.into_iter().enumerate() {
        let username = administrator.username.clone();
        enrol(system, group, administrator, place > 0)
            .await
            .with_context(|| format!("the administrator {username}"))?;
    }
    Ok(())
}

/// Enrols an administrator. The operator who gave the passwords is the first one; another one chooses an own password at the
/// first sign-in, so that two administrators are two people.
async fn enrol(system: &System, group: GroupId, administrator: Administrator, one_time: bool) -> Result<()> {
    let new = NewPerson {
        username: administrator.username.parse()?,
        display_name: administrator.username.parse()?,
        email: administrator.email.parse()?,
        handle: None,
        password: Some(administrator.password),
        one_time,
    };
    let permit = system.access.authorize(&op(system), api::CreatePerson, Installation).await?;
    let person = system.directory.create_person(permit, new).await?;
    let edge = MembershipEdge { member: Member::Person(person), group };
    let permit = system.access.authorize(&op(system), api::AddMember, edge).await?;
    match system.directory.add_member(permit, Some("first administrator".to_owned())).await? {
        Made::Now(_) => Ok(()),
        Made::Waits(_) => anyhow::bail!("Galen's own acts need no approval, and this one waits for it"),
    }
}

fn op(system: &System) -> OpContext {
    OpContext::system(&system.effects)
}

async fn group(system: &System, name: &str) -> Result<GroupId> {
    let permit = system.access.authorize(&op(system), api::CreateGroup, Installation).await?;
    Ok(system.directory.create_group(permit, name.parse()?, None).await?)
}

async fn client(system: &System, new: NewClient) -> Result<ClientId> {
    let permit = system.access.authorize(&op(system), api::CreateClient, Installation).await?;
    Ok(system.directory.register_client(permit, new).await?.0)
}

/// The command line: a public client on loopback (RFC 8252) that may ask for tokens of the AWS client too.
fn cli_client() -> NewClient {
    NewClient {
        client_id: signin::CLIENT.to_owned(),
        name: "Galen command line".to_owned(),
        kind: ClientKind::Public,
        redirect_uris: vec!["http://127.0.0.1/callback".to_owned()],
        post_logout_uris: Vec::new(),
        audiences: vec![creds::AUDIENCE.to_owned()],
        es256: false,
        groups: GroupClaim::Names,
        aws: false,
        device: true,
    }
}

/// The audience that roles trust for AWS tools; its tokens carry the claims that AssumeRoleWithWebIdentity reads.
fn aws_client() -> NewClient {
    NewClient {
        client_id: creds::AUDIENCE.to_owned(),
        name: "AWS tools".to_owned(),
        aws: true,
        redirect_uris: Vec::new(),
        audiences: Vec::new(),
        device: false,
        ..cli_client()
    }
}
