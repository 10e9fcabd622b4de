//! A shell that leads to a rehearsal: one in which what `rehearse --serve` prints was set.
//!
//! The rehearsal's access key is its mark. No account has it, so a shell that carries it means the rehearsal and nothing
//! else: whatever a config.toml says of profiles and endpoints, requests stay on the loopback.

use crate::aws::REHEARSAL_ACCESS_KEY;
use crate::problem::{Kind, Problem};

/// Whether this shell leads to a rehearsal.
pub(super) fn is_led() -> bool {
    std::env::var_os("AWS_ACCESS_KEY_ID").is_some_and(|key| key == REHEARSAL_ACCESS_KEY)
}

/// The rehearsal's address, if this shell leads to one.
///
/// # Errors
/// [`Kind::Guard`] when the address is missing: AWS itself must not be asked with a rehearsal's keys.
pub(super) fn api() -> Result<Option<String>, Problem> {
    if !is_led() {
        return Ok(None);
    }
    let api = std::env::var("AWS_ENDPOINT_URL").ok().filter(|api| !api.is_empty());
    api.map(Some).ok_or_else(|| {
        Problem::new(
            Kind::Guard,
            "this shell has a rehearsal's access key and no AWS_ENDPOINT_URL",
            "set everything that `quarterdeck rehearse --serve` prints, or unset AWS_ACCESS_KEY_ID",
        )
    })
}
