//! What a check comes to.

use super::Missing;
use crate::plan::check::CheckState;
use crate::problem::Problem;
use crate::text::Clean;

/// The state of a check, with what it warns of kept apart from what it tells besides: the plan keeps the warnings.
pub(super) enum Said {
    Pending,
    Passed(String),
    Warned {
        /// A line each; never empty.
        warnings: Vec<String>,
        /// Further lines.
        details: String,
    },
    Failed(Problem),
}

impl From<Said> for CheckState {
    fn from(said: Said) -> Self {
        match said {
            Said::Pending => Self::Pending,
            Said::Passed(text) => Self::Passed(Clean::block(&text)),
            Said::Warned { mut warnings, details } => {
                warnings.extend((!details.is_empty()).then_some(details));
                Self::Warned(Clean::block(&warnings.join("\n")))
            }
            Said::Failed(problem) => Self::Failed(problem),
        }
    }
}

pub(super) fn passed(text: impl Into<String>) -> Said {
    Said::Passed(text.into())
}

pub(super) fn warned(warnings: impl IntoIterator<Item = String>, details: impl Into<String>) -> Said {
    Said::Warned {
        warnings: warnings.into_iter().collect(),
        details: details.into(),
    }
}

/// What one answer decides, or the reason why there will be none.
pub(super) fn settle<T>(
    found: Option<&Result<T, Problem>>,
    missing: Option<Missing>,
    told: impl FnOnce(&T) -> Said,
) -> Said {
    match (found, missing) {
        (Some(Ok(found)), _) => told(found),
        (Some(Err(problem)), _) => Said::Failed(problem.clone()),
        (None, Some(missing)) => warned([format!("not looked at: {missing}")], ""),
        (None, None) => Said::Pending,
    }
}
