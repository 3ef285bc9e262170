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


def evaluation_pages():
    """"Policy evaluation logic" (within one account, across accounts, explicit and implicit denies)."""
    root = f"arn:aws:iam::{HERE}:root"
    logs = document(
        statement(action=["s3:GetBucketLocation", "s3:ListAllMyBuckets"], resource="arn:aws:s3:::*", Sid="AllowS3ListRead"),
        statement(action="s3:*", resource=["arn:aws:s3:::carlos/*", "arn:aws:s3:::carlos"], Sid="AllowS3Self"),
        statement("Deny", action="s3:*", resource="arn:aws:s3:::*log*", Sid="DenyS3Logs"),
    )
    bucket = document({**statement(action="s3:*", resource=["arn:aws:s3:::carlos/*", "arn:aws:s3:::carlos"]), "Principal": {"AWS": USER}})
    put = {"action": "s3:PutObject"}
    case("the guide's user writes to the bucket of logs", DENY, [logs], on="arn:aws:s3:::carlos-logs/a", told=["identity[0].2"], **put)
    case("the guide's user writes to the own bucket", ALLOW, [logs], bucket, on="arn:aws:s3:::carlos/a", told=["identity[0].1", "resource.0"], **put)
    case("the guide's user writes elsewhere", NOTHING, [logs], on="arn:aws:s3:::other/a", **put)
    reports = [document(statement(action=["iam:Get*", "iam:List*"]), statement("Deny", action="iam:*Report"))]
    case("an action between allowed and denied", DENY, reports, action="iam:GetCredentialReport", on="*")
    case("an action that nobody mentions", NOTHING, reports, action="iam:CreatePolicy", on="*")
    for name, where in {"boundary": {"boundary": NO}, "session": {"session": [ALL, NO], "who": SESSION}, "guardrail": {"scp": [[ALL, NO]]}}.items():
        case(f"a deny of the {name} beats every allow", DENY, [ALL], by("*"), **where)
    case("a deny of a resource policy for the account", DENY, [ALL], document({**statement("Deny"), "Principal": {"AWS": HERE}}), told=["resource.0"])
    case("a deny of a resource policy for another account", ALLOW, [ALL], document({**statement("Deny"), "Principal": {"AWS": THERE}}))
    case("a deny across accounts", DENY, [ALL], document(statement(Principal="*"), statement("Deny", Principal={"AWS": USER})), account=THERE, told=["resource.1"])
    case("across accounts a boundary limits a named user", NOTHING, [ALL], by({"AWS": USER}), boundary=PUT, account=THERE)
    case("across accounts a session policy limits a named session", NOTHING, [ALL], by({"AWS": SESSION}), session=[PUT], who=SESSION, account=THERE)
    case("across accounts guardrails hold", NOTHING, [ALL], by({"AWS": USER}), scp=[[PUT]], account=THERE)
    case("across accounts the session's role is enough", ALLOW, [ALL], by({"AWS": ROLE}), who=SESSION, account=THERE, told=["identity[0].0", "resource.0"])
    case("the root user needs no policy", ALLOW, who=root, told=[])
    case("the root user and a deny", DENY, (), document({**statement("Deny"), "Principal": "*"}), who=root)
    case("the root user and guardrails", NOTHING, who=root, scp=[[PUT]])
    case("a federated user without a session policy", NOTHING, [ALL], who=f"arn:aws:sts::{HERE}:federated-user/u")
    case("a federated user with one", ALLOW, [ALL], who=f"arn:aws:sts::{HERE}:federated-user/u", session=[GET])
    case("a federated user named by the resource", ALLOW, (), by({"AWS": f"arn:aws:sts::{HERE}:federated-user/u"}), who=f"arn:aws:sts::{HERE}:federated-user/u", told=["resource.0"])
    case("the user behind a federated user is limited", NOTHING, (), by({"AWS": USER}), who=f"arn:aws:sts::{HERE}:federated-user/u", session=[PUT])
    case("anonymous and everybody", ALLOW, (), by("*"), who="*", told=["resource.0"])
    case("anonymous and an account", NOTHING, (), by({"AWS": HERE}), who="*")


def boundary_page():
    """"Permissions boundaries for IAM entities"."""
    limits = document(statement(action=["s3:*", "cloudwatch:*", "ec2:*"]))
    case("a boundary alone gives nothing", NOTHING, boundary=limits)
    case("the guide's Shirley makes a user", NOTHING, [document(statement(action="iam:CreateUser"))], boundary=limits, action="iam:CreateUser", on="*")
    case("a boundary with NotAction", NOTHING, [ALL], boundary=document({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}))
    case("identity and resource allow, the boundary does not", ALLOW, [ALL], by({"AWS": USER}), boundary=PUT, told=["resource.0"])
    case("everybody is a direct grant", ALLOW, (), by("*"), boundary=PUT, who=SESSION, told=["resource.0"])
    arn = {"Condition": {"ArnEquals": {"aws:PrincipalArn": ROLE}}}
    case("everybody with the role's ARN as a condition", ALLOW, (), by("*", **arn), boundary=PUT, who=SESSION, context={"aws:PrincipalArn": ROLE})
    not_me = document({"Effect": "Deny", "NotPrincipal": {"AWS": [USER, HERE]}, "Action": "*", "Resource": "*"})
    case("NotPrincipal with Deny and a boundary", DENY, [ALL], not_me, boundary=ALL)


