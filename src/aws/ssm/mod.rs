//! Run Command: whom a command would reach, sending it once, and following it.

mod content;
mod hosts;
mod output;
mod sent;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ssm::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ssm::primitives::DateTime;
use aws_sdk_ssm::types::{Command, CommandFilter, CommandFilterKey, CommandStatus, DocumentFormat};
use secrecy::ExposeSecret;

use super::fault::{Call, Failed, Service};
use super::link::{Clients, Link};
use crate::engine::ports::{
    Accepted, AwsError, CommandCounts, Document, Invocation, Only, Page, Recipients, SendRequest, SentCommand, Ssm,
    UnderWay,
};
use crate::names::{CommandId, HostId, Millis, Token};
use crate::pages::Pages;
use crate::plan::{ExpectedHost, Target};
use crate::problem::Kind;
use crate::state::{HostStatus, Output};
use crate::text::Clean;

/// The largest page that the listings give.
const PAGE: i32 = 50;
/// SSM refuses more instance ids in one SendCommand.
const HOSTS_MAX: usize = 50;

/// SSM through the SDK.
pub(super) struct SdkSsm(pub Arc<Link>);

#[async_trait]
impl Ssm for SdkSsm {
    async fn hosts(&self, targets: &[Target]) -> Result<Vec<ExpectedHost>, AwsError> {
        let clients = self.0.clients().await?;
        let call = clients
            .call(Service::Ssm, "DescribeInstanceInformation")
            .about(hosts::about(targets));
        let query = hosts::Query::of(targets).map_err(|why| {
            let remedy = "use targets with the keys tag:NAME or InstanceIds";
            call.refused(Kind::Config, why, remedy)
        })?;
        let mut found = Vec::new();
        let mut pages = Pages::default();
        loop {
            let answer = clients
                .ssm
                .describe_instance_information()
                .set_filters(Some(query.filters()))
                .max_results(PAGE)
                .set_next_token(pages.token())
                .send()
                .await
                .map_err(|error| self.0.fault(&call, &error))?;
            found.extend(
                answer
                    .instance_information_list()
                    .iter()
                    .filter_map(|host| query.host(host)),
            );
            if !pages.go_on(answer.next_token()) {
                break;
            }
        }
        if pages.circles() {
            // A host that is not listed would be missed by nobody.
            return Err(call.unknown("gave a page twice, so the list can't be read to its end", "try again"));
        }
        found.sort_by(|a: &ExpectedHost, b| a.id.cmp(&b.id));
        found.dedup_by(|a, b| a.id == b.id);
        Ok(found)
    }

    async fn document(&self, name: &str, version: &str) -> Result<Option<Document>, AwsError> {
        let clients = self.0.clients().await?;
        let call = document_call(&clients, "DescribeDocument", name, version);
        let described = clients
            .ssm
            .describe_document()
            .name(name)
            .document_version(version)
            .send()
            .await;
        let described = match described {
            Ok(answer) => answer.document,
            Err(error) if is(&error, &["InvalidDocument", "InvalidDocumentVersion"]) => return Ok(None),
            Err(error) => return Err(self.0.fault(&call, &error)),
        };
        let Some(described) = described else {
            return Err(self.0.fault(&call, Failed::garbled("it describes no document")));
        };
        if let Some((what, remedy)) = content::unusable(&described) {
            return Err(call.refused(Kind::Config, what, remedy));
        }
        // The number, so that a new version between the two calls can't mix with the first answer.
        let number = described.document_version().unwrap_or(version);
        let call = document_call(&clients, "GetDocument", name, version);
        let got = clients
            .ssm
            .get_document()
            .name(name)
            .document_version(number)
            .document_format(DocumentFormat::Json)
            .send()
            .await;
        match got {
            Ok(answer) => Ok(Some(content::document(&described, number, answer.content()))),
            Err(error) if is(&error, &["InvalidDocument", "InvalidDocumentVersion"]) => Ok(None),
            Err(error) => Err(self.0.fault(&call, &error)),
        }
    }

