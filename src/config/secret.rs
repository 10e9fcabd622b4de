//! Where a secret comes from: an environment variable or a file, named in config.toml and never written there.

use std::env::VarError;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use secrecy::SecretString;

use super::grammar;
use super::reader::Reader;
use super::report::Mistake;
use super::table::Table;

/// The environment and the folder that secrets are read from.
#[derive(Clone, Copy)]
pub(super) struct Secrets<'s> {
    /// Looks an environment variable up.
    pub env: &'s dyn Fn(&str) -> Result<String, VarError>,
    /// The folder of config.toml, which relative paths start from.
    pub folder: &'s Path,
}

/// How a secret is written, for people.
pub(super) const FORM: &str = "{ secret_env = \"NAME\" } or { secret_file = \"PATH\" }";

const KEYS: [&str; 2] = ["secret_env", "secret_file"];

/// Neither a build argument nor an SSM parameter can be longer; a device without an end is no secret.
const FILE_MAX: usize = 64 * 1024;

/// As much of the file as shows that it is too long.
fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads `{ secret_env = "NAME" }` or `{ secret_file = "PATH" }`.
pub(super) fn read(reader: &mut Reader<'_>, mut table: Table<'_>) -> Option<SecretString> {
    let secrets = reader.secrets;
    let said = table.entries().iter().filter(|entry| KEYS.contains(&entry.key)).count();
    if said > 1 || table.entries().is_empty() {
        reader.mistake(
            Mistake::new(
                table.at.clone(),
                format!("`{}` must name one source of the secret", table.name),
            )
            .help(format!("write {FORM}")),
        );
        return None;
    }
    table.know(&KEYS, reader);
    let env = table.field("secret_env", reader, |reader, value| {
        let name = reader.plain(value, &grammar::ENV_NAME)?;
        let (what, remedy) = match (secrets.env)(&name) {
            Ok(secret) if !secret.is_empty() => return Some(SecretString::from(secret)),
            Ok(_) => ("empty", "give it its value"),
            Err(VarError::NotPresent) => ("not set", "set it"),
            Err(VarError::NotUnicode(_)) => ("not UTF-8", "give it a text"),
        };
        reader.mistake(
            Mistake::new(value.at.clone(), format!("the environment variable {name} is {what}"))
                .label(format!("{what} in this process's environment"))
                .help(format!("{remedy} where quarterdeck is started: export {name}=…")),
        );
        None
    });
    let file = table.field("secret_file", reader, |reader, value| {
        let path = reader.text(value)?;
        let error = match read_file(&secrets.folder.join(&path)) {
            Ok(bytes) if bytes.len() > FILE_MAX => format!("it is longer than {} KiB", FILE_MAX / 1024),
            Ok(bytes) => match str::from_utf8(&bytes).map(|text| text.trim_end_matches(['\r', '\n'])) {
                Ok("") => "it is empty".to_owned(),
                Ok(secret) => return Some(SecretString::from(secret)),
                Err(_) => "it is not UTF-8".to_owned(),
            },
            Err(error) => error.to_string(),
        };
        reader.mistake(
            Mistake::new(
                value.at.clone(),
                format!("the secret file {path} could not be read: {error}"),
            )
            .help("a relative path starts at the folder of config.toml; a line break at the end is left out"),
        );
        None
    });
    env.or(&file).given().map(|secret| secret.what.clone())
}
