//! What a rehearsal can be told on the command line.

use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;

/// Everything is optional: what is not said is the scenario's, and what that does not say is the default story's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// Hosts in all regions together.
    pub hosts: Option<usize>,
    /// Regions.
    pub regions: Option<Regions>,
    /// The seed of everything that is left to chance.
    pub seed: Option<u64>,
    /// So many times faster than believable hosts.
    pub speed: Option<f64>,
    /// A scenario file.
    pub scenario: Option<PathBuf>,
    /// Which Docker Engine builds.
    pub docker: DockerChoice,
}

/// Which Docker Engine builds in a rehearsal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum DockerChoice {
    /// The machine's, if one answers; else the stand-in.
    #[default]
    Auto,
    /// The machine's or none.
    Real,
    /// The stand-in.
    StandIn,
}

/// Regions by number or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Regions {
    /// So many.
    Count(usize),
    /// These.
    Named(Vec<String>),
}

impl FromStr for Regions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(count) = text.parse::<usize>() {
            return match count {
                1..=99 => Ok(Self::Count(count)),
                _ => Err("a rehearsal has 1 to 99 regions".to_owned()),
            };
        }
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        for (at, name) in names.iter().enumerate() {
            if !is_region(name) {
                return Err(format!(
                    "`{name}` is neither a number nor a region's name such as us-east-1"
                ));
            }
            if names[..at].contains(name) {
                return Err(format!("`{name}` is there twice"));
            }
        }
        Ok(Self::Named(names))
    }
}

/// Whether this could be a region's name: words and a number, joined by `-`.
pub(super) fn is_region(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let Some((number, words)) = parts.split_last() else {
        return false;
    };
    let all = |text: &str, test: fn(&u8) -> bool| !text.is_empty() && text.bytes().all(|byte| test(&byte));
    words.len() >= 2 && words.iter().all(|word| all(word, u8::is_ascii_lowercase)) && all(number, u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_a_number_or_names() {
        assert_eq!("3".parse(), Ok(Regions::Count(3)));
        let named = Regions::Named(vec!["us-east-1".to_owned(), "eu-west-2".to_owned()]);
        assert_eq!("us-east-1, eu-west-2".parse(), Ok(named));
        for bad in ["0", "100", "moon", "us-east-1,us-east-1", "", "us-east-x"] {
            assert!(bad.parse::<Regions>().is_err(), "{bad}");
        }
    }
}
