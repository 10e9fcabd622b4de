//! What was measured, on the screen.

use std::fmt::Display;
use std::time::Duration;

/// One figure, and what it is held to.
pub struct Figure {
    name: String,
    measured: String,
    bound: String,
    holds: bool,
}

impl Figure {
    /// A figure that must not be above its bound.
    pub fn at_most<T: PartialOrd + Copy>(name: impl Into<String>, measured: T, bound: T, say: fn(T) -> String) -> Self {
        Self {
            name: name.into(),
            measured: say(measured),
            bound: format!("<= {}", say(bound)),
            holds: measured <= bound,
        }
    }

    /// A figure that is only told.
    pub fn told(name: impl Into<String>, measured: impl Display) -> Self {
        Self {
            name: name.into(),
            measured: measured.to_string(),
            bound: String::new(),
            holds: true,
        }
    }

    /// Whether it is within its bound.
    pub fn holds(&self) -> bool {
        self.holds
    }
}

/// Prints them as a table.
pub fn print(figures: &[Figure]) {
    let width = |of: fn(&Figure) -> &str| {
        figures
            .iter()
            .map(|figure| of(figure).chars().count())
            .max()
            .unwrap_or(0)
    };
    let (name, measured, bound) = (
        width(|figure| &figure.name),
        width(|figure| &figure.measured),
        width(|figure| &figure.bound),
    );
    for figure in figures {
        let verdict = match (figure.bound.is_empty(), figure.holds) {
            (true, _) => "",
            (false, true) => "ok",
            (false, false) => "MISSED",
        };
        let line = format!(
            "{:name$}  {:>measured$}  {:bound$}  {verdict}",
            figure.name, figure.measured, figure.bound
        );
        println!("{}", line.trim_end());
    }
}

/// `12.3 ms`.
pub fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// `4.02 s`.
pub fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// `1.31 x`.
pub fn times(ratio: f64) -> String {
    format!("{ratio:.2} x")
}

/// `0.12 %`.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// `38.2 MB`, of a million bytes each.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52 bytes")]
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// The one in the middle.
pub fn median<T: Ord + Copy>(mut values: Vec<T>) -> Option<T> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}
