"""What public S3 test suites ask, group by group, where `check_compat.py` does not: settings, ranges, copies, tags, checksums, bad requests."""

import base64
import datetime
import http.client
import os

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions

from common import READY, check
from workspace import client, keywords, make, remove

GOT, BUCKET = make()
S3 = client(GOT)
GIVEN = keywords(GOT)
PART = 5 << 20


def same(got, wanted) -> None:
    assert got == wanted, f"got {got!r}, wanted {wanted!r}"


def status(run) -> tuple[str, int]:
    """The error code and status that a call ends with."""
    try:
        run()
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    return "none", 200


def put(key: str, **extra) -> dict:
    return S3.put_object(**{"Bucket": BUCKET, "Key": key, "Body": b"bar"} | extra)


def raw(method: str, target: str, body: bytes = b"", sent: bytes | None = None, after: dict = {}, **headers) -> tuple[int, str]:
    """A signed request that no SDK would send; `after` and `sent` replace headers and body when the signature is made."""
    request = botocore.awsrequest.AWSRequest(method, READY["aws"] + target, data=body)
    for name, value in headers.items():
        request.headers[name.replace("_", "-")] = value
    who = (GIVEN["aws_access_key_id"], GIVEN["aws_secret_access_key"], GIVEN["aws_session_token"])
    botocore.auth.S3SigV4Auth(botocore.credentials.Credentials(*who), "s3", READY["region"]).add_auth(request)
    signed = {name: value.decode() if isinstance(value, bytes) else value for name, value in request.prepare().headers.items()}
    scheme, _, host = READY["aws"].partition("://")
    connection = (http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection)(host, timeout=30)
    connection.request(method, target, body if sent is None else sent, signed | after)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def settings():
    for name, code in (
        ("tagging", "NoSuchTagSet"),
        ("lifecycle_configuration", "NoSuchLifecycleConfiguration"),
        ("replication", "ReplicationConfigurationNotFoundError"),
        ("website", "NoSuchWebsiteConfiguration"),
        ("cors", "NoSuchCORSConfiguration"),
        ("policy", "NoSuchBucketPolicy"),
    ):
        same(status(lambda: getattr(S3, f"get_bucket_{name}")(Bucket=BUCKET)), (code, 404))
        same(status(lambda: getattr(S3, f"get_bucket_{name}")(Bucket="check-none-such")), ("NoSuchBucket", 404))
    same(status(lambda: S3.get_object_lock_configuration(Bucket=BUCKET)), ("ObjectLockConfigurationNotFoundError", 404))
    bare = lambda call: {name: value for name, value in call(Bucket=BUCKET).items() if name != "ResponseMetadata"}
    for call in (S3.get_bucket_logging, S3.get_bucket_notification_configuration, S3.get_bucket_accelerate_configuration):
        same(bare(call), {})
    same(bare(S3.get_bucket_request_payment), {"Payer": "BucketOwner"})
    same(bare(S3.get_bucket_location), {"LocationConstraint": None if READY["region"] == "us-east-1" else READY["region"]})
    S3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration=bare(S3.get_bucket_versioning))
    S3.put_public_access_block(Bucket=BUCKET, **bare(S3.get_public_access_block))
    S3.put_bucket_ownership_controls(Bucket=BUCKET, **bare(S3.get_bucket_ownership_controls))
    S3.put_bucket_encryption(Bucket=BUCKET, **bare(S3.get_bucket_encryption))
    acl = bare(S3.get_bucket_acl)
    S3.put_bucket_acl(Bucket=BUCKET, AccessControlPolicy=acl)
    S3.put_bucket_acl(Bucket=BUCKET, ACL="private")
    same(status(lambda: S3.put_bucket_acl(Bucket=BUCKET, ACL="public-read")), ("AccessControlListNotSupported", 400))
    put("acl")
    S3.put_object_acl(Bucket=BUCKET, Key="acl", AccessControlPolicy=bare(lambda **_: S3.get_object_acl(Bucket=BUCKET, Key="acl")))
    same(status(lambda: S3.get_object_acl(Bucket=BUCKET, Key="none")), ("NoSuchKey", 404))
    same(status(lambda: S3.get_object_retention(Bucket=BUCKET, Key="acl")), ("InvalidRequest", 400))
    for rule in ("ObjectWriter", "BucketOwnerPreferred"):
        wish = {"Rules": [{"ObjectOwnership": rule}]}
        same(status(lambda: S3.put_bucket_ownership_controls(Bucket=BUCKET, OwnershipControls=wish)), ("NotImplemented", 501))


