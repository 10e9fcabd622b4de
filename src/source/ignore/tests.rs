//! The rules against examples, and against an obvious, slow reference.

use proptest::prelude::*;

use super::*;

/// The rules of a file's lines, for the Dockerfile `Dockerfile`.
fn rules(lines: &str) -> Ignore {
    Ignore::parse(".dockerignore", lines.as_bytes(), "Dockerfile").expect("every line is a pattern")
}

#[track_caller]
fn excludes(lines: &str, excluded: &[&str], included: &[&str]) {
    let ignore = rules(lines);
    for path in excluded {
        assert!(ignore.excludes(path), "{lines:?} should exclude {path}");
    }
    for path in included {
        assert!(!ignore.excludes(path), "{lines:?} should include {path}");
    }
}

#[test]
fn a_pattern_is_rooted_at_the_context() {
    excludes("*.log", &["a.log"], &["sub/b.log", "a.log.txt"]);
    excludes("/sub/./b.log", &["sub/b.log"], &["b.log", "x/sub/b.log"]);
    excludes("./sub/../c", &["c"], &["sub"]);
}

#[test]
fn what_matches_takes_everything_below_with_it() {
    excludes("target/", &["target", "target/a/b"], &["targets", "src/target"]);
    excludes("a/*", &["a/b", "a/b/c"], &["a"]);
}

#[test]
fn two_asterisks_stand_for_any_number_of_folders() {
    excludes("**/*.log", &["a.log", "x/a.log", "x/y/a.log"], &["a.logs"]);
    excludes("**/secret", &["secret", "x/secret", "x/secret/y"], &["mysecret"]);
    excludes("a/**/b", &["a/b", "a/x/b", "a/x/y/b/c"], &["a/xb", "b"]);
    excludes("a/**", &["a/b", "a/b/c"], &["a", "ab"]);
    excludes("**", &["a", "a/b"], &[]);
    // As moby has it: without another wildcard it means "ends in", with one a whole component.
    excludes("**foo", &["foo", "xfoo", "a/xfoo"], &["foox"]);
    excludes("**foo*", &["foo", "foox", "a/foo"], &["xfoo"]);
}

#[test]
fn the_last_pattern_that_matches_decides() {
    excludes(
        "*\n!src\nsrc/private",
        &["a", "src/private/key"],
        &["src", "src/main.rs"],
    );
    excludes("!src\n*", &["src"], &[]);
    excludes(
        "*\n!target/*/app",
        &["target", "target/debug/deps"],
        &["target/debug/app"],
    );
    excludes("*.md\n! README.md", &["a.md"], &["README.md"]);
}

#[test]
fn wildcards_and_classes_are_those_of_gos_match() {
    excludes("?.rs", &["a.rs"], &["ab.rs", "/.rs"]);
    excludes("[a-c]x", &["ax", "cx"], &["dx"]);
    excludes("[^a-c]x", &["dx"], &["ax"]);
    excludes("[\\]\\-]x", &["]x", "-x"], &["\\x"]);
    excludes("\\*", &["*"], &["a"]);
    excludes("a^b.(c)+$", &["a^b.(c)+$"], &["axb.cc"]);
    excludes("ä?", &["äö"], &["ä"]);
}

#[test]
fn comments_blank_lines_a_byte_order_mark_and_windows_line_ends_mean_nothing() {
    excludes("\u{feff}a\r\n\r\n# b\r\n  c  \r\n", &["a", "c"], &["# b", "b"]);
    // Only in the first column is # a comment.
    excludes(" #b", &["#b"], &[]);
}

#[test]
fn the_dockerfile_and_the_ignore_file_are_never_excluded() {
    excludes("*", &["a"], &["Dockerfile", ".dockerignore"]);
    excludes("**\nDockerfile", &["sub/Dockerfile"], &["Dockerfile"]);
}

#[test]
fn a_line_that_is_no_pattern_is_named_with_its_number() {
    for (lines, told) in [
        ("a\n[b", "line 2: `[b` is not a pattern"),
        ("a\n\n!", "line 3: `!` is not a pattern"),
        ("[]", "line 1"),
        ("[a-]", "line 1"),
        ("[c-a]", "line 1"),
        ("a\\", "line 1"),
    ] {
        let problem = Ignore::parse("x.dockerignore", lines.as_bytes(), "x").expect_err(lines);
        assert!(problem.what.as_str().contains(told), "{lines:?}: {problem}");
        assert!(problem.what.as_str().starts_with("x.dockerignore"), "{problem}");
    }
}

#[test]
fn an_excluded_folder_is_looked_into_only_where_something_may_be_taken_back() {
    assert!(rules("a").excludes_all_below("a"));
    assert!(rules("a\n!b/c").excludes_all_below("a"));
    assert!(!rules("a\n!a/b").excludes_all_below("a"));
    assert!(!rules("a\n!**/*.rs").excludes_all_below("a"));
    assert!(!rules("a\n!a/x*/b").excludes_all_below("a"));
    let kept = Ignore::parse(".dockerignore", b"deploy", "deploy/Dockerfile").expect("every line is a pattern");
    assert!(!kept.excludes_all_below("deploy") && kept.excludes("deploy/x"));
}

