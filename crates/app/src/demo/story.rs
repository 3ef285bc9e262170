//! `galen demo --story`: sign-in, a denied read, a grant, the read, why, revoke and the refused read, as a person would do it, with
//! the time of each step. Every step is a call over the network; nothing is simulated.

use anyhow::{Context, Result};
use base::{Effects, Secret};
use serde_json::{Value, json};

use super::world::{self, Person, World};
use crate::{aws_client, http, manage::Api, output, signin};

/// The dataset that nobody is granted until the story grants it.
const DATASET: &str = "ophthalmology-sdtm";
const READER: &str = "anna";

struct Teller<'a> {
    effects: &'a Effects,
    step: u32,
}

impl Teller<'_> {
    /// Does one step and prints what it gave and how long it took.
    fn step<T>(&mut self, what: &str, work: impl FnOnce() -> Result<(T, String)>) -> Result<T> {
        self.step += 1;
        let begun = self.effects.monotonic();
        let (value, said) = work().with_context(|| what.to_owned())?;
        let took = self.effects.monotonic().saturating_sub(begun);
        output::text(&format!("{}. {what}  [{:.1} ms]\n   {said}\n", self.step, took.as_secs_f64() * 1e3))?;
        Ok(value)
    }
}

/// Plays the story.
///
/// # Errors
/// When a step does not come out as it must.
pub(super) fn play(effects: &Effects, world: &World, web: &str, aws: &str, region: &str) -> Result<()> {
    let anna = person(world, READER)?;
    let dataset =
        world.datasets.iter().find(|d| d.name == DATASET).context("the demonstration lacks the story's dataset")?;
    let owner = person(world, &dataset.owner)?;
    let role = world
        .roles
        .iter()
        .find(|role| role.groups.iter().any(|g| anna.groups.contains(g)))
        .context("anna has no role")?;
    let group = role.groups.first().context("the role has no group")?;
    let agent = http::agent();
    let mut teller = Teller { effects, step: 0 };

    let credentials = teller.step("Anna signs in and takes credentials of her role", || {
        Ok((world::credentials(effects, web, aws, anna, &role.arn)?, role.arn.clone()))
    })?;
    let s3 = aws_client::Client { agent: &agent, effects, aws, region, credentials: &credentials };
    let key = format!("{}{}", dataset.prefix, first_key(world));
    let read = |expected: u16| -> Result<((), String)> {
        let answer = s3.get(&dataset.bucket, &key)?;
        anyhow::ensure!(answer.status == expected, "expected {expected}, got {}: {}", answer.status, answer.message());
        let said = if expected == 200 { format!("{} bytes", answer.body.len()) } else { answer.message() };
        Ok(((), said))
    };
    teller.step(&format!("She reads s3://{}/{key} and is refused", dataset.bucket), || read(403))?;

    let owner_api = api(effects, web, owner)?;
    let grant = teller.step(&format!("{} owns the dataset and grants it to {group} for 30 days", owner.username), || {
        let made = owner_api.post(
            "grants",
            &json!({"dataset": dataset.id, "group": group, "level": "read", "days": 30, "purpose": "safety signal review"}),
        )?;
        let id = made.get("id").and_then(Value::as_str).context("no grant id")?.to_owned();
        Ok((id.clone(), format!("grant {id}")))
    })?;
    teller.step("She reads again, with the credentials that she already has", || read(200))?;
    let resource = format!("arn:aws:s3:::{}/{key}", dataset.bucket);
    let why = |told: &Api| -> Result<((), String)> {
        let query = [("person", READER), ("resource", resource.as_str()), ("action", "s3:GetObject")];
        let story = told.get("why", &query)?;
        Ok(((), story.get("sentence").and_then(Value::as_str).unwrap_or_default().to_owned()))
    };
    teller.step("Why was that allowed?", || why(&owner_api))?;
    teller.step(&format!("{} revokes the grant", owner.username), || {
        let receipt =
            owner_api.post("revocations", &json!({"what": "grant", "id": grant, "reason": "the review is done"}))?;
        let micros = receipt.pointer("/statement/micros").and_then(Value::as_u64).context("the receipt has no time")?;
        Ok(((), format!("signed receipt: in effect everywhere after {:.1} ms", micros as f64 / 1e3)))
    })?;
    teller.step("She reads once more and is refused", || read(403))?;
    teller.step("And why not now?", || why(&owner_api))
}

fn api(effects: &Effects, web: &str, who: &Person) -> Result<Api> {
    let password =
        signin::Password { username: who.username.clone(), password: Secret::new(who.password.clone()), new: None };
    Api::sign_in(effects, web, &password)
}

fn person<'a>(world: &'a World, username: &str) -> Result<&'a Person> {
    world.people.iter().find(|person| person.username == username).with_context(|| format!("there is no {username}"))
}

/// A file that the story's dataset has: published data and generated data name theirs differently.
const fn first_key(world: &World) -> &'static str {
    if world.real { "ae_ophtha.parquet" } else { "ae.csv" }
}
