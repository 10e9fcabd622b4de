//! What a journal may hold after years, or after somebody edited it: no line of it makes the reading, the fold, the
//! figures or a frame panic.
#![no_main]

#[path = "../common/state.rs"]
mod state;

use libfuzzer_sys::fuzz_target;
use quarterdeck::state::{Fact, Recorded, State};

fuzz_target!(|bytes: &[u8]| {
    let mut facts: Vec<Recorded> = Vec::new();
    for (seq, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        // A whole record, or a bare fact, which is then the next one of an orderly journal.
        let fact = serde_json::from_slice::<Recorded>(line).or_else(|_| {
            let fact = serde_json::from_slice::<Fact>(line)?;
            let at = quarterdeck::names::Millis(1_764_000_000_000 + seq);
            Ok::<_, serde_json::Error>(Recorded {
                seq: seq.unsigned_abs(),
                at,
                fact,
            })
        });
        facts.extend(fact);
    }
    if facts.is_empty() {
        return;
    }
    let folded = State::replay(&facts);
    state::assert_consistent(&folded);
    state::draw(&folded);
    for fact in &facts {
        let stored = serde_json::to_string(fact).expect("a fact can be stored");
        let read: Recorded = serde_json::from_str(&stored).expect("and read again");
        assert_eq!(read, *fact);
    }
});
