//! Which variables have a meaning where.

use super::template::Variable;

/// Where a template stands, which decides what it can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Filled in when the file is read, before AWS or git are asked.
    File,
    /// A thing that exists before the commit is built: a repository, a document, a host.
    Place,
    /// An image's tag, which is the same in every account.
    Tag,
    /// A value that goes with the deployment.
    Value,
}

impl Scope {
    /// Whether a template can use the variable.
    pub fn allows(self, variable: Variable) -> bool {
        match variable {
            Variable::App | Variable::Environment | Variable::Region | Variable::Branch => true,
            Variable::Account => matches!(self, Self::Place | Self::Value),
            Variable::Sha | Variable::ShortSha => matches!(self, Self::Tag | Self::Value),
        }
    }

    /// The variables that can be used, for people.
    pub fn allowed(self) -> String {
        let names: Vec<_> = Variable::ALL
            .into_iter()
            .filter(|variable| self.allows(*variable))
            .map(|variable| format!("{{{}}}", variable.name()))
            .collect();
        format!("variables here: {} (and {{{{ for a brace)", names.join(", "))
    }
}
