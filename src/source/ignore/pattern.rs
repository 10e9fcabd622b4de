//! One pattern of an ignore file: Go's `filepath.Match` with `**`, as moby's patternmatcher reads it.

/// A compiled pattern. It matches a path, or whatever lies below a path that it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    tokens: Vec<Token>,
    /// The leading components without any wildcard.
    fixed: Vec<String>,
}

/// A piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// This character.
    Char(char),
    /// `?`: any character but `/`.
    One,
    /// `[…]`: a character in one of the ranges, or in none of them when negated.
    Class { negated: bool, ranges: Vec<(char, char)> },
    /// `*`: any run without `/`.
    Run,
    /// `**` at the end: any run.
    Rest,
    /// `**` elsewhere: nothing, or any run that ends in `/`.
    Folders,
}

impl Pattern {
    /// Compiles a cleaned pattern.
    ///
    /// # Errors
    /// What is wrong with it, as a fragment.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let chars: Vec<char> = text.chars().collect();
        let tokens = tokens(&chars)?;
        let wild = |part: &&str| !part.contains(['*', '?', '[', '\\']);
        Ok(Self {
            tokens,
            fixed: text.split('/').take_while(wild).map(str::to_owned).collect(),
        })
    }

    /// Whether it matches `path` or one of the folders that `path` lies in.
    ///
    /// All ways through the tokens are followed at once, so that no pattern takes more than its length times the path's.
    pub fn matches(&self, path: &str) -> bool {
        let end = self.tokens.len();
        let mut now = vec![false; end + 1];
        let mut next = vec![false; end + 1];
        self.enter(&mut now, 0);
        for c in path.chars() {
            // A folder that matches takes everything below with it.
            if c == '/' && now[end] {
                return true;
            }
            next.fill(false);
            for (at, token) in self.tokens.iter().enumerate().filter(|(at, _)| now[*at]) {
                match token {
                    Token::Char(own) if *own == c => self.enter(&mut next, at + 1),
                    Token::One if c != '/' => self.enter(&mut next, at + 1),
                    Token::Class { negated, ranges } => {
                        if ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated {
                            self.enter(&mut next, at + 1);
                        }
                    }
                    Token::Run if c != '/' => self.enter(&mut next, at),
                    Token::Rest => self.enter(&mut next, at),
                    Token::Folders => {
                        next[at] = true;
                        if c == '/' {
                            self.enter(&mut next, at + 1);
                        }
                    }
                    Token::Char(_) | Token::One | Token::Run => {}
                }
            }
            std::mem::swap(&mut now, &mut next);
        }
        now[end]
    }

    /// Reaches the token at `at`, and those behind it that can stand for nothing.
    fn enter(&self, states: &mut [bool], at: usize) {
        states[at] = true;
        match self.tokens.get(at) {
            Some(Token::Run | Token::Rest | Token::Folders) => self.enter(states, at + 1),
            Some(Token::Char(_) | Token::One | Token::Class { .. }) | None => {}
        }
    }

    /// Whether something below the folder could match though the folder does not.
    pub fn may_match_below(&self, folder: &str) -> bool {
        folder.split('/').zip(&self.fixed).all(|(one, other)| one == other)
    }
}

fn tokens(chars: &[char]) -> Result<Vec<Token>, &'static str> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        at += 1;
        match c {
            '*' if chars.get(at) == Some(&'*') => {
                at += 1;
                let folder = chars.get(at) == Some(&'/');
                at += usize::from(folder);
                // moby takes a leading `**name` without further wildcards as "ends in name".
                let suffix = at == 2 && !chars[2..].iter().any(|c| matches!(c, '*' | '?' | '[' | ']' | '\\'));
                tokens.push(if at == chars.len() || (suffix && !folder) {
                    Token::Rest
                } else {
                    Token::Folders
                });
            }
            '*' => tokens.push(Token::Run),
            '?' => tokens.push(Token::One),
            '[' => tokens.push(class(chars, &mut at)?),
            '\\' => {
                tokens.push(Token::Char(*chars.get(at).ok_or("nothing follows its last \\")?));
                at += 1;
            }
            _ => tokens.push(Token::Char(c)),
        }
    }
    Ok(tokens)
}

/// The class whose `[` is just before `at`.
fn class(chars: &[char], at: &mut usize) -> Result<Token, &'static str> {
    let negated = chars.get(*at) == Some(&'^');
    *at += usize::from(negated);
    let mut ranges = Vec::new();
    loop {
        if chars.get(*at) == Some(&']') && !ranges.is_empty() {
            *at += 1;
            return Ok(Token::Class { negated, ranges });
        }
        let low = bound(chars, at)?;
        let high = if chars.get(*at) == Some(&'-') {
            *at += 1;
            bound(chars, at)?
        } else {
            low
        };
        if low > high {
            return Err("a range in […] goes backwards");
        }
        ranges.push((low, high));
    }
}

/// One end of a range.
fn bound(chars: &[char], at: &mut usize) -> Result<char, &'static str> {
    let escaped = chars.get(*at) == Some(&'\\');
    *at += usize::from(escaped);
    let c = *chars.get(*at).ok_or("a [ is not closed")?;
    if !escaped && matches!(c, '-' | ']') {
        return Err("a […] is empty or has a range without an end");
    }
    *at += 1;
    Ok(c)
}