def ranges():
    put("r", Body=b"testcontent")
    read = lambda range_, key="r": S3.get_object(Bucket=BUCKET, Key=key, Range=range_)
    same([read(range_)["Body"].read() for range_ in ("bytes=4-7", "bytes=4-", "bytes=-7", "bytes=4-99")], [b"cont", b"content", b"content", b"content"])
    for range_ in ("bytes=40-50", "bytes=-0", "bytes=11-"):
        same(status(lambda: read(range_)), ("InvalidRange", 416))
    put("r0", Body=b"")
    same(status(lambda: read("bytes=0-0", "r0")), ("InvalidRange", 416))
    put("r5", Body=b"x" * 5)
    upload = {"Bucket": BUCKET, "Key": "rc", "UploadId": S3.create_multipart_upload(Bucket=BUCKET, Key="rc")["UploadId"]}
    part = lambda range_: S3.upload_part_copy(**upload, PartNumber=1, CopySource=f"{BUCKET}/r5", CopySourceRange=range_)
    same(status(lambda: part("bytes=0-21")), ("InvalidRange", 416))
    for range_ in ("0-2", "bytes=0", "bytes=hello-world", "bytes=0-bar", "bytes=0-2,3-5", "bytes=4-2"):
        same(status(lambda: part(range_)), ("InvalidArgument", 400))
    S3.abort_multipart_upload(**upload)
    same(status(lambda: part("bytes=0-1")), ("NoSuchUpload", 404))


def overrides():
    put("o", CacheControl="public", ContentLanguage="da", Metadata={"a": "", "b": "x  y"}, Expires=datetime.datetime(2030, 1, 1))
    asked = {"CacheControl": "no-cache", "ContentDisposition": "bla", "ContentEncoding": "aaa", "ContentLanguage": "eo", "ContentType": "foo/bar"}
    for call in (S3.get_object, S3.head_object):
        got = call(Bucket=BUCKET, Key="o", **{f"Response{name}": value for name, value in asked.items()})
        same({name: got[name] for name in asked}, asked)
        same((got["Metadata"]["a"], got["ExpiresString"]), ("", "Tue, 01 Jan 2030 00:00:00 GMT"))
    same(status(lambda: put("o", Metadata={"a": "x" * 2048})), ("MetadataTooLarge", 400))


def copies():
    first = put("c", Metadata={"a": "b"}, ContentType="text/x")["VersionId"]
    put("c", Body=b"new")
    source = {"Bucket": BUCKET, "Key": "c"}
    copy = lambda key="c", **extra: S3.copy_object(**{"Bucket": BUCKET, "Key": key, "CopySource": source} | extra)
    same(status(copy), ("InvalidRequest", 400))
    copy(MetadataDirective="REPLACE", Metadata={"foo": "bar"})
    copy(StorageClass="STANDARD")
    copy(ServerSideEncryption="AES256")
    same(S3.head_object(Bucket=BUCKET, Key="c")["Metadata"], {"foo": "bar"})
    copy(CopySource=source | {"VersionId": first})
    got = S3.get_object(Bucket=BUCKET, Key="c")
    same((got["Body"].read(), got["Metadata"], got["ContentType"]), (b"bar", {"a": "b"}, "text/x"))
    same(status(lambda: copy("d", CopySource=source | {"Key": "none"})), ("NoSuchKey", 404))
    same(status(lambda: copy("d", CopySource=source | {"Bucket": "check-none-such"})), ("NoSuchBucket", 404))
    same(status(lambda: copy("d", CopySource="none")), ("InvalidArgument", 400))
    same(status(lambda: copy("d", MetadataDirective="FOO")), ("InvalidArgument", 400))
    copy("d", IfNoneMatch="*")
    same(status(lambda: copy("d", IfNoneMatch="*")), ("PreconditionFailed", 412))


def versions():
    first, second = put("v")["VersionId"], put("v")["VersionId"]
    for _ in range(2):
        S3.delete_object(Bucket=BUCKET, Key="v", VersionId=first)
        assert not S3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "v", "VersionId": first}]}).get("Errors")
    same(status(lambda: S3.get_object(Bucket=BUCKET, Key="v", VersionId=first)), ("NoSuchVersion", 404))
    # A version that is not there, as `null` never is, is deleted already.
    bad = ("InvalidArgument", 400)
    for name, read, deleted in (("null", ("NoSuchVersion", 404), ("none", 200)), ("lalala", bad, bad)):
        same(status(lambda: S3.get_object(Bucket=BUCKET, Key="v", VersionId=name)), read)
        same(status(lambda: S3.delete_object(Bucket=BUCKET, Key="v", VersionId=name)), deleted)
    marker = S3.delete_object(Bucket=BUCKET, Key="v")
    same(status(lambda: S3.head_object(Bucket=BUCKET, Key="v")), ("404", 404))
    same(status(lambda: S3.head_object(Bucket=BUCKET, Key="v", VersionId=marker["VersionId"])), ("405", 405))
    gone = S3.delete_object(Bucket=BUCKET, Key="v", VersionId=marker["VersionId"])
    same((gone["DeleteMarker"], gone["VersionId"]), (True, marker["VersionId"]))
    same(S3.head_object(Bucket=BUCKET, Key="v")["VersionId"], second)
    tag = put("v")["ETag"]
    remove_ = lambda etag: S3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "v", "ETag": etag}]})
    same(remove_('"0"')["Errors"][0]["Code"], "PreconditionFailed")
    assert "Errors" not in remove_(tag)
    same(status(lambda: S3.delete_object(Bucket=BUCKET, Key="v", IfMatch="*")), ("NoSuchKey", 404))
    same(status(lambda: S3.delete_objects(Bucket="check-none-such", Delete={"Objects": [{"Key": "v"}]})), ("NoSuchBucket", 404))


