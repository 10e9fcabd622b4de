//! The near miss: what somebody probably meant.

/// The candidate closest to `word`, if it is close enough to be worth saying.
pub(crate) fn near_miss<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, candidate), candidate))
        // A third of the letters may differ, so that short words are not called alike.
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised_and_another_word_is_not() {
        let keys = ["app", "branch", "regions", "rollouts"];
        assert_eq!(near_miss("region", keys), Some("regions"));
        assert_eq!(near_miss("brnach", keys), Some("branch"));
        assert_eq!(near_miss("App", keys), Some("app"));
        assert_eq!(near_miss("colour", keys), None);
        assert_eq!(near_miss("", keys), None);
    }
}
