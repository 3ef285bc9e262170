//! The JSON contract of `galen policy simulate`.
