//! Secret values, and their removal from every text that comes back from where they were sent: builds, pushes, hosts.

use std::borrow::Cow;
use std::ops::Range;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};

use crate::text::Clean;

/// What stands for a secret.
const MASK: &str = "***";
/// A value of fewer characters is hidden only where it is a word of its own: it would be found everywhere.
const SHORT: usize = 4;

/// What URLs write as it is not, as a build's arguments go to the engine.
const IN_URLS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Bytes of a step's name that are kept: it goes into the journal.
const TITLE_MAX: usize = 1000;

/// The values to remove. No Debug: it holds them.
#[derive(Default)]
pub struct Mask {
    /// Longest first.
    values: Vec<String>,
}

impl Mask {
    /// Masks these secrets: each as it is, as it looks once it is clean, line by line, since logs come in lines, and as JSON,
    /// URLs and shells write it.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        let mut values: Vec<String> = secrets
            .into_iter()
            .flat_map(|secret| lines(secret.expose_secret()))
            .flat_map(forms)
            .collect();
        values.sort_unstable_by(|one, two| two.len().cmp(&one.len()).then_with(|| one.cmp(two)));
        values.dedup();
        Self { values }
    }

    /// The length of the longest value in bytes; 0 when there is none.
    pub fn longest(&self) -> usize {
        self.values.first().map_or(0, String::len)
    }

    /// The text without the values. Where two of them overlap, both go whole.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut hidden: Vec<Range<usize>> = self.values.iter().flat_map(|value| places(text, value)).collect();
        if hidden.is_empty() {
            return Cow::Borrowed(text);
        }
        hidden.sort_unstable_by_key(|place| place.start);
        let mut masked = String::with_capacity(text.len());
        let mut done = 0;
        for place in hidden {
            if place.start >= done {
                masked.push_str(&text[done..place.start]);
                masked.push_str(MASK);
            }
            done = done.max(place.end);
        }
        masked.push_str(&text[done..]);
        Cow::Owned(masked)
    }

    /// What a command printed; where its end was cut off, what may be left of a value there goes, too.
    pub fn output(&self, text: &str, cut: bool) -> Clean {
        let masked = self.block(text);
        if cut {
            Clean::block(self.cut_text(masked.as_str()))
        } else {
            masked
        }
    }

    fn cut_text<'t>(&self, text: &'t str) -> &'t str {
        let begun = |value: &String| {
            let lengths = value.char_indices().map(|(at, _)| at).filter(|length| *length >= SHORT);
            lengths.filter(|length| text.ends_with(&value[..*length])).max()
        };
        let begun = self.values.iter().filter_map(begun).max();
        &text[..text.len() - begun.unwrap_or(0)]
    }

    /// The text without the values, on one line.
    pub fn line(&self, text: &str) -> Clean {
        self.clean(text, Clean::line)
    }

    /// What a step is called: [`Mask::line`], cut to what can be read. A RUN instruction may hold a whole script.
    pub fn title(&self, text: &str) -> Clean {
        Clean::line_within(self.line(text).as_str(), TITLE_MAX)
    }

    /// The text without the values; a lone `\r` starts its line over.
    pub fn block(&self, text: &str) -> Clean {
        self.clean(text, Clean::block)
    }

    /// Masks both before and after cleaning: an escape sequence within a value must not save it.
    fn clean(&self, text: &str, clean: fn(&str) -> Clean) -> Clean {
        let once = clean(&self.text(text));
        match self.text(once.as_str()) {
            Cow::Borrowed(_) => once,
            Cow::Owned(masked) => clean(&masked),
        }
    }
}

/// A secret and its lines. One that is hardly there, such as a brace, would be found in every text.
fn lines(secret: &str) -> impl Iterator<Item = &str> {
    let lines = secret.lines().map(str::trim);
    std::iter::once(secret).chain(lines.filter(|line| line.chars().count() >= SHORT))
}

