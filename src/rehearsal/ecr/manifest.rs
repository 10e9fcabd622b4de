//! Image manifests, as far as a registry looks into them, and the making of small ones.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The manifest that `docker push` sends.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Its configuration.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// A layer that is not compressed: the digest of the upload is the layer's own.
pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";

/// ECR takes manifests up to this size (service model of `PutImage`).
pub const MAX_BYTES: usize = 4_194_304;

/// `sha256:` and the hexadecimal digest of `bytes`.
pub fn digest(bytes: &[u8]) -> String {
    named(Sha256::digest(bytes).as_slice())
}

/// `sha256:` and these bytes in hexadecimal.
pub fn named(hash: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(7 + 2 * hash.len());
    text.push_str("sha256:");
    for byte in hash {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// What a manifest says about itself. Its bytes are kept beside it: they are what the digest is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The media type, from the manifest or from whoever sent it.
    pub media_type: String,
    /// Configuration and layers: digest and size. Empty for an index.
    pub blobs: Vec<(String, u64)>,
    /// The manifests that an index names.
    pub images: Vec<String>,
}

impl Manifest {
    /// Reads a manifest; `None` when the bytes are none, or nobody says which kind they are.
    pub fn read(bytes: &[u8], sent_as: Option<&str>) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        let own = value["mediaType"].as_str();
        let is_index = value["manifests"].is_array();
        let is_image = value["config"].is_object() && value["layers"].is_array();
        if is_index == is_image {
            return None;
        }
        let guessed = if is_index {
            "application/vnd.oci.image.index.v1+json"
        } else {
            "application/vnd.oci.image.manifest.v1+json"
        };
        let descriptor = |value: &Value| Some((value["digest"].as_str()?.to_owned(), value["size"].as_u64()?));
        let list = |name: &str| value[name].as_array().map(Vec::as_slice).unwrap_or_default();
        let blobs = if is_image {
            std::iter::once(&value["config"])
                .chain(list("layers"))
                .map(descriptor)
                .collect::<Option<_>>()?
        } else {
            Vec::new()
        };
        let images = list("manifests")
            .iter()
            .map(|item| descriptor(item).map(|(digest, _)| digest));
        Some(Self {
            media_type: own.or(sent_as).unwrap_or(guessed).to_owned(),
            blobs,
            images: images.collect::<Option<_>>()?,
        })
    }

    /// The bytes of a manifest with this configuration and these layers, each a digest and a size.
    pub fn compose(config: &(String, usize), layers: &[(String, usize)]) -> Vec<u8> {
        let entry = |media_type: &str, (digest, size): &(String, usize)| json!({"mediaType": media_type, "size": size, "digest": digest});
        let layers: Vec<Value> = layers.iter().map(|layer| entry(DOCKER_LAYER, layer)).collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": entry(DOCKER_CONFIG, config),
            "layers": layers,
        });
        // Docker's own manifests are indented by three spaces; nothing depends on it.
        serde_json::to_vec_pretty(&manifest).unwrap_or_default()
    }
}

/// A layer with one file, `app`.
pub(super) fn layer(content: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_data(&mut header, "app", content)?;
    tar.into_inner()
}

/// The configuration of an image with this one layer.
pub(super) fn config(layer: &[u8]) -> Vec<u8> {
    json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
        "history": [{"created_by": "COPY app /app"}],
    })
    .to_string()
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_an_image_or_an_index_and_nothing_else() {
        let image = Manifest::compose(&("sha256:c".to_owned(), 2), &[("sha256:l".to_owned(), 3)]);
        let read = Manifest::read(&image, None).expect("an image");
        assert_eq!(read.media_type, DOCKER_MANIFEST);
        assert_eq!(read.blobs, [("sha256:c".to_owned(), 2), ("sha256:l".to_owned(), 3)]);
        let index = br#"{"schemaVersion":2,"manifests":[{"digest":"sha256:m","size":1}]}"#;
        let read = Manifest::read(index, None).expect("an index");
        assert_eq!(read.images, ["sha256:m"]);
        assert!(read.media_type.contains("index"));
        for none in [
            &b"{}"[..],
            b"[]",
            b"not json",
            br#"{"manifests":[],"config":{},"layers":[]}"#,
        ] {
            assert_eq!(Manifest::read(none, None), None);
        }
    }
}
