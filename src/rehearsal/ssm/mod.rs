//! SSM Run Command, as its API shows it, over the simulated fleets of all regions.
//!
//! [`Ssm::handle`] is a plain function of the moment and the request: it knows neither a clock nor a socket.

mod cancel;
mod command;
mod documents;
mod filters;
mod input;
mod inventory;
mod invocation;
mod list;
mod output;
mod pages;
mod send;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;

pub use documents::{Document, Documents, PULL_IMAGE};

use super::fleet::{Fate, Fleet, Images, Node, Pace};
use super::wire::{Answer, Fault};
use crate::names::Millis;
use command::Record;

/// Where SSM is stood in for: what is there before the first request.
pub struct World {
    /// The seed of everything that is left to chance.
    pub seed: u64,
    /// How fast things go.
    pub pace: Pace,
    /// When the world begins.
    pub since: Millis,
    /// Regions and their nodes.
    pub regions: Vec<(String, Vec<Node>)>,
    /// Which image a host gets.
    pub images: Arc<dyn Images>,
}

/// SSM of all regions.
pub struct Ssm {
    seed: u64,
    pace: Pace,
    since: Millis,
    images: Arc<dyn Images>,
    regions: BTreeMap<String, Region>,
}

/// SSM of one region.
pub struct Region {
    name: String,
    seed: u64,
    since: Millis,
    /// Its documents.
    pub documents: Documents,
    fleet: Fleet,
    /// What each command was sent with, by the fleet's number of it.
    records: Vec<Record>,
    by_id: HashMap<String, usize>,
}

impl Ssm {
    /// A world in which nothing has happened.
    pub fn new(world: World) -> Self {
        let mut ssm = Self {
            seed: world.seed,
            pace: world.pace,
            since: world.since,
            images: world.images,
            regions: BTreeMap::new(),
        };
        for (region, nodes) in world.regions {
            let documents = Documents::of_region(&region, world.since);
            ssm.found(&region, documents, nodes);
        }
        ssm
    }

    /// Answers an operation in a region. A region that the world does not name is there, and empty.
    pub fn handle(&mut self, now: Millis, region: &str, operation: &str, body: &Value) -> Answer {
        if !self.regions.contains_key(region) {
            self.found(region, Documents::default(), Vec::new());
        }
        match self.regions.get_mut(region) {
            Some(region) => region.handle(now, operation, body),
            None => Err(Fault::server(500, "InternalServerError", "")),
        }
    }

    /// Lets everything happen that happens until `now`.
    pub fn advance(&mut self, now: Millis) {
        for region in self.regions.values_mut() {
            region.fleet.advance(now);
        }
    }

    /// The next moment at which something happens on a fleet by itself.
    pub fn next_at(&self) -> Option<Millis> {
        self.regions.values().filter_map(|region| region.fleet.next_at()).min()
    }

    /// A region, if the world has it.
    pub fn region(&self, name: &str) -> Option<&Region> {
        self.regions.get(name)
    }

    /// A region to change, if the world has it.
    pub fn region_mut(&mut self, name: &str) -> Option<&mut Region> {
        self.regions.get_mut(name)
    }

    /// The regions' names.
    pub fn regions(&self) -> impl Iterator<Item = &str> {
        self.regions.keys().map(String::as_str)
    }

    fn found(&mut self, name: &str, documents: Documents, nodes: Vec<Node>) {
        let region = Region {
            name: name.to_owned(),
            seed: self.seed,
            since: self.since,
            documents,
            fleet: Fleet::new(name, self.seed, self.pace, self.images.clone(), nodes),
            records: Vec::new(),
            by_id: HashMap::new(),
        };
        self.regions.insert(name.to_owned(), region);
    }
}

impl Region {
    /// Its fleet.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Gives a host another story from its next command on; whether there is such a host.
    pub fn tell(&mut self, host: &str, fates: Vec<Fate>) -> bool {
        self.fleet.tell(host, fates)
    }

    /// The id that SSM gave the fleet's command of this number.
    pub fn command_id(&self, number: usize) -> Option<&str> {
        self.records.get(number).map(|record| record.id.as_str())
    }

    /// The Comment of the fleet's command of this number.
    pub fn comment(&self, number: usize) -> Option<&str> {
        self.records.get(number).map(|record| record.comment.as_str())
    }

    fn handle(&mut self, now: Millis, operation: &str, body: &Value) -> Answer {
        self.fleet.advance(now);
        match operation {
            "SendCommand" => self.send_command(now, body),
            "ListCommands" => self.list_commands(now, body),
            "ListCommandInvocations" => self.list_invocations(now, body),
            "GetCommandInvocation" => self.get_invocation(now, body),
            "CancelCommand" => self.cancel_command(now, body),
            "DescribeInstanceInformation" => self.describe_instances(now, body),
            "DescribeDocument" => self.documents.describe(body),
            "GetDocument" => self.documents.get(body),
            "ListDocuments" => self.documents.list(body),
            operation => Err(Fault::unknown_operation(operation)),
        }
    }

    /// A command's number, if it is one that was ever sent.
    fn number(&self, id: &str) -> Result<usize, Fault> {
        input::command_id(id)?;
        self.by_id
            .get(id)
            .copied()
            .ok_or_else(|| Fault::client("InvalidCommandId", ""))
    }
}
