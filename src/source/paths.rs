//! Paths within the repository, as the configuration writes them.

/// The path without `.`, `..` and empty components, `""` for the folder itself; `None` when it leads out of it.
pub(super) fn inside(path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// `name` in `folder`, where an empty folder is the root.
pub(super) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leads_out_is_none() {
        assert_eq!(inside("./a//b/../c/"), Some("a/c".to_owned()));
        assert_eq!(inside("."), Some(String::new()));
        for outside in ["..", "a/../../b", "/etc"] {
            assert_eq!(inside(outside), None, "{outside}");
        }
    }
}
