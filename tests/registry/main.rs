//! The stand-in for ECR: its registry driven by a real Docker Engine and by hand, its API by the official SDK.

#[path = "../common/mod.rs"]
mod common;

mod docker;
mod engine_stand_in;
mod rooms;
mod sample;
mod scene;
mod wire;
