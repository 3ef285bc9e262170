"""A bucket to write into: made by the first role of the ready line that may make one, and emptied and removed at the end."""

import uuid

import boto3
import botocore.config
import botocore.exceptions

from common import READY, credentials, login, roles_of

CONFIG = botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"max_attempts": 1})


def keywords(got: dict) -> dict:
    """What every boto3 client is made from."""
    return {
        "aws_access_key_id": got["access_key_id"],
        "aws_secret_access_key": got["secret_access_key"],
        "aws_session_token": got["session_token"],
        "region_name": READY["region"],
        "endpoint_url": READY["aws"],
    }


def client(got: dict, service: str = "s3", **extra):
    """A boto3 client of one set of credentials."""
    return boto3.client(service, **keywords(got), config=CONFIG.merge(botocore.config.Config(**extra)))


def code(run) -> str:
    """The error code that a call ends with; `none` when it succeeds."""
    try:
        run()
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return "none"


def make() -> tuple[dict, str]:
    """Credentials and the name of a new workspace bucket that they own."""
    seen = []
    for person in READY["people"]:
        for role in roles_of(person):
            login(person)
            got = credentials(role)
            bucket = f"check-{uuid.uuid4().hex[:12]}"
            outcome = code(lambda: client(got).create_bucket(Bucket=bucket))
            if outcome == "none":
                return got, bucket
            seen.append(f"{person['username']} as {role['arn']}: {outcome}")
    raise AssertionError(f"no role of the ready line may make a bucket: {seen}")


def remove(got: dict, bucket: str) -> None:
    """Removes every version, marker and upload, then the bucket."""
    s3 = client(got)
    for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        items = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in page.get("Versions", []) + page.get("DeleteMarkers", [])]
        if items:
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": items})
            assert not answer.get("Errors"), answer["Errors"]
    s3.delete_bucket(Bucket=bucket)
