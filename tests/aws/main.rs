//! The AWS room over the real SDK and a real wire: what goes out, what comes back, and what each failure means.

mod ecr;
mod failures;
mod realm;
mod secrets;
mod server;
mod ssm;
