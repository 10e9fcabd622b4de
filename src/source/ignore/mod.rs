//! `.dockerignore`: what of a context the builder never sees.
//!
//! The Docker Engine does not apply it to a context sent as a tar stream, so a committed but ignored secret would land in
//! the image: it is the client's work. The grammar is moby's patternmatcher, not gitignore's: patterns are rooted at the
//! context, the last one that matches decides, `!` takes back, and what matches takes everything below with it.

mod pattern;
#[cfg(test)]
mod tests;

use pattern::Pattern;

use crate::problem::{Kind, Problem};

/// The rules of an ignore file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignore {
    rules: Vec<Rule>,
    /// Paths that no rule excludes: the Dockerfile and the ignore file itself.
    kept: Vec<String>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    pattern: Pattern,
    /// It has no `!`.
    excludes: bool,
}

impl Ignore {
    /// Rules that exclude nothing.
    pub fn nothing() -> Self {
        Self {
            rules: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// Whether it excludes nothing.
    pub fn is_nothing(&self) -> bool {
        self.rules.is_empty()
    }

    /// Reads the ignore file `name`; `dockerfile` and the file itself are kept whatever it says.
    ///
    /// # Errors
    /// A line that is no pattern: a [`Problem`] that names file, line and pattern.
    pub fn parse(name: &str, content: &[u8], dockerfile: &str) -> Result<Self, Problem> {
        let content = String::from_utf8_lossy(content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content));
        let mut rules = Vec::new();
        for (number, line) in (1..).zip(content.lines()) {
            // Only a `#` in the first column makes a comment.
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            let rule = Rule::parse(line.trim()).map_err(|what| {
                Problem::new(
                    Kind::Config,
                    format!("{name}, line {number}: `{}` is not a pattern: {what}", line.trim()),
                    "mend the line; Docker's documentation of .dockerignore has the grammar, and \\ takes a character as it is",
                )
            })?;
            rules.push(rule);
        }
        Ok(Self {
            rules,
            kept: vec![dockerfile.to_owned(), name.to_owned()],
        })
    }

    /// Whether the builder must not see the path, which is relative to the context and has no trailing slash.
    pub fn excludes(&self, path: &str) -> bool {
        let last = self.rules.iter().rev().find(|rule| rule.pattern.matches(path));
        last.is_some_and(|rule| rule.excludes) && !self.kept.iter().any(|kept| kept == path)
    }

    /// Whether everything below the excluded folder is excluded too, so that it need not be looked into.
    pub fn excludes_all_below(&self, folder: &str) -> bool {
        let taken_back = |rule: &&Rule| !rule.excludes && rule.pattern.may_match_below(folder);
        let kept = |path: &String| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        !self.rules.iter().any(|rule| taken_back(&rule)) && !self.kept.iter().any(kept)
    }
}

impl Rule {
    /// The rule that a trimmed, non-empty line states.
    fn parse(line: &str) -> Result<Self, &'static str> {
        let (excludes, text) = match line.strip_prefix('!') {
            Some(rest) => (false, rest.trim()),
            None => (true, line),
        };
        if text.is_empty() {
            return Err("a lone ! takes nothing back");
        }
        let cleaned = clean(text);
        let rooted = match cleaned.strip_prefix('/') {
            Some(rest) if !rest.is_empty() => rest,
            _ => &cleaned,
        };
        Ok(Self {
            pattern: Pattern::parse(rooted)?,
            excludes,
        })
    }
}

/// Go's `filepath.Clean`: no empty and no `.` component, and `..` takes the one before it.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}
