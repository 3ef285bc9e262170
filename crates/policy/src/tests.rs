//! Documents: what is read and what is refused.