def tags():
    put("t", Tagging="foo=bar&bar")
    same(S3.get_object(Bucket=BUCKET, Key="t")["TagCount"], 2)
    make_ = lambda count, key=1, value=1: {"TagSet": [{"Key": str(n).ljust(key, "k"), "Value": "v" * value} for n in range(count)]}
    tag = lambda set_: S3.put_object_tagging(Bucket=BUCKET, Key="t", Tagging=set_)
    tag(make_(10, 128, 256))
    same(len(S3.get_object_tagging(Bucket=BUCKET, Key="t")["TagSet"]), 10)
    same(status(lambda: tag(make_(11))), ("BadRequest", 400))
    twice = {"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}
    for bad in (make_(1, 129), make_(1, 1, 257), twice, {"TagSet": [{"Key": "aws:x", "Value": ""}]}):
        same(status(lambda: tag(bad)), ("InvalidTag", 400))
    same(status(lambda: put("t", Tagging="a=1&a=2")), ("InvalidTag", 400))
    S3.delete_object_tagging(Bucket=BUCKET, Key="t")
    same(S3.get_object_tagging(Bucket=BUCKET, Key="t")["TagSet"], [])


def checksums():
    """Every algorithm, in a header, as the SDK's trailer, and over parts in each type that S3 makes of it."""
    sizes = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32}
    both = {"CRC32": ("COMPOSITE", "FULL_OBJECT"), "CRC32C": ("COMPOSITE", "FULL_OBJECT"), "CRC64NVME": ("FULL_OBJECT",)}
    for algorithm, size in sizes.items():
        field = f"Checksum{algorithm}"
        value = put("k", ChecksumAlgorithm=algorithm)[field]
        for call in (S3.get_object, S3.head_object):
            got = call(Bucket=BUCKET, Key="k", ChecksumMode="ENABLED")
            same((got[field], got["ChecksumType"]), (value, "FULL_OBJECT"))
        same(S3.get_object_attributes(Bucket=BUCKET, Key="k", ObjectAttributes=["Checksum"])["Checksum"][field], value)
        put("k", **{field: value})
        same(status(lambda: put("k", **{field: base64.b64encode(bytes(size)).decode()})), ("BadDigest", 400))
        same(status(lambda: put("k", **{field: "zz"})), ("InvalidRequest", 400))
        kinds = both.get(algorithm, ("COMPOSITE",))
        for kind in ("COMPOSITE", "FULL_OBJECT"):
            wish = {"Bucket": BUCKET, "Key": "m", "ChecksumAlgorithm": algorithm, "ChecksumType": kind}
            if kind in kinds:
                in_parts(wish, field)
            else:
                same(status(lambda: S3.create_multipart_upload(**wish)), ("InvalidRequest", 400))


def in_parts(wish: dict, field: str) -> None:
    upload = {"Bucket": BUCKET, "Key": "m", "UploadId": S3.create_multipart_upload(**wish)["UploadId"]}
    done = []
    for number, body in ((1, bytes(PART)), (2, os.urandom(10))):
        sent = S3.upload_part(**upload, PartNumber=number, Body=body, ChecksumAlgorithm=wish["ChecksumAlgorithm"])
        done.append({"PartNumber": number, "ETag": sent["ETag"], field: sent[field]})
    listed = S3.list_parts(**upload)
    same((listed["ChecksumType"], [part[field] for part in listed["Parts"]]), (wish["ChecksumType"], [part[field] for part in done]))
    whole = S3.complete_multipart_upload(**upload, MultipartUpload={"Parts": done})
    same(S3.complete_multipart_upload(**upload, MultipartUpload={"Parts": done})["ETag"], whole["ETag"])
    head = S3.head_object(Bucket=BUCKET, Key="m", ChecksumMode="ENABLED")
    same((head[field], head["ChecksumType"]), (whole[field], wish["ChecksumType"]))
    same(S3.get_object(Bucket=BUCKET, Key="m", ChecksumMode="ENABLED")["Body"].read()[:PART], bytes(PART))
    parts = S3.get_object_attributes(Bucket=BUCKET, Key="m", ObjectAttributes=["ObjectParts"])["ObjectParts"]
    same((parts["TotalPartsCount"], [part[field] for part in parts["Parts"]]), (2, [part[field] for part in done]))


