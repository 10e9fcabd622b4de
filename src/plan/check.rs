//! One line of the preflight: what is being looked at, and what came of it.

use crate::names::{Region, RolloutName};
use crate::problem::Problem;
use crate::text::Clean;

/// A check goes from pending to its result by itself and never back, except when preflight is run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is looked at.
    pub subject: Subject,
    /// What came of it.
    pub state: CheckState,
}

/// What a check looks at, in the order of the plan's screen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The commit: subject, author, age, branch, dirty or not, pushed or not.
    Commit,
    /// The Dockerfile in the source.
    Dockerfile,
    /// The Docker Engine: host, version, builder.
    Engine,
    /// The journal here, and who drives a deployment with it.
    Journal,
    /// A region's account and ARN.
    Account(Region),
    /// A region's ECR repository and its mutability.
    Repository(Region),
    /// Whether the SHA tag is there already.
    Image(Region),
    /// What the moving tag points to, and the commits since.
    Current(Region),
    /// What other deployments send to a region's hosts right now.
    UnderWay(Region),
    /// A rollout's document, its version and whether it takes the parameters.
    Document(Region, RolloutName),
    /// A rollout's hosts.
    Hosts(Region, RolloutName),
}

impl Subject {
    /// The region that it belongs to.
    pub fn region(&self) -> Option<&Region> {
        match self {
            Self::Commit | Self::Dockerfile | Self::Engine | Self::Journal => None,
            Self::Account(region)
            | Self::Repository(region)
            | Self::Image(region)
            | Self::Current(region)
            | Self::UnderWay(region)
            | Self::Document(region, _)
            | Self::Hosts(region, _) => Some(region),
        }
    }

    /// The words at the start of its line, without the region.
    pub fn title(&self) -> String {
        match self {
            Self::Commit => "commit".to_owned(),
            Self::Dockerfile => "Dockerfile".to_owned(),
            Self::Engine => "Docker Engine".to_owned(),
            Self::Journal => "journal".to_owned(),
            Self::Account(_) => "account".to_owned(),
            Self::Repository(_) => "repository".to_owned(),
            Self::Image(_) => "image".to_owned(),
            Self::Current(_) => "running now".to_owned(),
            Self::UnderWay(_) => "under way".to_owned(),
            Self::Document(_, rollout) => format!("{rollout} document"),
            Self::Hosts(_, rollout) => format!("{rollout} hosts"),
        }
    }
}

impl CheckState {
    /// Whether it says this warning of a plan, which names its place where the check has it beside it.
    pub fn says(&self, warning: &Clean) -> bool {
        match self {
            Self::Warned(text) => {
                let mut lines = text.as_str().lines();
                lines.any(|line| !line.is_empty() && warning.as_str().ends_with(line))
            }
            Self::Pending | Self::Passed(_) | Self::Failed(_) => false,
        }
    }
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckState {
    /// Not known yet.
    Pending,
    /// Fine.
    Passed(Clean),
    /// Possible, and the operator should know before the start. The lines after the first are details.
    Warned(Clean),
    /// The plan cannot start.
    Failed(Problem),
}
