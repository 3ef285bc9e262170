"""`galen policy simulate` against answers that were written by hand from the IAM user guide, all in one run of JSON lines."""

import json
import os
import subprocess

from common import check

HERE, THERE = "111122223333", "444455556666"
USER = f"arn:aws:iam::{HERE}:user/u"
ROLE = f"arn:aws:iam::{HERE}:role/app"
SESSION = f"arn:aws:sts::{HERE}:assumed-role/app/s"
OTHER = f"arn:aws:iam::{THERE}:user/u"
OIDC = f"arn:aws:iam::{HERE}:oidc-provider/idp.example.com"
SAML = f"arn:aws:iam::{HERE}:saml-provider/idp"
ALLOW, DENY, NOTHING = "allow", "explicit_deny", "implicit_deny"

CASES: list[tuple[str, str, list[str] | None, dict]] = []


def statement(effect: str = "Allow", action="*", resource="*", **more) -> dict:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def document(*statements: dict, version: str = "2012-10-17") -> dict:
    return {"Version": version, "Statement": list(statements)}


ALL, GET, PUT = document(statement()), document(statement(action="s3:Get*")), document(statement(action="s3:Put*"))
NO = document(statement("Deny"))


def by(principal, **more) -> dict:
    return document({**statement(), "Principal": principal, **more})


def case(name, want, identity=(), resource=None, *, boundary=None, session=(), scp=(), who=USER, action="s3:GetObject", on="arn:aws:s3:::b/k", account=HERE, context=None, told=None):
    question = {
        "identity_policies": list(identity),
        "resource_policy": resource,
        "permission_boundary": boundary,
        "session_policies": list(session),
        "service_control_policies": [list(level) for level in scp],
        "request": {"principal": who, "action": action, "resource": on, "resource_account": account, "context": context or {}},
    }
    CASES.append((name, want, told, question))


def condition(name, conditions, context, holds, version="2012-10-17"):
    case(name, ALLOW if holds else NOTHING, [document(statement(Condition=conditions), version=version)], context=context)


def trust(name, want, identity, principal, action="sts:AssumeRole", **more):
    policy = document({"Effect": "Allow", "Principal": principal, "Action": more.pop("allowed", action), **more.pop("with_", {})})
    case(name, want, identity, policy, action=action, on=f"arn:aws:iam::{HERE}:role/t", **more)


