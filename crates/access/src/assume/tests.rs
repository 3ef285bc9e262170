//! The operations over a whole `Access`: every error code, chaining, tags, source identity, the roles claim.

use super::*;
use crate::facts::{self, Client, Entitlement, Role};
use crate::session::tests::uuid;
use crate::sessions::tests::{Hand, open_store, software};
use crate::{Access, AuthPosition, Carry, Deps, Edge, EpochKey, Issued, Member, OpContext, Session, documents, epoch};
use async_trait::async_trait;
use base::{
    AccountId, Actor, ClientId, Clock, Effects, EntitlementId, GroupId, MembershipId, PersonId, RoleId, SignInId,
    Timestamp,
};
use futures::FutureExt as _;
use protocols::sts::{AssumeRole, AssumeRoleWithWebIdentity, Code, Fault, SessionWishes};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use store::WriteTxn;

pub(crate) const ACCOUNT: &str = "000000000042";
const ANALYST: &str = "arn:aws:iam::000000000042:role/analyst";
const REVIEWER: &str = "arn:aws:iam::000000000042:role/reviewer";

pub(crate) fn ann() -> PersonId {
    PersonId::from_uuid(uuid(101))
}
pub(crate) fn group(n: u8) -> GroupId {
    GroupId::from_uuid(uuid(n))
}
fn client() -> ClientId {
    ClientId::from_uuid(uuid(120))
}

/// Hands out what a test puts in.
#[derive(Default)]
struct Tokens(Mutex<HashMap<String, Result<VerifiedToken, TokenFault>>>);

#[async_trait]
impl IdentityTokens for Tokens {
    async fn verify(&self, token: &str, _now: Timestamp) -> Result<VerifiedToken, TokenFault> {
        let unknown = Err(TokenFault::Malformed { what: "the header" });
        self.0.lock().unwrap().get(token).cloned().unwrap_or(unknown)
    }
}

/// One installation: Ann is in the group that entitles `analyst` through the client, and `reviewer` by chaining.
pub(crate) struct House {
    pub(crate) access: Access,
    pub(crate) clock: Arc<Hand>,
    pub(crate) effects: Effects,
    maintenance: crate::Maintenance,
    tokens: Tokens,
    dir: tempfile::TempDir,
}

fn role(n: u8, name: &str, management: bool, policy: facts::NamedDocument) -> Role {
    Role {
        id: RoleId::from_uuid(uuid(n)),
        account: ACCOUNT.parse().unwrap(),
        name: name.into(),
        unique_id: crate::session::role_unique_id(RoleId::from_uuid(uuid(n))),
        session_secs_max: 7200,
        carry: Carry::Entitling,
        policies: vec![policy],
        boundary: None,
        management,
        duty: None,
        tags: vec![],
    }
}

const ASSUME: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":["s3:*","sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],"Resource":"*"}]}"#;

fn furnish(txn: &mut WriteTxn<'_>) -> Result<(), crate::Error> {
    let account: AccountId = ACCOUNT.parse().unwrap();
    let digest = documents::put(txn, ASSUME, policy::DocumentKind::Identity)?;
    let tools = facts::NamedDocument { name: "tools".into(), digest };
    let client = Client {
        id: client(),
        account,
        provider: "id.example".into(),
        audience: "jupyter".into(),
        name: "Jupyter".into(),
    };
    facts::put_client(txn, &client, None)?;
    let cli = Client { id: ClientId::from_uuid(uuid(121)), audience: MANAGEMENT_AUDIENCE.into(), ..client };
    facts::put_client(txn, &cli, None)?;
    for (n, name, management) in
        [(110, "analyst", false), (111, "reviewer", false), (112, "desk", true), (113, "office", true)]
    {
        facts::put_role(txn, &role(n, name, management, tools.clone()), None)?;
    }
    for (n, role, group_n) in [(130, 110, 1), (131, 111, 1), (132, 112, 1), (133, 113, 2)] {
        let it = Entitlement {
            id: EntitlementId::from_uuid(uuid(n)),
            group: group(group_n),
            role: RoleId::from_uuid(uuid(role)),
            client: None,
        };
        facts::add_entitlement(txn, &it, None)?;
    }
    facts::add_membership(txn, MembershipId::from_uuid(uuid(140)), Member::Person(ann()), group(1), None)?;
    Ok(())
}

