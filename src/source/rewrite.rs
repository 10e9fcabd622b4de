//! Copying a tar stream entry by entry, without what the filter holds back. Takes the same memory for any size.

use std::ffi::OsStr;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use tar::EntryType;

use super::filter::{Filter, Looked};
use super::pipe::CHUNK;
use super::tape::Tape;
use crate::problem::Problem;

/// Why a copy stopped.
#[derive(Debug)]
pub(super) enum Halt {
    /// The stream could not be read, or nobody takes it.
    Torn(io::Error),
    /// Something in it must not go to the builder.
    Refused(Problem),
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Self::Torn(error)
    }
}

/// Copies what the filter lets through, its paths relative to the filter's folder, and reads `input` to its end.
///
/// Entries are written anew rather than copied with their headers: long names are entries of their own in a tar stream,
/// and would be torn from what they name. The header with the commit's id is left out.
pub(super) fn copy(input: impl Read, out: impl Write, filter: &Filter) -> Result<(), Halt> {
    let mut archive = tar::Archive::new(BufReader::with_capacity(CHUNK, input));
    let mut tape = Tape::new(out);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        if kind == EntryType::XGlobalHeader {
            continue;
        }
        let path = entry.path_bytes().into_owned();
        let Some(path) = within(&path, &filter.folder) else {
            continue;
        };
        let name = String::from_utf8_lossy(path);
        if filter.ignore.excludes(&name) {
            continue;
        }
        let path = Path::new(OsStr::from_bytes(path));
        let mtime = entry.header().mtime()?;
        match kind {
            EntryType::Directory => tape.folder(path, mtime)?,
            EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                tape.link(path, Path::new(OsStr::from_bytes(&target)), mtime)?;
            }
            EntryType::Regular => {
                let executable = entry.header().mode()? & 0o100 != 0;
                let size = entry.size();
                match filter.refuse_pointer(&name, size, &mut entry)? {
                    Looked::Content(head) => tape.file(path, executable, mtime, size, head.as_slice().chain(entry))?,
                    Looked::Pointer(problem) => return Err(Halt::Refused(problem)),
                }
            }
            _ => {
                let what = format!("{name} is neither a file, a folder nor a link");
                return Err(Halt::Torn(io::Error::new(io::ErrorKind::InvalidData, what)));
            }
        }
    }
    // The padding after the last entry, without which git would find its pipe closed.
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    Ok(tape.end()?)
}

/// The path below `folder`, without a trailing slash; `None` for the folder itself and what lies beside it.
fn within<'a>(path: &'a [u8], folder: &str) -> Option<&'a [u8]> {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let rest = if folder.is_empty() {
        path
    } else {
        path.strip_prefix(folder.as_bytes())?.strip_prefix(b"/")?
    };
    (!rest.is_empty()).then_some(rest)
}
