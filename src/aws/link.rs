//! One region's connection: where the SDK's configuration comes from, and when it is read again.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ssm::config::retry::RetryPartition;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Builder as HttpClientBuilder, Connector, tls};
use aws_types::region::Region as SdkRegion;
use aws_types::sdk_config::SharedHttpClient;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use super::fault::{Call, Failed, Service};
use super::{Patience, REHEARSAL_ACCESS_KEY, REHEARSAL_SECRET_KEY, Realm, sts};
use crate::config::{AwsConfig, Endpoints};
use crate::engine::ports::{AwsError, Caller};
use crate::names::{AccountId, Region};
use crate::problem::{Kind, Problem};
use crate::words;

/// Part of every request's User-Agent, so that CloudTrail shows who called.
const APP_NAME: &str = "quarterdeck";

/// A region's clients, made anew when their credentials turned out to be expired.
pub(super) struct Link {
    settings: AwsConfig,
    region: Region,
    realm: Realm,
    patience: Patience,
    /// One connection pool for all of the region's clients, and for those that follow them.
    http: SharedHttpClient,
    clients: RwLock<Arc<Clients>>,
    /// Whether the credentials are to be read anew before the next call.
    stale: AtomicBool,
    reading: tokio::sync::Mutex<()>,
    /// Whose credentials alone are good here.
    account: OnceLock<AccountId>,
}

/// The clients and what is known about where they lead.
pub(super) struct Clients {
    pub ssm: aws_sdk_ssm::Client,
    pub ecr: aws_sdk_ecr::Client,
    pub sts: aws_sdk_sts::Client,
    pub scene: Scene,
    pub patience: Patience,
}

/// What an error has to name: the region, the endpoints in force, and where the credentials come from.
pub(super) struct Scene {
    pub region: Region,
    pub realm: Realm,
    /// Endpoints in force that are not AWS's own, whoever set them.
    pub endpoints: Endpoints,
    pub origin: Origin,
    pub role: Option<String>,
    pub attempt: Duration,
}

/// Where the credentials come from, as far as it can be told before they are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    Rehearsal,
    /// A profile, named by the configuration or by AWS_PROFILE.
    Profile(String),
    /// AWS_ACCESS_KEY_ID and its companions.
    Environment,
    /// The rest of the default chain.
    Chain,
}

impl Link {
    pub async fn open(
        settings: AwsConfig,
        region: Region,
        realm: Realm,
        patience: Patience,
        http: SharedHttpClient,
    ) -> Result<Self, Problem> {
        let clients = load(&settings, &region, realm, patience, &http).await?;
        Ok(Self {
            settings,
            region,
            realm,
            patience,
            http,
            clients: RwLock::new(Arc::new(clients)),
            stale: AtomicBool::new(false),
            reading: tokio::sync::Mutex::default(),
            account: OnceLock::new(),
        })
    }

    /// The clients to call with. Fresh credentials may be another account's: a login tool writes the profile that was used
    /// last.
    pub async fn clients(&self) -> Result<Arc<Clients>, AwsError> {
        if !self.is_stale() {
            return Ok(self.current());
        }
        // Whoever comes meanwhile waits: nobody calls with what is not known to be good.
        let _turn = self.reading.lock().await;
        if self.is_stale() {
            let fresh = self.read().await?;
            if let Some(account) = self.account.get() {
                self.same(account, &sts::caller(&fresh).await?)?;
            }
            *self.clients.write().unwrap_or_else(PoisonError::into_inner) = fresh;
            self.stale.store(false, Ordering::Release);
        }
        Ok(self.current())
    }

    /// Clients whosever credentials they have, to ask whose they are.
    pub async fn anybody(&self) -> Result<Arc<Clients>, AwsError> {
        if self.is_stale() {
            self.read().await
        } else {
            Ok(self.current())
        }
    }

    async fn read(&self) -> Result<Arc<Clients>, AwsError> {
        let clients = load(&self.settings, &self.region, self.realm, self.patience, &self.http).await;
        clients.map(Arc::new).map_err(AwsError::Refused)
    }

