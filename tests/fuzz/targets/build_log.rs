//! A build's log, which comes in chunks that end anywhere: its lines are harmless, they are the same however it was cut,
//! and a secret in it does not come out.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use quarterdeck::docker::Lines;
use quarterdeck::mask::Mask;
use quarterdeck::text::Clean;
use secrecy::SecretString;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    log: &'a [u8],
    cuts: Vec<u16>,
    /// Where the secret stands, and how many bytes are before it.
    before: u16,
    repeat: u8,
}

const SECRET: &str = "hunter2-hunter2";

fuzz_target!(|input: Input| {
    let none = Mask::default();
    let whole = lines(&[input.log], &none);
    for line in &whole {
        assert!(!line.as_str().contains('\n'), "{line:?} is one line");
        assert_eq!(Clean::block(line.as_str()), *line);
    }
    assert_eq!(lines(&cut(input.log, &input.cuts), &none), whole, "however it was cut");
    if input.log.len() < 1000 {
        let mut expected: Vec<Clean> = input.log.split(|byte| *byte == b'\n').map(Clean::bytes).collect();
        if input.log.last().is_none_or(|byte| *byte == b'\n') {
            expected.pop();
        }
        assert_eq!(whole, expected, "line by line");
    }

    // A line longer than is held at once, with the secret anywhere in it.
    let log = [
        vec![b'.'; usize::from(input.before) % 20_000],
        SECRET.as_bytes().to_vec(),
        vec![b','; usize::from(input.repeat) * 80],
    ];
    let mask = Mask::new(&[SecretString::from(SECRET)]);
    let shown: String = lines(&cut(&log.concat(), &input.cuts), &mask)
        .iter()
        .map(Clean::as_str)
        .collect();
    assert!(
        shown.contains("***") && !shown.contains("hunter2"),
        "the secret came out"
    );
});

fn cut<'a>(log: &'a [u8], cuts: &[u16]) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    let mut rest = log;
    for cut in cuts {
        let (chunk, after) = rest.split_at(usize::from(*cut).min(rest.len()));
        chunks.push(chunk);
        rest = after;
    }
    chunks.push(rest);
    chunks
}

fn lines(chunks: &[&[u8]], mask: &Mask) -> Vec<Clean> {
    let mut joined = Lines::default();
    let mut lines = Vec::new();
    for chunk in chunks {
        joined.push(chunk, mask, |line| lines.push(line));
    }
    joined.finish(mask, |line| lines.push(line));
    lines
}
