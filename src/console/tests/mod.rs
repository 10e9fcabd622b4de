//! The console under a made-up deployment: snapshots of its screens, keys pressed and what they asked for.

pub(crate) mod fixture;
mod harness;
mod keys;
mod picture;
mod screens;
mod svg;
