//! The same retry in the words of the AWS command line, for whoever has to go on without Quarterdeck.

use serde_json::Value;

use crate::again::quote;
use crate::names::HostId;
use crate::plan::{ParameterValue, RolloutPlan};
use crate::state::State;

/// SSM refuses more instance ids in one SendCommand.
const IDS_MAX: usize = 50;
/// Lines that are worth reading; a larger failure is retried by Quarterdeck or not at all.
const LINES_MAX: usize = 4;

/// One `aws ssm send-command` a rollout (and fifty hosts) with hosts that can be retried, and how many are left out.
pub(super) fn commands(state: &State) -> Vec<String> {
    let Some(plan) = &state.plan else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    for lane in &state.lanes {
        for rollout in &lane.rollouts {
            let Some(rollout_plan) = plan.lane(&lane.region).and_then(|lane| lane.rollout(&rollout.name)) else {
                continue;
            };
            let hosts: Vec<&HostId> = rollout
                .hosts
                .iter()
                .filter(|host| host.can_be_retried())
                .map(|host| &host.id)
                .collect();
            lines.extend(
                hosts
                    .chunks(IDS_MAX)
                    .map(|hosts| command(lane.region.as_str(), rollout_plan, hosts, plan.is_adopted())),
            );
        }
    }
    let more = lines.len().saturating_sub(LINES_MAX);
    lines.truncate(LINES_MAX);
    if more > 0 {
        lines.push(format!("# and {more} more like these"));
    }
    if !lines.is_empty() {
        lines.insert(0, "# or, without Quarterdeck, the same retry:".to_owned());
    }
    lines
}

/// Of an adopted deployment nobody knows which of the parameters that SSM has are secret.
fn command(region: &str, rollout: &RolloutPlan, hosts: &[&HostId], adopted: bool) -> String {
    let ids: Vec<&str> = hosts.iter().map(|id| id.as_str()).collect();
    let mut words = vec![
        "aws ssm send-command --region".to_owned(),
        quote(region),
        "--document-name".to_owned(),
        quote(rollout.document.as_str()),
        "--document-version".to_owned(),
        quote(rollout.document_version.as_str()),
        "--instance-ids".to_owned(),
    ];
    words.extend(ids.iter().map(|id| quote(id)));
    let (mut shown, mut secret) = (serde_json::Map::new(), Vec::new());
    for (name, value) in &rollout.parameters {
        match value {
            ParameterValue::Plain(values) => {
                let values = values.iter().map(|value| Value::from(value.as_str())).collect();
                shown.insert(name.clone(), Value::Array(values));
            }
            ParameterValue::Secret => secret.push(name.as_str()),
        }
    }
    if !shown.is_empty() {
        words.push("--parameters".to_owned());
        words.push(quote(&Value::Object(shown).to_string()));
    }
    words.extend([
        format!("--timeout-seconds {}", rollout.delivery_timeout_secs),
        format!("--max-concurrency {}", quote(rollout.max_concurrency.as_str())),
        format!("--max-errors {}", quote(rollout.max_errors.as_str())),
    ]);
    if !secret.is_empty() {
        let which = match (adopted, secret.len()) {
            (true, _) => "with its value in SSM, the parameter",
            (false, 1) => "the secret parameter",
            (false, _) => "the secret parameters",
        };
        words.push(format!("# add {which} {}", secret.join(", ")));
    }
    words.join(" ")
}
