"""boto3 against STS and S3: reads what a role may read, writes into a workspace, and the answers that SDKs depend on."""

import datetime
import io
import os
import urllib.request

import boto3
import botocore.exceptions

from common import READY, check, datasets_of, galen, login, reader, session
from workspace import client, code, make, remove

GOT, ROLE = session()
DATASET = datasets_of(ROLE)[0]
S3 = boto3.client("s3", **GOT)


def first_key() -> str:
    page = S3.list_objects_v2(Bucket=DATASET["bucket"], Prefix=DATASET["prefix"], MaxKeys=10)
    return next(one["Key"] for one in page["Contents"] if one["Size"] > 0)


def caller_identity():
    answer = boto3.client("sts", **GOT).get_caller_identity()
    assert ":assumed-role/" in answer["Arn"] and answer["UserId"].startswith("AROA"), answer


def presigned_caller_identity():
    for method in ("GET", "POST"):
        url = boto3.client("sts", **GOT).generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod=method)
        request = urllib.request.Request(url, method=method)
        assert b"GetCallerIdentityResult" in urllib.request.urlopen(request).read(), method


def web_identity():
    login(reader()[0])
    sts = boto3.client("sts", region_name=READY["region"], endpoint_url=READY["aws"], aws_access_key_id="x", aws_secret_access_key="x")
    token = galen("token").strip()
    answer = sts.assume_role_with_web_identity(RoleArn=ROLE["arn"], RoleSessionName="check", WebIdentityToken=token, DurationSeconds=900)
    life = answer["Credentials"]["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
    assert 800 < life.total_seconds() <= 900, life
    assert answer["Provider"] == READY["issuer"], answer["Provider"]
    broken = code(lambda: sts.assume_role_with_web_identity(RoleArn=ROLE["arn"], RoleSessionName="check", WebIdentityToken=token[:-6] + "AAAAAA"))
    assert broken == "InvalidIdentityToken", broken
    foreign = code(lambda: sts.assume_role_with_web_identity(RoleArn=ROLE["arn"] + "-none", RoleSessionName="check", WebIdentityToken=token))
    # The provider lists the roles in the token, so another one is refused before its trust is read.
    assert foreign in ("AccessDenied", "InvalidIdentityToken"), foreign


def credential_process():
    galen("aws", "configure")
    session = boto3.Session(profile_name="galen")
    names = [one["Name"] for one in session.client("s3").list_buckets()["Buckets"]]
    assert DATASET["bucket"] in names, names


def reads():
    key = first_key()
    head = S3.head_object(Bucket=DATASET["bucket"], Key=key)
    body = S3.get_object(Bucket=DATASET["bucket"], Key=key)["Body"].read()
    assert len(body) == head["ContentLength"] > 0
    part = S3.get_object(Bucket=DATASET["bucket"], Key=key, Range="bytes=1-4")
    assert part["Body"].read() == body[1:5] and part["ResponseMetadata"]["HTTPStatusCode"] == 206
    tail = S3.get_object(Bucket=DATASET["bucket"], Key=key, Range="bytes=-3")["Body"].read()
    assert tail == body[-3:]
    out = code(lambda: S3.get_object(Bucket=DATASET["bucket"], Key=key, Range=f"bytes={len(body)}-"))
    assert out == "InvalidRange", out
    same = code(lambda: S3.get_object(Bucket=DATASET["bucket"], Key=key, IfNoneMatch=head["ETag"]))
    assert same == "304", same
    other = code(lambda: S3.get_object(Bucket=DATASET["bucket"], Key=key, IfMatch='"other"'))
    assert other == "PreconditionFailed", other


def presigned_get():
    key = first_key()
    url = client({"access_key_id": GOT["aws_access_key_id"], "secret_access_key": GOT["aws_secret_access_key"], "session_token": GOT["aws_session_token"]}).generate_presigned_url(
        "get_object", Params={"Bucket": DATASET["bucket"], "Key": key, "ResponseContentType": "text/x-check"}, ExpiresIn=60
    )
    answer = urllib.request.urlopen(url)
    assert answer.headers["content-type"] == "text/x-check" and answer.read()
    request = urllib.request.Request(url, headers={"x-amz-acl": "public-read"})
    try:
        urllib.request.urlopen(request)
        raise AssertionError("an unsigned header was accepted")
    except urllib.error.HTTPError as error:
        assert error.code == 403, error.code


def signature_version_2_says_what_to_set():
    old = boto3.client("s3", **GOT, config=botocore.config.Config(signature_version="s3"))
    try:
        old.get_object(Bucket=DATASET["bucket"], Key=first_key())
        raise AssertionError("signature version 2 was accepted")
    except botocore.exceptions.ClientError as error:
        assert "s3v4" in error.response["Error"]["Message"], error.response


def writes():
    got, bucket = make()
    s3 = client(got)
    try:
        put = s3.put_object(Bucket=bucket, Key="a/small.txt", Body=b"one", Metadata={"k": "v"}, ContentType="text/plain", Tagging="t=1")
        assert put["VersionId"] and put["ChecksumCRC32"] if "ChecksumCRC32" in put else put["VersionId"]
        got_back = s3.get_object(Bucket=bucket, Key="a/small.txt", ChecksumMode="ENABLED")
        assert got_back["Body"].read() == b"one" and got_back["Metadata"] == {"k": "v"} and got_back["ContentType"] == "text/plain"
        assert s3.get_object_tagging(Bucket=bucket, Key="a/small.txt")["TagSet"] == [{"Key": "t", "Value": "1"}]
        again = code(lambda: s3.put_object(Bucket=bucket, Key="a/small.txt", Body=b"two", IfNoneMatch="*"))
        assert again == "PreconditionFailed", again
        s3.put_object(Bucket=bucket, Key="a/small.txt", Body=b"two")
        assert s3.get_object(Bucket=bucket, Key="a/small.txt", VersionId=put["VersionId"])["Body"].read() == b"one"
        large = os.urandom(12 << 20)
        s3.upload_fileobj(io.BytesIO(large), bucket, "b/large.bin")
        assert s3.get_object(Bucket=bucket, Key="b/large.bin")["Body"].read() == large
        s3.copy_object(Bucket=bucket, Key="b/copy.bin", CopySource={"Bucket": bucket, "Key": "b/large.bin"})
        assert s3.head_object(Bucket=bucket, Key="b/copy.bin")["ContentLength"] == len(large)
        folded = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
        assert [one["Prefix"] for one in folded["CommonPrefixes"]] == ["a/", "b/"], folded
        odd = "c/plus+ and space ü.txt"
        s3.put_object(Bucket=bucket, Key=odd, Body=b"x")
        assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket, Prefix="c/")["Contents"]] == [odd]
        pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 1}))
        assert sum(len(page.get("Contents", [])) for page in pages) == 4, len(pages)
        url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "d/put.txt"}, ExpiresIn=60)
        urllib.request.urlopen(urllib.request.Request(url, data=b"signed", method="PUT"))
        assert s3.get_object(Bucket=bucket, Key="d/put.txt")["Body"].read() == b"signed"
        s3.delete_object(Bucket=bucket, Key="d/put.txt")
        gone = code(lambda: s3.get_object(Bucket=bucket, Key="d/put.txt"))
        assert gone == "NoSuchKey", gone
        full = code(lambda: s3.delete_bucket(Bucket=bucket))
        assert full == "BucketNotEmpty", full
        asked = code(lambda: s3.put_object(Bucket=bucket, Key="e", Body=b"x", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate="2030-01-01T00:00:00Z"))
        assert asked == "NotImplemented", asked
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
        assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
        assert code(lambda: s3.get_bucket_website(Bucket=bucket)) == "NoSuchWebsiteConfiguration"
        for name in ("website", "lifecycle", "replication", "tagging", "encryption"):
            assert code(lambda: getattr(s3, f"delete_bucket_{name}")(Bucket=bucket)) == "none", name
        assert code(lambda: s3.delete_public_access_block(Bucket=bucket)) == "NotImplemented"
    finally:
        remove(got, bucket)
    assert code(lambda: s3.head_bucket(Bucket=bucket)) in ("404", "403")


check("GetCallerIdentity", caller_identity)
check("GetCallerIdentity, presigned", presigned_caller_identity)
check("AssumeRoleWithWebIdentity", web_identity)
check("credential_process by galen aws configure", credential_process)
check("head, get, ranges, conditions", reads)
check("presigned GET", presigned_get)
check("signature version 2 says what to set", signature_version_2_says_what_to_set)
check("a workspace bucket, written, read, listed, emptied", writes)
