"""What S3 test suites and everyday tools ask of a bucket that they made: lists, versions, parts, checksums, conditions, errors."""

import base64
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zlib

import botocore.exceptions

from common import READY, check
from workspace import client, code, keywords, make, remove

GOT, BUCKET = make()
S3 = client(GOT)
PART = 5 << 20


def status(run) -> tuple[str, int]:
    """The error code and status that a call ends with."""
    try:
        run()
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    return "none", 200


def put(*names: str) -> None:
    for name in names:
        S3.put_object(Bucket=BUCKET, Key=name, Body=name.encode())


def same(got, wanted) -> None:
    assert got == wanted, f"got {got!r}, wanted {wanted!r}"


def names(page: dict) -> tuple[list[str], list[str]]:
    return [one["Key"] for one in page.get("Contents", [])], [one["Prefix"] for one in page.get("CommonPrefixes", [])]


def lists():
    put("l/asdf", "l/bar", "l/baz", "l/cab", "l/foo", "l/foo/bar", "l/foo/baz/xyzzy", "l/quux/thud")
    for call in (S3.list_objects, S3.list_objects_v2):
        same(names(call(Bucket=BUCKET, Prefix="l/", Delimiter="/")), (["l/asdf", "l/bar", "l/baz", "l/cab", "l/foo"], ["l/foo/", "l/quux/"]))
        same(names(call(Bucket=BUCKET, Prefix="l/", Delimiter="oo/ba"))[1], ["l/foo/ba"])
        same(names(call(Bucket=BUCKET, MaxKeys=0)), ([], []))
        same(status(lambda: call(Bucket=BUCKET, MaxKeys=-1)), ("InvalidArgument", 400))
        same(status(lambda: call(Bucket="check-none-such")), ("NoSuchBucket", 404))
    page = S3.list_objects(Bucket=BUCKET, Prefix="l/", Delimiter="/", MaxKeys=1, Marker="l/foo")
    same((names(page), page["NextMarker"]), (([], ["l/foo/"]), "l/foo/"))
    same(names(S3.list_objects(Bucket=BUCKET, Prefix="l/", Delimiter="/", Marker="l/foo/"))[1], ["l/quux/"])
    page = S3.list_objects_v2(Bucket=BUCKET, Prefix="l/", Delimiter="/", MaxKeys=6)
    same((page["KeyCount"], page["IsTruncated"]), (6, True))
    rest = S3.list_objects_v2(Bucket=BUCKET, Prefix="l/", Delimiter="/", ContinuationToken=page["NextContinuationToken"])
    same(names(rest), ([], ["l/quux/"]))
    same(status(lambda: S3.list_objects_v2(Bucket=BUCKET, ContinuationToken="garbage")), ("InvalidArgument", 400))
    assert "Owner" not in page["Contents"][0]
    assert S3.list_objects_v2(Bucket=BUCKET, Prefix="l/", FetchOwner=True)["Contents"][0]["Owner"]["ID"]


def odd_names():
    odd = sorted(["o/a b", "o/a+b", "o/ä€😀", "o/x%2Fy", "o/<&>\"'", "o/b\\c", "o/~!@#$^*()_-=[]{}|;:,?"], key=str.encode)
    put(*odd)
    for name in odd:
        same(S3.get_object(Bucket=BUCKET, Key=name)["Body"].read(), name.encode())
        S3.copy_object(Bucket=BUCKET, Key="p" + name, CopySource={"Bucket": BUCKET, "Key": name})
    same(names(S3.list_objects_v2(Bucket=BUCKET, Prefix="o/"))[0], odd)
    deleted = S3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": name} for name in odd]})
    same(sorted((one["Key"] for one in deleted["Deleted"]), key=str.encode), odd)
    for name in ("a//b", "../x", "a/./b", "/lead", "a\nb"):
        same(status(lambda: S3.put_object(Bucket=BUCKET, Key=name, Body=b"")), ("InvalidArgument", 400))
    same(status(lambda: S3.put_object(Bucket=BUCKET, Key="k" * 1025, Body=b"")), ("KeyTooLongError", 400))
    thousand = [{"Key": f"none/{n}"} for n in range(1001)]
    assert "Deleted" not in S3.delete_objects(Bucket=BUCKET, Delete={"Objects": thousand[:1000], "Quiet": True})
    same(status(lambda: S3.delete_objects(Bucket=BUCKET, Delete={"Objects": thousand})), ("MalformedXML", 400))


