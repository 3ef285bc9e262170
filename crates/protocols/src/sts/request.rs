//! Typed STS requests: once a value of these types exists, every limit of the service model holds.

use base::{Arn, SourceIdentity};

use super::fault::{Code, Fault};
use super::form::Form;
use super::limits;

/// The only version of the API (AWS STS API reference).
pub const VERSION: &str = "2011-06-15";
/// Most session tags, and most transitive keys, in one request.
pub const TAGS_MAX: usize = 50;
/// Most managed policies that a caller may name as session policies.
const POLICY_ARNS_MAX: usize = 10;
/// Shortest session that may be asked for, in seconds.
pub const DURATION_SECONDS_MIN: u32 = 900;
/// Longest session that any role may allow, in seconds; each role has its own bound below it.
pub const DURATION_SECONDS_MAX: u32 = 43_200;
/// The length of a session when none is asked for, in seconds.
pub const DURATION_SECONDS_DEFAULT: u32 = 3600;
/// Most bytes of padding that `MinimumSessionTokenSize` may ask for.
const TOKEN_BYTES_MIN_MAX: u32 = 4096;

/// One session tag. Keys compare without case and keep theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// 1 to 128 characters, not starting with `aws:`.
    pub key: String,
    /// 0 to 256 characters.
    pub value: String,
}

/// What every AssumeRole operation may ask of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionWishes {
    /// The role.
    pub role_arn: Arn,
    /// The inline session policy, as text; not yet parsed.
    pub policy: Option<String>,
    /// Managed policies as session policies.
    pub policy_arns: Vec<Arn>,
    /// Asked-for length in seconds, within 900 to 43,200; `None` means the default.
    pub duration_seconds: Option<u32>,
    /// Shortest session token that is asked for, in bytes; zero when not asked for.
    pub token_bytes_min: u32,
}

/// `AssumeRole`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumeRole {
    /// Common wishes.
    pub session: SessionWishes,
    /// 2 to 64 of `[\w+=,.@-]`.
    pub role_session_name: String,
    /// The source identity to set; a chained session may only repeat its own.
    pub source_identity: Option<SourceIdentity>,
    /// `sts:ExternalId`.
    pub external_id: Option<String>,
    /// Session tags, in the order of the request.
    pub tags: Vec<Tag>,
    /// Keys of session tags that chained sessions inherit.
    pub transitive_tag_keys: Vec<String>,
}

/// `AssumeRoleWithWebIdentity`. It is unsigned: the token is the credential.
#[derive(Clone, PartialEq, Eq)]
pub struct AssumeRoleWithWebIdentity {
    /// Common wishes.
    pub session: SessionWishes,
    /// 2 to 64 of `[\w+=,.@-]`.
    pub role_session_name: String,
    /// The token, not yet verified; it has no `Debug`.
    pub token: String,
}

/// `AssumeRoleWithSAML`. It is unsigned: the assertion is the credential. Parsed so that it can be refused clearly.
#[derive(Clone, PartialEq, Eq)]
pub struct AssumeRoleWithSaml {
    /// Common wishes.
    pub session: SessionWishes,
    /// The identity provider.
    pub principal_arn: Arn,
    /// The base64 assertion, not yet verified; it has no `Debug`.
    pub assertion: String,
}

/// A request that is well formed.
pub enum Request {
    /// `AssumeRole`, signed.
    AssumeRole(AssumeRole),
    /// `AssumeRoleWithWebIdentity`, unsigned.
    AssumeRoleWithWebIdentity(AssumeRoleWithWebIdentity),
    /// `AssumeRoleWithSAML`, unsigned.
    AssumeRoleWithSaml(AssumeRoleWithSaml),
    /// `GetCallerIdentity`, signed; needs no permission.
    GetCallerIdentity,
}

/// The operation a request names, known before the rest of it is read: it decides whether a signature is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Signed.
    AssumeRole,
    /// Unsigned.
    AssumeRoleWithWebIdentity,
    /// Unsigned.
    AssumeRoleWithSaml,
    /// Signed.
    GetCallerIdentity,
}

impl Operation {
    /// The name as in `Action=`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AssumeRole => "AssumeRole",
            Self::AssumeRoleWithWebIdentity => "AssumeRoleWithWebIdentity",
            Self::AssumeRoleWithSaml => "AssumeRoleWithSAML",
            Self::GetCallerIdentity => "GetCallerIdentity",
        }
    }

    /// Whether the caller proves itself by a signature; the others carry their credential inside.
    pub const fn is_signed(self) -> bool {
        matches!(self, Self::AssumeRole | Self::GetCallerIdentity)
    }
}

