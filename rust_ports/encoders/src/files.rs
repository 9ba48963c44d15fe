//! Reading of small files; each error names the file.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path};

use encoders_models::{Result, checkpoint_error};
use serde_json::{Map, Value};

/// An object in a settings file.
pub(crate) type Part = Map<String, Value>;

/// The largest tokenizer.json there is has a tenth of it; a larger file is a mistake, or a
/// trap.
const MOST_BYTES: u64 = 1 << 28;

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

/// Whether anything has that name, be it a link that leads nowhere.
pub(crate) fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// The content of a text file. A pipe would never end, and neither would /dev/zero: only a file
/// is read, or a link to one.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    let unreadable =
        |problem: String| checkpoint_error!("{} cannot be read: {problem}", path.display());
    let known = path.metadata().map_err(|problem| unreadable(problem.to_string()))?;
    if !known.is_file() {
        return Err(unreadable("it is no file but a folder, a pipe or a device".into()));
    }
    let mut text = String::new();
    let read =
        File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut text));
    match read.map_err(|problem| unreadable(problem.to_string()))? as u64 {
        length if length > MOST_BYTES => {
            Err(unreadable(format!("it is larger than {} MiB", MOST_BYTES >> 20)))
        }
        _ => Ok(text),
    }
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
