"""A client made of sockets and Python's standard library alone, so that it can send what no SDK would: raw HTTP, Signature
Version 4 by hand, the code flow without a browser."""

import base64
import datetime
import hashlib
import hmac
import html.parser
import http.client
import json
import secrets
import socket
import urllib.parse

from common import READY

AWS = urllib.parse.urlsplit(READY["aws"])
WEB = urllib.parse.urlsplit(READY["web"])
EMPTY = hashlib.sha256(b"").hexdigest()
SECONDS_MAX = 20


def exchange(where, raw: bytes) -> tuple[int, dict, bytes]:
    """Sends bytes as they are; gives status, headers and body of the first answer."""
    with socket.create_connection((where.hostname, where.port), SECONDS_MAX) as connection:
        try:
            connection.sendall(raw)
        except (BrokenPipeError, ConnectionResetError):
            pass  # The server may answer before it has read everything.
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def request(where, method: str, target: str | bytes, headers: dict | None = None, body: bytes = b"") -> tuple[int, dict, bytes]:
    """One request with a target that nothing normalises."""
    target = target.encode() if isinstance(target, str) else target
    lines = {"host": where.netloc, "content-length": str(len(body)), "connection": "close"} | (headers or {})
    head = b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in lines.items() if value is not None)
    return exchange(where, method.encode() + b" " + target + b" HTTP/1.1\r\n" + head + b"\r\n" + body)


def now(skew: int = 0) -> str:
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=skew)).strftime("%Y%m%dT%H%M%SZ")


def digest(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signing_key(secret: str, scope: str) -> bytes:
    key = b"AWS4" + secret.encode()
    for part in scope.split("/"):
        key = digest(key, part)
    return key


class Signer:
    """Signature Version 4 for one set of credentials."""

    def __init__(self, got: dict, service: str = "s3"):
        self.key, self.secret, self.token, self.service = got["access_key_id"], got["secret_access_key"], got["session_token"], service

    def scope(self, date: str) -> str:
        return f"{date[:8]}/{READY['region']}/{self.service}/aws4_request"

    def headers(self, method: str, target: str, body: bytes = b"", *, date: str | None = None, payload: str | None = None, **extra) -> dict:
        """The signed headers of a request."""
        date = date or now()
        path, _, query = target.partition("?")
        query = "&".join(sorted(part if "=" in part else part + "=" for part in query.split("&") if part))
        payload = payload or hashlib.sha256(body).hexdigest()
        lines = {"host": AWS.netloc, "x-amz-content-sha256": payload, "x-amz-date": date, "x-amz-security-token": self.token}
        lines |= {name.replace("_", "-"): value for name, value in extra.items()}
        names = ";".join(sorted(lines))
        canonical = "\n".join([method, path, query, *(f"{name}:{lines[name]}" for name in sorted(lines)), "", names, payload])
        text = "\n".join(["AWS4-HMAC-SHA256", date, self.scope(date), hashlib.sha256(canonical.encode()).hexdigest()])
        self.seed = hmac.new(signing_key(self.secret, self.scope(date)), text.encode(), hashlib.sha256).hexdigest()
        lines["authorization"] = f"AWS4-HMAC-SHA256 Credential={self.key}/{self.scope(date)}, SignedHeaders={names}, Signature={self.seed}"
        return lines

    def call(self, method: str, target: str, body: bytes = b"", sent: bytes | None = None, **more) -> tuple[int, dict, bytes]:
        """A signed request; `sent` is what goes out in the place of the body that was signed."""
        headers = self.headers(method, target, body, **more)
        sent = body if sent is None else sent
        return request(AWS, method, target, headers | {"content-length": str(len(sent))}, sent)

    def presigned(self, method: str, path: str, seconds: str, date: str) -> str:
        """The target of a presigned request."""
        fields = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self.key}/{self.scope(date)}",
            "X-Amz-Date": date,
            "X-Amz-Expires": seconds,
            "X-Amz-Security-Token": self.token,
            "X-Amz-SignedHeaders": "host",
        }
        query = "&".join(f"{name}={urllib.parse.quote(value, safe='-_.~')}" for name, value in sorted(fields.items()))
        canonical = "\n".join([method, path, query, f"host:{AWS.netloc}", "", "host", "UNSIGNED-PAYLOAD"])
        text = "\n".join(["AWS4-HMAC-SHA256", date, self.scope(date), hashlib.sha256(canonical.encode()).hexdigest()])
        signature = hmac.new(signing_key(self.secret, self.scope(date)), text.encode(), hashlib.sha256).hexdigest()
        return f"{path}?{query}&X-Amz-Signature={signature}"

    def chunk(self, date: str, before: str, data: bytes) -> str:
        """The signature of one chunk after the signature `before`."""
        text = "\n".join(["AWS4-HMAC-SHA256-PAYLOAD", date, self.scope(date), before, EMPTY, hashlib.sha256(data).hexdigest()])
        return hmac.new(signing_key(self.secret, self.scope(date)), text.encode(), hashlib.sha256).hexdigest()


