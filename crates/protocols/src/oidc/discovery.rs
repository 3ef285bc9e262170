//! The discovery document (OpenID Connect Discovery 1.0, section 3; RFC 8414).

use serde_json::{Value, json};

use super::Scopes;

/// Where the provider's endpoints are.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// The issuer, exactly as in `iss`: no trailing slash.
    pub issuer: String,
    /// The signature schemes of ID tokens, as JOSE names.
    pub signing_algorithms: Vec<&'static str>,
}

impl Endpoints {
    /// The path of the authorization endpoint.
    pub const AUTHORIZE: &'static str = "/oidc/authorize";
    /// The path of the token endpoint.
    pub const TOKEN: &'static str = "/oidc/token";
    /// The path of the key set.
    pub const JWKS: &'static str = "/oidc/jwks";
    /// The path of the user-info endpoint.
    pub const USERINFO: &'static str = "/oidc/userinfo";
    /// The path of the device authorization endpoint.
    pub const DEVICE: &'static str = "/oidc/device";
    /// The path of the page where a person enters a device's code.
    pub const DEVICE_PAGE: &'static str = "/device";
    /// The path of the end-session endpoint.
    pub const END_SESSION: &'static str = "/oidc/end-session";
    /// The path of the revocation endpoint.
    pub const REVOKE: &'static str = "/oidc/revoke";
    /// The path of the discovery document.
    pub const DISCOVERY: &'static str = "/.well-known/openid-configuration";

    /// An endpoint as a URL.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// The document.
    pub fn discovery(&self) -> Value {
        json!({
            "issuer": self.issuer,
            "authorization_endpoint": self.url(Self::AUTHORIZE),
            "token_endpoint": self.url(Self::TOKEN),
            "jwks_uri": self.url(Self::JWKS),
            "userinfo_endpoint": self.url(Self::USERINFO),
            "device_authorization_endpoint": self.url(Self::DEVICE),
            "end_session_endpoint": self.url(Self::END_SESSION),
            "revocation_endpoint": self.url(Self::REVOKE),
            "scopes_supported": Scopes::NAMES,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": [
                "authorization_code", "refresh_token", "client_credentials",
                "urn:ietf:params:oauth:grant-type:device_code"
            ],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": self.signing_algorithms,
            "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "prompt_values_supported": ["none", "login", "select_account", "consent"],
            "acr_values_supported": ["urn:galen:acr:password"],
            "claims_supported": [
                "iss", "sub", "aud", "exp", "iat", "nonce", "auth_time", "amr", "acr", "azp", "sid", "at_hash", "name",
                "preferred_username", "email", "groups", "https://aws.amazon.com/tags",
                "https://aws.amazon.com/source_identity", "https://aws.amazon.com/roles"
            ],
            "claims_parameter_supported": false,
            "request_parameter_supported": false,
            "request_uri_parameter_supported": false,
            "authorization_response_iss_parameter_supported": true,
        })
    }
}
