//! What of the facts goes into `quarterdeck.log`. Facts hold no secret, and neither do their problems.

use tracing::{debug, info, warn};

use crate::state::{Fact, Recorded, SendTo};

/// Writes a fact down: what goes wrong as a warning, what many hosts do at the level `debug`.
pub(super) fn fact(recorded: &Recorded) {
    match &recorded.fact {
        Fact::DeploymentStarted { plan, .. } => info!(deployment = %plan.id, commit = %plan.commit.id, "started"),
        Fact::DeploymentResumed { .. } => info!("taken up"),
        Fact::DeploymentLeft { reason } => info!(%reason, "left"),
        Fact::DeploymentSettled { outcome } => info!(?outcome, "settled"),
        Fact::BuildStarted { build, .. } => info!(%build, "build started"),
        Fact::BuildStepEnded { build, step } => debug!(%build, step = step.number, "build step ended"),
        Fact::BuildSucceeded { build, image, .. } => info!(%build, %image, "built"),
        Fact::BuildFailed { build, problem, .. } => warn!(%build, %problem, "build failed"),
        Fact::BuildCancelled { build } => info!(%build, "build cancelled"),
        Fact::PushStarted { region } => info!(%region, "push started"),
        Fact::PushSkipped { region, digest } => info!(%region, %digest, "nothing to push"),
        Fact::PushSucceeded { region, digest, .. } => info!(%region, %digest, "pushed"),
        Fact::PushFailed { region, problem } => warn!(%region, %problem, "push failed"),
        Fact::PushCancelled { region } => info!(%region, "push cancelled"),
        Fact::TagMoved { region, tag, to, .. } => info!(%region, %tag, %to, "tag moved"),
        Fact::TagFailed { region, tag, problem } => warn!(%region, %tag, %problem, "tag not moved"),
        Fact::SendIntended { token, to, .. } => match to {
            SendTo::Targets => info!(%token, "sending to targets"),
            SendTo::Hosts(hosts) => info!(%token, hosts = hosts.len(), "sending to hosts"),
        },
        Fact::SendAccepted {
            token,
            command,
            adopted,
            ..
        } => info!(%token, %command, found = adopted, "SSM has the command"),
        Fact::SendRefused { token, problem, .. } => warn!(%token, %problem, "the command did not go out"),
        Fact::SendUnknown { token, problem } => warn!(%token, %problem, "unknown whether SSM has the command"),
        Fact::SendAbandoned { token } => info!(%token, "send abandoned"),
        Fact::RetryIntended {
            region,
            rollout,
            hosts,
            despite_moved_tag,
        } => info!(%region, %rollout, hosts = hosts.len(), despite_moved_tag, "to be retried"),
        Fact::RetryStopped { problem, .. } => warn!(%problem, "retry stopped"),
        Fact::HostChanged {
            command, host, status, ..
        } => debug!(%command, %host, status = %status.word(), "host changed"),
        Fact::OutputRead { command, host, .. } => debug!(%command, %host, "output read"),
        Fact::CommandEnded {
            command,
            details,
            missing,
        } => info!(%command, %details, missing = missing.len(), "command ended"),
        Fact::CancelIntended { token } => info!(%token, "to be cancelled"),
        Fact::CancelAsked { command } => info!(%command, "cancelled"),
        Fact::CancelFailed { command, problem } => warn!(%command, %problem, "not cancelled"),
        Fact::LaneWaits { region, problem } => warn!(%region, %problem, "lane waits"),
        Fact::LaneResumed { region } => info!(%region, "lane goes on"),
        Fact::LaneCancelled { region } => info!(%region, "lane cancelled"),
        Fact::LaneReopened { region } => info!(%region, "lane reopened"),
    }
}