impl House {
    pub(crate) async fn new() -> Self {
        let house = Self::open(tempfile::tempdir().unwrap(), Arc::new(Hand::at(1_790_000_000))).await;
        house.access.store().write(Actor::System, furnish).await.unwrap();
        house.maintenance.once().await;
        house
    }

    /// What a crash at this moment leaves on the disk, started again; `self` goes on beside it.
    async fn crashed(&self) -> Self {
        let copy = tempfile::tempdir().unwrap();
        crate::testing::copy_dir(self.dir.path(), copy.path());
        Self::open(copy, Arc::clone(&self.clock)).await
    }

    async fn open(dir: tempfile::TempDir, clock: Arc<Hand>) -> Self {
        let effects = Effects { clock: Arc::clone(&clock) as Arc<dyn Clock>, entropy: Arc::new(crypto::SystemEntropy) };
        let store = open_store(dir.path(), &effects, crate::folds());
        let custody = software(dir.path(), &store, &effects);
        let deps = Deps {
            store,
            custody,
            journal: Arc::new(crate::testing::journal(dir.path())),
            crypto: crypto::Crypto::default(),
            effects: effects.clone(),
            region: "eu-north-1".parse().unwrap(),
            account: ACCOUNT.parse().unwrap(),
        };
        let (access, maintenance) = Access::start(deps).await.unwrap();
        Self { access, clock, effects, maintenance, tokens: Tokens::default(), dir }
    }

    pub(crate) fn op(&self) -> OpContext {
        OpContext::anonymous(&self.effects, Edge::Sts).with_transport(None, true)
    }

    /// A token of Ann's sign-in now, with these claims besides her source identity.
    fn token(&self, name: &str, change: impl FnOnce(&mut VerifiedToken)) -> String {
        let now = self.clock.now();
        let claims = json!({"https://aws.amazon.com/source_identity": "ann@example.com"});
        let mut token = VerifiedToken {
            issuer: "https://id.example".into(),
            subject: ann().to_string(),
            audience: "jupyter".into(),
            client: Some(client()),
            person: Some(ann()),
            service: None,
            handle: "ann@example.com".parse().unwrap(),
            issued: now,
            expires: now.checked_add(std::time::Duration::from_secs(600)).unwrap(),
            auth: AuthPosition {
                auth_time: now,
                seq: Some(self.access.sessions().epochs().position()),
                amr: vec!["pwd".into()],
                acr: None,
            },
            sign_in: Some(SignInId::from_uuid(uuid(150))),
            claims: claims.as_object().unwrap().clone(),
        };
        change(&mut token);
        self.tokens.0.lock().unwrap().insert(name.to_owned(), Ok(token));
        name.to_owned()
    }

    async fn web(&self, token: &str, change: impl FnOnce(&mut SessionWishes)) -> Result<Arc<Session>, Fault> {
        let mut session = wishes(ANALYST);
        change(&mut session);
        let request =
            AssumeRoleWithWebIdentity { session, role_session_name: "notebook".into(), token: token.to_owned() };
        let output = assume_role_with_web_identity(&self.access, &self.tokens, &self.op(), request).await?;
        let credentials = &output.session.credentials;
        let opened = self
            .access
            .sessions()
            .open(credentials.session_token.expose(), Some(&credentials.access_key_id))
            .await
            .unwrap_or_else(|reject| panic!("{reject}"));
        assert_eq!(opened.arn.as_str(), output.session.user.arn);
        Ok(opened)
    }

    pub(crate) async fn signed_in(&self) -> Arc<Session> {
        let token = self.token("first", |_| {});
        self.web(&token, |_| {}).await.unwrap_or_else(|fault| panic!("{fault}"))
    }

