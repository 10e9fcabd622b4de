//! Writing a tar stream with what git keeps of a file: its path, whether it can be executed, its bytes.

use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use tar::{Builder, EntryType, Header};

/// A symbolic link's target of this length needs an extension entry.
const LINK_MAX: usize = 100;

/// A tar stream being written. Everything belongs to root and has one of git's two modes, since both are part of the
/// layer and of the build's cache key.
pub(super) struct Tape<W: Write> {
    builder: Builder<W>,
}

impl<W: Write> Tape<W> {
    pub fn new(out: W) -> Self {
        Self {
            builder: Builder::new(out),
        }
    }

    pub fn folder(&mut self, path: &Path, mtime: u64) -> io::Result<()> {
        let mut slashed = path.as_os_str().to_owned();
        slashed.push("/");
        let mut header = header(EntryType::Directory, 0o755, mtime, 0);
        self.builder.append_data(&mut header, slashed, io::empty())
    }

    /// Fails when `data` turns out to have another length than `size`.
    pub fn file(&mut self, path: &Path, executable: bool, mtime: u64, size: u64, data: impl Read) -> io::Result<()> {
        let mode = if executable { 0o755 } else { 0o644 };
        let mut header = header(EntryType::Regular, mode, mtime, size);
        self.builder
            .append_data(&mut header, path, Exactly { data, left: size })
    }

    pub fn link(&mut self, path: &Path, target: &Path, mtime: u64) -> io::Result<()> {
        let mut header = header(EntryType::Symlink, 0o777, mtime, 0);
        let bytes = target.as_os_str().as_bytes();
        if bytes.len() >= LINK_MAX {
            return self.builder.append_link(&mut header, path, target);
        }
        // `append_link` would tidy the target up, which is to stay as it is.
        header.set_link_name_literal(bytes)?;
        self.builder.append_data(&mut header, path, io::empty())
    }

    /// Writes the end that makes it a whole archive.
    pub fn end(self) -> io::Result<()> {
        self.builder.into_inner()?.flush()
    }
}

fn header(kind: EntryType, mode: u32, mtime: u64, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(mtime);
    header.set_size(size);
    header
}

/// A reader that is to have an exact length: a tar entry with another one would shift everything behind it.
struct Exactly<R> {
    data: R,
    left: u64,
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.data.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) if read > 0 || left == 0 || buffer.is_empty() => {
                self.left = left;
                Ok(read)
            }
            Some(_) => Err(changed("it became shorter while it was read")),
            None => Err(changed("it became longer while it was read")),
        }
    }
}

fn changed(how: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, how)
}
