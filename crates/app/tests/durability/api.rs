//! An owner who grants and revokes over the management API, and writes down what was acknowledged.

use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::mpsc::Sender};
use ureq::{Agent, Error};

use crate::load::Random;

/// A grant as the owner knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Live,
    Ended,
    /// Its end was not answered.
    Ending,
}

/// What was acknowledged.
#[derive(Default)]
pub(crate) struct Governed {
    grants: BTreeMap<String, Life>,
    /// The purpose of a grant whose making was not answered.
    making: Option<String>,
    /// Request and operation of each acknowledged change.
    pub(crate) done: Vec<(String, &'static str)>,
    /// Ids of receipts that were given out.
    receipts: Vec<String>,
}

/// The owner, over one run of the server.
pub(crate) struct Owner<'a> {
    agent: Agent,
    web: String,
    token: String,
    events: Option<&'a Sender<()>>,
}

impl<'a> Owner<'a> {
    pub(crate) fn new(web: String, token: String, events: Option<&'a Sender<()>>) -> Self {
        let agent = Agent::config_builder().http_status_as_error(false).proxy(None).build().new_agent();
        Self { agent, web, token, events }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.web)
    }
    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    fn post(&self, path: &str, body: &Value) -> Result<(String, Value), Error> {
        if let Some(events) = self.events {
            let _gone = events.send(());
        }
        let mut answer = self.agent.post(self.url(path)).header("authorization", self.bearer()).send_json(body)?;
        let request = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        let text = answer.body_mut().read_to_string()?;
        assert!(answer.status().as_u16() < 300, "POST {path}: {} {text}", answer.status());
        Ok((request, serde_json::from_str(&text).unwrap()))
    }

    fn get(&self, path: &str) -> Value {
        let mut answer = self.agent.get(self.url(path)).header("authorization", self.bearer()).call().unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        assert_eq!(answer.status().as_u16(), 200, "GET {path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Makes a grant, or ends one that is live.
    pub(crate) fn step(&self, known: &mut Governed, random: &mut Random) -> Result<(), Error> {
        let live: Vec<String> =
            known.grants.iter().filter(|(_, life)| **life == Life::Live).map(|(id, _)| id.clone()).collect();
        if live.len() > 3 || (!live.is_empty() && random.below(2) == 0) {
            let id = live[random.below(live.len())].clone();
            known.grants.insert(id.clone(), Life::Ending);
            let body = json!({"what": "grant", "id": id, "reason": "the crash test revokes it"});
            let (request, receipt) = self.post("revocations", &body)?;
            known.grants.insert(id, Life::Ended);
            known.done.push((request, "EndGrant"));
            known.receipts.push(receipt["statement"]["id"].as_str().unwrap().to_owned());
        } else {
            let purpose = format!("crash {}", random.next());
            known.making = Some(purpose.clone());
            let body = json!({"dataset": "crash", "group": "crash-readers", "purpose": purpose});
            let (request, grant) = self.post("grants", &body)?;
            known.making = None;
            known.grants.insert(grant["id"].as_str().unwrap().to_owned(), Life::Live);
            known.done.push((request, "CreateGrant"));
        }
        Ok(())
    }

    /// Compares what is there with what was acknowledged: what had no answer is there or not, everything else as it was.
    pub(crate) fn look(&self, known: &mut Governed) {
        let making = known.making.take();
        for (id, life) in &mut known.grants {
            let live = self.get(&format!("grants/{id}"))["state"] == "live";
            match life {
                Life::Live => assert!(live, "grant {id} was acknowledged and does not open anything"),
                Life::Ended => assert!(!live, "grant {id} was revoked and still opens something"),
                Life::Ending => *life = if live { Life::Live } else { Life::Ended },
            }
        }
        for id in known.receipts.drain(..) {
            assert_eq!(self.get(&format!("revocations/{id}"))["statement"]["id"], id.as_str());
        }
        for grant in self.every("grants?dataset=crash&page_size=200") {
            let (id, purpose) = (grant["id"].as_str().unwrap(), grant["purpose"].as_str().unwrap());
            if purpose.starts_with("crash ") && !known.grants.contains_key(id) {
                assert_eq!(Some(purpose), making.as_deref(), "grant {id} was never asked for");
                known.grants.insert(id.to_owned(), Life::Live);
            }
        }
    }

    fn every(&self, list: &str) -> Vec<Value> {
        let (mut rows, mut token) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("{list}{token}"));
            rows.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next_page_token"].as_str() {
                Some(next) => token = format!("&page_token={next}"),
                None => return rows,
            }
        }
    }
}
