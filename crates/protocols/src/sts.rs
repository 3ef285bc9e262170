//! The wire form of AWS STS: the AWS Query protocol in (`application/x-www-form-urlencoded`, version 2011-06-15),
//! XML out.
//!
//! It turns bytes into typed requests whose every field keeps the limits of the AWS STS API reference, and typed
//! answers into XML. It knows nothing of roles, trust, tokens or HTTP servers. Nothing here allocates more than the
//! bounded input asks for.

mod fault;
mod form;
mod limits;
mod request;
mod response;

pub use fault::{Code, Fault};
pub use form::{BODY_BYTES_MAX, Form, PARAMETERS_MAX};
pub use limits::{check_session_name, check_tag};
pub use request::{
    AssumeRole, AssumeRoleWithSaml, AssumeRoleWithWebIdentity, DURATION_SECONDS_DEFAULT, DURATION_SECONDS_MAX,
    DURATION_SECONDS_MIN, Operation, Request, SessionWishes, TAGS_MAX, Tag, VERSION, operation,
};
pub use response::{
    AssumeRoleOutput, AssumeRoleWithWebIdentityOutput, AssumedRoleUser, CallerIdentity, Credentials, NAMESPACE,
    Response,
};

#[cfg(test)]
mod tests;
