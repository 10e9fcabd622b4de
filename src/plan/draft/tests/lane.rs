//! A region's account, repository and images.

use super::*;

#[test]
fn a_repository_that_does_not_exist_comes_with_the_line_that_makes_it() {
    let mut case = Case::new();
    case.config.lanes[0].aws.profile = Some("qa".to_owned());
    let region = case.region(&east());
    region.repository = Some(Ok(None));
    (region.image, region.current, region.since) = (None, None, None);
    insta::assert_snapshot!(case.told(&Subject::Repository(east())));
    assert_eq!(
        case.told(&Subject::Image(east())),
        "warned: not looked at: the repository is not known"
    );
    assert_eq!(case.problems().len(), 1);
}

#[test]
fn a_tag_that_cannot_move_is_refused_unless_it_is_excepted() {
    let mut case = Case::new();
    let set = |case: &mut Case, mutability| {
        if let Some(Ok(Some(repository))) = &mut case.region(&east()).repository {
            repository.mutability = mutability;
        }
    };
    set(&mut case, Mutability::Immutable);
    insta::assert_snapshot!(case.told(&Subject::Repository(east())));
    set(&mut case, Mutability::ImmutableExcept(vec![Clean::line("v*")]));
    insta::assert_snapshot!(case.told(&Subject::Repository(east())));
    set(&mut case, Mutability::MutableExcept(vec![Clean::line("lat*")]));
    insta::assert_snapshot!(case.told(&Subject::Repository(east())));
    set(&mut case, Mutability::ImmutableExcept(vec![Clean::line("latest*")]));
    assert_eq!(
        case.told(&Subject::Repository(east())).lines().next(),
        Some("passed: sento-us-east-1-processor-ecr, immutable except latest*")
    );
    set(&mut case, Mutability::Immutable);
    for lane in &mut case.config.lanes {
        lane.tags.truncate(1);
    }
    // Nothing has to move.
    case.plan();
}

#[test]
fn an_endpoint_that_is_not_aws_is_told_except_in_a_rehearsal() {
    let mut case = Case::new();
    if let Some(Ok(caller)) = &mut case.region(&east()).caller {
        caller.endpoint = Some(Clean::line("http://127.0.0.1:4566"));
    }
    insta::assert_snapshot!(case.told(&Subject::Account(east())));
    case.rehearsal = true;
    assert!(
        case.told(&Subject::Account(east()))
            .starts_with("passed: 123456789012 as assumed-role/deployer/mara")
    );
    assert!(case.plan().rehearsal);
}

#[test]
fn two_accounts_are_told() {
    let mut case = Case::new();
    if let Some(Ok(caller)) = &mut case.region(&ohio()).caller {
        caller.account = AccountId::new("210987654321");
    }
    let warnings = case.plan().warnings;
    assert_eq!(
        warnings,
        [Clean::line(
            "the regions belong to 2 accounts: 123456789012 in us-east-1; 210987654321 in us-east-2"
        )]
    );
}

#[test]
fn a_region_without_an_account_hides_no_other_trouble() {
    let mut case = Case::new();
    let expired = Problem::new(
        Kind::Credentials,
        "the credentials for us-east-1 are expired",
        "aws sso login",
    );
    *case.region(&east()) = RegionFindings {
        caller: Some(Err(expired.clone())),
        ..RegionFindings::default()
    };
    case.region(&ohio()).hosts.insert(ubuntu(), Ok(Vec::new()));
    let kinds: Vec<Kind> = case.problems().iter().map(|problem| problem.kind).collect();
    assert_eq!(kinds, [Kind::Credentials, Kind::NoHosts]);
    for check in case.draft().checks() {
        if check.subject.region() == Some(&east()) && check.subject != Subject::Account(east()) {
            assert_eq!(tell(&check.state), "warned: not looked at: the account is not known");
        }
    }
}

