//! The console in a terminal of 80 columns and 24 lines.

use rustix::process::Signal;

use crate::pty::Pty;
use crate::served::{CALM, SLOW, Served};
use crate::shell::Place;

/// A rehearsal whose plan is ready to start.
fn rehearsal(home: &tempfile::TempDir, speed: u32) -> Pty {
    let mut pty = Place::new(home.path()).terminal(&format!("rehearse --docker stand-in --speed {speed}"));
    pty.wait_for("enter start");
    pty
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

/// It ended with this code, gave the terminal back, and these words stay on the screen.
#[track_caller]
fn gave_back(pty: &mut Pty, code: u32, says: &[&str]) {
    let status = pty.wait();
    let screen = pty.screen();
    assert_eq!(status.exit_code(), code, "{screen}");
    assert!(pty.taken().is_empty(), "{:?}", pty.taken());
    for said in says {
        assert!(screen.contains(said), "{said:?} is missing in\n{screen}");
    }
}

#[test]
fn a_rehearsal_goes_from_its_plan_over_its_failures_to_all_green() {
    let home = home();
    let mut pty = rehearsal(&home, 20);
    assert!(pty.screen().contains("REHEARSAL"), "{}", pty.screen());
    pty.type_keys("\r");
    pty.wait_for("✗ hosts failed");
    // The hosts, those in trouble alone, the first of them.
    pty.type_keys("a");
    pty.wait_for("all lanes · 36 hosts");
    pty.type_keys("e");
    pty.wait_for("all lanes · 9 hosts in trouble");
    pty.type_keys("\r");
    pty.wait_for("── stdout ──");
    pty.wait_for("Login Succeeded");
    pty.type_keys("R");
    pty.wait_for("Send again to 9 hosts in 2 regions:");
    pty.wait_for("On 1 host it is unknown whether the script ran");
    pty.wait_for("The tags still point at this deployment's image.");
    pty.type_keys("y");
    pty.wait_for("✓ succeeded");
    pty.wait_for("output of try 2");
    pty.type_keys("q");
    gave_back(&mut pty, 0, &["36 of 36 hosts succeeded", "image ", "is sha256:"]);
}

#[test]
fn q_while_hosts_run_says_that_they_go_on_and_leaves_on_another_word() {
    let served = Served::start(SLOW.0, SLOW.1);
    let mut pty = at_work(&served);
    pty.type_keys("q");
    pty.wait_for("SSM goes on without this console");
    let asked = pty.wait_for("quarterdeck attach");
    assert!(asked.contains("leave?"), "{asked}");
    // The first answer is no, and changes nothing.
    pty.type_keys("n");
    pty.wait_for("X cancel");
    pty.type_keys("q");
    pty.wait_for("leave?");
    pty.type_keys("y");
    gave_back(&mut pty, 9, &["quarterdeck attach", "takes it up again"]);
    served
        .place
        .run("attach --progress quiet")
        .ended(0, "10 of 10 hosts succeeded");
}

#[test]
fn a_signal_while_hosts_run_leaves_them_running_and_gives_the_terminal_back() {
    let served = Served::start(SLOW.0, SLOW.1);
    let mut pty = at_work(&served);
    pty.signal(Signal::TERM);
    gave_back(&mut pty, 9, &["quarterdeck attach", "takes it up again"]);
    let history = served.place.run("history");
    history.ended(0, "left");
}

#[test]
fn signals_and_keys_before_the_start_end_it_with_nothing_done() {
    for (key, code) in [(None, 143), (Some("\u{3}"), 130), (Some("q"), 10)] {
        let home = home();
        let mut pty = rehearsal(&home, 20);
        match key {
            Some(key) => pty.type_keys(key),
            None => pty.signal(Signal::TERM),
        }
        gave_back(&mut pty, code, &["nothing was started"]);
    }
}

#[test]
fn ctrl_c_offers_to_leave_and_a_second_one_leaves_at_once() {
    let served = Served::start(SLOW.0, SLOW.1);
    let mut pty = at_work(&served);
    pty.type_keys("\u{3}");
    pty.wait_for("leave: hosts go on");
    pty.type_keys("\u{3}");
    gave_back(&mut pty, 9, &["takes it up again"]);
}

#[test]
fn everything_can_be_cancelled_and_the_exit_code_says_so() {
    // Nobody ends by themselves before they are asked to.
    let hang = |region: &str, number: usize| {
        format!("[[host]]\nregion = \"{region}\"\nnumber = {number}\nfates = [\"hang\"]\n")
    };
    let hosts: String = (1..=5)
        .flat_map(|n| [hang("us-east-1", n), hang("us-east-2", n)])
        .collect();
    let served = Served::start(&format!("timeouts = 1.0\n{CALM}{hosts}"), 10);
    let mut pty = at_work(&served);
    pty.type_keys("X");
    pty.wait_for("cancel what?");
    pty.type_keys("G");
    pty.type_keys("jjjj");
    pty.wait_for("▸ everything, in every region");
    pty.type_keys("\r");
    pty.wait_for("- cancelled");
    pty.type_keys("q");
    gave_back(&mut pty, 10, &[": cancelled", "--retry unsuccessful"]);
}

/// The window was closed or the connection dropped: another shell takes it up.
#[test]
fn a_terminal_that_vanishes_while_hosts_run_leaves_a_deployment_that_can_be_taken_up() {
    let served = Served::start(SLOW.0, SLOW.1);
    let mut pty = at_work(&served);
    pty.vanish();
    assert_eq!(pty.wait().exit_code(), 9);
    served
        .place
        .run("attach --progress quiet")
        .ended(0, "10 of 10 hosts succeeded");
}

/// A deployment to served stand-ins whose commands are out.
fn at_work(served: &Served) -> Pty {
    let mut pty = served.place.terminal("deploy");
    pty.wait_for("enter start");
    pty.type_keys("\r");
    // In both regions.
    pty.wait_for_times("looks every", 2);
    pty
}