#[test]
fn a_pattern_made_to_be_slow_is_not() {
    let ignore = rules(&"**/*a*".repeat(20));
    let path = "a/".repeat(200) + "b";
    let before = std::time::Instant::now();
    assert!(ignore.excludes(&path));
    assert!(before.elapsed().as_secs() < 2, "{:?}", before.elapsed());
}

/// The reference: what a line means, tried out by brute force on every folder of the path, in the file's order.
fn obviously_excludes(lines: &[String], path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let mut excluded = false;
    for line in lines {
        let (takes_back, pattern) = line
            .strip_prefix('!')
            .map_or((false, line.as_str()), |rest| (true, rest));
        let pattern: Vec<char> = pattern.chars().collect();
        let literal = !pattern.iter().skip(2).any(|c| "*?[\\".contains(*c));
        let any_end = pattern.starts_with(&['*', '*']) && pattern.get(2) != Some(&'/') && literal;
        if (1..=parts.len()).any(|depth| {
            let path: Vec<char> = parts[..depth].join("/").chars().collect();
            if any_end {
                path.ends_with(&pattern[2..])
            } else {
                obviously_matches(&pattern, &path)
            }
        }) {
            excluded = !takes_back;
        }
    }
    excluded
}

fn obviously_matches(pattern: &[char], path: &[char]) -> bool {
    match pattern {
        [] => path.is_empty(),
        ['*', '*'] | ['*', '*', '/'] => true,
        ['*', '*', rest @ ..] => {
            let rest = rest.strip_prefix(&['/']).unwrap_or(rest);
            let after_slash = |at: &usize| *at == 0 || path[at - 1] == '/';
            (0..=path.len())
                .filter(after_slash)
                .any(|at| obviously_matches(rest, &path[at..]))
        }
        ['*', rest @ ..] => {
            let run = path.iter().take_while(|c| **c != '/').count();
            (0..=run).any(|at| obviously_matches(rest, &path[at..]))
        }
        ['?', rest @ ..] => path.first().is_some_and(|c| *c != '/') && obviously_matches(rest, &path[1..]),
        ['[', '^', 'a', ']', rest @ ..] => {
            path.first().is_some_and(|c| *c != 'a') && obviously_matches(rest, &path[1..])
        }
        ['[', 'a', '-', 'b', ']', rest @ ..] => {
            path.first().is_some_and(|c| "ab".contains(*c)) && obviously_matches(rest, &path[1..])
        }
        [own, rest @ ..] => path.first() == Some(own) && obviously_matches(rest, &path[1..]),
    }
}

/// Patterns in their clean form, out of few letters so that they often match.
fn pattern() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ab.]",
        2 => Just("*".to_owned()),
        1 => Just("**".to_owned()),
        1 => Just("?".to_owned()),
        1 => Just("[^a]".to_owned()),
        1 => Just("[a-b]".to_owned()),
    ];
    let component = prop::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat());
    let path = prop::collection::vec(component, 1..4).prop_map(|components| components.join("/"));
    (any::<bool>(), path)
        .prop_filter("clean", |(_, path)| {
            clean(path) == *path && path != "." && !path.starts_with("..")
        })
        .prop_map(|(back, path)| format!("{}{path}", if back { "!" } else { "" }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_rules_decide_as_the_reference_does(
        lines in prop::collection::vec(pattern(), 1..5),
        path in prop::collection::vec("[ab.]{1,3}", 1..5).prop_map(|parts| parts.join("/")),
    ) {
        let ignore = rules(&lines.join("\n"));
        prop_assert_eq!(ignore.excludes(&path), obviously_excludes(&lines, &path), "{:?} {}", lines, path);
    }

    #[test]
    fn nothing_is_taken_back_below_a_folder_that_is_not_looked_into(
        lines in prop::collection::vec(pattern(), 1..5),
        folder in prop::collection::vec("[ab]{1,2}", 1..3).prop_map(|parts| parts.join("/")),
        below in prop::collection::vec("[ab.]{1,2}", 1..3).prop_map(|parts| parts.join("/")),
    ) {
        let ignore = rules(&lines.join("\n"));
        if ignore.excludes(&folder) && ignore.excludes_all_below(&folder) {
            let path = format!("{folder}/{below}");
            prop_assert!(ignore.excludes(&path), "{:?} {}", lines, path);
        }
    }

    #[test]
    fn no_content_makes_it_panic(content in prop::collection::vec(any::<u8>(), 0..200), path in ".{0,40}") {
        if let Ok(ignore) = Ignore::parse(".dockerignore", &content, "Dockerfile") {
            ignore.excludes(&path);
        }
    }
}
