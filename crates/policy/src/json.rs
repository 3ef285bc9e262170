//! A strict JSON reader (RFC 8259) that keeps what a policy needs and `serde_json` drops: duplicate keys are refused,
//! and a number that would lose digits is refused. It knows nothing of policies.

use crate::error::{Error, shown};

/// Deepest nesting of objects and lists; a policy needs six.
pub(crate) const DEPTH_MAX: usize = 16;

/// Most values (of any type) in one text: bounds memory at a small multiple of the text.
const NODES_MAX: usize = 65_536;

/// A JSON value; numbers are kept as their canonical text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Number(serde_json::Number, String),
    Text(String),
    List(Vec<Node>),
    /// Members in canonical order (RFC 8785 section 3.2.3), so that a text and its canonical form read as equal values.
    Object(Vec<(String, Node)>),
}

impl Node {
    /// A word for the type, for messages.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(..) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// The same value for `serde`.
    pub(crate) fn to_value(&self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Self::Null => Value::Null,
            Self::Bool(b) => Value::Bool(*b),
            Self::Number(n, _) => Value::Number(n.clone()),
            Self::Text(t) => Value::String(t.clone()),
            Self::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Self::Object(members) => Value::Object(members.iter().map(|(k, v)| (k.clone(), v.to_value())).collect()),
        }
    }
}

/// Reads one JSON text of at most `bytes_max` bytes.
pub(crate) fn parse(text: &str, bytes_max: usize) -> Result<Node, Error> {
    if text.len() > bytes_max {
        return Err(Error::TooLarge { bytes: text.len(), max: bytes_max });
    }
    let mut reader = Reader { text, at: 0, depth: 0, nodes: 0 };
    reader.space();
    let node = reader.value()?;
    reader.space();
    if reader.peek().is_some() {
        return Err(reader.wrong("expected the end of the text after the value"));
    }
    Ok(node)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    nodes: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn place(&self, at: usize) -> (u32, u32) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }

    fn wrong(&self, problem: &'static str) -> Error {
        let (line, column) = self.place(self.at);
        Error::Json { line, column, problem }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Result<Node, Error> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(self.wrong("too many values in one text"));
        }
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::list),
            Some(b'"') => Ok(Node::Text(self.string()?)),
            Some(b't') => self.word("true", Node::Bool(true)),
            Some(b'f') => self.word("false", Node::Bool(false)),
            Some(b'n') => self.word("null", Node::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => Err(self.wrong("expected a value")),
            None => Err(self.wrong("the text ends where a value is expected")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Node, Error>) -> Result<Node, Error> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.wrong("nested too deeply"));
        }
        self.at += 1;
        let node = read(self)?;
        self.depth -= 1;
        Ok(node)
    }

    fn word(&mut self, word: &str, node: Node) -> Result<Node, Error> {
        if !self.rest().starts_with(word) {
            return Err(self.wrong("expected a value"));
        }
        self.at += word.len();
        Ok(node)
    }

    fn object(&mut self) -> Result<Node, Error> {
        let mut members: Vec<(String, Node)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Node::Object(members));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.wrong("expected a key in double quotes"));
            }
            let key_at = self.at;
            let key = self.string()?;
            if !seen.insert(key.clone()) {
                let (line, column) = self.place(key_at);
                return Err(Error::DuplicateKey { key: shown(&key), line, column });
            }
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.wrong("expected `:` after the key"));
            }
            self.at += 1;
            self.space();
            let value = self.value()?;
            members.push((key, value));
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
                    return Ok(Node::Object(members));
                }
                _ => return Err(self.wrong("expected `,` or `}`")),
            }
        }
    }

    fn list(&mut self) -> Result<Node, Error> {
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Node::List(items));
        }
        loop {
            self.space();
            items.push(self.value()?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Node::List(items));
                }
                _ => return Err(self.wrong("expected `,` or `]`")),
            }
        }
    }

    fn string(&mut self) -> Result<String, Error> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.rest();
            let plain = rest.find(['"', '\\']).unwrap_or(rest.len());
            let span = rest.get(..plain).unwrap_or_default();
            if let Some(control) = span.find(|c: char| c < ' ') {
                self.at += control;
                return Err(self.wrong("a control character inside text must be escaped"));
            }
            out.push_str(span);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                _ => return Err(self.wrong("the text ends inside a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Error> {
        let escaped = self.peek();
        self.at += 1;
        Ok(match escaped {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => {
                self.at -= 1;
                return Err(self.wrong("unknown escape"));
            }
        })
    }

    fn unicode(&mut self) -> Result<char, Error> {
        let high = self.hex4()?;
        let code = if (0xd800..0xdc00).contains(&high) && self.rest().starts_with("\\u") {
            self.at += 2;
            let low = self.hex4()?;
            if !(0xdc00..0xe000).contains(&low) {
                return Err(self.wrong("a lone surrogate is not a character"));
            }
            0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)
        } else {
            high
        };
        char::from_u32(code).ok_or_else(|| self.wrong("a lone surrogate is not a character"))
    }

    fn hex4(&mut self) -> Result<u32, Error> {
        let digits = self.text.get(self.at..self.at + 4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits.and_then(|d| u32::from_str_radix(d, 16).ok());
        let code = code.ok_or_else(|| self.wrong("expected four hexadecimal digits"))?;
        self.at += 4;
        Ok(code)
    }

    fn number(&mut self) -> Result<Node, Error> {
        let rest = self.rest();
        let end = rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        let text = rest.get(..end).unwrap_or_default().to_owned();
        let Ok(serde_json::Value::Number(number)) = serde_json::from_str(&text) else {
            return Err(self.wrong("not a number"));
        };
        let canonical = base::canonical::to_string(&number).map_err(|_| self.wrong("not a number"))?;
        if !same_decimal(&text, &canonical) {
            return Err(self.wrong("the number has more digits than JSON numbers keep: write it as text"));
        }
        self.at += end;
        Ok(Node::Number(number, canonical))
    }
}

/// Whether both texts are the same decimal number. Two documents of one digest must never evaluate differently.
fn same_decimal(text: &str, canonical: &str) -> bool {
    use rust_decimal::Decimal;
    let read = |t: &str| Decimal::from_str_exact(t).or_else(|_| Decimal::from_scientific(t)).ok();
    text == canonical || read(text).is_some_and(|n| Some(n) == read(canonical))
}
