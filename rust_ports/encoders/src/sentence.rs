//! What sentence-transformers writes beside a model: modules.json, what it names, and what is
//! put before each text. Read and checked, so that a checkpoint embeds here as it does there.

use std::path::{Component, Path};

use encoders_models::pooling::Pooling;
use encoders_models::{Result, checkpoint_error, config_error};
use serde_json::{Map, Value};

use crate::files::{Part, is_there, read_json, read_object, read_optional, shown};
use crate::text::sentence_files;

/// The ways of pooling with the switch that the old spelling has for each, in the order in
/// which sentence-transformers lays them side by side.
const SWITCHES: [(&str, &str); 6] = [
    ("cls", "pooling_mode_cls_token"),
    ("max", "pooling_mode_max_tokens"),
    ("mean", "pooling_mode_mean_tokens"),
    ("mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens"),
    ("weightedmean", "pooling_mode_weightedmean_tokens"),
    ("lasttoken", "pooling_mode_lasttoken"),
];
/// What a Pooling module's config.json says besides.
const KEYS: [&str; 4] =
    ["word_embedding_dimension", "embedding_dimension", "pooling_mode", "include_prompt"];

/// How a checkpoint turns token vectors into one.
#[derive(Debug, PartialEq)]
pub(crate) struct SentenceSettings {
    pub pooling: Vec<Pooling>,
    pub normalize: bool,
    /// What is put before each text.
    pub prompt: String,
    /// How many numbers of a vector are kept; None: all.
    pub truncate_dim: Option<usize>,
}

impl SentenceSettings {
    /// What modules.json and config_sentence_transformers.json say; without either,
    /// sentence-transformers takes the mean.
    pub fn read(folder: &Path, hidden_size: usize) -> Result<Self> {
        check_no_chat(folder)?;
        let path = folder.join("config_sentence_transformers.json");
        if !is_there(&folder.join("modules.json")) {
            check_alone(folder, &path)?;
            let pooling = vec![Pooling::Mean];
            let (normalize, prompt, truncate_dim) = (false, String::new(), None);
            return Ok(Self { pooling, normalize, prompt, truncate_dim });
        }
        let values = read_optional(&path)?;
        check_kind(&values, &path)?;
        let (prompt, truncate_dim) = (prompt(&values, &path)?, truncate_dim(&values, &path)?);
        let (pooling, normalize) = read_modules(folder, hidden_size)?;
        Ok(Self { pooling, normalize, prompt, truncate_dim })
    }
}

