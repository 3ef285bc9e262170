"""Bad input from outside, by raw sockets: each gets the protocol's own error with a message, changes nothing, and is recorded."""

import base64
import concurrent.futures
import hashlib
import json
import pathlib
import re
import sys
import time
import urllib.parse
import uuid

from common import READY, check, galen, login, person, reader
from verify_ledger import entries_of
from wire import AWS, WEB, Signer, api, authorization_code, exchange, now, redeem, request, sts, sts_form, token_endpoint
from workspace import make, remove

# Failures of nobody are written when their minute has ended.
COUNTED_SECONDS_MAX = 90

GOT, BUCKET = make()
S3 = Signer(GOT)
MAKER = Signer(GOT, "sts")
READER, ROLE = reader()
# Requests of somebody known that were refused, and sessions that were cut and used three times.
DENIED: list[str] = []
ENDED: list[str] = []


def refused(answer: tuple[int, dict, bytes], status: int | tuple, code: str | tuple, what: str = "") -> str:
    """The answer is an XML error of this status and code, with a message; gives the message."""
    got, _, body = answer
    text = body.decode()
    statuses, codes = ((one,) if isinstance(one, (int, str)) else one for one in (status, code))
    found, message = re.search(r"<Code>(.*?)</Code>", text), re.search(r"<Message>(.+?)</Message>", text, re.S)
    assert got in statuses and found and found[1] in codes, f"{what}: wanted {statuses} {codes}, got {got} {text[:400]}"
    assert message and re.search(r"<RequestId>.+</RequestId>", text), f"{what}: no message or request id: {text[:400]}"
    assert "panic" not in text and ".rs:" not in text, text
    return message[1]


def problem(answer: tuple[int, dict, bytes], *statuses: int) -> dict:
    """The answer is a problem object of one of these statuses."""
    got, headers, body = answer
    assert got in statuses and headers.get("content-type", "").startswith("application/problem+json"), (got, headers, body[:400])
    told = json.loads(body)
    assert told.get("title") and told.get("status") == got, told
    return told


def absent(key: str) -> None:
    """Nothing is stored under the key, not even a version."""
    status, _, body = S3.call("GET", f"/{BUCKET}?prefix={urllib.parse.quote(key, safe='')}&versions=")
    assert status == 200 and b"<Key>" not in body, (key, status, body[:300])


def malformed_xml():
    bomb = b'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>'
    outside = b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&x;</Key></Object></Delete>'
    for body in (b"<Delete><Object><Key>a", b"<Wrong/>", b"", b"\xff\xfe", b"{}", bomb, outside, b"<Delete>" * 5000):
        sum_ = base64.b64encode(hashlib.md5(body).digest()).decode()
        answer = S3.call("POST", f"/{BUCKET}?delete", body, content_md5=sum_)
        refused(answer, 400, ("MalformedXML", "MissingRequestBodyError"), str(body[:60]))
        assert b"root:" not in answer[2]
    refused(S3.call("DELETE", f"/{BUCKET}?publicAccessBlock"), 501, "NotImplemented")
    for query in ("tagging", "versioning", "publicAccessBlock"):
        refused(S3.call("PUT", f"/{BUCKET}?{query}", b"<Tagging><TagSet>"), (400, 501), ("MalformedXML", "NotImplemented"), query)


def malformed_json():
    bearer = management(READY["admin"])
    for raw in (b"{", b"", b"[]", b'{"name":1}', b'{"name":"\xff"}', b'{"name":"a","name":"b"}', b'{"nome":"a"}', b"[" * 5000, b"null", b'"a"'):
        problem(api("POST", "/api/v1/groups", raw=raw, bearer=bearer), 400, 422)
    problem(api("POST", "/api/v1/groups", raw=b"{}", bearer=bearer, content_type="text/plain"), 400, 415)
    problem(api("POST", "/api/v1/session", raw=b"{"), 400, 401)
    problem(api("GET", "/api/v1/groups?pagesize=1", bearer=bearer), 400)
    problem(api("GET", "/api/v1/why?unknown=1", bearer=bearer), 400)
    problem(api("GET", "/api/v1/groups/not-an-id", bearer=bearer), 400, 404)


