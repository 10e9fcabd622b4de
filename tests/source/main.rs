//! The source room on real repositories, made by the operator's own git.

mod commits;
mod contexts;
mod repo;
mod worktree;