def sts(**fields: str) -> tuple[int, dict, bytes]:
    """An unsigned call of STS."""
    return sts_form(urllib.parse.urlencode({"Version": "2011-06-15"} | fields).encode())


def sts_form(form: bytes) -> tuple[int, dict, bytes]:
    return request(AWS, "POST", "/", {"content-type": "application/x-www-form-urlencoded"}, form)


def api(method: str, path: str, body=None, bearer: str | None = None, raw: bytes | None = None, **headers) -> tuple[int, dict, bytes]:
    """A call of the management API."""
    sent = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
    lines = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    if bearer:
        lines["authorization"] = f"Bearer {bearer}"
    return request(WEB, method, path, lines, sent)


def token_endpoint(**fields: str) -> tuple[int, dict]:
    """The answer of the token endpoint."""
    form = urllib.parse.urlencode({"client_id": "galen-cli"} | fields).encode()
    status, _, body = request(WEB, "POST", "/oidc/token", {"content-type": "application/x-www-form-urlencoded"}, form)
    return status, json.loads(body)


class Form(html.parser.HTMLParser):
    """The first form of a page."""

    def __init__(self, page: str):
        super().__init__()
        self.action, self.fields = "", {}
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        if tag == "form" and not self.action:
            self.action = named["action"]
        if tag == "input" and named.get("type") == "hidden":
            self.fields[named["name"]] = named.get("value") or ""


REDIRECT = "http://127.0.0.1/callback"


def authorization_code(person: dict) -> tuple[str, str]:
    """A fresh authorization code of somebody who signs in, with the verifier of its challenge."""
    verifier = secrets.token_urlsafe(32)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = urllib.parse.urlencode(
        {
            "response_type": "code",
            "client_id": "galen-cli",
            "redirect_uri": REDIRECT,
            "scope": "openid offline_access",
            "state": "s",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
    )
    status, headers, page = request(WEB, "GET", f"/oidc/authorize?{asked}")
    assert status == 200, (status, page)
    form = Form(page.decode())
    sent = urllib.parse.urlencode(form.fields | {"username": person["username"], "password": person["password"]}).encode()
    cookie = headers["set-cookie"].split(";")[0]
    lines = {"content-type": "application/x-www-form-urlencoded", "cookie": cookie, "origin": READY["issuer"]}
    status, headers, page = request(WEB, "POST", urllib.parse.urljoin("/oidc/authorize", form.action), lines, sent)
    assert status == 303, (status, page)
    return urllib.parse.parse_qs(urllib.parse.urlsplit(headers["location"]).query)["code"][0], verifier


def redeem(code: str, verifier: str) -> tuple[int, dict]:
    return token_endpoint(grant_type="authorization_code", code=code, redirect_uri=REDIRECT, code_verifier=verifier)
