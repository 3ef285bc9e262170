//! The rules that a parser of bytes from outside keeps, for the fuzz targets and for the replay of their corpora in the tests: each
//! function takes any bytes, and panics when a rule is broken.

use base::Secret;

use crate::receipt::{parse_key, verify};
use crate::token::{SealKeys, body, open};

#[cfg(test)]
mod tests;

/// A session token: nothing that was not sealed here opens.
pub fn session_token(bytes: &[u8]) {
    let keys = || [(1, Secret::new([1; 32])), (7, Secret::new([7; 32]))];
    if let (Ok(keys), Ok(text)) = (SealKeys::new(keys(), keys()), std::str::from_utf8(bytes)) {
        assert!(open(&keys, text).is_err());
    }
}

/// What a session token seals: what is read is written and read the same way again.
pub fn session(bytes: &[u8]) {
    if let Ok(session) = body::read(bytes) {
        let written = body::write(&session);
        assert!(body::read(&written).is_ok_and(|again| body::write(&again) == written));
    }
}

/// A receipt, and a key to check one with: nothing is believed that nobody signed.
pub fn receipt(bytes: &[u8]) {
    // The public key of RFC 8032, section 7.1, test 1.
    if let Ok(key) = parse_key("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=") {
        assert!(verify(bytes, &key).is_err());
    }
    let _refused = parse_key(&String::from_utf8_lossy(bytes));
}
