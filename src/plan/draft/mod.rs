//! From what preflight found to checks and, when none of them forbids it, to a plan. Pure: no clock, no waiting.

#[cfg(test)]
pub(crate) mod fixture;
