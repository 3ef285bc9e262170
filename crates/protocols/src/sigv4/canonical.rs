//! The canonical request and the arithmetic on it.

use base::Secret;
use crypto::{hmac_sha256, sha256};

use super::error::Error;
use super::presented::Parts;

/// The canonical request. `signed_headers` are lower-case and in order; `payload` is the lower-case hexadecimal digest of
/// the body.
///
/// # Errors
/// [`Error::Mismatch`] when a signed header is absent or not text.
pub fn canonical_request(parts: &Parts<'_>, signed_headers: &[&str], payload: &str) -> Result<String, Error> {
    let mut out = String::with_capacity(512);
    out.push_str(parts.method);
    out.push('\n');
    encode(&mut out, &normal_path(parts.path), b"/");
    out.push('\n');
    canonical_query(&mut out, parts.query);
    out.push('\n');
    for name in signed_headers {
        out.push_str(name);
        out.push(':');
        canonical_header(&mut out, parts, name)?;
        out.push('\n');
    }
    out.push('\n');
    out.push_str(&signed_headers.join(";"));
    out.push('\n');
    out.push_str(payload);
    Ok(out)
}

/// The key that signs for one day, region and service.
pub fn signing_key(secret: &Secret<String>, day: &str, region: &str, service: &str) -> Secret<[u8; 32]> {
    let seed = Secret::new(format!("AWS4{}", secret.expose()));
    let day = Secret::new(hmac_sha256(seed.expose().as_bytes(), day.as_bytes()));
    let region = Secret::new(hmac_sha256(day.expose(), region.as_bytes()));
    let service = Secret::new(hmac_sha256(region.expose(), service.as_bytes()));
    Secret::new(hmac_sha256(service.expose(), b"aws4_request"))
}

/// The signature of a canonical request. `amz_date` is `YYYYMMDDThhmmssZ`, `scope` is `DAY/REGION/SERVICE/aws4_request`.
pub fn signature(key: &Secret<[u8; 32]>, amz_date: &str, scope: &str, canonical: &str) -> [u8; 32] {
    let digest = hex::encode(sha256(canonical.as_bytes()).0);
    let string_to_sign = format!("AWS4-HMAC-SHA256\n{amz_date}\n{scope}\n{digest}");
    hmac_sha256(key.expose(), string_to_sign.as_bytes())
}

/// Values joined by commas, each trimmed, runs of blanks as one.
fn canonical_header(out: &mut String, parts: &Parts<'_>, name: &str) -> Result<(), Error> {
    let mut first = true;
    for value in parts.headers.get_all(name) {
        let value = std::str::from_utf8(value.as_bytes()).map_err(|_| Error::Mismatch)?;
        if !first {
            out.push(',');
        }
        first = false;
        let mut words = value.split_ascii_whitespace();
        out.extend(words.next());
        for word in words {
            out.push(' ');
            out.push_str(word);
        }
    }
    match (first, parts.authority) {
        (false, _) => Ok(()),
        // HTTP/2 carries the host in `:authority`.
        (true, Some(authority)) if name == "host" => {
            out.push_str(authority);
            Ok(())
        }
        (true, _) => Err(Error::Mismatch),
    }
}

/// Parameters decoded once, encoded again by RFC 3986, sorted by name and then value, without the signature itself.
fn canonical_query(out: &mut String, query: &str) {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (again(name), again(value))
        })
        .filter(|(name, _)| name != "X-Amz-Signature")
        .collect();
    pairs.sort();
    for (n, (name, value)) in pairs.iter().enumerate() {
        if n > 0 {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        out.push_str(value);
    }
}

/// Undoes one encoding (`+` is a space, as the form reader has it) and encodes by RFC 3986.
fn again(text: &str) -> String {
    let spaced = text.replace('+', " ");
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(&spaced).collect();
    let mut out = String::with_capacity(bytes.len());
    encode(&mut out, &bytes, b"");
    out
}

/// Percent-encodes every byte but the unreserved of RFC 3986, section 2.3, and those in `keep`.
fn encode(out: &mut String, bytes: &[u8], keep: &[u8]) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let digit = |n: u8| HEX.get(usize::from(n)).copied().unwrap_or('0');
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) || keep.contains(byte) {
            out.push(char::from(*byte));
        } else {
            out.push('%');
            out.push(digit(byte >> 4));
            out.push(digit(byte & 15));
        }
    }
}

/// RFC 3986, section 5.2.4, with empty segments dropped; a final slash stays.
fn normal_path(path: &str) -> Vec<u8> {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let mut out = String::from("/");
    out.push_str(&kept.join("/"));
    let folder = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
    if folder && !kept.is_empty() {
        out.push('/');
    }
    out.into_bytes()
}
