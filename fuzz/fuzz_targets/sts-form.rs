//! Fuzzes forms of STS.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocols::sts::{Form, Request};

fuzz_target!(|bytes: &[u8]| {
    let Ok(form) = Form::parse(bytes) else { return };
    if let Err(fault) = Request::parse(form) {
        assert!(!fault.to_xml("r").contains('\0'));
    }
});
