//! File trees without unpacking: where in which tar file each path's content lies.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tar::{EntryType, Header};

use crate::rehearsal::ecr::manifest;

/// Paths without a leading slash, each with what is there. Later layers lie over earlier ones.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree(BTreeMap<String, Node>);

/// A file, a folder or a link.
#[derive(Debug, Clone)]
pub(super) struct Node {
    kind: EntryType,
    mode: u32,
    modified: u64,
    size: u64,
    /// Where a link leads.
    target: Option<PathBuf>,
    tar: Arc<Path>,
    offset: u64,
}

/// A finished layer: an uncompressed tar file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layer {
    pub digest: String,
    pub size: u64,
    /// The bytes of the files in it.
    pub content: u64,
    pub path: PathBuf,
}

/// A path as trees have it: without `.`, `..`, and slashes at either end.
pub(super) fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

impl Tree {
    /// Reads the index of a tar file.
    pub fn read(tar: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        tree.lay_over(tar)?;
        Ok(tree)
    }

    /// Puts a tar file's entries over what is there.
    pub fn lay_over(&mut self, tar: &Path) -> io::Result<()> {
        let shared: Arc<Path> = tar.into();
        let mut archive = tar::Archive::new(BufReader::new(File::open(tar)?));
        for entry in archive.entries_with_seek()? {
            let entry = entry?;
            let header = entry.header();
            let kind = header.entry_type();
            if !matches!(kind, EntryType::Regular | EntryType::Directory | EntryType::Symlink) {
                continue;
            }
            let path = normal(&entry.path()?.to_string_lossy());
            let node = Node {
                kind,
                mode: header.mode()?,
                modified: header.mtime()?,
                size: entry.size(),
                target: entry.link_name()?.map(|target| target.into_owned()),
                tar: shared.clone(),
                offset: entry.raw_file_position(),
            };
            self.0.insert(path, node);
        }
        Ok(())
    }

    /// A file's content.
    pub fn text(&self, path: &str) -> Option<io::Result<String>> {
        let node = self
            .0
            .get(&normal(path))
            .filter(|node| node.kind == EntryType::Regular)?;
        let mut bytes = Vec::new();
        Some(
            node.copy(&mut bytes)
                .map(|_| String::from_utf8_lossy(&bytes).into_owned()),
        )
    }

    /// What `COPY source.. to` puts where, in the destination's paths; an error is the path that is not there.
    ///
    /// A folder gives its content, a file goes under its own name into a destination that ends with a slash.
    pub fn copy(&self, sources: &[String], to: &str) -> Result<Self, String> {
        let into_folder = to.ends_with('/') || to.ends_with("/.") || sources.len() > 1;
        let to = normal(to);
        let mut out = BTreeMap::new();
        for source in sources {
            let matches = self.matching(&normal(source));
            if matches.is_empty() {
                return Err(source.clone());
            }
            let into_folder = into_folder || matches.len() > 1;
            for path in matches {
                let is_folder = self.is_folder(&path);
                let name = path.rsplit('/').next().unwrap_or_default();
                let base = if !is_folder && into_folder {
                    join(&to, name)
                } else {
                    to.clone()
                };
                let prefix = if path.is_empty() {
                    String::new()
                } else {
                    format!("{path}/")
                };
                for (found, node) in &self.0 {
                    if *found == path {
                        out.insert(base.clone(), node.clone());
                    } else if is_folder && let Some(below) = found.strip_prefix(&prefix) {
                        out.insert(join(&base, below), node.clone());
                    }
                }
            }
        }
        out.remove("");
        Ok(Self(out))
    }

    /// The paths that a source means: itself, or what its wildcards match within one folder.
    fn matching(&self, source: &str) -> Vec<String> {
        if source.is_empty() || self.0.contains_key(source) || self.is_folder(source) {
            return vec![source.to_owned()];
        }
        if !source.contains(['*', '?']) {
            return Vec::new();
        }
        self.0
            .keys()
            .filter(|path| glob(source.as_bytes(), path.as_bytes()))
            .cloned()
            .collect()
    }

    fn is_folder(&self, path: &str) -> bool {
        if let Some(node) = self.0.get(path) {
            return node.kind == EntryType::Directory;
        }
        let prefix = format!("{path}/");
        path.is_empty()
            || self
                .0
                .range(prefix.clone()..)
                .next()
                .is_some_and(|(found, _)| found.starts_with(&prefix))
    }

    /// A digest of paths, modes and contents; not of times, so that a fresh checkout hits the cache.
    pub fn fingerprint(&self) -> io::Result<String> {
        let mut hash = Sha256::new();
        for (path, node) in &self.0 {
            hash.update(format!(
                "{path}\0{:o}\0{:?}\0{:?}\0{}\0",
                node.mode, node.kind, node.target, node.size
            ));
            node.copy(&mut Hashing {
                inner: io::sink(),
                hash: &mut hash,
                bytes: 0,
            })?;
        }
        Ok(manifest::named(hash.finalize().as_slice()))
    }