    async fn send(&self, request: &SendRequest) -> Result<Accepted, AwsError> {
        let clients = self.0.clients().await?;
        let call = clients
            .call(Service::Ssm, "SendCommand")
            .about(format!("document `{}`", request.document))
            .on(&document_arn(&request.document))
            .hide(&request.secrets);
        let mut send = clients
            .ssm
            .send_command()
            .document_name(&request.document)
            .document_version(&request.document_version)
            .timeout_seconds(i32::try_from(request.delivery_timeout_secs).unwrap_or(i32::MAX))
            .max_concurrency(&request.max_concurrency)
            .max_errors(&request.max_errors)
            .comment(request.token.as_str());
        for (name, values) in &request.parameters {
            let values = values.iter().map(|value| value.expose_secret().to_owned()).collect();
            send = send.parameters(name, values);
        }
        match &request.to {
            Recipients::Targets(targets) if !targets.is_empty() => {
                send = send.set_targets(Some(targets.iter().map(hosts::sdk_target).collect()));
            }
            Recipients::Hosts(hosts) if (1..=HOSTS_MAX).contains(&hosts.len()) => {
                send = send.set_instance_ids(Some(hosts.iter().map(|host| host.as_str().to_owned()).collect()));
            }
            Recipients::Targets(_) | Recipients::Hosts(_) => {
                let what = format!("was not sent: it must go to targets or to 1 to {HOSTS_MAX} hosts");
                return Err(call.refused(Kind::Unexpected, what, ""));
            }
        }
        let answer = send
            .customize()
            .config_override(clients.once())
            .send()
            .await
            .map_err(|error| self.0.fault(&call, &error))?;
        accepted(answer.command()).ok_or_else(|| {
            call.unknown(
                "was answered without a command id",
                "SSM may have taken the command, so it is looked for by its Comment before anything is sent again",
            )
        })
    }

    async fn find(&self, token: &Token, since: Millis) -> Result<Option<Accepted>, AwsError> {
        let clients = self.0.clients().await?;
        let call = clients
            .call(Service::Ssm, "ListCommands")
            .about(format!("comment `{token}`"));
        let filter = self.filter(&call, CommandFilterKey::InvokedAfter, &iso_seconds(since))?;
        let mut found = None;
        self.commands(&clients, &call, Some(filter), |command| {
            found = accepted(Some(command).filter(|command| command.comment() == Some(token.as_str())));
            found.is_some()
        })
        .await?;
        Ok(found)
    }

    async fn under_way(&self) -> Result<Vec<UnderWay>, AwsError> {
        let clients = self.0.clients().await?;
        let call = clients.call(Service::Ssm, "ListCommands").about("commands under way");
        let filter = self.filter(&call, CommandFilterKey::ExecutionStage, "Executing")?;
        let mut found = Vec::new();
        self.commands(&clients, &call, Some(filter), |command| {
            found.extend(sent::under_way(command));
            false
        })
        .await?;
        Ok(found)
    }

    async fn sent(&self, prefix: &str, since: Option<Millis>) -> Result<Vec<SentCommand>, AwsError> {
        let clients = self.0.clients().await?;
        let call = clients
            .call(Service::Ssm, "ListCommands")
            .about(format!("comments `{prefix}…`"));
        let after = |since| self.filter(&call, CommandFilterKey::InvokedAfter, &iso_seconds(since));
        let filter = since.map(after).transpose()?;
        let mut found = Vec::new();
        self.commands(&clients, &call, filter, |command| {
            let ours = command.comment().is_some_and(|comment| comment.starts_with(prefix));
            found.extend(sent::command(command).filter(|_| ours));
            false
        })
        .await?;
        Ok(found)
    }

