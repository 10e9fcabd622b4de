//! An engine's account of a push: layers by their short ids, and the digest at the end.

use std::sync::LazyLock;

use bollard::models::CreateImageInfo;
use regex_lite::Regex;

use crate::names::Digest;
use crate::state::live::LayerPhase;

/// `4f1c2ab: digest: sha256:17ac… size: 946`, which every image store prints; only some repeat it in a field.
static DIGEST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\S+: digest: (sha256:[0-9a-f]{64}) size: \d+$").expect("the pattern is constant and compiles")
});

/// `Retrying in 1 second`.
static RETRYING: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^Retrying in (\d+) seconds?").expect("the pattern is constant and compiles"));

/// What has been told so far.
#[derive(Default)]
pub(super) struct Layers {
    /// In the order in which they were named.
    layers: Vec<(String, LayerPhase)>,
    digest: Option<Digest>,
}

impl Layers {
    /// Takes in one message; returns the layer that it is about and how that stands now.
    pub fn take(&mut self, info: &CreateImageInfo) -> Option<(String, LayerPhase)> {
        let status = info.status.as_deref()?;
        let Some(id) = info.id.as_deref().filter(|id| !id.is_empty()) else {
            if let Some(found) = DIGEST.captures(status.trim()) {
                self.digest = found.get(1).map(|digest| Digest::new(digest.as_str()));
            }
            return None;
        };
        let phase = phase(status, info)?;
        match self.layers.iter_mut().find(|(known, _)| known == id) {
            Some((_, now)) => now.clone_from(&phase),
            None => self.layers.push((id.to_owned(), phase.clone())),
        }
        Some((id.to_owned(), phase))
    }

    /// The digest that was pushed, once the push is complete.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Whether all that is left to do waits for an upload slot, which the engine shares among all of its pushes.
    pub fn only_wait(&self) -> bool {
        let mut open = self
            .layers
            .iter()
            .map(|(_, phase)| phase)
            .filter(|phase| !is_there(phase))
            .peekable();
        open.peek().is_some() && open.all(|phase| *phase == LayerPhase::Waiting)
    }

    /// Layers uploaded, and layers that were there.
    pub fn counts(&self) -> (u32, u32) {
        self.layers
            .iter()
            .fold((0, 0), |(pushed, present), (_, phase)| match phase {
                LayerPhase::Pushed => (pushed + 1, present),
                LayerPhase::Exists | LayerPhase::Mounted => (pushed, present + 1),
                LayerPhase::Preparing
                | LayerPhase::Waiting
                | LayerPhase::Pushing { .. }
                | LayerPhase::RetryingIn(_) => (pushed, present),
            })
    }
}

fn is_there(phase: &LayerPhase) -> bool {
    match phase {
        LayerPhase::Exists | LayerPhase::Mounted | LayerPhase::Pushed => true,
        LayerPhase::Preparing | LayerPhase::Waiting | LayerPhase::Pushing { .. } | LayerPhase::RetryingIn(_) => false,
    }
}

/// A layer's state; `None` for a word that says nothing about it.
fn phase(status: &str, info: &CreateImageInfo) -> Option<LayerPhase> {
    if let Some(found) = RETRYING.captures(status) {
        let seconds = found.get(1).and_then(|digits| digits.as_str().parse().ok());
        return Some(LayerPhase::RetryingIn(seconds.unwrap_or(0)));
    }
    match status {
        "Preparing" => Some(LayerPhase::Preparing),
        "Waiting" => Some(LayerPhase::Waiting),
        "Pushing" => {
            let moved = info.progress_detail.as_ref();
            let part = |figure: Option<i64>| figure.and_then(|figure| u64::try_from(figure).ok()).unwrap_or(0);
            let total = part(moved.and_then(|moved| moved.total));
            let done = part(moved.and_then(|moved| moved.current));
            // Engines count past the end: a layer's size is that of its files, what is sent has headers too.
            let done = if total == 0 { done } else { done.min(total) };
            Some(LayerPhase::Pushing { done, total })
        }
        "Pushed" => Some(LayerPhase::Pushed),
        "Layer already exists" => Some(LayerPhase::Exists),
        mounted if mounted.starts_with("Mounted from ") => Some(LayerPhase::Mounted),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(layers: &mut Layers, json: &str) -> Option<(String, LayerPhase)> {
        layers.take(&serde_json::from_str(json).expect("the message is JSON"))
    }

    #[test]
    fn every_word_of_the_engine_has_its_phase() {
        let mut layers = Layers::default();
        for (status, detail, phase) in [
            ("Preparing", "{}", LayerPhase::Preparing),
            ("Waiting", "{}", LayerPhase::Waiting),
            (
                "Pushing",
                r#"{"current":2048,"total":4}"#,
                LayerPhase::Pushing { done: 4, total: 4 },
            ),
            ("Pushing", r#"{"current":7}"#, LayerPhase::Pushing { done: 7, total: 0 }),
            ("Retrying in 1 second", "{}", LayerPhase::RetryingIn(1)),
            ("Retrying in 15 seconds", "{}", LayerPhase::RetryingIn(15)),
            ("Mounted from small", "{}", LayerPhase::Mounted),
            ("Layer already exists", "{}", LayerPhase::Exists),
            ("Pushed", "{}", LayerPhase::Pushed),
        ] {
            let json = format!(r#"{{"id":"0e3ab0ec8190","status":"{status}","progressDetail":{detail}}}"#);
            assert_eq!(
                told(&mut layers, &json),
                Some(("0e3ab0ec8190".to_owned(), phase)),
                "{status}"
            );
        }
        assert_eq!(layers.counts(), (1, 0));
    }

    #[test]
    fn the_digest_is_in_the_last_status() {
        let mut layers = Layers::default();
        let digest = format!("sha256:{}", "17ac".repeat(16));
        told(
            &mut layers,
            r#"{"status":"The push refers to repository [127.0.0.1:5102/small]"}"#,
        );
        assert_eq!(layers.digest(), None);
        told(
            &mut layers,
            &format!(r#"{{"status":"sha1: digest: {digest} size: 946"}}"#),
        );
        assert_eq!(layers.digest().map(Digest::as_str), Some(digest.as_str()));
    }

    #[test]
    fn a_push_only_waits_while_no_layer_of_it_has_a_slot() {
        let mut layers = Layers::default();
        assert!(!layers.only_wait());
        told(&mut layers, r#"{"id":"a","status":"Layer already exists"}"#);
        told(&mut layers, r#"{"id":"b","status":"Waiting"}"#);
        assert!(layers.only_wait());
        told(&mut layers, r#"{"id":"c","status":"Pushing","progressDetail":{}}"#);
        assert!(!layers.only_wait());
    }
}
