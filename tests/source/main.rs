//! The source room on real repositories, made by the operator's own git.

#[path = "../common/mod.rs"]
mod common;

#[test]
fn the_machine_that_runs_these_tests_has_git() {
    assert!(common::need("git"));
}
