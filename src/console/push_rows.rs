//! A lane's push: layers and bytes, the digest, the moving tags.

use super::lane_rows::Rows;
use super::{bar, theme, words};
use crate::names::Digest;
use crate::plan::UNKNOWN;
use crate::state::live::{LayerPhase, LivePush};
use crate::state::{PushPhase, Stage, TagPhase};
use ratatui::text::Span;

/// A shorter gauge says less than a figure.
const SHORTEST_GAUGE: usize = 6;

/// Adds them.
pub(super) fn add(rows: &mut Rows) {
    let (ctx, lane) = (rows.ctx, rows.lane);
    let theme = &ctx.theme;
    let live = ctx.live.pushes.get(&lane.region).map(AsRef::as_ref);
    match &lane.push {
        PushPhase::Waiting => {
            let why = match ctx.state.stage(lane) {
                Stage::Building => "waits for the build",
                Stage::Halted => "not reached",
                Stage::Pushing | Stage::Tagging | Stage::RollingOut | Stage::Done => "about to start",
            };
            rows.head("·", "push", theme.quiet, &[why.to_owned()]);
        }
        PushPhase::Running => running(rows, live),
        PushPhase::Succeeded { digest, .. } if digest.as_str() == UNKNOWN => {
            rows.head(
                "?",
                "push",
                theme.quiet,
                &["unknown: found in SSM, which knows no image".to_owned()],
            );
        }
        PushPhase::Succeeded {
            digest,
            skipped,
            layers_pushed,
            layers_present,
        } => {
            let took = match (lane.push_started_at, lane.push_ended_at) {
                (Some(from), Some(to)) if !skipped => words::duration(to.since(from)),
                _ => String::new(),
            };
            let layers = if *skipped {
                "the registry had it already".to_owned()
            } else {
                format!(
                    "{} new, {layers_present} there",
                    words::plural(*layers_pushed as usize, "layer")
                )
            };
            rows.head("✓", "push", theme.success, &[layers, took]);
            digest_row(rows, digest);
        }
        PushPhase::Failed(problem) => {
            let mut said = vec!["failed".to_owned()];
            if lane.push_attempts > 1 {
                said.push(format!("try {}", lane.push_attempts));
            }
            rows.head("✗", "push", theme.failure, &said);
            rows.problem(problem, theme.failure);
        }
        PushPhase::Cancelled => rows.head("-", "push", theme.attention, &["cancelled".to_owned()]),
    }
    tags(rows);
}

fn running(rows: &mut Rows, live: Option<&LivePush>) {
    let (ctx, lane) = (rows.ctx, rows.lane);
    let theme = &ctx.theme;
    let mut said = Vec::new();
    let mut bytes = (0, 0);
    if let Some(live) = live {
        let (done, all) = live.layers_done();
        if all > 0 {
            said.push(format!("{done}/{all} layers"));
        }
        bytes = live.bytes();
        said.extend(percent(bytes));
    }
    said.extend(lane.push_started_at.map(|at| words::seconds(ctx.now.since(at))));
    if lane.push_attempts > 1 {
        said.push(format!("try {}", lane.push_attempts));
    }
    if bytes.1 > 0 {
        said.push(format!("{} of {}", words::bytes(bytes.0), words::bytes(bytes.1)));
    }
    rows.head(theme::spinner(ctx.now), "push", theme.progress, &said);
    let Some(live) = live else { return };
    if !live.note.is_empty() {
        rows.sub(0, live.note.as_str(), theme.attention);
    }
    if bytes.1 > 0 {
        rows.gauge(1, bytes.0, bytes.1);
    }
    for (layer, phase) in &live.layers {
        layer_row(rows, layer, phase);
    }
}

/// Bytes done of bytes in all, once these are known.
fn percent((done, total): (u64, u64)) -> Option<String> {
    let percent = (u128::from(done.min(total)) * 100).checked_div(u128::from(total))?;
    Some(format!("{percent} %"))
}

