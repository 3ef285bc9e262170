//! Other policy engines over the same world, each in the encoding that suits it best.
//!
//! Cedar: one policy over entities (grants as a set of groups on the dataset). Rego: one rule over data keyed by person
//! and dataset. Casbin: one policy line a grant, which it walks through; it has no better encoding, so it is asked less.

use access::bench::{BenchWorld, Plain};
use anyhow::{Result, anyhow, ensure};
use casbin::{CoreApi, DefaultModel, MemoryAdapter, MgmtApi};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, PolicySet, Request, RestrictedExpression,
};
use std::collections::{HashMap, HashSet};

use crate::{
    decision::{answer, time},
    progress,
    report::Report,
    stats::{resident, shown},
};

/// Questions to an engine that walks through all policies: enough for a median, few enough to end.
const WALKED: usize = 10;

pub(crate) fn run(report: &mut Report, world: &BenchWorld, grants: usize) -> Result<()> {
    let plain = world.plain();
    progress::step(format!("other engines take in {grants} grants"));
    let before = resident(std::process::id());
    let cedar = Cedar::new(plain)?;
    compare(report, "Cedar", grants, before, plain, usize::MAX, |person, dataset| cedar.ask(person, dataset))?;
    drop(cedar);
    let before = resident(std::process::id());
    let mut rego = Rego::new(plain)?;
    compare(report, "Rego (regorus)", grants, before, plain, usize::MAX, |person, dataset| rego.ask(person, dataset))?;
    drop(rego);
    if grants > 100_000 {
        report.note("Casbin is not asked at 1 M grants: it walks through every policy line.");
        return Ok(());
    }
    let before = resident(std::process::id());
    let walker = Walker::new(plain)?;
    compare(report, "Casbin", grants, before, plain, WALKED, |person, dataset| walker.ask(person, dataset))
}

fn compare(
    report: &mut Report,
    name: &str,
    grants: usize,
    before: u64,
    plain: &Plain,
    most: usize,
    mut ask: impl FnMut(usize, usize) -> Result<bool>,
) -> Result<()> {
    progress::step(format!("{name} over {grants} grants"));
    let grown = resident(std::process::id()).saturating_sub(before);
    for (allowed, questions) in [(true, &plain.allowed), (false, &plain.refused)] {
        let questions: Vec<_> = questions.iter().take(most).collect();
        for (person, dataset) in &questions {
            ensure!(ask(*person, *dataset)? == allowed, "{name} answers otherwise");
        }
        let timed = time(questions.len(), |n| {
            questions.get(n).is_some_and(|(person, dataset)| ask(*person, *dataset).unwrap_or_default())
        });
        report.row([
            name.to_owned(),
            grants.to_string(),
            answer(allowed).to_owned(),
            shown(timed.p50),
            shown(timed.p99),
            shown(timed.cpu),
            format!("process grew by {} MiB", grown >> 20),
        ]);
    }
    Ok(())
}

fn uid(kind: &str, n: usize) -> Result<EntityUid> {
    Ok(EntityUid::from_type_name_and_id(kind.parse()?, n.to_string().parse()?))
}

struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
    read: EntityUid,
}

impl Cedar {
    fn new(plain: &Plain) -> Result<Self> {
        let mut all = Vec::new();
        let highest = plain.memberships.iter().chain(&plain.grants).flatten().max().copied().unwrap_or(0);
        for group in 0..=highest {
            all.push(Entity::new_no_attrs(uid("Group", group)?, HashSet::new()));
        }
        for (person, groups) in plain.memberships.iter().enumerate() {
            let parents = groups.iter().map(|group| uid("Group", *group)).collect::<Result<HashSet<_>>>()?;
            all.push(Entity::new_no_attrs(uid("Person", person)?, parents));
        }
        for (dataset, groups) in plain.grants.iter().enumerate() {
            let readers = groups.iter().map(|group| Ok(RestrictedExpression::new_entity_uid(uid("Group", *group)?)));
            let readers = RestrictedExpression::new_set(readers.collect::<Result<Vec<_>>>()?);
            let attributes = HashMap::from([("readers".to_owned(), readers)]);
            all.push(Entity::new(uid("Dataset", dataset)?, attributes, HashSet::new())?);
        }
        let policy = "permit(principal, action == Action::\"0\", resource) when { principal in resource.readers };";
        Ok(Self {
            authorizer: Authorizer::new(),
            policies: policy.parse()?,
            entities: Entities::from_entities(all, None)?,
            read: uid("Action", 0)?,
        })
    }

