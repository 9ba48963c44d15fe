//! Models of the Hugging Face hub: its cache, and the hub itself.

use std::path::{Path, PathBuf};

use encoders_models::{Result, checkpoint_error};
use hf_hub::api::sync::ApiBuilder;
use hf_hub::{Cache, Repo, RepoType};
use serde_json::Value;

use crate::files::read_json;
use crate::listing::{following, transformer_folder};

/// Files that a model may or may not have beside its weights, in its folder or in those that
/// modules.json names.
const FILES: [&str; 10] = [
    "added_tokens.json",
    "chat_template.jinja",
    "config.json",
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
    let known = cached.get("config.json").or_else(|| cached.get("modules.json"));
    if let Some(folder) = known.as_deref().and_then(Path::parent)
        && is_whole(folder)
    {
        return Ok(folder.to_path_buf());
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
    let modules = "modules.json".to_string();
    let places = match files.contains(&modules) {
        true => places(&read_json(&repo.get(&modules)?)?),
        false => vec![String::new()],
    };
    let wanted = files.iter().filter(|name| is_wanted(name, &places));
    // Settings come last, so that where they are in the cache all else is too.
    let (settings, others): (Vec<_>, Vec<_>) =
        wanted.partition(|name| file_name(name) == "config.json");
    let mut fetched = None;
    for name in others.into_iter().chain(settings) {
        let (path, depth) = (repo.get(name)?, Path::new(name).components().count());
        fetched = path.ancestors().nth(depth).map(Path::to_path_buf).or(fetched);
    }
    fetched.ok_or_else(|| "it holds no model".into())
}

/// Where a model's files are: in its folder, and in those that modules.json names.
fn places(modules: &Value) -> Vec<String> {
    let named = modules.as_array().into_iter().flatten();
    let named = named.filter_map(|module| Some(module["path"].as_str()?.trim_matches('/')));
    [""].into_iter().chain(named).map(str::to_string).collect()
}

fn is_wanted(name: &str, places: &[String]) -> bool {
    let file = file_name(name);
    let place = name[..name.len() - file.len()].trim_end_matches('/');
    let of_sentences = file.starts_with("sentence_") && file.ends_with("_config.json");
    let weights = file.starts_with("model")
        && (file.ends_with(".safetensors") || file.ends_with(".safetensors.index.json"));
    places.iter().any(|known| known == place)
        && (FILES.contains(&file) || of_sentences || weights)
}

fn file_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Whether a folder of the cache has the encoder, and the settings of the modules that
/// modules.json lists; an old Normalize has none.
fn is_whole(folder: &Path) -> bool {
    let has =
        |folder: &Path, names: &[&str]| names.iter().any(|name| folder.join(name).exists());
    let weights = ["model.safetensors", "model.safetensors.index.json"];
    let encoder = transformer_folder(folder)
        .is_ok_and(|inside| has(&inside, &["config.json"]) && has(&inside, &weights));
    let mut modules = following(folder).ok().flatten().into_iter().flatten();
    encoder
        && modules
            .all(|module| module.kind == "Normalize" || has(&module.folder, &["config.json"]))
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
    use serde_json::json;

    fn modules() -> Value {
        let module = |path: &str, kind: &str| {
            let kind = format!("sentence_transformers.models.{kind}");
            json!({"path": path, "type": kind})
        };
        json!([
            module("0_Transformer", "Transformer"),
            module("1_Pooling", "Pooling"),
            module("2_Dense", "Dense"),
            module("3_Normalize", "Normalize"),
        ])
    }

    #[test]
    fn what_modules_name_is_wanted_and_no_more() {
        let places = places(&modules());
        for name in [
            "modules.json",
            "0_Transformer/config.json",
            "0_Transformer/model.safetensors",
            "0_Transformer/sentence_bert_config.json",
            "0_Transformer/tokenizer.json",
            "1_Pooling/config.json",
            "2_Dense/model.safetensors",
            "chat_template.jinja",
        ] {
            assert!(is_wanted(name, &places), "{name}");
        }
        for name in ["README.md", "onnx/model.safetensors", "2_Dense/pytorch_model.bin"] {
            assert!(!is_wanted(name, &places), "{name}");
        }
    }

    #[test]
    fn a_copy_is_whole_with_the_encoder_and_every_module() {
        let folder = tempfile::TempDir::new().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("modules.json", &modules().to_string());
        for name in [
            "0_Transformer/model.safetensors",
            "0_Transformer/config.json",
            "1_Pooling/config.json",
            "2_Dense/config.json",
        ] {
            assert!(!is_whole(folder.path()), "before {name}");
            write(name, "{}");
        }
        assert!(is_whole(folder.path()));
    }
}
