//! What is sought, in every form that it may have been written in.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// Forms of secrets. A part of a secret counts too: whoever cuts one has shown the rest.
#[derive(Default)]
pub struct Sought {
    forms: Vec<(String, Vec<u8>)>,
}

impl Sought {
    /// A secret.
    pub fn secret(&mut self, secret: &str) {
        let percent: String = secret.bytes().map(percent).collect();
        let json = serde_json::to_string(secret).expect("a text is JSON");
        for form in [
            secret.to_owned(),
            percent,
            json.trim_matches('"').to_owned(),
            format!("{secret:?}").trim_matches('"').to_owned(),
        ] {
            // Its first half betrays it as well.
            let half = form.len() / 2 + 1;
            self.forms
                .push((format!("{secret} as {form}"), form.into_bytes()[..half].to_vec()));
        }
        self.inside_base64(secret);
    }

    /// A text that is found wherever base64 of it stands, once or twice.
    pub fn inside_base64(&mut self, text: &str) {
        for once in encoded(text.as_bytes()) {
            self.forms.push((format!("{text} in base64"), once.clone()));
            for twice in encoded(&once) {
                self.forms.push((format!("{text} in base64 twice"), twice));
            }
        }
    }

    /// Whether some of it is in the bytes.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.found(bytes).is_some()
    }

    fn found(&self, bytes: &[u8]) -> Option<&str> {
        let holds = |form: &&(String, Vec<u8>)| bytes.windows(form.1.len()).any(|window| window == form.1);
        self.forms.iter().find(holds).map(|(what, _)| what.as_str())
    }

    #[track_caller]
    pub fn assert_not_in(&self, place: &str, bytes: &[u8]) {
        if let Some(what) = self.found(bytes) {
            panic!("{what} is in {place}:\n{}", String::from_utf8_lossy(bytes));
        }
    }

    /// Searches every file of a folder.
    #[track_caller]
    pub fn assert_not_below(&self, folder: &Path) {
        let mut found = None;
        files(folder, &mut |path, bytes| {
            if let Some(what) = self.found(bytes) {
                found = Some(format!("{what} is in {}", path.display()));
            }
        });
        assert!(found.is_none(), "{found:?}");
    }
}

/// Every file below a folder, with its content.
pub fn files(folder: &Path, each: &mut dyn FnMut(&Path, &[u8])) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            files(&path, each);
        } else {
            each(&path, &fs::read(&path).expect("it can be read"));
        }
    }
}

/// What base64 makes of the bytes wherever they stand in a longer text: the digits that do not depend on what is around them.
fn encoded(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for before in 0..3 {
        let padded = [&vec![0; before][..], bytes].concat();
        let whole = padded.len() / 3 * 3;
        for alphabet in [&STANDARD, &URL_SAFE] {
            let digits = alphabet.encode(&padded[..whole]).into_bytes();
            forms.push(digits[(before * 8).div_ceil(6)..].to_vec());
        }
    }
    forms.dedup();
    forms
}

fn percent(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

#[test]
fn a_secret_is_found_in_every_form() {
    let mut sought = Sought::default();
    sought.secret("S3ntinel/of+all=forms\"");
    for text in [
        "x S3ntinel/of+all=forms\" y",
        "x=S3ntinel%2Fof%2Ball%3Dforms%22",
        "{\"x\":\"S3ntinel/of+all=forms\\\"\"}",
    ] {
        assert!(sought.is_in(text.as_bytes()), "{text}");
    }
    for before in ["", "a", "ab", "AWS:"] {
        let once = STANDARD.encode(format!("{before}S3ntinel/of+all=forms\" and more"));
        assert!(sought.is_in(once.as_bytes()), "{once}");
        assert!(sought.is_in(URL_SAFE.encode(format!("{before}{once}")).as_bytes()));
    }
    assert!(!sought.is_in(b"sentinels of all forms"));
}
