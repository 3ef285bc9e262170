"""A machine as its operators run it: boto3 with the credential_process of a service, and the token endpoint as any OAuth client asks it."""

import base64
import json
import os
import pathlib
import urllib.error
import urllib.parse
import urllib.request

import boto3

from common import READY, check, datasets_of, galen, granted_to_nobody, login, reader
from workspace import CONFIG, code

HOME = pathlib.Path(os.environ["HOME"])
NAME = "check-etl"
ROLE = reader()[1]
DATASET = datasets_of(ROLE)[0]
SECRET_FILE = HOME / "service-secret"


def become(who: str) -> None:
    """Each user of the machine has sign-ins of their own."""
    os.environ["XDG_CONFIG_HOME"] = str(HOME / f"config-{who}")


def administer(*words: str) -> dict:
    """What an administrator does, as JSON."""
    become("admin")
    told = galen("--output", "json", *words)
    become("machine")
    return json.loads(told) if told.strip() else {}


def approve(waits: dict) -> None:
    """The owner of the data approves what an administrator asked for."""
    become("owner")
    login(next(one for one in READY["people"] if one["username"] == DATASET["owner"]))
    galen("approval", "approve", waits["id"], "--reason", "the nightly load")
    become("machine")


def ask(basic: bool = False, **fields: str) -> tuple[int, dict]:
    """A request to the token endpoint; `client_id` and `client_secret` in the header or in the body."""
    fields = {"grant_type": "client_credentials", "client_id": NAME, "client_secret": SECRET_FILE.read_text().strip()} | fields
    headers = {}
    if basic:
        pair = ":".join(urllib.parse.quote_plus(fields.pop(name)) for name in ("client_id", "client_secret"))
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    request = urllib.request.Request(READY["web"] + "/oidc/token", urllib.parse.urlencode(fields).encode(), headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def claims(token: str) -> dict:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def profile():
    """The machine's S3, with credentials of the process that the profile names."""
    return boto3.Session(profile_name="galen").client("s3", config=CONFIG)


def first_key(s3) -> str:
    page = s3.list_objects_v2(Bucket=DATASET["bucket"], Prefix=DATASET["prefix"], MaxKeys=10)
    return next(one["Key"] for one in page["Contents"] if one["Size"] > 0)


def assume(token: str) -> dict:
    sts = boto3.client("sts", region_name=READY["region"], endpoint_url=READY["aws"], aws_access_key_id="x", aws_secret_access_key="x")
    return sts.assume_role_with_web_identity(RoleArn=ROLE["arn"], RoleSessionName="nightly", WebIdentityToken=token)


become("admin")
login(READY["admin"])
SERVICE = administer("service", "create", NAME, "--owner", reader()[0]["username"])
SECRET_FILE.touch(mode=0o600)
SECRET_FILE.write_text(SERVICE["secret"] + "\n")


def nothing_without_a_group():
    galen("login", "--endpoint", READY["web"], "--service", NAME, "--secret-file", str(SECRET_FILE), "--no-browser")
    galen("aws", "configure", code=1)
    answer = ask()[1]["access_token"]
    assert claims(answer)["https://aws.amazon.com/roles"] == [], claims(answer)
    assert code(lambda: assume(answer)) in ("AccessDenied", "InvalidIdentityToken")


def joins_with_a_second_person():
    waits = administer("membership", "create", "--group", ROLE["groups"][0], "--service", NAME)
    assert (waits["state"], waits["service_name"]) == ("waiting", NAME), waits
    approve(waits)
    rows = administer("membership", "list", "--group", ROLE["groups"][0])
    assert SERVICE["id"] in [row["service"] for row in rows], rows


def reads_what_it_may():
    galen("aws", "configure")
    s3 = profile()
    body = s3.get_object(Bucket=DATASET["bucket"], Key=first_key(s3))["Body"].read()
    assert body
    other = granted_to_nobody()
    refused = code(lambda: s3.get_object(Bucket=other["bucket"], Key=other["prefix"] + "any"))
    assert refused == "AccessDenied", refused
    written = code(lambda: s3.put_object(Bucket=DATASET["bucket"], Key=DATASET["prefix"] + "any", Body=b"x"))
    assert written == "AccessDenied", written
    identity = boto3.Session(profile_name="galen").client("sts").get_caller_identity()
    assert identity["Arn"].endswith(f"/{NAME}"), identity


def keeps_no_secret():
    secret = SECRET_FILE.read_text().strip()
    kept = [file for folder in (HOME / "config-machine", HOME / ".aws") for file in folder.rglob("*") if file.is_file()]
    assert kept and not [file for file in kept if secret in file.read_text()], kept


def token_endpoint():
    for basic in (False, True):
        status, answer = ask(basic)
        assert (status, sorted(answer)) == (200, ["access_token", "expires_in", "token_type"]), answer
        said = claims(answer["access_token"])
        assert (said["sub"], said["aud"], said["galen_kind"]) == (SERVICE["id"], "galen-aws", "service"), said
        assert said["https://aws.amazon.com/source_identity"] == SERVICE["id"], said
        session = assume(answer["access_token"])
        assert session["SourceIdentity"] == SERVICE["id"] == session["SubjectFromWebIdentityToken"], session
        assert session["AssumedRoleUser"]["Arn"].endswith("/nightly"), session
    for fields, status, error in (
        ({"client_secret": "gss_wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_id": "galen-cli"}, 401, "invalid_client"),
        ({"audience": "galen-cli"}, 400, "invalid_target"),
        ({"scope": "openid offline_access"}, 400, "invalid_scope"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ):
        got = ask(**fields)
        assert (got[0], got[1]["error"]) == (status, error), (fields, got)


def manages_nothing():
    galen("person", "list", code=1)
    galen("token", "--audience", "galen-cli", code=1)
    token = ask()[1]["access_token"]
    for path, body in (("session", {"id_token": token}), ("groups", None)):
        data = json.dumps(body).encode() if body else None
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            urllib.request.urlopen(urllib.request.Request(f"{READY['web']}/api/v1/{path}", data, headers))
            raise AssertionError(f"{path} was answered")
        except urllib.error.HTTPError as error:
            assert error.code in (400, 401, 403), error.code


def why_tells_it():
    s3 = profile()
    story = administer("why", "--service", NAME, "--resource", f"arn:aws:s3:::{DATASET['bucket']}/{first_key(s3)}")
    assert story["verdict"]["effect"] == "allowed", story
    assert f"service {NAME}, for which {reader()[0]['username']} answers, was allowed" in story["sentence"], story["sentence"]
    links = [link["link"] for link in story["chain"]]
    assert {"service", "session", "sign_in", "membership", "grant"} <= set(links), links


def a_new_secret_waits_for_a_second_person():
    waits = administer("service", "renew-secret", NAME, "--reason", "yearly")
    assert waits["state"] == "waiting" and waits["secret"].startswith("gss_"), waits
    assert ask(client_secret=waits["secret"])[0] == 401
    assert ask()[0] == 200
    administer("approval", "refuse", waits["id"], "--reason", "not now")


def revoke_cuts_it():
    s3 = profile()
    key, token = first_key(s3), ask()[1]["access_token"]
    rows = administer("session", "list", "--service", NAME)
    assert rows and all(row["service"] == SERVICE["id"] for row in rows), rows
    receipt = administer("revoke", "service", NAME, "--reason", "a test of the machine")
    assert receipt["statement"]["what"] == {"kind": "service", "service": SERVICE["id"]}, receipt
    cut = code(lambda: s3.get_object(Bucket=DATASET["bucket"], Key=key))
    assert cut == "ExpiredToken", cut
    assert administer("session", "list", "--service", NAME) == []
    old = code(lambda: assume(token))
    assert old in ("ExpiredTokenException", "ExpiredToken"), old
    # Its secret stays good: the next process signs in again.
    again = profile()
    assert again.get_object(Bucket=DATASET["bucket"], Key=key)["Body"].read()


def the_end_of_a_membership_is_live():
    s3 = profile()
    key = first_key(s3)
    rows = administer("membership", "list", "--service", NAME)
    administer("revoke", "membership", rows[0]["id"], "--reason", "another team loads now")
    assert code(lambda: s3.get_object(Bucket=DATASET["bucket"], Key=key)) in ("AccessDenied", "ExpiredToken")


def an_ended_service_is_refused():
    token = ask()[1]["access_token"]
    administer("service", "end", NAME, "--reason", "switched off")
    assert ask()[1]["error"] == "invalid_client"
    assert code(lambda: assume(token)) == "IDPRejectedClaim", code(lambda: assume(token))
    galen("token", code=1)
    # A namesake is another one.
    administer("service", "create", NAME, "--owner", reader()[0]["username"])
    assert ask()[1]["error"] == "invalid_client"
    assert administer("membership", "list", "--service", NAME) == []
    administer("service", "end", NAME, "--reason", "the test is over")


become("machine")
for name, run in (
    ("a service without a group gets nothing", nothing_without_a_group),
    ("a service joins a group with a second person", joins_with_a_second_person),
    ("a service reads what it may and nothing else", reads_what_it_may),
    ("the secret stays in its file", keeps_no_secret),
    ("the token endpoint and STS take a service", token_endpoint),
    ("a service manages nothing", manages_nothing),
    ("why tells of a service and its owner", why_tells_it),
    ("a new secret waits for a second person", a_new_secret_waits_for_a_second_person),
    ("revoke cuts a service", revoke_cuts_it),
    ("the end of a service's membership is live", the_end_of_a_membership_is_live),
    ("an ended service is refused, and a namesake is another", an_ended_service_is_refused),
):
    check(name, run)
