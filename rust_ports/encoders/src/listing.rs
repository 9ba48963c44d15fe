//! modules.json: which modules a folder's model is a chain of, and where each keeps its files.

use std::path::{Component, Path, PathBuf};

use encoders_models::{Result, checkpoint_error, config_error};
use serde_json::Value;

use crate::files::{is_there, read_json, shown};

/// A module of the chain.
#[derive(Debug)]
pub(crate) struct Listed {
    /// The name of its class.
    pub kind: String,
    /// Where its files are.
    pub folder: PathBuf,
}

/// What follows the Transformer: a Pooling, then whatever there is; None without a
/// modules.json.
pub(crate) fn following(folder: &Path) -> Result<Option<Vec<Listed>>> {
    let path = folder.join("modules.json");
    if !is_there(&path) {
        return Ok(None);
    }
    let modules = read_list(&path)?;
    let kinds = modules.iter().map(module_kind).collect::<Result<Vec<_>>>();
    let kinds = kinds.map_err(|error| error.at(path.display()))?;
    if !kinds.starts_with(&["Transformer", "Pooling"]) {
        let listed = if kinds.is_empty() { "none".into() } else { kinds.join(", ") };
        return Err(config_error!(
            "{}: it lists the modules {listed:.200}; supported: a Transformer, a Pooling, and \
             what follows them",
            path.display()
        ));
    }
    let listed = kinds.iter().zip(&modules).skip(1).map(|(kind, module)| {
        let place = &module["path"];
        match place.as_str().filter(|place| is_inside(place)) {
            Some(place) => Ok(Listed { kind: kind.to_string(), folder: folder.join(place) }),
            // Beside the model's own config.json it would read that.
            None => Err(config_error!(
                "{}: it sends {kind:.80} to {}; it must be a folder inside its own",
                path.display(),
                shown(place)
            )),
        }
    });
    listed.collect::<Result<Vec<_>>>().map(Some)
}

/// Where the encoder and its tokenizer are: in the folder itself, or where modules.json says.
pub(crate) fn transformer_folder(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("modules.json");
    if !is_there(&path) {
        return Ok(folder.to_path_buf());
    }
    match read_list(&path)?.first() {
        Some(first) if module_kind(first).is_ok_and(|kind| kind == "Transformer") => {
            match first.get("path").unwrap_or(&Value::Null) {
                Value::Null => Ok(folder.to_path_buf()),
                Value::String(place) if place.is_empty() => Ok(folder.to_path_buf()),
                Value::String(place) if is_inside(place) => Ok(folder.join(place)),
                place => Err(config_error!(
                    "{}: it sends Transformer to {}; it must be a folder inside its own, or \
                     \"\"",
                    path.display(),
                    shown(place)
                )),
            }
        }
        _ => Ok(folder.to_path_buf()),
    }
}

pub(crate) fn read_list(path: &Path) -> Result<Vec<Value>> {
    match read_json(path)? {
        Value::Array(modules) => Ok(modules),
        _ => Err(checkpoint_error!("{}: it must hold a list of modules", path.display())),
    }
}

/// 'sentence_transformers.models.Pooling', in any release's spelling of the module path, is
/// 'Pooling'.
pub(crate) fn module_kind(module: &Value) -> Result<&str> {
    let Some(kind) = module["type"].as_str() else {
        return Err(checkpoint_error!("a module has no type: {}", shown(module)));
    };
    match kind.split_once('.') {
        Some(("sentence_transformers", inside)) => {
            Ok(inside.rsplit('.').next().unwrap_or(inside))
        }
        _ => Err(config_error!(
            "module {kind:.80} is not implemented; supported: those of sentence_transformers"
        )),
    }
}

fn is_inside(place: &str) -> bool {
    let mut parts = Path::new(place).components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}
