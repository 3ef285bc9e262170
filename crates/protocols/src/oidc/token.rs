//! Requests to the token and device endpoints (RFC 6749, sections 4.1.3, 4.4 and 6; RFC 8628).

use base::Secret;
use base64::{Engine, prelude::BASE64_STANDARD};
use percent_encoding::percent_decode_str;

use super::{ErrorCode, Form, OAuthError, Scopes};

/// Longest code, refresh token, device code or secret; ours have fewer than 100 characters.
const SECRET_LEN_MAX: usize = 512;
/// Longest `client_id`, `audience` and scope list.
const NAME_LEN_MAX: usize = 256;
/// Longest redirect URI.
const URI_LEN_MAX: usize = 2048;

/// The grant type of RFC 8628.
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// How the client named itself. One way a request (RFC 6749, section 2.3).
pub struct ClientAuth {
    /// `client_id`.
    pub client_id: String,
    /// The secret, if one was sent, in the header or in the body.
    pub secret: Option<Secret<String>>,
    /// Whether it came in the `Authorization` header, so that a refusal carries `WWW-Authenticate`.
    pub basic: bool,
}

/// What is handed in for tokens.
pub enum Grant {
    /// `authorization_code`.
    Code {
        /// The code.
        code: Secret<String>,
        /// The same URI as in the authorization request.
        redirect_uri: String,
        /// The secret behind the PKCE challenge.
        verifier: Secret<String>,
    },
    /// `refresh_token`.
    Refresh {
        /// The token.
        token: Secret<String>,
        /// A narrower scope, if asked for.
        scopes: Option<Scopes>,
        /// Another client's audience for the ID token, if asked for (an extension; the client's allow list bounds it).
        audience: Option<String>,
    },
    /// `client_credentials`: a machine asks for itself.
    Machine {
        /// The audience of the token, if one is asked for (an extension).
        audience: Option<String>,
    },
    /// `urn:ietf:params:oauth:grant-type:device_code`.
    Device {
        /// The device code.
        code: Secret<String>,
    },
}

/// A request to the token endpoint.
pub struct TokenRequest {
    /// Who asks.
    pub client: ClientAuth,
    /// What for.
    pub grant: Grant,
}

/// A request to the device authorization endpoint.
pub struct DeviceRequest {
    /// Who asks.
    pub client: ClientAuth,
    /// For which scopes.
    pub scopes: Scopes,
}

fn invalid(sentence: impl Into<std::borrow::Cow<'static, str>>) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, sentence)
}

fn required<'a>(form: &'a Form, name: &'static str, max: usize) -> Result<&'a str, OAuthError> {
    match optional(form, name, max)? {
        Some(value) => Ok(value),
        None => Err(invalid(format!("`{name}` is missing"))),
    }
}

fn optional<'a>(form: &'a Form, name: &'static str, max: usize) -> Result<Option<&'a str>, OAuthError> {
    match form.value(name) {
        Some(value) if value.len() > max => Err(invalid(format!("`{name}` is longer than {max} bytes"))),
        value => Ok(value),
    }
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

impl ClientAuth {
    /// Reads `Authorization: Basic` (both halves form-encoded, RFC 6749, 2.3.1) or `client_id` and `client_secret`.
    ///
    /// # Errors
    /// [`OAuthError`] with `invalid_request` or `invalid_client`.
    pub fn read(form: &Form, authorization: Option<&str>) -> Result<Self, OAuthError> {
        let id = optional(form, "client_id", NAME_LEN_MAX)?;
        let in_body = optional(form, "client_secret", SECRET_LEN_MAX)?;
        let Some(header) = authorization else {
            let client_id = id.ok_or_else(|| invalid("`client_id` is missing"))?.to_owned();
            return Ok(Self { client_id, secret: in_body.map(secret), basic: false });
        };
        let (client_id, given) = basic(header).ok_or_else(|| {
            OAuthError::new(
                ErrorCode::InvalidClient,
                "the `Authorization` header is not `Basic` with a client id and secret",
            )
        })?;
        if in_body.is_some() || id.is_some_and(|id| id != client_id) {
            return Err(invalid("the client names itself in two ways: use the header or the body, not both"));
        }
        Ok(Self { client_id, secret: Some(Secret::new(given)), basic: true })
    }
}

fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > 2 * (SECRET_LEN_MAX + NAME_LEN_MAX) {
        return None;
    }
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let plain = |half: &str| percent_decode_str(&half.replace('+', " ")).decode_utf8().ok().map(String::from);
    Some((plain(id)?, plain(secret)?))
}

impl TokenRequest {
    /// Reads the body of a token request and the `Authorization` header, if one came.
    ///
    /// # Errors
    /// [`OAuthError`] with the code that fits.
    pub fn parse(body: &[u8], authorization: Option<&str>) -> Result<Self, OAuthError> {
        let form = Form::parse(body)?;
        let client = ClientAuth::read(&form, authorization)?;
        let grant = match required(&form, "grant_type", NAME_LEN_MAX)? {
            "authorization_code" => Grant::Code {
                code: secret(required(&form, "code", SECRET_LEN_MAX)?),
                redirect_uri: required(&form, "redirect_uri", URI_LEN_MAX)?.to_owned(),
                verifier: secret(required(&form, "code_verifier", SECRET_LEN_MAX)?),
            },
            "refresh_token" => Grant::Refresh {
                token: secret(required(&form, "refresh_token", SECRET_LEN_MAX)?),
                scopes: optional(&form, "scope", NAME_LEN_MAX)?.map(Scopes::parse),
                audience: optional(&form, "audience", NAME_LEN_MAX)?.map(str::to_owned),
            },
            "client_credentials" => {
                if form.value("scope").is_some() {
                    let sentence = "a service has no scopes: what its token is good for is the role that it assumes";
                    return Err(OAuthError::new(ErrorCode::InvalidScope, sentence));
                }
                Grant::Machine { audience: optional(&form, "audience", NAME_LEN_MAX)?.map(str::to_owned) }
            }
            DEVICE_GRANT => Grant::Device { code: secret(required(&form, "device_code", SECRET_LEN_MAX)?) },
            _ => {
                let sentence = "offered are `authorization_code`, `refresh_token`, `client_credentials` and the device code \
                                of RFC 8628";
                return Err(OAuthError::new(ErrorCode::UnsupportedGrantType, sentence));
            }
        };
        Ok(Self { client, grant })
    }
}

impl DeviceRequest {
    /// Reads the body of a device authorization request.
    ///
    /// # Errors
    /// [`OAuthError`] with the code that fits.
    pub fn parse(body: &[u8], authorization: Option<&str>) -> Result<Self, OAuthError> {
        let form = Form::parse(body)?;
        let client = ClientAuth::read(&form, authorization)?;
        let scopes = Scopes::parse(optional(&form, "scope", NAME_LEN_MAX)?.unwrap_or("openid"));
        if scopes.openid {
            Ok(Self { client, scopes })
        } else {
            Err(OAuthError::new(ErrorCode::InvalidScope, "`scope` must contain `openid`"))
        }
    }
}
