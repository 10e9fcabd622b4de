//! Secrets that are hard to hide, and hard to work with.

use super::{Scene, assert_exit};
use crate::search::Sought;

/// By the names of the build's arguments: quotes, several lines, accents, one that begins another, and words and numbers
/// that the builder says itself.
const ODD: [(&str, &str); 9] = [
    ("QUOTES", "S3ntinel\"of'many\\quotes $and `signs`"),
    ("LINES", "-----BEGIN S3ntinel\nabcdefgh12345678\n-----END S3ntinel"),
    ("ACCENTS", "S3ntinel-pässwörd-ünïcødé"),
    ("PART", "hunter2"),
    ("WHOLE", "hunter2-prod"),
    ("SHORT", "k9z"),
    ("DIGIT", "1"),
    ("WORD", "Successfully"),
    ("STEP", "Step"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_odd_secret_is_hidden_and_breaks_no_build() {
    let mut scene = Scene::set().await;
    let long = "S3ntinel-0123456789".repeat(500);
    let secrets: Vec<(&str, &str)> = ODD.into_iter().chain([("LONG", long.as_str())]).collect();
    let mut sought = Sought::default();
    // The others are found in every text.
    secrets
        .iter()
        .filter(|(_, secret)| secret.len() > "Successfully".len() || secret.starts_with("hunter2"))
        .for_each(|(_, secret)| sought.secret(secret));
    scene.sought = sought;
    scene.more = secrets
        .iter()
        .map(|(name, secret)| (*name, (*secret).to_owned()))
        .collect();

    let arguments = secrets
        .iter()
        .map(|(name, _)| format!("{name} = {{ secret_env = \"{name}\" }}\n"));
    scene.configure_build(&format!("[build.args]\n{}", arguments.collect::<String>()));
    let lines = secrets
        .iter()
        .map(|(name, _)| format!("ARG {name}\nRUN echo \"{name} is ${name}.\"\n"));
    std::fs::write(
        scene.folder().join("Dockerfile"),
        format!("FROM scratch\n{}", lines.collect::<String>()),
    )
    .expect("written");
    scene.commit();

    // The build goes through; some hosts fail, as they do in every rehearsal.
    assert_exit(&scene.run("deploy -y --allow-unpushed --progress plain"), 3);
    let logs = scene.logs();
    for name in ["ACCENTS", "PART", "WHOLE", "SHORT", "DIGIT", "WORD", "STEP", "LONG"] {
        assert!(
            logs.contains(&format!("{name} is ***.")),
            "{name} is printed and hidden: {logs}"
        );
    }
    assert!(logs.contains("LINES is ***\n"), "a line of it is hidden: {logs}");
    scene.run("show latest --progress json");
    scene.run("journal export");
}
