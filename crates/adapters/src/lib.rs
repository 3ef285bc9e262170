//! Implementations of ports: what connects Galen to file systems, remote stores and devices.
//!
//! An adapter knows one outside thing and one port. It holds no rule of governance, and nothing above `app` names it.

pub mod local;
