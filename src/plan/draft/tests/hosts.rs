//! The hosts that a rollout will be held against.

use super::*;
use crate::plan::ExpectedHost;

fn subject() -> Subject {
    Subject::Hosts(east(), ubuntu())
}

fn bend(case: &mut Case, rollout: &RolloutName, bend: impl FnOnce(&mut Vec<ExpectedHost>)) {
    if let Some(Ok(hosts)) = case.region(&east()).hosts.get_mut(rollout) {
        bend(hosts);
    }
}

#[test]
fn no_host_is_a_failure() {
    let mut case = Case::new();
    bend(&mut case, &ubuntu(), Vec::clear);
    insta::assert_snapshot!(case.told(&subject()));
    assert_eq!(case.problems()[0].kind, Kind::NoHosts);
}

#[test]
fn offline_hosts_are_named_and_start_all_the_same() {
    let mut case = Case::new();
    bend(&mut case, &ubuntu(), |hosts| {
        for host in &mut hosts[2..6] {
            host.ping = Ping::ConnectionLost;
        }
        hosts[3].name = Clean::default();
        hosts[4].name = Clean::line("ip-10-2-81-73.us-east-2.compute.internal");
    });
    insta::assert_snapshot!(case.told(&subject()));
    let plan = case.plan();
    assert_eq!(plan.warnings.len(), 1);
    assert!(
        plan.warnings[0]
            .as_str()
            .starts_with("us-east-1 ubuntu hosts: 4 of 12 hosts are offline: web-3"),
        "{}",
        plan.warnings[0]
    );
    bend(&mut case, &ubuntu(), |hosts| {
        for host in hosts {
            host.ping = Ping::Inactive;
        }
    });
    let first = |case: &Case| case.told(&subject()).lines().next().map(str::to_owned);
    let all = "warned: all 12 hosts are offline: web-1, web-2, web-3 and 9 more";
    assert_eq!(first(&case).as_deref(), Some(all));
    bend(&mut case, &ubuntu(), |hosts| {
        hosts.truncate(1);
        hosts[0].ping = Ping::Other(Clean::line("Sleeping"));
    });
    assert_eq!(
        first(&case).as_deref(),
        Some("warned: the only host is not online: web-1")
    );
}

#[test]
fn a_host_in_two_rollouts_is_named_once_both_are_known() {
    let mut case = Case::new();
    let both = Subject::Hosts(east(), linux());
    bend(&mut case, &linux(), |hosts| {
        hosts.extend(fixture::hosts("web", 2));
        hosts.sort_by(|one, two| one.id.cmp(&two.id));
    });
    insta::assert_snapshot!(case.told(&both));
    let first = case
        .region(&east())
        .hosts
        .remove(&ubuntu())
        .expect("the fixture has it");
    assert_eq!(case.state(&both), CheckState::Pending);
    let failed = Problem::new(Kind::Credentials, "not allowed", "");
    case.region(&east()).hosts.insert(ubuntu(), Err(failed));
    assert!(case.told(&both).starts_with("passed"));
    case.region(&east()).hosts.insert(ubuntu(), first);
}

#[test]
fn a_host_that_the_document_is_not_for_is_named() {
    let mut case = Case::new();
    bend(&mut case, &ubuntu(), |hosts| {
        hosts[4].platform = Clean::line("Microsoft Windows Server 2022 Datacenter");
        hosts[5].platform = Clean::default();
    });
    let told = case.told(&subject());
    assert!(
        told.starts_with("warned: 1 host can't run a document for Linux: web-5\n"),
        "{told}"
    );
}

#[test]
fn an_instance_id_that_ssm_does_not_manage_is_named() {
    let mut case = Case::new();
    let rollout = &mut case.config.lanes[0].rollouts[0];
    rollout.targets.truncate(1);
    rollout.targets[0].key = Clean::line("InstanceIds");
    rollout.targets[0].values = vec![fixture::template("i-web0001"), fixture::template("i-0dead")];
    bend(&mut case, &ubuntu(), |hosts| hosts.truncate(1));
    let told = case.told(&subject());
    assert!(
        told.starts_with("warned: 1 instance id not managed by SSM: i-0dead\n"),
        "{told}"
    );
}

#[test]
fn the_ledger_is_sorted_by_id_and_names_a_host_once() {
    let mut findings = Findings::default();
    let mut hosts = fixture::hosts("web", 3);
    hosts.reverse();
    hosts.extend(fixture::hosts("web", 1));
    findings.add(Finding::Hosts(east(), ubuntu(), Ok(hosts)));
    assert_eq!(findings.regions[&east()].hosts[&ubuntu()], Ok(fixture::hosts("web", 3)));
}