#[test]
fn what_runs_now_is_compared_with_what_is_deployed() {
    let mut case = Case::new();
    let subject = Subject::Current(east());
    let compare = |case: &mut Case, ahead, behind| {
        if let Some(Ok(Some(since))) = &mut case.region(&east()).since {
            (since.ahead, since.behind) = (ahead, behind);
            since.subjects.truncate(ahead as usize);
        }
        case.told(&subject)
            .lines()
            .next()
            .map(str::to_owned)
            .unwrap_or_default()
    };
    assert_eq!(
        compare(&mut case, 9, 0),
        "passed: 9a8b7c6, pushed 1 day ago; 9 commits on top of it"
    );
    assert!(case.told(&subject).ends_with("and 7 more"));
    assert_eq!(
        compare(&mut case, 1, 4),
        "warned: 9a8b7c6, pushed 1 day ago: this drops 4 commits and adds 1 commit"
    );
    assert_eq!(
        compare(&mut case, 0, 4),
        "warned: 9a8b7c6, pushed 1 day ago: this goes back by 4 commits"
    );
    assert_eq!(
        compare(&mut case, 0, 0),
        "passed: 9a8b7c6, pushed 1 day ago: this commit already"
    );
    let broken = Problem::new(
        Kind::Config,
        "git could not list the commits: a bad object",
        "run git fsck",
    );
    case.region(&east()).since = Some(Err(broken));
    assert_eq!(
        case.plan().warnings,
        [Clean::line(
            "us-east-1 running now: sha256:aaaaaaaaaaaa, pushed 1 day ago; the commits since then can't be listed"
        )]
    );
    case.region(&east()).since = Some(Ok(None));
    assert_eq!(
        case.told(&subject),
        "passed: sha256:aaaaaaaaaaaa, pushed 1 day ago; no tag names a commit of this repository"
    );
    case.region(&east()).current = Some(Ok(None));
    assert_eq!(case.told(&subject), "passed: nothing: there is no latest yet");
    assert_eq!(case.plan().lanes[0].current, None);
}

#[test]
fn a_commit_is_found_in_the_tags_of_what_runs() {
    let mut case = Case::new();
    let running = fixture::running();
    let tags = [
        "latest",
        "v1.2",
        &format!("main-{running}"),
        &format!("{running}-dirty-0123456789ab"),
    ];
    case.region(&east()).current = Some(Ok(Some(fixture::image('a', &tags))));
    let look = Look::Since {
        region: east(),
        running: vec![running.clone(), running],
        commit: fixture::commit().id,
    };
    assert!(case.draft().looks().contains(&look), "{:#?}", case.draft().looks());
}

#[test]
fn who_drives_here_keeps_the_plan_from_starting_and_a_damaged_journal_does_not() {
    let mut case = Case::new();
    assert_eq!(
        case.told(&Subject::Journal),
        "passed: nobody else deploys sento to QA from here"
    );
    case.findings.journal = Some(Ok(vec![Clean::line("the journal is damaged")]));
    assert_eq!(case.told(&Subject::Journal), "warned: the journal is damaged");
    assert!(
        case.plan()
            .warnings
            .iter()
            .any(|warning| warning.as_str().contains("the journal is damaged"))
    );
    let locked = Problem::new(Kind::Locked, "sento is being deployed to qa already", "wait");
    case.findings.journal = Some(Err(locked.clone()));
    let plan = case
        .draft()
        .plan(DeploymentId::from_u128(7))
        .expect("nothing is pending");
    assert_eq!(plan, Err(vec![locked]));
}

#[test]
fn another_deployment_of_the_same_document_is_named_and_a_strangers_is_not() {
    let mut case = Case::new();
    let subject = Subject::UnderWay(east());
    assert_eq!(
        case.told(&subject),
        "passed: no other deployment runs these documents here"
    );
    let command = |document: &str| UnderWay {
        command: CommandId::new("0f7c2a54"),
        deployment: DeploymentId::from_u128(0xa1b2_c3d4),
        rollout: fixture::ubuntu(),
        document: Clean::line(document),
    };
    case.region(&east()).under_way = Some(Ok(vec![command("another-document")]));
    assert_eq!(
        case.told(&subject),
        "passed: no other deployment runs these documents here"
    );
    case.region(&east()).under_way = Some(Ok(vec![command("us-east-1-pull-image-document")]));
    assert_eq!(
        case.told(&subject),
        "warned: deployment a1b2c3d4 is rolling out ubuntu here now, command 0f7c2a54\n\
         1 command of another deployment: hosts may get both images in turn"
    );
}
