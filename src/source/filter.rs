//! What of a context goes to the builder, and what may not.

use std::io::Read;

use super::ignore::Ignore;
use crate::problem::{Kind, Problem};

/// Git LFS writes no longer pointer (its specification).
const POINTER_MAX: u64 = 1024;

/// What a pointer of Git LFS begins with.
const POINTER_START: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";

/// The choice of what goes into a context.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    /// The context folder, relative to the root; `""` for the root.
    pub folder: String,
    /// The ignore file's rules.
    pub ignore: Ignore,
    /// Whether the repository gives files to Git LFS, so that small files are looked at.
    pub lfs: bool,
}

impl Filter {
    /// Whether every entry goes as it is.
    pub fn is_none(&self) -> bool {
        self.folder.is_empty() && !self.lfs && self.ignore.is_nothing()
    }

    /// Reads a small file and refuses it when it is a pointer; larger ones are not touched.
    pub fn refuse_pointer(&self, path: &str, size: u64, data: &mut impl Read) -> std::io::Result<Looked> {
        let mut head = Vec::new();
        if self.lfs && size <= POINTER_MAX {
            data.take(size).read_to_end(&mut head)?;
        }
        if head.starts_with(POINTER_START) {
            return Ok(Looked::Pointer(Problem::new(
                Kind::Build,
                format!("{path} is a Git LFS pointer, so the image would hold the pointer and not the file"),
                "install git-lfs, then: git lfs install && git lfs pull; or exclude the file in .dockerignore",
            )));
        }
        Ok(Looked::Content(head))
    }
}

/// What a look at a file found.
pub(super) enum Looked {
    /// What was read of it so far.
    Content(Vec<u8>),
    /// It must not go.
    Pointer(Problem),
}
