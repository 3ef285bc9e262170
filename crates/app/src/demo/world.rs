//! The demonstration's world: who is there, what they may, and the data. Everything after the first start goes through the API and
//! the gate, as a person would do it; nothing is written behind their back.

use anyhow::{Context, Result};
use base::{Effects, Secret};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;

use super::data::{Data, Table};
use crate::{
    aws_client,
    creds::{self, Credentials},
    manage::Api,
    signin,
};

/// A person as the ready line prints them.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) email: String,
    pub(crate) groups: Vec<String>,
}

/// A tool role as the ready line prints it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Role {
    pub(crate) arn: String,
    pub(crate) groups: Vec<String>,
    pub(crate) carries: String,
    pub(crate) datasets: Vec<String>,
}

/// A dataset as the ready line prints it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Dataset {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) domain: String,
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    pub(crate) owner: String,
}

/// A user name and its password.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Admin {
    pub(crate) username: String,
    pub(crate) password: String,
}

/// All of it, kept in the data folder so that a second start knows it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct World {
    pub(crate) admin: Admin,
    pub(crate) people: Vec<Person>,
    pub(crate) roles: Vec<Role>,
    pub(crate) datasets: Vec<Dataset>,
    /// Whether the data is published data; else it was generated.
    pub(crate) real: bool,
}

/// Who exists: user name, name, groups besides those of every person.
const PEOPLE: &[(&str, &str, &[&str])] = &[
    ("anna", "Anna Friis", &["oncology-readers"]),
    ("bo", "Bo Dahl", &["neurology-readers", "vaccines-readers"]),
    ("carl", "Carl Juul", &["analysts", "cdisc-pilot-readers"]),
    ("dora", "Dora Vang", &[]),
    ("emil", "Emil Krog", &["auditors"]),
    ("olivia", "Olivia Lund", &["oncology-owners", "ophthalmology-owners", "data-owners"]),
    ("niels", "Niels Holm", &["neurology-owners", "metabolism-owners", "vaccines-owners", "data-owners"]),
    ("petra", "Petra Berg", &["paediatrics-owners", "cdisc-pilot-owners", "shared-standards-owners", "data-owners"]),
];

/// Tool roles: name, entitling group, whether its sessions carry all groups.
const ROLES: &[(&str, &str, bool)] = &[
    ("oncology-reader", "oncology-readers", false),
    ("neurology-reader", "neurology-readers", false),
    ("vaccines-reader", "vaccines-readers", false),
    ("analyst", "analysts", true),
];

/// What the analyst may besides the usual data actions: make and empty buckets of their own.
fn workspace_policy() -> Value {
    json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "OwnBuckets", "Effect": "Allow", "Resource": "*",
        "Action": [
            "s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteObjectVersion", "s3:PutBucketVersioning",
            "s3:PutBucketAcl", "s3:PutBucketPublicAccessBlock", "s3:PutBucketOwnershipControls", "s3:PutEncryptionConfiguration",
            "s3:PutBucketCORS", "s3:PutBucketPolicy",
        ],
    }]})
}

/// Grants to read: group, area, model. Metabolism, ophthalmology and paediatrics are granted to nobody.
const GRANTS: &[(&str, &str, &str)] = &[
    ("oncology-readers", "oncology", "sdtm"),
    ("oncology-readers", "oncology", "adam"),
    ("neurology-readers", "neurology", "sdtm"),
    ("vaccines-readers", "vaccines", "sdtm"),
    ("analysts", "shared-standards", "sdtm"),
    ("cdisc-pilot-readers", "cdisc-pilot", "adam"),
];

/// The group and the role of the first load; both end when it is done, and each of its grants before.
const PRODUCERS: &str = "data-producers";
const PRODUCER_ROLE: &str = "producer";

/// What building needs.
pub(crate) struct Builder<'a> {
    pub(crate) effects: &'a Effects,
    pub(crate) web: &'a str,
    pub(crate) aws: &'a str,
    pub(crate) region: &'a str,
    pub(crate) admin: Admin,
    /// Called with what is being done and how far it is, 0 to 100.
    pub(crate) progress: &'a mut dyn FnMut(&str, u64),
}

