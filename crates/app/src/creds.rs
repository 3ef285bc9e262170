//! Temporary credentials for AWS tools: AssumeRoleWithWebIdentity, cached until near expiry or the end of their session, and AWS
//! profiles that ask for them.

use anyhow::{Context, Result, bail};
use base::{Effects, Secret, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use ureq::Agent;

use crate::{
    aws_client::Client,
    cli::{Creds, CredsFormat},
    http,
    manage::Caller,
    output, profile,
    profile::{By, SignedIn},
    signin,
};

/// The client that roles trust by default.
pub(crate) const AUDIENCE: &str = directory::AWS_CLIENT;
/// Credentials that end sooner than this are replaced, so that a long call does not outlive them. AWS SDKs refresh at 15 minutes at the latest.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

const NO_ROLE: &str = "there is no role that you may assume; ask for membership of a group that has one";

/// What STS gave, as it is cached.
#[derive(Serialize, Deserialize)]
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) session_token: String,
    expiration: Timestamp,
    arn: String,
}

/// `galen creds`.
///
/// # Errors
/// When nobody is signed in, or STS refuses.
pub(crate) fn print(effects: &Effects, command: &Creds) -> Result<()> {
    let mut caller = Caller::open(command.endpoint.endpoint.as_deref())?;
    let role = arn(effects, &mut caller, &command.role)?;
    let name = command.session_name.clone().unwrap_or_else(|| session_name(&caller.signed_in().username));
    // A session of another name would be recorded under that name.
    let key = cache_key(caller.signed_in(), &role, &name);
    let cached = |caller: &Caller| {
        let usable = |credentials: &Credentials| {
            let (agent, signed_in) = (caller.agent(), caller.signed_in());
            let client = Client { agent, effects, aws: &signed_in.aws, region: &signed_in.region, credentials };
            credentials.expiration > effects.now() + RENEW_BEFORE && client.alive()
        };
        let asked = command.duration_secs.is_none();
        asked.then(|| caller.profile().cached::<Credentials>(&key).filter(usable)).flatten()
    };
    let credentials = match cached(&caller) {
        Some(credentials) => credentials,
        None => {
            // Tools start many of us at once when what they have is about to end: one asks, the others wait and read what it got.
            let _one = caller.profile().lock_cached(&key)?;
            match cached(&caller) {
                Some(credentials) => credentials,
                None => {
                    let got = assume(&mut caller, &role, &name, command.duration_secs)?;
                    caller.profile().cache(&key, &got)?;
                    got
                }
            }
        }
    };
    let aws = &caller.signed_in().aws;
    let region = &caller.signed_in().region;
    let text = match command.format {
        CredsFormat::Process => json!({
            "Version": 1,
            "AccessKeyId": credentials.access_key_id,
            "SecretAccessKey": credentials.secret_access_key,
            "SessionToken": credentials.session_token,
            "Expiration": credentials.expiration.to_string(),
        })
        .to_string(),
        CredsFormat::Json => json!({
            "access_key_id": credentials.access_key_id,
            "secret_access_key": credentials.secret_access_key,
            "session_token": credentials.session_token,
            "expiration": credentials.expiration.to_string(),
            "arn": credentials.arn,
            "endpoint": aws,
            "region": region,
        })
        .to_string(),
        CredsFormat::Env => [
            ("AWS_ACCESS_KEY_ID", &credentials.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key),
            ("AWS_SESSION_TOKEN", &credentials.session_token),
            ("AWS_ENDPOINT_URL", aws),
            ("AWS_REGION", region),
            ("AWS_DEFAULT_REGION", region),
        ]
        .map(|(name, value)| format!("export {name}='{value}'"))
        .join("\n"),
    };
    output::text(&text)?;
    Ok(())
}

/// Under what credentials are cached: a service and a person of one name are two, and so are two services that had one name.
fn cache_key(signed_in: &SignedIn, role: &str, session_name: &str) -> String {
    let who = match &signed_in.by {
        By::Person(_) => &signed_in.username,
        By::Service(by) => &by.service,
    };
    format!("{} {who} {role} {session_name}", signed_in.endpoint)
}

/// A role that the caller may assume.
struct Mine {
    name: String,
    arn: String,
}

