//! operate.