def versions():
    ids = [S3.put_object(Bucket=BUCKET, Key="v/a", Body=str(n))["VersionId"] for n in range(4)]
    marker = S3.delete_object(Bucket=BUCKET, Key="v/a")["VersionId"]
    seen = S3.list_object_versions(Bucket=BUCKET, Prefix="v/")
    same([one["VersionId"] for one in seen["Versions"]], ids[::-1])
    same((seen["DeleteMarkers"][0]["VersionId"], seen["DeleteMarkers"][0]["IsLatest"]), (marker, True))
    same(status(lambda: S3.get_object(Bucket=BUCKET, Key="v/a", VersionId=marker)), ("MethodNotAllowed", 405))
    same(S3.get_object(Bucket=BUCKET, Key="v/a", VersionId=ids[1])["Body"].read(), b"1")
    S3.delete_object(Bucket=BUCKET, Key="v/a", VersionId=marker)
    same(S3.get_object(Bucket=BUCKET, Key="v/a")["Body"].read(), b"3")
    pages = S3.get_paginator("list_object_versions").paginate(Bucket=BUCKET, Prefix="v/", PaginationConfig={"PageSize": 1})
    same([one["VersionId"] for page in pages for one in page.get("Versions", [])], ids[::-1])


def parts():
    body = os.urandom(2 * PART + 100)
    upload = {"Bucket": BUCKET, "Key": "mp", "UploadId": S3.create_multipart_upload(Bucket=BUCKET, Key="mp", Metadata={"a": "b"})["UploadId"]}
    send = lambda n: {"PartNumber": n, "ETag": S3.upload_part(**upload, PartNumber=n, Body=body[(n - 1) * PART : n * PART])["ETag"]}
    complete = lambda *list_: S3.complete_multipart_upload(**upload, MultipartUpload={"Parts": list(list_)})
    three, one, two = send(3), send(1), send(2)
    two = send(2)
    page = S3.list_parts(**upload, MaxParts=2)
    same(([part["PartNumber"] for part in page["Parts"]], page["NextPartNumberMarker"]), ([1, 2], 2))
    assert page["Initiator"]["ID"] == page["Owner"]["ID"]
    same(status(lambda: complete(two, one)), ("InvalidPartOrder", 400))
    same(status(lambda: complete(one | {"ETag": '"0"'})), ("InvalidPart", 400))
    same(status(lambda: complete(three, one | {"PartNumber": 4}))[0], "InvalidPart")
    assert complete(one, two, three)["ETag"].endswith('-3"')
    got = S3.get_object(Bucket=BUCKET, Key="mp", Range=f"bytes={PART - 5}-{PART + 5}")
    same((got["Body"].read(), got["Metadata"]), (body[PART - 5 : PART + 6], {"a": "b"}))
    head = S3.head_object(Bucket=BUCKET, Key="mp", PartNumber=3)
    same((head["ContentLength"], head["PartsCount"], head["ResponseMetadata"]["HTTPStatusCode"]), (100, 3, 206))
    same(status(lambda: S3.get_object(Bucket=BUCKET, Key="mp", PartNumber=4)), ("InvalidPartNumber", 416))
    same(status(lambda: send(1)), ("NoSuchUpload", 404))
    upload["UploadId"] = S3.create_multipart_upload(Bucket=BUCKET, Key="mp")["UploadId"]
    copied = S3.upload_part_copy(**upload, PartNumber=1, CopySource=f"{BUCKET}/mp", CopySourceRange="bytes=0-9")["CopyPartResult"]
    small = {"PartNumber": 1, "ETag": copied["ETag"]}
    same(status(lambda: complete(small, send(2))), ("EntityTooSmall", 400))
    complete(small)
    same(S3.get_object(Bucket=BUCKET, Key="mp")["Body"].read(), body[:10])


def checksums():
    body = os.urandom(PART + 100)
    for algorithm, kind in (("SHA256", "COMPOSITE"), ("CRC32", "FULL_OBJECT")):
        begun = S3.create_multipart_upload(Bucket=BUCKET, Key="sum", ChecksumAlgorithm=algorithm, ChecksumType=kind)
        upload, field, done = {"Bucket": BUCKET, "Key": "sum", "UploadId": begun["UploadId"]}, f"Checksum{algorithm}", []
        for n in (1, 2):
            sent = S3.upload_part(**upload, PartNumber=n, Body=body[(n - 1) * PART : n * PART], ChecksumAlgorithm=algorithm)
            done.append({"PartNumber": n, "ETag": sent["ETag"], field: sent[field]})
        swapped = [done[0] | {field: done[1][field]}, done[1]]
        same(status(lambda: S3.complete_multipart_upload(**upload, MultipartUpload={"Parts": swapped}))[1], 400)
        got = S3.complete_multipart_upload(**upload, MultipartUpload={"Parts": done})[field]
        if kind == "COMPOSITE":
            each = b"".join(base64.b64decode(one[field]) for one in done)
            same(got, base64.b64encode(hashlib.sha256(each).digest()).decode() + "-2")
        else:
            same(got, base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode())
        head = S3.head_object(Bucket=BUCKET, Key="sum", ChecksumMode="ENABLED")
        same((head[field], head["ChecksumType"]), (got, kind))
    wrong = base64.b64encode(bytes(32)).decode()
    same(status(lambda: S3.put_object(Bucket=BUCKET, Key="bad", Body=b"x", ChecksumSHA256=wrong)), ("BadDigest", 400))
    same(status(lambda: S3.get_object(Bucket=BUCKET, Key="bad")), ("NoSuchKey", 404))