/// The roles that the caller may assume.
fn mine(effects: &Effects, caller: &mut Caller) -> Result<Vec<Mine>> {
    if let By::Service(_) = caller.signed_in().by {
        // A service has no management session to ask with; its token lists what it may assume.
        let claims = signin::claims(&caller.id_token(AUDIENCE)?)?;
        let roles = claims.get("https://aws.amazon.com/roles").and_then(Value::as_array).cloned().unwrap_or_default();
        let role = |arn: &Value| {
            let arn = arn.as_str()?.to_owned();
            Some(Mine { name: arn.rsplit('/').next()?.to_owned(), arn })
        };
        return Ok(roles.iter().filter_map(role).collect());
    }
    let listed = caller.session(effects)?.get("roles/mine", &[])?;
    let role = |row: &Value| {
        let text = |key: &str| Some(row.get(key)?.as_str()?.to_owned());
        Some(Mine { name: text("name")?, arn: text("arn")? })
    };
    Ok(listed.get("items").and_then(Value::as_array).into_iter().flatten().filter_map(role).collect())
}

/// The ARN of a role that is named by it, or by its name alone: no role's name begins like an ARN.
fn arn(effects: &Effects, caller: &mut Caller, role: &str) -> Result<String> {
    if role.starts_with("arn:") { Ok(role.to_owned()) } else { named(&mine(effects, caller)?, role) }
}

/// The ARN of the one role of this name.
fn named(mine: &[Mine], name: &str) -> Result<String> {
    let found: Vec<&str> = mine.iter().filter(|role| role.name == name).map(|role| role.arn.as_str()).collect();
    match *found {
        [one] => Ok(one.to_owned()),
        [] if mine.is_empty() => bail!(NO_ROLE),
        [] => {
            let names: Vec<String> = mine.iter().map(|role| format!("`{}`", role.name)).collect();
            bail!("there is no role `{name}` that you may assume: name one of {}", names.join(", "))
        }
        _ => bail!(
            "{} roles that you may assume are called `{name}`: name one by its ARN: {}",
            found.len(),
            found.join(", ")
        ),
    }
}

fn assume(caller: &mut Caller, role: &str, name: &str, duration_secs: Option<u32>) -> Result<Credentials> {
    let token = caller.id_token(AUDIENCE)?;
    let signed_in = caller.signed_in();
    exchange(caller.agent(), &signed_in.aws, &token, role, name, duration_secs).map_err(|error| {
        let who = &signed_in.username;
        anyhow::anyhow!("{error:#} (signed in as `{who}`; `galen aws configure` lists the roles that you may assume)")
    })
}

/// AssumeRoleWithWebIdentity (AWS STS, API version 2011-06-15): an identity token becomes credentials of a role.
///
/// # Errors
/// STS's refusal, with its code and message.
pub(crate) fn exchange(
    agent: &Agent,
    aws: &str,
    token: &Secret<String>,
    role: &str,
    session_name: &str,
    duration_secs: Option<u32>,
) -> Result<Credentials> {
    let duration = duration_secs.map(|secs| secs.to_string());
    let mut form = vec![
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", role),
        ("RoleSessionName", session_name),
        ("WebIdentityToken", token.expose().as_str()),
    ];
    if let Some(secs) = &duration {
        form.push(("DurationSeconds", secs));
    }
    let mut answer = agent.post(format!("{}/", http::endpoint(aws)?)).send_form(form)?;
    let status = answer.status().as_u16();
    let xml = http::text(&mut answer)?;
    if status != 200 {
        bail!(
            "STS refused: {}: {}",
            element(&xml, "Code").unwrap_or_default(),
            element(&xml, "Message").unwrap_or_default()
        );
    }
    let text = |name: &str| element(&xml, name).with_context(|| format!("STS answered without {name}"));
    Ok(Credentials {
        access_key_id: text("AccessKeyId")?,
        secret_access_key: text("SecretAccessKey")?,
        session_token: text("SessionToken")?,
        expiration: text("Expiration")?.parse()?,
        arn: text("Arn")?,
    })
}

/// A role session name from a user name: 2 to 64 of `[\w+=,.@-]`.
pub(crate) fn session_name(username: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    let name: String = username.chars().filter(|c| allowed(*c)).take(64).collect();
    if name.len() < 2 { "galen-cli".to_owned() } else { name }
}

/// The text of the first element of this name in an answer of our own STS, whose elements carry no attributes below the root.
pub(crate) fn element(xml: &str, name: &str) -> Option<String> {
    let text = xml.split_once(&format!("<{name}>"))?.1.split_once(&format!("</{name}>"))?.0;
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    Some(text.replace("&amp;", "&"))
}

