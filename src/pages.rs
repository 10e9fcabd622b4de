//! The pages of a listing, whoever gives them.

use std::collections::HashSet;

/// Pages of one listing at most: half a million rows. More is a listing that does not end.
const PAGES: usize = 10_000;

/// How far a listing has been read. It ends where the next token is absent, empty, or one that was followed before: AWS
/// gives a token once in a listing, so that one leads in circles.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    next: Option<String>,
    followed: HashSet<String>,
    circles: bool,
}

impl Pages {
    /// The token of the page to ask for; `None` is the first page.
    pub fn token(&self) -> Option<String> {
        self.next.clone()
    }

    /// Takes in the token that a page gave; whether there is another page.
    pub fn go_on(&mut self, next: Option<&str>) -> bool {
        self.next = next.filter(|token| !token.is_empty()).map(str::to_owned);
        let Some(token) = &self.next else { return false };
        self.circles = self.followed.len() >= PAGES || !self.followed.insert(token.clone());
        !self.circles
    }

    /// Whether the last token leads in circles: what was read is not the whole listing.
    pub fn circles(&self) -> bool {
        self.circles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_end_at_an_absent_an_empty_or_a_known_token() {
        let mut pages = Pages::default();
        assert!(pages.go_on(Some("a")) && pages.go_on(Some("b")));
        assert_eq!(pages.token().as_deref(), Some("b"));
        assert!(!pages.go_on(Some("a")) && pages.circles());
        assert!(!Pages::default().go_on(None));
        assert!(!Pages::default().go_on(Some("")));
    }

    #[test]
    fn pages_without_end_end() {
        let mut pages = Pages::default();
        let read = (0..).take_while(|page: &usize| pages.go_on(Some(&page.to_string())));
        assert_eq!(read.count(), PAGES);
        assert!(pages.circles());
    }
}
