//! `--progress quiet`: nothing before the summary.

use super::Voice;
use crate::engine::Update;
use crate::names::Millis;
use crate::state::State;
use crate::state::live::Live;

/// Says nothing.
pub(super) struct Quiet;

impl Voice for Quiet {
    fn told(&mut self, _: &Update, _: &State, _: Millis) -> Vec<String> {
        Vec::new()
    }

    fn tick(&mut self, _: &State, _: &Live, _: Millis) -> Vec<String> {
        Vec::new()
    }
}
