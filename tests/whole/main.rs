//! Whole deployments by the binary as operators run it: in a terminal, without one, and several at once, against the
//! rehearsal's stand-ins.

#[path = "../common/mod.rs"]
mod common;
mod console;
mod disk;
mod endings;
mod processes;
#[expect(dead_code, reason = "no test here suspends or resizes")]
#[path = "../common/pty.rs"]
mod pty;
mod real_engine;
mod served;
mod shell;
mod stalled;
