//! Differences to the other evaluator that are accepted, each with its source. `docs/policy-differences.md` tells them in prose;
//! a test keeps the two lists equal.

use super::generator::Case;

/// One accepted difference: a case that carries `mark` may be answered differently, in the way that `may` says.
pub(crate) struct Accepted {
    pub(crate) id: &'static str,
    pub(crate) mark: &'static str,
    /// Of our decision and theirs.
    pub(crate) may: fn(&str, &str) -> bool,
}

const ANY: fn(&str, &str) -> bool = |_, _| true;

pub(crate) const ACCEPTED: &[Accepted] = &[
    Accepted { id: "D01", mark: "empty-text", may: ANY },
    Accepted { id: "D02", mark: "unresolved", may: ANY },
    Accepted { id: "D03", mark: "variables-2008", may: ANY },
    Accepted { id: "D04", mark: "epoch", may: ANY },
    Accepted { id: "D05", mark: "mixed-addresses", may: ANY },
    Accepted { id: "D06", mark: "not-principal-deny", may: |ours, _| ours == "explicit_deny" },
    Accepted {
        id: "D07",
        mark: "session-and-resource",
        may: |ours, theirs| ours == "allow" && theirs == "implicit_deny",
    },
    Accepted { id: "D08", mark: "provider", may: |ours, theirs| ours != theirs && theirs != "explicit_deny" },
    Accepted { id: "D09", mark: "no-trust-policy", may: |ours, theirs| ours == "implicit_deny" && theirs == "allow" },
    Accepted { id: "D10", mark: "short-arn-in-not-resource", may: ANY },
    Accepted { id: "D11", mark: "escape-in-equals", may: ANY },
    Accepted {
        id: "D12",
        mark: "federated-user-without-session",
        may: |ours, theirs| ours == "implicit_deny" && theirs == "allow",
    },
];

/// The difference that may explain why `case` is answered differently.
pub(crate) fn accepted(case: &Case, ours: &str, theirs: &str) -> Option<&'static str> {
    ACCEPTED.iter().find(|a| case.marks.contains(a.mark) && (a.may)(ours, theirs)).map(|a| a.id)
}
