//! The verbs on nouns: each is one call of the management API. Names that people know (user names, group names) are looked up
//! by the server; nothing is decided here.

use anyhow::Result;
use base::Effects;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

use crate::{
    cli::{
        Approval, ById, Carries, Client, Dataset, Domain, End, Endpoint, Grant, GrantList, Group, List, Membership,
        Person, Role, Session, Target,
    },
    local,
    manage::Manage,
};

/// Calls the API on behalf of whoever is signed in.
pub(crate) struct Nouns<'a> {
    pub(crate) effects: &'a Effects,
}

impl Nouns<'_> {
    fn at(&self, endpoint: &Endpoint) -> Result<Manage> {
        Manage::open(self.effects, endpoint.endpoint.as_deref())
    }
    fn create(&self, endpoint: &Endpoint, noun: &str, body: &Value) -> Result<Value> {
        self.at(endpoint)?.post(noun, body)
    }
    fn list(&self, noun: &str, list: &List) -> Result<Value> {
        self.at(&list.endpoint)?.list(noun, &[], list.limit)
    }
    fn show(&self, noun: &str, by: &ById) -> Result<Value> {
        self.at(&by.endpoint)?.get(&format!("{noun}/{}", segment(&by.id)), &[])
    }
    fn change(&self, endpoint: &Endpoint, noun: &str, id: &str, body: &Value) -> Result<Value> {
        self.at(endpoint)?.patch(&format!("{noun}/{}", segment(id)), body)
    }
    fn end(&self, noun: &str, end: &End) -> Result<Value> {
        self.act(noun, end, "end")
    }
    fn act(&self, noun: &str, end: &End, verb: &str) -> Result<Value> {
        let path = format!("{noun}/{}/{verb}", segment(&end.id));
        self.at(&end.endpoint)?.post(&path, &json!({"reason": end.reason}))
    }

    /// `galen person`.
    pub(crate) fn person(&self, command: &Person) -> Result<Value> {
        match command {
            Person::Create { endpoint, username, name, email, password_file } => {
                let password = password_file.as_deref().map(secret).transpose()?;
                let body = json!({"username": username, "name": name, "email": email, "password": password});
                self.create(endpoint, "persons", &body)
            }
            Person::List(list) => self.list("persons", list),
            Person::Show(by) => self.show("persons", by),
            Person::Change { endpoint, id, name, email, password_file } => {
                let password = password_file.as_deref().map(secret).transpose()?;
                self.change(endpoint, "persons", id, &json!({"name": name, "email": email, "password": password}))
            }
            Person::End(end) => self.end("persons", end),
            Person::Erase(end) => self.act("persons", end, "erase"),
        }
    }

    /// `galen group`.
    pub(crate) fn group(&self, command: &Group) -> Result<Value> {
        match command {
            Group::Create { endpoint, name } => self.create(endpoint, "groups", &json!({"name": name})),
            Group::List(list) => self.list("groups", list),
            Group::Show(by) => self.show("groups", by),
            Group::Change { endpoint, id, name } => self.change(endpoint, "groups", id, &json!({"name": name})),
            Group::End(end) => self.end("groups", end),
        }
    }

    /// `galen membership`.
    pub(crate) fn membership(&self, command: &Membership) -> Result<Value> {
        match command {
            Membership::Create { endpoint, group, person, reason } => {
                self.create(endpoint, "memberships", &json!({"group": group, "person": person, "reason": reason}))
            }
            Membership::List(list) => self.list("memberships", list),
            Membership::Show(by) => self.show("memberships", by),
            Membership::End(end) => self.end("memberships", end),
        }
    }

    /// `galen approval`.
    pub(crate) fn approval(&self, command: &Approval) -> Result<Value> {
        match command {
            Approval::List(list) => self.list("approvals", list),
            Approval::Show(by) => self.show("approvals", by),
            Approval::Approve(end) => self.act("approvals", end, "approve"),
            Approval::Refuse(end) => self.act("approvals", end, "refuse"),
        }
    }

    /// `galen role`.
    pub(crate) fn role(&self, command: &Role) -> Result<Value> {
        match command {
            Role::Create { endpoint, name, groups, client, carries, policies, max_session_secs } => {
                let carries = match carries {
                    Carries::Entitling => "entitling",
                    Carries::All => "all",
                };
                let body = json!({
                    "name": name, "groups": groups, "client": client, "carries": carries,
                    "policies": documents(policies)?, "max_session_secs": max_session_secs,
                });
                self.create(endpoint, "roles", &body)
            }
            Role::List(list) => self.list("roles", list),
            Role::Show(by) => self.show("roles", by),
            Role::Change { endpoint, id, policies, max_session_secs } => {
                let policies = if policies.is_empty() { None } else { Some(documents(policies)?) };
                self.change(endpoint, "roles", id, &json!({"policies": policies, "max_session_secs": max_session_secs}))
            }
            Role::End(end) => self.end("roles", end),
        }
    }

    /// `galen client`.
    pub(crate) fn client(&self, command: &Client) -> Result<Value> {
        match command {
            Client::Create { endpoint, name, redirect_uris, confidential } => {
                let body = json!({"name": name, "redirect_uris": redirect_uris, "confidential": confidential});
                self.create(endpoint, "clients", &body)
            }
            Client::List(list) => self.list("clients", list),
            Client::Show(by) => self.show("clients", by),
            Client::End(end) => self.end("clients", end),
        }
    }

    /// `galen domain`.
    pub(crate) fn domain(&self, command: &Domain) -> Result<Value> {
        match command {
            Domain::Create { endpoint, name, owner } => {
                self.create(endpoint, "domains", &json!({"name": name, "owner": owner}))
            }
            Domain::List(list) => self.list("domains", list),
            Domain::Show(by) => self.show("domains", by),
            Domain::Change { endpoint, id, name, owner } => {
                self.change(endpoint, "domains", id, &json!({"name": name, "owner": owner}))
            }
            Domain::End(end) => self.end("domains", end),
        }
    }

    /// `galen dataset`.
    pub(crate) fn dataset(&self, command: &Dataset) -> Result<Value> {
        match command {
            Dataset::Create {
                endpoint,
                name,
                domain,
                bucket,
                prefix,
                owner,
                stewards,
                classification,
                gxp,
                personal,
                description,
            } => {
                let body = json!({
                    "name": name, "domain": domain, "bucket": bucket, "prefix": prefix, "owner": owner,
                    "stewards": stewards, "classification": classification, "gxp": gxp, "personal": personal,
                    "description": description,
                });
                self.create(endpoint, "datasets", &body)
            }
            Dataset::List(list) => self.list("datasets", list),
            Dataset::Show(by) => self.show("datasets", by),
            Dataset::Change { endpoint, id, description, classification, reason } => {
                let body = json!({"description": description, "classification": classification, "reason": reason});
                self.change(endpoint, "datasets", id, &body)
            }
            Dataset::End(end) => self.end("datasets", end),
        }
    }

    /// `galen grant`.
    pub(crate) fn grant(&self, command: &Grant) -> Result<Value> {
        match command {
            Grant::Create { endpoint, dataset, group, level, prefixes, purpose, days, reason } => {
                let body = json!({
                    "dataset": dataset, "group": group, "level": level, "prefixes": prefixes,
                    "purpose": purpose, "days": days, "reason": reason,
                });
                self.create(endpoint, "grants", &body)
            }
            Grant::List(GrantList { list, dataset }) => {
                let query: Vec<(&str, &str)> = dataset.iter().map(|name| ("dataset", name.as_str())).collect();
                self.at(&list.endpoint)?.list("grants", &query, list.limit)
            }
            Grant::Show(by) => self.show("grants", by),
            Grant::End(end) => self.end("grants", end),
        }
    }

    /// `galen session`.
    pub(crate) fn session(&self, command: &Session) -> Result<Value> {
        match command {
            Session::List(list) => self.list("sessions", list),
            Session::Show(by) => self.show("sessions", by),
            Session::End(end) => self.end("sessions", end),
        }
    }

    /// `galen revoke`: the answer is the signed receipt.
    pub(crate) fn revoke(&self, what: &str, target: &Target) -> Result<Value> {
        let body = json!({"what": what, "id": target.id, "reason": target.reason});
        self.at(&target.endpoint)?.post("revocations", &body)
    }
}

/// A path segment: ids and names with everything but unreserved characters escaped.
fn segment(text: &str) -> String {
    let mut url = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}

fn documents(files: &[PathBuf]) -> Result<Vec<Value>> {
    files.iter().map(|file| Ok(serde_json::from_str(&local::read(&file.to_string_lossy())?)?)).collect()
}

/// The first line of a file that holds a secret.
///
/// # Errors
/// When it cannot be read or is empty.
pub(crate) fn secret(file: &Path) -> Result<String> {
    let text = local::read(&file.to_string_lossy())?;
    let line = text.lines().next().unwrap_or_default().to_owned();
    anyhow::ensure!(!line.is_empty(), "`{}` is empty", file.display());
    Ok(line)
}
