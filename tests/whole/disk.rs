//! A disk that fills up in the middle: nothing goes on unrecorded, and with some room it is taken up again.

use crate::common::need;
use crate::served::{CALM, Served};
use crate::shell::Ran;

/// Deploys on a file system of a quarter of a megabyte, and attaches once that has grown.
const SCRIPT: &str = "state=$(mktemp -d); mount -t tmpfs -o size=224k tmpfs $state
$QUARTERDECK deploy -y --progress plain --state-dir $state; echo \"deploy: $?\"
mount -o remount,size=8m $state
$QUARTERDECK attach --progress plain --state-dir $state; echo \"attach: $?\"
$QUARTERDECK journal export --state-dir $state | grep -c send-intended
$QUARTERDECK journal check --state-dir $state; echo \"check: $?\"";

#[test]
fn a_deployment_on_a_full_disk_stops_in_order_and_is_taken_up_with_room() {
    if !need("unshare") {
        return;
    }
    let served = Served::start(CALM, 4);
    let mut command = served.place.wrapped("unshare", "--user --map-root-user --mount sh -c");
    command.arg(SCRIPT);
    command.env("QUARTERDECK", env!("CARGO_BIN_EXE_quarterdeck"));
    let ran = Ran::new(&command.output().expect("a shell runs"));
    ran.ended(0, "the disk is full");
    ran.ended(0, "deploy: 1");
    ran.ended(0, "attach: 0");
    ran.ended(0, "10 of 10 hosts succeeded");
    ran.ended(0, "check: 0");
    // Each rollout's command was meant once, whenever the disk was full.
    assert!(ran.out.lines().any(|line| line == "4"), "{ran:#?}");
}