def malformed_signatures():
    good = S3.headers("GET", f"/{BUCKET}")
    line = good["authorization"]
    for what, text in {
        "another signature": line[:-4] + ("0000" if not line.endswith("0000") else "1111"),
        "no signature": line.split(", Signature")[0],
        "no scope": re.sub(r"Credential=[^,]*", "Credential=x", line),
        "another service": line.replace("/s3/", "/iam/"),
        "another region": line.replace(READY["region"], "mars-1"),
        "another day": re.sub(r"/\d{8}/", "/20200101/", line),
        "a signature that is no hex": re.sub(r"Signature=.*", "Signature=" + "z" * 64, line),
        "an unknown scheme": "AWS4-HMAC-SHA512" + line.removeprefix("AWS4-HMAC-SHA256"),
        "only the scheme": "AWS4-HMAC-SHA256",
        "a bearer": "Bearer x",
        "version 2": "AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=",
        "unsigned token": re.sub(r"SignedHeaders=[^,]*", "SignedHeaders=host;x-amz-date", line),
        "an unknown key": line.replace(GOT["access_key_id"], "ASIAAAAAAAAAAAAAAAAA"),
        "bytes": "\xff\xfe",
    }.items():
        answer = request(AWS, "GET", f"/{BUCKET}", good | {"authorization": text})
        refused(answer, (400, 403, 501), (
            "SignatureDoesNotMatch", "AuthorizationHeaderMalformed", "InvalidAccessKeyId", "InvalidRequest", "AccessDenied", "InvalidToken",
            "IncompleteSignature", "UnsupportedSignature", "InvalidArgument", "CredentialsNotSupported", "InvalidAction", "NotImplemented",
        ), what)
    twice = b"GET /%s HTTP/1.1\r\nhost: %s\r\n" % (BUCKET.encode(), AWS.netloc.encode()) + b"".join(f"{n}: {v}\r\n".encode() for n, v in good.items() if n != "host")
    refused(exchange(AWS, twice + b"authorization: " + line.encode() + b"\r\nconnection: close\r\n\r\n"), (400, 403), ("InvalidRequest", "AccessDenied", "AuthorizationHeaderMalformed", "InvalidArgument", "SignatureDoesNotMatch"))
    refused(S3.call("PUT", f"/{BUCKET}/signed", b"signed", sent=b"other!"), 400, ("XAmzContentSHA256Mismatch", "BadDigest"))
    absent("signed")


def chunks(parts: list[bytes], date: str, trailer: bytes = b"", bend=lambda n, s: s) -> bytes:
    """A body of signed chunks; `bend` may change what the n-th signature says."""
    before, out = S3.seed, b""
    for number, data in enumerate(parts):
        signature = S3.chunk(date, before, data)
        before = signature
        out += b"%x;chunk-signature=%s\r\n" % (len(data), bend(number, signature).encode()) + data + (b"\r\n" if data else b"")
    return out + trailer + b"\r\n"


