//! What holds of every state, however it came about, and a frame of it.

use std::collections::HashSet;

use quarterdeck::console::draw::draw as draw_frame;
use quarterdeck::console::view::{Look, View};
use quarterdeck::names::Millis;
use quarterdeck::state::live::Live;
use quarterdeck::state::{Counts, HostStatus, RolloutState, Selection, State, Verdict};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

/// The figures that the fold keeps are those of the hosts, and a retry never goes to a host that succeeded.
pub fn assert_consistent(state: &State) {
    let mut succeeded = HashSet::new();
    for lane in &state.lanes {
        state.stage(lane);
        lane.digest();
        for rollout in &lane.rollouts {
            assert_counted(rollout);
            for host in &rollout.hosts {
                assert!(host.attempts.iter().all(|attempt| attempt.send < rollout.sends.len()));
                assert!(
                    host.attempts.is_sorted_by(|one, two| one.send < two.send),
                    "one attempt a send"
                );
                if host.status().verdict() == Verdict::Succeeded {
                    succeeded.insert((lane.region.clone(), rollout.name.clone(), host.id.clone()));
                }
            }
            for send in &rollout.sends {
                state.send(&send.token);
                if let Some(command) = send.command() {
                    state.command(command);
                }
            }
        }
    }
    for selection in [Selection::Unsuccessful(None), Selection::Failed(None)] {
        let set = state.retry_set(&selection);
        for ((region, rollout), hosts) in &set.hosts {
            for host in hosts {
                // Two lanes or rollouts of one name can't be told apart; no plan has them.
                let key = (region.clone(), rollout.clone(), host.clone());
                assert!(!succeeded.contains(&key) || !is_orderly(state), "{host} succeeded");
            }
        }
        assert!(set.unknown <= set.len());
    }
    state.outcome();
    state.is_quiet();
    assert_eq!(state.counts(), state.lanes.iter().map(|lane| lane.counts()).sum());
}

/// Whether no name occurs twice where a plan has it once.
fn is_orderly(state: &State) -> bool {
    let mut seen = HashSet::new();
    state.lanes.iter().all(|lane| {
        lane.rollouts.iter().all(|rollout| {
            rollout
                .hosts
                .iter()
                .all(|host| seen.insert((&lane.region, &rollout.name, &host.id)))
        })
    })
}

fn assert_counted(rollout: &RolloutState) {
    let mut counts = Counts::default();
    let (mut failed, mut unplanned) = (0, 0);
    let mut trouble = HashSet::new();
    for (at, host) in rollout.hosts.iter().enumerate() {
        let verdict = host.status().verdict();
        match verdict {
            Verdict::Waiting => counts.waiting += 1,
            Verdict::Running => counts.running += 1,
            Verdict::Succeeded => counts.succeeded += 1,
            Verdict::Failed => counts.failed += 1,
            Verdict::Unknown => counts.unknown += 1,
            Verdict::NotRun => counts.not_run += 1,
        }
        failed += usize::from(matches!(
            host.status(),
            HostStatus::Failed | HostStatus::ExecutionTimedOut
        ));
        unplanned += usize::from(!host.is_planned());
        if verdict.is_trouble() {
            trouble.insert((verdict, at));
        }
    }
    assert_eq!(rollout.counts, counts, "{:?}", rollout.hosts);
    assert_eq!(rollout.counts.total(), rollout.hosts.len());
    assert_eq!((rollout.tally.failed, rollout.tally.unplanned), (failed, unplanned));
    let told: Vec<(Verdict, usize)> = rollout
        .tally
        .trouble()
        .flat_map(|(verdict, _, hosts)| hosts.iter().map(move |at| (verdict, *at)))
        .collect();
    assert_eq!(told.len(), trouble.len(), "nobody is told twice");
    assert_eq!(told.into_iter().collect::<HashSet<_>>(), trouble);
}

/// Draws the state's first frame at a usual size.
pub fn draw(state: &State) {
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a test backend can't fail");
    let mut view = View::new(Look::default());
    view.follow(state);
    let live = Live::default();
    let now = Millis(1_764_000_100_000);
    let mut painted = None;
    terminal
        .draw(|frame| painted = Some(draw_frame(frame, state, &live, &view, now)))
        .expect("a test backend can't fail");
    view.absorb(painted.expect("the frame was drawn"));
}
