//! Reading of small files; each error names the file.

use std::path::{Component, Path};

use encoders_models::{Result, checkpoint_error};
use serde_json::Value;

/// The content of a JSON file.
pub(crate) fn read_json(path: &Path) -> Result<Value> {
    serde_json::from_str(&read_text(path)?)
        .map_err(|problem| checkpoint_error!("{}: not valid JSON: {problem}", path.display()))
}

/// The content of a text file.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path)
        .map_err(|problem| checkpoint_error!("{} cannot be read: {problem}", path.display()))
}

/// Whether this names a file or a folder right here, and nothing outside.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let here = matches!(parts.next(), Some(Component::Normal(part)) if part == name);
    here && parts.next().is_none() && !name.contains('\\')
}
