//! A session that nobody signed in to, for tests and benches of what sessions do.

use base::{AccountId, Effects, Ids, PersonId, RoleId, SessionId};
use std::time::Duration;

use super::{AccessKeyId, AuthPosition, Carry, Session, SessionKind, role_unique_id, session_arn};

impl Session {
    /// A tool session for an hour of a person, who is called so, in a role of this account, id and name.
    #[expect(clippy::unwrap_used, reason = "tests and benches stand on it")]
    pub fn for_test(
        effects: &Effects,
        (person, called): (PersonId, &str),
        (account, role, role_name): (AccountId, RoleId, &str),
    ) -> Self {
        let role_arn: base::Arn = format!("arn:aws:iam::{account}:role/{role_name}").parse().unwrap();
        let (name, now) = (called.parse().unwrap(), effects.now());
        Self {
            id: SessionId::from_uuid(effects.uuid()),
            kind: SessionKind::Tool,
            person: Some(person),
            service: None,
            source_identity: format!("{called}@example.com").parse().unwrap(),
            account,
            role,
            role_unique_id: role_unique_id(role),
            arn: session_arn(account, &role_arn, &name).unwrap(),
            role_arn,
            name,
            access_key_id: AccessKeyId::from_entropy(1, effects.bytes()),
            tags: Vec::new(),
            transitive: Vec::new(),
            carry: Carry::All,
            via: Vec::new(),
            policies: Vec::new(),
            issued: now,
            expires: now + Duration::from_secs(3600),
            auth: AuthPosition { auth_time: now, seq: Some(1), amr: vec!["pwd".to_owned()], acr: None },
            sign_in: None,
            chained: false,
            lineage: Vec::new(),
            client: None,
            federated: None,
        }
    }
}
