//! Who we are.

use std::sync::Arc;

use async_trait::async_trait;

use super::fault::{Failed, Service};
use super::link::{Clients, Link};
use crate::engine::ports::{AwsError, Caller, Sts};
use crate::names::AccountId;
use crate::text::Clean;

/// STS through the SDK.
pub(super) struct SdkSts(pub Arc<Link>);

#[async_trait]
impl Sts for SdkSts {
    async fn identity(&self) -> Result<Caller, AwsError> {
        let link = &self.0;
        let known = !link.is_stale();
        let clients = link.anybody().await?;
        // Until it is answered whose they are, also where nobody waits for the answer to the end.
        if link.expects_somebody() {
            link.doubt();
        }
        let caller = caller(&clients).await.inspect_err(|_| link.doubt())?;
        if known {
            link.trust(&caller);
        }
        Ok(caller)
    }

    fn expect(&self, account: &AccountId) {
        self.0.expect(account);
    }
}

/// Who calls with these clients.
pub(super) async fn caller(clients: &Clients) -> Result<Caller, AwsError> {
    let call = clients.call(Service::Sts, "GetCallerIdentity");
    let answer = clients.sts.get_caller_identity().send().await;
    let answer = answer.map_err(|error| call.error((&error).into()))?;
    let (Some(account), Some(arn)) = (answer.account(), answer.arn()) else {
        return Err(call.error(Failed::garbled("it names no account")));
    };
    Ok(Caller {
        account: AccountId::new(account),
        arn: Clean::line(arn),
        endpoint: clients.scene.foreign_endpoints().map(|text| Clean::line(&text)),
    })
}
