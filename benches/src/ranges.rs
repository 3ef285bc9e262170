//! DuckDB reading many ranges of one Parquet file, over Galen and over SeaweedFS.

use anyhow::{Result, ensure};
use bytes::Bytes;
use serde_json::{Value, json};
use std::{path::Path, process::Stdio, time::Duration};
use tokio::{io::AsyncWriteExt, process::Command};

use crate::{
    others, progress,
    report::{self, Report},
    s3::{Connection, Payload, Signer},
    stats::{process_cpu, shown},
    system::System,
};

/// Makes a file of 200 row groups, or reads one column of each of them through S3, several times. A sum, because the largest
/// value stands in the footer and would be read from there.
const SCRIPT: &str = r#"
import importlib.util, json, pathlib, sys, time
import duckdb
given = json.load(sys.stdin)
if "make" in given:
    duckdb.execute(f"COPY (SELECT i, random() AS x, md5(i::VARCHAR) AS y FROM range(2000000) t(i)) TO '{given['make']}' (FORMAT parquet, ROW_GROUP_SIZE 10000)")
    groups = duckdb.execute(f"SELECT count(DISTINCT row_group_id) FROM parquet_metadata('{given['make']}')").fetchone()[0]
    print(json.dumps({"groups": groups}))
    sys.exit()
package = importlib.util.find_spec("duckdb_extension_httpfs")
(file,) = pathlib.Path(package.submodule_search_locations[0]).rglob("httpfs.duckdb_extension")
times = []
for n in range(given["rounds"]):
    db = duckdb.connect(config={"allow_unsigned_extensions": "true", "threads": 2})
    db.execute(f"LOAD '{file}'")
    db.execute("SET enable_external_file_cache = false")
    token = ", SESSION_TOKEN '" + given["token"] + "'" if given["token"] else ""
    db.execute(f"CREATE SECRET (TYPE s3, KEY_ID '{given['key']}', SECRET '{given['secret']}'{token}, REGION '{given['region']}', ENDPOINT '{given['host']}', URL_STYLE 'path', USE_SSL false)")
    begun = time.perf_counter()
    got = db.execute("SELECT count(*), sum(x) FROM read_parquet(?)", [given["url"]]).fetchone()
    times.append(time.perf_counter() - begun)
    assert got[0] == 2000000
print(json.dumps({"times": times}))
"#;
const ROUNDS: usize = 7;

pub(crate) async fn run() -> Result<Report> {
    let mut report = Report::new(
        "ranges",
        "Ranges of a Parquet file by DuckDB",
        "DuckDB 1.5.5 with httpfs reads one column of a Parquet file of 200 row groups, a range request for each; a new \
         connection each time, no cache of the file. Wall time in the client's process, which shares the cores.",
        &["server", "rounds", "p50", "slowest", "server CPU a round"],
    );
    std::fs::create_dir_all(report::folder())?;
    let dir = tempfile::tempdir_in(std::path::absolute(report::folder())?)?;
    let file = dir.path().join("ranges.parquet");
    progress::step("the file");
    let made = python(&json!({ "make": file })).await?;
    report.note(format!(
        "The file has {} row groups, {:.1} MB.",
        made["groups"],
        std::fs::metadata(&file)?.len() as f64 / 1e6
    ));
    let system = System::start().await?;
    let somebody = system.writer("bench-ranges").await?;
    let own = measure(&mut report, "Galen", &somebody.signer, "bench-ranges", system.pid(), &file).await?;
    drop(system);
    match others::seaweed().await {
        Ok(other) => {
            let theirs = measure(&mut report, other.name, &other.signer, "bench", other.pid(), &file).await?;
            let ratio = own.as_secs_f64() / theirs.as_secs_f64();
            report.target(
                "200 ranges by DuckDB against SeaweedFS",
                "at most 1.5 x",
                format!("{ratio:.2} x"),
                ratio <= 1.5,
            );
        }
        Err(error) => report.lack(format!("SeaweedFS: {error:#}.")),
    }
    Ok(report)
}

async fn measure(
    report: &mut Report,
    name: &str,
    signer: &Signer,
    bucket: &str,
    pid: u32,
    file: &Path,
) -> Result<Duration> {
    progress::step(name);
    let mut connection = Connection::open(&signer.host).await?;
    let path = format!("/{bucket}/ranges.parquet");
    let body = Bytes::from(std::fs::read(file)?);
    connection.send(signer.request("PUT", &path, "", body, Payload::Signed)?).await?.done("PUT")?;
    let before = process_cpu(pid);
    let asked = json!({
        "rounds": ROUNDS, "token": signer.token, "key": signer.access_key, "secret": signer.secret,
        "region": signer.region, "host": signer.host, "url": format!("s3:/{path}"),
    });
    let answer = python(&asked).await?;
    let cpu = process_cpu(pid).saturating_sub(before) / u32::try_from(ROUNDS)?;
    let mut times: Vec<f64> =
        answer.get("times").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_f64).collect();
    times.sort_by(f64::total_cmp);
    let at = |n: usize| Duration::from_secs_f64(times.get(n).copied().unwrap_or(0.0));
    let (median, slowest) = (at(times.len() / 2), at(times.len().saturating_sub(1)));
    report.row([name.to_owned(), times.len().to_string(), shown(median), shown(slowest), shown(cpu)]);
    Ok(median)
}

async fn python(given: &Value) -> Result<Value> {
    let mut child = Command::new(others::tool("python")?);
    child.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = child.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(given.to_string().as_bytes()).await?;
    }
    let out = child.wait_with_output().await?;
    ensure!(out.status.success(), "the client failed: {}", String::from_utf8_lossy(&out.stderr));
    // DuckDB may draw its progress on the lines before.
    let text = String::from_utf8_lossy(&out.stdout);
    let last = text.trim_end().rsplit(['\n', '\r']).next().unwrap_or_default();
    Ok(serde_json::from_str(last)?)
}
