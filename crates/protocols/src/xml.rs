//! Writes small XML answers: text is escaped in one place, so that nothing a caller sent can become markup.

/// Appends `text` as XML 1.0 character data. Markup characters and carriage returns become references; characters that
/// XML 1.0 cannot hold (section 2.2, `Char`) become U+FFFD.
pub fn text(out: &mut String, text: &str) {
    let plain = |byte| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' | b':' | b'+' | b'=' | b' ');
    if text.bytes().all(plain) {
        return out.push_str(text);
    }
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}' => out.push(c),
            _ => out.push('\u{fffd}'),
        }
    }
}

/// Appends `<name>text</name>`. `name` is a constant of the caller, never input.
pub fn element(out: &mut String, name: &'static str, value: &str) {
    nested(out, name, |out| text(out, value));
}

/// Appends `<name>`, what `body` writes, and `</name>`.
pub fn nested(out: &mut String, name: &'static str, body: impl FnOnce(&mut String)) {
    out.push('<');
    out.push_str(name);
    out.push('>');
    body(out);
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// Appends `<name xmlns="namespace">`, what `body` writes, and `</name>`. Both names are constants of the caller.
pub fn root(out: &mut String, name: &'static str, namespace: &'static str, body: impl FnOnce(&mut String)) {
    out.push('<');
    out.push_str(name);
    out.push_str(" xmlns=\"");
    out.push_str(namespace);
    out.push_str("\">");
    body(out);
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}
