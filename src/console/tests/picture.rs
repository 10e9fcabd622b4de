//! The README's picture of the console: a real frame, drawn by the project itself and compared like a snapshot.

use super::harness::Harness;
use super::screens::rolling;
use super::svg;

/// Where the README finds it.
const PICTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/console.svg");

#[test]
fn the_readmes_picture_is_a_frame_of_this_console() {
    let mut harness = Harness::new(rolling(), 104, 30);
    harness.press("down down");
    let picture = svg::picture(
        harness.buffer(),
        "Quarterdeck: two regions, each with its build, its push and its rollouts, every host with its state",
    );
    if std::env::var_os("UPDATE_PICTURE").is_some() {
        std::fs::write(PICTURE, &picture).expect("assets is a folder of the repository");
    }
    let kept = std::fs::read_to_string(PICTURE).unwrap_or_default();
    assert!(
        kept == picture,
        "assets/console.svg is not what the console looks like: UPDATE_PICTURE=1 cargo test picture draws it anew"
    );
}
