//! Parse, install hooks, dispatch; nothing else.

fn main() {}
