//! Every way in which a deployment ends has its exit code, and says what goes on and how to come back.

use rustix::process::Signal;

use crate::served::{CALM, SLOW, Served};

#[test]
fn a_quiet_deployment_says_its_summary_and_nothing_else() {
    let served = Served::start(CALM, 20);
    let ran = served.place.run("deploy -y --progress quiet");
    ran.ended(0, "10 of 10 hosts succeeded");
    assert!(ran.out.starts_with("deployment "), "{ran:#?}");
    assert_eq!(ran.err, "");
    // The image is there by now: nothing is built, and the hosts are told again.
    let again = served.place.run("deploy -y --progress plain");
    again.ended(0, "nothing to build");
}

#[test]
fn targets_that_match_no_host_are_refused_before_anything_is_done() {
    let served = Served::start(CALM, 20);
    served.reconfigure("[\"Ubuntu\"]", "[\"Plan9\"]");
    served.place.run("deploy -y --progress plain").ended(4, "Plan9");
    served.place.run("history").ended(0, "no deployment");
}

#[test]
fn a_build_that_fails_shows_the_end_of_its_log_and_tells_no_host() {
    let served = Served::start(CALM, 20);
    served.change("Dockerfile", |text| format!("{text}RUN echo linking && exit 3\n"));
    let ran = served.place.run("deploy -y --progress plain");
    ran.ended(5, "linking");
    assert!(ran.out.contains("log of build-1: "), "{ran:#?}");
    assert!(ran.out.contains("10 hosts were not told to pull the image"), "{ran:#?}");
    assert!(!ran.out.contains("taken by SSM"), "{ran:#?}");
}

#[test]
fn credentials_that_are_refused_end_it_before_or_after_the_start() {
    for (operation, act) in [("GetCallerIdentity", "expired"), ("SendCommand", "denied")] {
        let fault = format!("[[fault]]\nact = \"{act}\"\noperation = \"{operation}\"\n");
        let served = Served::start(&format!("{CALM}{fault}"), 20);
        served.place.run("deploy -y --progress plain").ended(6, operation);
    }
}

#[test]
fn a_dirty_working_directory_is_refused_by_its_guard() {
    let served = Served::start(CALM, 20);
    std::fs::write(served.place.folder().join("Dockerfile"), "FROM scratch\n").expect("it can be written");
    served.place.run("deploy -y --progress plain").ended(8, "--allow-dirty");
}

#[test]
fn waiting_ends_at_its_time_and_the_hosts_go_on() {
    let served = Served::start(SLOW.0, 2);
    let mut waiting = served.place.start("deploy -y --progress plain --wait-timeout 6s");
    waiting.says("command taken by SSM");
    let ran = waiting.end();
    ran.ended(9, "takes it up again");
    served
        .place
        .run("attach --progress quiet")
        .ended(0, "10 of 10 hosts succeeded");
}

#[test]
fn a_signal_before_anything_was_sent_says_so() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 143)] {
        let served = Served::start(CALM, 1);
        let mut running = served.place.start("deploy -y --progress plain");
        running.says("build-1: started");
        running.signal(signal);
        let ran = running.end();
        ran.ended(code, "nothing was sent to the fleet");
        ran.ended(code, "quarterdeck attach");
    }
}

#[test]
fn a_signal_while_hosts_run_says_how_to_come_back() {
    let served = Served::start(SLOW.0, SLOW.1);
    let mut running = served.place.start("deploy -y --progress plain");
    running.says_times("command taken by SSM", 4);
    running.signal(Signal::HUP);
    let ran = running.end();
    ran.ended(9, "takes it up again");
    let last = ran.out.lines().last().unwrap_or_default();
    assert!(last.contains("quarterdeck attach"), "it is the last line: {last}");
}
