//! The Docker room against a real Docker Engine, a real registry, and an engine that can be made to misbehave.

mod address;
mod build;
#[path = "../common/mod.rs"]
mod common;
mod daemon;
#[cfg(target_os = "linux")]
mod dockerd;
#[cfg(target_os = "linux")]
mod killed;
mod odd;
mod proxy;
mod push;
mod refusals;
mod registry;
mod rig;
