//! The AWS Query protocol's parameters: bounded, strictly decoded, each name at most once.

use std::collections::BTreeMap;

use super::fault::{Code, Fault};

/// Largest form that is read, in bytes. The largest legal request is AssumeRoleWithSAML with 100,000 base64 characters;
/// with escapes, a policy, tags and keys it stays under this.
pub const BODY_BYTES_MAX: usize = 192 * 1024;

/// Most parameters in one request: 50 tags and 50 transitive keys are 150, policies and the rest under 50 more.
pub const PARAMETERS_MAX: usize = 256;

/// The parameters of one request, by name.
#[derive(Debug, Default)]
pub struct Form {
    parameters: BTreeMap<String, String>,
}

impl Form {
    /// Reads `name=value&...`, with `+` for a space and strict percent escapes (RFC 3986, section 2.1).
    ///
    /// # Errors
    /// `RequestEntityTooLarge` past [`BODY_BYTES_MAX`]; `MalformedQueryString` for a bad escape, bytes that are not
    /// UTF-8, a NUL, a name given twice, or more than [`PARAMETERS_MAX`] parameters.
    pub fn parse(text: &[u8]) -> Result<Self, Fault> {
        Self::parse_except(text, |_| false)
    }

    /// As [`Form::parse`], leaving out the parameters that belong to the signature of a presigned query.
    ///
    /// # Errors
    /// As [`Form::parse`].
    pub fn parse_presigned(query: &[u8]) -> Result<Self, Fault> {
        Self::parse_except(query, |name| {
            let is = |known: &&str| name.eq_ignore_ascii_case(known);
            [
                "X-Amz-Algorithm",
                "X-Amz-Credential",
                "X-Amz-Date",
                "X-Amz-Expires",
                "X-Amz-SignedHeaders",
                "X-Amz-Signature",
                "X-Amz-Security-Token",
            ]
            .iter()
            .any(is)
        })
    }

    fn parse_except(text: &[u8], skip: impl Fn(&str) -> bool) -> Result<Self, Fault> {
        if text.len() > BODY_BYTES_MAX {
            let message = format!("the request is {} bytes long; at most {BODY_BYTES_MAX} are read", text.len());
            return Err(Fault::new(Code::RequestEntityTooLarge, message));
        }
        let mut parameters = BTreeMap::new();
        for pair in text.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
            let (name, value) = split_pair(pair);
            let (name, value) = (decode(name)?, decode(value)?);
            if skip(&name) {
                continue;
            }
            if parameters.len() == PARAMETERS_MAX {
                return Err(malformed(format!("more than {PARAMETERS_MAX} parameters")));
            }
            if parameters.contains_key(&name) {
                return Err(malformed(format!("the parameter `{}` is given twice", short(&name))));
            }
            parameters.insert(name, value);
        }
        Ok(Self { parameters })
    }

    /// The value of `name`, left in the form.
    pub fn peek(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// Takes the value of `name` out of the form.
    pub fn take(&mut self, name: &str) -> Option<String> {
        self.parameters.remove(name)
    }

    /// Takes the list `name.member.N`, in the order of N; gaps are allowed, zero and leading zeros are not.
    ///
    /// # Errors
    /// `ValidationError` when there are more than `max` members or an index is malformed.
    pub(super) fn take_list(&mut self, name: &str, max: usize) -> Result<Vec<String>, Fault> {
        let rows = self.take_rows(name, &[""], max)?;
        Ok(rows.into_iter().filter_map(|mut row| row.remove("")).collect())
    }

    /// Takes the list of structures `name.member.N.FIELD`, in the order of N. An empty field name stands for the member
    /// itself.
    ///
    /// # Errors
    /// As [`Form::take_list`], and for a field that is not in `fields`.
    pub(super) fn take_rows(
        &mut self,
        name: &str,
        fields: &[&'static str],
        max: usize,
    ) -> Result<Vec<BTreeMap<&'static str, String>>, Fault> {
        // Query clients send an empty list as `Tags=`.
        if self.peek(name) == Some("") {
            self.take(name);
        }
        let prefix = format!("{name}.member.");
        let names: Vec<String> = self
            .parameters
            .range(prefix.clone()..)
            .take_while(|(key, _)| key.starts_with(&prefix))
            .map(|(key, _)| key.clone())
            .collect();
        let mut rows: BTreeMap<u32, BTreeMap<&'static str, String>> = BTreeMap::new();
        for key in names {
            let rest = key.strip_prefix(&prefix).unwrap_or_default();
            let (index, field) = rest.split_once('.').unwrap_or((rest, ""));
            let known = fields.iter().find(|known| **known == field);
            let (Some(index), Some(known)) = (list_index(index), known) else {
                return Err(Fault::invalid(format!("`{}` is not a parameter of this operation", short(&key))));
            };
            if let Some(value) = self.parameters.remove(&key) {
                rows.entry(index).or_default().insert(known, value);
            }
        }
        if rows.len() > max {
            let message = format!(
                "1 validation error detected: Value at '{}' failed to satisfy constraint: Member must have length less than or equal to {max}",
                lower_first(name)
            );
            return Err(Fault::invalid(message));
        }
        Ok(rows.into_values().collect())
    }

    /// Refuses the request when anything is left that the operation did not take, so that nothing is silently ignored.
    ///
    /// # Errors
    /// `ValidationError` naming the first parameter left.
    pub(super) fn finish(self) -> Result<(), Fault> {
        match self.parameters.into_keys().next() {
            None => Ok(()),
            Some(name) => {
                Err(Fault::invalid(format!("`{}` is not a parameter of this operation; remove it", short(&name))))
            }
        }
    }
}

fn malformed(message: String) -> Fault {
    Fault::new(Code::MalformedQueryString, message)
}

/// At most the first 64 characters, so that a message stays small.
fn short(name: &str) -> String {
    name.chars().take(64).collect()
}

pub(super) fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(chars).collect()
}

fn list_index(text: &str) -> Option<u32> {
    let sound = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    if sound { text.parse().ok() } else { None }
}

fn split_pair(pair: &[u8]) -> (&[u8], &[u8]) {
    let mut halves = pair.splitn(2, |b| *b == b'=');
    (halves.next().unwrap_or_default(), halves.next().unwrap_or_default())
}

/// Undoes form encoding; strict where lenient decoders guess.
fn decode(text: &[u8]) -> Result<String, Fault> {
    let not_utf8 = |_| malformed("the request is not UTF-8".into());
    if !text.iter().any(|byte| matches!(byte, b'+' | b'%' | 0)) {
        return String::from_utf8(text.to_vec()).map_err(not_utf8);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
                let (high, low) = (digit(bytes.next()), digit(bytes.next()));
                let (Some(high), Some(low)) = (high, low) else {
                    return Err(malformed("a percent sign is not followed by two hexadecimal digits".into()));
                };
                out.push(u8::try_from(high * 16 + low).unwrap_or_default());
            }
            0 => return Err(malformed("the request holds a NUL byte".into())),
            other => out.push(other),
        }
    }
    if out.contains(&0) {
        return Err(malformed("the request holds a NUL byte".into()));
    }
    String::from_utf8(out).map_err(not_utf8)
}
