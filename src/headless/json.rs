//! `--progress json`: one object a line, for programs.
//!
//! | `type` | when | what is in it |
//! |---|---|---|
//! | `check` | a check of the preflight has a result | `subject`, `region`, `rollout`, `state` (`passed`, `warned`, `failed`), `text` or `problem` |
//! | `plan` | the plan can start | `plan`, as the journal has it |
//! | `blocked` | the plan cannot start | `problems` |
//! | `fact` | something happened | `deployment`, `seq`, `at` (milliseconds since 1970), and the fact's own fields, its kind in `fact` |
//! | `retry-checked` | a retry was looked at | `hosts`, `unknown`, `moved` |
//! | `watching` | another process drives the deployment | `driver`, a problem that names it |
//! | `orphaned` | that process is gone | |
//! | `driving` | this process drives it from here on | |
//! | `notice` | an action could not be done | `problem` |
//! | `stopped` | the engine could not go on | `problem` |
//! | `summary` | always last | `outcome`, `exit`, `hosts`, `unsuccessful`, `problems`, `logs`, `next` |
//!
//! A problem is `kind`, `what` and `remedy`. Fields are added, never renamed; unknown types are to be passed over.

use serde_json::{Value, json};

use super::Voice;
use super::news::News;
use crate::engine::Update;
use crate::names::{DeploymentId, Millis};
use crate::plan::check::{Check, CheckState, Subject};
use crate::state::live::Live;
use crate::state::{Recorded, State};

/// Says everything in JSON.
#[derive(Default)]
pub(super) struct Json {
    news: News,
}

impl Voice for Json {
    fn told(&mut self, update: &Update, state: &State, _: Millis) -> Vec<String> {
        let object = match update {
            Update::Checks(checks) => return self.news.of(checks).map(|check| object(check).to_string()).collect(),
            Update::Ready(plan) => json!({"type": "plan", "plan": plan}),
            Update::Blocked(problems) => json!({"type": "blocked", "problems": problems}),
            Update::Fact(recorded) => {
                let deployment = state.plan.as_ref().map(|plan| plan.id);
                return deployment.map(|id| fact(id, recorded)).into_iter().collect();
            }
            Update::RetryChecked { set, moved } => {
                let moved: Vec<Value> = moved
                    .iter()
                    .map(|tag| json!({"region": tag.region, "tag": tag.tag, "now": tag.now, "problem": tag.problem}))
                    .collect();
                json!({"type": "retry-checked", "hosts": set.len(), "unknown": set.unknown, "moved": moved})
            }
            Update::Watching(driver) => json!({"type": "watching", "driver": driver}),
            Update::Orphaned => json!({"type": "orphaned"}),
            Update::Driving => json!({"type": "driving"}),
            Update::Notice(problem) => json!({"type": "notice", "problem": problem}),
            Update::Stopped(Some(problem)) => json!({"type": "stopped", "problem": problem}),
            Update::Stopped(None) => return Vec::new(),
        };
        vec![object.to_string()]
    }

    fn tick(&mut self, _: &State, _: &Live, _: Millis) -> Vec<String> {
        Vec::new()
    }
}

fn object(check: &Check) -> Value {
    let (subject, rollout) = match &check.subject {
        Subject::Commit => ("commit", None),
        Subject::Dockerfile => ("dockerfile", None),
        Subject::Engine => ("engine", None),
        Subject::Journal => ("journal", None),
        Subject::Account(_) => ("account", None),
        Subject::Repository(_) => ("repository", None),
        Subject::Image(_) => ("image", None),
        Subject::Current(_) => ("current", None),
        Subject::UnderWay(_) => ("under-way", None),
        Subject::Document(_, rollout) => ("document", Some(rollout)),
        Subject::Hosts(_, rollout) => ("hosts", Some(rollout)),
    };
    let (state, text, problem) = match &check.state {
        CheckState::Pending => ("pending", None, None),
        CheckState::Passed(text) => ("passed", Some(text), None),
        CheckState::Warned(text) => ("warned", Some(text), None),
        CheckState::Failed(problem) => ("failed", None, Some(problem)),
    };
    json!({
        "type": "check",
        "subject": subject,
        "region": check.subject.region(),
        "rollout": rollout,
        "state": state,
        "text": text,
        "problem": problem,
    })
}

/// A fact as one line: the journal's own JSON form with an envelope in front of its fields.
pub fn fact(deployment: DeploymentId, recorded: &Recorded) -> String {
    let Recorded { seq, at, fact } = recorded;
    let at = at.0;
    match serde_json::to_string(fact) {
        Ok(own) => format!(
            r#"{{"type":"fact","deployment":"{deployment}","seq":{seq},"at":{at},{}"#,
            own.strip_prefix('{').unwrap_or(&own)
        ),
        // A fact that is in the journal was serialised before.
        Err(error) => json!({"type": "notice", "problem": error.to_string()}).to_string(),
    }
}