    /// Whether the credentials are read anew before the next call.
    pub fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Acquire)
    }

    fn current(&self) -> Arc<Clients> {
        self.clients.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets only this account's credentials be called with. The first that is named counts.
    pub fn expect(&self, account: &AccountId) {
        let _ = self.account.set(account.clone());
    }

    /// Lets the credentials be read anew before the next call.
    pub fn doubt(&self) {
        self.stale.store(true, Ordering::Release);
    }

    /// Whether only one account's credentials are good here.
    pub fn expects_somebody(&self) -> bool {
        self.account.get().is_some()
    }

    /// The present clients' credentials are this caller's.
    pub fn trust(&self, caller: &Caller) {
        if self.account.get().is_none_or(|account| *account == caller.account) {
            self.stale.store(false, Ordering::Release);
        }
    }

    fn same(&self, account: &AccountId, caller: &Caller) -> Result<(), AwsError> {
        if caller.account == *account {
            return Ok(());
        }
        Err(AwsError::Expired(Problem::new(
            Kind::Credentials,
            format!(
                "{}: the credentials are of account {} by now ({}), and this deployment is of account {account}",
                self.region, caller.account, caller.arn
            ),
            format!("log in to account {account} again; what waits goes on by itself"),
        )))
    }

    /// The call's error in the engine's words; expired credentials are read anew before the next call.
    pub fn fault(&self, call: &Call<'_>, failed: impl Into<Failed>) -> AwsError {
        let error = call.error(failed.into());
        if matches!(error, AwsError::Expired(_)) {
            self.doubt();
        }
        error
    }
}

impl Clients {
    pub fn call(&self, service: Service, operation: &'static str) -> Call<'_> {
        Call::new(&self.scene, service, operation)
    }

    /// For a read that a poller repeats: few attempts, so that throttling shows.
    pub fn polling(&self) -> aws_sdk_ssm::config::Builder {
        let retry = retry_config(self.patience, self.patience.poll_attempts);
        aws_sdk_ssm::Config::builder().retry_config(retry)
    }

    /// For a call that must not be repeated.
    pub fn once(&self) -> aws_sdk_ssm::config::Builder {
        aws_sdk_ssm::Config::builder().retry_config(RetryConfig::disabled())
    }
}

fn retry_config(patience: Patience, attempts: u32) -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(attempts)
        .with_initial_backoff(patience.backoff)
}

fn timeout_config(patience: Patience) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(patience.connect)
        .operation_attempt_timeout(patience.attempt)
        .operation_timeout(patience.operation)
        .build()
}

async fn load(
    settings: &AwsConfig,
    region: &Region,
    realm: Realm,
    patience: Patience,
    http: &SharedHttpClient,
) -> Result<Clients, Problem> {
    let sdk_region = SdkRegion::new(region.as_str().to_owned());
    let (config, origin) = match realm {
        Realm::Rehearsal => {
            check_rehearsal(&settings.endpoints)?;
            (rehearsal_config(sdk_region, patience, http), Origin::Rehearsal)
        }
        Realm::Aws => aws_sdk_config(settings, sdk_region, patience, http).await,
    };
    let endpoints = match realm {
        Realm::Rehearsal => settings.endpoints.clone(),
        Realm::Aws => endpoints_in_force(&config, &settings.endpoints),
    };
    check_endpoints(&config, &endpoints, region)?;
    let config = match (&settings.role, realm) {
        (Some(role), Realm::Aws) => assume(config, role, &endpoints).await,
        (None, _) | (_, Realm::Rehearsal) => config,
    };

    // The SDK counts a region's retries for the whole process: one connection's bad hour would take them from the next.
    let retries = RetryPartition::custom(region.as_str().to_owned()).build();
    let mut ssm = aws_sdk_ssm::config::Builder::from(&config);
    ssm.set_endpoint_url(endpoints.ssm.clone());
    ssm.set_retry_partition(Some(retries.clone()));
    let mut ecr = aws_sdk_ecr::config::Builder::from(&config);
    ecr.set_endpoint_url(endpoints.ecr.clone());
    ecr.set_retry_partition(Some(retries.clone()));
    let mut sts = aws_sdk_sts::config::Builder::from(&config);
    sts.set_endpoint_url(endpoints.sts.clone());
    sts.set_retry_partition(Some(retries));
    Ok(Clients {
        ssm: aws_sdk_ssm::Client::from_conf(ssm.build()),
        ecr: aws_sdk_ecr::Client::from_conf(ecr.build()),
        sts: aws_sdk_sts::Client::from_conf(sts.build()),
        scene: Scene {
            region: region.clone(),
            realm,
            endpoints,
            origin,
            role: settings.role.clone(),
            attempt: patience.attempt,
        },
        patience,
    })
}