def malformed_chunks():
    streaming = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    data = b"x" * 9000
    wrong = lambda at: lambda number, signature: signature if number != at else "0" * 64
    bodies = {
        "first": lambda date: chunks([data, b""], date, bend=wrong(0)),
        "last": lambda date: chunks([data, b""], date, bend=wrong(1)),
        "size": lambda date: chunks([data, b""], date).replace(b"%x;" % len(data), b"zz;", 1),
        "huge": lambda date: b"fffffffffffffffff;chunk-signature=" + b"0" * 64 + b"\r\n",
        "short": lambda date: chunks([data[:100], b""], date),
        "cut": lambda date: chunks([data, b""], date)[:5000],
        "long-line": lambda date: b"1;" + b"a" * 100_000,
    }
    for name, make_body in bodies.items():
        key, date = f"chunks-{name}", now()
        headers = S3.headers("PUT", f"/{BUCKET}/{key}", date=date, payload=streaming, content_encoding="aws-chunked", x_amz_decoded_content_length=str(len(data)))
        body = make_body(date)
        answer = request(AWS, "PUT", f"/{BUCKET}/{key}", headers | {"content-length": str(len(body))}, body)
        refused(answer, (400, 403), ("SignatureDoesNotMatch", "IncompleteBody", "InvalidRequest", "InvalidArgument", "InvalidChunkSizeError", "MalformedTrailerError", "EntityTooLarge"), name)
        absent(key)
    trailers = {
        "wrong": b"x-amz-checksum-crc32:AAAAAA==\r\n",
        "missing": b"",
        "no-base64": b"x-amz-checksum-crc32:***\r\n",
        "other": b"x-amz-checksum-sha1:AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n",
        "no-colon": b"x-amz-checksum-crc32\r\n",
    }
    for name, trailer in trailers.items():
        key = f"trailer-{name}"
        more = {"content_encoding": "aws-chunked", "x_amz_decoded_content_length": "5", "x_amz_trailer": "x-amz-checksum-crc32"}
        headers = S3.headers("PUT", f"/{BUCKET}/{key}", payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER", **more)
        body = b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n"
        answer = request(AWS, "PUT", f"/{BUCKET}/{key}", headers | {"content-length": str(len(body))}, body)
        refused(answer, 400, ("BadDigest", "InvalidRequest", "MalformedTrailerError", "IncompleteBody", "InvalidArgument"), name)
        absent(key)


def oversized_headers():
    for lines in ({"x-large": "a" * 70_000}, {f"x-{n}": "a" for n in range(150)}, {"cookie": "a=" + "b" * 200_000}):
        refused(request(AWS, "GET", "/", lines), 400, "RequestHeaderSectionTooLarge")
        form = {"content-type": "application/x-www-form-urlencoded"} | lines
        answer = request(AWS, "POST", "/", form, b"Action=GetCallerIdentity&Version=2011-06-15")
        refused(answer, 413, "RequestEntityTooLarge")
        assert b"<ErrorResponse" in answer[2], answer[2]
        problem(request(WEB, "GET", "/", lines), 431)
    for where in (AWS, WEB):
        assert request(where, "GET", "/", {f"x-{n}": "a" for n in range(2000)})[0] == 431
    status = request(AWS, "GET", "/" + "a" * 100_000)[0]
    assert status in (400, 414, 431), status
    refused(request(AWS, "GET", "/" + "a" * 20_000), 400, "InvalidURI")
    refused(sts_form(b"Action=x&a=" + b"a" * 200_000), 413, "RequestEntityTooLarge")
    long = S3.call("PUT", f"/{BUCKET}/metadata", b"x", x_amz_meta_long="a" * 3000)
    refused(long, 400, "MetadataTooLarge")
    refused(S3.call("PUT", f"/{BUCKET}/{'k' * 1025}", b"x"), 400, "KeyTooLongError")
    absent("metadata")


def clock_skew():
    for skew in (-1000, 1000, 86_400 * 400):
        refused(S3.call("GET", f"/{BUCKET}", date=now(skew)), 403, "RequestTimeTooSkewed", f"{skew} s")
        refused(sts_signed(date=now(skew)), (400, 403), ("SignatureDoesNotMatch", "RequestExpired"), f"{skew} s")
    for date in ("yesterday", "20261301T000000Z", "20260101T000000", "", "9" * 40 + "Z"):
        refused(request(AWS, "GET", f"/{BUCKET}", S3.headers("GET", f"/{BUCKET}", date=date or " ")), (400, 403), (
            "AccessDenied", "InvalidArgument", "AuthorizationHeaderMalformed", "RequestTimeTooSkewed", "InvalidRequest", "SignatureDoesNotMatch", "InvalidDate"), date)
    refused(request(AWS, "GET", S3.presigned("GET", f"/{BUCKET}/k", "60", now(-120))), 403, "AccessDenied")
    for seconds in ("0", "-1", "604801", "x", "99999999999999999999"):
        refused(request(AWS, "GET", S3.presigned("GET", f"/{BUCKET}/k", seconds, now())), (400, 403), ("AuthorizationQueryParametersError", "AccessDenied", "InvalidArgument"), seconds)


def sts_signed(date: str | None = None) -> tuple[int, dict, bytes]:
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    headers = MAKER.headers("POST", "/", body, date=date)
    return request(AWS, "POST", "/", headers | {"content-type": "application/x-www-form-urlencoded", "content-length": str(len(body))}, body)


def management(who: dict) -> str:
    """A management session of somebody."""
    status, tokens = redeem(*authorization_code(who))
    assert status == 200, tokens
    status, _, body = api("POST", "/api/v1/session", {"id_token": tokens["id_token"]})
    assert status == 201, body
    return json.loads(body)["token"]


def assume(token: str, **more: str) -> tuple[int, dict, bytes]:
    fields = {"Action": "AssumeRoleWithWebIdentity", "RoleArn": ROLE["arn"], "RoleSessionName": "bad-input", "WebIdentityToken": token}
    return sts(**(fields | more))


def identity_tokens():
    login(READER)
    token = galen("token").strip()
    assert assume(token)[0] == 200 and assume(token)[0] == 200, "a web identity token works again within its time"
    head, claims, signature = token.split(".")
    read = lambda part: json.loads(base64.urlsafe_b64decode(part + "=="))
    write = lambda value: base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).rstrip(b"=").decode()
    header, said = read(head), read(claims)
    before = {**said, "exp": int(time.time()) - 10, "iat": int(time.time()) - 4000}
    bent = {
        "alg none": ".".join([write({**header, "alg": "none"}), claims, ""]),
        "alg None with the signature": ".".join([write({**header, "alg": "None"}), claims, signature]),
        "HMAC with a public key": ".".join([write({**header, "alg": "HS256"}), claims, write(b"0" * 32)]),
        "unknown kid": ".".join([write({**header, "kid": "unknown"}), claims, signature]),
        "kid that is a path": ".".join([write({**header, "kid": "../../etc/passwd"}), claims, signature]),
        "a key in the header": ".".join([write({**header, "jwk": {"kty": "oct", "k": "AA"}}), claims, signature]),
        "crit": ".".join([write({**header, "crit": ["b64"], "b64": False}), claims, signature]),
        "exp as text": ".".join([head, write({**said, "exp": str(said["exp"])}), signature]),
        "expired": ".".join([head, write(before), signature]),
        "wildcards in claims": ".".join([head, write({**said, "sub": "*", "https://aws.amazon.com/roles": ["*"]}), signature]),
        "another signature": ".".join([head, claims, write(b"\0" * 64)]),
        "four parts": token + ".x",
        "two parts": f"{head}.{claims}",
        "no base64": f"{head}.{claims}.***",
        "no JSON": ".".join([write(b"{"), claims, signature]),
        "NUL": token + "\0",
        "text": "not a token at all",
        "non-ASCII": "ø" * 10,
    }
    for what, one in bent.items():
        refused(assume(one), 400, ("InvalidIdentityToken", "ExpiredTokenException", "ValidationError", "MalformedQueryString"), what)
    for what, one in bent.items():
        problem(api("POST", "/api/v1/session", {"id_token": one}), 400, 401)
        if "\0" not in one and one.isascii():
            problem(api("GET", "/api/v1/groups", bearer=one), 401)
    refused(assume("x" * 20_001), 400, "ValidationError")


