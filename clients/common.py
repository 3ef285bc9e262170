"""What the client scripts share: the demo's ready line, credentials by `galen`, and the way results are printed."""

import json
import os
import pathlib
import subprocess
import sys

READY = json.loads(pathlib.Path(sys.argv[1]).read_text())
GALEN = os.environ["GALEN"]


def check(name: str, run) -> None:
    """Runs one check; an exception fails it and the script goes on."""
    try:
        run()
        print(f"PASS {name}", flush=True)
    except Exception as error:  # noqa: BLE001 - a check may fail in any way
        print(f"FAIL {name}: {type(error).__name__}: {error}", flush=True)


def galen(*words: str, code: int = 0) -> str:
    """Runs `galen` and gives its standard output; the exit code must be `code`."""
    done = subprocess.run([GALEN, *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, f"galen {' '.join(words)}: exit {done.returncode}: {done.stderr.strip()} {done.stdout.strip()}"
    return done.stdout


def login(person: dict) -> None:
    """Signs in as a person of the ready line."""
    file = pathlib.Path(os.environ["HOME"]) / f"password-{person['username']}"
    file.write_text(person["password"])
    file.chmod(0o600)
    galen("login", "--endpoint", READY["web"], "--user", person["username"], "--password-file", str(file), "--no-browser")


def person(with_role: bool = True) -> dict:
    """Somebody who may (or may not) assume a role."""
    for one in READY["people"]:
        if with_role == bool(roles_of(one)):
            return one
    raise AssertionError("the ready line has no such person")


def roles_of(one: dict) -> list[dict]:
    """The roles that a person may assume."""
    return [role for role in READY["roles"] if set(role["groups"]) & set(one["groups"])]


def datasets_of(role: dict) -> list[dict]:
    """The datasets that a role of the ready line can read."""
    return [one for one in READY["datasets"] if one["id"] in role["datasets"]]


def granted_to_nobody() -> dict:
    """A dataset that no role of the ready line can read."""
    granted = {one for role in READY["roles"] for one in role["datasets"]}
    return next(one for one in READY["datasets"] if one["id"] not in granted)


def credentials(role: dict) -> dict:
    """Temporary credentials of a role for whoever is signed in."""
    return json.loads(galen("creds", "--role", role["arn"], "--format", "json"))


def reader() -> tuple[dict, dict]:
    """Somebody who reads, and the role to read with: the first with a dataset."""
    for one in READY["people"]:
        for role in roles_of(one):
            if datasets_of(role):
                return one, role
    raise AssertionError("nobody in the ready line reads anything")


def session():
    """A boto3 session and endpoint of somebody who reads: (client keyword arguments, role)."""
    one, role = reader()
    login(one)
    got = credentials(role)
    return {
        "aws_access_key_id": got["access_key_id"],
        "aws_secret_access_key": got["secret_access_key"],
        "aws_session_token": got["session_token"],
        "region_name": READY["region"],
        "endpoint_url": READY["aws"],
    }, role