    async fn chain(
        &self,
        from: &Arc<Session>,
        change: impl FnOnce(&mut AssumeRole),
    ) -> Result<(Arc<Session>, String), Fault> {
        let mut request = AssumeRole {
            session: wishes(REVIEWER),
            role_session_name: "review".into(),
            source_identity: None,
            external_id: None,
            tags: vec![],
            transitive_tag_keys: vec![],
        };
        change(&mut request);
        let op = self.op().with_session(Arc::clone(from));
        let output = assume_role(&self.access, &op, request).await?;
        let token = output.credentials.session_token.expose().clone();
        let opened = self.access.sessions().open(&token, Some(&output.credentials.access_key_id)).await;
        Ok((opened.unwrap_or_else(|reject| panic!("{reject}")), token))
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        change: impl FnMut(&mut WriteTxn<'_>) -> Result<T, crate::Error> + Send + 'static,
    ) -> T {
        let value = self.access.store().write(Actor::System, change).await.unwrap_or_else(|e| panic!("{e}")).value;
        self.maintenance.once().await;
        value
    }

    fn issued_management(&self, role: Option<&str>) -> impl Future<Output = Result<Issued, Fault>> + '_ {
        let token = self.token("cli", |token| {
            token.audience = MANAGEMENT_AUDIENCE.into();
            token.client = Some(ClientId::from_uuid(uuid(121)));
        });
        let role = role.map(str::to_owned);
        async move { management_session(&self.access, &self.tokens, &self.op(), &token, role.as_deref()).await }
    }
}

fn wishes(role: &str) -> SessionWishes {
    SessionWishes {
        role_arn: role.parse().unwrap(),
        policy: None,
        policy_arns: vec![],
        duration_seconds: None,
        token_bytes_min: 0,
    }
}

fn code<T>(result: Result<T, Fault>) -> Result<(), Code> {
    result.map(|_| ()).map_err(|fault| fault.code)
}

/// A name, a change of what is asked, and what comes of it.
type Case<'a, T> = (&'a str, &'a dyn Fn(&mut T), Result<(), Code>);

fn claim(token: &mut VerifiedToken, name: &str, value: Value) {
    token.claims.insert(name.to_owned(), value);
}

#[tokio::test]
async fn a_token_becomes_a_session_that_carries_who_signed_in() {
    let house = House::new().await;
    let session = house.signed_in().await;
    assert_eq!(session.arn.as_str(), "arn:aws:sts::000000000042:assumed-role/analyst/notebook");
    assert_eq!(session.source_identity.as_str(), "ann@example.com");
    assert_eq!((session.person, session.client), (Some(ann()), Some(client())));
    assert_eq!(session.via, [group(1)]);
    assert_eq!(session.auth.amr, ["pwd"]);
    assert!(!session.chained && session.sign_in.is_some());
    let op = house.op().with_session(Arc::clone(&session));
    let who = get_caller_identity(&house.access, &op).await.unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!((who.account.as_str(), who.arn.as_str()), (ACCOUNT, session.arn.as_str()));
    assert!(who.user_id.starts_with("AROA") && who.user_id.ends_with(":notebook"));
    assert_eq!(code(get_caller_identity(&house.access, &house.op()).await), Err(Code::MissingAuthenticationToken));
}

#[tokio::test]
async fn tokens_that_are_not_accepted_have_awss_codes() {
    let house = House::new().await;
    let now = house.clock.now();
    let faults = [
        (TokenFault::Expired { at: now, now }, Code::ExpiredTokenException),
        (TokenFault::NotYetValid, Code::InvalidIdentityToken),
        (TokenFault::Malformed { what: "exp" }, Code::InvalidIdentityToken),
        (TokenFault::UnknownIssuer, Code::InvalidIdentityToken),
        (TokenFault::Signature, Code::InvalidIdentityToken),
        (TokenFault::Audience, Code::InvalidIdentityToken),
        (TokenFault::IssuerUnreachable, Code::IdpCommunicationError),
        (TokenFault::Rejected { why: "deactivated" }, Code::IdpRejectedClaim),
    ];
    for (fault, expected) in faults {
        house.tokens.0.lock().unwrap().insert("bad".into(), Err(fault.clone()));
        assert_eq!(code(house.web("bad", |_| {}).await), Err(expected), "{fault}");
    }
}