def forms_and_parameters():
    login(READER)
    token = galen("token").strip()
    for name, values in {
        "RoleSessionName": ("*", "a", "a b", "a/b", "..\0", "ø" * 5, "x" * 65, ""),
        "RoleArn": ("*", "arn:aws:iam::*:role/*", "role", ROLE["arn"] + "*", ROLE["arn"].replace("role/", "role/../role/")),
        "DurationSeconds": ("899", "43201", "x", "-1", "1e9", "99999999999999999999"),
        "Policy": ("{", "", "x" * 2049, '{"Version":"2012-10-17","Statement":[]}'),
        "ProviderId": ("\0",),
    }.items():
        for value in values:
            refused(assume(token, **{name: value}), (400, 403), ("ValidationError", "AccessDenied", "InvalidIdentityToken", "MalformedPolicyDocument", "MalformedQueryString"), f"{name}={value[:30]!r}")
    for form in (b"Action=", b"Action=AssumeRoleWithWebIdentity", b"Action=AssumeRoleWithWebIdentity&RoleArn=%ff%fe", b"Action=%00", b"Action=Nothing", b"Action=GetCallerIdentity&Action=AssumeRole", b"Action=AssumeRoleWithWebIdentity&Version=1999-01-01"):
        refused(sts_form(form), (400, 403), ("ValidationError", "InvalidAction", "MissingAuthenticationToken", "MissingAction", "MissingParameter", "InvalidParameterValue", "AccessDenied", "InvalidIdentityToken", "MalformedQueryString"), str(form))
    for tag in ("*", "a*", "a?", "${aws:username}"):
        form = urllib.parse.urlencode({"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": ROLE["arn"], "RoleSessionName": "wild", "Tags.member.1.Key": "team", "Tags.member.1.Value": tag}).encode()
        headers = MAKER.headers("POST", "/", form) | {"content-type": "application/x-www-form-urlencoded", "content-length": str(len(form))}
        refused(request(AWS, "POST", "/", headers, form), (400, 403), ("ValidationError", "AccessDenied"), tag)


