"""The AWS CLI with the profile that `galen aws configure` writes."""

import json
import os
import pathlib
import subprocess
import sys

from common import READY, check, datasets_of, galen, granted_to_nobody, login, reader

ONE, ROLE = reader()
DATASET = datasets_of(ROLE)[0]
AWS = str(pathlib.Path(sys.executable).parent / "aws")


def aws(*words: str, code: int = 0) -> subprocess.CompletedProcess:
    """Runs the CLI with the profile."""
    environment = dict(os.environ, AWS_PROFILE="galen", AWS_PAGER="")
    done = subprocess.run([AWS, *words], capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == code, f"aws {' '.join(words)}: exit {done.returncode}: {done.stderr.strip()}"
    return done


def configure():
    login(ONE)
    galen("aws", "configure")
    who = json.loads(aws("sts", "get-caller-identity").stdout)
    assert ":assumed-role/" in who["Arn"], who


def lists_and_copies():
    place = f"s3://{DATASET['bucket']}/{DATASET['prefix']}"
    rows = [line.split(maxsplit=3) for line in aws("s3", "ls", "--recursive", place).stdout.splitlines()]
    size, key = next((int(row[2]), row[3]) for row in rows if int(row[2]) > 0)
    target = pathlib.Path(os.environ["HOME"]) / "copied"
    aws("s3", "cp", f"s3://{DATASET['bucket']}/{key}", str(target))
    assert target.stat().st_size == size


def endpoint_by_environment():
    # Version 1 of the CLI reads AWS_DEFAULT_REGION, version 2 AWS_REGION.
    region = READY["region"]
    environment = dict(os.environ, AWS_ENDPOINT_URL=READY["aws"], AWS_REGION=region, AWS_DEFAULT_REGION=region, AWS_PAGER="")
    got = json.loads(galen("creds", "--role", ROLE["arn"], "--format", "json"))
    environment |= {
        "AWS_ACCESS_KEY_ID": got["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": got["secret_access_key"],
        "AWS_SESSION_TOKEN": got["session_token"],
    }
    done = subprocess.run([AWS, "s3api", "list-buckets"], capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    assert DATASET["bucket"] in done.stdout


def refused():
    other = granted_to_nobody()
    place = f"s3://{other['bucket']}/{other['prefix']}"
    environment = dict(os.environ, AWS_PROFILE="galen", AWS_PAGER="")
    done = subprocess.run([AWS, "s3", "ls", place], capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode != 0, done.stdout
    assert "AccessDenied" in done.stderr, done.stderr


check("configure and who am I", configure)
check("ls and cp", lists_and_copies)
check("AWS_ENDPOINT_URL", endpoint_by_environment)
check("a dataset without a grant", refused)
