//! AWS behind the engine's traits: SSM Run Command, ECR and STS of one region through the official SDK.
//!
//! [`connect`] makes a region's [`RegionPorts`]. Whatever the SDK answers is turned into the engine's own words here:
//! texts are cleaned, timestamps are [`Millis`](crate::names::Millis), and every error is an
//! [`AwsError`](crate::engine::ports::AwsError) that says what was tried, on what, and what to do (see `fault`).
//!
//! # What must hold
//!
//! - SendCommand goes out once: the SDK's retries are off for it, since SSM has no idempotency token for it.
//! - Reads that a poller repeats anyway give up after two attempts, so that throttling reaches the poller and it slows down.
//! - Every call has a connect, an attempt and an operation timeout ([`Patience`]).
//! - A rehearsal ([`Realm::Rehearsal`]) reads neither environment nor profiles, speaks plain HTTP to loopback only, and
//!   carries credentials that no account knows.
//! - Nothing secret is in an error or a Debug print: neither credentials nor parameter values nor registry passwords.

mod ecr;
mod fault;
mod link;
mod ssm;
mod sts;

use std::sync::Arc;
use std::time::Duration;

use aws_types::sdk_config::SharedHttpClient;

use crate::config::AwsConfig;
use crate::engine::ports::RegionPorts;
use crate::names::Region;
use crate::problem::Problem;

/// The access key id of every rehearsal request.
pub const REHEARSAL_ACCESS_KEY: &str = "AKIAREHEARSAL0000000";
/// The secret key that rehearsal requests are signed with; no account has it.
pub const REHEARSAL_SECRET_KEY: &str = "rehearsal/rehearsal/rehearsal/rehearsal0";

/// Where requests may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Realm {
    /// AWS, or the endpoints that the configuration or the environment names instead.
    Aws,
    /// The stand-in on loopback, and nothing else.
    Rehearsal,
}

/// How long and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For a connection to come up.
    pub connect: Duration,
    /// For one attempt, credentials included.
    pub attempt: Duration,
    /// For one call with all its attempts.
    pub operation: Duration,
    /// How often a call is tried that may be repeated and that nobody repeats.
    pub attempts: u32,
    /// How often a call is tried that a poller repeats anyway.
    pub poll_attempts: u32,
    /// The base of the exponential pause between attempts.
    pub backoff: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(4),
            attempt: Duration::from_secs(15),
            operation: Duration::from_secs(50),
            attempts: 5,
            poll_attempts: 2,
            backoff: Duration::from_secs(1),
        }
    }
}

/// Makes a region's clients, which share one configuration, one connection pool and one set of credentials.
///
/// No request is made: missing or expired credentials show in the first call's error. When a call finds them expired,
/// the next call reads the profile anew, so that a login in another terminal mends it.
///
/// # Errors
///
/// In a rehearsal, an endpoint that is missing or not on loopback. Outside, a FIPS or dual-stack setting together with a
/// custom endpoint (the SDK can't have both), and an endpoint that is not an `http` or `https` URL.
pub async fn connect(config: &AwsConfig, region: &Region, realm: Realm) -> Result<RegionPorts, Problem> {
    connect_with(config, region, realm, Patience::default()).await
}

/// [`connect`] with other timeouts.
///
/// # Errors
///
/// As for [`connect`].
pub async fn connect_with(
    config: &AwsConfig,
    region: &Region,
    realm: Realm,
    patience: Patience,
) -> Result<RegionPorts, Problem> {
    connect_through(config, region, realm, patience, link::http_client(realm)).await
}

/// [`connect_with`] through an HTTP client of one's own: a simulation answers requests without a socket.
///
/// # Errors
///
/// As for [`connect`].
pub async fn connect_through(
    config: &AwsConfig,
    region: &Region,
    realm: Realm,
    patience: Patience,
    http: SharedHttpClient,
) -> Result<RegionPorts, Problem> {
    let link = Arc::new(link::Link::open(config.clone(), region.clone(), realm, patience, http).await?);
    Ok(RegionPorts {
        ssm: Arc::new(ssm::SdkSsm(link.clone())),
        ecr: Arc::new(ecr::SdkEcr(link.clone())),
        sts: Arc::new(sts::SdkSts(link)),
    })
}
