//! The sealed content of a token: JSON with short names, read strictly. Names are never reused for another meaning.

use base::Timestamp;
use base::{AccountId, Arn, ClientId, GroupId, PersonId, RoleId, ServiceId, SessionId, SignInId, SourceIdentity};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::BadToken;
use crate::session::session_arn;
use crate::{
    AccessKeyId, Ancestor, AuthPosition, Carry, Federated, Session, SessionKind, SessionName, SessionPolicy, Tag,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    i: SessionId,
    k: SessionKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p: Option<PersonId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    s: Option<ServiceId>,
    w: SourceIdentity,
    a: AccountId,
    r: RoleId,
    ra: Arn,
    ru: String,
    n: SessionName,
    key: AccessKeyId,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    t: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tt: Vec<String>,
    c: Carry,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    g: Vec<GroupId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    o: Vec<(String, String)>,
    iat: i64,
    exp: i64,
    at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    q: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    amr: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acr: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    si: Option<SignInId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    l: Vec<(SessionId, RoleId)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cl: Option<ClientId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    f: Option<(String, String, String)>,
}

pub(crate) fn write(session: &Session) -> Vec<u8> {
    let body = Body {
        i: session.id,
        k: session.kind,
        p: session.person,
        s: session.service,
        w: session.source_identity.clone(),
        a: session.account,
        r: session.role,
        ra: session.role_arn.clone(),
        ru: session.role_unique_id.clone(),
        n: session.name.clone(),
        key: session.access_key_id.clone(),
        t: session.tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect(),
        tt: session.transitive.clone(),
        c: session.carry,
        g: session.via.clone(),
        o: session.policies.iter().map(|policy| (policy.origin.clone(), policy.text.to_string())).collect(),
        iat: session.issued.as_millisecond(),
        exp: session.expires.as_millisecond(),
        at: session.auth.auth_time.as_second(),
        q: session.auth.seq,
        amr: session.auth.amr.clone(),
        acr: session.auth.acr.clone(),
        si: session.sign_in,
        l: session.lineage.iter().map(|ancestor| (ancestor.session, ancestor.role)).collect(),
        cl: session.client,
        f: session.federated.as_ref().map(|f| (f.provider.clone(), f.audience.clone(), f.subject.clone())),
    };
    // Strings, numbers and ids always have a JSON form; an empty body would be refused by `read`.
    serde_json::to_vec(&body).unwrap_or_default()
}

pub(crate) fn read(bytes: &[u8]) -> Result<Session, BadToken> {
    let body: Body = serde_json::from_slice(bytes).map_err(|_| BadToken::Malformed)?;
    let milli = |ms| Timestamp::from_millisecond(ms).map_err(|_| BadToken::Malformed);
    if body.l.len() > Session::LINEAGE_MAX {
        return Err(BadToken::Malformed);
    }
    Ok(Session {
        id: body.i,
        kind: body.k,
        person: body.p,
        service: body.s,
        source_identity: body.w,
        account: body.a,
        role: body.r,
        arn: session_arn(body.a, &body.ra, &body.n).map_err(|_| BadToken::Malformed)?,
        role_arn: body.ra,
        role_unique_id: body.ru,
        name: body.n,
        access_key_id: body.key,
        tags: body.t.into_iter().map(|(key, value)| Tag { key, value }).collect(),
        transitive: body.tt,
        carry: body.c,
        via: body.g,
        policies: body.o.into_iter().map(policy).collect(),
        issued: milli(body.iat)?,
        expires: milli(body.exp)?,
        auth: AuthPosition {
            auth_time: Timestamp::from_second(body.at).map_err(|_| BadToken::Malformed)?,
            seq: body.q,
            amr: body.amr,
            acr: body.acr,
        },
        sign_in: body.si,
        chained: !body.l.is_empty(),
        lineage: body.l.into_iter().map(|(session, role)| Ancestor { session, role }).collect(),
        client: body.cl,
        federated: body.f.map(|(provider, audience, subject)| Federated { provider, audience, subject }),
    })
}

fn policy((origin, text): (String, String)) -> SessionPolicy {
    SessionPolicy { origin, text: Arc::from(text) }
}