/// Operations of the newest service model that are known and not offered, with what to do instead.
const REFUSED: &[(&str, &str)] = &[
    ("GetSessionToken", "there are no long-term keys here; sign in and use AssumeRoleWithWebIdentity"),
    ("GetFederationToken", "there are no long-term keys here; sign in and use AssumeRoleWithWebIdentity"),
    ("GetWebIdentityToken", "ask the built-in OpenID provider for a token"),
    ("GetDelegatedAccessToken", "it is not offered"),
    ("AssumeRoot", "there is no root user"),
    ("GetAccessKeyInfo", "access keys belong to sessions; use GetCallerIdentity"),
    ("DecodeAuthorizationMessage", "refusals are not encoded; ask `galen why --decision ID`"),
];

/// The operation that the form names.
///
/// # Errors
/// `InvalidAction` for an unknown or refused operation, or another version; `MissingAuthenticationToken`-free: this
/// looks at names only.
pub fn operation(form: &Form) -> Result<Operation, Fault> {
    let Some(action) = form.peek("Action") else {
        return Err(Fault::new(Code::InvalidAction, "the parameter `Action` is missing"));
    };
    match form.peek("Version") {
        Some(VERSION) => {}
        Some(other) => {
            let shown: String = other.chars().take(32).collect();
            let message = format!("version `{shown}` is not spoken here; use {VERSION}");
            return Err(Fault::new(Code::InvalidAction, message));
        }
        None => {
            let message = format!("the parameter `Version` is missing; use {VERSION}");
            return Err(Fault::new(Code::InvalidAction, message));
        }
    }
    match action {
        "AssumeRole" => Ok(Operation::AssumeRole),
        "AssumeRoleWithWebIdentity" => Ok(Operation::AssumeRoleWithWebIdentity),
        "AssumeRoleWithSAML" => Ok(Operation::AssumeRoleWithSaml),
        "GetCallerIdentity" => Ok(Operation::GetCallerIdentity),
        other => Err(unknown(other)),
    }
}

fn unknown(action: &str) -> Fault {
    let message = match REFUSED.iter().find(|(name, _)| *name == action) {
        Some((name, instead)) => format!("`{name}` is not offered: {instead}"),
        None => {
            let shown: String = action.chars().take(64).collect();
            format!("could not find operation `{shown}` for version {VERSION}")
        }
    };
    Fault::new(Code::InvalidAction, message)
}

impl Request {
    /// Reads the whole request.
    ///
    /// # Errors
    /// `InvalidAction` as [`operation`]; `ValidationError` naming the first member that breaks a limit, and any
    /// parameter that the operation does not have.
    pub fn parse(mut form: Form) -> Result<Self, Fault> {
        let operation = operation(&form)?;
        form.take("Action");
        form.take("Version");
        let request = match operation {
            Operation::GetCallerIdentity => Self::GetCallerIdentity,
            Operation::AssumeRole => Self::AssumeRole(assume_role(&mut form)?),
            Operation::AssumeRoleWithWebIdentity => Self::AssumeRoleWithWebIdentity(with_web_identity(&mut form)?),
            Operation::AssumeRoleWithSaml => Self::AssumeRoleWithSaml(with_saml(&mut form)?),
        };
        form.finish()?;
        Ok(request)
    }
}

fn assume_role(form: &mut Form) -> Result<AssumeRole, Fault> {
    for mfa in ["SerialNumber", "TokenCode"] {
        if form.peek(mfa).is_some() {
            let message = format!("`{mfa}` is not supported: multi-factor sign-in happens at the OpenID provider");
            return Err(Fault::invalid(message));
        }
    }
    if !form.take_rows("ProvidedContexts", &["ProviderArn", "ContextAssertion"], 5)?.is_empty() {
        return Err(Fault::invalid("`ProvidedContexts` is not supported"));
    }
    let external_id = form.take("ExternalId");
    if let Some(id) = &external_id {
        limits::EXTERNAL_ID.check(id)?;
    }
    let tags = tags(form)?;
    Ok(AssumeRole {
        session: session_wishes(form)?,
        role_session_name: role_session_name(form)?,
        source_identity: source_identity(form)?,
        external_id,
        transitive_tag_keys: transitive_tag_keys(form, &tags)?,
        tags,
    })
}

fn with_web_identity(form: &mut Form) -> Result<AssumeRoleWithWebIdentity, Fault> {
    if let Some(provider) = form.take("ProviderId") {
        limits::PROVIDER_ID.check(&provider)?;
        return Err(Fault::invalid(
            "`ProviderId` is for OAuth 2.0 access tokens, which are not taken; send an ID token",
        ));
    }
    let mut token = required(form, "WebIdentityToken")?;
    // SDKs send a token file as it is, with the line end that whoever wrote the file put after the token.
    token.truncate(token.trim_end_matches(['\r', '\n']).len());
    limits::WEB_IDENTITY_TOKEN.check(&token).map_err(|fault| hide_value(&fault, "webIdentityToken"))?;
    Ok(AssumeRoleWithWebIdentity { session: session_wishes(form)?, role_session_name: role_session_name(form)?, token })
}