/// sentence-transformers writes every text into a tokenizer's chat template, if there is one.
fn check_no_chat(folder: &Path) -> Result<()> {
    let settings = read_optional(&folder.join("tokenizer_config.json"))?;
    let named = settings.get("chat_template").is_some_and(|template| !template.is_null());
    if !named && !is_there(&folder.join("chat_template.jinja")) {
        return Ok(());
    }
    Err(config_error!(
        "{} has a chat_template, into which sentence-transformers writes every text; that is \
         not implemented. If texts are meant to stand alone, remove it",
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

/// The prompt that default_prompt_name names.
fn prompt(values: &Part, path: &Path) -> Result<String> {
    let wrong = |what: String| config_error!("{}: {what}", path.display());
    let nothing = Map::new();
    let prompts = match values.get("prompts") {
        None | Some(Value::Null) => &nothing,
        Some(Value::Object(prompts)) => prompts,
        Some(other) => {
            let shown = shown(other);
            return Err(wrong(format!(
                "prompts is {shown}; it must be an object from name to text"
            )));
        }
    };
    let name = match values.get("default_prompt_name") {
        None | Some(Value::Null) => return Ok(String::new()),
        Some(Value::String(name)) if name.is_empty() => return Ok(String::new()),
        Some(Value::String(name)) => name,
        Some(other) => {
            let shown = shown(other);
            return Err(wrong(format!("default_prompt_name is {shown}; it must be a string")));
        }
    };
    match prompts.get(name) {
        Some(Value::String(prompt)) => Ok(prompt.clone()),
        Some(Value::Null) => Ok(String::new()),
        None if matches!(name.as_str(), "query" | "document") => Ok(String::new()),
        Some(other) => {
            let shown = shown(other);
            Err(wrong(format!("the prompt {name:?} is {shown}; it must be a string")))
        }
        None => {
            let known: Vec<&str> = prompts.keys().map(String::as_str).collect();
            let known = known.join(", ");
            Err(wrong(format!("default_prompt_name is {name:?}; prompts has {known:.200}")))
        }
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

/// The ways of pooling, and whether vectors are normalized.
fn read_modules(folder: &Path, hidden_size: usize) -> Result<(Vec<Pooling>, bool)> {
    let path = folder.join("modules.json");
    let wrong = |what: String| config_error!("{}: {what}", path.display());
    let Value::Array(modules) = read_json(&path)? else {
        return Err(checkpoint_error!("{}: it must hold a list of modules", path.display()));
    };
    let kinds = modules.iter().map(module_kind).collect::<Result<Vec<_>>>();
    let kinds = kinds.map_err(|error| error.at(path.display()))?;
    let normalize = match kinds[..] {
        ["Transformer", "Pooling"] => false,
        ["Transformer", "Pooling", "Normalize"] => true,
        _ => {
            let listed = if kinds.is_empty() { "none".into() } else { kinds.join(", ") };
            return Err(wrong(format!(
                "it lists the modules {listed:.200}; supported: Transformer, Pooling, Normalize"
            )));
        }
    };
    let inside = modules[0].get("path").unwrap_or(&Value::Null);
    if !inside.is_null() && inside != "" {
        return Err(wrong(format!(
            "it keeps the Transformer in {}; supported: in the folder itself, with the path \
             \"\". Move its files there, or save the model with a newer sentence-transformers",
            shown(inside)
        )));
    }
    let config = |number: usize, usual: &'static str| match modules[number].get("path") {
        None => Ok(folder.join(usual).join("config.json")),
        Some(place) => match place.as_str().filter(|place| is_inside(place)) {
            Some(place) => Ok(folder.join(place).join("config.json")),
            None => Err(wrong(format!(
                "it sends {} to {}; it must be a folder inside its own",
                kinds[number],
                shown(place)
            ))),
        },
    };
    if normalize {
        check_normalize(&config(2, "2_Normalize")?)?;
    }
    Ok((read_pooling(&config(1, "1_Pooling")?, hidden_size)?, normalize))
}

/// It may be told to normalize the vectors of tokens instead; old releases tell it nothing.
fn check_normalize(path: &Path) -> Result<()> {
    let values = read_optional(path)?;
    for key in ["module_input_name", "module_output_name"] {
        match values.get(key) {
            Some(value) if !value.is_null() && value != "sentence_embedding" => {
                return Err(config_error!(
                    "{}: {key} is {}; supported: \"sentence_embedding\"",
                    path.display(),
                    shown(value)
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// 'sentence_transformers.models.Pooling', in any release's spelling of the module path, is
/// 'Pooling'.
fn module_kind(module: &Value) -> Result<&str> {
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

/// The ways that a Pooling module's config.json names.
fn read_pooling(path: &Path, hidden_size: usize) -> Result<Vec<Pooling>> {
    let values = read_object(path)?;
    let wrong = |what: String| config_error!("{}: {what}", path.display());
    for key in ["word_embedding_dimension", "embedding_dimension"] {
        if values.get(key).is_some_and(|size| *size != hidden_size) {
            let size = shown(&values[key]);
            return Err(wrong(format!(
                "it pools vectors of {size}; the model's have hidden_size {hidden_size}"
            )));
        }
    }
    if let Some(value) = values.get("include_prompt").filter(|value| **value != true) {
        let shown = shown(value);
        return Err(wrong(format!("include_prompt is {shown}, which is not implemented")));
    }
    for (key, value) in values.iter().filter(|(key, _)| !KEYS.contains(&key.as_str())) {
        let shown = shown(value);
        if !key.starts_with("pooling_mode_") {
            return Err(wrong(format!(
                "it has the key {key:.80}, which sentence-transformers does not take"
            )));
        }
        match SWITCHES.iter().any(|(_, switch)| key == switch) {
            true if !value.is_boolean() => {
                return Err(wrong(format!("{key} is {shown}; it must be true or false")));
            }
            false if !(value.is_null() || value == false) => {
                return Err(wrong(format!("pooling mode {key:.80} is not implemented")));
            }
            _ => {}
        }
    }
    let ways = chosen_ways(&values).ok_or_else(|| {
        let shown = shown(&values["pooling_mode"]);
        wrong(format!("pooling_mode is {shown}; it must be a name or a list of names"))
    })?;
    let ways: Result<Vec<Pooling>> = ways.into_iter().map(str::parse).collect();
    ways.map_err(|error| error.at(path.display()))
}

/// The new spelling, one key with a name or several; or the old, one switch each. No switch at
/// all is the mean.
fn chosen_ways(values: &Part) -> Option<Vec<&str>> {
    match values.get("pooling_mode") {
        Some(Value::String(name)) => Some(vec![name]),
        Some(Value::Array(names)) if !names.is_empty() => {
            names.iter().map(Value::as_str).collect()
        }
        Some(_) => None,
        None => {
            let on = |switch: &str| values.get(switch) == Some(&Value::Bool(true));
            let ways = SWITCHES.iter().filter(|(_, switch)| on(switch)).map(|(way, _)| *way);
            let ways: Vec<&str> = ways.collect();
            Some(if ways.is_empty() { vec!["mean"] } else { ways })
        }
    }
}
