//! What sentence-transformers writes beside a model: modules.json, what it names, and what is
//! put before each text. Read and checked, so that a checkpoint embeds here as it does there.

mod pooling;
mod prompts;

use std::path::Path;

use candle_core::Device;
use encoders_models::family::Config;
use encoders_models::pooling::Pooling;
use encoders_models::{Result, checkpoint_error, config_error};
use serde_json::Value;

pub(crate) use self::prompts::{Prompts, names};
use crate::files::{Part, is_there, read_optional, shown};
use crate::listing::{following, transformer_folder};
use crate::modules::{Module, read_modules};
use crate::similarity::Similarity;
use crate::text::sentence_files;

/// The prompts that every embedding model has, empty unless it says otherwise.
const ALWAYS: [&str; 2] = ["query", "document"];

/// How a checkpoint turns token vectors into one.
#[derive(Debug)]
pub(crate) struct SentenceSettings {
    pub pooling: Vec<Pooling>,
    /// Whether pooling sees the prompt.
    pub include_prompt: bool,
    /// What follows the pooling.
    pub modules: Vec<Module>,
    /// How many numbers the vectors have that the modules make.
    pub size: usize,
    pub prompts: Prompts,
    /// How many of them are kept; None: all.
    pub truncate_dim: Option<usize>,
    pub similarity: Similarity,
}

impl SentenceSettings {
    /// What modules.json, what it names and config_sentence_transformers.json say; without
    /// them, sentence-transformers takes the mean, and a family that is made for embeddings
    /// scales it to length one.
    pub fn read(folder: &Path, config: &Config, device: &Device) -> Result<Self> {
        let hidden_size = config.encoder().hidden_size;
        check_no_chat(&transformer_folder(folder)?, "text")?;
        let path = folder.join("config_sentence_transformers.json");
        let Some(listed) = following(folder)? else {
            check_alone(folder, &path)?;
            return Ok(Self {
                pooling: vec![Pooling::Mean],
                include_prompt: true,
                modules: config
                    .family()
                    .embeds
                    .then_some(Module::Normalize)
                    .into_iter()
                    .collect(),
                size: hidden_size,
                prompts: Prompts::read(&Part::new(), &path, &ALWAYS)?,
                truncate_dim: None,
                similarity: Similarity::Cosine,
            });
        };
        let values = read_optional(&path)?;
        check_kind(&values, &path)?;
        let config = listed[0].folder.join("config.json");
        let (pooling, include_prompt) = pooling::read_pooling(&config, hidden_size)?;
        let pooled = hidden_size * pooling.len();
        let (modules, size) = read_modules(&listed[1..], pooled, device)?;
        Ok(Self {
            pooling,
            include_prompt,
            modules,
            size,
            prompts: Prompts::read(&values, &path, &ALWAYS)?,
            truncate_dim: truncate_dim(&values, &path)?,
            similarity: similarity(&values, &path)?,
        })
    }
}

/// sentence-transformers writes every text, or every pair, into a tokenizer's chat template, if
/// there is one.
pub(crate) fn check_no_chat(folder: &Path, each: &str) -> Result<()> {
    let settings = read_optional(&folder.join("tokenizer_config.json"))?;
    let named = settings.get("chat_template").is_some_and(|template| !template.is_null());
    if !named && !is_there(&folder.join("chat_template.jinja")) {
        return Ok(());
    }
    Err(config_error!(
        "{} has a chat_template, into which sentence-transformers writes every {each}; that is \
         not implemented. If {each}s are meant to stand alone, remove it",
        folder.display()
    ))
}

/// Without a modules.json sentence-transformers reads none of the other files.
fn check_alone(folder: &Path, settings: &Path) -> Result<()> {
    match sentence_files(folder).chain([settings.to_path_buf()]).find(|path| is_there(path)) {
        None => Ok(()),
        Some(path) => Err(checkpoint_error!(
            "{} is there but no modules.json, without which sentence-transformers does not \
             read it: the copy is not whole. Bring modules.json and the folders that it names, \
             or remove the other files",
            path.display()
        )),
    }
}

/// sentence-transformers keeps three kinds of models in one layout.
fn check_kind(values: &Part, path: &Path) -> Result<()> {
    match values.get("model_type") {
        None => Ok(()),
        Some(kind) if kind == "SentenceTransformer" => Ok(()),
        Some(kind) => Err(config_error!(
            "{}: model_type is {}; supported: \"SentenceTransformer\"",
            path.display(),
            shown(kind)
        )),
    }
}

fn truncate_dim(values: &Part, path: &Path) -> Result<Option<usize>> {
    match values.get("truncate_dim") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64() {
            Some(count) if count > 0 => Ok(Some(count as usize)),
            _ => Err(config_error!(
                "{}: truncate_dim is {}; it must be a whole number of at least 1",
                path.display(),
                shown(value)
            )),
        },
    }
}

/// Cosine where nothing else is named.
fn similarity(values: &Part, path: &Path) -> Result<Similarity> {
    match values.get("similarity_fn_name") {
        None | Some(Value::Null) => Ok(Similarity::Cosine),
        Some(Value::String(name)) if name.is_empty() => Ok(Similarity::Cosine),
        Some(Value::String(name)) => {
            name.parse().map_err(|error: encoders_models::Error| error.at(path.display()))
        }
        Some(other) => Err(config_error!(
            "{}: similarity_fn_name is {}; it must be a string",
            path.display(),
            shown(other)
        )),
    }
}
