//! The codec's own errors in better words: what is wrong, where, and what to do. Codes and statuses stay as they are.
//!
//! INVARIANT: only text that the codec wrote is replaced; what follows a prefix is already escaped as XML and stays so.

/// What a message of the codec begins with, and what is said instead of the whole.
const WHOLE: &[(&str, &str)] = &[
    (
        "Unknown operation",
        "the method, path and parameters together name no operation of S3: see the reference of operations",
    ),
    (
        "request time is too far from server time",
        "the time of the request and the time here differ by more than 15 minutes: set the clock of the machine that signs",
    ),
    (
        "request date is later than server time too much",
        "the presigned URL is dated more than 15 minutes ahead: set the clock of the machine that signs",
    ),
    (
        "The authorization query parameters that you provided are not valid.",
        "a parameter of the presigned URL is missing, malformed or out of bounds: `X-Amz-Expires` is 1 to 604800 seconds",
    ),
    (
        "Couldn&apos;t parse the specified URI.",
        "the path or the query is not UTF-8 after its percent-encoding is taken away: encode each byte of the key's UTF-8",
    ),
    (
        "invalid header: authorization",
        "the header `Authorization` is malformed: expected `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/s3/aws4_request, SignedHeaders=.., \
         Signature=` and 64 lower-case hexadecimal digits",
    ),
    ("Request has expired", "the presigned URL has expired: make a new one"),
    ("The specified bucket is not valid.", "a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens"),
    ("Your key is too long.", "a key has at most 1,024 bytes"),
    (
        "This happens when the user sends malformed XML",
        "the body has an element twice or a value of the wrong kind: compare it with the operation's reference",
    ),
    ("expected UTF-8 body", "the body is not UTF-8: send the document in UTF-8"),
    (
        "There were headers present in the request which were not signed",
        "every `x-amz-*` header must be signed: name it in `SignedHeaders`, or leave it out",
    ),
];

/// What a message of the codec begins with, and the words around what follows: before it, and after.
const BEGUN: &[(&str, &str, &str)] = &[
    ("missing header: ", "the header `", "` is missing: send it"),
    ("duplicate header: ", "the header `", "` is given more than once: send it once"),
    ("missing query: ", "the parameter `", "` is missing: send it"),
    ("duplicate query: ", "the parameter `", "` is given more than once: send it once"),
];

/// As [`BEGUN`], where a name and a value follow.
const NAMED: &[(&str, &str)] = &[("invalid header: ", "header"), ("invalid query: ", "parameter")];

/// The beginning of an error document, with its message in better words, and the argument in the elements that S3 has for it.
pub(crate) fn better(xml: &str) -> String {
    let split = xml.split_once("<Message>").and_then(|(front, rest)| {
        let (message, back) = rest.split_once("</Message>")?;
        Some((front, message, back))
    });
    let Some((front, message, back)) = split else { return xml.to_owned() };
    let Some(words) = instead(message) else { return xml.to_owned() };
    let named = named(message).filter(|_| front.ends_with("<Code>InvalidArgument</Code>"));
    let argument = named.map(|(_, name, value)| {
        let value = value.strip_prefix("&quot;").and_then(|value| value.strip_suffix("&quot;")).unwrap_or(value);
        format!("<ArgumentName>{name}</ArgumentName><ArgumentValue>{value}</ArgumentValue>")
    });
    format!("{front}<Message>{words}</Message>{}{back}", argument.unwrap_or_default())
}

/// The kind, name and value of a header or parameter that the codec could not read.
fn named(message: &str) -> Option<(&'static str, &str, &str)> {
    NAMED.iter().find_map(|(stock, kind)| {
        let (name, value) = message.strip_prefix(stock)?.split_once(": ")?;
        Some((*kind, name, value))
    })
}

fn instead(message: &str) -> Option<String> {
    if let Some((_, words)) = WHOLE.iter().find(|(stock, _)| message.starts_with(stock)) {
        return Some((*words).to_owned());
    }
    for (stock, front, back) in BEGUN {
        if let Some(name) = message.strip_prefix(stock) {
            return Some(format!("{front}{name}{back}"));
        }
    }
    let (kind, name, value) = named(message)?;
    let what = match name {
        "range" => "ask for one range: bytes=FIRST-LAST, bytes=FIRST- or bytes=-LENGTH",
        "content-length" => "send the length of the body in bytes",
        "if-modified-since" | "if-unmodified-since" => "send a date such as Wed, 21 Oct 2015 07:28:00 GMT",
        _ => "correct it or leave it out",
    };
    Some(format!("the {kind} `{name}` cannot be read, its value is {value}: {what}"))
}

#[cfg(test)]
mod tests;
