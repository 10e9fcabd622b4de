//! Which checks have something new to say.

use std::collections::BTreeMap;

use crate::plan::check::{Check, CheckState, Subject};
use crate::text::Clean;

/// The results that were told already.
#[derive(Debug, Default)]
pub(super) struct News(BTreeMap<Subject, CheckState>);

impl News {
    /// Whether a check has said this warning of the plan.
    pub fn said(&self, warning: &Clean) -> bool {
        self.0.values().any(|state| state.says(warning))
    }

    /// Those of all checks that have a result which was not told yet.
    pub fn of<'a>(&'a mut self, checks: &'a [Check]) -> impl Iterator<Item = &'a Check> {
        checks.iter().filter(|check| {
            let told = check.state == CheckState::Pending || self.0.get(&check.subject) == Some(&check.state);
            if !told {
                self.0.insert(check.subject.clone(), check.state.clone());
            }
            !told
        })
    }
}
