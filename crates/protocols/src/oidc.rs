//! OpenID Connect and OAuth 2.0 on the wire, seen from the provider: requests, errors, discovery, and the claims that AWS reads.
//!
//! It knows no client, no person and no session: whether a request is granted is decided elsewhere. Every request is
//! bounded, and a parameter that comes twice is refused (RFC 6749, section 3.1), so that no two readers differ.

mod authorize;
mod aws;
mod discovery;
mod error;
mod form;
mod pkce;
mod redirect;
mod token;

pub use authorize::{AuthorizeParams, AuthorizeRequest, Prompt, Scopes};
pub use aws::AwsClaims;
pub use discovery::Endpoints;
pub use error::{ErrorCode, OAuthError};
pub use form::{FORM_BYTES_MAX, Form, FormError};
pub use pkce::Challenge;
pub use redirect::{BadRedirect, RedirectUri};
pub use token::{ClientAuth, DeviceRequest, Grant, TokenRequest};

#[cfg(test)]
mod tests;
