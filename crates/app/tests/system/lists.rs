//! What a list leaves out was not asked for: the ledger has a refusal of what was refused to the caller, and no other.

use ledger::Phase;
use serde_json::Value;
use std::collections::BTreeSet;

use super::api::Api;
use super::s3::S3;
use super::support::{Demo, Galen, entries};

/// Requests by what became of them.
#[derive(Default)]
struct Asked {
    shown: usize,
    refused: BTreeSet<String>,
}

impl Asked {
    fn note(&mut self, what: &str, (status, request): (u16, String)) {
        match status {
            200 => self.shown += 1,
            403 => drop(self.refused.insert(request)),
            _ => panic!("{what}: {status}"),
        }
    }

    /// Every list of the management API.
    fn api(&mut self, api: &Api) {
        for list in
            ["groups", "persons", "roles", "roles/mine", "clients", "services", "memberships", "domains", "datasets"]
        {
            self.note(list, api.recorded(list));
        }
        for list in ["grants", "sessions", "approvals", "grants?dataset=oncology-sdtm"] {
            self.note(list, api.recorded(list));
        }
    }

    /// Every list of S3, of whole buckets and folded at a delimiter, so that datasets of others lie within.
    fn s3(&mut self, s3: &S3, buckets: &BTreeSet<&str>) {
        let mut list = |bucket: &str, query: &[(&str, &str)]| {
            let answer = s3.bucket("GET", bucket, query, "");
            self.note(&format!("{bucket} {query:?}"), (answer.status, answer.request));
        };
        list("", &[]);
        for bucket in buckets {
            list(bucket, &[("delimiter", "/")]);
            list(bucket, &[("list-type", "2")]);
            list(bucket, &[("list-type", "2"), ("delimiter", "/")]);
            list(bucket, &[("versions", ""), ("delimiter", "/")]);
            list(bucket, &[("uploads", ""), ("delimiter", "/")]);
        }
    }
}

#[test]
fn a_list_leaves_no_refusal_of_what_nobody_asked_for() {
    let demo = Demo::start();
    let datasets = demo.ready["datasets"].as_array().unwrap();
    let buckets: BTreeSet<&str> = datasets.iter().map(|dataset| dataset["bucket"].as_str().unwrap()).collect();
    let mut asked = Asked::default();
    for name in ["anna", "olivia", "emil"] {
        let galen = Galen::new();
        galen.login(&demo, demo.person(name));
        asked.api(&Api::of(&galen, &demo));
        if name == "anna" {
            let role = demo.role_of(demo.person(name))["arn"].as_str().unwrap();
            let credentials: Value =
                serde_json::from_str(&galen.ok(&["creds", "--role", role, "--format", "json"])).unwrap();
            asked.s3(&S3::new(credentials), &buckets);
        }
    }
    let folder = demo.stop();
    let denials =
        entries(&folder.path().join("installation/ledger")).into_iter().filter(|entry| entry.phase == Phase::Denial);
    let recorded: BTreeSet<String> = denials.map(|entry| entry.request_id.unwrap().to_string()).collect();
    assert!(asked.shown > 10 && asked.refused.len() > 10, "{} shown, {} refused", asked.shown, asked.refused.len());
    assert_eq!(recorded, asked.refused, "refusals of the ledger, and requests that were refused");
}