fn with_saml(form: &mut Form) -> Result<AssumeRoleWithSaml, Fault> {
    let principal = required(form, "PrincipalArn")?;
    let assertion = required(form, "SAMLAssertion")?;
    limits::SAML_ASSERTION.check(&assertion).map_err(|fault| hide_value(&fault, "sAMLAssertion"))?;
    Ok(AssumeRoleWithSaml {
        principal_arn: arn(&principal, "principalArn")?,
        session: session_wishes(form)?,
        assertion,
    })
}

/// A credential is never repeated in a message, not even its first characters.
fn hide_value(fault: &Fault, name: &str) -> Fault {
    let constraint = fault.message.split_once("constraint: ").map_or("", |(_, rest)| rest);
    Fault::invalid(format!("1 validation error detected: Value at '{name}' failed to satisfy constraint: {constraint}"))
}

fn session_wishes(form: &mut Form) -> Result<SessionWishes, Fault> {
    let role = required(form, "RoleArn")?;
    limits::ROLE_ARN.check(&role)?;
    let policy = form.take("Policy");
    if let Some(policy) = &policy {
        limits::POLICY.check(policy)?;
    }
    let mut policy_arns = Vec::new();
    for row in form.take_rows("PolicyArns", &["arn"], POLICY_ARNS_MAX)? {
        let text = row.get("arn").cloned().unwrap_or_default();
        limits::POLICY_ARN.check(&text)?;
        policy_arns.push(arn(&text, "policyArns")?);
    }
    Ok(SessionWishes {
        role_arn: arn(&role, "roleArn")?,
        policy,
        policy_arns,
        duration_seconds: number(form, "DurationSeconds", DURATION_SECONDS_MIN, DURATION_SECONDS_MAX)?,
        token_bytes_min: number(form, "MinimumSessionTokenSize", 0, TOKEN_BYTES_MIN_MAX)?.unwrap_or(0),
    })
}

fn required(form: &mut Form, name: &'static str) -> Result<String, Fault> {
    form.take(name).ok_or_else(|| {
        let name = super::form::lower_first(name);
        Fault::invalid(format!(
            "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
        ))
    })
}

fn role_session_name(form: &mut Form) -> Result<String, Fault> {
    let name = required(form, "RoleSessionName")?;
    limits::check_session_name(&name)?;
    Ok(name)
}

fn source_identity(form: &mut Form) -> Result<Option<SourceIdentity>, Fault> {
    let Some(text) = form.take("SourceIdentity") else { return Ok(None) };
    limits::SOURCE_IDENTITY.check(&text)?;
    text.parse().map(Some).map_err(|bad: base::BadName| Fault::invalid(bad.to_string()))
}

fn arn(text: &str, name: &str) -> Result<Arn, Fault> {
    text.parse().map_err(|bad: base::BadName| Fault::invalid(format!("at '{name}': {bad}")))
}

fn number(form: &mut Form, name: &'static str, min: u32, max: u32) -> Result<Option<u32>, Fault> {
    let Some(text) = form.take(name) else { return Ok(None) };
    let shown: String = text.chars().take(32).collect();
    let fault = |constraint: String| {
        let name = super::form::lower_first(name);
        Fault::invalid(format!(
            "1 validation error detected: Value '{shown}' at '{name}' failed to satisfy constraint: {constraint}"
        ))
    };
    let digits = !text.is_empty() && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
    let value: u32 = match text.parse() {
        Ok(value) if digits => value,
        _ => return Err(fault("Member must be an integer".into())),
    };
    if value < min {
        return Err(fault(format!("Member must have value greater than or equal to {min}")));
    }
    if value > max {
        return Err(fault(format!("Member must have value less than or equal to {max}")));
    }
    Ok(Some(value))
}

fn tags(form: &mut Form) -> Result<Vec<Tag>, Fault> {
    let mut tags: Vec<Tag> = Vec::new();
    for mut row in form.take_rows("Tags", &["Key", "Value"], TAGS_MAX)? {
        let (Some(key), Some(value)) = (row.remove("Key"), row.remove("Value")) else {
            return Err(Fault::invalid("each member of `Tags` needs both `Key` and `Value`"));
        };
        limits::check_tag(&key, &value)?;
        if tags.iter().any(|tag| same_key(&tag.key, &key)) {
            let message = format!("the tag key `{key}` is given more than once; keys compare without case");
            return Err(Fault::invalid(message));
        }
        tags.push(Tag { key, value });
    }
    Ok(tags)
}

fn transitive_tag_keys(form: &mut Form, tags: &[Tag]) -> Result<Vec<String>, Fault> {
    let keys = form.take_list("TransitiveTagKeys", TAGS_MAX)?;
    for key in &keys {
        limits::TAG_KEY.check(key)?;
        if !tags.iter().any(|tag| same_key(&tag.key, key)) {
            let message = format!("the transitive tag key `{key}` is not among the session tags of this request");
            return Err(Fault::invalid(message));
        }
    }
    Ok(keys)
}

fn same_key(left: &str, right: &str) -> bool {
    left.to_lowercase() == right.to_lowercase()
}
