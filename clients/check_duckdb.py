"""DuckDB with its httpfs extension: SQL over Parquet in a governed dataset."""

import importlib.util
import pathlib

import duckdb

from common import READY, check, datasets_of, granted_to_nobody, session
from workspace import keywords, make, remove

GOT, ROLE = session()
DATASET = datasets_of(ROLE)[0]


def httpfs() -> pathlib.Path:
    """The extension's file, as its Python package brings it."""
    package = importlib.util.find_spec("duckdb_extension_httpfs")
    assert package is not None and package.submodule_search_locations, "the package duckdb-extension-httpfs is not installed"
    (file,) = pathlib.Path(package.submodule_search_locations[0]).rglob("httpfs.duckdb_extension")
    return file


def connection(got: dict = GOT) -> duckdb.DuckDBPyConnection:
    database = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    database.execute(f"LOAD '{httpfs()}'")
    scheme, _, host = READY["aws"].partition("://")
    database.execute(
        "CREATE SECRET (TYPE s3, KEY_ID ?, SECRET ?, SESSION_TOKEN ?, REGION ?, ENDPOINT ?, URL_STYLE 'path', USE_SSL "
        + ("true)" if scheme == "https" else "false)"),
        [got["aws_access_key_id"], got["aws_secret_access_key"], got["aws_session_token"], READY["region"], host],
    )
    return database


def place(dataset: dict) -> str:
    return f"s3://{dataset['bucket']}/{dataset['prefix']}"


def counts():
    database = connection()
    files = database.execute("SELECT file FROM glob(?)", [place(DATASET) + "**"]).fetchall()
    parquet = next(name for (name,) in files if name.endswith(".parquet"))
    (rows,) = database.execute("SELECT count(*) FROM read_parquet(?)", [parquet]).fetchone()
    assert rows > 0, parquet
    columns = database.execute("DESCRIBE SELECT * FROM read_parquet(?)", [parquet]).fetchall()
    name = columns[0][0]
    database.execute(f'SELECT "{name}", count(*) FROM read_parquet(?) GROUP BY 1 ORDER BY 2 DESC LIMIT 5', [parquet]).fetchall()


def refused():
    other = granted_to_nobody()
    try:
        connection().execute("SELECT * FROM read_parquet(?)", [place(other) + "any.parquet"]).fetchall()
        raise AssertionError("DuckDB read it")
    except duckdb.Error as error:
        assert "403" in str(error) or "Forbidden" in str(error) or "AccessDenied" in str(error), error


def partitions_written_and_read():
    got, bucket = make()
    try:
        database = connection(keywords(got))
        options = "FORMAT parquet, PARTITION_BY (p), OVERWRITE_OR_IGNORE"
        database.execute(f"COPY (SELECT i, i % 4 AS p FROM range(200_000) t(i)) TO 's3://{bucket}/table' ({options})")
        rows = database.execute(
            f"SELECT p, count(*) FROM read_parquet('s3://{bucket}/table/**/*.parquet', hive_partitioning = true) GROUP BY p ORDER BY p"
        ).fetchall()
        assert rows == [(p, 50_000) for p in range(4)], rows
    finally:
        remove(got, bucket)


check("SQL over a granted dataset", counts)
check("partitions written and read", partitions_written_and_read)
check("a dataset without a grant", refused)
