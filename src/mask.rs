//! Secret values, and their removal from every text that comes back from where they were sent: builds, pushes, hosts.

use std::borrow::Cow;

use secrecy::{ExposeSecret, SecretString};

use crate::text::Clean;

/// What stands for a secret.
const MASK: &str = "***";
/// A shorter value is not masked: it would be found everywhere and hide nothing.
const SHORTEST: usize = 4;

/// Bytes of a step's name that are kept: it goes into the journal.
const TITLE_MAX: usize = 1000;

/// The values to remove. No Debug: it holds them.
#[derive(Default)]
pub struct Mask {
    /// Longest first, so that a value that contains another goes whole.
    values: Vec<String>,
}

impl Mask {
    /// Masks these secrets: each as it is, as it looks once it is clean, and line by line, since logs come in lines.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        let mut values: Vec<String> = secrets
            .into_iter()
            .flat_map(|secret| {
                let secret = secret.expose_secret();
                let lines = secret.lines().map(|line| line.trim().to_owned());
                let forms = [secret.to_owned(), Clean::line(secret).into(), escaped(secret)];
                lines.chain(forms).collect::<Vec<String>>()
            })
            .filter(|value| value.trim().len() >= SHORTEST)
            .collect();
        values.sort_unstable_by(|one, two| two.len().cmp(&one.len()).then_with(|| one.cmp(two)));
        values.dedup();
        Self { values }
    }

    /// The length of the longest value in bytes; 0 when there is none.
    pub fn longest(&self) -> usize {
        self.values.first().map_or(0, String::len)
    }

    /// The text without the values.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut masked = Cow::Borrowed(text);
        for value in &self.values {
            if masked.contains(value.as_str()) {
                masked = Cow::Owned(masked.replace(value.as_str(), MASK));
            }
        }
        masked
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

/// The value as Dockerfiles and JSON quote it.
fn escaped(secret: &str) -> String {
    let quoted = serde_json::Value::from(secret).to_string();
    quoted[1..quoted.len() - 1].to_owned()
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
    fn a_trivial_value_hides_nothing() {
        assert_eq!(mask(&["1", "no"]).text("1 is no secret"), "1 is no secret");
    }
}
