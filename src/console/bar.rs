//! Bars: of hosts by how they stand, and of bytes.

use ratatui::text::Span;

use super::theme::{self, Theme};
use crate::state::{Counts, Verdict};

/// The verdicts in the order of a bar, with their counts.
pub(super) fn parts(counts: Counts) -> [(Verdict, usize); 6] {
    [
        (Verdict::Succeeded, counts.succeeded),
        (Verdict::Failed, counts.failed),
        (Verdict::Unknown, counts.unknown),
        (Verdict::NotRun, counts.not_run),
        (Verdict::Running, counts.running),
        (Verdict::Waiting, counts.waiting),
    ]
}

/// A bar of hosts. Each part that is not empty has at least one column as long as there are columns, so that one failed
/// host of ten thousand is seen.
pub(super) fn hosts(counts: Counts, width: usize, theme: &Theme) -> Vec<Span<'static>> {
    let total = counts.total();
    if total == 0 || width == 0 {
        return Vec::new();
    }
    let parts = parts(counts);
    let mut columns = parts.map(|(_, count)| (count * width / total).max(usize::from(count > 0)));
    // Rounding left columns over, or the minimum took too many: the widest part evens it out.
    loop {
        let sum: usize = columns.iter().sum();
        let Some(widest) = (0..columns.len()).max_by_key(|at| columns[*at]) else {
            break;
        };
        match sum.cmp(&width) {
            std::cmp::Ordering::Less => columns[widest] += width - sum,
            std::cmp::Ordering::Greater => columns[widest] = columns[widest].saturating_sub(1),
            std::cmp::Ordering::Equal => break,
        }
    }
    parts
        .iter()
        .zip(columns)
        .filter(|(_, columns)| *columns > 0)
        .map(|((verdict, _), columns)| Span::styled(theme::bar_fill(*verdict).repeat(columns), theme.verdict(*verdict)))
        .collect()
}

/// A bar of bytes; of unknown length while the total is.
pub(super) fn gauge(done: u64, total: u64, width: usize, theme: &Theme) -> Span<'static> {
    let width = u64::try_from(width).unwrap_or(0);
    let full = if total == 0 {
        0
    } else {
        u128::from(done.min(total)) * u128::from(width) / u128::from(total)
    };
    let full = usize::try_from(full).unwrap_or(0);
    let rest = usize::try_from(width).unwrap_or(0).saturating_sub(full);
    Span::styled(format!("{}{}", "█".repeat(full), "░".repeat(rest)), theme.progress)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(counts: Counts, width: usize) -> String {
        hosts(counts, width, &Theme::new(true))
            .iter()
            .map(|span| span.content.as_ref())
            .collect()
    }

    #[test]
    fn one_failed_host_of_ten_thousand_is_seen() {
        let counts = Counts {
            succeeded: 9_999,
            failed: 1,
            ..Counts::default()
        };
        assert_eq!(text(counts, 10), "█████████x");
    }

    #[test]
    fn a_bar_is_as_wide_as_it_has_to_be() {
        for succeeded in 0..7 {
            let counts = Counts {
                succeeded,
                failed: 1,
                unknown: 2,
                running: 3,
                waiting: 5,
                not_run: 1,
            };
            for width in 1..40 {
                assert_eq!(text(counts, width).chars().count(), width, "{counts:?} in {width}");
            }
        }
    }
}
