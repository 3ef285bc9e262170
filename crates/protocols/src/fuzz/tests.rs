//! The corpora and their mutations, replayed.

use super::*;

#[path = "../../../../fuzz/replay.rs"]
mod replay;

#[test]
fn tokens_and_keys() {
    replay::replay("jwt", jwt);
    replay::replay("jwt-claims", jwt_claims);
    replay::replay("jwks", jwks);
}

#[test]
fn requests_of_openid_connect() {
    replay::replay("oidc-authorize", oidc_authorize);
    replay::replay("oidc-token", oidc_token);
}

#[test]
fn signed_requests() {
    replay::replay("sigv4-request", sigv4_request);
    replay::replay("sigv4-header", sigv4_header);
}

#[test]
fn forms_of_sts() {
    replay::replay("sts-form", sts_form);
}

/// Seeds that only a reader which understands them refuses for the right reason.
#[test]
fn seeds_are_understood() {
    assert!(replay::corpus("jwt-claims").iter().any(|payload| Claims::read(payload).is_ok()));
    assert!(replay::corpus("sts-form").iter().any(|form| Form::parse(form).and_then(Request::parse).is_ok()));
}
