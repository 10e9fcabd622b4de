//! Clean text: nothing that a terminal obeys or hides is left, cleaning twice is cleaning once, and nothing grows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quarterdeck::text::Clean;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let line = Clean::line(&text);
    assert_harmless(line.as_str(), false);
    assert_eq!(Clean::line(line.as_str()), line);
    assert_eq!(Clean::block(line.as_str()), line, "a line is a block");

    let block = Clean::block(&text);
    assert_harmless(block.as_str(), true);
    assert_eq!(Clean::block(block.as_str()), block);
    assert_eq!(Clean::bytes(bytes), block);
    assert!(block.as_str().len() <= text.len() && line.as_str().len() <= text.len());

    let stored = serde_json::to_string(&block).expect("a text can be stored");
    assert_eq!(serde_json::from_str::<Clean>(&stored).expect("and read again"), block);
});

/// Unicode's property Default_Ignorable_Code_Point, the bidi controls, and the controls proper.
fn assert_harmless(text: &str, breaks: bool) {
    for c in text.chars() {
        let harmful = match c {
            '\n' => !breaks,
            '\u{0}'..='\u{1F}' | '\u{7F}'..='\u{9F}' => true,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' => true,
            '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' => true,
            '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' => true,
            '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' => true,
            '\u{E0000}'..='\u{E0FFF}' => true,
            _ => false,
        };
        assert!(!harmful, "{c:?} in {text:?}");
    }
}
