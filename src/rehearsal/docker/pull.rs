//! Base images that are not here: the pull is played, and the image is one small file that names what it stands for.

use std::time::Duration;

use serde_json::json;

use super::build::{End, blocking};
use super::events::Events;
use super::images::{Image, Images, short, with_tag};
use super::stage::{self, Stage};
use super::story::Story;
use super::tree::Tree;
use crate::rehearsal::ecr::manifest;

/// The layers of a played base image: their sizes in bytes.
const LAYERS: [u64; 3] = [29_124_181, 3_510_204, 12_773_900];
/// How many times the progress of a layer is told.
const TELLS: u64 = 8;

/// Plays the pull of `reference` and makes an image to stand for it.
pub(super) async fn pull(reference: &str, images: &Images, story: &Story, events: &Events) -> Result<Image, End> {
    let whole = with_tag(reference);
    let (name, tag) = whole.rsplit_once(':').unwrap_or((&whole, "latest"));
    let library = if name.contains('/') {
        name.to_owned()
    } else {
        format!("library/{name}")
    };
    events
        .send(json!({"status": format!("Pulling from {library}"), "id": tag}))
        .await?;
    let ids: Vec<String> = (0..LAYERS.len())
        .map(|at| manifest::digest(format!("{whole} {at}").as_bytes()))
        .collect();
    for id in &ids {
        events
            .send(json!({"status": "Pulling fs layer", "progressDetail": {}, "id": short(id)}))
            .await?;
    }
    for (id, total) in ids.iter().zip(LAYERS) {
        let id = short(id);
        for verb in ["Downloading", "Extracting"] {
            for at in 1..=TELLS {
                story.pause(Duration::from_millis(60)).await;
                let detail = json!({"current": total * at / TELLS, "total": total});
                events
                    .send(json!({"status": verb, "progressDetail": detail, "id": id}))
                    .await?;
            }
            let done = if verb == "Downloading" {
                "Download complete"
            } else {
                "Pull complete"
            };
            events
                .send(json!({"status": done, "progressDetail": {}, "id": id}))
                .await?;
        }
    }
    let image = stand_in(&whole, images).await?;
    events
        .send(json!({"status": format!("Digest: {}", manifest::digest(whole.as_bytes()))}))
        .await?;
    events
        .send(json!({"status": format!("Status: Downloaded newer image for {whole}")}))
        .await?;
    images.add(image.clone(), Some(&whole));
    Ok(image)
}

async fn stand_in(name: &str, images: &Images) -> Result<Image, End> {
    let folder = images.folder.clone();
    let text = format!("This rehearsal image stands for {name}; nothing was pulled.\n");
    let layer = blocking(move || {
        let spool = super::build::Spool(folder.join(format!("base-{}", uuid::Uuid::now_v7())));
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        let mut tar = tar::Builder::new(std::fs::File::create(&spool.0)?);
        tar.append_data(&mut header, "etc/rehearsal", text.as_bytes())?;
        tar.finish()?;
        Tree::read(&spool.0)?.write(&folder)
    })
    .await?;
    let mut config = Stage::scratch(None).image.value();
    config["config"]["Cmd"] = json!(["/bin/sh"]);
    Ok(stage::next(
        config,
        "/bin/sh -c #(nop) ADD file in / ",
        vec![layer],
        false,
    ))
}
