//! What preflight asks, and what it was told.

use std::collections::BTreeMap;

use crate::names::{CommitId, Region, RolloutName};
use crate::plan::found::{Caller, Dockerfile, Document, FoundImage, UnderWay};
use crate::plan::{Commit, EngineInfo, ExpectedHost, Repository, Target};
use crate::problem::Problem;
use crate::text::Clean;

/// One question to the outside. None of them changes anything there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// Which commit the revision is, and how it stands to the repository around it.
    Commit,
    /// What the working directory adds to the commit, as a digest; an error when it stands at another commit.
    Changes(CommitId),
    /// Whether the source has this file.
    File(CommitId, String),
    /// Which Docker Engine it is.
    Engine,
    /// What is in the way here: who drives, and how the journal is.
    Journal,
    /// Who we are in a region.
    Account(Region),
    /// A region's repository, by its name.
    Repository(Region, String),
    /// The image that the SHA tag names.
    Image {
        /// Where.
        region: Region,
        /// The repository's name.
        repository: String,
        /// The tag.
        tag: String,
    },
    /// The image that the first moving tag names.
    Current {
        /// Where.
        region: Region,
        /// The repository's name.
        repository: String,
        /// The tag.
        tag: String,
    },
    /// The commits between what runs and what is deployed.
    Since {
        /// Where.
        region: Region,
        /// The commits that the running image's tags name; this repository may have none of them.
        running: Vec<CommitId>,
        /// The commit that is deployed.
        commit: CommitId,
    },
    /// What other deployments send to the region's hosts.
    UnderWay(Region),
    /// A rollout's document.
    Document {
        /// Where.
        region: Region,
        /// Whose.
        rollout: RolloutName,
        /// Its name or ARN.
        name: String,
        /// `$LATEST`, `$DEFAULT` or a number.
        version: String,
    },
    /// A rollout's hosts.
    Hosts {
        /// Where.
        region: Region,
        /// Whose.
        rollout: RolloutName,
        /// What selects them.
        targets: Vec<Target>,
    },
}

/// The answer to a [`Look`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// To [`Look::Commit`].
    Commit(Result<Commit, Problem>),
    /// To [`Look::Changes`].
    Changes(Result<String, Problem>),
    /// To [`Look::File`]; `None` when there is none.
    File(String, Result<Option<Dockerfile>, Problem>),
    /// To [`Look::Engine`].
    Engine(Result<EngineInfo, Problem>),
    /// To [`Look::Journal`]; a line for each thing to know.
    Journal(Result<Vec<Clean>, Problem>),
    /// To [`Look::Account`].
    Account(Region, Result<Caller, Problem>),
    /// To [`Look::Repository`]; `None` when there is none.
    Repository(Region, Result<Option<Repository>, Problem>),
    /// To [`Look::Image`]; `None` when there is none.
    Image(Region, Result<Option<FoundImage>, Problem>),
    /// To [`Look::Current`]; `None` when there is none.
    Current(Region, Result<Option<FoundImage>, Problem>),
    /// To [`Look::Since`]; `None` when this repository has none of the commits.
    Since(Region, Result<Option<Since>, Problem>),
    /// To [`Look::UnderWay`].
    UnderWay(Region, Result<Vec<UnderWay>, Problem>),
    /// To [`Look::Document`]; `None` when the region does not have it.
    Document(Region, RolloutName, Result<Option<Document>, Problem>),
    /// To [`Look::Hosts`].
    Hosts(Region, RolloutName, Result<Vec<ExpectedHost>, Problem>),
}

/// How the deployed commit stands to the one that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// The commit that runs.
    pub running: CommitId,
    /// The subjects of the commits that come on top, newest first, at most a few.
    pub subjects: Vec<Clean>,
    /// How many come on top.
    pub ahead: u32,
    /// How many that run now the deployed commit does not have.
    pub behind: u32,
}

/// Nothing yet, or an answer.
pub type Found<T> = Option<Result<T, Problem>>;

/// Everything that was found so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// The commit.
    pub commit: Found<Commit>,
    /// The digest of the working directory's changes.
    pub changes: Found<String>,
    /// Dockerfiles by their path from the repository's root.
    pub files: BTreeMap<String, Result<Option<Dockerfile>, Problem>>,
    /// The Docker Engine.
    pub engine: Found<EngineInfo>,
    /// What is in the way here.
    pub journal: Found<Vec<Clean>>,
    /// Region by region.
    pub regions: BTreeMap<Region, RegionFindings>,
}

/// What was found in one region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegionFindings {
    /// Who we are.
    pub caller: Found<Caller>,
    /// The repository.
    pub repository: Found<Option<Repository>>,
    /// The image that the SHA tag names.
    pub image: Found<Option<FoundImage>>,
    /// The image that the first moving tag names.
    pub current: Found<Option<FoundImage>>,
    /// How the deployed commit stands to that image's.
    pub since: Found<Option<Since>>,
    /// What other deployments send to its hosts.
    pub under_way: Found<Vec<UnderWay>>,
    /// Documents by rollout.
    pub documents: BTreeMap<RolloutName, Result<Option<Document>, Problem>>,
    /// Hosts by rollout, sorted by id.
    pub hosts: BTreeMap<RolloutName, Result<Vec<ExpectedHost>, Problem>>,
}

impl Findings {
    /// Takes an answer in. A later answer to the same question replaces the earlier one.
    pub fn add(&mut self, finding: Finding) {
        match finding {
            Finding::Commit(found) => self.commit = Some(found),
            Finding::Changes(found) => self.changes = Some(found),
            Finding::File(path, found) => {
                self.files.insert(path, found);
            }
            Finding::Engine(found) => self.engine = Some(found),
            Finding::Journal(found) => self.journal = Some(found),
            Finding::Account(region, found) => self.of(region).caller = Some(found),
            Finding::Repository(region, found) => self.of(region).repository = Some(found),
            Finding::Image(region, found) => self.of(region).image = Some(found),
            Finding::Current(region, found) => self.of(region).current = Some(found),
            Finding::Since(region, found) => self.of(region).since = Some(found),
            Finding::UnderWay(region, found) => self.of(region).under_way = Some(found),
            Finding::Document(region, rollout, found) => {
                self.of(region).documents.insert(rollout, found);
            }
            Finding::Hosts(region, rollout, found) => {
                let sorted = found.map(|mut hosts| {
                    hosts.sort_by(|one, two| one.id.cmp(&two.id));
                    hosts.dedup_by(|one, two| one.id == two.id);
                    hosts
                });
                self.of(region).hosts.insert(rollout, sorted);
            }
        }
    }

    fn of(&mut self, region: Region) -> &mut RegionFindings {
        self.regions.entry(region).or_default()
    }
}
