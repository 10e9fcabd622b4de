//! A directory for as long as a rehearsal lasts.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The directory; dropping it removes it and everything in it.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// A new directory among the machine's temporary files, open to this user alone.
    pub fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("quarterdeck-rehearsal-{}", uuid::Uuid::now_v7().simple()));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Whatever can't be removed now is the temporary directory's to clear away.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