/// The configuration as the AWS command line would have it, except that a configured profile goes before credentials in
/// the environment: what config.toml names is what is used.
async fn aws_sdk_config(
    settings: &AwsConfig,
    region: SdkRegion,
    patience: Patience,
    http: &SharedHttpClient,
) -> (SdkConfig, Origin) {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region.clone())
        .retry_config(retry_config(patience, patience.attempts))
        .timeout_config(timeout_config(patience))
        .http_client(http.clone())
        // Shorter than an attempt, so that slow credentials are told from a slow answer.
        .identity_cache(
            IdentityCache::lazy()
                .load_timeout(patience.attempt.mul_f32(0.8))
                .build(),
        );
    if let Ok(name) = AppName::new(APP_NAME) {
        loader = loader.app_name(name);
    }
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let origin = match &settings.profile {
        Some(profile) => {
            let provider = ProfileFileCredentialsProvider::builder()
                .configure(&ProviderConfig::default().with_region(Some(region)))
                .profile_name(profile)
                .build();
            loader = loader.profile_name(profile).credentials_provider(provider);
            Origin::Profile(profile.clone())
        }
        None if set("AWS_ACCESS_KEY_ID").is_some() => Origin::Environment,
        None => set("AWS_PROFILE").map_or(Origin::Chain, Origin::Profile),
    };
    (loader.load().await, origin)
}

/// A configuration that takes nothing from the machine: no environment, no profiles, no proxy, no TLS.
fn rehearsal_config(region: SdkRegion, patience: Patience, http: &SharedHttpClient) -> SdkConfig {
    let credentials = Credentials::builder()
        .access_key_id(REHEARSAL_ACCESS_KEY)
        .secret_access_key(REHEARSAL_SECRET_KEY)
        .provider_name("rehearsal")
        .build();
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(region)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(retry_config(patience, patience.attempts))
        .timeout_config(timeout_config(patience))
        .http_client(http.clone())
        .use_fips(false)
        .use_dual_stack(false);
    config.set_app_name(AppName::new(APP_NAME).ok());
    config.build()
}

/// One connection pool for a region's clients; each would make one of its own otherwise, with its own trusted roots.
pub(super) fn http_client(realm: Realm) -> SharedHttpClient {
    HttpClientBuilder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder();
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        match realm {
            Realm::Rehearsal => connector.build_http(),
            Realm::Aws => connector
                .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
                .proxy_config(ProxyConfig::from_env())
                .build(),
        }
    })
}

async fn assume(config: SdkConfig, role: &str, endpoints: &Endpoints) -> SdkConfig {
    let mut sts = config.clone().into_builder();
    // The endpoints in force are known already; without the lookup the one given here is used.
    sts.set_service_config(None::<NoLookup>);
    sts.set_endpoint_url(endpoints.sts.clone());
    let provider = AssumeRoleProvider::builder(role)
        .session_name(APP_NAME)
        .configure(&sts.build())
        .build()
        .await;
    config
        .into_builder()
        .credentials_provider(SharedCredentialsProvider::new(provider))
        .build()
}

/// Names the type of a lookup that is not there.
#[derive(Debug)]
struct NoLookup;

impl LoadServiceConfig for NoLookup {
    fn load_config(&self, _key: ServiceConfigKey<'_>) -> Option<String> {
        None
    }
}

/// The endpoints that will be used instead of AWS's own: those given in code, else `AWS_ENDPOINT_URL_<SERVICE>`,
/// `AWS_ENDPOINT_URL` and the profile's, in the SDK's order.
fn endpoints_in_force(config: &SdkConfig, given: &Endpoints) -> Endpoints {
    let in_force = |given: &Option<String>, service: &str| {
        let looked_up = || {
            let key = ServiceConfigKey::builder()
                .service_id(service)
                .env("AWS_ENDPOINT_URL")
                .profile("endpoint_url")
                .build()
                .ok()?;
            config.service_config()?.load_config(key)
        };
        given
            .clone()
            .or_else(looked_up)
            .or_else(|| config.endpoint_url().map(str::to_owned))
    };
    Endpoints {
        ssm: in_force(&given.ssm, "SSM"),
        ecr: in_force(&given.ecr, "ECR"),
        sts: in_force(&given.sts, "STS"),
    }
}

