//! A command of ours as ListCommands remembers it, for whoever has no journal of it.

use std::collections::BTreeMap;

use aws_sdk_ssm::types::Command;
use secrecy::SecretString;

use super::{accepted, millis};
use crate::engine::ports::{Recipients, SendRequest, SentCommand, UnderWay};
use crate::names::{HostId, Token};
use crate::plan::Target;
use crate::text::Clean;

/// SSM's own default for a command without TimeoutSeconds (user guide).
const DEFAULT_TIMEOUT: u32 = 3600;

/// The command as it was sent; `None` when its Comment is no token of ours.
pub(super) fn command(command: &Command) -> Option<SentCommand> {
    let token = Token::new(command.comment()?);
    token.parts()?;
    let hosts = command.instance_ids();
    let to = if hosts.is_empty() {
        Recipients::Targets(command.targets().iter().map(target).collect())
    } else {
        Recipients::Hosts(hosts.iter().map(HostId::new).collect())
    };
    let parameters = command.parameters().into_iter().flatten().map(|(name, values)| {
        let values = values.iter().map(|value| SecretString::from(value.as_str()));
        (Clean::line(name).into(), values.collect())
    });
    let parameters: BTreeMap<String, Vec<SecretString>> = parameters.collect();
    let text =
        |text: Option<&str>, otherwise: &str| text.filter(|text| !text.is_empty()).unwrap_or(otherwise).to_owned();
    Some(SentCommand {
        request: SendRequest {
            document: text(command.document_name(), ""),
            document_version: text(command.document_version(), "$DEFAULT"),
            // Which of them are secret, SSM does not say.
            secrets: parameters.values().flatten().cloned().collect(),
            parameters,
            to,
            delivery_timeout_secs: command
                .timeout_seconds()
                .and_then(|seconds| u32::try_from(seconds).ok())
                .unwrap_or(DEFAULT_TIMEOUT),
            max_concurrency: text(command.max_concurrency(), "50"),
            max_errors: text(command.max_errors(), "0"),
            token,
        },
        accepted: accepted(Some(command))?,
        requested_at: command.requested_date_time().and_then(millis),
    })
}

/// What of it another deployment has to know; `None` when its Comment is no token of ours.
pub(super) fn under_way(command: &Command) -> Option<UnderWay> {
    let (deployment, _, rollout, _) = Token::new(command.comment()?).parts()?;
    Some(UnderWay {
        command: accepted(Some(command))?.command,
        deployment,
        rollout,
        document: Clean::line(command.document_name().unwrap_or_default()),
    })
}

fn target(target: &aws_sdk_ssm::types::Target) -> Target {
    Target {
        key: Clean::line(target.key().unwrap_or_default()),
        values: target.values().iter().map(|value| Clean::line(value)).collect(),
    }
}