def bad_requests():
    """Each names what is wrong, and most where and what to do."""
    place, object_ = f"/{BUCKET}", f"/{BUCKET}/bad"
    versioning = b"<VersioningConfiguration>\n<Status>Enabled</Status></VersioningConfiguration>"
    swapped = versioning.replace(b"Enabled", b"enabled")
    unknown = b"<CreateBucketConfiguration><Replicas>2</Replicas></CreateBucketConfiguration>"
    scope = f"20150930/{READY['region']}/s3/aws4_request"
    credential = f"AWS4-HMAC-SHA256 Credential=AKIAIGR7ZNNBHC5BKSUB/{scope},SignedHeaders=host,Signature=FWe"
    elsewhere = credential.replace(scope, "20150930/x/s3/aws4_request")
    for (got, told), wanted, code, words in (
        (raw("PUT", object_, b"bar", sent=b"baz"), 400, "XAmzContentSHA256Mismatch", "x-amz-content-sha256"),
        (raw("PUT", object_, b"bar", after={"Authorization": ""}), 403, "AccessDenied", "Signature Version 4"),
        (raw("PUT", object_, b"bar", after={"Authorization": "Bearer x"}), 400, "InvalidArgument", "Signature Version 4"),
        (raw("PUT", object_, b"bar", after={"Authorization": credential}), 403, "SignatureDoesNotMatch", "Signature="),
        (raw("PUT", object_, b"bar", after={"Authorization": elsewhere}), 400, "AuthorizationHeaderMalformed", "expecting"),
        (raw("PUT", object_, b"bar", after={"x-amz-meta-a": "b"}), 403, "AccessDenied", "must be signed"),
        (raw("PUT", object_, b"bar", Content_MD5="AWS HAHAHA"), 400, "InvalidDigest", "sixteen bytes"),
        (raw("PUT", object_, b"bar", Content_MD5="rL0Y20zC+Fzt72VPzMSk2A=="), 400, "BadDigest", "MD5"),
        (raw("PUT", object_, b"bar", x_amz_server_side_encryption="aes:123"), 400, "InvalidArgument", "AES256 or aws:kms"),
        (raw("PUT", object_, b"bar", x_amz_storage_class="ZZZ"), 400, "InvalidStorageClass", "STANDARD"),
        (raw("PUT", object_, b"bar", x_amz_grant_read="uri=x"), 400, "AccessControlListNotSupported", "remove"),
        (raw("PUT", place + "?versioning", versioning[:-3]), 400, "MalformedXML", "line 2"),
        (raw("PUT", place + "?versioning"), 400, "MissingRequestBodyError", "VersioningConfiguration"),
        (raw("PUT", place + "?versioning", versioning, sent=swapped), 400, "XAmzContentSHA256Mismatch", "x-amz-content-sha256"),
        (raw("PUT", "/check-unknown-element", unknown), 400, "MalformedXML", "`Replicas` is not read"),
        (raw("POST", place + "?delete", b"<Delete><Object/></Delete>"), 400, "MalformedXML", "needs the element `Key`"),
        (raw("GET", place + "?max-keys=blah"), 400, "InvalidArgument", "`max-keys`"),
        (raw("GET", place + "/foo?partNumber=abc"), 400, "InvalidArgument", "`partNumber`"),
        (raw("GET", place + "/foo?versionId="), 400, "InvalidArgument", "version id"),
        (raw("GET", place + "/%ff"), 400, "InvalidURI", "UTF-8"),
        (raw("GET", place + "/foo", If_Modified_Since="yesterday"), 400, "InvalidArgument", "send a date"),
        (raw("PUT", place + "/" + "k" * 1025, b"x"), 400, "KeyTooLongError", "1,024 bytes"),
        (raw("PUT", "/Bad_Name"), 400, "InvalidBucketName", "3 to 63"),
        (raw("POST", object_), 501, "NotImplemented", "no operation"),
    ):
        assert got == wanted and f"<Code>{code}</Code>" in told and words in told, f"wanted {wanted} {code} {words}: got {got} {told}"
    same(status(lambda: S3.get_object(Bucket=BUCKET, Key="bad")), ("NoSuchKey", 404))


try:
    for one in (settings, ranges, overrides, copies, versions, tags, checksums, bad_requests):
        check(f"suites: {one.__name__.replace('_', ' ')}", one)
finally:
    remove(GOT, BUCKET)
