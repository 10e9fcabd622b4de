//! MaxConcurrency and MaxErrors: how many hosts run at once, and when SSM stops starting more.

/// A number of hosts or a part of the targets, in SSM's grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// So many.
    Hosts(u64),
    /// So many in a hundred.
    Percent(u64),
}

impl Amount {
    /// Reads `50` or `10%`; `None` for what SSM's pattern refuses.
    pub fn parse(text: &str, least: u64) -> Option<Self> {
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let canonical = plain && (digits == "0" || !digits.starts_with('0'));
            canonical.then(|| digits.parse::<u64>().ok()).flatten()
        };
        let amount = match text.strip_suffix('%') {
            Some(digits) => Self::Percent(number(digits).filter(|percent| (least..=100).contains(percent))?),
            None => Self::Hosts(number(text).filter(|hosts| *hosts >= least)?),
        };
        (text.len() <= 7).then_some(amount)
    }

    /// The number of hosts among `targets`, rounded down.
    pub fn of(self, targets: usize) -> usize {
        match self {
            Self::Hosts(hosts) => usize::try_from(hosts).unwrap_or(usize::MAX),
            Self::Percent(percent) => targets * usize::try_from(percent).unwrap_or(100) / 100,
        }
    }
}

/// The limits of one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// MaxConcurrency.
    pub concurrency: Amount,
    /// MaxErrors.
    pub errors: Amount,
}

/// How many hosts may run now: one, then two more for each that is acknowledged, up to MaxConcurrency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ramp {
    window: usize,
    max: usize,
}

impl Ramp {
    pub fn new(max: usize) -> Self {
        Self {
            window: 1,
            max: max.max(1),
        }
    }

    pub fn acknowledged(&mut self) {
        self.window = (self.window + 2).min(self.max);
    }

    pub fn has_room(self, in_flight: usize) -> bool {
        in_flight < self.window.min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_that_of_the_service_model() {
        for (text, least, good) in [
            ("50", 1, true),
            ("1", 1, true),
            ("100%", 1, true),
            ("9%", 1, true),
            ("0", 0, true),
            ("0%", 0, true),
            ("0", 1, false),
            ("0%", 1, false),
            ("101%", 1, false),
            ("010", 1, false),
            ("00", 0, false),
            ("", 0, false),
            ("%", 0, false),
            ("-1", 0, false),
            ("12345678", 1, false),
        ] {
            assert_eq!(Amount::parse(text, least).is_some(), good, "{text} from {least}");
        }
    }

    #[test]
    fn ten_percent_of_fifty_stops_at_the_sixth_error() {
        assert_eq!(Amount::Percent(10).of(50), 5);
    }

    #[test]
    fn the_ramp_starts_with_one_host_and_grows_by_two_for_each_acknowledgement() {
        let mut ramp = Ramp::new(4);
        assert!(ramp.has_room(0) && !ramp.has_room(1));
        ramp.acknowledged();
        assert!(ramp.has_room(2) && !ramp.has_room(3));
        ramp.acknowledged();
        assert!(ramp.has_room(3) && !ramp.has_room(4));
    }
}
