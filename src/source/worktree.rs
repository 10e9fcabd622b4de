//! The working directory as it is: as a build context, and as the hash that names what differs from the commit.
//!
//! The context has Docker's own meaning, not git's: everything in the folder goes that `.dockerignore` does not exclude,
//! files that git ignores included, since build outputs are what this source is for. Only `.git` never goes, whatever
//! `.dockerignore` says: it holds credentials and changes with every fetch. Files go in the order of their names, with
//! git's modes and their own times; sockets, pipes and devices are left out, as Docker does.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};

use super::filter::{Filter, Looked};
use super::ignore::Ignore;
use super::pipe::{self, Chunks};
use super::tape::Tape;
use crate::engine::ports::Context;
use crate::problem::{Kind, Problem};

/// Starts the stream of what `filter` lets through of its folder in `root`.
pub(super) fn start(root: &Path, filter: Filter) -> Context {
    let base = root.join(&filter.folder);
    pipe::context(|sender| {
        tokio::task::spawn_blocking(move || {
            let mut tape = Tape::new(Chunks::new(sender));
            walk(&base, &filter.ignore, &mut |found| record(&mut tape, found, &filter))?;
            tape.end().map_err(|error| unread(&base, &error))
        })
    })
}

/// Something in the working directory.
struct Found<'a> {
    /// Relative to the walk's base.
    path: &'a Path,
    /// Where it is.
    place: &'a Path,
    what: What,
}

enum What {
    Folder(Metadata),
    File(File, Metadata),
    Link(PathBuf, Metadata),
}

/// Visits what `ignore` does not exclude below `base`, in the order of names, a folder before what is in it.
fn walk(base: &Path, ignore: &Ignore, visit: &mut dyn FnMut(Found<'_>) -> Result<(), Problem>) -> Result<(), Problem> {
    // What is still to do, the next on top.
    let mut ahead = names(base, Path::new(""))?;
    while let Some(path) = ahead.pop() {
        let place = base.join(&path);
        let excluded = ignore.excludes(&path.to_string_lossy());
        let metadata = match fs::symlink_metadata(&place) {
            Ok(metadata) => metadata,
            Err(_) if excluded => continue,
            Err(error) => return Err(unread(&place, &error)),
        };
        if metadata.is_dir() && !(excluded && ignore.excludes_all_below(&path.to_string_lossy())) {
            ahead.extend(names(base, &path)?);
        }
        if excluded {
            continue;
        }
        if let Some(what) = What::at(&place, metadata).map_err(|error| unread(&place, &error))? {
            visit(Found {
                path: &path,
                place: &place,
                what,
            })?;
        }
    }
    Ok(())
}

impl What {
    /// `None` for what a context does not hold.
    fn at(place: &Path, metadata: Metadata) -> io::Result<Option<Self>> {
        let kind = metadata.file_type();
        Ok(if kind.is_dir() {
            Some(Self::Folder(metadata))
        } else if kind.is_symlink() {
            Some(Self::Link(fs::read_link(place)?, metadata))
        } else if kind.is_file() {
            // Should a pipe or a link stand there by now, opening it neither waits nor leads elsewhere.
            let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
            let file = OpenOptions::new()
                .read(true)
                .custom_flags(flags.bits().cast_signed())
                .open(place)?;
            let metadata = file.metadata()?;
            Some(Self::File(file, metadata))
        } else {
            None
        })
    }
}

/// The names in a folder, the last one first; without `.git`.
fn names(base: &Path, folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    let place = base.join(folder);
    let read = || -> io::Result<Vec<PathBuf>> {
        let mut names = fs::read_dir(&place)?
            .map(|entry| Ok(entry?.file_name()))
            .filter(|name| name.as_ref().map_or(true, |name| name != ".git"))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort_unstable_by(|one, other| other.cmp(one));
        Ok(names.into_iter().map(|name| folder.join(name)).collect())
    };
    read().map_err(|error| unread(&place, &error))
}

/// Writes one thing to the tape.
fn record(tape: &mut Tape<Chunks>, found: Found<'_>, filter: &Filter) -> Result<(), Problem> {
    let Found { path, place, what } = found;
    let written = match what {
        What::Folder(metadata) => tape.folder(path, mtime(&metadata)),
        What::Link(target, metadata) => tape.link(path, &target, mtime(&metadata)),
        What::File(mut file, metadata) => {
            let size = metadata.len();
            match filter.refuse_pointer(&path.to_string_lossy(), size, &mut file) {
                Ok(Looked::Pointer(problem)) => return Err(problem),
                Ok(Looked::Content(head)) => {
                    let data = head.as_slice().chain(file);
                    tape.file(path, is_executable(&metadata), mtime(&metadata), size, data)
                }
                Err(error) => Err(error),
            }
        }
    };
    written.map_err(|error| unread(place, &error))
}

fn mtime(metadata: &Metadata) -> u64 {
    u64::try_from(metadata.mtime()).unwrap_or(0)
}

/// As git sees it: by the owner's bit.
fn is_executable(metadata: &Metadata) -> bool {
    metadata.permissions().mode() & 0o100 != 0
}

fn unread(place: &Path, error: &io::Error) -> Problem {
    let place = place.display();
    Problem::new(
        Kind::Build,
        format!("cannot read {place} for the build context: {error}"),
        "make it readable and leave it alone during the build, or exclude it in .dockerignore",
    )
}

/// A hash of these paths of `root` with what is there now, absent files included.
pub(super) fn hash(root: &Path, mut paths: Vec<Vec<u8>>) -> Result<String, Problem> {
    paths.sort_unstable();
    let mut hash = Sha256::new();
    for path in &paths {
        let place = root.join(OsStr::from_bytes(path));
        let metadata = match fs::symlink_metadata(&place) {
            Ok(metadata) => metadata,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                feed(&mut hash, b"absent", path);
                continue;
            }
            Err(error) => return Err(unread(&place, &error)),
        };
        let is_dir = metadata.is_dir();
        let what = What::at(&place, metadata).map_err(|error| unread(&place, &error))?;
        what.map_or(Ok(()), |what| add(&mut hash, path, what))
            .map_err(|error| unread(&place, &error))?;
        // A repository within this one is told as a whole.
        if is_dir {
            walk(&place, &Ignore::nothing(), &mut |found| {
                let path = found.path.as_os_str().as_bytes();
                add(&mut hash, path, found.what).map_err(|error| unread(found.place, &error))
            })?;
        }
    }
    let digest = hash.finalize();
    Ok(digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect())
}

fn add(hash: &mut Sha256, path: &[u8], what: What) -> io::Result<()> {
    match what {
        What::Folder(_) => feed(hash, b"folder", path),
        What::Link(target, _) => {
            feed(hash, b"link", path);
            feed(hash, b"target", target.as_os_str().as_bytes());
        }
        What::File(mut file, metadata) => {
            feed(hash, if is_executable(&metadata) { b"program" } else { b"file" }, path);
            let mut content = Sha256::new();
            let mut buffer = vec![0; pipe::CHUNK];
            loop {
                match file.read(&mut buffer)? {
                    0 => break,
                    read => content.update(&buffer[..read]),
                }
            }
            feed(hash, b"content", &content.finalize());
        }
    }
    Ok(())
}

/// Adds a part with its length, so that no two lists of parts look alike.
fn feed(hash: &mut Sha256, kind: &[u8], part: &[u8]) {
    for bytes in [kind, part] {
        hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(bytes);
    }
}