    async fn sent_as(&self, command: &CommandId) -> Result<Option<SentCommand>, AwsError> {
        let clients = self.0.clients().await?;
        let call = clients
            .call(Service::Ssm, "ListCommands")
            .about(format!("command {command}"));
        let answer = clients.ssm.list_commands().command_id(command.as_str()).send().await;
        match answer {
            Ok(answer) => Ok(answer.commands().iter().find_map(sent::command)),
            Err(error) if is(&error, &["InvalidCommandId"]) => Ok(None),
            Err(error) => Err(self.0.fault(&call, &error)),
        }
    }

    async fn counts(&self, command: &CommandId) -> Result<Option<CommandCounts>, AwsError> {
        let clients = self.0.clients().await?;
        let call = clients
            .call(Service::Ssm, "ListCommands")
            .about(format!("command {command}"));
        let answer = clients
            .ssm
            .list_commands()
            .command_id(command.as_str())
            .customize()
            .config_override(clients.polling())
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(answer
                .commands()
                .iter()
                .find(|found| found.command_id() == Some(command.as_str()))
                .map(counts)),
            Err(error) if is(&error, &["InvalidCommandId"]) => Ok(None),
            Err(error) => Err(self.0.fault(&call, &error)),
        }
    }

    async fn invocations(&self, command: &CommandId, only: Option<Only>, page: Option<&str>) -> Result<Page, AwsError> {
        let clients = self.0.clients().await?;
        let call = clients
            .call(Service::Ssm, "ListCommandInvocations")
            .about(format!("command {command}"));
        let filter = only.and_then(|only| {
            let filter = CommandFilter::builder()
                .key(CommandFilterKey::Status)
                .value(status_filter(only));
            filter.build().ok()
        });
        let answer = clients
            .ssm
            .list_command_invocations()
            .command_id(command.as_str())
            .set_filters(filter.map(|filter| vec![filter]))
            .max_results(PAGE)
            .details(false)
            .set_next_token(page.map(str::to_owned))
            .customize()
            .config_override(clients.polling())
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            // Not visible yet: reads lag behind SendCommand.
            Err(error) if page.is_none() && is(&error, &["InvalidCommandId"]) => return Ok(Page::default()),
            Err(error) => return Err(self.0.fault(&call, &error)),
        };
        let invocations = answer.command_invocations().iter().filter_map(|invocation| {
            let status = invocation.status().map_or("", |status| status.as_str());
            Some(Invocation {
                host: HostId::new(invocation.instance_id().filter(|id| !id.is_empty())?),
                status: HostStatus::read(status, invocation.status_details().unwrap_or_default()),
            })
        });
        Ok(Page {
            invocations: invocations.collect(),
            next: answer.next_token().filter(|token| !token.is_empty()).map(str::to_owned),
        })
    }

    async fn output(
        &self,
        command: &CommandId,
        host: &HostId,
        step: Option<&str>,
    ) -> Result<Option<(Output, Option<i32>)>, AwsError> {
        let clients = self.0.clients().await?;
        let call = clients
            .call(Service::Ssm, "GetCommandInvocation")
            .about(format!("{host} in command {command}"));
        let answer = clients
            .ssm
            .get_command_invocation()
            .command_id(command.as_str())
            .instance_id(host.as_str())
            .set_plugin_name(step.map(str::to_owned))
            .customize()
            .config_override(clients.polling())
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(Some(output::output(&answer))),
            Err(error) if is(&error, &["InvocationDoesNotExist", "InvalidCommandId"]) => Ok(None),
            Err(error) => Err(self.0.fault(&call, &error)),
        }
    }

    async fn cancel(&self, command: &CommandId) -> Result<(), AwsError> {
        let clients = self.0.clients().await?;
        let call = clients
            .call(Service::Ssm, "CancelCommand")
            .about(format!("command {command}"));
        clients
            .ssm
            .cancel_command()
            .command_id(command.as_str())
            .send()
            .await
            .map_err(|error| self.0.fault(&call, &error))?;
        Ok(())
    }
}

