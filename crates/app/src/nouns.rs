//! The verbs on nouns: each is one call of the management API, with what was typed as its body. Names that people know (user
//! names, group names) are looked up by the server; nothing is decided here.

use anyhow::Result;
use base::Effects;
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};
use std::path::Path;

use crate::{
    cli::{
        Approval, Client, Dataset, DatasetPolicy, Domain, End, Grant, GrantList, Group, Key, List, Membership,
        MembershipList, Noun, Person, Role, Service, Session, SessionList, Stewards, Target, Verb, Which,
    },
    local,
    manage::Api,
};

/// One call of the API, below the path of its noun.
pub(crate) enum Call<'a> {
    /// Make one.
    Create(Value),
    /// Change this one, and its stewards.
    Change(&'a Which, Value, Option<&'a Stewards>),
    /// Do something else with this one.
    Do(&'a Which, &'static str, Value),
    /// Look at a part of this one.
    See(&'a str, &'static str),
    /// Set a part of this one.
    Put(&'a Which, String, &'a Value),
    /// Remove a part of this one.
    Delete(&'a Which, String),
}

/// A part of a thing, with the reason of its change, whose place is the query because the body is the part itself.
fn part(name: &str, reason: &Option<String>) -> String {
    let reason = reason.iter().map(|reason| ("reason", reason));
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(reason).finish();
    if query.is_empty() { name.to_owned() } else { format!("{name}?{query}") }
}

/// A noun with verbs of its own.
pub(crate) trait Asks {
    /// Its path below `/api/v1/`.
    const PATH: &'static str;
    /// The call that a verb makes.
    fn call(&self) -> Call<'_>;
}

/// What a list asks for.
pub(crate) trait Lists {
    /// Most rows.
    fn limit(&self) -> Option<usize>;
    /// Which rows.
    fn query(&self) -> Vec<(&str, &str)> {
        Vec::new()
    }
}

impl Lists for List {
    fn limit(&self) -> Option<usize> {
        self.limit
    }
}

/// Lists with filters: each is a parameter of the same name.
macro_rules! lists {
    ($($list:ident { $($filter:ident),* })*) => {$(
        impl Lists for $list {
            fn limit(&self) -> Option<usize> {
                self.list.limit
            }
            fn query(&self) -> Vec<(&str, &str)> {
                let typed = [$((stringify!($filter), self.$filter.as_deref())),*];
                typed.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
            }
        }
    )*};
}

lists! {
    MembershipList { person, service, group }
    GrantList { dataset, group, state }
    SessionList { person, service }
}

/// What was typed, without what was not: an absent field keeps its value, or takes the server's default.
fn body(typed: &impl Serialize) -> Value {
    let mut body = json!(typed);
    if let Some(fields) = body.as_object_mut() {
        fields.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|items| !items.is_empty()));
    }
    body
}

fn act<'a>(end: &'a End, verb: &'static str) -> Call<'a> {
    Call::Do(&end.which, verb, body(end))
}

macro_rules! asks {
    ($($noun:ident $path:literal { $($verb:pat => $call:expr),* $(,)? })*) => {$(
        impl Asks for $noun {
            const PATH: &'static str = $path;
            fn call(&self) -> Call<'_> {
                match self { $($verb => $call,)* }
            }
        }
    )*};
}

asks! {
    Person "persons" {
        Self::Create(new) => Call::Create(body(new)),
        Self::Change(change) => Call::Change(&change.which, body(change), None),
        Self::End(end) => act(end, "end"),
        Self::Reactivate(end) => act(end, "reactivate"),
        Self::Erase(end) => act(end, "erase"),
    }
    Group "groups" {
        Self::Create(new) => Call::Create(body(new)),
        Self::Change(change) => Call::Change(&change.which, body(change), None),
        Self::End(end) => act(end, "end"),
    }
    Membership "memberships" {
        Self::Create(new) => Call::Create(body(new)),
        Self::End(end) => act(end, "end"),
    }
    Role "roles" {
        Self::Create(new) => Call::Create(body(new)),
        Self::Change(change) => Call::Change(&change.which, body(change), None),
        Self::Entitle(to) => Call::Do(&to.which, "entitle", body(to)),
        Self::Unentitle(from) => Call::Do(&from.which, "unentitle", body(from)),
        Self::End(end) => act(end, "end"),
    }
    Client "clients" {
        Self::Create(new) => Call::Create(body(new)),
        Self::Change(change) => Call::Change(&change.which, body(change), None),
        Self::RenewSecret(which) => Call::Do(which, "renew-secret", json!({})),
        Self::End(end) => act(end, "end"),
    }
    Service "services" {
        Self::Create(new) => Call::Create(body(new)),
        Self::Change(change) => Call::Change(&change.which, body(change), None),
        Self::RenewSecret(end) => act(end, "renew-secret"),
        Self::End(end) => act(end, "end"),
    }
    Domain "domains" {
        Self::Create(new) => Call::Create(body(new)),
        Self::Change(change) => Call::Change(&change.which, body(change), Some(&change.what.stewards)),
        Self::End(end) => act(end, "end"),
    }
    Dataset "datasets" {
        Self::Create(new) => Call::Create(body(new)),
        Self::Change(change) => Call::Change(&change.which, body(change), Some(&change.what.stewards)),
        Self::Policy(DatasetPolicy::Show(by)) => Call::See(&by.id, "policy"),
        Self::Policy(DatasetPolicy::Put { which, policy, reason }) => Call::Put(which, part("policy", reason), policy),
        Self::Policy(DatasetPolicy::Delete { which, reason }) => Call::Delete(which, part("policy", reason)),
        Self::RotateKey(end) => act(end, "rotate-key"),
        Self::End(end) => act(end, "end"),
    }
    Grant "grants" {
        Self::Create(new) => Call::Create(body(new)),
        Self::End(end) => act(end, "end"),
    }
    Approval "approvals" {
        Self::Approve(end) => act(end, "approve"),
        Self::Refuse(end) => act(end, "refuse"),
    }
    Session "sessions" {
        Self::End(end) => act(end, "end"),
    }
}

