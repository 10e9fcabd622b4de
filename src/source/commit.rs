//! What git knows about a commit.

use super::cli::{self, Cli};
use crate::names::{CommitId, Millis};
use crate::plan::Commit;
use crate::problem::{Kind, Problem};
use crate::text::Clean;

/// Paths of a dirty tree that are named; the others are counted.
const DIRTY_NAMED: usize = 8;

/// Bytes of a subject, or of an author's name, that are kept; git sets no limit to either.
const SUBJECT_MAX: usize = 1000;
/// Bytes of subjects that are read of git.
const SAID_MAX: usize = 64 * 1024;

/// Resolves `revision` and says how the commit stands to `branch`, to the remotes and to the working directory.
pub(super) async fn commit(git: &Cli, revision: &str, branch: Option<&str>) -> Result<Commit, Problem> {
    let id = resolve(git, revision).await?;
    let sha = id.as_str();
    let doing = format!("read commit {}", id.short());
    let shown = [
        "show",
        "--no-patch",
        "--no-show-signature",
        "--no-notes",
        "--encoding=UTF-8",
        "--format=%at%n%an%n%s",
        "--end-of-options",
        sha,
    ];
    let shown = git.start_of(&doing, shown, SAID_MAX).await?;
    let shown = String::from_utf8_lossy(&shown);
    let mut lines = shown.trim_end().splitn(3, '\n');
    let seconds = lines.next().and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    let author = Clean::line_within(lines.next().unwrap_or_default(), SUBJECT_MAX);
    let subject = Clean::line_within(lines.next().unwrap_or_default(), SUBJECT_MAX);
    let dirty = changed(git).await?;
    Ok(Commit {
        subject,
        author,
        authored_at: Millis(seconds.saturating_mul(1000)),
        branch: through(git, revision).await?,
        on_branch: match branch {
            Some(branch) => on_branch(git, sha, branch).await?,
            None => None,
        },
        dirty_count: u32::try_from(dirty.len()).unwrap_or(u32::MAX),
        dirty: dirty
            .iter()
            .take(DIRTY_NAMED)
            .map(|path| Clean::line(&String::from_utf8_lossy(path)))
            .collect(),
        pushed: pushed(git, sha).await?,
        id,
    })
}

/// The commit that `revision` names.
pub(super) async fn resolve(git: &Cli, revision: &str) -> Result<CommitId, Problem> {
    let peeled = format!("{revision}^{{commit}}");
    let answer = git.ask(["rev-parse", "--verify", "--end-of-options", &peeled]).await?;
    if answer.status.success() {
        return Ok(CommitId::new(String::from_utf8_lossy(&answer.stdout).trim()));
    }
    let said = cli::said(&answer.stderr);
    if said.contains("is ambiguous") {
        return Err(Problem::new(
            Kind::Config,
            format!("more than one commit begins with `{revision}`"),
            "write more of its digits",
        ));
    }
    Err(unknown(git, revision).await?)
}

/// No commit has that name; what may have been meant, and where it may be.
async fn unknown(git: &Cli, revision: &str) -> Result<Problem, Problem> {
    let refs = [
        "for-each-ref",
        "--format=%(refname:lstrip=2)",
        "refs/heads",
        "refs/tags",
        "refs/remotes",
    ];
    let refs = git.text("list branches and tags", refs).await?;
    let shallow = git
        .text("look at the clone", ["rev-parse", "--is-shallow-repository"])
        .await?
        == "true";
    let mut remedies = Vec::new();
    if let Some(near) = nearest(revision, &refs) {
        remedies.push(format!("did you mean {near}?"));
    }
    match (shallow, git.text("list the remotes", ["remote"]).await?.is_empty()) {
        (true, _) => remedies.push("this clone is shallow: git fetch --unshallow brings the rest".to_owned()),
        (false, false) => remedies.push("if a remote has it, git fetch brings it here".to_owned()),
        (false, true) if remedies.is_empty() => {
            remedies.push("git branch, git tag and git log show what there is".to_owned());
        }
        (false, true) => {}
    }
    let what = format!("the repository has no commit `{revision}`");
    Ok(Problem::new(Kind::Config, what, remedies.join("; ")))
}

