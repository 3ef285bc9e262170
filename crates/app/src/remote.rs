//! Commands that talk to a running Galen: signing in, tokens, why, revocations, receipts. The verbs on nouns are in `nouns`.

use anyhow::{Context, Result};
use base::{Effects, Secret};
use serde_json::{Value, json};

use crate::{
    cli::{Endpoint, Login, Output, Receipt, Token, Why},
    http, local,
    manage::{self, Api, Caller},
    nouns, output,
    profile::{By, Profile},
    signin,
};

/// `galen login`.
///
/// # Errors
/// When the sign-in is refused.
pub(crate) fn login(effects: &Effects, command: &Login) -> Result<Value> {
    let web = http::endpoint(&command.endpoint)?;
    let agent = http::agent();
    called(&agent, &web)?;
    if let (Some(service), Some(file)) = (&command.service, &command.secret_file) {
        let profile = Profile::of_user()?;
        let _lock = profile.lock()?;
        let signed_in = manage::sign_in_service(&agent, &profile, &web, service, file)?;
        return Ok(json!({
            "endpoint": signed_in.endpoint, "service": signed_in.username, "aws": signed_in.aws, "region": signed_in.region,
        }));
    }
    let tokens = match (&command.user, &command.password_file, command.no_browser) {
        (Some(user), Some(file), _) => {
            let password = Secret::new(nouns::secret(file)?);
            let new = command.new_password_file.as_deref().map(nouns::secret).transpose()?.map(Secret::new);
            signin::with_password(&agent, effects, &web, &signin::Password { username: user.clone(), password, new })?
        }
        (Some(_), None, _) => anyhow::bail!("--user needs --password-file; passwords are not read from arguments"),
        (None, _, true) => signin::with_device(&agent, &web)?,
        (None, _, false) => signin::with_browser(&agent, effects, &web)?,
    };
    let profile = Profile::of_user()?;
    let _lock = profile.lock()?;
    let signed_in = manage::sign_in(&agent, &profile, &web, tokens, command.role.clone())?;
    let mut told = json!({
        "endpoint": signed_in.endpoint, "username": signed_in.username, "aws": signed_in.aws, "region": signed_in.region,
    });
    if let (By::Person(person), Some(fields)) = (&signed_in.by, told.as_object_mut()) {
        fields.insert("session_expires".to_owned(), Value::String(person.session_expires.to_string()));
    }
    Ok(told)
}

/// Refuses an address that is not what the server calls itself: its pages take forms from their own address alone, and what it signs
/// names that one.
fn called(agent: &ureq::Agent, web: &str) -> Result<()> {
    let answer = http::patiently(|| agent.get(format!("{web}/.well-known/openid-configuration")).call())?;
    let document = http::json(answer).with_context(|| {
        format!("{web} does not answer as Galen does: --endpoint is the `issuer` of its configuration")
    })?;
    let issuer = document.get("issuer").and_then(Value::as_str).unwrap_or_default();
    anyhow::ensure!(issuer == web, "the Galen at {web} calls itself {issuer}: use --endpoint {issuer}");
    Ok(())
}

/// `galen token`: the token alone, so that it can stand in a command substitution; as JSON an object with it.
///
/// # Errors
/// When nobody is signed in or the audience is not allowed.
pub(crate) fn token(output: Output, command: &Token) -> Result<()> {
    let mut caller = Caller::open(command.endpoint.endpoint.as_deref())?;
    let token = caller.id_token(&command.audience)?;
    match output {
        Output::Table => output::text(token.expose())?,
        Output::Json => output::result(output, &json!({"id_token": token.expose(), "audience": command.audience}))?,
    }
    Ok(())
}

/// `galen why`.
///
/// # Errors
/// The server's problem; or a question that is not whole.
pub(crate) fn why(effects: &Effects, command: &Why) -> Result<Value> {
    let api = Api::open(effects, command.endpoint.endpoint.as_deref())?;
    let mut query: Vec<(&str, &str)> = Vec::new();
    let person = command.person.as_deref().map(|person| ("person", person));
    let who = person.or(command.service.as_deref().map(|service| ("service", service)));
    match (&command.decision, who, &command.resource) {
        (Some(decision), _, _) => query.push(("decision", decision)),
        (None, Some(who), Some(resource)) => {
            query.extend([who, ("resource", resource), ("action", &command.action)]);
            query.extend(command.at.as_deref().map(|at| ("at", at)));
        }
        _ => anyhow::bail!("ask with --person or --service and --resource, or with --decision"),
    }
    api.get("why", &query)
}

/// The sentence of a story and its chain, as a person reads it.
pub(crate) fn told(story: &Value) -> Result<()> {
    output::text(story.get("sentence").and_then(Value::as_str).unwrap_or_default())?;
    for link in story.get("chain").and_then(Value::as_array).into_iter().flatten() {
        let kind = link.get("link").and_then(Value::as_str).unwrap_or_default();
        let fields = link.as_object().into_iter().flatten().filter(|(key, _)| *key != "link");
        let line: Vec<String> = fields.filter_map(|(key, value)| Some(format!("{key} {}", short(value)?))).collect();
        output::text(&format!("  {kind}: {}", line.join(", ")))?;
    }
    if let Some(proof) = story.get("proof").filter(|proof| !proof.is_null()) {
        let field = |key: &str| proof.get(key).and_then(short);
        let place = format!("entry {} of {}", field("index").unwrap_or_default(), field("log").unwrap_or_default());
        output::text(&match field("checkpoint") {
            Some(size) => format!("  proof: {place}, under the checkpoint of {size}"),
            None => format!("  proof: {place}, not under a checkpoint yet: ask again in a second"),
        })?;
    }
    Ok(())
}

/// A value on one line: names before ids, nothing for what is absent.
fn short(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Object(map) if map.contains_key("inclusion") => Some(format!("entry {}", map.get("index")?)),
        Value::Object(map) => match (map.get("name"), map.get("id")) {
            (Some(name), _) if name.get("known").is_some() => name.get("known").and_then(short),
            (_, Some(id)) => short(id),
            _ => Some(value.to_string()),
        },
        other => Some(other.to_string()),
    }
}

/// `galen receipt`.
///
/// # Errors
/// When the receipt is not genuine.
pub(crate) fn receipt(output: Output, effects: &Effects, command: &Receipt) -> Result<()> {
    match command {
        Receipt::Key { endpoint } => Ok(output::text(&receipt_key(effects, endpoint)?)?),
        Receipt::Verify { file, key_file, endpoint } => {
            let receipt = local::read(file)?;
            let key = match key_file {
                Some(file) => nouns::secret(file)?,
                None => receipt_key(effects, endpoint)?,
            };
            let key = access::receipt::parse_key(&key)?;
            let statement = access::receipt::verify(receipt.as_bytes(), &key)?;
            Ok(output::result(output, &json!({"genuine": true, "statement": statement}))?)
        }
    }
}

fn receipt_key(effects: &Effects, endpoint: &Endpoint) -> Result<String> {
    let answer = Api::open(effects, endpoint.endpoint.as_deref())?.get("receipt-key", &[])?;
    let key = answer.get("key").and_then(Value::as_str).context("the endpoint gave no key")?;
    Ok(key.to_owned())
}
