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
        &[Missing::Boundary, Missing::Session(0)],
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
    lacks(json!({"identity_policies": [yes], "session_policies": [yes, nothing]}), &[Missing::Session(1)]);
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
            (json!({"permission_boundary": nothing}), Missing::Boundary),
            (json!({"session_policies": [nothing]}), Missing::Session(0)),
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
    let identity = allow(json!({"Action": "*"}));
    for request in
        [json!({"action": "GetObject"}), json!({"resource": "bucket/key"}), json!({"resource": "arn:aws:s3"})]
    {
        let output = ask(json!({"request": request, "identity_policies": [identity]}));
        assert_eq!(output.decision.effect, ImplicitDeny);
        assert_eq!(output.decision.errors.len(), 1);
    }
}
