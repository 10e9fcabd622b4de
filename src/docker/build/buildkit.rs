//! BuildKit's account of a build: vertices that are told again and again, logs by vertex, and bytes.

use std::sync::LazyLock;
use std::time::Duration;

use bollard::moby::buildkit::v1::{StatusResponse, Vertex};
use bollard::models::{BuildInfo, BuildInfoAux};
use regex_lite::Regex;

use super::record::{At, Recorder};
use crate::mask::Mask;
use crate::names::Millis;
use crate::state::Step;

/// Standard error's number in a log record.
const STDERR: i64 = 2;

/// `[build 2/5] RUN make`: BuildKit counts steps nowhere else.
static NUMBERED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?s)^\[(?:(.+) )?(\d+)/(\d+)\] (.*)$").expect("the pattern is constant and compiles")
});

/// What has been told so far.
#[derive(Default)]
pub(super) struct Buildkit {
    image: Option<String>,
    failed: Option<At>,
}

impl Buildkit {
    /// Takes in one message.
    pub fn take(&mut self, info: BuildInfo, record: &mut Recorder, now: Millis) {
        match info.aux {
            Some(BuildInfoAux::BuildKit(status)) => self.status(&status, record, now),
            Some(BuildInfoAux::Default(image)) => self.image = image.id.or(self.image.take()),
            None => {}
        }
    }

    /// The image's id, once the build is complete.
    pub fn image(&self) -> Option<&str> {
        self.image.as_deref()
    }

    /// The step that failed.
    pub fn failed(&self) -> Option<At> {
        self.failed
    }

    fn status(&mut self, status: &StatusResponse, record: &mut Recorder, now: Millis) {
        for vertex in &status.vertexes {
            self.vertex(vertex, record, now);
        }
        for moved in &status.statuses {
            let shown = record.find(&moved.vertex).is_none_or(|at| !record.is_hidden(at));
            if shown && (moved.current, moved.total) != (0, 0) {
                record.transfer(&moving(&moved.name, &moved.id), moved.current, moved.total);
            }
        }
        for log in &status.logs {
            match record.find(&log.vertex) {
                Some(at) => record.output(at, &log.msg, log.stream == STDERR),
                None => record.stray(&log.msg),
            }
        }
        for warning in &status.warnings {
            let line = format!("warning: {}", String::from_utf8_lossy(&warning.short));
            let line = record.mask().line(&line);
            record.line(record.find(&warning.vertex), line, true);
        }
    }

    fn vertex(&mut self, vertex: &Vertex, record: &mut Recorder, now: Millis) {
        let hidden = vertex.name.starts_with("[internal]") || vertex.name.starts_with("[auth]");
        let at = record.step(&vertex.digest, |mask| step(&vertex.name, mask), hidden);
        let Some(started) = vertex.started else { return };
        record.running(at, now);
        let Some(completed) = vertex.completed else { return };
        let moment = |seconds: i64, nanos: i32| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        let nanos = moment(completed.seconds, completed.nanos) - moment(started.seconds, started.nanos);
        let took = Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
        if vertex.error.is_empty() {
            record.done(at, vertex.cached, took);
            return;
        }
        record.failed(at, took, &vertex.error);
        // What was only stopped because another step failed is not the failure.
        let stopped = vertex.error.contains("context canceled");
        if self.failed.is_none() && !stopped {
            self.failed = Some(at);
        }
    }
}

/// A vertex's name as a step.
fn step(name: &str, mask: &Mask) -> Step {
    let numbered = NUMBERED.captures(name);
    let part = |group: usize| {
        numbered
            .as_ref()
            .and_then(|found| found.get(group))
            .map(|found| found.as_str())
    };
    let number = |group: usize| part(group).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    Step {
        number: number(2),
        of: number(3),
        stage: part(1).map(|stage| mask.title(stage)),
        name: mask.title(part(4).unwrap_or(name)),
        cached: false,
        millis: 0,
    }
}

/// `downloading d963ae05a03c`: the id is a digest, a phrase, or a phrase that ends in a digest.
fn moving(name: &str, id: &str) -> String {
    let short = |digest: &str| digest.get(..12).unwrap_or(digest).to_owned();
    match id.split_once("sha256:") {
        Some(("", digest)) => format!("{name} {}", short(digest)),
        Some((phrase, digest)) => format!("{phrase}{}", short(digest)),
        None => id.to_owned(),
    }
}
