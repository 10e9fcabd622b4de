//! Pages of a listing. A token names the last row that was shown, so that rows which come and go between two pages make
//! no other row appear twice or get lost.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::rehearsal::wire::Fault;

/// At most `size` rows behind the token's, and the token of the next page. Rows come in the order of their ranks.
///
/// `query` is what the token is good for.
pub(super) fn page<T>(
    rows: impl IntoIterator<Item = (u64, T)>,
    size: i64,
    token: Option<&str>,
    query: &str,
) -> Result<(Vec<T>, Option<String>), Fault> {
    let size = usize::try_from(size).unwrap_or(0);
    let behind = match token.filter(|token| !token.is_empty()) {
        Some(token) => {
            Some(read(token, query).ok_or_else(|| Fault::client("InvalidNextToken", "The token is not valid"))?)
        }
        None => None,
    };
    let mut rows = rows
        .into_iter()
        .filter(|(rank, _)| behind.is_none_or(|behind| *rank > behind))
        .peekable();
    let mut page = Vec::new();
    let mut last = 0_u64;
    while page.len() < size
        && let Some((rank, row)) = rows.next()
    {
        page.push(row);
        last = rank;
    }
    let next = rows.peek().is_some().then(|| write(last, query));
    Ok((page, next))
}

fn write(rank: u64, query: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{rank} {query}"))
}

fn read(token: &str, query: &str) -> Option<u64> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (rank, of) = text.split_once(' ')?;
    (of == query).then(|| rank.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let rows = || (0..5).map(|rank| (rank, rank));
        let (first, token) = page(rows(), 2, None, "q").expect("a page");
        let (second, token) = page(rows(), 2, token.as_deref(), "q").expect("a page");
        let (third, end) = page(rows(), 2, token.as_deref(), "q").expect("a page");
        assert_eq!((first, second, third), (vec![0, 1], vec![2, 3], vec![4]));
        assert_eq!(end, None);
    }

    #[test]
    fn a_token_is_good_for_its_query_only() {
        let rows = || (0..5).map(|rank| (rank, rank));
        let (_, token) = page(rows(), 2, None, "q").expect("a page");
        for (token, query) in [(token.as_deref(), "other"), (Some("%%%"), "q"), (Some("YWJj"), "q")] {
            let refused = page(rows(), 2, token, query);
            assert!(refused.is_err_and(|fault| fault.code == "InvalidNextToken"));
        }
    }
}
