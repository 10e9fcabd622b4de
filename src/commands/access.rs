//! What `attach` can reach: the regions and accounts of the configuration, or, where there is none, those of the command
//! line and the environment. Neither a repository nor a Docker Engine is needed to take up what was sent.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::connect::{Accounts, Ways, accounts, connect_to};
use super::{Failure, deploy, place, settings};
use crate::again::Again;
use crate::cli::{Global, Reach};
use crate::config::{AwsConfig, BuilderChoice, Config};
use crate::engine::Connect;
use crate::names::Region;
use crate::plan::Plan;

/// The way to the fleet.
pub(super) struct Access {
    /// The configuration, if there is one.
    pub config: Option<Arc<Config>>,
    /// Where connections lead.
    pub ways: Ways,
    /// How what is reached is taken up again.
    pub again: Again,
    profile: Option<String>,
    role: Option<String>,
    /// The regions of the command line.
    named: Vec<Region>,
    /// Whether they are all that is looked in: a command's own region is only where that is.
    narrowed: bool,
}

impl Access {
    /// Reads the configuration. It may be missing, unless another file than the usual one was named.
    pub fn of(global: &Global, reach: &Reach) -> Result<Self, Failure> {
        let usual = global.config == Path::new("config.toml");
        let config = if usual && !global.config.exists() {
            None
        } else {
            Some(Arc::new(settings::load(global)?))
        };
        Ok(Self {
            config,
            ways: deploy::ways()?,
            again: place::again(global, reach),
            profile: reach.profile.clone(),
            role: reach.role.clone(),
            narrowed: !reach.regions.is_empty() || reach.command_id.is_none() && reach.region.is_some(),
            named: reach.regions.iter().chain(&reach.region).cloned().collect(),
        })
    }

    /// Where a deployment is looked for that the journal does not have: in the regions of the command line, or else in
    /// those of the configuration and in that of its command.
    pub fn to_search(&self) -> Accounts {
        let mut regions = self.named.clone();
        if !self.narrowed {
            regions.extend(self.configured().into_keys());
        }
        regions.into_iter().map(|region| self.reached(region)).collect()
    }

    /// A plan's regions. One that was deployed to by the configuration and is not in it any more is left out: nobody
    /// knows which account it belonged to.
    pub fn of_plan(&self, plan: &Plan) -> Accounts {
        let configured = self.configured();
        let told = self.config.is_none() || plan.is_adopted() || self.profile.is_some() || self.role.is_some();
        let lanes = plan.lanes.iter().map(|lane| &lane.region);
        let known = lanes.filter(|region| told || configured.contains_key(region));
        known.map(|region| self.reached(region.clone())).collect()
    }

    /// The connections to a plan's regions.
    pub fn connect(&self, plan: &Plan) -> Connect {
        let builder = self
            .config
            .as_ref()
            .map_or(BuilderChoice::Auto, |config| config.builder);
        connect_to(self.of_plan(plan), builder, &self.ways)
    }

    fn configured(&self) -> Accounts {
        self.config
            .as_ref()
            .map_or_else(BTreeMap::new, |config| accounts(config))
    }

    /// The command line goes before the file, and the environment behind both.
    fn reached(&self, region: Region) -> (Region, AwsConfig) {
        let configured = self.configured().remove(&region).unwrap_or_default();
        let account = AwsConfig {
            profile: self.profile.clone().or(configured.profile),
            role: self.role.clone().or(configured.role),
            endpoints: configured.endpoints,
        };
        (region, account)
    }
}