    /// Writes the tree as a layer into `folder`, parents of every path included.
    pub fn write(&self, folder: &Path) -> io::Result<Layer> {
        let part = folder.join(format!("layer-{}", uuid::Uuid::now_v7()));
        let mut hash = Sha256::new();
        let mut content = 0;
        let out = Hashing {
            inner: BufWriter::new(File::create(&part)?),
            hash: &mut hash,
            bytes: 0,
        };
        let mut tar = tar::Builder::new(out);
        let mut made = std::collections::BTreeSet::new();
        for (path, node) in &self.0 {
            for (at, _) in path.match_indices('/') {
                let parent = &path[..at];
                if !self.0.contains_key(parent) && made.insert(parent.to_owned()) {
                    append(&mut tar, parent, &Node::folder(node), &mut io::empty())?;
                }
            }
            content += node.size;
            append(&mut tar, path, node, &mut node.open()?)?;
        }
        let mut out = tar.into_inner()?;
        out.inner.flush()?;
        let size = out.bytes;
        let digest = manifest::named(hash.finalize().as_slice());
        let path = folder.join(digest.replace(':', "-"));
        std::fs::rename(&part, &path)?;
        Ok(Layer {
            digest,
            size,
            content,
            path,
        })
    }
}

impl Node {
    fn folder(beside: &Self) -> Self {
        Self {
            kind: EntryType::Directory,
            mode: 0o755,
            size: 0,
            target: None,
            ..beside.clone()
        }
    }

    fn open(&self) -> io::Result<io::Take<BufReader<File>>> {
        let mut file = BufReader::new(File::open(&self.tar)?);
        file.seek(SeekFrom::Start(self.offset))?;
        Ok(file.take(self.size))
    }

    fn copy(&self, to: &mut impl Write) -> io::Result<u64> {
        io::copy(&mut self.open()?, to)
    }
}

fn append(tar: &mut tar::Builder<impl Write>, path: &str, node: &Node, content: &mut impl Read) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(node.kind);
    header.set_mode(node.mode);
    header.set_mtime(node.modified);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(node.size);
    match (&node.target, node.kind) {
        (Some(target), _) => tar.append_link(&mut header, path, target),
        (None, EntryType::Directory) => tar.append_data(&mut header, format!("{path}/"), content),
        (None, _) => tar.append_data(&mut header, path, content),
    }
}

fn join(base: &str, below: &str) -> String {
    if base.is_empty() {
        below.to_owned()
    } else {
        format!("{base}/{below}")
    }
}

/// Go's `filepath.Match`, without its character classes: `*` and `?` stop at slashes.
fn glob(pattern: &[u8], path: &[u8]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), None) => glob(rest, path),
        (Some((b'*', rest)), Some((c, tail))) => glob(rest, path) || (*c != b'/' && glob(pattern, tail)),
        (Some((b'?', rest)), Some((c, tail))) => *c != b'/' && glob(rest, tail),
        (Some((p, rest)), Some((c, tail))) => p == c && glob(rest, tail),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// Hashes and counts what passes.
struct Hashing<'a, W> {
    inner: W,
    hash: &'a mut Sha256,
    bytes: u64,
}

impl<W: Write> Write for Hashing<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(folder: &Path, files: &[(&str, &str)]) -> Tree {
        let path = folder.join(format!("context-{}", uuid::Uuid::now_v7()));
        let mut tar = tar::Builder::new(File::create(&path).expect("a file"));
        for (name, content) in files {
            let mut header = Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, content.as_bytes()).expect("it fits");
        }
        tar.finish().expect("it is whole");
        drop(tar);
        Tree::read(&path).expect("it is a tar file")
    }

    fn copied(tree: &Tree, sources: &[&str], to: &str) -> Vec<String> {
        let sources: Vec<String> = sources.iter().map(|source| (*source).to_owned()).collect();
        tree.copy(&sources, to)
            .map(|tree| tree.0.into_keys().collect())
            .unwrap_or_default()
    }

    #[test]
    fn files_and_folders_go_where_docker_puts_them() {
        let dir = tempfile::tempdir().expect("a directory");
        let tree = tree(
            dir.path(),
            &[("app/main", "m"), ("app/lib/x", "x"), ("a.txt", "a"), ("b.txt", "b")],
        );
        assert_eq!(copied(&tree, &["a.txt"], "/etc/a"), ["etc/a"]);
        assert_eq!(copied(&tree, &["a.txt"], "/etc/"), ["etc/a.txt"]);
        assert_eq!(copied(&tree, &["app"], "/srv"), ["srv/lib/x", "srv/main"]);
        assert_eq!(copied(&tree, &["*.txt"], "/t/"), ["t/a.txt", "t/b.txt"]);
        assert_eq!(copied(&tree, &["."], "/"), ["a.txt", "app/lib/x", "app/main", "b.txt"]);
        assert_eq!(tree.copy(&["gone".to_owned()], "/").map(drop), Err("gone".to_owned()));
    }

    #[test]
    fn a_layer_holds_what_was_copied_and_can_be_copied_from() {
        let dir = tempfile::tempdir().expect("a directory");
        let context = tree(dir.path(), &[("app/main", "content")]);
        let copy = context.copy(&["app".to_owned()], "/srv/app").expect("it is there");
        let layer = copy.write(dir.path()).expect("it is written");
        let bytes = std::fs::read(&layer.path).expect("it is a file");
        assert_eq!(
            (layer.digest, layer.size),
            (manifest::digest(&bytes), bytes.len() as u64)
        );
        let again = Tree::read(&layer.path).expect("it is a tar file");
        assert_eq!(
            again
                .text("/srv/app/main")
                .expect("it is there")
                .expect("it is readable"),
            "content"
        );
        let paths: Vec<&str> = again.0.keys().map(String::as_str).collect();
        assert_eq!(paths, ["srv", "srv/app", "srv/app/main"]);
        assert_eq!(
            copy.fingerprint().expect("readable"),
            context
                .copy(&["app".to_owned()], "srv/app")
                .expect("there")
                .fingerprint()
                .expect("readable")
        );
    }
}
