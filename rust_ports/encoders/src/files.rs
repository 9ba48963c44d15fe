//! Reading of small files; each error names the file. They lie on a disk, or, where there is
//! none, in memory: WebAssembly in a web page is handed its files.

#[cfg_attr(target_family = "wasm", path = "files/memory.rs")]
#[cfg_attr(not(target_family = "wasm"), path = "files/disk.rs")]
mod storage;

use std::path::{Component, Path};

use encoders_models::{Result, checkpoint_error};
use serde_json::{Map, Value};

pub use storage::read_text;
pub(crate) use storage::{bytes, is_file, is_folder, is_there, names_in};
#[cfg(target_family = "wasm")]
pub use storage::{put, take};

/// An object in a settings file.
pub(crate) type Part = Map<String, Value>;

/// The content of a JSON file.
pub(crate) fn read_json(path: &Path) -> Result<Value> {
    serde_json::from_str(&read_text(path)?)
        .map_err(|problem| checkpoint_error!("{}: not valid JSON: {problem}", path.display()))
}

/// The object in a JSON file.
pub(crate) fn read_object(path: &Path) -> Result<Part> {
    match read_json(path)? {
        Value::Object(map) => Ok(map),
        other => Err(checkpoint_error!(
            "{} holds {}; it must be an object",
            path.display(),
            shown(&other)
        )),
    }
}

/// The object in a JSON file that a folder may be without.
pub(crate) fn read_optional(path: &Path) -> Result<Part> {
    if is_there(path) { read_object(path) } else { Ok(Part::new()) }
}

/// Whether this names a file or a folder right here, and nothing outside.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let here = matches!(parts.next(), Some(Component::Normal(part)) if part == name);
    here && parts.next().is_none() && !name.contains('\\')
}

/// A value as it stands in an error: the first of it, if it is long.
pub(crate) fn shown(value: &Value) -> String {
    const MOST: usize = 80;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