impl SdkSsm {
    fn filter(&self, call: &Call<'_>, key: CommandFilterKey, value: &str) -> Result<CommandFilter, AwsError> {
        let filter = CommandFilter::builder().key(key).value(value).build();
        filter.map_err(|error| {
            let says = error.to_string();
            self.0.fault(call, Failed::NotBuilt { says })
        })
    }

    /// Shows every command to `stop` until it says so.
    async fn commands(
        &self,
        clients: &Clients,
        call: &Call<'_>,
        filter: Option<CommandFilter>,
        mut stop: impl FnMut(&Command) -> bool,
    ) -> Result<(), AwsError> {
        let mut pages = Pages::default();
        loop {
            let answer = clients
                .ssm
                .list_commands()
                .set_filters(filter.clone().map(|filter| vec![filter]))
                .max_results(PAGE)
                .set_next_token(pages.token())
                .send()
                .await
                .map_err(|error| self.0.fault(call, &error))?;
            if answer.commands().iter().any(&mut stop) {
                return Ok(());
            }
            if !pages.go_on(answer.next_token()) {
                break;
            }
        }
        if pages.circles() {
            // "Not there" would be a guess, and a guess could send a deployment twice.
            return Err(call.unknown("gave a page twice, so the list can't be read to its end", "try again"));
        }
        Ok(())
    }
}

/// Whether the service answered with one of these codes.
fn is<E: ProvideErrorMetadata>(error: &SdkError<E>, codes: &[&str]) -> bool {
    error.code().is_some_and(|code| codes.contains(&code))
}

fn accepted(command: Option<&Command>) -> Option<Accepted> {
    let command = command?;
    Some(Accepted {
        command: CommandId::new(command.command_id().filter(|id| !id.is_empty())?),
        expires_at: command.expires_after().and_then(millis),
    })
}

fn counts(command: &Command) -> CommandCounts {
    let count = |number: i32| u32::try_from(number).unwrap_or(0);
    CommandCounts {
        status: Clean::line(command.status().map_or("", CommandStatus::as_str)),
        details: Clean::line(command.status_details().unwrap_or_default()),
        // A status that is not known counts as going on: the command's own deadline ends the wait then.
        ended: matches!(
            command.status(),
            Some(CommandStatus::Success | CommandStatus::Failed | CommandStatus::TimedOut | CommandStatus::Cancelled)
        ),
        targets: count(command.target_count()),
        completed: count(command.completed_count()),
        errors: count(command.error_count()),
        delivery_timed_out: count(command.delivery_timed_out_count()),
    }
}

fn millis(time: &DateTime) -> Option<Millis> {
    time.to_millis().ok().map(Millis)
}

/// `2024-07-07T00:00:00Z`, the only form that the filters take.
fn iso_seconds(time: Millis) -> String {
    let seconds = time.0.div_euclid(1000);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| "1970-01-01T00:00:00Z".to_owned(), |time| time.to_string())
}

fn status_filter(only: Only) -> &'static str {
    match only {
        Only::InProgress => "InProgress",
        Only::Failed => "Failed",
        Only::TimedOut => "TimedOut",
        Only::Cancelled => "Cancelled",
        Only::Success => "Success",
        Only::Delayed => "Delayed",
    }
}

fn document_call<'a>(clients: &'a Clients, operation: &'static str, name: &str, version: &str) -> Call<'a> {
    clients
        .call(Service::Ssm, operation)
        .about(format!("document `{name}` version {version}"))
        .on(&document_arn(name))
}

/// The resource of an IAM statement for a document; AWS's own documents have no account in it.
fn document_arn(name: &str) -> String {
    if name.starts_with("arn:") {
        name.to_owned()
    } else if name.starts_with("AWS-") {
        format!("arn:aws:ssm:REGION::document/{name}")
    } else {
        format!("arn:aws:ssm:REGION:*:document/{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_takes_whole_seconds_rounded_down() {
        assert_eq!(iso_seconds(Millis(1_720_310_400_999)), "2024-07-07T00:00:00Z");
    }
}
