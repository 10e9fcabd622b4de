//! Which checks have something new to say.

use std::collections::BTreeMap;

use crate::plan::check::{Check, CheckState, Subject};

/// The results that were told already.
#[derive(Debug, Default)]
pub(super) struct News(BTreeMap<Subject, CheckState>);

impl News {
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
