//! Reading a Dockerfile, as far as Docker's classic builder reads it.

use std::collections::BTreeMap;

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instruction {
    /// The line that it begins on, from 1.
    pub line: usize,
    /// The whole of it on one line, as the builder prints it.
    pub text: String,
    /// What it does.
    pub verb: Verb,
    /// What stands behind the verb, continued lines joined.
    pub rest: String,
}

/// The classic builder's verbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Add,
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Label,
    Maintainer,
    Onbuild,
    Run,
    Shell,
    Stopsignal,
    User,
    Volume,
    Workdir,
}

impl Verb {
    fn parse(word: &str) -> Option<Self> {
        Some(match word.to_ascii_uppercase().as_str() {
            "ADD" => Self::Add,
            "ARG" => Self::Arg,
            "CMD" => Self::Cmd,
            "COPY" => Self::Copy,
            "ENTRYPOINT" => Self::Entrypoint,
            "ENV" => Self::Env,
            "EXPOSE" => Self::Expose,
            "FROM" => Self::From,
            "HEALTHCHECK" => Self::Healthcheck,
            "LABEL" => Self::Label,
            "MAINTAINER" => Self::Maintainer,
            "ONBUILD" => Self::Onbuild,
            "RUN" => Self::Run,
            "SHELL" => Self::Shell,
            "STOPSIGNAL" => Self::Stopsignal,
            "USER" => Self::User,
            "VOLUME" => Self::Volume,
            "WORKDIR" => Self::Workdir,
            _ => return None,
        })
    }
}

/// Reads a Dockerfile; the error is the builder's own text.
pub(super) fn parse(text: &str) -> Result<Vec<Instruction>, String> {
    let mut instructions = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, first)) = lines.next() {
        let mut whole = String::new();
        let mut part = first.trim_start();
        if part.is_empty() || part.starts_with('#') {
            continue;
        }
        loop {
            let Some(continued) = part.trim_end().strip_suffix('\\') else {
                whole.push_str(part);
                break;
            };
            whole.push_str(continued);
            // Comments and empty lines may stand between the parts of an instruction.
            let next = lines
                .by_ref()
                .map(|(_, line)| line)
                .find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
            match next {
                Some(line) => part = line,
                None => break,
            }
        }
        let whole = whole.trim_end().to_owned();
        let (word, rest) = whole.split_once(char::is_whitespace).unwrap_or((&whole, ""));
        let line = at + 1;
        let verb = Verb::parse(word).ok_or_else(|| {
            format!(
                "dockerfile parse error line {line}: unknown instruction: {}",
                word.to_uppercase()
            )
        })?;
        let rest = rest.trim().to_owned();
        if rest.is_empty() {
            return Err(format!(
                "dockerfile parse error line {line}: {} requires at least one argument",
                word.to_uppercase()
            ));
        }
        instructions.push(Instruction {
            line,
            text: format!("{} {rest}", word.to_uppercase()),
            verb,
            rest,
        });
    }
    match instructions.iter().find(|instruction| instruction.verb != Verb::Arg) {
        None => Err("file with no instructions".to_owned()),
        Some(first) if first.verb != Verb::From => Err("no build stage in current context".to_owned()),
        Some(_) => Ok(instructions),
    }
}

/// Splits `--name=value` options off the front of an instruction's rest.
pub(super) fn flags(rest: &str) -> (BTreeMap<&str, &str>, &str) {
    let mut flags = BTreeMap::new();
    let mut rest = rest.trim_start();
    while let Some(tail) = rest.strip_prefix("--") {
        let (flag, next) = tail.split_once(char::is_whitespace).unwrap_or((tail, ""));
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        flags.insert(name, value);
        rest = next.trim_start();
    }
    (flags, rest)
}

/// A JSON list of words, if that is what it is.
pub(super) fn list(rest: &str) -> Option<Vec<String>> {
    if !rest.starts_with('[') {
        return None;
    }
    serde_json::from_str(rest).ok()
}

/// Words as a shell would split them: quotes group, a backslash takes the next character as it is.
pub(super) fn words(rest: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = rest.chars();
    while let Some(c) = characters.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(characters.next()),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(open)) if c == open => quote = None,
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// `KEY=value` pairs; `KEY value` is the old form of one pair.
pub(super) fn pairs(rest: &str) -> Vec<(String, String)> {
    let words = words(rest);
    match words.first() {
        Some(first) if !first.contains('=') => vec![(first.clone(), words[1..].join(" "))],
        Some(_) | None => words
            .into_iter()
            .map(|word| match word.split_once('=') {
                Some((key, value)) => (key.to_owned(), value.to_owned()),
                None => (word, String::new()),
            })
            .collect(),
    }
}

/// Fills in `$NAME`, `${NAME}`, `${NAME:-word}` and `${NAME:+word}`.
pub(super) fn expand(text: &str, value: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['$', '\\']) {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        if rest[at..].starts_with('\\') {
            // An escaped dollar stays one; any other backslash is for `words` to read.
            match tail.strip_prefix('$') {
                Some(after) => {
                    out.push('$');
                    rest = after;
                }
                None => {
                    out.push('\\');
                    rest = tail;
                }
            }
            continue;
        }
        let (name, after) = match tail.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some(braced) => braced,
            None => tail.split_at(
                tail.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .unwrap_or(tail.len()),
            ),
        };
        let (name, word) = name
            .split_once(':')
            .map_or((name, None), |(name, word)| (name, Some(word)));
        let known = value(name).filter(|value| !value.is_empty());
        match (
            word.and_then(|word| Some((word.chars().next()?, word.get(1..)?))),
            known,
        ) {
            (Some(('+', word)), Some(_)) => out.push_str(word),
            (Some(('+', _)), None) => {}
            (Some((_, word)), None) => out.push_str(word),
            (_, Some(value)) => out.push_str(&value),
            (None, None) => {
                if name.is_empty() {
                    out.push('$');
                }
            }
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn continued_lines_and_comments_between_them_are_one_instruction() {
        let parsed = parse("# top\nFROM scratch\nrun a && \\\n  # why\n\n    b\n").expect("it is a Dockerfile");
        assert_eq!(
            (parsed[1].line, parsed[1].verb, parsed[1].text.as_str()),
            (3, Verb::Run, "RUN a &&     b")
        );
    }

    #[test]
    fn what_the_builder_refuses_is_refused_in_its_words() {
        assert_eq!(
            parse("FROM scratch\nFOO bar"),
            Err("dockerfile parse error line 2: unknown instruction: FOO".to_owned())
        );
        assert!(parse("RUN x").is_err() && parse("# nothing").is_err());
    }

    #[test]
    fn words_and_pairs_follow_quotes() {
        assert_eq!(
            pairs("A=1 B='two words' C=\"x\\\"y\""),
            [
                ("A".into(), "1".into()),
                ("B".into(), "two words".into()),
                ("C".into(), "x\"y".into())
            ]
        );
        assert_eq!(pairs("KEY old form"), [("KEY".into(), "old form".into())]);
        assert_eq!(flags("--from=base --chown=1:1 /a /b").1, "/a /b");
    }

    #[test]
    fn variables_are_filled_in_with_their_defaults() {
        let value = |name: &str| (name == "A").then(|| "x".to_owned());
        assert_eq!(
            expand("$A-${A}-${B:-d}-${A:+s}-${B:+s}-\\$A-$", &value),
            "x-x-d-s--$A-$"
        );
    }
}
