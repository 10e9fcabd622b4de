//! Which thing a path names. Repository names hold slashes, so paths are read from their end.

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// `/v2/`
    Base,
    /// `/v2/<name>/tags/list`
    Tags { name: String },
    /// `/v2/<name>/manifests/<tag or digest>`
    Manifest { name: String, reference: String },
    /// `/v2/<name>/blobs/<digest>`
    Blob { name: String, digest: String },
    /// `/v2/<name>/blobs/uploads/`
    Uploads { name: String, ask: Ask },
    /// `/v2/<name>/blobs/uploads/<id>`
    Upload {
        name: String,
        id: String,
        digest: Option<String>,
    },
}

/// What a new upload is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    /// Bytes will follow.
    Session,
    /// The body is the blob.
    Whole { digest: String },
    /// Another repository may have it.
    Mount { digest: String, from: Option<String> },
}

impl Route {
    pub fn parse(path: &str, query: &str) -> Option<Self> {
        let rest = path.strip_prefix("/v2")?;
        let rest = rest.strip_prefix('/').or_else(|| rest.is_empty().then_some(""))?;
        if rest.is_empty() {
            return Some(Self::Base);
        }
        let digest = value(query, "digest");
        if let Some(name) = rest.strip_suffix("/tags/list") {
            return Some(Self::Tags { name: name.to_owned() });
        }
        if let Some(name) = rest
            .strip_suffix("/blobs/uploads/")
            .or_else(|| rest.strip_suffix("/blobs/uploads"))
        {
            let ask = match (value(query, "mount"), digest) {
                (Some(digest), _) => Ask::Mount {
                    digest,
                    from: value(query, "from"),
                },
                (None, Some(digest)) => Ask::Whole { digest },
                (None, None) => Ask::Session,
            };
            return Some(Self::Uploads {
                name: name.to_owned(),
                ask,
            });
        }
        let (head, last) = rest.rsplit_once('/')?;
        if last.is_empty() {
            return None;
        }
        let last = last.to_owned();
        if let Some(name) = head.strip_suffix("/blobs/uploads") {
            return Some(Self::Upload {
                name: name.to_owned(),
                id: last,
                digest,
            });
        }
        if let Some(name) = head.strip_suffix("/blobs") {
            return Some(Self::Blob {
                name: name.to_owned(),
                digest: last,
            });
        }
        head.strip_suffix("/manifests").map(|name| Self::Manifest {
            name: name.to_owned(),
            reference: last,
        })
    }
}

/// A query parameter, decoded.
fn value(query: &str, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_slashes_and_the_words_of_the_protocol() {
        let parse = |path| Route::parse(path, "digest=sha256%3Aab").expect("a route");
        assert_eq!(parse("/v2/"), Route::Base);
        assert_eq!(parse("/v2/a/b/tags/list"), Route::Tags { name: "a/b".into() });
        assert_eq!(
            parse("/v2/manifests/blobs/manifests/v1"),
            Route::Manifest {
                name: "manifests/blobs".into(),
                reference: "v1".into()
            }
        );
        assert_eq!(
            parse("/v2/a/blobs/sha256:ab"),
            Route::Blob {
                name: "a".into(),
                digest: "sha256:ab".into()
            }
        );
        assert_eq!(
            parse("/v2/a/b/blobs/uploads/7"),
            Route::Upload {
                name: "a/b".into(),
                id: "7".into(),
                digest: Some("sha256:ab".into())
            }
        );
        assert_eq!(
            parse("/v2/a/blobs/uploads/"),
            Route::Uploads {
                name: "a".into(),
                ask: Ask::Whole {
                    digest: "sha256:ab".into()
                }
            }
        );
        assert_eq!(Route::parse("/v1/_ping", ""), None);
        assert_eq!(Route::parse("/v2/a/manifests/", ""), None);
    }
}