#[tokio::test]
async fn claims_decide_before_and_beside_the_trust() {
    let house = House::new().await;
    const ROLES: &str = "https://aws.amazon.com/roles";
    const SOURCE: &str = "https://aws.amazon.com/source_identity";
    let cases: [Case<'_, VerifiedToken>; 9] = [
        ("listed", &|t| claim(t, ROLES, json!([ANALYST, REVIEWER])), Ok(())),
        ("one string", &|t| claim(t, ROLES, json!(ANALYST)), Ok(())),
        ("not listed", &|t| claim(t, ROLES, json!([REVIEWER])), Err(Code::InvalidIdentityToken)),
        (
            "a wildcard is a literal",
            &|t| claim(t, ROLES, json!("arn:aws:iam::*:role/*")),
            Err(Code::InvalidIdentityToken),
        ),
        ("no source identity", &|t| t.claims = Map::new(), Err(Code::AccessDenied)),
        ("another's", &|t| claim(t, SOURCE, json!("bob@example.com")), Err(Code::IdpRejectedClaim)),
        ("a wildcard", &|t| claim(t, SOURCE, json!("*")), Err(Code::IdpRejectedClaim)),
        ("no client", &|t| t.client = None, Err(Code::InvalidIdentityToken)),
        ("nobody", &|t| t.person = None, Err(Code::AccessDenied)),
    ];
    for (name, change, expected) in cases {
        let token = house.token(name, change);
        assert_eq!(code(house.web(&token, |_| {}).await), expected, "{name}");
    }
    // A session that was made makes the refusals before it durable; each of somebody known has its entry.
    house.signed_in().await;
    house.maintenance.once().await;
    let member = Member::Person(ann());
    let decisions = house.access.decisions_of(member, house.clock.now(), 100).await.unwrap();
    let refused = decisions.iter().filter(|it| matches!(it.deny, Some(crate::DenyReason::TrustSilent { .. }))).count();
    assert_eq!(refused, 6, "the roles claim twice, no identity, another's, a wildcard, no client");
}

#[tokio::test]
async fn wishes_beyond_a_limit_have_awss_codes() {
    let house = House::new().await;
    let token = house.token("t", |_| {});
    let cases: [Case<'_, SessionWishes>; 9] = [
        ("the most", &|w| w.duration_seconds = Some(7200), Ok(())),
        ("longer than the role", &|w| w.duration_seconds = Some(7201), Err(Code::ValidationError)),
        ("a policy", &|w| w.policy = Some(ASSUME.into()), Ok(())),
        ("no policy", &|w| w.policy = Some("{".into()), Err(Code::MalformedPolicyDocument)),
        (
            "a managed one",
            &|w| w.policy_arns = vec!["arn:aws:iam::000000000042:policy/GalenDataAccess".parse().unwrap()],
            Ok(()),
        ),
        (
            "unknown",
            &|w| w.policy_arns = vec!["arn:aws:iam::000000000042:policy/Other".parse().unwrap()],
            Err(Code::ValidationError),
        ),
        (
            "foreign",
            &|w| w.policy_arns = vec!["arn:aws:iam::000000000043:policy/GalenDataAccess".parse().unwrap()],
            Err(Code::ValidationError),
        ),
        (
            "unknown role",
            &|w| w.role_arn = "arn:aws:iam::000000000042:role/absent".parse().unwrap(),
            Err(Code::AccessDenied),
        ),
        (
            "a management role",
            &|w| w.role_arn = "arn:aws:iam::000000000042:role/desk".parse().unwrap(),
            Err(Code::AccessDenied),
        ),
    ];
    for (name, change, expected) in cases {
        assert_eq!(code(house.web(&token, |w| change(w)).await), expected, "{name}");
    }
    let large = house.token("large", |t| {
        let tags: Map<String, Value> = (0..50).map(|n| (format!("k{n}"), json!("v".repeat(256)))).collect();
        claim(t, "https://aws.amazon.com/tags", json!({ "principal_tags": tags }));
    });
    let fault = house.web(&large, |_| {}).await.err().unwrap();
    assert_eq!(fault.code, Code::PackedPolicyTooLarge);
    assert_eq!(fault.message, "Packed size of session tags consumes 160% of allotted space.");
}

