//! The rehearsal over the real wire: what clients of AWS see of it.

#[path = "../common/mod.rs"]
mod common;
mod conformance;
mod document;
mod door;
mod faults;
mod ports;
