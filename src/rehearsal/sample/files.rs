//! The sample's files.

use crate::names::Region;

/// Megabytes, so that a push takes a moment that can be watched.
const MB: usize = 1_000_000;

const DOCKERFILE: &str = r#"# Nothing is pulled: every stage begins from nothing.
FROM scratch AS assets
COPY assets/ /assets/
COPY schema/ /assets/schema/

FROM scratch
LABEL org.opencontainers.image.title="sento processor"
COPY models/ /srv/sento/models/
COPY lib/ /srv/sento/lib/
COPY --from=assets /assets /srv/sento/assets
COPY config/ /srv/sento/config/
COPY bin/ /srv/sento/bin/
WORKDIR /srv/sento
USER 10001
ENTRYPOINT ["/srv/sento/bin/processor"]
"#;

const DOCKERIGNORE: &str =
    "# Only what the Dockerfile copies belongs into the image.\n*.md\nconfig.toml\nnotes\n.git\n";

const README: &str = "# sento processor

Takes messages from the sento queue, checks them and hands them to each tenant's endpoint.

This is the sample of a Quarterdeck rehearsal: its program is a script, and its libraries and models are noise.
Change something, commit it, and deploy again.
";

const NOTES: &str = "Ask operations how long a drain may take. (This file is not for the image: see .dockerignore.)\n";

/// How the processor counts.
pub(super) const METRICS: &str = "[metrics]\nlisten = \"127.0.0.1:9102\"\nper_tenant = true\n";

/// What a message looks like.
pub(super) const SCHEMA: &str = r#"{
  "type": "object",
  "required": ["id", "tenant", "body"],
  "properties": {"id": {"type": "string"}, "tenant": {"type": "string"}, "body": {"type": "object"}}
}
"#;

/// The queue's settings.
pub(super) fn queue(attempts: u32) -> String {
    format!("[queue]\nname = \"sento\"\nattempts = {attempts}\nreconnect_after = \"5s\"\n")
}

/// The program at this version: a script, for hosts that have a shell.
pub(super) fn program(version: u32) -> Vec<u8> {
    format!("#!/bin/sh\necho \"sento processor 1.{version}.0\"\nexec sleep infinity\n").into_bytes()
}

/// The first commit's files.
pub(super) fn first(regions: &[Region]) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("Dockerfile", DOCKERFILE.into()),
        (".dockerignore", DOCKERIGNORE.into()),
        ("README.md", README.into()),
        ("config.toml", config(regions).into()),
        ("notes/drain.md", NOTES.into()),
        ("bin/processor", program(1)),
        ("config/queue.toml", queue(1).into()),
        ("schema/message.json", "{\"type\": \"object\"}\n".into()),
        ("assets/dictionary.bin", noise(1, 2 * MB)),
        ("lib/libsento.so", noise(2, 3 * MB / 2)),
        ("lib/libqueue.so", noise(3, MB / 2)),
        ("models/classifier.bin", noise(4, 3 * MB)),
    ]
}

/// Bytes that don't compress, the same ones on every machine.
fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = vec![0; size];
    random.fill(&mut bytes);
    bytes
}

/// The workflow's configuration, for these regions.
pub(in crate::rehearsal) fn config(regions: &[Region]) -> String {
    let regions: Vec<String> = regions.iter().map(|region| format!("\"{region}\"")).collect();
    let regions = regions.join(", ");
    format!(
        r#"# What Quarterdeck deploys, and where to. config.toml.example in Quarterdeck's own repository explains every key.
app = "sento"
branch = "main"
regions = [{regions}]

[environment]
name = "QA"

[image]
repository = "sento-{{region}}-processor-ecr"
tags = ["{{sha}}", "latest"]

[[rollout]]
name = "ubuntu"
document = "{{region}}-pull-image-document"
document_version = "$LATEST"
targets = {{ "tag:Environment" = ["QA"], "tag:OS" = ["Ubuntu"] }}
parameters = {{ image = "AI", region = "{{region}}" }}
delivery_timeout = 600
max_concurrency = 50
max_errors = 0

[[rollout]]
name = "linux"
document = "{{region}}-pull-image-document"
document_version = "$LATEST"
targets = {{ "tag:Environment" = ["QA"], "tag:OS" = ["Linux"] }}
parameters = {{ image = "AI", region = "{{region}}", os = "Linux" }}
delivery_timeout = 600
max_concurrency = 50
max_errors = 0
"#
    )
}