#[tokio::test]
async fn who_is_not_entitled_is_refused_in_the_words_of_aws() {
    let house = House::new().await;
    let token = house.token("bob", |t| t.person = Some(PersonId::from_uuid(uuid(102))));
    let fault = house.web(&token, |_| {}).await.err().unwrap();
    assert_eq!(fault.code, Code::AccessDenied);
    let words = format!("Not authorized to perform: sts:AssumeRoleWithWebIdentity on resource: {ANALYST}");
    assert!(fault.message.starts_with(&words), "{fault}");
}

#[tokio::test]
async fn a_chained_session_keeps_identity_tags_and_position() {
    let house = House::new().await;
    let tags = json!({"principal_tags": {"Cost": ["42"], "Team": ["x"]}, "transitive_tag_keys": ["Cost"]});
    let token = house.token("tagged", |t| claim(t, "https://aws.amazon.com/tags", tags));
    let parent = house.web(&token, |_| {}).await.unwrap_or_else(|fault| panic!("{fault}"));
    house.clock.advance(60);
    let (child, _) = house.chain(&parent, |_| {}).await.unwrap_or_else(|fault| panic!("{fault}"));
    assert!(child.chained);
    assert_eq!((child.tag("Cost"), child.tag("Team")), (Some("42"), None));
    assert_eq!(child.transitive, ["Cost"]);
    assert_eq!(child.source_identity, parent.source_identity);
    assert_eq!((&child.auth, child.sign_in), (&parent.auth, parent.sign_in));
    assert_eq!(child.lineage.iter().map(|a| a.session).collect::<Vec<_>>(), [parent.id]);

    let tag = |key: &str| protocols::sts::Tag { key: key.into(), value: "1".into() };
    let cases: [Case<'_, AssumeRole>; 6] = [
        ("an hour", &|r| r.session.duration_seconds = Some(3600), Ok(())),
        ("more than an hour", &|r| r.session.duration_seconds = Some(3601), Err(Code::ValidationError)),
        ("the same identity", &|r| r.source_identity = Some("ann@example.com".parse().unwrap()), Ok(())),
        (
            "another identity",
            &|r| r.source_identity = Some("bob@example.com".parse().unwrap()),
            Err(Code::AccessDenied),
        ),
        ("an inherited key", &|r| r.tags = vec![tag("cost")], Err(Code::ValidationError)),
        ("a new key", &|r| r.tags = vec![tag("Team")], Ok(())),
    ];
    for (name, change, expected) in cases {
        assert_eq!(code(house.chain(&parent, |r| change(r)).await), expected, "{name}");
    }
    let op = house.op();
    let request = AssumeRole {
        session: wishes(REVIEWER),
        role_session_name: "x1".into(),
        source_identity: None,
        external_id: None,
        tags: vec![],
        transitive_tag_keys: vec![],
    };
    assert_eq!(code(assume_role(&house.access, &op, request).await), Err(Code::MissingAuthenticationToken));
}

#[tokio::test]
async fn a_chain_has_an_end() {
    let house = House::new().await;
    let mut session = house.signed_in().await;
    for _ in 0..Session::LINEAGE_MAX {
        session = house.chain(&session, |_| {}).await.unwrap_or_else(|fault| panic!("{fault}")).0;
    }
    assert_eq!(code(house.chain(&session, |_| {}).await), Err(Code::ValidationError));
}

