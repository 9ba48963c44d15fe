//! How sentence-transformers prepares texts: its sentence_bert_config.json, which names the
//! arguments of its Transformer module.

use std::path::{Path, PathBuf};

use encoders_models::{Result, config_error};
use serde_json::{Value, json};

use crate::files::{Part, read_optional, shown};

/// What the file is called after: a kind of model, long ago. The first that is not empty
/// counts.
const KINDS: [&str; 7] =
    ["bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"];
/// Arguments that are handed on; the names today, and those of older releases.
const HANDED_ON: [(&str, &str); 3] = [
    ("model_kwargs", "model_args"),
    ("config_kwargs", "config_args"),
    ("processor_kwargs", "tokenizer_args"),
];
/// How a model is fetched and which code runs it, never what it computes.
const FETCHING: [&str; 13] = [
    "attn_implementation",
    "cache_dir",
    "code_revision",
    "force_download",
    "local_files_only",
    "low_cpu_mem_usage",
    "revision",
    "subfolder",
    "token",
    "trust_remote_code",
    "use_auth_token",
    "use_fast",
    "use_safetensors",
];
/// What of the tokenizer's own settings is taken from there, before tokenizer_config.json.
const OF_THE_TOKENIZER: [&str; 6] = [
    "add_prefix_space",
    "do_lower_case",
    "model_max_length",
    "strip_accents",
    "tokenize_chinese_chars",
    "truncation_side",
];

/// What the Transformer module says that it is there for.
#[derive(Debug, Clone, Copy)]
struct Means {
    task: &'static str,
    gives: &'static str,
    output: &'static str,
}

const VECTORS: Means = Means {
    task: "feature-extraction",
    gives: "last_hidden_state",
    output: "token_embeddings",
};
/// In a cross-encoder's folder it has the head of a classifier.
const SCORES: Means =
    Means { task: "sequence-classification", gives: "logits", output: "scores" };

/// Where sentence_bert_config.json may be, under all of its names.
pub(crate) fn sentence_files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    KINDS.into_iter().map(|kind| folder.join(format!("sentence_{kind}_config.json")))
}

/// What sentence_bert_config.json says.
#[derive(Debug, Default)]
pub(super) struct TextSettings {
    /// How many tokens a text may have, the special ones too.
    pub max_seq_length: Option<usize>,
    /// Whether texts are lower-cased before all else.
    pub lower_case: bool,
    /// What replaces the tokenizer's own settings.
    pub tokenizer: Part,
    /// The file that says so.
    pub path: PathBuf,
}

impl TextSettings {
    /// Reads the file under any of its names; what is not implemented is refused.
    pub fn read(folder: &Path) -> Result<Self> {
        let means = if is_cross_encoder(folder)? { SCORES } else { VECTORS };
        for path in sentence_files(folder) {
            let values = read_optional(&path)?;
            if !values.is_empty() {
                return Self::of(values, path, means);
            }
        }
        Ok(Self::default())
    }

    fn of(values: Part, path: PathBuf, means: Means) -> Result<Self> {
        let mut settings = Self { path, ..Self::default() };
        for (key, value) in &values {
            let handed_on = HANDED_ON.iter().any(|(new, old)| key == new || key == old);
            match key.as_str() {
                "max_seq_length" | "do_lower_case" | "unpad_inputs" => {}
                _ if value.is_null() => {}
                _ if handed_on => settings.take(key, value)?,
                "transformer_task" if value == means.task => {}
                "module_output_name" if value == means.output => {}
                "processing_kwargs" if *value == json!({}) => {}
                "modality_config" if is_text_only(value, means.gives) => {}
                _ => {
                    return Err(config_error!(
                        "{}: {key:.80} is {}, which is not implemented",
                        settings.path.display(),
                        shown(value)
                    ));
                }
            }
        }
        settings.max_seq_length = token_limit(&values, "max_seq_length", &settings.path)?;
        settings.lower_case =
            switch(&values, "do_lower_case", &settings.path)?.unwrap_or(false);
        Ok(settings)
    }

    /// Keeps what is meant for the tokenizer; whatever else would change a result is refused.
    fn take(&mut self, key: &str, value: &Value) -> Result<()> {
        let wrong = |what: String| config_error!("{}: {key} {what}", self.path.display());
        let given = value
            .as_object()
            .ok_or_else(|| wrong(format!("is {}; it must be an object", shown(value))))?;
        let of_the_tokenizer = matches!(key, "processor_kwargs" | "tokenizer_args");
        let of_the_model = matches!(key, "model_kwargs" | "model_args");
        for (name, value) in given {
            let known = name.as_str();
            let single = ["dtype", "torch_dtype"].contains(&known)
                && (value.is_null() || value == "float32" || value == "auto");
            if of_the_tokenizer && OF_THE_TOKENIZER.contains(&known) {
                self.tokenizer.insert(name.clone(), value.clone());
            } else if !(FETCHING.contains(&known) || of_the_model && single) {
                return Err(wrong(format!(
                    "has {name:.80} {}, which is not implemented",
                    shown(value)
                )));
            }
        }
        Ok(())
    }
}

/// Whether sentence-transformers saved the model there as a cross-encoder, a classifier of
/// pairs. Folders of its older releases do not say.
pub(crate) fn is_cross_encoder(folder: &Path) -> Result<bool> {
    let values = read_optional(&folder.join("config_sentence_transformers.json"))?;
    Ok(values.get("model_type").is_some_and(|kind| kind == "CrossEncoder"))
}

/// What a model of texts takes in and gives, however sentence-transformers spells it.
fn is_text_only(value: &Value, gives: &str) -> bool {
    let text = json!({"method": "forward", "method_output_name": gives});
    let mut spelled = text.clone();
    spelled["format"] = json!("auto");
    *value == json!({"text": text}) || *value == json!({"text": spelled})
}

/// A number of tokens that a settings file allows; 3 hold one token and two special ones. 1e30
/// stands for "none" in some files.
pub(super) fn token_limit(values: &Part, key: &str, path: &Path) -> Result<Option<usize>> {
    let value = match values.get(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => value,
    };
    let limit = value.as_f64().filter(|limit| *limit >= 3.0 && limit.fract() == 0.0);
    match limit {
        Some(limit) => Ok(Some(limit as usize)), // saturates
        None => Err(config_error!(
            "{}: {key} is {}; it must be a whole number of at least 3",
            path.display(),
            shown(value)
        )),
    }
}

/// True, false, or nothing.
pub(super) fn switch(values: &Part, key: &str, path: &Path) -> Result<Option<bool>> {
    match values.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(value) => Err(config_error!(
            "{}: {key} is {}; it must be true or false",
            path.display(),
            shown(value)
        )),
    }
}
