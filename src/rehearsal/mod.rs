//! The rehearsal: stand-ins for SSM, ECR, STS and a Docker Engine that speak the real wire protocols on loopback.
//!
//! Nothing of the engine is replaced: the same SDK and the same bollard talk to these servers, with only endpoints changed.
//! The engine never imports this room.

pub mod ecr;
pub mod registry;
pub mod wire;