#[tokio::test]
async fn a_cut_person_gets_nothing_from_an_older_token_or_session() {
    let house = House::new().await;
    let old = house.token("old", |_| {});
    let parent = house.signed_in().await;
    let (child, child_token) = house.chain(&parent, |_| {}).await.unwrap_or_else(|fault| panic!("{fault}"));
    house.write(|txn| Ok(epoch::raise(txn, EpochKey::Person { person: ann() }, None)?)).await;
    assert_eq!(code(house.web(&old, |_| {}).await), Err(Code::ExpiredTokenException));
    assert_eq!(code(house.chain(&parent, |_| {}).await), Err(Code::ExpiredToken));
    let opened = house.access.sessions().open(&child_token, Some(child.access_key_id.as_str())).await;
    assert_eq!(opened.err().map(|reject| reject.aws_code()), Some("ExpiredToken"));
    let fresh = house.token("fresh", |_| {});
    assert_eq!(code(house.web(&fresh, |_| {}).await), Ok(()));
}

#[tokio::test]
async fn a_removed_and_readded_person_loses_and_regains_the_role() {
    let house = House::new().await;
    let token = house.token("t", |_| {});
    let member = Member::Person(ann());
    house.write(move |txn| facts::end_membership(txn, member, group(1), |_, _| true, Some("moved"))).await;
    assert_eq!(code(house.web(&token, |_| {}).await), Err(Code::AccessDenied));
    let id = MembershipId::from_uuid(uuid(141));
    house.write(move |txn| facts::add_membership(txn, id, member, group(1), None)).await;
    assert_eq!(code(house.web(&token, |_| {}).await), Ok(()));
}

#[tokio::test]
async fn two_hundred_groups_of_which_one_entitles() {
    let house = House::new().await;
    house
        .write(|txn| {
            for n in 0..200_u8 {
                let other = GroupId::from_uuid(uuid::Uuid::from_bytes([[200; 8], [n; 8]].concat().try_into().unwrap()));
                let id =
                    MembershipId::from_uuid(uuid::Uuid::from_bytes([[201; 8], [n; 8]].concat().try_into().unwrap()));
                facts::add_membership(txn, id, Member::Person(ann()), other, None)?;
            }
            Ok(())
        })
        .await;
    let session = house.signed_in().await;
    assert_eq!(session.via, [group(1)], "only the groups that entitle are carried");
}

#[tokio::test]
async fn a_management_session_is_in_the_role_that_the_groups_entitle() {
    let house = House::new().await;
    let issued = house.issued_management(None).await.unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(issued.session.arn.as_str(), "arn:aws:sts::000000000042:assumed-role/desk/ann@example.com");
    let tool = house.token("tool", |_| {});
    let refused = management_session(&house.access, &house.tokens, &house.op(), &tool, None).await;
    assert_eq!(code(refused), Err(Code::InvalidIdentityToken), "a tool's token is not the management API's");
    assert_eq!(code(house.issued_management(Some("office")).await), Err(Code::AccessDenied));
    assert_eq!(code(house.issued_management(Some("analyst")).await), Err(Code::AccessDenied));
    let fault = house.issued_management(Some("office")).await.err().unwrap();
    assert!(fault.message.contains("this management role: leave it out, or ask"), "{fault}");
    let id = MembershipId::from_uuid(uuid(142));
    house.write(move |txn| facts::add_membership(txn, id, Member::Person(ann()), group(2), None)).await;
    let fault = house.issued_management(None).await.err().unwrap();
    assert!(fault.code == Code::ValidationError && fault.message.ends_with("desk, office"), "{fault}");
    assert_eq!(code(house.issued_management(Some("office")).await), Ok(()));
}