/// How a text may be written.
fn forms(text: &str) -> Vec<String> {
    let json = serde_json::Value::from(text).to_string();
    // Dockerfiles quote likewise.
    let json = &json[1..json.len() - 1];
    let mut forms = vec![
        text.to_owned(),
        Clean::line(text).into(),
        json.to_owned(),
        in_ascii(json),
        utf8_percent_encode(text, IN_URLS).to_string(),
        // What a shell that traces makes of a quote: bash, and the small ones.
        text.replace('\'', r"'\''"),
        text.replace('\'', r#"'"'"'"#),
    ];
    forms.retain(|form| !form.trim().is_empty());
    forms
}

/// JSON as many write it, with nothing in it but ASCII.
fn in_ascii(json: &str) -> String {
    let mut units = [0; 2];
    json.chars().fold(String::new(), |mut text, c| {
        if c.is_ascii() {
            text.push(c);
        } else {
            let escaped = c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}"));
            text.extend(escaped);
        }
        text
    })
}

/// Where the value stands in the text.
fn places(text: &str, value: &str) -> impl Iterator<Item = Range<usize>> {
    let short = value.chars().count() < SHORT;
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(value)
        .map(|(at, found)| at..at + found.len())
        .filter(move |place| {
            let (before, after) = (&text[..place.start], &text[place.end..]);
            !(short && (is_word(before.chars().next_back()) || is_word(after.chars().next())))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(secrets: &[&str]) -> Mask {
        let secrets: Vec<SecretString> = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
        Mask::new(&secrets)
    }

    #[test]
    fn a_secret_goes_whole_even_when_another_is_a_part_of_it() {
        assert_eq!(mask(&["hunter2", "hunter2-prod"]).text("is hunter2-prod"), "is ***");
    }

    #[test]
    fn a_secret_of_several_lines_goes_line_by_line() {
        let mask = mask(&["-----BEGIN\nabcdef\n-----END\n"]);
        assert_eq!(mask.line("x abcdef y").as_str(), "x *** y");
    }

    #[test]
    fn an_escape_sequence_does_not_save_a_secret() {
        assert_eq!(mask(&["hunter2"]).line("hun\u{1b}[0mter2").as_str(), "***");
    }

    #[test]
    fn a_step_that_is_a_whole_script_is_called_by_its_beginning() {
        let script = format!("RUN {}hunter2{}", "x".repeat(TITLE_MAX - 10), "y".repeat(100_000));
        let title = mask(&["hunter2"]).title(&script);
        assert!(title.as_str().len() <= TITLE_MAX && title.as_str().ends_with('…'));
        assert!(!title.as_str().contains("hunt"), "what is cut is masked first");
    }

    #[test]
    fn quotes_in_a_secret_are_known_in_their_escaped_form() {
        assert_eq!(mask(&["a\"b\"c"]).text(r#"ENV X="a\"b\"c""#), r#"ENV X="***""#);
    }

    #[test]
    fn a_short_secret_is_hidden_where_it_is_a_word() {
        assert_eq!(mask(&["a1"]).text("a1 and 'a1', ba1 a1c"), "*** and '***', ba1 a1c");
        assert_eq!(mask(&[""]).text("text"), "text");
        // Nor does a line of a longer one that is hardly there hide anything.
        assert_eq!(
            mask(&["{\n  \"token\"\n}"]).text("a } and a \"token\""),
            "a } and a ***"
        );
    }

    #[test]
    fn secrets_that_overlap_go_both() {
        assert_eq!(mask(&["abcdef", "defghi"]).text("x abcdefghi y"), "x *** y");
        assert_eq!(
            mask(&["hunter2", "hunter2-prod"]).text("hunter2, hunter2-prod"),
            "***, ***"
        );
    }

    #[test]
    fn a_secret_is_known_as_json_urls_and_shells_write_it() {
        let mask = mask(&["p@ß/w\"or'd\nsecond'line"]);
        for written in [
            r#"p@ß/w\"or'd\nsecond'line"#,
            r#"p@\u00df/w\"or'd\nsecond'line"#,
            "p%40%C3%9F%2Fw%22or%27d%0Asecond%27line",
            r#"p@ß/w"or'\''d"#,
            r#"second'"'"'line"#,
        ] {
            assert_eq!(mask.text(&format!("is {written}.")), "is ***.", "{written}");
        }
    }

    #[test]
    fn what_a_cut_has_left_of_a_secret_goes_too() {
        let mask = mask(&["hunter2-prod", "terminal"]);
        for (cut, left) in [
            ("hunter2-prod is hunter2-p", "*** is "),
            ("is hunter", "is "),
            ("is hun", "is hun"),
            ("is nothing", "is nothing"),
        ] {
            assert_eq!(mask.output(cut, true).as_str(), left);
        }
        assert_eq!(mask.output("is hunter", false).as_str(), "is hunter");
    }
}