    fn ask(&self, person: usize, dataset: usize) -> Result<bool> {
        let (person, dataset) = (uid("Person", person)?, uid("Dataset", dataset)?);
        let request = Request::new(person, self.read.clone(), dataset, Context::empty(), None)?;
        Ok(self.authorizer.is_authorized(&request, &self.policies, &self.entities).decision() == Decision::Allow)
    }
}

struct Rego(regorus::Engine);

impl Rego {
    fn new(plain: &Plain) -> Result<Self> {
        let mut engine = regorus::Engine::new();
        let rule = "package galen\nimport rego.v1\ndefault allow := false\n\
                    allow if { some group, _ in data.grants[input.dataset]; data.people[input.person][group] }\n";
        engine.add_policy("galen.rego".to_owned(), rule.to_owned())?;
        let sets = |all: &[Vec<usize>]| -> serde_json::Value {
            let set = |groups: &Vec<usize>| groups.iter().map(|group| (group.to_string(), true.into())).collect();
            all.iter().enumerate().map(|(n, groups)| (n.to_string(), serde_json::Value::Object(set(groups)))).collect()
        };
        let data = serde_json::json!({ "people": sets(&plain.memberships), "grants": sets(&plain.grants) });
        engine.add_data(regorus::Value::from_json_str(&data.to_string())?)?;
        Ok(Self(engine))
    }

    fn ask(&mut self, person: usize, dataset: usize) -> Result<bool> {
        let mut input = regorus::Value::new_object();
        let fields = input.as_object_mut()?;
        fields.insert("person".into(), person.to_string().into());
        fields.insert("dataset".into(), dataset.to_string().into());
        self.0.set_input(input);
        Ok(self.0.eval_rule("data.galen.allow".to_owned())? == regorus::Value::Bool(true))
    }
}

struct Walker(casbin::Enforcer);

impl Walker {
    fn new(plain: &Plain) -> Result<Self> {
        let model = "[request_definition]\nr = sub, obj\n[policy_definition]\np = sub, obj\n[role_definition]\ng = _, _\n\
                     [policy_effect]\ne = some(where (p.eft == allow))\n[matchers]\nm = r.obj == p.obj && g(r.sub, p.sub)\n";
        let runtime = tokio::runtime::Handle::current();
        let (people, grants) = (&plain.memberships, &plain.grants);
        runtime.block_on(async {
            let model = DefaultModel::from_str(model).await.map_err(|error| anyhow!("{error}"))?;
            let mut enforcer =
                casbin::Enforcer::new(model, MemoryAdapter::default()).await.map_err(|error| anyhow!("{error}"))?;
            enforcer.enable_auto_build_role_links(false);
            let pairs = |kind: &str, all: &[Vec<usize>], turned: bool| -> Vec<Vec<String>> {
                let pair = |n: usize, group: usize| {
                    let (group, other) = (format!("group-{group}"), format!("{kind}-{n}"));
                    if turned { vec![group, other] } else { vec![other, group] }
                };
                all.iter().enumerate().flat_map(|(n, groups)| groups.iter().map(move |group| pair(n, *group))).collect()
            };
            let edges = pairs("person", people, false);
            let lines = pairs("dataset", grants, true);
            enforcer.add_grouping_policies(edges).await.map_err(|error| anyhow!("{error}"))?;
            enforcer.add_policies(lines).await.map_err(|error| anyhow!("{error}"))?;
            enforcer.build_role_links().map_err(|error| anyhow!("{error}"))?;
            Ok(Self(enforcer))
        })
    }

    fn ask(&self, person: usize, dataset: usize) -> Result<bool> {
        let asked = (format!("person-{}", person), format!("dataset-{}", dataset));
        self.0.enforce(asked).map_err(|error| anyhow!("{error}"))
    }
}