def principal_pages():
    """"Principal" and "NotPrincipal"."""
    path = f"arn:aws:iam::{HERE}:role/team/app"
    exempt = lambda *names: document({"Effect": "Deny", "NotPrincipal": {"AWS": list(names)}, "Action": "*", "Resource": "*"})
    case("a role with a path names its sessions", ALLOW, (), by({"AWS": path}), who=SESSION)
    case("another session of the role", NOTHING, (), by({"AWS": SESSION}), who=SESSION + "2")
    case("the role of another account", NOTHING, (), by({"AWS": f"arn:aws:iam::{THERE}:role/app"}), who=SESSION)
    case("accounts by number and by ARN are the same", NOTHING, (), by({"AWS": [HERE, f"arn:aws:iam::{HERE}:root"]}))
    case("one of several principals", ALLOW, (), by({"AWS": [OTHER, USER], "Service": "s3.amazonaws.com"}))
    case("a service that is named", ALLOW, (), by({"Service": "logs.amazonaws.com"}), who="logs.amazonaws.com")
    case("a service is not in an account", NOTHING, (), by({"AWS": HERE}), who="logs.amazonaws.com")
    case("everybody in the object form", ALLOW, (), by({"AWS": "*"}))
    case("everybody of another account still needs identity", NOTHING, (), by({"AWS": "*"}), who=OTHER)
    case("NotPrincipal without the account", DENY, [ALL], exempt(USER))
    case("NotPrincipal for a session without its role", DENY, [ALL], exempt(SESSION, HERE), who=SESSION)
    case("NotPrincipal for a session, whole", ALLOW, [ALL], exempt(SESSION, ROLE, HERE), who=SESSION)


def element_pages():
    """"Action", "Resource", "NotAction", "NotResource", "Version"."""
    case("a question mark is one character", NOTHING, [document(statement(resource="arn:aws:s3:::b/k?"))])
    case("two question marks", ALLOW, [document(statement(resource="arn:aws:s3:::b/??"))], on="arn:aws:s3:::b/kk")
    case("a bucket is not its objects", NOTHING, [document(statement(resource="arn:aws:s3:::b"))])
    case("objects are not their bucket", NOTHING, [document(statement(resource="arn:aws:s3:::b/*"))], action="s3:ListBucket", on="arn:aws:s3:::b")
    case("a star in the middle of an action", ALLOW, [document(statement(action="iam:*AccessKey*"))], action="iam:ListAccessKeys", on="*")
    case("the service of an action is whole", NOTHING, [document(statement(action="s3:*"))], action="s3-object-lambda:GetObject")
    case("the region of a resource", NOTHING, [document(statement(resource=f"arn:aws:sqs:eu-west-1:{HERE}:q"))], action="sqs:SendMessage", on=f"arn:aws:sqs:us-east-1:{HERE}:q")
    case("NotAction with NotResource", ALLOW, [document({"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::secret/*"})])
    case("NotAction with NotResource, excepted resource", NOTHING, [document({"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::secret/*"})], on="arn:aws:s3:::secret/k")
    regions = document(statement("Deny", "*", Condition={"StringNotEquals": {"aws:RequestedRegion": ["eu-central-1"]}}))
    regions["Statement"][0] |= {"NotAction": ["iam:*", "sts:*"]}
    del regions["Statement"][0]["Action"]
    case("the guide's guardrail of regions", DENY, [ALL], scp=[[ALL], [ALL, regions]], context={"aws:RequestedRegion": "us-east-1"}, told=["scp[1][1].0"])
    case("the guide's guardrail of regions, excepted action", ALLOW, [ALL], scp=[[ALL], [ALL, regions]], action="iam:ListUsers", on="*", context={"aws:RequestedRegion": "us-east-1"})
    case("no version: a variable is text", NOTHING, [{"Statement": statement(resource="arn:aws:s3:::b/${aws:username}")}], on="arn:aws:s3:::b/u", context={"aws:username": "u"})