// verifies: AUD-02
#[tokio::test]
async fn the_entry_of_a_session_says_which_one_was_made() {
    let house = House::new().await;
    let token = house.token("t", |_| {});
    let session = house.web(&token, |_| {}).await.unwrap_or_else(|fault| panic!("{fault}"));
    let mut made = Vec::new();
    let see = |_, bytes: &[u8]| {
        let entry = ledger::Entry::decode(bytes).unwrap();
        let data: Option<serde_json::Value> = entry.additional_event_data.map(|data| data.read().unwrap());
        made.extend(data.map(|data| data["values"][0].clone()).filter(|value| value["kind"] == "session"));
        true
    };
    house.access.log().each(0, see).unwrap();
    assert_eq!(made.len(), 1);
    assert_eq!(made[0]["subject"], session.id.to_string());
    assert_eq!(made[0]["new"]["access_key_id"], session.access_key_id.as_str());
}

#[tokio::test]
async fn two_sessions_made_at_once_are_two() {
    let house = House::new().await;
    let token = house.token("t", |_| {});
    let (a, b) = tokio::join!(house.web(&token, |_| {}), house.web(&token, |_| {}));
    let (a, b) = (a.unwrap_or_else(|f| panic!("{f}")), b.unwrap_or_else(|f| panic!("{f}")));
    assert!(a.id != b.id && a.access_key_id != b.access_key_id);
    let live = house.access.sessions().live(Some(Member::Person(ann())), None, 10).await.unwrap();
    assert_eq!(live.len(), 2);
}

/// The row as it stands in the store itself.
async fn stored(house: &House, session: base::SessionId) -> bool {
    let read = house.access.store().read(move |txn| txn.record_get("session", session.bytes()));
    read.await.unwrap().is_some()
}

#[tokio::test]
async fn a_session_that_a_crash_kept_from_the_store_is_there_after_the_start() {
    let house = House::new().await;
    let session = house.signed_in().await;
    assert!(!stored(&house, session.id).await, "its row follows its entry");
    let crashed = house.crashed().await;
    assert!(stored(&crashed, session.id).await);
    let row = crashed.access.sessions().find(session.id).await.unwrap().unwrap();
    assert_eq!(Some(row), house.access.sessions().find(session.id).await.unwrap());
    let live = crashed.access.sessions().live(Some(Member::Person(ann())), None, 10).await.unwrap();
    assert_eq!(live.len(), 1);
    // Once it is stored, the next start need not read so far back.
    house.maintenance.once().await;
    assert!(stored(&house, session.id).await);
}

/// Sessions that the ledger says were made.
fn sessions_told(house: &House) -> usize {
    let mut told = 0;
    let each = house.access.log().each(0, |_, bytes| {
        let entry = ledger::Entry::decode(bytes);
        told += usize::from(entry.is_ok_and(|entry| crate::sessions::SessionRow::of_entry(&entry).is_some()));
        true
    });
    each.unwrap();
    told
}

#[tokio::test]
async fn finding_a_caller_who_goes_while_its_session_is_recorded_holds_the_mark_of_the_ledger() {
    let house = House::new().await;
    house.signed_in().await;
    let token = house.token("t", |_| {});
    let mut told = 0;
    // A call that has to wait before it comes as far as the ledger makes no session.
    for _ in 0..100 {
        drop(house.web(&token, |_| {}).now_or_never());
        house.maintenance.once().await;
        told = sessions_told(&house);
        if told > 5 {
            break;
        }
    }
    assert!(told > 5, "{told}");
    let live = house.access.sessions().live(Some(Member::Person(ann())), None, 200).await.unwrap();
    assert_eq!(live.len(), told, "what the ledger tells is in the store");
    let size = house.access.journal().size();
    assert!(crate::testing::stopped_at(house.access, house.maintenance).await >= size, "nothing is owed");
}

#[tokio::test]
async fn no_session_without_its_entry_in_the_ledger() {
    let house = House::new().await;
    let token = house.token("t", |_| {});
    house.access.journal().close().unwrap();
    assert_eq!(code(house.web(&token, |_| {}).await), Err(Code::ServiceUnavailable));
    assert!(house.access.sessions().live(None, None, 10).await.unwrap().is_empty());
}
