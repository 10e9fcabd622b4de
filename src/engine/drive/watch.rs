//! The drive's pollers: one a region, replaced when a defect breaks one off.

use tokio::sync::mpsc;
use tokio::task::{Id, JoinError};

use super::{Drive, begin};
use crate::engine::poll;
use crate::names::CommandId;

impl Drive {
    /// Starts to follow a command.
    pub(super) fn follow(&mut self, command: &CommandId) {
        let Some((lane, rollout, at)) = self.state.command(command) else {
            return;
        };
        let Some(plan) = self
            .means
            .plan
            .lane(&lane.region)
            .and_then(|lane| lane.rollout(&rollout.name))
        else {
            return;
        };
        let tracker = begin::tracker(plan, rollout, at, command, self.means.pace.grace);
        let region = lane.region.clone();
        let poller = match self.pollers.get(&region) {
            Some(poller) => poller,
            None => {
                let (sender, commands) = mpsc::unbounded_channel();
                let watch = self
                    .watches
                    .spawn(poll::run(self.means.clone(), region.clone(), commands));
                self.watched.insert(watch.id(), region.clone());
                self.pollers.entry(region).or_insert(sender)
            }
        };
        // One that has ended is not there any more, or has told that its region is not connected.
        let _ = poller.send(tracker);
    }

    /// A poller only ends by itself through a defect, or because its region is not connected, which it has told.
    pub(super) fn unwatched(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        let Some(region) = self.watched.remove(&id) else { return };
        if !ended.is_err_and(|error| error.is_panic()) {
            return;
        }
        tracing::error!(%region, "a defect broke off the poller; another one takes over");
        self.pollers.remove(&region);
        let open: Vec<CommandId> = self
            .state
            .lane(&region)
            .into_iter()
            .flat_map(|lane| &lane.rollouts)
            .flat_map(|rollout| &rollout.sends)
            .filter(|send| !send.is_over())
            .filter_map(|send| send.command().cloned())
            .collect();
        for command in &open {
            self.follow(command);
        }
    }
}
