//! How Quarterdeck is called again: the commands that can be typed next, as this shell has to type them.

use std::path::Path;

use crate::names::DeploymentId;
use crate::text::Clean;

/// The options with which the next command finds the same journal, configuration and account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Again {
    /// Those of every command.
    global: String,
    /// Those of `attach` alone.
    attach: String,
}

impl Again {
    /// Names a file or a folder again, for every command.
    #[must_use]
    pub fn with_path(mut self, option: &str, path: &Path) -> Self {
        self.global.push_str(&words(option, &path.to_string_lossy()));
        self
    }

    /// Names something again, for `attach`.
    #[must_use]
    pub fn attaching_with(mut self, option: &str, value: &str) -> Self {
        self.attach.push_str(&words(option, value));
        self
    }

    /// The command that takes the deployment up.
    pub fn attach(&self, id: DeploymentId) -> String {
        format!("quarterdeck{} attach {}{}", self.global, id.short(), self.attach)
    }

    /// The command that shows the deployment.
    pub fn show(&self, id: DeploymentId) -> String {
        format!("quarterdeck{} show {}", self.global, id.short())
    }
}

/// ` --option value`.
fn words(option: &str, value: &str) -> String {
    format!(" {option} {}", quote(Clean::line(value).as_str()))
}

/// A word as a POSIX shell reads it back.
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,%@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_every_word_back_as_it_was() {
        assert_eq!(quote("us-east-1"), "us-east-1");
        assert_eq!(quote("$LATEST"), "'$LATEST'");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote(""), "''");
    }

    #[test]
    fn options_stand_where_the_command_line_takes_them() {
        let id = "0198c0de-0000-7000-8000-0000a1b2c3d4".parse().expect("an id");
        let plain = Again::default();
        assert_eq!(plain.attach(id), "quarterdeck attach a1b2c3d4");
        let again = plain
            .with_path("--state-dir", Path::new("/tmp/a b"))
            .attaching_with("--profile", "qa");
        assert_eq!(
            again.attach(id),
            "quarterdeck --state-dir '/tmp/a b' attach a1b2c3d4 --profile qa"
        );
        assert_eq!(again.show(id), "quarterdeck --state-dir '/tmp/a b' show a1b2c3d4");
    }
}
