//! .dockerignore: no content makes the matcher panic, and it decides as a slow reference that tries everything out.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use quarterdeck::source::Ignore;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    content: &'a [u8],
    rules: Vec<Rule>,
    path: Vec<Vec<Letter>>,
}

#[derive(Debug, Arbitrary)]
struct Rule {
    takes_back: bool,
    components: Vec<Vec<Piece>>,
}

/// A piece of a pattern's component, over few letters so that patterns often match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
enum Piece {
    Letter(Letter),
    Escaped(Letter),
    One,
    Run,
    Folders,
    Class { negated: bool, from: Letter, to: Letter },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Arbitrary)]
enum Letter {
    A,
    B,
    Dot,
    Umlaut,
    Star,
}

impl Letter {
    fn char(self) -> char {
        match self {
            Self::A => 'a',
            Self::B => 'b',
            Self::Dot => '.',
            Self::Umlaut => 'ü',
            Self::Star => '*',
        }
    }
}

fuzz_target!(|input: Input| {
    let path: Vec<String> = input.path.iter().take(5).map(|part| word(part)).collect();
    if path.iter().any(|part| part.is_empty() || part == "." || part == "..") {
        return;
    }
    let path = path.join("/");
    if let Ok(ignore) = Ignore::parse(".dockerignore", input.content, "Dockerfile") {
        assert_below(&ignore, &path);
    }
    let rules: Vec<&Rule> = input.rules.iter().take(5).filter(|rule| rule.is_clean()).collect();
    let content: Vec<String> = rules.iter().map(|rule| rule.text()).collect();
    let Ok(ignore) = Ignore::parse(".dockerignore", content.join("\n").as_bytes(), "Dockerfile") else {
        panic!("{content:?} are patterns");
    };
    assert_eq!(
        ignore.excludes(&path),
        obviously_excludes(&rules, &path),
        "{content:?} {path}"
    );
    assert_below(&ignore, &path);
});

/// A folder that need not be looked into holds nothing that is taken back.
fn assert_below(ignore: &Ignore, path: &str) {
    for (at, _) in path.match_indices('/') {
        let folder = &path[..at];
        if ignore.excludes(folder) && ignore.excludes_all_below(folder) {
            assert!(ignore.excludes(path), "{path} is in {folder}");
        }
    }
}

fn word(letters: &[Letter]) -> String {
    letters.iter().take(4).map(|letter| letter.char()).collect()
}

impl Rule {
    /// The pattern's pieces; `None` parts two components.
    fn pieces(&self) -> Vec<Option<Piece>> {
        let components = self.components.iter().take(4).map(|component| component.iter().take(4));
        let mut pieces = Vec::new();
        for (at, component) in components.enumerate() {
            if at > 0 {
                pieces.push(None);
            }
            pieces.extend(component.copied().map(Some));
        }
        pieces
    }

    /// Whether nothing of its text means something else than its pieces do: components that cleaning would drop, runs that
    /// read as `**`, classes that go backwards, a `!` or `#` at the start.
    fn is_clean(&self) -> bool {
        let text = self.text();
        let plain = text.strip_prefix('!').unwrap_or(&text);
        let dropped = plain.split('/').any(|part| matches!(part, "" | "." | ".."));
        let asterisks = self.pieces().windows(2).any(|pair| {
            let is_star = |piece: &Option<Piece>| matches!(piece, Some(Piece::Run | Piece::Folders));
            is_star(&pair[0]) && is_star(&pair[1])
        });
        let odd = self.pieces().iter().flatten().any(|piece| match piece {
            Piece::Letter(Letter::Star) => true,
            Piece::Class { from, to, .. } => from.char() > to.char(),
            Piece::Letter(_) | Piece::Escaped(_) | Piece::One | Piece::Run | Piece::Folders => false,
        });
        !dropped && !asterisks && !odd
    }

    fn text(&self) -> String {
        let mut text = if self.takes_back { "!".to_owned() } else { String::new() };
        for piece in self.pieces() {
            match piece {
                None => text.push('/'),
                Some(Piece::Letter(letter)) => text.push(letter.char()),
                Some(Piece::Escaped(letter)) => text.extend(['\\', letter.char()]),
                Some(Piece::One) => text.push('?'),
                Some(Piece::Run) => text.push('*'),
                Some(Piece::Folders) => text.push_str("**"),
                Some(Piece::Class { negated, from, to }) => {
                    text.push_str(if negated { "[^" } else { "[" });
                    text.extend([from.char(), '-', to.char(), ']']);
                }
            }
        }
        text
    }
}

/// The last rule that matches the path, or a folder that it lies in, decides.
fn obviously_excludes(rules: &[&Rule], path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let matches = |rule: &&&Rule| {
        (1..=parts.len()).any(|depth| {
            let path: Vec<char> = parts[..depth].join("/").chars().collect();
            let pieces = rule.pieces();
            // Without a further wildcard, and not before a slash, `**name` means "ends in name".
            let plain = |piece: &Option<Piece>| matches!(piece, None | Some(Piece::Letter(_)));
            match &pieces[..] {
                [Some(Piece::Folders), Some(rest), ..] if pieces[1..].iter().all(plain) => {
                    let _ = rest;
                    let end: String = pieces[1..]
                        .iter()
                        .map(|piece| match piece {
                            Some(Piece::Letter(letter)) => letter.char(),
                            _ => '/',
                        })
                        .collect();
                    path.iter().collect::<String>().ends_with(&end)
                }
                pieces => obviously_matches(pieces, &path),
            }
        })
    };
    let last = rules.iter().rev().find(matches);
    last.is_some_and(|rule| !rule.takes_back)
}

fn obviously_matches(pieces: &[Option<Piece>], path: &[char]) -> bool {
    let one = |rest, takes: &dyn Fn(char) -> bool| {
        path.first().is_some_and(|c| takes(*c)) && obviously_matches(rest, &path[1..])
    };
    match pieces {
        [] => path.is_empty(),
        [Some(Piece::Folders)] => true,
        [Some(Piece::Folders), rest @ ..] => {
            let rest = rest.strip_prefix(&[None]).unwrap_or(rest);
            rest.is_empty()
                || (0..=path.len())
                    .filter(|at| *at == 0 || path[at - 1] == '/')
                    .any(|at| obviously_matches(rest, &path[at..]))
        }
        [Some(Piece::Run), rest @ ..] => {
            let run = path.iter().take_while(|c| **c != '/').count();
            (0..=run).any(|at| obviously_matches(rest, &path[at..]))
        }
        [Some(Piece::One), rest @ ..] => one(rest, &|c| c != '/'),
        [Some(Piece::Letter(letter) | Piece::Escaped(letter)), rest @ ..] => one(rest, &|c| c == letter.char()),
        [Some(Piece::Class { negated, from, to }), rest @ ..] => {
            one(rest, &|c| (from.char()..=to.char()).contains(&c) != *negated)
        }
        [None, rest @ ..] => one(rest, &|c| c == '/'),
    }
}