/// The branch or tag that is one slip of the finger in three letters away.
fn nearest<'a>(revision: &str, refs: &'a str) -> Option<&'a str> {
    let allowed = revision.chars().count().max(3) / 3;
    refs.lines()
        .map(|name| (strsim::damerau_levenshtein(revision, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The branch that `revision` is, or that HEAD is on when `revision` is HEAD.
async fn through(git: &Cli, revision: &str) -> Result<Option<Clean>, Problem> {
    let args = [
        "rev-parse",
        "--symbolic-full-name",
        "--verify",
        "--quiet",
        "--end-of-options",
        revision,
    ];
    let full = git.ask(args).await?;
    let full = String::from_utf8_lossy(&full.stdout).trim().to_owned();
    let short = full
        .strip_prefix("refs/heads/")
        .or_else(|| full.strip_prefix("refs/remotes/"));
    Ok(short.map(Clean::line))
}

/// Whether the branch, here or as a remote had it when last fetched, contains the commit; `None` when there is no such branch.
async fn on_branch(git: &Cli, sha: &str, branch: &str) -> Result<Option<bool>, Problem> {
    let local = format!("refs/heads/{branch}");
    let remote = format!("/{branch}");
    let doing = format!("look for the branch {branch}");
    let is_it = |name: &str| {
        name == local
            || name
                .strip_prefix("refs/remotes/")
                .is_some_and(|rest| rest.ends_with(&remote))
    };
    let refs = git
        .text(
            &doing,
            ["for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes"],
        )
        .await?;
    let candidates: Vec<&str> = refs.lines().filter(|name| is_it(name)).collect();
    if candidates.is_empty() {
        return Ok(None);
    }
    Ok(Some(!containing(git, sha, &candidates).await?.is_empty()))
}

/// Whether a remote-tracking branch contains the commit; `None` without a remote.
async fn pushed(git: &Cli, sha: &str) -> Result<Option<bool>, Problem> {
    if git.text("list the remotes", ["remote"]).await?.is_empty() {
        return Ok(None);
    }
    Ok(Some(!containing(git, sha, &["refs/remotes"]).await?.is_empty()))
}

async fn containing(git: &Cli, sha: &str, among: &[&str]) -> Result<String, Problem> {
    let contains = format!("--contains={sha}");
    let args = ["for-each-ref", "--format=%(refname)", &contains]
        .into_iter()
        .chain(among.iter().copied());
    git.text("look for branches with the commit", args).await
}

/// The paths of the working directory that are not as committed, untracked files one by one, in git's order.
pub(super) async fn changed(git: &Cli) -> Result<Vec<Vec<u8>>, Problem> {
    let args = [
        "status",
        "--porcelain=v2",
        "-z",
        "--untracked-files=all",
        "--no-renames",
    ];
    let records = git.items("compare the working directory with the commit", args).await?;
    Ok(records
        .iter()
        .filter_map(|record| changed_path(record))
        .map(<[u8]>::to_vec)
        .collect())
}

/// The path of a porcelain v2 record, which follows a number of fields that depends on the record's kind.
fn changed_path(record: &[u8]) -> Option<&[u8]> {
    let fields = match record.first()? {
        b'1' => 8,
        b'u' => 10,
        b'?' => 1,
        _ => return None,
    };
    record.splitn(fields + 1, |byte| *byte == b' ').nth(fields)
}

/// The subjects of `old..new`, newest first, and how many there are; `None` when `old` is not here.
pub(super) async fn between(
    git: &Cli,
    old: &CommitId,
    new: &CommitId,
    limit: usize,
) -> Result<Option<(Vec<Clean>, u32)>, Problem> {
    // An image's tag may look like anything; only an id can be a commit.
    if !is_id(old.as_str()) || !has(git, old.as_str()).await? {
        return Ok(None);
    }
    let range = format!("{old}..{new}");
    let doing = format!("list the commits from {} to {}", old.short(), new.short());
    let count = git
        .text(&doing, ["rev-list", "--count", "--end-of-options", &range])
        .await?;
    let max = format!("--max-count={limit}");
    let log = [
        "log",
        "-z",
        "--no-show-signature",
        "--no-notes",
        "--encoding=UTF-8",
        "--format=%s",
        &max,
    ];
    let log = log.into_iter().chain(["--end-of-options", &range]);
    // A commit without a message is an empty item, which is why the items are not read with `items`.
    let log = git.start_of(&doing, log, SAID_MAX).await?;
    let subjects = log.split(|byte| *byte == 0).take(limit);
    let subjects = subjects.map(|subject| Clean::line_within(&String::from_utf8_lossy(subject), SUBJECT_MAX));
    let count: u32 = count.parse().unwrap_or(u32::MAX);
    Ok(Some((subjects.take(count as usize).collect(), count)))
}

/// Whether the text can be a commit's id, shortened or not.
fn is_id(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

async fn has(git: &Cli, sha: &str) -> Result<bool, Problem> {
    let object = format!("{sha}^{{commit}}");
    Ok(git.ask(["cat-file", "-e", &object]).await?.status.success())
}