/// `galen aws configure`: one profile a role, with everything that boto3 and the AWS CLI need.
///
/// # Errors
/// When nobody is signed in, no role can be assumed, or the file cannot be written.
pub(crate) fn configure(
    effects: &Effects,
    endpoint: Option<&str>,
    profile_name: &str,
    role: Option<&str>,
    file: Option<PathBuf>,
) -> Result<Value> {
    let mut caller = Caller::open(endpoint)?;
    let roles = match role {
        Some(role) => vec![arn(effects, &mut caller, role)?],
        None => mine(effects, &mut caller)?.into_iter().map(|role| role.arn).collect(),
    };
    anyhow::ensure!(!roles.is_empty(), NO_ROLE);
    let program = std::env::current_exe().context("the path of this program is unknown")?;
    let file = file.map_or_else(default_aws_config, Ok)?;
    let mut text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("could not read {}", file.display())),
    };
    let single = roles.len() == 1;
    let (mut written, mut names) = (Vec::new(), Vec::new());
    for arn in &roles {
        let short = arn.rsplit('/').next().unwrap_or(arn);
        let name = if single { profile_name.to_owned() } else { format!("{profile_name}-{short}") };
        let signed_in = caller.signed_in();
        for text in [arn.as_str(), &signed_in.endpoint, &signed_in.aws, &signed_in.region] {
            stands_alone(text)?;
        }
        let mut section = String::new();
        writeln!(section, "[profile {name}]")?;
        writeln!(
            section,
            "credential_process = \"{}\" creds --endpoint {} --role {arn} --format process",
            program.display(),
            signed_in.endpoint
        )?;
        writeln!(section, "endpoint_url = {}", signed_in.aws)?;
        writeln!(section, "region = {}", signed_in.region)?;
        text = with_section(&text, &format!("[profile {name}]"), &section);
        written.push(json!({"profile": name, "role": arn, "file": file.display().to_string()}));
        names.push(name);
    }
    if role.is_none() {
        let stale = stale(&text, profile_name, &caller.signed_in().endpoint, &names);
        for name in &stale {
            text = with_section(&text, &format!("[profile {name}]"), "");
        }
        if !stale.is_empty() {
            output::note(&format!("removed, because no role of yours goes by them now: {}", stale.join(", ")));
        }
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    profile::write_private(&file, text.as_bytes())?;
    Ok(Value::Array(written))
}

#[expect(clippy::disallowed_methods, reason = "app is where the environment is read")]
fn default_aws_config() -> Result<PathBuf> {
    let home = std::env::var_os("HOME").context("HOME is not set; name the file with --file")?;
    Ok(Path::new(&home).join(".aws/config"))
}

/// Refuses a text of the server's that would be more than one word of the file: a line of its own there is a command that AWS tools run.
fn stands_alone(text: &str) -> Result<()> {
    let word = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'\\[]#;".contains(&byte));
    anyhow::ensure!(word, "the server gave {text:?}, which cannot stand in a configuration of AWS tools");
    Ok(())
}

/// The profiles of `family` that were written here for `endpoint` and are not among `names` any more: those of roles that ended, and
/// the one without a role's name where there are several roles now. A section with anything else in it is somebody's own.
fn stale(text: &str, family: &str, endpoint: &str, names: &[String]) -> Vec<String> {
    let is_ours = |section: &str| {
        let (header, lines) = section.split_once(']')?;
        let name = header.strip_prefix("profile ")?;
        let mut lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
        let (_, asks) = lines.next()?.strip_prefix("credential_process")?.split_once("\" creds --endpoint ")?;
        let arn = asks.strip_prefix(endpoint)?.strip_prefix(" --role ")?.strip_suffix(" --format process")?;
        let written = lines.all(|line| line.starts_with("endpoint_url = ") || line.starts_with("region = "));
        let of_role = |rest: &str| rest.strip_prefix('-').is_some_and(|short| arn.rsplit('/').next() == Some(short));
        let of_family = name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || of_role(rest));
        (written && of_family && !names.iter().any(|it| it == name)).then(|| name.to_owned())
    };
    format!("\n{text}").split("\n[").filter_map(is_ours).collect()
}

/// `text` with the section that `header` begins replaced, or added at the end; other sections stay byte for byte.
fn with_section(text: &str, header: &str, section: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with('[') {
            inside = line.trim() == header;
        }
        if !inside {
            out.push_str(line);
        }
    }
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    out.push_str(section);
    out
}