def conditions():
    etag = S3.put_object(Bucket=BUCKET, Key="c", Body=b"one")["ETag"]
    failed = ("PreconditionFailed", 412)
    same(status(lambda: S3.put_object(Bucket=BUCKET, Key="c", Body=b"x", IfMatch='"other"')), failed)
    same(status(lambda: S3.put_object(Bucket=BUCKET, Key="c", Body=b"x", IfNoneMatch="*")), failed)
    same(status(lambda: S3.put_object(Bucket=BUCKET, Key="none", Body=b"x", IfMatch=etag)), ("NoSuchKey", 404))
    same(status(lambda: S3.copy_object(Bucket=BUCKET, Key="d", CopySource=f"{BUCKET}/c", CopySourceIfNoneMatch=etag)), failed)
    same(status(lambda: S3.get_object(Bucket=BUCKET, Key="c", IfNoneMatch=etag))[1], 304)
    same(status(lambda: S3.copy_object(Bucket=BUCKET, Key="c", CopySource=f"{BUCKET}/c")), ("InvalidRequest", 400))
    S3.put_object(Bucket=BUCKET, Key="c", Body=b"two", IfMatch=etag)


def errors_name_the_request():
    for path in (f"/{BUCKET}", f"/{BUCKET}/none", "/check-none-such/none"):
        try:
            urllib.request.urlopen(READY["aws"] + path)
            raise AssertionError(f"{path} was served to nobody")
        except urllib.error.HTTPError as error:
            told = error.read().decode()
            assert error.code == 403 and f"<RequestId>{error.headers['x-amz-request-id']}</RequestId>" in told, told


def settings():
    for call, wanted in (
        (S3.get_bucket_policy, "NoSuchBucketPolicy"),
        (S3.get_bucket_cors, "NoSuchCORSConfiguration"),
        (S3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration"),
    ):
        same(code(lambda: call(Bucket=BUCKET)), wanted)
    same(S3.get_bucket_policy_status(Bucket=BUCKET)["PolicyStatus"]["IsPublic"], False)
    same(status(lambda: S3.put_object_acl(Bucket=BUCKET, Key="c", ACL="public-read")), ("AccessControlListNotSupported", 400))
    same(status(lambda: S3.put_bucket_policy(Bucket=BUCKET, Policy="{}")), ("MalformedPolicy", 400))
    same(code(lambda: S3.create_bucket(Bucket=BUCKET)), "BucketAlreadyOwnedByYou")
    tags = [{"Key": str(n), "Value": ""} for n in range(11)]
    same(status(lambda: S3.put_object_tagging(Bucket=BUCKET, Key="c", Tagging={"TagSet": tags}))[1], 400)


def synchronised():
    """A tree with an empty file and one in parts: the client sends both on one connection, each after `Expect`."""
    aws = str(pathlib.Path(sys.executable).parent / "aws")
    given = keywords(GOT)
    environment = os.environ | {
        "AWS_ENDPOINT_URL": given["endpoint_url"],
        "AWS_DEFAULT_REGION": given["region_name"],
        "AWS_ACCESS_KEY_ID": given["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": given["aws_secret_access_key"],
        "AWS_SESSION_TOKEN": given["aws_session_token"],
    }

    def run(*words: str) -> str:
        done = subprocess.run([aws, "s3", *words], env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    with tempfile.TemporaryDirectory() as folder:
        here, back = pathlib.Path(folder, "here"), pathlib.Path(folder, "back")
        (here / "d/e").mkdir(parents=True)
        (here / "empty").touch()
        (here / "d/b +ü.csv").write_text("b")
        (here / "d/e/parts.bin").write_bytes(os.urandom(20 << 20))
        run("sync", str(here), f"s3://{BUCKET}/tree/")
        same(run("sync", str(here), f"s3://{BUCKET}/tree/"), "")
        run("cp", "--recursive", f"s3://{BUCKET}/tree/", f"s3://{BUCKET}/copy/")
        run("mv", f"s3://{BUCKET}/copy/d/e/parts.bin", f"s3://{BUCKET}/copy/moved.bin")
        run("mv", f"s3://{BUCKET}/copy/moved.bin", f"s3://{BUCKET}/copy/d/e/parts.bin")
        run("sync", f"s3://{BUCKET}/copy/", str(back))
        same(subprocess.run(["diff", "-r", str(here), str(back)]).returncode, 0)
        run("rm", "--recursive", f"s3://{BUCKET}/copy/")
        same(names(S3.list_objects_v2(Bucket=BUCKET, Prefix="copy/")), ([], []))


try:
    for one in (lists, odd_names, versions, parts, checksums, conditions, errors_name_the_request, settings, synchronised):
        check(f"compatibility: {one.__name__.replace('_', ' ')}", one)
finally:
    remove(GOT, BUCKET)
