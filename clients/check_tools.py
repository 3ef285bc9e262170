"""Everyday tools as people use them: a folder up, listed, again (nothing moves), copied, moved, read back and deleted."""

import importlib.util
import io
import os
import pathlib
import subprocess
import sys
import tempfile

import boto3.s3.transfer
import duckdb
import minio
import minio.commonconfig
import minio.deleteobjects
import pandas
import pyarrow
import pyarrow.dataset
import pyarrow.fs

from common import READY, check
from workspace import client, keywords, make, remove

GOT, BUCKET = make()
S3 = client(GOT)
GIVEN = keywords(GOT)
SCHEME, _, HOST = READY["aws"].partition("://")
CLI = {name.upper(): GIVEN[name] for name in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")}
PART = 5 << 20
BIN = pathlib.Path(sys.executable).parent
HERE = pathlib.Path(tempfile.mkdtemp())
TREE = HERE / "tree"


def grow() -> None:
    """The folder: an empty file, odd names, and one that goes up in parts."""
    (TREE / "d/e").mkdir(parents=True)
    (TREE / "empty").touch()
    (TREE / "d/b +ü.csv").write_text("b")
    (TREE / "d/one.txt").write_text("one")
    (TREE / "d/e/parts.bin").write_bytes(os.urandom(11 << 20))


def run(*words, **environment) -> str:
    done = subprocess.run([str(word) for word in words], env=os.environ | environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{words[0]}: exit {done.returncode}: {done.stdout[-500:]} {done.stderr[-1500:]}"
    return done.stdout + done.stderr


def same(got, wanted) -> None:
    assert got == wanted, f"got {got!r}, wanted {wanted!r}"


def alike(one: pathlib.Path, other: pathlib.Path) -> None:
    same(subprocess.run(["diff", "-r", str(one), str(other)], capture_output=True, text=True).stdout, "")


def keys(prefix: str) -> list[str]:
    return [one["Key"] for one in S3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]


def rclone():
    options = {"type": "s3", "provider": "Other", "env_auth": "true", "endpoint": READY["aws"], "region": READY["region"]}
    remote = {f"RCLONE_CONFIG_G_{name.upper()}": value for name, value in options.items()} | {"RCLONE_CONFIG": os.devnull}
    remote |= CLI
    call = lambda *words: run(BIN / "rclone", "--retries", "1", "--low-level-retries", "1", *words, **remote)
    place = f"G:{BUCKET}/rclone"
    parts = ("--s3-upload-cutoff", "8M", "--s3-chunk-size", "5M")
    call("sync", TREE, place, *parts)
    again = call("sync", TREE, place, "-v", *parts)
    assert "Copied" not in again and "There was nothing to transfer" in again, again
    call("check", TREE, place)
    call("check", "--download", TREE, place)
    call("copyto", f"{place}/d/e/parts.bin", f"{place}/copy.bin")
    call("moveto", f"{place}/copy.bin", f"{place}/moved.bin")
    call("delete", place, "--include", "moved.bin")
    call("sync", place, HERE / "rclone")
    alike(TREE, HERE / "rclone")
    call("purge", place)
    same(keys("rclone/"), [])


    both = HERE / "both"
    (both / "d").mkdir(parents=True)
    (both / "d/a").write_text("a")
    (both / "b").write_text("b")
    work = ("--workdir", HERE / "bisync")
    call("bisync", both, place, "--resync", *work)
    S3.put_object(Bucket=BUCKET, Key="rclone/there", Body=b"there")
    (both / "here").write_text("here")
    (both / "b").unlink()
    call("bisync", both, place, *work)
    same(((both / "there").read_text(), keys("rclone/")), ("there", ["rclone/d/a", "rclone/here", "rclone/there"]))
    call("purge", place)


def s5cmd():
    """A tree up in parts, listed, again (nothing moves), changed on both sides, copied, moved, read, and deleted by many keys at once."""
    environment = CLI | {"AWS_REGION": READY["region"]}
    call = lambda *words: run(BIN / "s5cmd", "--endpoint-url", READY["aws"], *words, **environment)
    place = f"s3://{BUCKET}/s5cmd"
    call("cp", "--part-size", "5", f"{TREE}/", f"{place}/")
    same(len(call("ls", f"{place}/*").splitlines()), 4)
    same(call("sync", "--size-only", f"{TREE}/", f"{place}/"), "")
    call("cp", "--part-size", "5", f"{place}/*", f"{HERE / 's5cmd'}/")
    alike(TREE, HERE / "s5cmd")
    (HERE / "s5cmd/d/one.txt").write_text("changed")
    (HERE / "s5cmd/empty").unlink()
    call("sync", "--delete", f"{HERE / 's5cmd'}/", f"{place}/")
    same((call("cat", f"{place}/d/one.txt"), len(keys("s5cmd/"))), ("changed", 3))
    call("cp", f"{place}/d/e/parts.bin", f"{place}/copy.bin")
    call("mv", f"{place}/copy.bin", f"{place}/moved bin")
    assert "11534336 bytes" in call("du", f"{place}/moved*")
    call("rm", f"{place}/*")
    same(keys("s5cmd/"), [])


def transfers():
    """The transfer manager with each checksum: up in parts, down with every checksum compared, and one part by its number."""
    config = boto3.s3.transfer.TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)
    data = (TREE / "d/e/parts.bin").read_bytes()
    for algorithm in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"):
        S3.upload_fileobj(io.BytesIO(data), BUCKET, "tr", ExtraArgs={"ChecksumAlgorithm": algorithm}, Config=config)
        back = io.BytesIO()
        S3.download_fileobj(BUCKET, "tr", back, ExtraArgs={"ChecksumMode": "ENABLED"}, Config=config)
        same(back.getvalue() == data, True)
        part = S3.get_object(Bucket=BUCKET, Key="tr", PartNumber=2, ChecksumMode="ENABLED")
        same((part["Body"].read() == data[PART : 2 * PART], f"Checksum{algorithm}" in part), (True, True))
    S3.delete_object(Bucket=BUCKET, Key="tr")


def aws_sync():
    """What is gone here goes there, and the other way round."""
    call = lambda *words: run(BIN / "aws", "--endpoint-url", READY["aws"], "--region", READY["region"], "s3", *words, **CLI)
    here, place = HERE / "cli", f"s3://{BUCKET}/cli/"
    (here / "d").mkdir(parents=True)
    (here / "d/a").write_text("a")
    (here / "b").write_text("b")
    call("sync", here, place)
    (here / "b").unlink()
    assert "delete: " in call("sync", "--delete", here, place)
    same(keys("cli/"), ["cli/d/a"])
    (here / "b").write_text("b")
    call("sync", "--delete", place, here)
    same((here / "b").exists(), False)
    call("mv", place + "d/a", place + "d/c")
    call("rm", "--recursive", place)
    same(keys("cli/"), [])


def s3cmd():
    base = [BIN / "s3cmd", "--config", os.devnull, "--host", HOST, "--host-bucket", HOST, "--region", READY["region"]]
    base += ["--ssl" if SCHEME == "https" else "--no-ssl", "--multipart-chunk-size-mb=5", "--access_key", GIVEN["aws_access_key_id"]]
    base += ["--secret_key", GIVEN["aws_secret_access_key"], "--access_token", GIVEN["aws_session_token"]]
    call = lambda *words: run(*base, *words)
    place = f"s3://{BUCKET}/s3cmd/"
    call("sync", f"{TREE}/", place)
    again = call("sync", f"{TREE}/", place)
    assert "upload:" not in again, again
    assert "BucketOwnerEnforced" in call("info", f"s3://{BUCKET}")
    call("cp", place + "d/one.txt", place + "d/two.txt")
    call("mv", place + "d/two.txt", place + "d/three.txt")
    call("modify", "--add-header=x-amz-meta-a:b", place + "d/three.txt")
    same(S3.head_object(Bucket=BUCKET, Key="s3cmd/d/three.txt")["Metadata"]["a"], "b")
    call("setacl", "--acl-private", place + "d/three.txt")
    call("del", place + "d/three.txt")
    (HERE / "s3cmd").mkdir()
    call("sync", place, f"{HERE}/s3cmd/")
    alike(TREE, HERE / "s3cmd")
    call("del", "--recursive", "--force", place)
    same(keys("s3cmd/"), [])


def minio_client():
    store = minio.Minio(
        HOST,
        access_key=GIVEN["aws_access_key_id"],
        secret_key=GIVEN["aws_secret_access_key"],
        session_token=GIVEN["aws_session_token"],
        secure=SCHEME == "https",
        region=READY["region"],
    )
    assert store.bucket_exists(BUCKET)
    store.put_object(BUCKET, "mi/a", io.BytesIO(b"hello"), 5, metadata={"x": "y"})
    store.put_object(BUCKET, "mi/unknown", io.BytesIO(bytes(6 << 20)), -1, part_size=5 << 20)
    same(store.get_object(BUCKET, "mi/a", offset=1, length=2).read(), b"el")
    store.compose_object(BUCKET, "mi/both", [minio.commonconfig.ComposeSource(BUCKET, name) for name in ("mi/unknown", "mi/a")])
    same(store.stat_object(BUCKET, "mi/both").size, (6 << 20) + 5)
    same((store.get_bucket_tags(BUCKET), store.get_bucket_lifecycle(BUCKET), store.get_bucket_replication(BUCKET)), (None, None, None))
    same((store.get_bucket_versioning(BUCKET).status, store.get_bucket_encryption(BUCKET).rule.sse_algorithm), ("Enabled", "aws:kms"))
    names = [one.object_name for one in store.list_objects(BUCKET, "mi/", recursive=True)]
    same(names, ["mi/a", "mi/both", "mi/unknown"])
    same(list(store.remove_objects(BUCKET, [minio.deleteobjects.DeleteObject(name) for name in names])), [])
    same(keys("mi/"), [])


def pandas_frames():
    options = {"key": GIVEN["aws_access_key_id"], "secret": GIVEN["aws_secret_access_key"], "token": GIVEN["aws_session_token"]}
    options["client_kwargs"] = {"endpoint_url": READY["aws"], "region_name": READY["region"]}
    frame = pandas.DataFrame({"a": range(1000), "g": [n % 3 for n in range(1000)]})
    frame.to_csv(f"s3://{BUCKET}/pd/a.csv", storage_options=options, index=False)
    same(pandas.read_csv(f"s3://{BUCKET}/pd/a.csv", storage_options=options).shape, (1000, 2))
    frame.to_parquet(f"s3://{BUCKET}/pd/parts", storage_options=options, partition_cols=["g"])
    same(pandas.read_parquet(f"s3://{BUCKET}/pd/parts", storage_options=options, columns=["a"]).shape, (1000, 1))


def duckdb_writes():
    package = importlib.util.find_spec("duckdb_extension_httpfs")
    (file,) = pathlib.Path(package.submodule_search_locations[0]).rglob("httpfs.duckdb_extension")
    database = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    database.execute(f"LOAD '{file}'")
    secret = "CREATE SECRET (TYPE s3, KEY_ID ?, SECRET ?, SESSION_TOKEN ?, REGION ?, ENDPOINT ?, URL_STYLE 'path', USE_SSL "
    values = [GIVEN["aws_access_key_id"], GIVEN["aws_secret_access_key"], GIVEN["aws_session_token"], READY["region"], HOST]
    database.execute(secret + ("true)" if SCHEME == "https" else "false)"), values)
    ask = lambda sql: database.execute(sql).fetchall()
    ask(f"COPY (SELECT range AS a, range % 3 AS g FROM range(100000)) TO 's3://{BUCKET}/dk/a.parquet'")
    same(ask(f"SELECT count(*), sum(a) FROM 's3://{BUCKET}/dk/a.parquet'"), [(100000, 4999950000)])
    ask(f"COPY (FROM 's3://{BUCKET}/dk/a.parquet') TO 's3://{BUCKET}/dk/parts' (FORMAT parquet, PARTITION_BY (g))")
    same(ask(f"SELECT count(*) FROM read_parquet('s3://{BUCKET}/dk/parts/**/*.parquet', hive_partitioning = true) WHERE g = 1"), [(33333,)])
    ask(f"COPY (FROM 's3://{BUCKET}/dk/a.parquet') TO 's3://{BUCKET}/dk/a.csv'")
    same(ask(f"SELECT count(*) FROM 's3://{BUCKET}/dk/a.csv'"), [(100000,)])


def pyarrow_writes():
    system = pyarrow.fs.S3FileSystem(
        access_key=GIVEN["aws_access_key_id"],
        secret_key=GIVEN["aws_secret_access_key"],
        session_token=GIVEN["aws_session_token"],
        endpoint_override=HOST,
        scheme=SCHEME,
        region=READY["region"],
    )
    table = pyarrow.table({"a": list(range(1000)), "g": [n % 3 for n in range(1000)]})
    for behaviour in ("error", "delete_matching"):
        pyarrow.dataset.write_dataset(
            table, f"{BUCKET}/pa", filesystem=system, format="parquet", partitioning=["g"], existing_data_behavior=behaviour
        )
        same(pyarrow.dataset.dataset(f"{BUCKET}/pa", filesystem=system, partitioning=["g"]).count_rows(), 1000)
    with system.open_output_stream(f"{BUCKET}/pa/stream") as out:
        for _ in range(11):
            out.write(bytes(1 << 20))
    system.move(f"{BUCKET}/pa/stream", f"{BUCKET}/pa/moved")
    same(system.get_file_info(f"{BUCKET}/pa/moved").size, 11 << 20)
    system.delete_dir(f"{BUCKET}/pa")
    same(keys("pa/"), [])


def by_url():
    """A browser with a presigned URL: whole, a range, ranges that S3 passes over, and a PUT."""
    S3.put_object(Bucket=BUCKET, Key="url", Body=b"0123456789")
    url = lambda verb: S3.generate_presigned_url(verb, Params={"Bucket": BUCKET, "Key": "url"}, ExpiresIn=60)
    fetch = lambda *words: run("curl", "-sS", "-w", " %{http_code}", *words)
    same(fetch(url("get_object")), "0123456789 200")
    same(fetch("-r", "2-4", url("get_object")), "234 206")
    for range_ in ("0-1,4-5", "5-2", "junk"):
        same(fetch("-H", f"Range: bytes={range_}", url("get_object")), "0123456789 200")
    assert fetch("-r", "10-", url("get_object")).endswith(" 416")
    same(fetch("-T", TREE / "d/one.txt", url("put_object")), " 200")
    same(fetch(url("get_object")), "one 200")


try:
    grow()
    for one in (rclone, s5cmd, transfers, aws_sync, s3cmd, minio_client, pandas_frames, duckdb_writes, pyarrow_writes, by_url):
        check(f"tools: {one.__name__.replace('_', ' ')}", one)
finally:
    remove(GOT, BUCKET)