#[cfg(test)]
mod tests {
    //! AWS configuration files keep what is not ours.

    use super::*;

    #[test]
    fn only_our_section_changes() {
        let before = "[default]\nregion = a\n[profile galen]\nold = 1\n[profile other]\nx = 2\n";
        let after = with_section(before, "[profile galen]", "[profile galen]\nnew = 1\n");
        assert_eq!(after, "[default]\nregion = a\n[profile other]\nx = 2\n[profile galen]\nnew = 1\n");
    }

    /// A section of its own in the file would be a command that AWS tools run.
    #[test]
    fn finding_a_server_writes_no_line_of_its_own_into_the_file() {
        let role = "arn:aws:iam::1:role/reader";
        assert!(stands_alone(role).is_ok() && stands_alone("https://galen.example.com:8443").is_ok());
        for text in ["", &format!("{role}\n[profile default]"), "a b", "x\"", "r#", "é"] {
            assert!(stands_alone(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn profiles_of_roles_that_are_gone_are_found_and_no_others() {
        let ours = |name: &str, endpoint: &str, role: &str| {
            format!(
                "[profile {name}]\ncredential_process = \"/bin/galen\" creds --endpoint {endpoint} --role arn:aws:iam::1:role/{role} \
                 --format process\nendpoint_url = http://x\nregion = r\n"
            )
        };
        let (here, there) = ("https://galen.example.com", "https://galen.example.com.other");
        let text = [
            ours("galen", here, "reader"),
            ours("galen-ended", here, "ended"),
            ours("galen-reader", here, "reader"),
            ours("galen-prod", here, "reader"),
            ours("galen-there", there, "there"),
            ours("other", here, "reader"),
            ours("galen-own", here, "own") + "output = json\n",
            "[profile galen-key]\naws_access_key_id = x\n".to_owned(),
        ]
        .concat();
        assert_eq!(stale(&text, "galen", here, &["galen-reader".to_owned()]), ["galen", "galen-ended"]);
        assert!(stale("", "galen", here, &[]).is_empty());
        let left = with_section(&text, "[profile galen-ended]", "");
        assert!(!left.contains("ended") && left.contains("output = json"), "{left}");
    }

    #[test]
    fn a_role_is_named_by_its_name_while_one_alone_has_it() {
        let role =
            |name: &str, account: u8| Mine { name: name.into(), arn: format!("arn:aws:iam::{account}:role/{name}") };
        let mine = [role("analyst", 1), role("writer", 1), role("writer", 2)];
        assert_eq!(named(&mine, "analyst").unwrap(), "arn:aws:iam::1:role/analyst");
        let said = |name: &str| named(&mine, name).unwrap_err().to_string();
        assert!(said("Analyst").contains("no role `Analyst` that you may assume: name one of `analyst`, `writer`"));
        assert!(said("writer").contains("name one by its ARN: arn:aws:iam::1:role/writer, arn:aws:iam::2:role/writer"));
        assert!(named(&[], "analyst").unwrap_err().to_string().contains("ask for membership"));
    }

    #[test]
    fn a_service_never_gets_what_was_cached_for_a_person_of_its_name() {
        let by = |by: Value| -> SignedIn {
            let mut kept = json!({"endpoint": "e", "aws": "a", "region": "r", "username": "etl"});
            kept.as_object_mut().unwrap().extend(by.as_object().unwrap().clone());
            serde_json::from_value(kept).unwrap()
        };
        let ends = "2026-11-22T20:00:00Z";
        let person = by(json!({"refresh_token": "r", "session_token": "s", "session_expires": ends, "role": null}));
        let service = |id: &str| by(json!({"service": id, "secret_file": "/f"}));
        let keys = [&person, &service("1"), &service("2")].map(|who| cache_key(who, "role", "etl"));
        assert!(keys[0] != keys[1] && keys[1] != keys[2], "{keys:?}");
        assert_eq!(cache_key(&person, "role", "etl"), "e etl role etl");
    }

    #[test]
    fn a_session_name_is_legal() {
        assert_eq!(session_name("ann møller"), "annmller");
        assert_eq!(session_name("ø"), "galen-cli");
    }

    #[test]
    fn elements_are_unescaped_once() {
        assert_eq!(element("<a><Code>x &amp;lt; y</Code></a>", "Code").as_deref(), Some("x &lt; y"));
    }
}
