//! The console under a made-up deployment: snapshots of its screens, keys pressed and what they asked for.

pub(crate) mod fixture;
mod harness;
mod keys;
mod lists;
mod picture;
mod planned;
mod random;
mod retries;
mod screens;
mod svg;
mod watching;