impl Builder<'_> {
    /// Builds the world through the API.
    ///
    /// # Errors
    /// The first refusal.
    pub(crate) fn build(mut self, data: &Data) -> Result<World> {
        let admin_api = self.api(&self.admin.username.clone(), &self.admin.password.clone())?;
        (self.progress)("people and groups", 0);
        let people = self.people(&admin_api, data)?;
        let roles = self.roles(&admin_api)?;
        let datasets = self.datasets(&admin_api, data, &people)?;
        self.load(&admin_api, &people, &datasets, data)?;
        let granted = self.grants(&people, &datasets)?;
        let roles = roles.into_iter().map(|role| with_datasets(role, &granted, &people)).collect();
        Ok(World { admin: self.admin, people, roles, datasets, real: data.real })
    }

    fn api(&self, username: &str, password: &str) -> Result<Api> {
        let who =
            signin::Password { username: username.to_owned(), password: Secret::new(password.to_owned()), new: None };
        Api::sign_in(self.effects, self.web, &who).with_context(|| format!("`{username}` could not sign in"))
    }

    fn people(&mut self, api: &Api, data: &Data) -> Result<Vec<Person>> {
        let areas: BTreeSet<&str> = data.tables.iter().map(|table| table.area.as_str()).collect();
        let owners = areas.iter().map(|area| format!("{area}-owners"));
        let named = PEOPLE.iter().flat_map(|(_, _, groups)| groups.iter().map(|group| (*group).to_owned()));
        let existing: BTreeSet<String> = names(&api.list("groups", &[], None)?);
        for group in owners.chain(named).collect::<BTreeSet<_>>().difference(&existing) {
            api.post("groups", &json!({"name": group}))?;
        }
        let mut people = Vec::new();
        for (username, name, groups) in PEOPLE {
            let person = Person {
                username: (*username).to_owned(),
                password: password(self.effects),
                email: format!("{username}@demo.example"),
                groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            };
            let first = password(self.effects);
            api.post(
                "persons",
                &json!({"username": username, "name": name, "email": person.email, "password": first}),
            )?;
            // As a person does at the first sign-in; the password that is printed is their own.
            let (first, own) = (Secret::new(first), Secret::new(person.password.clone()));
            let who = signin::Password { username: person.username.clone(), password: first, new: Some(own) };
            signin::with_password(&crate::http::agent(), self.effects, self.web, &who)?;
            // Who has a management role of their own needs no other: a sign-in with several must name one.
            let member = !groups.iter().any(|group| ["data-owners", "auditors"].contains(group));
            for group in groups.iter().chain(member.then_some(&"members")) {
                api.post("memberships", &json!({"group": group, "person": username}))?;
            }
            people.push(person);
        }
        Ok(people)
    }

    fn roles(&mut self, api: &Api) -> Result<Vec<Role>> {
        let mut roles = Vec::new();
        for (name, group, all) in ROLES {
            let carries = if *all { "all" } else { "entitling" };
            let policies =
                if *all { json!(["GalenDataAccess", workspace_policy()]) } else { json!(["GalenDataAccess"]) };
            let made = api.post(
                "roles",
                &json!({"name": name, "groups": [group], "client": "galen-aws", "carries": carries, "policies": policies}),
            )?;
            roles.push(Role {
                arn: text(&made, "arn")?,
                groups: vec![(*group).to_owned()],
                carries: carries.to_owned(),
                datasets: Vec::new(),
            });
        }
        Ok(roles)
    }

    fn datasets(&mut self, api: &Api, data: &Data, people: &[Person]) -> Result<Vec<Dataset>> {
        let places: BTreeSet<(&str, &str)> = data.tables.iter().map(|t| (t.area.as_str(), t.model.as_str())).collect();
        let areas: BTreeSet<&str> = places.iter().map(|(area, _)| *area).collect();
        for area in areas {
            api.post("domains", &json!({"name": area, "owner": format!("{area}-owners")}))?;
        }
        let mut datasets = Vec::new();
        for (area, model) in places {
            let owner = owner_of(area, people)?;
            let owner_api = self.api(&owner.username, &owner.password)?;
            let tables = data.tables.iter().filter(|t| t.area == area && t.model == model).count();
            let source =
                if data.real { super::data::ATTRIBUTION } else { "GENERATED: made up, only shaped like SDTM." };
            let made = owner_api.post(
                "datasets",
                &json!({
                    "name": format!("{area}-{model}"), "domain": area, "bucket": area, "prefix": format!("{model}/"),
                    "owner": format!("{area}-owners"), "classification": "confidential", "gxp": true, "personal": true,
                    "description": format!("{tables} tables, {}. {source}", model.to_uppercase()),
                }),
            )?;
            datasets.push(Dataset {
                id: text(&made, "id")?,
                name: text(&made, "name")?,
                domain: area.to_owned(),
                bucket: area.to_owned(),
                prefix: format!("{model}/"),
                owner: owner.username.clone(),
            });
        }
        Ok(datasets)
    }

    /// The owners become producers for the first load: each lets the producers write, loads the tables, and ends the grant.
    /// At the end the role and the group of the load end too.
    fn load(&mut self, api: &Api, people: &[Person], datasets: &[Dataset], data: &Data) -> Result<()> {
        let group = text(&api.post("groups", &json!({"name": PRODUCERS}))?, "id")?;
        for owner in datasets.iter().map(|dataset| &dataset.owner).collect::<BTreeSet<_>>() {
            api.post("memberships", &json!({"group": group, "person": owner, "reason": "first load"}))?;
        }
        let role = api.post("roles", &json!({"name": PRODUCER_ROLE, "groups": [group], "client": creds::AUDIENCE}))?;
        let mut done = 0;
        for dataset in datasets {
            let owner =
                people.iter().find(|person| person.username == dataset.owner).context("a dataset has no owner")?;
            self.load_one(owner, &text(&role, "arn")?, dataset, data, &mut done)?;
        }
        let over = json!({"reason": "the first load is done"});
        api.post(&format!("roles/{}/end", text(&role, "id")?), &over)?;
        api.post(&format!("groups/{group}/end"), &over)?;
        Ok(())
    }

    fn load_one(&mut self, owner: &Person, role: &str, dataset: &Dataset, data: &Data, done: &mut usize) -> Result<()> {
        let api = self.api(&owner.username, &owner.password)?;
        let grant = api.post(
            "grants",
            &json!({"dataset": dataset.id, "group": PRODUCERS, "level": "write", "purpose": "first load", "days": 1}),
        )?;
        let credentials = credentials(self.effects, self.web, self.aws, owner, role)?;
        let agent = crate::http::agent();
        let s3 = aws_client::Client {
            agent: &agent,
            effects: self.effects,
            aws: self.aws,
            region: self.region,
            credentials: &credentials,
        };
        let mine = |table: &&Table| table.area == dataset.domain && dataset.prefix == format!("{}/", table.model);
        for Table { file, bytes, .. } in data.tables.iter().filter(mine) {
            let answer = s3.put(&dataset.bucket, &format!("{}{file}", dataset.prefix), bytes)?;
            anyhow::ensure!(answer.status == 200, "could not store {file} in {}: {}", dataset.name, answer.message());
            *done += 1;
            let percent = 100 * *done / data.tables.len().max(1);
            (self.progress)(&format!("{}/{}{file}", dataset.bucket, dataset.prefix), percent as u64);
        }
        api.post(&format!("grants/{}/end", text(&grant, "id")?), &json!({"reason": "the load is done"}))?;
        Ok(())
    }

    /// The grants to read; (group, dataset id) of each.
    fn grants(&mut self, people: &[Person], datasets: &[Dataset]) -> Result<Vec<(String, String)>> {
        let mut granted = Vec::new();
        for (group, area, model) in GRANTS {
            let name = format!("{area}-{model}");
            // Generated data has fewer tables; a grant on what is not there is left out.
            let Some(dataset) = datasets.iter().find(|dataset| dataset.name == name) else { continue };
            let owner = owner_of(area, people)?;
            self.api(&owner.username, &owner.password)?.post(
                "grants",
                &json!({
                    "dataset": dataset.id, "group": group, "level": "read", "days": 90,
                    "purpose": "exploratory analysis", "reason": "agreed with the study team",
                }),
            )?;
            granted.push(((*group).to_owned(), dataset.id.clone()));
        }
        Ok(granted)
    }
}