def replays():
    code, verifier = authorization_code(READER)
    status, told = redeem(code, verifier)
    assert status == 200, told
    again, refusal = redeem(code, verifier)
    assert again == 400 and refusal["error"] == "invalid_grant" and refusal["error_description"], refusal
    status, refusal = token_endpoint(grant_type="refresh_token", refresh_token=told["refresh_token"])
    assert status == 400 and refusal["error"] == "invalid_grant", ("a replayed code left the refresh token alive", refusal)
    problem(api("POST", "/api/v1/session", {"id_token": told["id_token"]}), 401, 403)

    _, first = redeem(*authorization_code(READER))
    status, second = token_endpoint(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert status == 200, second
    for used in (first, second):
        status, refusal = token_endpoint(grant_type="refresh_token", refresh_token=used["refresh_token"])
        assert status == 400 and refusal["error"] == "invalid_grant", ("reuse ends the whole family", refusal)
    for wrong in ({"code_verifier": "x" * 43}, {"redirect_uri": "http://127.0.0.1/elsewhere"}, {"client_id": "galen-aws"}, {"client_id": "nobody"}):
        code, verifier = authorization_code(READER)
        status, refusal = token_endpoint(**({"grant_type": "authorization_code", "code": code, "redirect_uri": "http://127.0.0.1/callback", "code_verifier": verifier} | wrong))
        assert status in (400, 401) and refusal["error"] in ("invalid_grant", "invalid_client", "unauthorized_client"), (wrong, refusal)
        # Who is no client at all is refused before the code is looked at.
        assert redeem(code, verifier)[0] == (200 if wrong == {"client_id": "nobody"} else 400), ("is the code burnt?", wrong)
    for fields in ({}, {"grant_type": "password"}, {"grant_type": "refresh_token", "refresh_token": "\0"}, {"grant_type": "authorization_code", "code": "ø"}):
        status, refusal = token_endpoint(**fields)
        assert status in (400, 401) and refusal["error"], refusal


def names():
    for name, key in {
        "dots": "a/../b", "dots first": "../b", "dots last": "a/..", "dot": "a/./b", "escaped dots": "a/%2e%2e/b", "doubled slash": "a//b", "leading slash": "/b",
        "NUL": "a%00b", "line feed": "a%0Ab", "non-UTF-8": "a%FFb", "overlong": "a%C0%AEb", "half an escape": "a%2", "no escape": "a%zz",
    }.items():
        for method, body in (("PUT", b"x"), ("GET", b""), ("DELETE", b"")):
            answer = S3.call(method, f"/{BUCKET}/{key}", body)
            refused(answer, (400, 403, 404), ("InvalidArgument", "InvalidRequest", "InvalidURI", "NoSuchKey", "AccessDenied", "SignatureDoesNotMatch"), f"{method} {name}")
    raw = S3.headers("PUT", f"/{BUCKET}/raw", b"")
    assert request(AWS, "PUT", b"/%s/raw\xff" % BUCKET.encode(), raw)[0] in (400, 403)
    assert request(AWS, "PUT", b"/%s/raw\x00" % BUCKET.encode(), raw)[0] in (400, 403)
    for bucket in ("..", "a..b", "*", "A", "a_b", "%00", "192.168.0.1"):
        refused(S3.call("PUT", f"/{bucket}"), (400, 403), ("InvalidBucketName", "InvalidArgument", "InvalidURI", "AccessDenied", "SignatureDoesNotMatch", "InvalidRequest"), bucket)
    listed = S3.call("GET", f"/{BUCKET}?list-type=2")
    assert b"<KeyCount>0</KeyCount>" in listed[2] and b"<Contents>" not in listed[2], listed[2]
    bearer = management(READY["admin"])
    held = lambda: api("GET", "/api/v1/groups?page_size=200", bearer=bearer)[2]
    before = held()
    assert b"oncology-readers" in before or b"administrators" in before, before[:300]
    for name in ("../x", "a*", "a\0b", "a\nb", "", " ", "a" * 300, "x/..", "\u202enimda"):
        problem(api("POST", "/api/v1/groups", {"name": name}, bearer=bearer), 400, 422)
    assert held() == before


def races():
    together = lambda run, many: list(concurrent.futures.ThreadPoolExecutor(many).map(run, range(many)))
    bearer, name = management(READY["admin"]), f"race-{uuid.uuid4().hex[:8]}"
    made = [answer[0] for answer in together(lambda _: api("POST", "/api/v1/groups", {"name": name}, bearer=bearer), 8)]
    assert sorted(made) == [201] + [409] * 7, made
    won = [S3.call("PUT", f"/{BUCKET}/race", b"%d" % n, if_none_match="*")[0] for n in range(1)]
    assert won == [200], won
    signers = [Signer(GOT) for _ in range(8)]
    put = lambda n: signers[n].call("PUT", f"/{BUCKET}/one", b"%d" % n, if_none_match="*")
    answers = together(put, 8)
    assert sorted(answer[0] for answer in answers)[:2] == [200, 409] or sorted(answer[0] for answer in answers)[:2] == [200, 412], [a[0] for a in answers]
    winner = next(n for n, answer in enumerate(answers) if answer[0] == 200)
    assert S3.call("GET", f"/{BUCKET}/one")[2] == b"%d" % winner
    bucket = f"check-race-{uuid.uuid4().hex[:8]}"
    create = lambda n: signers[n].call("PUT", f"/{bucket}")
    answers = together(create, 4)
    assert [answer[0] for answer in answers].count(200) == 1, [answer[2] for answer in answers]
    for answer in answers:
        if answer[0] != 200:
            refused(answer, 409, ("BucketAlreadyOwnedByYou", "BucketAlreadyExists", "OperationAborted"))
    assert S3.call("DELETE", f"/{bucket}")[0] == 204


def owners_and_settings():
    """Somebody known is refused: each has an entry of its own, and none that only says yes."""
    other = {"x_amz_expected_bucket_owner": "111111111111"}
    answers = [S3.call("PUT", f"/{BUCKET}/owner", b"x", **other), S3.call("GET", f"/{BUCKET}/owner", **other), S3.call("GET", f"/{BUCKET}", **other)]
    settings = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    block = "".join(f"<{name}>false</{name}>" for name in settings)
    body = f"<PublicAccessBlockConfiguration>{block}</PublicAccessBlockConfiguration>".encode()
    answers.append(S3.call("PUT", f"/{BUCKET}?publicAccessBlock", body, content_md5=base64.b64encode(hashlib.md5(body).digest()).decode()))
    for answer in answers:
        refused(answer, 403, "AccessDenied")
        DENIED.append(answer[1]["x-amz-request-id"])
    absent("owner")


def ended_sessions():
    """Credentials that were cut are refused, and counted by their session."""
    login(READER)
    bearer = management(READY["admin"])
    sessions = lambda: {one["id"] for one in json.loads(api("GET", f"/api/v1/sessions?person={READER['username']}&page_size=200", bearer=bearer)[2])["items"]}
    before = sessions()
    status, _, body = assume(galen("token").strip())
    assert status == 200, body
    part = lambda name: re.search(f"<{name}>(.*?)</{name}>", body.decode())[1]
    cut = Signer({"access_key_id": part("AccessKeyId"), "secret_access_key": part("SecretAccessKey"), "session_token": part("SessionToken")})
    (made,) = sessions() - before
    status, _, told = api("POST", "/api/v1/revocations", {"what": "session", "id": made, "reason": "check"}, bearer=bearer)
    assert status in (200, 201), told
    for _ in range(3):
        refused(cut.call("GET", f"/{BUCKET}"), 400, "ExpiredToken")
    ENDED.append(made)


def doors():
    """What is refused before any service looks at it is answered in a form that its clients read."""
    status, _, body = request(AWS, "POST", "/", {"x-amz-target": "AWSGlue.GetTables"})
    assert status == 400 and json.loads(body)["message"], body
    refused(sts_form(b"Action=GetCallerIdentity&Version=2011-06-15"), 403, "MissingAuthenticationToken")
    preflight = {"origin": "https://elsewhere.example", "access-control-request-method": "PUT"}
    refused(request(AWS, "OPTIONS", f"/{BUCKET}/key", preflight), 403, "AccessDenied")
    form = {"content-type": "multipart/form-data; boundary=b"}
    refused(request(AWS, "POST", f"/{BUCKET}", form, b"--b--"), 501, "NotImplemented")
    line = "AWS4-ECDSA-P256-SHA256 Credential=A/20261123/s3/aws4_request, SignedHeaders=host, Signature=30"
    refused(request(AWS, "GET", f"/{BUCKET}", {"authorization": line}), 501, "NotImplemented")


def ledger() -> list[dict]:
    folder = next((pathlib.Path(sys.argv[1]).parent / "data").rglob("log.key")).parent
    while True:
        files = [file for file in (folder / "tile" / "entries").rglob("*") if file.is_file()]
        try:
            return [json.loads(entry) for file in files for entry in entries_of(file.read_bytes())]
        except FileNotFoundError:
            pass  # A longer tile took its place: look again.


def denied_by_name():
    """A refusal of somebody known is an entry of its own, and names its decision."""
    other = S3.call("GET", "/no-such-bucket-at-all/key")
    message = refused(other, (403, 404), ("AccessDenied", "NoSuchBucket"))
    decision = re.search(r"decision ([0-9a-f-]{36})", message)
    if decision:
        login(next((one for one in READY["people"] if "auditors" in one["groups"]), READY["admin"]))
        assert galen("why", "--decision", decision[1]).strip()


def recorded():
    """Who was refused has an entry; everything else is counted by reason and minute, and by source or session."""
    strangers = {
        "s3:unauthenticated", "s3:malformed", "s3:oversized", "s3:not-offered", "sts:unauthenticated", "sts:malformed", "sts:oversized",
        "cors:refused", "aws:not-offered", "api:unauthenticated", "web:oversized", "not_signed_in",
    }
    known = {"s3:malformed", "s3:not-offered", "sts:malformed", "api:malformed", "s3:session-ended"}
    deadline, missing = time.monotonic() + COUNTED_SECONDS_MAX, True
    while missing and time.monotonic() < deadline:
        time.sleep(1)
        entries = ledger()
        counts = [(entry["denials"], entry["userIdentity"]) for entry in entries if entry.get("phase") == "denials"]
        of = lambda named: {one["reason"] for one, who in counts if ("session" in who) == named}
        missing = [strangers - of(False), known - of(True)]
        missing = missing if any(missing) else None
    assert not missing, f"not counted: of strangers {sorted(missing[0])}, of somebody known {sorted(missing[1])}"
    assert all(one["count"] > 0 and one["minute"] and "127.0.0.1" not in json.dumps(one) for one, _ in counts), counts
    assert all("person" in who or "service" in who for _, who in counts if "session" in who), counts
    for session in ENDED:
        used = sum(one["count"] for one, who in counts if who.get("session") == session and one["reason"] == "s3:session-ended")
        assert used == 3, f"{used} uses of the cut session {session} are counted"
    for asked in DENIED:
        told = [entry for entry in entries if entry.get("requestID") == asked]
        effects = {entry["decision"]["effect"] for entry in told if entry.get("decision")}
        assert "deny" in effects, f"the refused request {asked} is told as {told}"
        assert all("person" in entry["userIdentity"] for entry in told), told
        ended = {entry["of"] for entry in told if entry.get("outcome", {}).get("code", 0) >= 400}
        yes = {entry["eventID"] for entry in told if entry.get("decision", {}).get("effect") == "allow"}
        assert yes <= ended, f"the refused request {asked} is told as allowed: {told}"


check("bad input: malformed signatures", malformed_signatures)
check("bad input: malformed XML", malformed_xml)
check("bad input: malformed JSON", malformed_json)
check("bad input: malformed chunks and trailers", malformed_chunks)
check("bad input: oversized headers and names", oversized_headers)
check("bad input: clocks", clock_skew)
check("bad input: identity tokens", identity_tokens)
check("bad input: forms and parameters", forms_and_parameters)
check("bad input: replayed codes and refresh tokens", replays)
check("bad input: names", names)
check("bad input: races for one name", races)
check("bad input: refusals by name", denied_by_name)
check("bad input: owners and settings", owners_and_settings)
check("bad input: sessions that were cut", ended_sessions)
check("bad input: what no service is for", doors)
check("bad input: it is recorded", recorded)
remove(GOT, BUCKET)
