//! The nouns of the command line: what each of their verbs takes. A field is named as the API names it, so that what is typed is
//! the body of the request. It parses and documents; a file that is named is read here, so that what cannot be read is bad usage.

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::Value;
use std::path::Path;

use crate::local;

/// A kind of thing, and what to do.
#[derive(Args)]
pub(crate) struct Noun<V: Subcommand> {
    /// URL of the web edge; by default the one of the last `galen login`.
    #[arg(long, env = "GALEN_ENDPOINT", global = true)]
    pub(crate) endpoint: Option<String>,
    #[command(subcommand)]
    pub(crate) verb: V,
}

/// What a noun has of its own, and what all have.
#[derive(Subcommand)]
pub(crate) enum Verb<Own: Subcommand, L: Args = List> {
    #[command(flatten)]
    Own(Own),
    /// List them, oldest first.
    List(L),
    /// Show one, with its `etag` where it can be changed.
    Show(ById),
}

/// Which one.
#[derive(Args)]
pub(crate) struct ById {
    /// The id, or the name where the thing has one.
    pub(crate) id: String,
}

/// `list`.
#[derive(Args)]
pub(crate) struct List {
    /// Most rows to print; all pages are read when it is absent.
    #[arg(long)]
    pub(crate) limit: Option<usize>,
}

/// Which one, and in which version.
#[derive(Args)]
pub(crate) struct Which {
    /// The id, or the name where the thing has one.
    pub(crate) id: String,
    /// Only in this version: the `etag` that `show` printed; refused when the thing has changed since.
    #[arg(long, value_name = "ETAG")]
    pub(crate) if_match: Option<String>,
}

/// Which one, and why.
#[derive(Args, Serialize)]
pub(crate) struct End {
    #[command(flatten)]
    #[serde(skip)]
    pub(crate) which: Which,
    /// The reason; it is recorded.
    #[arg(long)]
    pub(crate) reason: String,
}

/// Which one, and what changes; what is not named stays.
#[derive(Args, Serialize)]
pub(crate) struct Change<C: Args> {
    #[command(flatten)]
    #[serde(skip)]
    pub(crate) which: Which,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) what: C,
}

#[derive(Subcommand)]
pub(crate) enum Person {
    /// Enrol a person.
    Create(NewPerson),
    /// Change names, the address or the password.
    Change(Change<PersonChange>),
    /// Deactivate a person and cut every session.
    End(End),
    /// Let a deactivated person in again.
    Reactivate(End),
    /// Approve the erasure of a person's attributes; the second approval, by another person, performs it.
    Erase(End),
}

#[derive(Args, Serialize)]
pub(crate) struct NewPerson {
    /// User name to sign in with.
    #[arg(long)]
    username: String,
    /// Name to show.
    #[arg(long)]
    name: String,
    /// E-mail address.
    #[arg(long)]
    email: String,
    /// File with the first password, in its first line.
    #[arg(long = "password-file", value_parser = secret, value_name = "FILE")]
    password: Option<String>,
}

