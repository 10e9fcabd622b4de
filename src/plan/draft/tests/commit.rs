//! The commit, the Dockerfile and the Docker Engine.

use super::*;
use crate::plan::found::Dockerfile;

fn dirty(case: &mut Case) {
    let commit = case.commit();
    commit.dirty = vec![Clean::line("src/queue.py"), Clean::line("Dockerfile")];
    commit.dirty_count = 5;
}

#[test]
fn a_changed_working_directory_is_refused_and_the_files_are_named() {
    let mut case = Case::new();
    dirty(&mut case);
    insta::assert_snapshot!(case.told(&Subject::Commit));
    assert_eq!(case.problems()[0].kind, Kind::Guard);
    case.guards.allow_dirty = true;
    insta::assert_snapshot!(case.told(&Subject::Commit));
    assert_eq!(case.plan().lanes[0].sha_tag.as_str(), fixture::commit().id.as_str());
}

#[test]
fn a_working_directory_that_is_the_source_marks_the_tag() {
    let mut case = Case::new();
    dirty(&mut case);
    case.config.source = Source::Worktree;
    assert_eq!(case.state(&Subject::Commit), CheckState::Pending);
    assert!(case.draft().looks().contains(&Look::Changes(fixture::commit().id)));
    case.findings.changes = Some(Ok("0123456789ab".to_owned()));
    insta::assert_snapshot!(case.told(&Subject::Commit));
    assert_eq!(
        case.plan().lanes[0].sha_tag.as_str(),
        format!("{}-dirty-0123456789ab", fixture::commit().id)
    );
}

#[test]
fn a_commit_that_is_elsewhere_is_refused_with_every_reason() {
    let mut case = Case::new();
    case.commit().on_branch = Some(false);
    case.commit().pushed = Some(false);
    insta::assert_snapshot!(case.told(&Subject::Commit));
    assert_eq!(case.problems()[0].kind, Kind::Guard);
    case.guards.allow_unpushed = true;
    insta::assert_snapshot!(case.told(&Subject::Commit));
    assert_eq!(
        case.plan().warnings,
        [
            Clean::line("commit: 4f1c2ab is not on branch main"),
            Clean::line("commit: 4f1c2ab is not pushed: no remote has it"),
        ]
    );
}

#[test]
fn a_branch_that_the_repository_does_not_have_is_no_proof() {
    let mut case = Case::new();
    case.commit().on_branch = None;
    let told = case.told(&Subject::Commit);
    assert!(
        told.starts_with("failed (Guard)") && told.contains("git fetch origin main"),
        "{told}"
    );
    case.config.branch = None;
    assert!(case.told(&Subject::Commit).starts_with("passed"));
}

#[test]
fn a_repository_without_remotes_is_told_and_refused_nothing() {
    let mut case = Case::new();
    case.commit().pushed = None;
    assert!(case.told(&Subject::Commit).contains("no remote"));
    case.plan();
}

#[test]
fn a_missing_dockerfile_is_named_with_its_place() {
    let mut case = Case::new();
    for lane in &mut case.config.lanes {
        lane.build.context = "app/".to_owned();
    }
    assert!(
        case.draft()
            .looks()
            .iter()
            .any(|look| matches!(look, Look::File(_, path) if path == "app/Dockerfile"))
    );
    case.findings.files = [("app/Dockerfile".to_owned(), Ok(None))].into();
    let told = case.told(&Subject::Dockerfile);
    assert!(
        told.contains("there is no `app/Dockerfile` in commit 4f1c2ab"),
        "{told}"
    );
}

#[test]
fn a_dockerfile_that_asks_for_a_secret_mount_is_refused_with_its_line() {
    let mut case = Case::new();
    let dockerfile = Dockerfile::read("FROM scratch\nRUN --mount=type=secret,id=npm npm ci");
    case.findings.files = [("Dockerfile".to_owned(), Ok(Some(dockerfile)))].into();
    let told = case.told(&Subject::Dockerfile);
    assert!(
        told.starts_with("failed (Build): `Dockerfile` line 2 asks for a secret mount"),
        "{told}"
    );
}

#[test]
fn an_engine_that_nobody_needs_stops_nobody() {
    let mut case = Case::new();
    let gone = Problem::new(Kind::Build, "the Docker socket is not there", "start Docker");
    case.findings.engine = Some(Err(gone.clone()));
    assert_eq!(case.problems(), [gone]);
    case.region(&east()).image = None;
    case.region(&ohio()).image = Some(Ok(Some(fixture::image('b', &[]))));
    assert_eq!(case.told(&Subject::Engine), "pending");
    for region in [east(), ohio()] {
        case.region(&region).image = Some(Ok(Some(fixture::image('b', &[]))));
    }
    let told = case.told(&Subject::Engine);
    assert!(
        told.starts_with("warned: not needed: every region has the image\nthe Docker socket"),
        "{told}"
    );
    assert_eq!(case.plan().engine, None);
}

#[test]
fn without_a_commit_the_rest_is_looked_at_as_far_as_it_can() {
    let mut case = Case::new();
    let unknown = Problem::new(
        Kind::Config,
        "there is no revision `mian`",
        "name a branch, a tag or a commit",
    );
    case.findings.commit = Some(Err(unknown.clone()));
    case.findings.files.clear();
    case.region(&east()).image = None;
    case.region(&ohio()).image = None;
    assert_eq!(
        case.told(&Subject::Image(east())),
        "warned: not looked at: the commit is not known"
    );
    assert_eq!(
        case.told(&Subject::Dockerfile),
        "warned: not looked at: the commit is not known"
    );
    assert!(case.told(&Subject::Hosts(east(), ubuntu())).starts_with("passed"));
    assert_eq!(case.problems(), [unknown]);
}

#[test]
fn an_image_for_another_platform_is_told() {
    let mut case = Case::new();
    if let Some(Ok(engine)) = &mut case.findings.engine {
        engine.platform = Clean::line("linux/aarch64");
    }
    insta::assert_snapshot!(case.told(&Subject::Engine));
    for lane in &mut case.config.lanes {
        lane.build.platform = Some("linux/arm64/v8".to_owned());
    }
    assert!(
        case.told(&Subject::Engine).starts_with("passed"),
        "{}",
        case.told(&Subject::Engine)
    );
    case.config.lanes[0].build.platform = Some("linux/amd64".to_owned());
    assert!(
        case.told(&Subject::Engine)
            .starts_with("warned: builds linux/amd64 under emulation: the engine is linux/arm64"),
        "{}",
        case.told(&Subject::Engine)
    );
}

#[test]
fn a_clean_working_directory_that_is_the_source_must_be_at_the_commit() {
    let mut case = Case::new();
    case.config.source = Source::Worktree;
    assert_eq!(case.state(&Subject::Commit), CheckState::Pending);
    case.findings.changes = Some(Ok("0123456789ab".to_owned()));
    // Nothing differs, so nothing marks the tag.
    assert_eq!(case.plan().lanes[0].sha_tag.as_str(), fixture::commit().id.as_str());
    let elsewhere = Problem::new(
        Kind::Config,
        "the working directory is at another commit",
        "check it out",
    );
    case.findings.changes = Some(Err(elsewhere.clone()));
    case.region(&east()).image = None;
    case.region(&ohio()).image = None;
    assert_eq!(case.problems(), [elsewhere]);
}
