//! Quarterdeck, a terminal deploy console: one build, every region, every host, and a retry of exactly those that failed.
//!
//! # One stream
//!
//! ```text
//! config.toml + git revision -> Plan -> engine -> facts -> journal -> fold -> State -> console | plain | json | report
//! operator keys / CLI        -> Action -> engine
//! ```
//!
//! # The rooms
//!
//! Arrows point one way: `console`/`headless` -> `state` <- `engine` -> {`source`, `docker`, `aws`, `journal`}.
//! `state` and `plan` know nothing of the others. The engine reaches the rehearsal through endpoints only.

mod again;
pub mod aws;
pub mod cli;
pub mod commands;
pub mod config;
pub mod console;
pub mod docker;
pub mod engine;
pub mod headless;
pub mod journal;
pub mod mask;
pub mod names;
mod pages;
pub mod plan;
pub mod problem;
pub mod rehearsal;
pub mod source;
pub mod state;
pub mod text;
pub mod words;
