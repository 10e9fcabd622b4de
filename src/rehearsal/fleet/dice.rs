//! Chance that repeats: what a die shows follows from the seed and from what is asked for, not from when it is asked.

/// A source of numbers for one question.
pub(crate) struct Dice(fastrand::Rng);

impl Dice {
    /// The dice of the question that `parts` name.
    pub fn new(seed: u64, parts: &[&str]) -> Self {
        // FNV-1a, as fastrand promises the same numbers for the same seed and std's hasher does not.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for byte in parts.iter().flat_map(|part| part.bytes().chain([0xff])) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Self(fastrand::Rng::with_seed(hash))
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0.u64(low..=high.max(low))
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0.u64(..)
    }

    /// Any 128 bits.
    pub fn wide(&mut self) -> u128 {
        self.0.u128(..)
    }

    /// Shuffles.
    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        self.0.shuffle(all);
    }
}