#[derive(Args, Serialize)]
#[group(required = true, multiple = true)]
pub(crate) struct PersonChange {
    /// New user name to sign in with.
    #[arg(long)]
    username: Option<String>,
    /// New name to show.
    #[arg(long)]
    name: Option<String>,
    /// New e-mail address.
    #[arg(long)]
    email: Option<String>,
    /// File with the new password, in its first line; set in a command of its own. It cuts everything that the person has open.
    #[arg(long = "password-file", value_parser = secret, value_name = "FILE", conflicts_with_all = ["username", "name", "email"])]
    password: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum Group {
    /// Make a group.
    Create(NewGroup),
    /// Rename a group.
    Change(Change<GroupChange>),
    /// End a group and every membership in it.
    End(End),
}

#[derive(Args, Serialize)]
pub(crate) struct NewGroup {
    /// Its name.
    name: String,
}

#[derive(Args, Serialize)]
pub(crate) struct GroupChange {
    /// The new name.
    #[arg(long)]
    name: String,
}

/// `galen membership list`.
#[derive(Args)]
pub(crate) struct MembershipList {
    #[command(flatten)]
    pub(crate) list: List,
    /// Only those of this person (id or user name).
    #[arg(long, conflicts_with = "service")]
    pub(crate) person: Option<String>,
    /// Only those of this service (id or name).
    #[arg(long)]
    pub(crate) service: Option<String>,
    /// Only those in this group (id or name).
    #[arg(long)]
    pub(crate) group: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum Membership {
    /// Put a person or a service into a group.
    Create(NewMembership),
    /// Take a person or a service out of a group; prints the signed receipt.
    End(End),
}

#[derive(Args, Serialize)]
pub(crate) struct NewMembership {
    /// Name or id of the group.
    #[arg(long)]
    group: String,
    /// User name or id of the person.
    #[arg(long, required_unless_present = "service", conflicts_with = "service")]
    person: Option<String>,
    /// Name or id of the service, instead of a person.
    #[arg(long)]
    service: Option<String>,
    /// The reason; it is recorded.
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum Approval {
    /// Approve a change that somebody else asked for, which makes it; your sign-in must not be older than 15 minutes.
    Approve(End),
    /// Refuse a change, or take your own request back.
    Refuse(End),
}

#[derive(Clone, Copy, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Carries {
    /// Sessions carry only the groups that entitle to this role.
    Entitling,
    /// Sessions carry all groups of the person.
    All,
}

#[derive(Subcommand)]
pub(crate) enum Role {
    /// Make a tool role.
    Create(NewRole),
    /// Change the policies or the longest session.
    Change(Change<RoleChange>),
    /// Let a group assume a role.
    Entitle(Change<Entitlement>),
    /// Let a group assume a role no more: its sessions stop working at once.
    Unentitle(Change<EntitlementEnd>),
    /// End a role; its sessions stop working at once.
    End(End),
}

#[derive(Args, Serialize)]
pub(crate) struct NewRole {
    /// Its name.
    name: String,
    /// Name or id of a group that may assume it; once for each.
    #[arg(long = "group", required = true)]
    groups: Vec<String>,
    /// The client that its people sign in with: by default `galen-aws`; `any` for every one.
    #[arg(long)]
    client: Option<String>,
    /// Which groups its sessions carry: by default those that entitle.
    #[arg(long, value_enum)]
    carries: Option<Carries>,
    /// A role policy, once for each: a file, or the name of a managed one; without one the role gets `GalenDataAccess`.
    #[arg(long = "policy", value_parser = policy, value_name = "FILE")]
    policies: Vec<Value>,
    /// Longest session, in seconds: 3,600 (the default) to 43,200.
    #[arg(long)]
    max_session_secs: Option<u32>,
}

#[derive(Args, Serialize)]
#[group(required = true, multiple = true)]
pub(crate) struct RoleChange {
    /// A new role policy, once for each, in place of all old ones: a file, or the name of a managed one.
    #[arg(long = "policy", value_parser = policy, value_name = "FILE")]
    policies: Vec<Value>,
    /// Longest session, in seconds: 3,600 to 43,200.
    #[arg(long)]
    max_session_secs: Option<u32>,
}

#[derive(Args, Serialize)]
pub(crate) struct Entitlement {
    /// Name or id of the group.
    #[arg(long)]
    group: String,
    /// The client that its people sign in with: by default `galen-aws`; `any` for every one.
    #[arg(long)]
    client: Option<String>,
}

#[derive(Args, Serialize)]
pub(crate) struct EntitlementEnd {
    /// Name or id of the group: it loses the role through every client.
    #[arg(long)]
    group: String,
    /// The reason; it is recorded.
    #[arg(long)]
    reason: String,
}

#[derive(Subcommand)]
pub(crate) enum Client {
    /// Register an OpenID Connect client.
    Create(NewClient),
    /// Change the name or the addresses; the client id and the kind stay.
    Change(Change<ClientChange>),
    /// Give a confidential client another secret, printed once; the old one stops working at once.
    RenewSecret(Which),
    /// End a client; roles stop trusting it.
    End(End),
}

#[derive(Args, Serialize)]
pub(crate) struct NewClient {
    /// Its name, which is also its client id.
    name: String,
    /// Where it may be redirected to; once for each address.
    #[arg(long = "redirect-uri")]
    redirect_uris: Vec<String>,
    /// Where browsers may be sent after signing out; once for each address.
    #[arg(long = "post-logout-uri")]
    post_logout_uris: Vec<String>,
    /// Client id for which it may ask tokens too; once for each.
    #[arg(long = "audience")]
    audiences: Vec<String>,
    /// It may use the device code.
    #[arg(long)]
    device: bool,
    /// Give it a secret; printed once.
    #[arg(long)]
    confidential: bool,
}

#[derive(Args, Serialize)]
#[group(required = true, multiple = true)]
pub(crate) struct ClientChange {
    /// The new name to show.
    #[arg(long)]
    name: Option<String>,
    /// Where it may be redirected to, once for each address, in place of all old ones.
    #[arg(long = "redirect-uri")]
    redirect_uris: Vec<String>,
    /// Where browsers may be sent after signing out, once for each address, in place of all old ones.
    #[arg(long = "post-logout-uri")]
    post_logout_uris: Vec<String>,
    /// Client id for which it may ask tokens too, once for each, in place of all old ones.
    #[arg(long = "audience")]
    audiences: Vec<String>,
    /// Whether it may use the device code.
    #[arg(long)]
    device: Option<bool>,
}

#[derive(Subcommand)]
pub(crate) enum Service {
    /// Register a service; its secret is printed once.
    Create(NewService),
    /// Change the name, or who answers for it.
    Change(Change<ServiceChange>),
    /// Give a service another secret, printed once: the old one stops and its sessions are cut. Where the service reaches data, a second
    /// person approves first.
    RenewSecret(End),
    /// End a service; its secret and its sessions are refused.
    End(End),
}

#[derive(Args, Serialize)]
pub(crate) struct NewService {
    /// Its name: 2 to 64 lower-case letters, digits and `._-`, a letter first.
    name: String,
    /// User name or id of the person who answers for it.
    #[arg(long)]
    owner: String,
}

#[derive(Args, Serialize)]
#[group(required = true, multiple = true)]
pub(crate) struct ServiceChange {
    /// The new name.
    #[arg(long)]
    name: Option<String>,
    /// User name or id of the new owner.
    #[arg(long)]
    owner: Option<String>,
}

/// The groups that look after something, as a change names them.
#[derive(Args, Serialize)]
pub(crate) struct Stewards {
    /// Name or id of a group that looks after it, once for each, in place of all old ones.
    #[arg(long = "steward", conflicts_with_all = ["add_stewards", "remove_stewards"])]
    stewards: Vec<String>,
    /// A group that shall look after it too; once for each.
    #[arg(long = "add-steward")]
    #[serde(skip)]
    pub(crate) add_stewards: Vec<String>,
    /// A group that shall look after it no more; once for each.
    #[arg(long = "remove-steward")]
    #[serde(skip)]
    pub(crate) remove_stewards: Vec<String>,
}

#[derive(Subcommand)]
pub(crate) enum Domain {
    /// Make a domain.
    Create(NewDomain),
    /// Rename a domain, or give it another owner or other stewards.
    Change(Change<DomainChange>),
    /// End a domain without datasets.
    End(End),
}

#[derive(Args, Serialize)]
pub(crate) struct NewDomain {
    /// Its name.
    name: String,
    /// Name or id of the group that owns it.
    #[arg(long)]
    owner: String,
    /// Name or id of a group that looks after it; once for each.
    #[arg(long = "steward")]
    stewards: Vec<String>,
}

#[derive(Args, Serialize)]
pub(crate) struct DomainChange {
    /// The new name.
    #[arg(long)]
    name: Option<String>,
    /// The new owner group.
    #[arg(long)]
    owner: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) stewards: Stewards,
}

#[derive(Subcommand)]
pub(crate) enum Grant {
    /// Grant a dataset to a group, as an owner or steward of it.
    Create(NewGrant),
    /// End a grant; prints the signed receipt.
    End(End),
}

#[derive(Args, Serialize)]
pub(crate) struct NewGrant {
    /// Id or name of the dataset.
    #[arg(long)]
    dataset: String,
    /// Name or id of the group.
    #[arg(long)]
    group: String,
    /// How much may be done: by default read.
    #[arg(long, value_enum)]
    level: Option<Level>,
    /// A prefix inside the dataset, counted from its own and ending in `/`; once for each, and none means all of it.
    #[arg(long = "prefix")]
    prefixes: Vec<String>,
    /// What the data will be used for.
    #[arg(long)]
    purpose: String,
    /// From when (RFC 3339), and not in the past; by default now.
    #[arg(long)]
    start: Option<String>,
    /// For how many days from then: 1 to 366, by default 90.
    #[arg(long)]
    days: Option<u32>,
    /// The reason; it is recorded.
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Clone, Copy, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// Know that it is there.
    Discover,
    /// Read it.
    Read,
    /// Read and write it.
    Write,
}

/// `galen grant list`.
#[derive(Args)]
pub(crate) struct GrantList {
    #[command(flatten)]
    pub(crate) list: List,
    /// Only those of this dataset (id or name).
    #[arg(long)]
    pub(crate) dataset: Option<String>,
    /// Only those to this group (id or name).
    #[arg(long)]
    pub(crate) group: Option<String>,
    /// Only those that have not begun, that open something now, or that do not any more; all of them by default.
    #[arg(long, value_parser = ["upcoming", "live", "ended"])]
    pub(crate) state: Option<String>,
}

/// `galen session list`.
#[derive(Args)]
pub(crate) struct SessionList {
    #[command(flatten)]
    pub(crate) list: List,
    /// Only those of this person (id or user name).
    #[arg(long, conflicts_with = "service")]
    pub(crate) person: Option<String>,
    /// Only those of this service (id or name).
    #[arg(long)]
    pub(crate) service: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum Session {
    /// Cut one session; prints the signed receipt.
    End(End),
}

#[derive(Subcommand)]
pub(crate) enum Key {
    /// Make new signing keys of the OpenID provider; tokens that are out stay valid until they expire.
    Rotate {
        /// The reason; it is recorded.
        #[arg(long)]
        reason: String,
    },
}

/// The first line of a file that holds a secret.
fn secret(file: &str) -> anyhow::Result<String> {
    crate::nouns::secret(Path::new(file))
}

/// A JSON document in a file.
pub(super) fn document(file: &str) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(&local::read(file)?)?)
}

/// A policy: the name of a managed one, or a document in a file.
fn policy(text: &str) -> anyhow::Result<Value> {
    let managed = text.starts_with("Galen") && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if managed { Ok(Value::String(text.to_owned())) } else { document(text) }
}
