//! The file with a build's whole log.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use crate::problem::{Kind, Problem};

/// Only the operator may read what a build prints.
const FILE_MODE: u32 = 0o600;
/// Likewise for the folder, where it has to be made.
const FOLDER_MODE: u32 = 0o700;

/// A log file. Lines are written as they come and pushed out after each message of the engine, for `tail -f`.
pub(super) struct LogFile {
    /// None once a write has failed: a full disk is no reason to stop a build.
    file: Option<BufWriter<File>>,
}

impl LogFile {
    /// Creates the file, or empties it.
    pub fn create(path: &Path) -> Result<Self, Problem> {
        let problem = |error: std::io::Error| {
            Problem::new(
                Kind::Build,
                format!("could not create the build's log file {}: {error}", path.display()),
                "make room, or make its folder writable for you",
            )
        };
        if let Some(folder) = path.parent() {
            let mut builder = DirBuilder::new();
            builder
                .recursive(true)
                .mode(FOLDER_MODE)
                .create(folder)
                .map_err(problem)?;
        }
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(FILE_MODE)
            .open(path)
            .map_err(problem)?;
        file.set_permissions(Permissions::from_mode(FILE_MODE))
            .map_err(problem)?;
        Ok(Self {
            file: Some(BufWriter::new(file)),
        })
    }

    /// Writes a line of step `step`, 0 for the builder itself.
    ///
    /// # Errors
    ///
    /// The first failed write, once; the file ends there.
    pub fn line(&mut self, step: usize, line: &str) -> Result<(), std::io::Error> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let written = writeln!(file, "#{step} {line}");
        if written.is_err() {
            self.file = None;
        }
        written
    }

    /// Pushes out what was written.
    ///
    /// # Errors
    ///
    /// As [`LogFile::line`].
    pub fn flush(&mut self) -> Result<(), std::io::Error> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let written = file.flush();
        if written.is_err() {
            self.file = None;
        }
        written
    }
}
