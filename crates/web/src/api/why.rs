//! `/why`: why somebody may or may not do something, and why a recorded decision was made.
