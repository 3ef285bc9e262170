"""What must not work, by boto3: other people's data, outsiders, borrowed and broken credentials, anonymous requests."""

import urllib.error
import urllib.request

import boto3
import botocore.config

from common import READY, check, credentials, datasets_of, galen, granted_to_nobody, login, person, reader, session
from workspace import code

GOT, ROLE = session()
DATASET = datasets_of(ROLE)[0]
S3 = boto3.client("s3", **GOT, config=botocore.config.Config(retries={"max_attempts": 1}))


def with_changes(**changes) -> object:
    return boto3.client("s3", **(GOT | changes), config=botocore.config.Config(retries={"max_attempts": 1}))


def no_grant():
    other = granted_to_nobody()
    for run in (
        lambda: S3.list_objects_v2(Bucket=other["bucket"], Prefix=other["prefix"]),
        lambda: S3.list_object_versions(Bucket=other["bucket"], Prefix=other["prefix"]),
        lambda: S3.get_object(Bucket=other["bucket"], Key=other["prefix"] + "any"),
        lambda: S3.put_object(Bucket=other["bucket"], Key=other["prefix"] + "any", Body=b"x"),
        lambda: S3.copy_object(
            Bucket=DATASET["bucket"], Key=DATASET["prefix"] + "stolen", CopySource={"Bucket": other["bucket"], "Key": other["prefix"] + "any"}
        ),
    ):
        assert code(run) == "AccessDenied", code(run)
    if other["bucket"] == DATASET["bucket"]:
        keys = [one["Key"] for page in S3.get_paginator("list_objects_v2").paginate(Bucket=other["bucket"]) for one in page.get("Contents", [])]
        assert not any(key.startswith(other["prefix"]) for key in keys), "a list shows what may not be read"


def refusal_names_its_decision():
    other = granted_to_nobody()
    try:
        S3.get_object(Bucket=other["bucket"], Key=other["prefix"] + "any")
        raise AssertionError("it was read")
    except botocore.exceptions.ClientError as error:
        message = error.response["Error"]["Message"]
    decision = message.rsplit("decision ", 1)[1].rstrip(")")
    auditors = [one for one in READY["people"] if "auditors" in one["groups"]]
    login(auditors[0] if auditors else READY["admin"])
    told = galen("why", "--decision", decision)
    assert told.strip(), told


def outsider():
    one = person(with_role=False)
    login(one)
    sts = boto3.client("sts", region_name=READY["region"], endpoint_url=READY["aws"], aws_access_key_id="x", aws_secret_access_key="x")
    token = galen("token").strip()
    refused = code(lambda: sts.assume_role_with_web_identity(RoleArn=ROLE["arn"], RoleSessionName="check", WebIdentityToken=token))
    # The provider lists the roles in the token, so another one is refused before its trust is read.
    assert refused in ("AccessDenied", "InvalidIdentityToken"), refused


def borrowed():
    assert code(lambda: with_changes(aws_session_token=None).list_buckets()) == "InvalidToken"
    broken = GOT["aws_session_token"][:-4] + ("AAAA" if not GOT["aws_session_token"].endswith("AAAA") else "BBBB")
    assert code(lambda: with_changes(aws_session_token=broken).list_buckets()) == "InvalidToken"
    assert code(lambda: with_changes(aws_secret_access_key="x" * 40).list_buckets()) == "SignatureDoesNotMatch"
    assert code(lambda: with_changes(aws_access_key_id="AKIAIOSFODNN7EXAMPLE").list_buckets()) == "InvalidAccessKeyId"
    login(reader()[0])
    second = credentials(ROLE)
    mixed = with_changes(aws_access_key_id=second["access_key_id"], aws_secret_access_key=second["secret_access_key"])
    if second["access_key_id"] != GOT["aws_access_key_id"]:
        assert code(lambda: mixed.list_buckets()) == "InvalidToken"
    assert code(lambda: with_changes(region_name="mars-1").list_buckets()) in ("AuthorizationHeaderMalformed", "PermanentRedirect")


def anonymous():
    for path in ("/", f"/{DATASET['bucket']}", f"/{DATASET['bucket']}/{DATASET['prefix']}any"):
        try:
            urllib.request.urlopen(READY["aws"].rstrip("/") + path)
            raise AssertionError(f"{path} was served to nobody")
        except urllib.error.HTTPError as error:
            assert error.code == 403, (path, error.code)


def other_services_say_so():
    glue = boto3.client("glue", **GOT)
    assert code(lambda: glue.get_databases()) == "UnknownOperationException"
    sts = boto3.client("sts", **GOT)
    assert code(lambda: sts.get_session_token()) == "InvalidAction"


check("a dataset without a grant, by every way", no_grant)
check("a refusal names its decision, and why explains it", refusal_names_its_decision)
check("a person without a role", outsider)
check("borrowed and broken credentials", borrowed)
check("anonymous requests", anonymous)
check("other services say so", other_services_say_so)