def order_and_selectors():
    case("nothing allows", NOTHING, told=[])
    case("every allow is told", ALLOW, [document(statement(action="s3:Put*"), statement(), statement(action="S3:get?BJECT")), ALL], told=["identity[0].1", "identity[0].2", "identity[1].0"])
    case("every deny is told", DENY, [ALL, NO], {**by("*"), "Statement": [{**statement("Deny"), "Principal": "*"}]}, told=["identity[1].0", "resource.0"])
    case("NotAction is no deny", NOTHING, [document({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"})])
    case("Deny with NotResource", DENY, [ALL, document({"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::c/*"})])
    case("a star crosses slashes", ALLOW, [document(statement(resource="arn:aws:s3:::b*/z"))], on="arn:aws:s3:::bx/y/z")
    case("a star stays in its segment", NOTHING, [document(statement(resource="arn:aws:sqs:*:q"))], action="sqs:SendMessage", on=f"arn:aws:sqs:r:{HERE}:q")
    case("the last segment holds colons", ALLOW, [document(statement(resource="arn:aws:logs:*:*:log-group:*"))], action="logs:PutLogEvents", on=f"arn:aws:logs:r:{HERE}:log-group:a:log-stream:b")
    case("resources know case", NOTHING, [document(statement(resource="arn:aws:s3:::B/k"))])


def variables():
    home = [document(statement(resource="arn:aws:s3:::b/${aws:username}/*"))]
    case("a variable", ALLOW, home, on="arn:aws:s3:::b/u/x", context={"aws:username": "u"})
    case("a star from a variable is a star", NOTHING, home, on="arn:aws:s3:::b/other/x", context={"aws:username": "*"})
    case("no value matches nothing", NOTHING, home, on="arn:aws:s3:::b//x")
    case("several values are no variable", NOTHING, home, on="arn:aws:s3:::b/u/x", context={"aws:username": ["u", "v"]})
    case("NotResource without a value does not apply", ALLOW, [ALL, document({"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::b/${aws:username}/*"})])
    default = [document(statement(resource="arn:aws:s3:::b/${aws:username, 'd'}/*"))]
    case("a default", ALLOW, default, on="arn:aws:s3:::b/d/x")
    case("a default yields to the value", NOTHING, default, on="arn:aws:s3:::b/d/x", context={"aws:username": "u"})
    old = [document(statement(resource="arn:aws:s3:::b/${aws:username}"), version="2008-10-17")]
    case("2008 has no variables", NOTHING, old, on="arn:aws:s3:::b/u", context={"aws:username": "u"})
    case("2008 reads them as text", ALLOW, old, on="arn:aws:s3:::b/${aws:username}")
    case("an escaped star", NOTHING, [document(statement(resource="arn:aws:s3:::b/${*}"))])
    condition("no value, positive", {"StringEquals": {"k:a": "${aws:username}"}}, {"k:a": "u"}, False)
    condition("no value, negated", {"StringNotEquals": {"k:a": "${aws:username}"}}, {"k:a": "u"}, True)


def conditions():
    condition("values are alternatives, keys are not", {"StringEquals": {"k:a": ["1", "2"], "k:b": "3"}}, {"K:A": "2", "k:b": "4"}, False)
    condition("negated: none of the values", {"StringNotEquals": {"k:a": ["1", "2"]}}, {"k:a": "2"}, False)
    for operator, missing in {"StringEquals": False, "StringLike": False, "StringNotEquals": True, "StringNotLike": True, "StringEqualsIfExists": True, "Bool": False, "BoolIfExists": True, "NumericNotEquals": True, "ArnNotEquals": True, "NotIpAddress": True, "DateLessThan": False}.items():
        value = {"N": "1", "B": "true", "A": USER, "D": "2020-01-01"}.get(operator.removeprefix("Not")[0], "10.0.0.0/8" if "Ip" in operator else "*")
        condition(f"{operator} without the key", {operator: {"k:a": value}}, {}, missing)
    condition("Null true", {"Null": {"k:a": "true"}}, {"k:a": ""}, False)
    condition("Null false", {"Null": {"k:a": False}}, {"k:a": ""}, True)
    sets = {
        "ForAllValues:StringEquals": (True, True, True, False, False),
        "ForAnyValue:StringEquals": (False, False, True, True, False),
        "ForAllValues:StringNotEquals": (True, True, False, False, True),
        "ForAnyValue:StringNotEquals": (False, False, False, True, True),
    }
    for operator, answers in sets.items():
        for values, holds in zip((None, [], ["a"], ["a", "z"], ["z"]), answers):
            condition(f"{operator} {values}", {operator: {"aws:TagKeys": ["a", "b"]}}, {} if values is None else {"aws:TagKeys": values}, holds)
    condition("numbers are decimals", {"NumericEquals": {"k:n": "9007199254740993"}}, {"k:n": "9007199254740992"}, False)
    condition("no number", {"NumericNotEquals": {"k:n": "1"}}, {"k:n": "x"}, False)
    condition("dates and epochs", {"DateEquals": {"aws:CurrentTime": "2020-01-01T01:00:00+01:00"}}, {"aws:CurrentTime": "1577836800"}, True)
    condition("IPv6", {"IpAddress": {"aws:SourceIp": "2001:DB8::/32"}}, {"aws:SourceIp": "2001:db8:0::1"}, True)
    condition("ArnEquals has wildcards, per segment", {"ArnEquals": {"k:r": "arn:aws:iam:*:role/x"}}, {"k:r": f"arn:aws:iam::{HERE}:role/x"}, False)
    condition("tag keys ignore case, values do not", {"StringEquals": {"aws:PrincipalTag/Team": "Red"}}, {"aws:principaltag/TEAM": "red"}, False)
    for value in ({}, {"sts:SourceIdentity": "u@example.com"}, {"sts:SourceIdentity": ""}):
        condition(f"never satisfied {value}", {"StringLike": {"sts:SourceIdentity": "*@example.com"}, "StringNotLike": {"sts:SourceIdentity": "*"}}, value, False)


def sides():
    case("same account: the resource alone", ALLOW, (), by({"AWS": USER}), told=["resource.0"])
    case("same account: the account delegates", NOTHING, (), by({"AWS": HERE}))
    case("other account: identity alone", NOTHING, [ALL], account=THERE)
    case("other account: resource alone", NOTHING, (), by({"AWS": USER}), account=THERE)
    case("other account: both", ALLOW, [ALL], by({"AWS": f"arn:aws:iam::{HERE}:root"}), account=THERE, told=["identity[0].0", "resource.0"])
    case("boundary", NOTHING, [ALL], boundary=PUT)
    case("boundary is told", ALLOW, [ALL], boundary=GET, told=["identity[0].0", "boundary.0"])
    case("a user named by the resource escapes the boundary", ALLOW, (), by({"AWS": USER}), boundary=PUT, told=["resource.0"])
    case("a role named by the resource does not", NOTHING, (), by({"AWS": ROLE}), boundary=PUT, who=SESSION)
    case("a session named by the resource does", ALLOW, (), by({"AWS": SESSION}), boundary=PUT, session=[PUT], who=SESSION, told=["resource.0"])
    case("session policies are one set", ALLOW, [ALL], session=[PUT, GET], who=SESSION, told=["identity[0].0", "session[1].0"])
    case("session policy and a role named by the resource", NOTHING, (), by({"AWS": ROLE}), session=[PUT], who=SESSION)
    case("session policy, other account", NOTHING, [ALL], by("*"), session=[PUT], who=SESSION, account=THERE)
    case("every level of guardrails", NOTHING, [ALL], scp=[[ALL], [PUT]])
    case("one of a level is enough", ALLOW, [ALL], scp=[[PUT, GET]], told=["identity[0].0", "scp[0][1].0"])
    case("an empty level", NOTHING, [ALL], scp=[[]])
    case("guardrails over a resource policy", NOTHING, (), by({"AWS": USER}), scp=[[PUT]])
    exempt = lambda *names: document({"Effect": "Deny", "NotPrincipal": {"AWS": list(names)}, "Action": "*", "Resource": "*"})
    case("NotPrincipal exempts", ALLOW, [ALL], exempt(USER, HERE))
    case("NotPrincipal denies the rest", DENY, [ALL], exempt(OTHER, THERE), told=["resource.0"])


def trusts():
    case("no trust policy", NOTHING, [ALL], action="sts:AssumeRole", on=f"arn:aws:iam::{HERE}:role/t")
    trust("the user", ALLOW, (), {"AWS": USER})
    trust("the account alone", NOTHING, (), {"AWS": HERE})
    trust("the account and identity", ALLOW, [ALL], {"AWS": HERE})
    trust("another account alone", NOTHING, (), {"AWS": OTHER}, who=OTHER)
    trust("another account and identity", ALLOW, [ALL], {"AWS": OTHER}, who=OTHER)
    trust("a chained session", ALLOW, (), {"AWS": ROLE}, who=SESSION)
    trust("a service", ALLOW, (), {"Service": "ec2.amazonaws.com"}, who="ec2.amazonaws.com")
    audience = {"Condition": {"StringEquals": {"idp.example.com:aud": "galen"}}}
    for sent, want in (("galen", ALLOW), ("other", NOTHING)):
        trust(f"audience {sent}", want, (), {"Federated": OIDC}, "sts:AssumeRoleWithWebIdentity", who=OIDC, with_=audience, context={"idp.example.com:aud": sent})
    trust("another provider", NOTHING, (), {"Federated": SAML}, "sts:AssumeRoleWithSAML", who=SAML + "x")
    shared = {"Condition": {"Null": {"sts:SourceIdentity": "false"}, "StringLike": {"aws:RequestTag/GroupHash": "*:x1:*"}}}
    actions = ["sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"]
    for action in actions:
        trust(f"one context for {action}", ALLOW, (), {"Federated": [SAML]}, action, allowed=actions, who=SAML, with_=shared, context={"sts:SourceIdentity": "u", "aws:RequestTag/grouphash": ":a:x1:"})


def answers():
    """Asks everything at once, with a broken line before, between and after."""
    lines = ["not json", *(json.dumps(question) for *_, question in CASES), '{"request":{"principal":1}}']
    done = subprocess.run([os.environ["GALEN"], "policy", "simulate", "-"], input="\n".join(lines), capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done
    first, *told, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert "line 1:" in first["error"] and f"line {len(lines)}:" in last["error"], (first, last)
    assert len(told) == len(CASES)
    wrong = []
    for (name, want, determined, _), answer in zip(CASES, told):
        by_what = [f"{one['policy']}.{one['statement']}" for one in answer["determined_by"]]
        if answer["decision"] != want or determined not in (None, by_what):
            wrong.append(f"{name}: wanted {want} {determined}, got {answer['decision']} {by_what}")
    assert not wrong, wrong


for group in (order_and_selectors, variables, conditions, sides, trusts):
    group()
check(f"policy simulate: {len(CASES)} answers from the IAM user guide", answers)