/// A noun with a verb, on behalf of whoever is signed in.
///
/// # Errors
/// When nobody is signed in, or what the server refuses.
pub(crate) fn run<O, L>(effects: &Effects, noun: &Noun<Verb<O, L>>) -> Result<Value>
where
    O: Asks + Subcommand,
    L: Lists + Args,
{
    let api = Api::open(effects, noun.endpoint.as_deref())?;
    let at = |id: &str| format!("{}/{}", O::PATH, segment(id));
    match &noun.verb {
        Verb::List(list) => api.list(O::PATH, &list.query(), list.limit()),
        Verb::Show(by) => shown(&api, &at(&by.id)),
        Verb::Own(own) => match own.call() {
            Call::Create(body) => api.post(O::PATH, &body),
            Call::Change(which, body, stewards) => change(&api, &at(&which.id), body, stewards, tag(which)),
            Call::Do(which, verb, body) => {
                api.change("POST", &format!("{}/{verb}", at(&which.id)), Some(&body), tag(which))
            }
            Call::See(id, part) => shown(&api, &format!("{}/{part}", at(id))),
            Call::Put(which, part, body) => {
                api.change("PUT", &format!("{}/{part}", at(&which.id)), Some(body), tag(which))
            }
            Call::Delete(which, part) => api.change("DELETE", &format!("{}/{part}", at(&which.id)), None, tag(which)),
        },
    }
}

/// A row with its ETag, without the quotes that a shell would eat.
fn shown(api: &Api, path: &str) -> Result<Value> {
    let (mut row, tag) = api.tagged(path)?;
    if let (Some(fields), Some(tag)) = (row.as_object_mut(), tag) {
        fields.insert("etag".to_owned(), Value::String(tag.trim_matches('"').to_owned()));
    }
    Ok(row)
}

/// The ETag that was typed, as it is sent.
fn tag(which: &Which) -> Option<String> {
    which.if_match.as_ref().map(|tag| if tag == "*" { tag.clone() } else { format!("\"{}\"", tag.trim_matches('"')) })
}

/// Changes a row; a list that is added to or taken from is read first, and changed in the version that was read.
fn change(api: &Api, path: &str, mut body: Value, stewards: Option<&Stewards>, tag: Option<String>) -> Result<Value> {
    let edited = stewards.filter(|it| !it.add_stewards.is_empty() || !it.remove_stewards.is_empty());
    let Some(Stewards { add_stewards, remove_stewards, .. }) = edited else {
        return api.change("PATCH", path, Some(&body), tag);
    };
    let (row, read) = api.tagged(path)?;
    let list = |field: &str| row.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
    let (ids, names) = (list("stewards"), list("steward_names"));
    let left = ids.iter().zip(&names).filter(|(id, name)| !remove_stewards.iter().any(|it| *id == it || *name == it));
    let wanted: Vec<Value> = left.map(|(id, _)| id.clone()).chain(add_stewards.iter().map(|it| json!(it))).collect();
    if let Some(fields) = body.as_object_mut() {
        fields.insert("stewards".to_owned(), Value::Array(wanted));
    }
    api.change("PATCH", path, Some(&body), tag.or(read))
}

/// `galen key`.
///
/// # Errors
/// As [`run`].
pub(crate) fn key(effects: &Effects, noun: &Noun<Key>) -> Result<Value> {
    let Key::Rotate { reason } = &noun.verb;
    Api::open(effects, noun.endpoint.as_deref())?.post("signing-keys/rotate", &json!({"reason": reason}))
}

/// `galen revoke`: the answer is the signed receipt.
///
/// # Errors
/// As [`run`].
pub(crate) fn revoke(effects: &Effects, what: &str, target: &Target) -> Result<Value> {
    let body = json!({"what": what, "id": target.id, "reason": target.reason});
    Api::open(effects, target.endpoint.endpoint.as_deref())?.post("revocations", &body)
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
