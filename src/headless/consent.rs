//! What the operator agreed to on the command line, where nobody can be asked.

use std::convert::Infallible;
use std::str::FromStr;

use crate::plan::Environment;
use crate::problem::{Kind, Problem};
use crate::text::Clean;

/// `--yes`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Consent {
    /// Not given.
    #[default]
    Absent,
    /// Given, without a name.
    Given,
    /// Given to the environment of this name.
    To(Clean),
}

impl FromStr for Consent {
    type Err = Infallible;

    /// The usual words for yes and no, so that `QUARTERDECK_YES=0` is no; any other word is an environment's name.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.trim().to_ascii_lowercase().as_str() {
            "" | "0" | "false" | "no" | "off" => Self::Absent,
            "1" | "true" | "yes" | "on" => Self::Given,
            _ => Self::To(Clean::line(text.trim())),
        })
    }
}

impl Consent {
    /// Whether it covers a start in `environment`.
    ///
    /// # Errors
    /// [`Kind::Guard`], with what to pass.
    pub fn covers(&self, environment: &Environment) -> Result<(), Problem> {
        let name = &environment.name;
        match self {
            Self::To(named) if named == name => Ok(()),
            Self::To(named) => Err(Problem::new(
                Kind::Guard,
                format!("--yes={named} was passed, and this is the environment {name}"),
                format!("pass --yes={name} if you mean it"),
            )),
            Self::Given if !environment.protected => Ok(()),
            Self::Given => Err(Problem::new(
                Kind::Guard,
                format!("the environment {name} is protected, and --yes alone does not open it"),
                format!("pass --yes={name}"),
            )),
            Self::Absent => {
                let flag = if environment.protected {
                    format!("--yes={name}")
                } else {
                    "--yes".to_owned()
                };
                Err(Problem::new(
                    Kind::Guard,
                    format!("nothing was started in {name}: without the console nobody can be asked"),
                    format!("pass {flag} to start, or run it in a terminal"),
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(protected: bool) -> Environment {
        Environment {
            name: Clean::line("production"),
            protected,
        }
    }

    fn consent(text: &str) -> Consent {
        text.parse().expect("every text is a consent")
    }

    #[test]
    fn a_protected_environment_is_opened_by_its_name_alone() {
        assert!(consent("production").covers(&environment(true)).is_ok());
        for refused in ["true", "0", "qa", ""] {
            let problem = consent(refused).covers(&environment(true)).expect_err(refused);
            assert_eq!(problem.kind, Kind::Guard);
            assert!(problem.remedy.as_str().contains("--yes=production"), "{problem}");
        }
    }

    #[test]
    fn an_open_environment_takes_a_plain_yes_and_refuses_the_name_of_another() {
        assert!(consent("1").covers(&environment(false)).is_ok());
        assert!(consent("production").covers(&environment(false)).is_ok());
        assert!(consent("qa").covers(&environment(false)).is_err());
        assert!(consent("no").covers(&environment(false)).is_err());
    }
}