def variable_page():
    """"Variables and tags"."""
    team = [document(statement(resource="arn:aws:s3:::b/${aws:PrincipalTag/team, 'company-wide'}/*"))]
    case("a tag as a variable", ALLOW, team, on="arn:aws:s3:::b/yellow/x", context={"aws:PrincipalTag/Team": "yellow"})
    case("a tag's default", ALLOW, team, on="arn:aws:s3:::b/company-wide/x")
    case("a tag that brings a slash is text", ALLOW, team, on="arn:aws:s3:::b/a/b/x", context={"aws:PrincipalTag/team": "a/b"})
    case("a tag that brings a question mark", NOTHING, team, on="arn:aws:s3:::b/yellow/x", context={"aws:PrincipalTag/team": "yello?"})
    condition("a variable in a condition", {"StringLike": {"s3:prefix": ["", "home/", "home/${aws:username}/*"]}}, {"s3:prefix": "home/u/x", "aws:username": "u"}, True)
    condition("another's home", {"StringLike": {"s3:prefix": ["", "home/", "home/${aws:username}/*"]}}, {"s3:prefix": "home/v/x", "aws:username": "u"}, False)
    condition("the dollar and the stars are characters", {"StringLike": {"k:a": "${$}${*}${?}*"}}, {"k:a": "$*?x"}, True)
    condition("an escaped star is no wildcard", {"StringLike": {"k:a": "a${*}"}}, {"k:a": "ab"}, False)
    condition("two tags that both lack a value", {"StringNotEquals": {"s3:ExistingObjectTag/Team": "${aws:PrincipalTag/Team}"}}, {"s3:ExistingObjectTag/Team": "x"}, True)
    condition("a default in a condition", {"StringEquals": {"k:a": "${aws:username, 'anonymous'}"}}, {"k:a": "anonymous"}, True)
    condition("an ARN with a variable", {"ArnLike": {"k:r": "arn:aws:iam::*:user/${aws:username}"}}, {"k:r": USER, "aws:username": "u"}, True)


def operator_pages():
    """"Condition operators" and "Single-valued vs. multivalued context keys"."""
    for form, holds in {"2020-01-01T00:00Z": True, "2020-01-01T01:00:00+01:00": True, "2020-01-01T00:00:00.0Z": True, "2020-01-01": True, "2020-01": True, "1577836800": True, "2020-01-02": False}.items():
        condition(f"the date {form}", {"DateEquals": {"aws:CurrentTime": form}}, {"aws:CurrentTime": "2020-01-01T00:00:00Z"}, holds)
    story = "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"
    condition("the guide's ARN as text", {"StringLike": {"k:r": "arn:aws:someservice:*:111122223333:finance/*"}}, {"k:r": story}, True)
    condition("the guide's ARN as an ARN", {"ArnLike": {"k:r": "arn:aws:someservice:*:111122223333:finance/*"}}, {"k:r": story}, False)
    condition("a lone star is no ARN of six parts", {"ArnLike": {"k:r": "*"}}, {"k:r": USER}, False)
    condition("six stars", {"ArnLike": {"k:r": "arn:*:*:*:*:*"}}, {"k:r": USER}, True)
    condition("an ARN's case", {"ArnEquals": {"k:r": USER}}, {"k:r": USER.replace("user/u", "user/U")}, False)
    condition("NotIpAddress", {"NotIpAddress": {"aws:SourceIp": ["192.0.2.0/24", "2001:DB8::/32"]}}, {"aws:SourceIp": "192.0.2.9"}, False)
    condition("NotIpAddress elsewhere", {"NotIpAddress": {"aws:SourceIp": ["192.0.2.0/24", "2001:DB8::/32"]}}, {"aws:SourceIp": "198.51.100.1"}, True)
    condition("a bare address is one address", {"IpAddress": {"aws:SourceIp": "203.0.113.7"}}, {"aws:SourceIp": "203.0.113.8"}, False)
    condition("a Bool of JSON", {"Bool": {"aws:SecureTransport": False}}, {"aws:SecureTransport": "false"}, True)
    condition("a Bool and its missing key", {"Bool": {"aws:MultiFactorAuthPresent": "false"}}, {}, False)
    condition("BoolIfExists and its missing key", {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}, {}, True)
    condition("a number at its bound", {"NumericLessThanEquals": {"s3:max-keys": "10"}}, {"s3:max-keys": 10}, True)
    condition("bytes", {"BinaryEquals": {"k:b": "QmluYXJ5VmFsdWVJbkJhc2U2NA=="}}, {"k:b": "QmluYXJ5VmFsdWVJbkJhc2U2NA=="}, True)
    condition("StringEquals has no wildcards", {"StringEquals": {"k:a": "a*"}}, {"k:a": "ab"}, False)
    condition("IgnoreCase ignores case", {"StringNotEqualsIgnoreCase": {"k:a": "RED"}}, {"k:a": "red"}, False)
    condition("two operators on one key", {"StringLike": {"k:a": "a*"}, "StringNotEquals": {"k:a": "ab"}}, {"k:a": "ab"}, False)
    condition("ForAnyValue of empty text", {"ForAnyValue:StringLike": {"aws:TagKeys": "*"}}, {"aws:TagKeys": [""]}, False)
    condition("ForAnyValue, negated, of empty text", {"ForAnyValue:StringNotEquals": {"aws:TagKeys": "a"}}, {"aws:TagKeys": [""]}, False)
    condition("ForAllValues of empty text", {"ForAllValues:StringEquals": {"aws:TagKeys": "a"}}, {"aws:TagKeys": [""]}, True)
    condition("ForAllValues with Null and no key", {"ForAllValues:StringEquals": {"aws:TagKeys": "a"}, "Null": {"aws:TagKeys": "false"}}, {}, False)
    condition("ForAllValues and IfExists is ForAllValues", {"ForAllValues:StringEqualsIfExists": {"aws:TagKeys": "a"}}, {"aws:TagKeys": ["a", "b"]}, False)
    condition("a multivalued key needs a set operator", {"StringEquals": {"aws:TagKeys": "a"}}, {"aws:TagKeys": ["a"]}, False)


