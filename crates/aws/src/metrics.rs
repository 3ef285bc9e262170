//! Counters of the AWS edge. Labels come from closed sets, never from a request, so that the number of series is bounded.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use std::sync::Arc;

/// Labels of an answered request.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct Answered {
    /// `s3`, `sts`, `cors`, `other`.
    service: &'static str,
    /// The operation, or `none` when it was refused before one was known.
    operation: &'static str,
    /// `2xx` and so on.
    status: &'static str,
}

/// Labels of a refusal before the gate.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct Refused {
    /// Why: `signature`, `token`, `rate_source`, `rate_principal`, `header`, `unsupported`, `document`.
    reason: &'static str,
}

#[derive(Clone, Default)]
pub(crate) struct Metrics {
    answered: Family<Answered, Counter>,
    refused: Family<Refused, Counter>,
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) in_flight: Arc<Gauge>,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("aws");
        registry.register("requests", "Answered requests", metrics.answered.clone());
        registry.register("refused", "Requests refused before the gate", metrics.refused.clone());
        registry.register("object_bytes_in", "Bytes of objects received", metrics.bytes_in.clone());
        registry.register("object_bytes_out", "Bytes of objects sent", metrics.bytes_out.clone());
        registry.register("requests_in_flight", "Requests being answered", Gauge::clone(&metrics.in_flight));
        metrics
    }

    pub(crate) fn answered(&self, service: &'static str, operation: &'static str, status: u16) {
        let status = match status / 100 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            _ => "5xx",
        };
        self.answered.get_or_create(&Answered { service, operation, status }).inc();
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&Refused { reason }).inc();
    }
}
