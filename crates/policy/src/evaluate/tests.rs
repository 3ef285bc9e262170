//! One test for each rule of evaluation, through the JSON contract so that each case reads as a document.

use serde_json::{Value, json};

use crate::{
    decision::{Effect, Missing},
    simulate::{Output, simulate},
};

const OBJECT: &str = "arn:aws:s3:::bucket/key";
const ROLE: &str = "arn:aws:iam::111122223333:role/team/analyst";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/analyst/alice";
const USER: &str = "arn:aws:iam::111122223333:user/bob";
const PROVIDER: &str = "arn:aws:iam::111122223333:saml-provider/okta";

fn doc(statements: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn allow(extra: Value) -> Value {
    statement("Allow", extra)
}

fn deny(extra: Value) -> Value {
    statement("Deny", extra)
}

fn statement(effect: &str, extra: Value) -> Value {
    let mut s = json!({"Effect": effect, "Action": "s3:GetObject", "Resource": "*"});
    for (key, value) in extra.as_object().unwrap() {
        if value.is_null() {
            s.as_object_mut().unwrap().remove(key);
        } else {
            s[key] = value.clone();
        }
    }
    doc(s)
}

fn ask(question: Value) -> Output {
    let mut q = json!({"request": {"principal": SESSION, "action": "s3:GetObject", "resource": OBJECT, "resource_account": "111122223333"}});
    for (key, value) in question.as_object().unwrap() {
        if key == "request" {
            for (k, v) in value.as_object().unwrap() {
                q["request"][k] = v.clone();
            }
        } else {
            q[key] = value.clone();
        }
    }
    simulate(&q.to_string()).unwrap()
}

#[track_caller]
fn check(question: Value, effect: Effect, by: &[&str]) {
    let output = ask(question);
    assert_eq!(output.decision.effect, effect, "{output:?}");
    let got: Vec<String> =
        output.decision.determined_by.iter().map(|d| format!("{}#{}", d.policy, d.statement)).collect();
    assert_eq!(got, by);
    assert_eq!(
        output.decision.missing.is_empty(),
        effect != Effect::ImplicitDeny || !output.decision.errors.is_empty()
    );
}

#[track_caller]
fn lacks(question: Value, missing: &[Missing]) {
    let output = ask(question);
    assert_eq!(output.decision.effect, Effect::ImplicitDeny);
    assert_eq!(output.decision.missing, missing);
}

use Effect::{Allow, ExplicitDeny, ImplicitDeny};

#[test]
fn nothing_allows_nothing() {
    lacks(json!({}), &[Missing::Identity]);
    lacks(json!({"resource_policy": allow(json!({"Principal": {"AWS": USER}}))}), &[Missing::IdentityOrResource]);
}

#[test]
fn an_explicit_deny_anywhere_wins() {
    let yes = allow(json!({}));
    let no = deny(json!({}));
    let all = json!({"Principal": "*"});
    check(json!({"identity_policies": [yes, no]}), ExplicitDeny, &["identity[1]#0"]);
    check(json!({"identity_policies": [yes], "resource_policy": deny(all)}), ExplicitDeny, &["resource#0"]);
    check(json!({"identity_policies": [yes], "permission_boundary": no}), ExplicitDeny, &["boundary#0"]);
    check(json!({"identity_policies": [yes], "session_policies": [yes, no]}), ExplicitDeny, &["session[1]#0"]);
    check(
        json!({"identity_policies": [yes], "service_control_policies": [[yes], [yes, no]]}),
        ExplicitDeny,
        &["scp[1][1]#0"],
    );
    check(
        json!({"identity_policies": [doc(json!([{"Effect": "Deny", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "NotAction": "iam:*", "Resource": "*"}]))],
               "service_control_policies": [[no]]}),
        ExplicitDeny,
        &["identity[0]#0", "identity[0]#1", "scp[0][0]#0"],
    );
}

#[test]
fn every_level_of_guardrails_must_allow() {
    let yes = allow(json!({}));
    check(
        json!({"identity_policies": [yes], "service_control_policies": [[yes], [yes]]}),
        Allow,
        &["identity[0]#0", "scp[0][0]#0", "scp[1][0]#0"],
    );
    lacks(json!({"identity_policies": [yes], "service_control_policies": [[yes], []]}), &[Missing::ServiceControl(1)]);
    let other = allow(json!({"Action": "iam:*"}));
    lacks(
        json!({"identity_policies": [yes], "service_control_policies": [[other], [yes]]}),
        &[Missing::ServiceControl(0)],
    );
}

#[test]
fn same_account_identity_or_resource() {
    let yes = allow(json!({}));
    let named = allow(json!({"Principal": {"AWS": SESSION}}));
    check(json!({"identity_policies": [yes]}), Allow, &["identity[0]#0"]);
    check(json!({"resource_policy": named}), Allow, &["resource#0"]);
    check(json!({"identity_policies": [yes], "resource_policy": named}), Allow, &["identity[0]#0", "resource#0"]);
}

#[test]
fn the_root_user_needs_no_identity_policy_and_assumes_no_role() {
    let root = json!({"principal": "arn:aws:iam::111122223333:root"});
    check(json!({"request": root}), Allow, &[]);
    let told = crate::explain::decision(&ask(json!({"request": root})).decision);
    assert_eq!(told, "allowed: the root user of an account needs no identity policy");
    check(
        json!({"request": root, "resource_policy": deny(json!({"Principal": {"AWS": "111122223333"}}))}),
        ExplicitDeny,
        &["resource#0"],
    );
    let nothing = allow(json!({"Action": "iam:*"}));
    lacks(json!({"request": root, "service_control_policies": [[nothing]]}), &[Missing::ServiceControl(0)]);

    let mut foreign = root.clone();
    foreign["resource_account"] = json!("999900001111");
    lacks(json!({"request": foreign}), &[Missing::Resource]);
    let shared = allow(json!({"Principal": {"AWS": "111122223333"}}));
    check(json!({"request": foreign, "resource_policy": shared}), Allow, &["resource#0"]);

    let assume = json!({"principal": root["principal"], "action": "sts:AssumeRole", "resource": ROLE});
    let trust = allow(json!({"Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole", "Resource": null}));
    lacks(json!({"request": assume, "resource_policy": trust}), &[Missing::Identity]);
}

#[test]
fn an_account_principal_delegates_to_identity_policies() {
    for account in ["111122223333", "arn:aws:iam::111122223333:root"] {
        let delegated = allow(json!({"Principal": {"AWS": account}}));
        lacks(json!({"resource_policy": delegated}), &[Missing::IdentityOrResource]);
        let foreign = json!({"request": {"resource_account": "999900001111"}, "resource_policy": delegated});
        lacks(foreign.clone(), &[Missing::Identity]);
        let mut both = foreign;
        both["identity_policies"] = json!([allow(json!({}))]);
        check(both, Allow, &["identity[0]#0", "resource#0"]);
    }
}

#[test]
fn cross_account_needs_both_sides() {
    let other = json!({"resource_account": "999900001111"});
    let yes = allow(json!({}));
    let named = allow(json!({"Principal": {"AWS": SESSION}}));
    lacks(json!({"request": other, "identity_policies": [yes]}), &[Missing::Resource]);
    lacks(json!({"request": other, "resource_policy": named}), &[Missing::Identity]);
    check(
        json!({"request": other, "identity_policies": [yes], "resource_policy": named}),
        Allow,
        &["identity[0]#0", "resource#0"],
    );
    let nothing = allow(json!({"Action": "iam:*"}));
    lacks(
        json!({"request": other, "identity_policies": [yes], "resource_policy": named, "permission_boundary": nothing, "session_policies": [nothing]}),
        &[Missing::Boundary, Missing::Session],
    );
}

#[test]
fn boundary_and_session_policies_limit_the_identity_side() {
    let yes = allow(json!({}));
    let nothing = allow(json!({"Action": "iam:*"}));
    check(
        json!({"identity_policies": [yes], "permission_boundary": yes, "session_policies": [yes, yes]}),
        Allow,
        &["identity[0]#0", "boundary#0", "session[0]#0", "session[1]#0"],
    );
    lacks(json!({"identity_policies": [yes], "permission_boundary": nothing}), &[Missing::Boundary]);
    lacks(json!({"identity_policies": [yes], "session_policies": [nothing, nothing]}), &[Missing::Session]);
    // Session policies that are passed together are one set, as identity policies are.
    check(
        json!({"identity_policies": [yes], "session_policies": [nothing, yes]}),
        Allow,
        &["identity[0]#0", "session[1]#0"],
    );
    lacks(json!({"permission_boundary": yes, "session_policies": [yes]}), &[Missing::Identity]);
}

/// Which implicit denies bind, by the form of the principal in the resource policy.
#[test]
fn the_principal_form_decides_which_implicit_denies_bind() {
    let nothing = allow(json!({"Action": "iam:*"}));
    let federated = "arn:aws:sts::111122223333:federated-user/bob";
    for (caller, principal, free) in [
        (SESSION, json!({"AWS": SESSION}), true),
        (SESSION, json!("*"), true),
        (SESSION, json!({"AWS": "*"}), true),
        (SESSION, json!({"AWS": ROLE}), false),
        (SESSION, json!({"AWS": [ROLE, SESSION]}), true),
        (ROLE, json!({"AWS": ROLE}), false),
        (ROLE, json!("*"), true),
        (USER, json!({"AWS": USER}), true),
        (federated, json!({"AWS": federated}), true),
        (federated, json!({"AWS": USER}), false),
    ] {
        for (limit, missing) in [
            (json!({"permission_boundary": nothing, "session_policies": [allow(json!({}))]}), Missing::Boundary),
            (json!({"session_policies": [nothing]}), Missing::Session),
        ] {
            let mut q = limit;
            q["request"] = json!({"principal": caller, "context": {"aws:PrincipalArn": ROLE}});
            q["resource_policy"] = allow(
                json!({"Principal": principal, "Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}}),
            );
            if free {
                check(q, Allow, &["resource#0"]);
            } else {
                lacks(q, &[missing]);
            }
        }
    }
}

#[test]
fn a_federated_user_has_what_its_session_policies_allow() {
    let federated = "arn:aws:sts::111122223333:federated-user/bob";
    let (yes, request) = (allow(json!({})), json!({"principal": federated}));
    lacks(json!({"request": request, "identity_policies": [yes]}), &[Missing::Session]);
    check(
        json!({"request": request, "identity_policies": [yes], "session_policies": [yes]}),
        Allow,
        &["identity[0]#0", "session[0]#0"],
    );
    check(
        json!({"request": request, "resource_policy": allow(json!({"Principal": {"AWS": federated}}))}),
        Allow,
        &["resource#0"],
    );
    lacks(
        json!({"request": request, "resource_policy": allow(json!({"Principal": {"AWS": USER}}))}),
        &[Missing::Session],
    );
}

#[test]
fn a_role_is_named_with_its_path_and_account() {
    let named = |arn: &str| json!({"resource_policy": allow(json!({"Principal": {"AWS": arn}}))});
    check(named(ROLE), Allow, &["resource#0"]);
    check(named("arn:aws:iam::111122223333:role/analyst"), Allow, &["resource#0"]);
    check(named("arn:aws:iam::111122223333:role/analysts"), ImplicitDeny, &[]);
    check(named("arn:aws:iam::999900001111:role/analyst"), ImplicitDeny, &[]);
    check(named("arn:aws-cn:iam::111122223333:role/analyst"), ImplicitDeny, &[]);
    check(named("arn:aws:iam::111122223333:user/analyst"), ImplicitDeny, &[]);
    check(named("arn:aws:sts::111122223333:assumed-role/analyst/bob"), ImplicitDeny, &[]);
}

fn assume(question: Value) -> Value {
    let mut q = question;
    let request = json!({"action": "sts:AssumeRole", "resource": "arn:aws:iam::111122223333:role/target", "resource_account": "111122223333"});
    for (k, v) in request.as_object().unwrap() {
        if q["request"].get(k).is_none() {
            q["request"][k] = v.clone();
        }
    }
    q
}

fn trust(principal: Value) -> Value {
    allow(json!({"Principal": principal, "Action": "sts:AssumeRole", "Resource": null}))
}

#[test]
fn a_trust_policy_must_always_allow() {
    let identity = allow(json!({"Action": "sts:AssumeRole"}));
    lacks(assume(json!({"identity_policies": [identity]})), &[Missing::Trust]);
    lacks(
        assume(json!({"identity_policies": [identity], "resource_policy": trust(json!({"AWS": USER}))})),
        &[Missing::Trust],
    );
    // Naming the account delegates, so the identity side must allow too.
    let account = trust(json!({"AWS": "111122223333"}));
    lacks(assume(json!({"resource_policy": account})), &[Missing::Identity]);
    check(
        assume(json!({"identity_policies": [identity], "resource_policy": account})),
        Allow,
        &["identity[0]#0", "resource#0"],
    );
    // Naming the role, session or user does not.
    check(assume(json!({"resource_policy": trust(json!({"AWS": ROLE}))})), Allow, &["resource#0"]);
    check(assume(json!({"resource_policy": trust(json!({"AWS": SESSION}))})), Allow, &["resource#0"]);
    // Across accounts both sides must allow, whatever is named.
    let foreign =
        json!({"request": {"resource": "arn:aws:iam::999900001111:role/target", "resource_account": "999900001111"}});
    let mut q = assume(foreign);
    q["resource_policy"] = trust(json!({"AWS": ROLE}));
    lacks(q.clone(), &[Missing::Identity]);
    q["identity_policies"] = json!([identity]);
    check(q, Allow, &["identity[0]#0", "resource#0"]);
}

#[test]
fn federated_and_service_principals_have_no_identity_side() {
    let saml =
        doc(json!({"Effect": "Allow", "Principal": {"Federated": PROVIDER}, "Action": "sts:AssumeRoleWithSAML"}));
    for (resource_account, role) in [("111122223333", "111122223333"), ("999900001111", "999900001111")] {
        let request = json!({"principal": PROVIDER, "action": "sts:AssumeRoleWithSAML",
            "resource": format!("arn:aws:iam::{role}:role/target"), "resource_account": resource_account});
        check(assume(json!({"request": request, "resource_policy": saml})), Allow, &["resource#0"]);
    }
    let request = json!({"principal": "lambda.amazonaws.com"});
    check(
        assume(json!({"request": request, "resource_policy": trust(json!({"Service": "lambda.amazonaws.com"}))})),
        Allow,
        &["resource#0"],
    );
    lacks(
        assume(json!({"request": request, "resource_policy": trust(json!({"Service": "ec2.amazonaws.com"}))})),
        &[Missing::Trust],
    );
    let account = trust(json!({"AWS": "111122223333"}));
    let by = json!({"principal": PROVIDER});
    let refused = doc(
        json!([{"Effect": "Deny", "Principal": {"AWS": "111122223333"}, "Action": "sts:*"}, {"Effect": "Allow", "Principal": "*", "Action": "sts:*"}]),
    );
    check(assume(json!({"request": by, "resource_policy": refused})), ExplicitDeny, &["resource#0"]);
    lacks(
        assume(
            json!({"request": by, "identity_policies": [allow(json!({"Action": "*"}))], "resource_policy": account}),
        ),
        &[Missing::Trust],
    );
}

#[test]
fn a_key_policy_must_always_allow() {
    let request = json!({"action": "kms:Decrypt", "resource": "arn:aws:kms:eu-north-1:111122223333:key/k"});
    let identity = allow(json!({"Action": "kms:*"}));
    lacks(json!({"request": request, "identity_policies": [identity]}), &[Missing::KeyPolicy]);
    let root = allow(json!({"Action": "kms:*", "Principal": {"AWS": "111122223333"}}));
    check(
        json!({"request": request, "identity_policies": [identity], "resource_policy": root}),
        Allow,
        &["identity[0]#0", "resource#0"],
    );
    lacks(json!({"request": request, "resource_policy": root}), &[Missing::Identity]);
}

#[test]
fn get_caller_identity_cannot_be_denied() {
    let request = json!({"action": "sts:GetCallerIdentity", "resource": "*"});
    check(json!({"request": request, "identity_policies": [deny(json!({"Action": "*"}))]}), Allow, &[]);
}

#[test]
fn complements_are_not_denies() {
    check(
        json!({"identity_policies": [allow(json!({"Action": null, "NotAction": "iam:*"}))]}),
        Allow,
        &["identity[0]#0"],
    );
    check(
        json!({"identity_policies": [allow(json!({"Action": null, "NotAction": ["iam:*", "s3:Get*"]}))]}),
        ImplicitDeny,
        &[],
    );
    check(
        json!({"identity_policies": [allow(json!({"Resource": null, "NotResource": "arn:aws:s3:::other/*"}))]}),
        Allow,
        &["identity[0]#0"],
    );
    check(
        json!({"identity_policies": [allow(json!({"Resource": null, "NotResource": "arn:aws:s3:::bucket/*"}))]}),
        ImplicitDeny,
        &[],
    );
}

#[test]
fn actions_ignore_case_and_know_wildcards() {
    for (action, yes) in [
        ("*", true),
        ("*:*", true),
        ("S3:getobject", true),
        ("s3:Get*", true),
        ("s3:?etObject", true),
        ("s3:GetObjec?", true),
        ("s3:GetObject?", false),
        ("s3:*Tagging", false),
        ("s3express:*", false),
    ] {
        let effect = if yes { Allow } else { ImplicitDeny };
        assert_eq!(
            ask(json!({"identity_policies": [allow(json!({"Action": action}))]})).decision.effect,
            effect,
            "{action}"
        );
    }
}

#[test]
fn resources_match_part_by_part() {
    for (resource, yes) in [
        ("arn:aws:s3:::bucket/key", true),
        ("arn:aws:s3:::bucket/*", true),
        ("arn:aws:s3:::*/key", true),
        ("arn:aws:s3:::b*y", true),
        ("arn:aws:s3:::bucket/k?y", true),
        ("arn:aws:s3:::bucket", false),
        ("arn:aws:s3:::Bucket/key", false),
        ("arn:aws:s3:*:*:bucket/key", true),
        ("arn:aws*:s3:::bucket/key", true),
        ("arn:aws:s3:::bucket/${aws:PrincipalTag/none}", false),
        ("arn:aws:s3:::bucket/${aws:PrincipalTag/none, 'key'}", true),
        ("arn:aws:s3:::bucket/${aws:PrincipalTag/KEY}", true),
        // Short ARNs of identity policies are filled up with `*`.
        ("arn:aws:s3", true),
        ("arn:aws:s3:*", true),
        ("arn:aws:sqs", false),
    ] {
        let q = json!({"request": {"context": {"aws:PrincipalTag/key": "key"}}, "identity_policies": [allow(json!({"Resource": resource}))]});
        let effect = if yes { Allow } else { ImplicitDeny };
        assert_eq!(ask(q).decision.effect, effect, "{resource}");
    }
}

#[test]
fn short_arns_of_other_documents() {
    let resource = |r: &str| json!({"resource_policy": allow(json!({"Principal": "*", "Resource": r}))});
    check(resource("arn:aws:s3"), ImplicitDeny, &[]);
    check(resource("arn:aws:s3:*"), Allow, &["resource#0"]);
    let scp = |r: &str| json!({"identity_policies": [allow(json!({}))], "service_control_policies": [[allow(json!({"Resource": r}))]]});
    check(scp("arn:aws:s3"), ImplicitDeny, &[]);
    check(scp("arn:aws:s3:*"), Allow, &["identity[0]#0", "scp[0][0]#0"]);
}

#[test]
fn a_variable_without_value_in_not_resource_matches_nothing() {
    let q = allow(
        json!({"Resource": null, "NotResource": ["arn:aws:s3:::other", "arn:aws:s3:::x/${aws:PrincipalTag/none}"]}),
    );
    check(json!({"identity_policies": [q]}), ImplicitDeny, &[]);
}

#[test]
fn variables_are_literal_text_under_2008() {
    let mut old = allow(json!({"Resource": "arn:aws:s3:::bucket/${aws:username}"}));
    let request = json!({"context": {"aws:username": "key"}});
    check(json!({"request": request, "identity_policies": [old]}), Allow, &["identity[0]#0"]);
    old["Version"] = json!("2008-10-17");
    check(json!({"request": request, "identity_policies": [old]}), ImplicitDeny, &[]);
    let literal = json!({"context": {"aws:username": "key"}, "resource": "arn:aws:s3:::bucket/${aws:username}"});
    check(json!({"request": literal, "identity_policies": [old]}), Allow, &["identity[0]#0"]);
    old.as_object_mut().unwrap().remove("Version");
    check(json!({"request": literal, "identity_policies": [old]}), Allow, &["identity[0]#0"]);
}

#[test]
fn not_principal_with_deny_needs_account_and_role_listed() {
    let identity = allow(json!({}));
    let but = |list: Value| json!({"identity_policies": [identity], "resource_policy": deny(json!({"NotPrincipal": {"AWS": list}}))});
    check(but(json!([SESSION, ROLE, "111122223333"])), Allow, &["identity[0]#0"]);
    for list in [
        json!([SESSION]),
        json!([ROLE, "111122223333"]),
        json!(["111122223333"]),
        json!([SESSION, "111122223333"]),
        json!([USER]),
    ] {
        check(but(list), ExplicitDeny, &["resource#0"]);
    }
    let mut bounded = but(json!([SESSION, ROLE, "111122223333"]));
    bounded["permission_boundary"] = allow(json!({}));
    check(bounded, ExplicitDeny, &["resource#0"]);
}

#[test]
fn what_cannot_be_evaluated_is_denied_and_says_so() {
    let identity = [compiled(crate::DocumentKind::Identity, &allow(json!({"Action": "*"})))];
    let inputs = crate::Inputs { identity: &identity, ..crate::Inputs::default() };
    for (action, resource) in [("GetObject", OBJECT), ("s3:GetObject", "bucket/key"), ("s3:GetObject", "arn:aws:s3")] {
        let mut request = request(action, crate::Context::new());
        request.resource = resource.to_owned();
        let decision = crate::evaluate(&inputs, &request);
        assert_eq!((decision.effect, decision.errors.len()), (ImplicitDeny, 1));
    }
}

fn compiled(kind: crate::DocumentKind, document: &Value) -> std::sync::Arc<crate::Compiled> {
    crate::Document::from_value(document, kind).unwrap().compile()
}

fn request(action: &str, context: crate::Context) -> crate::Request {
    crate::Request::new(crate::Principal::parse(SESSION), action, OBJECT, "111122223333", context)
}

/// The gate asks the role side alone: a dataset policy can deny there and never allow.
#[test]
fn the_role_side_alone() {
    use crate::{DocumentKind as Kind, Inputs, Outcome, narrow};
    let (yes, nothing) = (allow(json!({})), allow(json!({"Action": "iam:*"})));
    let identity = [compiled(Kind::Identity, &yes)];
    let (wide, closed) = (compiled(Kind::Boundary, &yes), compiled(Kind::Boundary, &nothing));
    let open = compiled(Kind::Resource, &allow(json!({"Principal": "*"})));
    let shut = compiled(Kind::Resource, &deny(json!({"Principal": "*"})));
    let request = request("s3:GetObject", crate::Context::new());
    let base = Inputs { identity: &identity, ..Inputs::default() };

    let side = narrow(&base, &request);
    assert_eq!((side.outcome(), side.allowed_by.len()), (Outcome::Allows, 1));
    let side = narrow(&Inputs { boundary: Some(&wide), resource: Some(&open), ..base }, &request);
    assert_eq!((side.outcome(), side.allowed_by.len()), (Outcome::Allows, 2), "the resource's Allow does not count");
    let side = narrow(&Inputs { resource: Some(&open), ..Inputs::default() }, &request);
    assert_eq!((side.outcome(), side.missing), (Outcome::Lacks, vec![Missing::Identity]));
    let side = narrow(&Inputs { boundary: Some(&closed), scps: &[vec![]], ..base }, &request);
    assert_eq!(side.missing, [Missing::Boundary, Missing::ServiceControl(0)]);
    let side = narrow(&Inputs { resource: Some(&shut), ..base }, &request);
    assert_eq!(side.outcome(), Outcome::Denies);
    assert_eq!(side.denied_by[0].policy, crate::PolicyRef::Resource);
}

#[test]
fn assuming_a_role_needs_every_sub_action_over_one_context() {
    use crate::{AssumeInputs, Context, DocumentKind as Kind, Principal, Request, evaluate_assume};
    let working = include_str!("../../tests/fixtures/working-trust-policy.json");
    let trust = crate::Document::parse(working, Kind::Trust).unwrap().compile();
    let context = Context::new()
        .with("saml:aud", "https://signin.aws.amazon.com/saml")
        .with("sts:SourceIdentity", "ab@novonordisk.com")
        .with("aws:RequestTag/GroupHash", ":k7q2:xxxx:");
    let provider = Principal::parse("arn:aws:iam::111111111111:saml-provider/your-saml-provider");
    let ask = |context: Context, trust: &crate::Compiled| {
        let role = "arn:aws:iam::111111111111:role/r";
        let request = Request::new(provider.clone(), "sts:AssumeRoleWithSAML", role, "111111111111", context);
        let inputs = AssumeInputs {
            trust,
            identity: &[],
            boundary: None,
            session: &[],
            scps: &[],
            tags: true,
            source_identity: true,
        };
        evaluate_assume(&inputs, &request)
    };
    let yes = ask(context.clone(), &trust);
    assert_eq!((yes.effect(), yes.actions.len()), (Allow, 3));
    for (key, value) in [
        ("sts:SourceIdentity", "ab@elsewhere.com"),
        ("sts:SourceIdentity", "@novonordisk.com"),
        ("aws:RequestTag/GroupHash", ":k7q2:"),
        ("aws:RequestTag/GroupHash", ":kxxxxq:"),
        ("aws:RequestTag/GroupHash", ":XXXX:"),
        ("aws:RequestTag/GroupHash", "xxxx"),
    ] {
        let no = ask(context.clone().with(key, value), &trust);
        assert_eq!(no.effect(), ImplicitDeny, "{key} = {value}");
    }
    let mut anonymous = context.clone();
    anonymous.remove("STS:sourceidentity");
    assert_eq!(ask(anonymous, &trust).effect(), ImplicitDeny);
    let bare = working.replace("\"sts:TagSession\", ", "");
    let bare = crate::Document::parse(&bare, Kind::Trust).unwrap().compile();
    let refused = ask(context, &bare);
    assert_eq!(refused.effect(), ImplicitDeny);
    let (action, decision) = refused.refused().unwrap();
    assert_eq!((action, decision.missing.as_slice()), ("sts:TagSession", &[Missing::Trust][..]));
}

/// The printed policy refuses everybody, whatever the source identity is.
#[test]
fn the_printed_trust_policy_of_the_seed_allows_nobody() {
    let printed: Value = serde_json::from_str(include_str!("../../tests/fixtures/seed-trust-policy.json")).unwrap();
    for source in [None, Some(""), Some("u@novonordisk.com"), Some("other")] {
        let mut context =
            json!({"saml:aud": "https://signin.aws.amazon.com/saml", "aws:RequestTag/GroupHash": ":xxxx:"});
        if let Some(source) = source {
            context["sts:SourceIdentity"] = json!(source);
        }
        let request = json!({"principal": "arn:aws:iam::111111111111:saml-provider/your-saml-provider", "action": "sts:AssumeRoleWithSAML",
            "resource": "arn:aws:iam::111111111111:role/r", "resource_account": "111111111111", "context": context});
        lacks(json!({"request": request, "resource_policy": printed}), &[Missing::Trust]);
    }
}

/// A role that was deleted and made again does not inherit what its namesake was granted.
#[test]
fn principals_bound_to_unique_ids() {
    use crate::{Compiled, Context, Document, DocumentKind, Inputs, Principal, Request, evaluate};
    let document = Document::from_value(&allow(json!({"Principal": {"AWS": ROLE}})), DocumentKind::Resource).unwrap();
    let bound = Compiled::bound(&document, |arn| (arn == ROLE).then(|| "AROAOLDOLDOLDOLD1".into()));
    let by_id = compiled(DocumentKind::Resource, &allow(json!({"Principal": {"AWS": "AROAOLDOLDOLDOLD1"}})));
    for (id, effect) in [("AROAOLDOLDOLDOLD1", Allow), ("AROANEWNEWNEWNEW1", ImplicitDeny)] {
        let principal = Principal::parse(SESSION).with_unique_id(id).with_role_arn(ROLE);
        let request = Request::new(principal, "s3:GetObject", OBJECT, "111122223333", Context::new());
        for document in [&bound, &*by_id] {
            let decision = evaluate(&Inputs { resource: Some(document), ..Inputs::default() }, &request);
            assert_eq!(decision.effect, effect, "{id}");
        }
    }
}

#[test]
fn remarks_tell_what_did_not_fit_an_operator() {
    use crate::decision::Note;
    let ask = |condition: Value, context: Value| {
        let output = ask(
            json!({"request": {"context": context}, "identity_policies": [allow(json!({"Condition": condition}))]}),
        );
        assert_eq!(output.decision.effect, ImplicitDeny);
        output.decision.notes
    };
    let notes = ask(json!({"NumericLessThan": {"aws:x": 5}}), json!({"aws:x": "many"}));
    assert!(matches!(&notes[..], [Note::IllTyped { key, .. }] if &**key == "aws:x"));
    let notes = ask(json!({"StringEquals": {"aws:x": "a"}}), json!({"aws:x": ["a", "b"]}));
    assert!(matches!(&notes[..], [Note::NotSingle { .. }]));
}