def trust_pages():
    """"AssumeRole", "AssumeRoleWithSAML", "Passing session tags", "Monitor and control actions taken with assumed roles"."""
    external = {"with_": {"Condition": {"StringEquals": {"sts:ExternalId": "12345"}}}}
    trust("the external id", ALLOW, [ALL], {"AWS": f"arn:aws:iam::{THERE}:root"}, who=OTHER, context={"sts:ExternalId": "12345"}, **external)
    trust("another external id", NOTHING, [ALL], {"AWS": f"arn:aws:iam::{THERE}:root"}, who=OTHER, context={"sts:ExternalId": "1"}, **external)
    mfa = {"with_": {"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}}
    trust("a second factor that is not there", NOTHING, [ALL], {"AWS": USER}, **mfa)
    trust("the trust policy names another user", NOTHING, [ALL], {"AWS": OTHER})
    trust("an identity deny beats the trust policy", DENY, [NO], {"AWS": USER})
    trust("a boundary does not limit a named user", ALLOW, (), {"AWS": USER}, boundary=PUT)
    trust("a boundary limits the account", NOTHING, [ALL], {"AWS": HERE}, boundary=PUT)
    trust("a guardrail limits a named user", NOTHING, (), {"AWS": USER}, scp=[[PUT]])
    trust("TagSession is not part of AssumeRole", NOTHING, [ALL], {"AWS": USER}, "sts:TagSession", allowed="sts:AssumeRole")
    trust("SetSourceIdentity is not part of AssumeRole", NOTHING, [ALL], {"AWS": USER}, "sts:SetSourceIdentity", allowed=["sts:AssumeRole", "sts:TagSession"])
    trust("SetSourceIdentity across accounts needs both", NOTHING, (), {"AWS": OTHER}, "sts:SetSourceIdentity", who=OTHER)
    trust("a provider does not use another action", NOTHING, (), {"Federated": OIDC}, "sts:AssumeRole", who=OIDC, allowed="sts:AssumeRoleWithWebIdentity")
    trust("a provider by its host", ALLOW, (), {"Federated": "accounts.google.com"}, "sts:AssumeRoleWithWebIdentity", who="accounts.google.com")
    trust("the account does not trust its provider", NOTHING, (), {"AWS": HERE}, "sts:AssumeRoleWithWebIdentity", who=OIDC)
    subject = {"with_": {"Condition": {"StringEquals": {"idp.example.com:aud": "galen"}, "StringLike": {"idp.example.com:sub": "repo:org/*:ref:refs/heads/main"}}}}
    claims = {"idp.example.com:aud": "galen", "idp.example.com:sub": "repo:org/x:ref:refs/heads/main"}
    trust("audience and subject", ALLOW, (), {"Federated": OIDC}, "sts:AssumeRoleWithWebIdentity", who=OIDC, context=claims, **subject)
    trust("a subject that is a wildcard", NOTHING, (), {"Federated": OIDC}, "sts:AssumeRoleWithWebIdentity", who=OIDC, context={**claims, "idp.example.com:sub": "repo:*"}, **subject)
    trust("the root user assumes no role", NOTHING, (), {"AWS": HERE}, who=f"arn:aws:iam::{HERE}:root")
    case("who am I cannot be denied", ALLOW, [NO], action="sts:GetCallerIdentity", on="*", told=[])


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


for group in (order_and_selectors, variables, conditions, sides, trusts, evaluation_pages, boundary_page, principal_pages, element_pages, variable_page, operator_pages, trust_pages):
    group()
check(f"policy simulate: {len(CASES)} answers from the IAM user guide", answers)
