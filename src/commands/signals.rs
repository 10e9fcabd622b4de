//! Signals, where no console listens to them.

use color_eyre::eyre::{Report, WrapErr};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::headless::Interrupt;

/// Listens to the signals that end a process. From then on they end nothing by themselves.
///
/// # Errors
/// The system refuses a handler. Must be called within a tokio runtime.
pub(super) fn listen() -> Result<mpsc::UnboundedReceiver<Interrupt>, Report> {
    let (to_face, interrupts) = mpsc::unbounded_channel();
    for (kind, interrupt) in [
        (SignalKind::interrupt(), Interrupt::Int),
        (SignalKind::terminate(), Interrupt::Term),
        (SignalKind::hangup(), Interrupt::Hup),
    ] {
        let mut signals = signal(kind).wrap_err("failed to listen for signals")?;
        let to_face = to_face.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                tracing::info!(?interrupt, "signal");
                if to_face.send(interrupt).is_err() {
                    return;
                }
            }
        });
    }
    Ok(interrupts)
}
