//! Conditions: each operator against missing, one, many and empty values.
