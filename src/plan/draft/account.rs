//! Whose account it is.

use super::{Draft, Said, passed, settle, warned};
use crate::config::LaneConfig;

impl Draft<'_> {
    pub(super) fn account_check(&self, lane: &LaneConfig) -> Said {
        let found = self.region(lane).and_then(|found| found.caller.as_ref());
        settle(found, None, |caller| {
            let who = caller.arn.as_str().splitn(6, ':').nth(5).unwrap_or(caller.arn.as_str());
            let said = format!("{} as {who}\n{}", caller.account, caller.arn);
            match &caller.endpoint {
                None => passed(said),
                Some(endpoint) if self.rehearsal => passed(format!("{said}\nanswered by {endpoint}")),
                Some(endpoint) => warned([format!("not AWS's own endpoint: {endpoint}")], said),
            }
        })
    }
}
