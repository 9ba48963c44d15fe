//! Text in, one vector a text out, as sentence-transformers has it.

use std::path::Path;

use candle_core::{Device, Tensor};
use encoders_models::family::Config;
use encoders_models::inputs::Inputs;
use encoders_models::model::{Network, in_single_precision};
use encoders_models::pooling::{Pooling, normalize, pool_packed};
use encoders_models::weights::Weights;
use encoders_models::{Lengths, Result, checkpoint_error, config_error};
use serde_json::Value;

use crate::checkpoint::{read_config, read_tensors, select_tensors};
use crate::files::{is_plain_name, read_json};
use crate::pretrained::locate;
use crate::text::Tokenizer;

/// How many tokens are packed into one row: enough to keep all cores busy, little enough for
/// their caches.
const TOKENS_A_ROW: usize = 2048;

/// A sentence embedding model: tokenizer, encoder, pooling, and normalization where the
/// checkpoint has it.
pub struct SentenceEmbedder {
    /// From text to ids.
    pub tokenizer: Tokenizer,
    /// The encoder's configuration.
    pub config: Config,
    /// The encoder.
    pub model: Network,
    /// How the vectors of a text's tokens become one; several ways are laid side by side.
    pub pooling: Vec<Pooling>,
    /// Whether vectors have length one.
    pub normalize: bool,
    device: Device,
}

impl SentenceEmbedder {
    /// Loads a folder, or a hub id through the hub's cache; see [`locate`].
    pub fn from_pretrained(model: &str, device: &Device) -> Result<Self> {
        let folder = locate(model)?;
        let modules = read_modules(&folder)?;
        let config = read_config(&folder)?;
        let build = || {
            let name = config.class("Model");
            let architecture = config.architecture(&name)?;
            let tensors =
                select_tensors(read_tensors(&folder, device)?, &config, architecture)?;
            let tensors = in_single_precision(tensors)?;
            Weights::build(&tensors, |weights| Network::new(&name, &config, weights))
        };
        let model = build().map_err(|error| error.at(folder.display()))?;
        let tokenizer = Tokenizer::from_folder(&folder, config.limits().max_tokens)?;
        let Modules { pooling, normalize } = modules;
        Ok(Self { tokenizer, config, model, pooling, normalize, device: device.clone() })
    }

    /// One vector a text, in the order of `texts`: `[texts, dimensions]`.
    ///
    /// Texts of like length are packed into one row, so that a long one does not wait alone.
    pub fn encode<S: AsRef<str>>(&self, texts: &[S]) -> Result<Vec<Vec<f32>>> {
        let ids = self.tokenizer.ids(texts)?;
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_by_key(|text| std::cmp::Reverse(ids[*text].len()));
        let mut vectors = vec![Vec::new(); ids.len()];
        for row in rows(&order, &ids) {
            let packed: Vec<i64> =
                row.iter().flat_map(|text| ids[*text].iter().copied()).collect();
            let mut cu_seqlens = vec![0];
            cu_seqlens.extend(row.iter().scan(0, |end, text| {
                *end += ids[*text].len();
                Some(*end)
            }));
            let embedded = self.embed(&packed, &cu_seqlens)?.to_vec2()?;
            for (text, vector) in row.iter().zip(embedded) {
                vectors[*text] = vector;
            }
        }
        Ok(vectors)
    }

    /// `input_ids` `[tokens]` and `cu_seqlens` `[texts + 1]` to `[texts, dimensions]`.
    fn embed(&self, input_ids: &[i64], cu_seqlens: &[usize]) -> Result<Tensor> {
        let ids = Tensor::new(input_ids, &self.device)?;
        let hidden = self.model.last_hidden_state(&Inputs::packed(&ids, cu_seqlens))?;
        let lengths = Lengths::new(cu_seqlens, input_ids.len())?;
        let pooled = pool_packed(&hidden, lengths, &self.pooling)?;
        if self.normalize { normalize(&pooled, 1e-12) } else { Ok(pooled) }
    }
}

/// Cuts `order` into rows of at most [`TOKENS_A_ROW`] tokens, each of at least one text.
fn rows<'a>(order: &'a [usize], ids: &[Vec<i64>]) -> Vec<&'a [usize]> {
    let mut rows = Vec::new();
    let (mut start, mut tokens) = (0, 0);
    for (position, text) in order.iter().enumerate() {
        if position > start && tokens + ids[*text].len() > TOKENS_A_ROW {
            rows.push(&order[start..position]);
            (start, tokens) = (position, 0);
        }
        tokens += ids[*text].len();
    }
    if start < order.len() {
        rows.push(&order[start..]);
    }
    rows
}

struct Modules {
    pooling: Vec<Pooling>,
    normalize: bool,
}

/// What modules.json lines up after the transformer; without that file, sentence-transformers
/// takes the mean.
fn read_modules(folder: &Path) -> Result<Modules> {
    let path = folder.join("modules.json");
    if !path.is_file() {
        return Ok(Modules { pooling: vec![Pooling::Mean], normalize: false });
    }
    let wrong = |what: &str| checkpoint_error!("{}: {what}", path.display());
    let value = read_json(&path)?;
    let mut modules = Modules { pooling: Vec::new(), normalize: false };
    for module in value.as_array().ok_or_else(|| wrong("it must hold a list of modules"))? {
        let kind = module["type"].as_str().ok_or_else(|| wrong("a module has no type"))?;
        match kind.rsplit('.').next().unwrap_or(kind) {
            "Transformer" => {}
            "Pooling" => {
                let place = module["path"].as_str().filter(|place| is_plain_name(place));
                let place = place.ok_or_else(|| {
                    wrong("the pooling module's path must be a folder inside the model's")
                })?;
                modules.pooling = read_pooling(&folder.join(place).join("config.json"))?;
            }
            "Normalize" => modules.normalize = true,
            _ => {
                return Err(wrong(&format!(
                    "module {kind} is not implemented; supported: Transformer, Pooling, \
                     Normalize"
                )));
            }
        }
    }
    match modules.pooling.is_empty() {
        true => Err(wrong("there is no pooling module")),
        false => Ok(modules),
    }
}

/// The modes of a Pooling module's config.json, in the old spelling (one flag a mode) or the
/// new one (a name or several).
fn read_pooling(path: &Path) -> Result<Vec<Pooling>> {
    let value = read_json(path)?;
    let named: Vec<&str> = match &value["pooling_mode"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => flagged(&value),
    };
    let modes: Result<Vec<Pooling>> = named.into_iter().map(str::parse).collect();
    match modes {
        Ok(modes) if modes.is_empty() => {
            Err(config_error!("{}: no pooling mode is set", path.display()))
        }
        modes => modes.map_err(|error| error.at(path.display())),
    }
}

/// sentence-transformers concatenates in this order; what is not implemented keeps its name and
/// is refused.
fn flagged(value: &Value) -> Vec<&'static str> {
    let flags = [
        ("pooling_mode_cls_token", "cls"),
        ("pooling_mode_max_tokens", "max"),
        ("pooling_mode_mean_tokens", "mean"),
        ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
        ("pooling_mode_weightedmean_tokens", "weightedmean"),
        ("pooling_mode_lasttoken", "lasttoken"),
    ];
    flags
        .into_iter()
        .filter(|(flag, _)| value[flag] == Value::Bool(true))
        .map(|(_, mode)| mode)
        .collect()
}
