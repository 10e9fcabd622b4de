//! The rehearsal over the real wire: what clients of AWS see of it.

mod faults;
mod ports;
