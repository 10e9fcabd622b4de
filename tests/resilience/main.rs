//! What goes wrong between Quarterdeck and the outside, one fault at a time: what the operator sees, what the program does by
//! itself, and what it leaves to the operator.
//!
//! The real engine with the real SDK and the real journal, over real HTTP on loopback, against the rehearsal's fleet. Only git
//! and the Docker Engine play.

mod adopted;
mod cancelling;
mod engines;
mod journal;
mod lists;
mod lost_answers;
#[path = "../common/machine.rs"]
mod machine;
mod outages;
mod processes;
mod retries;
mod scene;
mod tags;
mod workflow;
