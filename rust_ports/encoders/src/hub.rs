//! Models of the Hugging Face hub: its cache, and the hub itself.

use std::path::{Path, PathBuf};

use encoders_models::{Result, checkpoint_error};
use hf_hub::api::sync::ApiBuilder;
use hf_hub::{Cache, Repo, RepoType};

/// Files beside config.json and the weights that a model may or may not have.
const OPTIONAL_FILES: [&str; 9] = [
    "1_Pooling/config.json",
    "added_tokens.json",
    "config_sentence_transformers.json",
    "modules.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "sentencepiece.bpe.model",
];

/// The folder of a hub id: in the hub's cache, or fetched into it.
pub(crate) fn from_hub(model: &str) -> Result<PathBuf> {
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
            "{model} is neither a folder here, nor in the hub's cache {}, nor could it be \
             fetched: {reason}. Give a folder that holds config.json and model.safetensors, or \
             set ENCODERS_MODEL to one",
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
    let beside = |name: &&String| {
        OPTIONAL_FILES.contains(&name.as_str())
            || (name.starts_with("sentence_") && name.ends_with("_config.json"))
    };
    for name in files.iter().filter(beside) {
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