/// The endpoints by the names of their services.
fn named(endpoints: &Endpoints) -> [(&'static str, Option<&str>); 3] {
    [
        ("ssm", endpoints.ssm.as_deref()),
        ("ecr", endpoints.ecr.as_deref()),
        ("sts", endpoints.sts.as_deref()),
    ]
}

impl Scene {
    /// The endpoint of a service, if it is not AWS's own.
    pub fn endpoint(&self, service: Service) -> Option<String> {
        let endpoint = match service {
            Service::Ssm => &self.endpoints.ssm,
            Service::Ecr => &self.endpoints.ecr,
            Service::Sts => &self.endpoints.sts,
        };
        endpoint.as_deref().map(shown)
    }

    /// All endpoints that are not AWS's own, in one line; `None` when there are none.
    pub fn foreign_endpoints(&self) -> Option<String> {
        let set: Vec<(&str, String)> = named(&self.endpoints)
            .into_iter()
            .filter_map(|(name, endpoint)| Some((name, shown(endpoint?))))
            .collect();
        let (_, first) = set.first()?;
        if set.len() == 3 && set.iter().all(|(_, endpoint)| endpoint == first) {
            return Some(first.clone());
        }
        let named: Vec<String> = set
            .iter()
            .map(|(name, endpoint)| format!("{name} {endpoint}"))
            .collect();
        Some(named.join(", "))
    }
}

/// An endpoint without what could be a password: scheme, host and port.
fn shown(endpoint: &str) -> String {
    match parts(endpoint) {
        Some(_) => words::address(endpoint),
        None => "an unreadable URL".to_owned(),
    }
}

/// Scheme and `host[:port]` of a URL, without user information, path and query.
fn parts(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (!host_port.is_empty()).then_some((scheme, host_port))
}

fn is_loopback(url: &str) -> bool {
    let Some(("http", host_port)) = parts(url) else {
        return false;
    };
    let host = match host_port.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(host, _)| host),
        None => host_port.rsplit_once(':').map_or(host_port, |(host, _)| host),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn check_rehearsal(endpoints: &Endpoints) -> Result<(), Problem> {
    for (name, endpoint) in named(endpoints) {
        let what = match endpoint {
            Some(endpoint) if is_loopback(endpoint) => continue,
            Some(endpoint) => format!(
                "the rehearsal's {name} endpoint {} is not plain HTTP on loopback",
                shown(endpoint)
            ),
            None => format!("the rehearsal has no {name} endpoint"),
        };
        return Err(Problem::new(
            Kind::Guard,
            what,
            "a rehearsal never leaves this machine: give it the endpoints that `quarterdeck rehearse` prints",
        ));
    }
    Ok(())
}

fn check_endpoints(config: &SdkConfig, endpoints: &Endpoints, region: &Region) -> Result<(), Problem> {
    for (name, endpoint) in named(endpoints) {
        let Some(endpoint) = endpoint else { continue };
        if !matches!(parts(endpoint), Some(("http" | "https", _))) {
            return Err(Problem::new(
                Kind::Config,
                format!("the {name} endpoint for {region} is not an http or https URL"),
                format!(
                    "write it as https://host[:port] in aws.endpoints, AWS_ENDPOINT_URL_{} or the profile",
                    name.to_ascii_uppercase()
                ),
            ));
        }
        let both = match (config.use_fips(), config.use_dual_stack()) {
            (Some(true), _) => Some(("FIPS", "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")),
            (_, Some(true)) => Some(("dual-stack", "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")),
            _ => None,
        };
        if let Some((word, variable, setting)) = both {
            return Err(Problem::new(
                Kind::Config,
                format!(
                    "{word} endpoints are asked for together with the {name} endpoint {} in {region}; the SDK can't have both",
                    shown(endpoint)
                ),
                format!("unset {variable} ({setting} in the profile), or the custom endpoint"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_on_loopback_is_good_for_a_rehearsal() {
        for good in [
            "http://127.0.0.1:4000",
            "http://127.9.9.9",
            "http://[::1]:80/x",
            "http://localhost:1",
        ] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in [
            "https://127.0.0.1:4000",
            "http://ssm.us-east-1.amazonaws.com",
            "http://127.0.0.1.example.com",
            "http://127.0.0.1:80@example.com",
            "http://localhost.example.com:80",
            "http://10.0.0.1",
            "127.0.0.1:80",
            "http://",
        ] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }

    #[test]
    fn an_endpoint_is_shown_without_its_password() {
        assert_eq!(
            shown("http://user:hunter2@proxy.local:81/path?x=y"),
            "http://proxy.local:81"
        );
        assert_eq!(shown("hunter2"), "an unreadable URL");
    }
}
