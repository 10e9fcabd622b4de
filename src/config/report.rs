//! What is wrong with a config.toml, told as a compiler tells it: the line, the place, what is allowed there.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use annotate_snippets::{AnnotationKind, Element, Level, Renderer, Snippet};

use crate::problem::{Kind, Problem};
use crate::text::Clean;
use crate::words;

/// A place in the file: the bytes to underline.
pub(super) type Place = Range<usize>;

/// One mistake. Its texts may quote the file as it is; they are cleaned where they are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    /// Where; `None` for something that is missing from the whole file.
    at: Option<Place>,
    /// What is wrong, a fragment that reads after "error: ".
    what: Clean,
    /// What is said beside the underlined place.
    label: Clean,
    /// What is allowed, or what was probably meant.
    help: Clean,
    /// Another place that this one is at odds with, and what is there.
    other: Option<(Place, Clean)>,
}

impl Mistake {
    /// A mistake at a place, or about the whole file.
    pub fn new(at: impl Into<Option<Place>>, what: impl AsRef<str>) -> Self {
        Self {
            at: at.into(),
            what: Clean::line(what.as_ref()),
            label: Clean::default(),
            help: Clean::default(),
            other: None,
        }
    }

    /// Something that has to be there is not; `at` is the table that it belongs to.
    pub fn missing(at: Option<Place>, name: &str, example: &str) -> Self {
        let key = name.rsplit('.').next().unwrap_or(name);
        Self::new(at, format!("`{name}` is missing")).help(format!("such as: {key} = {example}"))
    }

    /// Says something beside the place.
    pub fn label(mut self, label: impl AsRef<str>) -> Self {
        self.label = Clean::line(label.as_ref());
        self
    }

    /// Says what to do instead.
    pub fn help(mut self, help: impl AsRef<str>) -> Self {
        self.help = Clean::line(help.as_ref());
        self
    }

    /// Shows another place with it.
    pub fn other(mut self, at: Place, label: impl AsRef<str>) -> Self {
        self.other = Some((at, Clean::line(label.as_ref())));
        self
    }

    /// The order of the report: by place, with what concerns the whole file at its end. Equal ones are the same mistake,
    /// made in several regions; the first of them is told.
    fn position(&self) -> (usize, usize, &Clean) {
        let (start, end) = self.at.as_ref().map_or((usize::MAX, 0), |at| (at.start, at.end));
        (start, end, &self.what)
    }

    fn render(&self, renderer: &Renderer, path: &str, text: &str) -> String {
        let mut group = Level::ERROR
            .primary_title(self.what.as_str())
            .elements(Vec::<Element<'_>>::new());
        if let Some(at) = &self.at {
            let other = self.other.as_ref();
            let (begin, end) = other.map_or((at.start, at.end), |(other, _)| {
                (at.start.min(other.start), at.end.max(other.end))
            });
            // Only the lines in question: the renderer goes through all that it is given, once for each mistake.
            let begin = text[..begin].rfind('\n').map_or(0, |before| before + 1);
            let end = text[end..].find('\n').map_or(text.len(), |after| end + after);
            let within = |place: &Place| place.start - begin..place.end - begin;
            let underline = AnnotationKind::Primary.span(within(at));
            let snippet = Snippet::source(&text[begin..end])
                .line_start(1 + text[..begin].matches('\n').count())
                .path(path)
                .annotation(match self.label.is_empty() {
                    true => underline,
                    false => underline.label(self.label.as_str()),
                })
                .annotations(other.map(|(at, label)| AnnotationKind::Context.span(within(at)).label(label.as_str())));
            group = group.element(snippet);
        } else {
            group = group.element(annotate_snippets::Origin::path(path));
        }
        if !self.help.is_empty() {
            group = group.element(Level::HELP.message(self.help.as_str()));
        }
        renderer.render(&[group])
    }
}

/// Why there is no configuration: the file can't be read, or everything that is wrong with it.
#[derive(Debug, Clone)]
pub struct ConfigErrors {
    path: Clean,
    why: Why,
}

#[derive(Debug, Clone)]
enum Why {
    Unreadable {
        what: Clean,
        remedy: Clean,
    },
    /// The text is the file's as [`harmless`] leaves it.
    Mistaken {
        text: String,
        mistakes: Vec<Mistake>,
    },
}

impl ConfigErrors {
    /// The file could not be read.
    pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        let path = Clean::line(&path.to_string_lossy());
        let (what, remedy) = match error.kind() {
            std::io::ErrorKind::NotFound => (
                format!("there is no {path}"),
                "write one with `quarterdeck config example > config.toml` and edit it, or name another file with --config".to_owned(),
            ),
            std::io::ErrorKind::PermissionDenied => (
                format!("{path} may not be read by this user"),
                format!("let yourself read it (chmod u+r {path}), or name another file with --config"),
            ),
            _ => (
                format!("{path} could not be read: {error}"),
                "name the configuration file with --config".to_owned(),
            ),
        };
        Self {
            path,
            why: Why::Unreadable {
                what: Clean::line(&what),
                remedy: Clean::line(&remedy),
            },
        }
    }

