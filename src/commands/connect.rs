//! The connections of a deployment: the repository, the Docker Engine, and AWS in every region.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::try_join_all;

use crate::aws::{self, Realm};
use crate::config::Config;
use crate::docker::{Address, Engine};
use crate::engine::ports::{Context, ContextSpec, Git};
use crate::engine::{Connect, Outside};
use crate::names::CommitId;
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
    /// Where requests to AWS may go.
    pub realm: Realm,
}

/// Connects everything that the configuration names. Nothing here makes a request: what is wrong shows in the checks.
pub(super) fn connect(config: &Arc<Config>, ways: &Ways) -> Connect {
    let (config, ways) = (Arc::clone(config), ways.clone());
    Arc::new(move || {
        let (config, ways) = (Arc::clone(&config), ways.clone());
        Box::pin(async move { outside(&config, &ways).await })
    })
}

/// Connects once.
///
/// # Errors
/// Credentials or certificates cannot be read.
pub(super) async fn outside(config: &Config, ways: &Ways) -> Result<Outside, Problem> {
    let git: Arc<dyn Git> = match Repository::open(&ways.folder).await {
        Ok(repository) => Arc::new(repository),
        Err(problem) => Arc::new(NoRepository(problem)),
    };
    let lanes = config.lanes.iter().map(async |lane| {
        let ports = aws::connect(&lane.aws, &lane.region, ways.realm).await?;
        Ok::<_, Problem>((lane.region.clone(), ports))
    });
    Ok(Outside {
        git,
        docker: Engine::open(&ways.docker, config.builder),
        regions: try_join_all(lanes).await?.into_iter().collect(),
    })
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

    async fn has_file(&self, _: &CommitId, _: Source, _: &str) -> Result<bool, Problem> {
        Err(self.0.clone())
    }

    async fn dirty_hash(&self, _: &CommitId) -> Result<String, Problem> {
        Err(self.0.clone())
    }

    async fn context(&self, _: &ContextSpec) -> Result<Context, Problem> {
        Err(self.0.clone())
    }
}
