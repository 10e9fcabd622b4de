//! The connections of a deployment: the repository, the Docker Engine, and AWS in every region.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::try_join_all;

use crate::aws::{self, Realm};
use crate::config::{AwsConfig, BuilderChoice, Config, Endpoints};
use crate::docker::{Address, Engine};
use crate::engine::ports::{Context, ContextSpec, Git, RegionPorts};
use crate::engine::{Connect, Outside};
use crate::names::{CommitId, Region};
use crate::plan::{Commit, Source};
use crate::problem::Problem;
use crate::source::Repository;
use crate::text::Clean;

/// Where the connections lead.
#[derive(Debug, Clone)]
pub(super) struct Ways {
    /// A folder within the repository.
    pub folder: PathBuf,
    /// The Docker Engine's address.
    pub docker: Address,
    /// The address of the rehearsal that every request to AWS goes to, if it is one.
    pub rehearsal: Option<String>,
}

/// How each region is reached.
pub(super) type Accounts = BTreeMap<Region, AwsConfig>;

/// Connects everything that the configuration names. Nothing here makes a request: what is wrong shows in the checks.
pub(super) fn connect(config: &Config, ways: &Ways) -> Connect {
    connect_to(accounts(config), config.builder, ways)
}

/// The configuration's regions.
pub(super) fn accounts(config: &Config) -> Accounts {
    let lanes = config.lanes.iter();
    lanes.map(|lane| (lane.region.clone(), lane.aws.clone())).collect()
}

/// [`connect`] without a configuration.
pub(super) fn connect_to(accounts: Accounts, builder: BuilderChoice, ways: &Ways) -> Connect {
    let (accounts, ways) = (Arc::new(accounts), ways.clone());
    Arc::new(move || {
        let (accounts, ways) = (Arc::clone(&accounts), ways.clone());
        Box::pin(async move { outside(&accounts, builder, &ways).await })
    })
}

/// Connects once.
///
/// # Errors
/// Credentials or certificates cannot be read.
pub(super) async fn outside(accounts: &Accounts, builder: BuilderChoice, ways: &Ways) -> Result<Outside, Problem> {
    let git: Arc<dyn Git> = match Repository::open(&ways.folder).await {
        Ok(repository) => Arc::new(repository),
        Err(problem) => Arc::new(NoRepository(problem)),
    };
    Ok(Outside {
        git,
        docker: Engine::open(&ways.docker, builder),
        regions: regions(accounts, ways).await?,
    })
}

/// The clients of each region. In a rehearsal they lead to its stand-ins and nowhere else, whatever the file says.
pub(super) async fn regions(accounts: &Accounts, ways: &Ways) -> Result<BTreeMap<Region, RegionPorts>, Problem> {
    let connections = accounts.iter().map(async |(region, account)| {
        let ports = match &ways.rehearsal {
            Some(api) => aws::connect(&rehearsed(api), region, Realm::Rehearsal).await?,
            None => aws::connect(account, region, Realm::Aws).await?,
        };
        Ok::<_, Problem>((region.clone(), ports))
    });
    Ok(try_join_all(connections).await?.into_iter().collect())
}

fn rehearsed(api: &str) -> AwsConfig {
    AwsConfig {
        profile: None,
        role: None,
        endpoints: Endpoints {
            ssm: Some(api.to_owned()),
            ecr: Some(api.to_owned()),
            sts: Some(api.to_owned()),
        },
    }
}

/// A folder without a repository. Whatever is asked of it is answered by why, so that the other checks go on, and a
/// deployment that needs no further build can be taken up from anywhere.
struct NoRepository(Problem);

#[async_trait]
impl Git for NoRepository {
    async fn commit(&self, _: &str, _: Option<&str>) -> Result<Commit, Problem> {
        Err(self.0.clone())
    }

    async fn between(&self, _: &CommitId, _: &CommitId, _: usize) -> Result<Option<(Vec<Clean>, u32)>, Problem> {
        Err(self.0.clone())
    }

    async fn file(&self, _: &CommitId, _: Source, _: &str) -> Result<Option<String>, Problem> {
        Err(self.0.clone())
    }

    async fn dirty_hash(&self, _: &CommitId) -> Result<String, Problem> {
        Err(self.0.clone())
    }

    async fn context(&self, _: &ContextSpec) -> Result<Context, Problem> {
        Err(self.0.clone())
    }
}
