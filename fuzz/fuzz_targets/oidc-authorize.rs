//! Fuzzes authorisation requests.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocols::oidc::{AuthorizeParams, RedirectUri};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(params) = AuthorizeParams::parse(bytes) {
        let _refused = params.request().map_err(|error| error.description());
        if let Ok(uri) = RedirectUri::parse(&params.redirect_uri) {
            assert!(uri.matches(&params.redirect_uri, true));
        }
    }
});
