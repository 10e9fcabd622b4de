//! The source room on real repositories, made by the operator's own git.

mod broken;
mod commits;
#[path = "../common/mod.rs"]
mod common;
mod contexts;
mod docker;
mod repo;
mod worktree;
