//! A small AWS client: presigned requests (AWS Signature Version 4, query form) as any tool would send them. The demonstration
//! reads and writes objects with it; `galen creds` asks whether a session still lives.

use anyhow::{Context, Result};
use base::{Effects, Timestamp};
use crypto::{hmac_sha256, sha256};
use std::fmt::Write as _;
use ureq::Agent;

use crate::creds::Credentials;

/// How long a presigned URL is good for, in seconds; it is used at once.
const EXPIRES_SECS: u32 = 60;
/// Largest object that is read into memory, in bytes.
const OBJECT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Who asks, and where.
pub(crate) struct Client<'a> {
    pub(crate) agent: &'a Agent,
    pub(crate) effects: &'a Effects,
    pub(crate) aws: &'a str,
    pub(crate) region: &'a str,
    pub(crate) credentials: &'a Credentials,
}

/// What a request goes to: service, path, own parameters in the order of their names, and the hash of the body.
struct Target<'a> {
    service: &'a str,
    path: &'a str,
    parameters: &'a [(&'a str, &'a str)],
    payload: &'a str,
}

/// What S3 answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The message of an error answer.
    pub(crate) fn message(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        crate::creds::element(&text, "Message").unwrap_or_else(|| format!("status {}", self.status))
    }
}

impl Client<'_> {
    /// GET of one object.
    ///
    /// # Errors
    /// When the connection breaks; a refusal is an answer.
    pub(crate) fn get(&self, bucket: &str, key: &str) -> Result<Answer> {
        let mut response = self.agent.get(self.object("GET", bucket, key)?).call()?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(OBJECT_BYTES_MAX).read_to_vec()?;
        Ok(Answer { status, body })
    }

    /// PUT of one object.
    ///
    /// # Errors
    /// When the connection breaks; a refusal is an answer.
    pub(crate) fn put(&self, bucket: &str, key: &str, bytes: &[u8]) -> Result<Answer> {
        let mut response = self.agent.put(self.object("PUT", bucket, key)?).send(bytes)?;
        let status = response.status().as_u16();
        Ok(Answer { status, body: response.body_mut().read_to_vec()? })
    }

    /// Whether STS still takes the credentials. Yes when it could not be asked: the tool that uses them meets the failure itself.
    pub(crate) fn alive(&self) -> bool {
        let payload = sha256(b"").to_string();
        let parameters = [("Action", "GetCallerIdentity"), ("Version", "2011-06-15")];
        let target = Target { service: "sts", path: "/", parameters: &parameters, payload: &payload };
        let answer = self.presigned("GET", &target).map(|url| self.agent.get(url).call());
        !matches!(answer, Ok(Ok(refused)) if refused.status() == 403)
    }

    fn object(&self, method: &str, bucket: &str, key: &str) -> Result<String> {
        let path = format!("/{}/{}", escaped(bucket, false), escaped(key, true));
        self.presigned(method, &Target { service: "s3", path: &path, parameters: &[], payload: "UNSIGNED-PAYLOAD" })
    }

    fn presigned(&self, method: &str, target: &Target<'_>) -> Result<String> {
        let Target { service, path, parameters, payload } = target;
        let (date, time) = stamp(self.effects.now());
        let host = self.aws.split_once("://").context("the AWS endpoint is not a URL")?.1;
        let scope = format!("{date}/{}/{service}/aws4_request", self.region);
        let signing = [
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", &format!("{}/{scope}", self.credentials.access_key_id)),
            ("X-Amz-Date", &time),
            ("X-Amz-Expires", &EXPIRES_SECS.to_string()),
            ("X-Amz-Security-Token", &self.credentials.session_token),
            ("X-Amz-SignedHeaders", "host"),
        ];
        let query = parameters.iter().chain(&signing).map(|(name, value)| format!("{name}={}", escaped(value, false)));
        let query = query.collect::<Vec<_>>().join("&");
        let request = format!("{method}\n{path}\n{query}\nhost:{host}\n\nhost\n{payload}");
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", sha256(request.as_bytes()));
        let mut key = hmac_sha256(format!("AWS4{}", self.credentials.secret_access_key).as_bytes(), date.as_bytes());
        for part in [self.region, service, "aws4_request", &to_sign] {
            key = hmac_sha256(&key, part.as_bytes());
        }
        let mut signature = String::new();
        for byte in key {
            write!(signature, "{byte:02x}")?;
        }
        Ok(format!("{}{path}?{query}&X-Amz-Signature={signature}", self.aws))
    }
}

/// `YYYYMMDD` and `YYYYMMDDTHHMMSSZ`.
fn stamp(now: Timestamp) -> (String, String) {
    let now = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    (now.split('T').next().unwrap_or_default().to_owned(), now)
}

/// URI encoding as SigV4 wants it: unreserved characters stay, and slashes where they separate.
fn escaped(text: &str, slashes: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (slashes && byte == b'/') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
