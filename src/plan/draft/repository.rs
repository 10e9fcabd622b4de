//! The ECR repository, and whether tags can move in it.

use super::{Draft, Names, Said, passed, settle};
use crate::config::LaneConfig;
use crate::plan::{Mutability, Repository};
use crate::problem::{Kind, Problem};
use crate::text::Clean;

/// ECR takes at most so many exclusion filters.
const FILTERS_MAX: usize = 5;

impl Draft<'_> {
    pub(super) fn repository_check(&self, lane: &LaneConfig, names: Option<&Names<'_>>) -> Said {
        let found = self.region(lane).and_then(|found| found.repository.as_ref());
        settle(found, self.missing(lane, []), |repository| match (repository, names) {
            (None, _) => Said::Failed(absent(lane, names)),
            (Some(repository), None) => passed(said(repository)),
            (Some(repository), Some(names)) => {
                let moving = lane.tags.iter().skip(1).filter_map(|tag| names.fill(tag));
                let stuck: Vec<String> = moving.filter(|tag| !repository.mutability.lets_move(tag)).collect();
                if stuck.is_empty() {
                    passed(said(repository))
                } else {
                    Said::Failed(immovable(lane, repository, &stuck))
                }
            }
        })
    }
}

fn said(repository: &Repository) -> String {
    format!(
        "{}, {}\n{}",
        repository.name,
        word(&repository.mutability),
        repository.uri
    )
}

fn word(mutability: &Mutability) -> String {
    match mutability {
        Mutability::Mutable => "mutable".to_owned(),
        Mutability::Immutable => "immutable".to_owned(),
        Mutability::ImmutableExcept(filters) => format!("immutable except {}", list(filters)),
        Mutability::MutableExcept(filters) => format!("mutable except {}", list(filters)),
    }
}

fn list(filters: &[Clean]) -> String {
    let filters: Vec<&str> = filters.iter().map(Clean::as_str).collect();
    filters.join(", ")
}

fn absent(lane: &LaneConfig, names: Option<&Names<'_>>) -> Problem {
    let name = names.map_or_else(
        || lane.repository.to_string(),
        |names| lane.repository.render(&names.vars),
    );
    let account = names.map_or_else(String::new, |names| format!(" of account {}", names.vars.account));
    Problem::new(
        Kind::Config,
        format!("the ECR repository {name} does not exist in {}{account}", lane.region),
        format!(
            "aws ecr create-repository --repository-name {name} --region {}{}",
            lane.region,
            profile(lane)
        ),
    )
}

fn immovable(lane: &LaneConfig, repository: &Repository, stuck: &[String]) -> Problem {
    let tags = stuck
        .iter()
        .map(|tag| format!("`{tag}`"))
        .collect::<Vec<_>>()
        .join(", ");
    let what = format!(
        "{tags} cannot move: {} is {}",
        repository.name,
        word(&repository.mutability)
    );
    let command = |setting: &str, filters: &[&str]| {
        let filters: Vec<String> = filters
            .iter()
            .map(|filter| format!("'filterType=WILDCARD,filter={filter}'"))
            .collect();
        let option = if filters.is_empty() {
            String::new()
        } else {
            format!(" --image-tag-mutability-exclusion-filters {}", filters.join(" "))
        };
        format!(
            "aws ecr put-image-tag-mutability --repository-name {} --region {}{} --image-tag-mutability {setting}{option}",
            repository.name,
            lane.region,
            profile(lane)
        )
    };
    let stuck = stuck.iter().map(String::as_str);
    let remedy = match &repository.mutability {
        Mutability::Mutable | Mutability::Immutable => {
            let filters: Vec<&str> = stuck.collect();
            Some(command("IMMUTABLE_WITH_EXCLUSION", &filters))
        }
        Mutability::ImmutableExcept(filters) => {
            let filters: Vec<&str> = filters.iter().map(Clean::as_str).chain(stuck).collect();
            (filters.len() <= FILTERS_MAX).then(|| command("IMMUTABLE_WITH_EXCLUSION", &filters))
        }
        // Which of the filters may go is for its owner to say.
        Mutability::MutableExcept(_) => None,
    };
    let other = "take the tag out of image.tags in config.toml";
    let remedy = remedy.map_or_else(
        || format!("change the repository's exclusion filters, or {other}"),
        |command| format!("{command}\nor {other}"),
    );
    Problem::new(Kind::Config, what, remedy)
}

/// The option that makes the aws command line use the lane's profile.
pub(super) fn profile(lane: &LaneConfig) -> String {
    lane.aws
        .profile
        .as_ref()
        .map_or_else(String::new, |profile| format!(" --profile {profile}"))
}
