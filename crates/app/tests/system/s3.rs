//! An S3 client for tests: presigned requests (AWS Signature Version 4, query form), as any tool would send them. It never
//! retries, and it tells an answer whose head arrived from one whose body broke off.

use base::Timestamp;
use crypto::{hmac_sha256, sha256};
use serde_json::Value;
use ureq::{Agent, Body, http::Response};

/// How long a presigned URL is good for, in seconds; it is used at once.
const EXPIRES_SECS: u32 = 300;
/// Largest answer that is read into memory, in bytes.
const BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Who asks, and where.
pub(crate) struct S3 {
    agent: Agent,
    credentials: Value,
}

/// What S3 answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The id under which the server recorded the request.
    pub(crate) request: String,
    /// The tag of what was stored.
    pub(crate) etag: Option<String>,
    /// The body, or how it broke off.
    pub(crate) body: Result<Vec<u8>, ureq::Error>,
}

impl S3 {
    /// With what `galen creds --format json` prints.
    pub(crate) fn new(credentials: Value) -> Self {
        let agent =
            Agent::config_builder().http_status_as_error(false).max_redirects(0).proxy(None).build().new_agent();
        Self { agent, credentials }
    }

    /// The same caller with connections of its own.
    pub(crate) fn again(&self) -> Self {
        Self::new(self.credentials.clone())
    }

    /// GET of one object, or of bytes `first` to `last` of it.
    pub(crate) fn get(&self, bucket: &str, key: &str, range: Option<(usize, usize)>) -> Result<Answer, ureq::Error> {
        let mut request = self.agent.get(self.presigned("GET", &format!("/{bucket}/{key}"), &[]));
        if let Some((first, last)) = range {
            request = request.header("range", format!("bytes={first}-{last}"));
        }
        Ok(answer(request.call()?))
    }

    /// PUT of one object.
    pub(crate) fn put(&self, bucket: &str, key: &str, bytes: &[u8]) -> Result<Answer, ureq::Error> {
        Ok(answer(self.agent.put(self.presigned("PUT", &format!("/{bucket}/{key}"), &[])).send(bytes)?))
    }

    /// PUT of one part of an upload that `query` names.
    pub(crate) fn put_part(
        &self,
        bucket: &str,
        key: &str,
        query: &[(&str, &str)],
        bytes: &[u8],
    ) -> Result<Answer, ureq::Error> {
        Ok(answer(self.agent.put(self.presigned("PUT", &format!("/{bucket}/{key}"), query)).send(bytes)?))
    }

    /// POST to one object: begins or completes an upload.
    pub(crate) fn post(
        &self,
        bucket: &str,
        key: &str,
        query: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, ureq::Error> {
        Ok(answer(self.agent.post(self.presigned("POST", &format!("/{bucket}/{key}"), query)).send(body)?))
    }

    /// DELETE of one object.
    pub(crate) fn delete(&self, bucket: &str, key: &str) -> Result<Answer, ureq::Error> {
        Ok(answer(self.agent.delete(self.presigned("DELETE", &format!("/{bucket}/{key}"), &[])).call()?))
    }

    /// A request about a bucket itself.
    pub(crate) fn bucket(&self, method: &str, bucket: &str, query: &[(&str, &str)], body: &str) -> Answer {
        let url = self.presigned(method, &format!("/{bucket}"), query);
        let request = ureq::http::Request::builder().method(method).uri(url);
        answer(self.agent.run(request.body(body.to_owned()).unwrap()).unwrap())
    }

    /// The first page of the keys below a prefix.
    pub(crate) fn list(&self, bucket: &str, prefix: &str) -> Result<Answer, ureq::Error> {
        let url = self.presigned("GET", &format!("/{bucket}"), &[("list-type", "2"), ("prefix", prefix)]);
        Ok(answer(self.agent.get(url).call()?))
    }

    fn text(&self, name: &str) -> &str {
        self.credentials[name].as_str().unwrap()
    }

    fn presigned(&self, method: &str, path: &str, more: &[(&str, &str)]) -> String {
        let (aws, region) = (self.text("endpoint").trim_end_matches('/'), self.text("region"));
        let time = now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let date = time.split('T').next().unwrap();
        let scope = format!("{date}/{region}/s3/aws4_request");
        let (credential, expires) = (format!("{}/{scope}", self.text("access_key_id")), EXPIRES_SECS.to_string());
        let mut query = vec![
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", &credential),
            ("X-Amz-Date", &time),
            ("X-Amz-Expires", &expires),
            ("X-Amz-Security-Token", self.text("session_token")),
            ("X-Amz-SignedHeaders", "host"),
        ];
        query.extend(more);
        query.sort_unstable();
        let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let query = query.join("&");
        let host = aws.split_once("://").unwrap().1;
        let request = format!("{method}\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD");
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", sha256(request.as_bytes()));
        let secret = format!("AWS4{}", self.text("secret_access_key"));
        let mut key = hmac_sha256(secret.as_bytes(), date.as_bytes());
        for part in [region, "s3", "aws4_request", &to_sign] {
            key = hmac_sha256(&key, part.as_bytes());
        }
        let signature: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{aws}{path}?{query}&X-Amz-Signature={signature}")
    }
}

/// The time of this machine.
#[expect(clippy::disallowed_methods, reason = "a client signs its requests with the real time")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

fn answer(mut response: Response<Body>) -> Answer {
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (request, etag) = (header("x-amz-request-id"), header("etag"));
    Answer {
        status: response.status().as_u16(),
        request: request.expect("every answer carries the id of its request"),
        etag,
        body: response.body_mut().with_config().limit(BODY_BYTES_MAX).read_to_vec(),
    }
}

/// URI encoding as SigV4 wants it in a query: everything but unreserved characters.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