    /// The file was read and has mistakes.
    pub(super) fn mistaken(path: &Path, text: &str, mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by(|one, two| one.position().cmp(&two.position()));
        mistakes.dedup_by(|two, one| one.position() == two.position());
        Self {
            path: Clean::line(&path.to_string_lossy()),
            why: Why::Mistaken {
                text: harmless(text),
                mistakes,
            },
        }
    }

    /// The file is no text; everything before `valid` is.
    pub(super) fn not_utf8(path: &Path, bytes: &[u8], valid: usize) -> Self {
        // The first thing that is not UTF-8 became the replacement character at the same place.
        let at = valid..valid + char::REPLACEMENT_CHARACTER.len_utf8();
        let mistake = Mistake::new(at, "this is not UTF-8").help("save the file as UTF-8");
        Self::mistaken(path, &String::from_utf8_lossy(bytes), vec![mistake])
    }

    /// How many mistakes there are; a file that can't be read counts as one.
    pub fn count(&self) -> usize {
        match &self.why {
            Why::Unreadable { .. } => 1,
            Why::Mistaken { mistakes, .. } => mistakes.len(),
        }
    }

    /// The whole report, several lines for each mistake and no line break at its end.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        match &self.why {
            Why::Unreadable { what, remedy } => {
                // One by one: without a place in a file there is nothing to draw a margin beside.
                [
                    Level::ERROR.primary_title(what.as_str()),
                    Level::HELP.primary_title(remedy.as_str()),
                ]
                .map(|title| renderer.render(&[title.elements(Vec::<Element<'_>>::new())]))
                .join("\n")
            }
            Why::Mistaken { text, mistakes } => {
                let mut parts: Vec<String> = mistakes
                    .iter()
                    .map(|mistake| mistake.render(&renderer, self.path.as_str(), text))
                    .collect();
                parts.push(self.summary());
                parts.join("\n\n")
            }
        }
    }

    /// One line that says how it stands.
    fn summary(&self) -> String {
        match &self.why {
            Why::Unreadable { what, .. } => what.to_string(),
            Why::Mistaken { mistakes, .. } => {
                format!("{} has {}", self.path, words::plural(mistakes.len(), "mistake"))
            }
        }
    }

    /// The places that the report underlines.
    #[cfg(test)]
    pub(super) fn places(&self) -> Vec<Place> {
        match &self.why {
            Why::Unreadable { .. } => Vec::new(),
            Why::Mistaken { mistakes, .. } => mistakes
                .iter()
                .flat_map(|mistake| mistake.at.iter().chain(mistake.other.as_ref().map(|(at, _)| at)))
                .cloned()
                .collect(),
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for ConfigErrors {}

impl From<ConfigErrors> for Problem {
    fn from(errors: ConfigErrors) -> Self {
        match &errors.why {
            Why::Unreadable { what, remedy } => Self::new(Kind::Config, what.as_str(), remedy.as_str()),
            Why::Mistaken { .. } => Self::new(
                Kind::Config,
                errors.to_string(),
                format!("correct {}; config.toml.example describes every key", errors.path),
            ),
        }
    }
}

/// The text with `?` for whatever a terminal would obey or hide, byte by byte, so that every place stays where it is.
fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut bytes = [0; 4];
    for c in text.chars() {
        match c {
            '\n' | '\t' | ' '..='~' => out.push(c),
            '\r' => out.push(' '),
            _ if Clean::line(c.encode_utf8(&mut bytes)).is_empty() => out.push_str(&"?".repeat(c.len_utf8())),
            _ => out.push(c),
        }
    }
    out
}