/// `  d963ae05a03c pushing    ███████░░░░ 12 MB of 40 MB`.
fn layer_row(rows: &mut Rows, layer: &str, phase: &LayerPhase) {
    let theme = &rows.ctx.theme;
    let (word, style) = match phase {
        LayerPhase::Preparing => ("preparing".to_owned(), theme.quiet),
        LayerPhase::Waiting => ("waits for a slot".to_owned(), theme.quiet),
        LayerPhase::Pushing { .. } => ("pushing".to_owned(), theme.progress),
        LayerPhase::RetryingIn(secs) => (format!("tries again in {secs}s"), theme.attention),
        LayerPhase::Exists => ("exists".to_owned(), theme.quiet),
        LayerPhase::Mounted => ("mounted".to_owned(), theme.quiet),
        LayerPhase::Pushed => ("pushed".to_owned(), theme.success),
    };
    let mut spans = vec![
        Span::raw(format!("  {} ", words::pad(layer, 12))),
        Span::styled(word.clone(), style),
    ];
    if let LayerPhase::Pushing { done, total } = phase {
        let figure = format!(" {} of {}", words::bytes(*done), words::bytes(*total));
        let room = rows.width.saturating_sub(16 + word.len() + figure.len());
        if room >= SHORTEST_GAUGE {
            spans.push(Span::raw(" "));
            spans.push(bar::gauge(*done, *total, room.min(40), theme));
            spans.push(Span::raw(figure));
        } else if let Some(percent) = percent((*done, *total)) {
            spans.push(Span::raw(format!(" {percent}")));
        }
    }
    // A layer in motion says more than one that rests.
    let rank = if matches!(phase, LayerPhase::Pushing { .. } | LayerPhase::RetryingIn(_)) {
        2
    } else {
        3
    };
    rows.push(super::lane_rows::Row::new(rank, spans));
}

/// The digest, and whether every registry names the same one.
fn digest_row(rows: &mut Rows, digest: &Digest) {
    let (ctx, lane) = (rows.ctx, rows.lane);
    let others: Vec<(&str, &Digest)> = ctx
        .state
        .lanes
        .iter()
        .filter(|other| other.region != lane.region && other.build == lane.build)
        .filter_map(|other| Some((other.region.as_str(), other.digest()?)))
        .collect();
    let shown = if rows.full {
        digest.as_str().to_owned()
    } else {
        format!("sha256:{}", digest.short())
    };
    if let Some((region, _)) = others.iter().find(|(_, other)| *other != digest) {
        rows.sub(0, &format!("{shown} differs from {region}"), ctx.theme.failure);
    } else {
        let same = match others.len() {
            0 => String::new(),
            n => format!("in {} regions", n + 1),
        };
        let room = rows.width.saturating_sub(2);
        rows.sub(1, &words::join(&[shown, same], room), ctx.theme.quiet);
    }
}

fn tags(rows: &mut Rows) {
    let (ctx, lane) = (rows.ctx, rows.lane);
    for tag in &lane.tags {
        match &tag.phase {
            TagPhase::Waiting => {
                if lane.digest().is_some() {
                    rows.sub(2, &format!("· {} moves next", tag.tag), ctx.theme.quiet);
                }
            }
            TagPhase::Moved { from, to } => {
                let text = match from {
                    Some(from) if from == to => format!("✓ {} pointed here already", tag.tag),
                    Some(from) => format!("✓ {} moved from {}", tag.tag, from.short()),
                    None => format!("✓ {} is new", tag.tag),
                };
                rows.sub(2, &text, ctx.theme.success);
            }
            TagPhase::Failed(problem) => {
                rows.sub(0, &format!("✗ {} could not be moved", tag.tag), ctx.theme.failure);
                rows.problem(problem, ctx.theme.failure);
            }
        }
    }
}
