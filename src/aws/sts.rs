//! Who we are.

use std::sync::Arc;

use async_trait::async_trait;

use super::fault::{Failed, Service};
use super::link::Link;
use crate::engine::ports::{AwsError, Caller, Sts};
use crate::names::AccountId;
use crate::text::Clean;

/// STS through the SDK.
pub(super) struct SdkSts(pub Arc<Link>);

#[async_trait]
impl Sts for SdkSts {
    async fn identity(&self) -> Result<Caller, AwsError> {
        let clients = self.0.clients().await?;
        let call = clients.call(Service::Sts, "GetCallerIdentity");
        let answer = clients
            .sts
            .get_caller_identity()
            .send()
            .await
            .map_err(|error| self.0.fault(&call, &error))?;
        let (Some(account), Some(arn)) = (answer.account(), answer.arn()) else {
            return Err(self.0.fault(&call, Failed::garbled("it names no account")));
        };
        Ok(Caller {
            account: AccountId::new(account),
            arn: Clean::line(arn),
            endpoint: clients.scene.foreign_endpoints().map(|text| Clean::line(&text)),
        })
    }
}