/// Credentials of a role for a person, by sign-in, token exchange and STS.
///
/// # Errors
/// The first refusal.
pub(crate) fn credentials(effects: &Effects, web: &str, aws: &str, person: &Person, role: &str) -> Result<Credentials> {
    let agent = crate::http::agent();
    let who = signin::Password {
        username: person.username.clone(),
        password: Secret::new(person.password.clone()),
        new: None,
    };
    let tokens = signin::with_password(&agent, effects, web, &who)?;
    let token = signin::refresh(&agent, web, &tokens.refresh_token, Some(creds::AUDIENCE))?.id_token;
    creds::exchange(&agent, aws, &token, role, &creds::session_name(&person.username), None)
}

/// The datasets that every session of a role can read: by its own group, or by any group of who may assume it.
fn with_datasets(role: Role, granted: &[(String, String)], people: &[Person]) -> Role {
    let may = people.iter().filter(|person| person.groups.iter().any(|group| role.groups.contains(group)));
    let carried: BTreeSet<&String> = if role.carries == "all" {
        may.flat_map(|person| &person.groups).collect()
    } else {
        role.groups.iter().collect()
    };
    let datasets =
        granted.iter().filter(|(group, _)| carried.contains(group)).map(|(_, dataset)| dataset.clone()).collect();
    Role { datasets, ..role }
}

fn owner_of<'a>(area: &str, people: &'a [Person]) -> Result<&'a Person> {
    let group = format!("{area}-owners");
    people.iter().find(|person| person.groups.contains(&group)).with_context(|| format!("nobody owns `{area}`"))
}

fn names(rows: &Value) -> BTreeSet<String> {
    let rows = rows.as_array().into_iter().flatten();
    rows.filter_map(|row| row.get("name")?.as_str().map(str::to_owned)).collect()
}

fn text(value: &Value, key: &str) -> Result<String> {
    let text = value.get(key).and_then(Value::as_str);
    text.map(str::to_owned).with_context(|| format!("the API's answer has no `{key}`"))
}

/// A password nobody guesses, of characters that survive every shell.
pub(crate) fn password(effects: &Effects) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let pick = |byte: u8| LETTERS.get(usize::from(byte % 32)).copied().unwrap_or(b'x');
    effects.bytes::<20>().into_iter().map(pick).map(char::from).collect()
}
