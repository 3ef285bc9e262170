//! What is known of a request when it arrives, before anyone reads it.

use access::Trace;
use access::bodies::Share;
use base::RequestId;
use protocols::peer::Source;
use std::sync::{Arc, OnceLock};

/// Travels in the request's extensions, from the service to the operation and back.
#[derive(Clone)]
pub(crate) struct Arrival {
    /// Sent back to the caller and written into each entry.
    pub(crate) request: RequestId,
    /// Where it comes from, by the trusted-proxy rule.
    pub(crate) source: Option<Source>,
    /// What is held of its body.
    pub(crate) held: Arc<Share>,
    /// What the record holds of it, and whose it is.
    pub(crate) trace: Trace,
    operation: Arc<OnceLock<&'static str>>,
}

impl Arrival {
    pub(crate) fn new(request: RequestId, source: Option<Source>, held: Share) -> Self {
        Self { request, source, held: Arc::new(held), trace: Trace::default(), operation: Arc::default() }
    }

    /// Notes the operation, once it is known, for the counters.
    pub(crate) fn name(&self, operation: &'static str) {
        // Set once a request; a second call changes nothing.
        self.operation.get_or_init(|| operation);
    }

    /// The operation, or `none` if the request was refused before one was known.
    pub(crate) fn operation(&self) -> &'static str {
        self.operation.get().copied().unwrap_or("none")
    }
}
