"""s3fs and pyarrow: a Parquet table read through both, and refusals that arrive as such."""

import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet
import s3fs

from common import READY, check, datasets_of, granted_to_nobody, session
from workspace import make, remove

GOT, ROLE = session()
DATASET = datasets_of(ROLE)[0]
PLACE = f"{DATASET['bucket']}/{DATASET['prefix']}".rstrip("/")


def s3fs_of(got: dict) -> s3fs.S3FileSystem:
    return s3fs.S3FileSystem(
        key=got["aws_access_key_id"],
        secret=got["aws_secret_access_key"],
        token=got["aws_session_token"],
        client_kwargs={"endpoint_url": READY["aws"], "region_name": READY["region"]},
    )


def arrow_of(got: dict) -> pyarrow.fs.S3FileSystem:
    return pyarrow.fs.S3FileSystem(
        access_key=got["aws_access_key_id"],
        secret_key=got["aws_secret_access_key"],
        session_token=got["aws_session_token"],
        endpoint_override=READY["aws"].split("://")[1],
        scheme=READY["aws"].split("://")[0],
        region=READY["region"],
    )


def parquet() -> str:
    names = s3fs_of(GOT).find(PLACE)
    return next(name for name in names if name.endswith(".parquet"))


def same_table():
    name = parquet()
    with s3fs_of(GOT).open(name) as file:
        by_s3fs = pyarrow.parquet.read_table(file)
    by_arrow = pyarrow.parquet.read_table(name, filesystem=arrow_of(GOT))
    assert by_s3fs.num_rows == by_arrow.num_rows > 0
    assert by_s3fs.schema.names == by_arrow.schema.names


def listing():
    selector = pyarrow.fs.FileSelector(PLACE, recursive=True)
    by_arrow = {one.path for one in arrow_of(GOT).get_file_info(selector) if one.is_file}
    assert by_arrow == set(s3fs_of(GOT).find(PLACE))


def refused():
    other = granted_to_nobody()
    place = f"{other['bucket']}/{other['prefix']}".rstrip("/")
    try:
        s3fs_of(GOT).ls(place)
        raise AssertionError("s3fs listed it")
    except PermissionError:
        pass
    try:
        arrow_of(GOT).get_file_info(pyarrow.fs.FileSelector(place))
        raise AssertionError("pyarrow listed it")
    except OSError as error:
        assert "ACCESS_DENIED" in str(error) or "AccessDenied" in str(error), error


def written_by_arrow_read_by_s3fs():
    got, bucket = make()
    keyed = {"aws_access_key_id": got["access_key_id"], "aws_secret_access_key": got["secret_access_key"], "aws_session_token": got["session_token"]}
    try:
        table = pyarrow.table({"n": list(range(100_000)), "s": [str(n) for n in range(100_000)]})
        pyarrow.parquet.write_table(table, f"{bucket}/t/part.parquet", filesystem=arrow_of(keyed))
        with s3fs_of(keyed).open(f"{bucket}/t/part.parquet") as file:
            assert pyarrow.parquet.read_table(file).equals(table)
        files = s3fs_of(keyed)
        with files.open(f"{bucket}/t/large.bin", "wb") as file:
            file.write(b"x" * (11 << 20))
        files.invalidate_cache()
        assert files.size(f"{bucket}/t/large.bin") == 11 << 20
        split = pyarrow.table({"n": list(range(999)), "p": [n % 3 for n in range(999)]})
        how = {"filesystem": arrow_of(keyed), "partitioning_flavor": "hive", "partitioning": ["p"], "format": "parquet"}
        for behaviour in ("error", "delete_matching"):
            pyarrow.dataset.write_dataset(split, f"{bucket}/split", existing_data_behavior=behaviour, **how)
        read = pyarrow.dataset.dataset(f"{bucket}/split", filesystem=arrow_of(keyed), partitioning="hive")
        assert read.count_rows(filter=pyarrow.dataset.field("p") == 1) == 333
        files.invalidate_cache()
        assert len(files.glob(f"{bucket}/split/**/*.parquet")) == 3
        assert next(iter(files.walk(f"{bucket}/split")))[1] == ["p=0", "p=1", "p=2"]
        files.copy(f"{bucket}/split", f"{bucket}/copied", recursive=True)
        files.rm(f"{bucket}/split", recursive=True)
        assert not files.exists(f"{bucket}/split") and len(files.find(f"{bucket}/copied")) == 3
    finally:
        remove(got, bucket)


check("one Parquet table by both", same_table)
check("the same files listed by both", listing)
check("a dataset without a grant", refused)
check("written by pyarrow, read by s3fs", written_by_arrow_read_by_s3fs)
