//! The commit and its guards, and the Dockerfile in the source.

use super::{Draft, NO_COMMIT, Said, is_showable, passed, settle, warned};
use crate::config::{BuildInputs, Input};
use crate::plan::{Commit, Source};
use crate::problem::{Kind, Problem};
use crate::words;

/// Changed files that are named.
const NAMED: usize = 3;

/// One thing about a commit that the operator has to allow, or at least to know.
struct Objection {
    /// Reads after the commit's id.
    what: String,
    /// What mends it.
    remedy: String,
    /// The flag that allows it; none is needed for what the configuration asks for.
    flag: Option<&'static str>,
    allowed: bool,
}

impl Draft<'_> {
    pub(super) fn commit_check(&self) -> Said {
        settle(self.findings.commit.as_ref(), None, |commit| match self.config.source {
            Source::Commit => self.judge(commit),
            Source::Worktree => settle(self.findings.changes.as_ref(), None, |_| self.judge(commit)),
        })
    }

    fn judge(&self, commit: &Commit) -> Said {
        let objections = self.objections(commit);
        let refused: Vec<&Objection> = objections.iter().filter(|objection| !objection.allowed).collect();
        let short = commit.id.short();
        if !refused.is_empty() {
            let what: Vec<String> = refused
                .iter()
                .map(|one| format!("commit {short} {}", one.what))
                .collect();
            return Said::Failed(Problem::new(Kind::Guard, what.join("\n"), remedy(&refused)));
        }
        let said = format!("{short} {}\n{}", commit.subject, self.standing(commit));
        if objections.is_empty() {
            passed(said)
        } else {
            let what = objections.iter().map(|one| format!("{short} {}", one.what));
            warned(what, said)
        }
    }

    fn objections(&self, commit: &Commit) -> Vec<Objection> {
        let mut objections = Vec::new();
        let mut object = |what: String, remedy: String, flag: Option<&'static str>, allowed: bool| {
            objections.push(Objection {
                what,
                remedy,
                flag,
                allowed,
            });
        };
        let (unpushed, dirty) = (self.guards.allow_unpushed, self.guards.allow_dirty);
        if let Some(branch) = &self.config.branch {
            match commit.on_branch {
                Some(true) => {}
                Some(false) => object(
                    format!("is not on branch {branch}"),
                    format!("merge it into {branch}"),
                    Some("--allow-unpushed"),
                    unpushed,
                ),
                None => object(
                    format!("may not be on branch {branch}: this repository does not have it"),
                    format!("run `git fetch origin {branch}`"),
                    Some("--allow-unpushed"),
                    unpushed,
                ),
            }
        }
        if commit.pushed == Some(false) {
            object(
                "is not pushed: no remote has it".to_owned(),
                "push it".to_owned(),
                Some("--allow-unpushed"),
                unpushed,
            );
        }
        if commit.dirty_count > 0 {
            let files = words::plural(commit.dirty_count as usize, "changed file");
            let names: Vec<&str> = commit.dirty.iter().map(|path| path.as_str()).collect();
            let names = words::names(&names, commit.dirty_count as usize, NAMED);
            match self.config.source {
                Source::Commit => object(
                    format!("leaves out {files}: {names}"),
                    "commit or stash the changes".to_owned(),
                    Some("--allow-dirty"),
                    dirty,
                ),
                // `source = "worktree"` asks for it.
                Source::Worktree => object(format!("goes out with {files}: {names}"), String::new(), None, true),
            }
        }
        objections
    }

    /// Author, age, branch, clean or not, pushed or not.
    fn standing(&self, commit: &Commit) -> String {
        let mut said = vec![commit.author.to_string(), words::ago(self.now, commit.authored_at)];
        said.extend(commit.branch.as_ref().map(|branch| format!("on {branch}")));
        said.push(match commit.dirty_count {
            0 => "clean".to_owned(),
            count => words::plural(count as usize, "changed file"),
        });
        let pushed = match commit.pushed {
            Some(true) => "pushed",
            Some(false) => "not pushed",
            None => "no remote",
        };
        said.push(pushed.to_owned());
        said.join(", ")
    }

    /// The Dockerfiles of all lanes, each once, by their path from the repository's root.
    pub(super) fn dockerfiles(&self) -> Vec<String> {
        let mut paths = Vec::new();
        for lane in &self.config.lanes {
            let path = path(&lane.build);
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        paths
    }

    pub(super) fn dockerfile_check(&self) -> Said {
        let missing = self
            .findings
            .commit
            .as_ref()
            .and_then(|found| found.is_err().then_some(NO_COMMIT));
        let commit = self.findings.commit.as_ref().and_then(|found| found.as_ref().ok());
        let Some(commit) = commit else {
            return settle::<()>(None, missing, |()| Said::Pending);
        };
        let paths = self.dockerfiles();
        let mut absent = Vec::new();
        let mut unmet = Vec::new();
        for path in &paths {
            match self.findings.files.get(path) {
                None => return Said::Pending,
                Some(Err(problem)) => return Said::Failed(problem.clone()),
                Some(Ok(Some(dockerfile))) => unmet.extend(dockerfile.mounts.iter().map(|mount| (path, mount))),
                Some(Ok(None)) => absent.push(format!("`{path}`")),
            }
        }
        let place = match self.config.source {
            Source::Commit => format!("commit {}", commit.id.short()),
            Source::Worktree => "the working directory".to_owned(),
        };
        if !absent.is_empty() {
            return Said::Failed(Problem::new(
                Kind::Config,
                format!("there is no {} in {place}", absent.join(" and no ")),
                "set build.context and build.dockerfile in config.toml to where the Dockerfile is",
            ));
        }
        if let Some((path, mount)) = unmet.first() {
            return Said::Failed(Problem::new(
                Kind::Build,
                format!(
                    "`{path}` line {} asks for a {} mount, which Quarterdeck does not hand to builds: it would be built without",
                    mount.line, mount.kind
                ),
                "pass the secret as a build argument from [build.args] (`secret_env`, `secret_file`), or build the image elsewhere",
            ));
        }
        self.unshowable_inputs()
            .unwrap_or_else(|| passed(format!("{} in {place}", paths.join(", "))))
    }

    /// A plain build argument that would not survive being shown.
    fn unshowable_inputs(&self) -> Option<Said> {
        let args = self.config.lanes.iter().flat_map(|lane| &lane.build.args);
        let mut unshowable = args.filter(|(_, input)| match input {
            Input::Plain(template) => !is_showable(&template.to_string()),
            Input::Secret(_) => false,
        });
        let (name, _) = unshowable.next()?;
        Some(Said::Failed(Problem::new(
            Kind::Config,
            format!("the build argument `{name}` holds control or invisible characters, which can't be shown"),
            "mark it as a secret, and it is passed on exactly as it is",
        )))
    }
}

/// Everything that mends it, and the flags that go on without.
fn remedy(refused: &[&Objection]) -> String {
    let mut flags: Vec<&str> = refused.iter().filter_map(|one| one.flag).collect();
    flags.dedup();
    let mut mend: Vec<&str> = refused.iter().map(|one| one.remedy.as_str()).collect();
    let flags = format!("or pass {}", flags.join(" "));
    mend.push(&flags);
    mend.join("; ")
}

/// The Dockerfile's path from the repository's root.
fn path(build: &BuildInputs) -> String {
    match build.context.trim_end_matches('/').trim_start_matches("./") {
        "" | "." => build.dockerfile.clone(),
        context => format!("{context}/{}", build.dockerfile),
    }
}
