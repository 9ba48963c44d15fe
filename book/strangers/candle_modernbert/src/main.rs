//! candle-transformers' ModernBERT as a program:
//!
//!     candle-modernbert MODEL_FOLDER INPUTS.safetensors OUTPUTS.safetensors

use std::{collections::HashMap, env, error::Error, fs, path::Path};

use candle_core::{DType, Device, Tensor, safetensors};
use candle_nn::VarBuilder;
use candle_transformers::models::modernbert::{Config, ModernBert, ModernBertForMaskedLM};
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let [folder, inputs, outputs] = env::args()
        .skip(1)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "usage: candle-modernbert MODEL_FOLDER INPUTS OUTPUTS")?;
    let folder = Path::new(&folder);
    let config = read_config(&folder.join("config.json"))?;
    let weights = safetensors::load(folder.join("model.safetensors"), &Device::Cpu)?;
    let masked_lm = weights.contains_key("head.dense.weight");
    let builder = VarBuilder::from_tensors(under_model(weights), DType::F32, &Device::Cpu);

    let given = safetensors::load(inputs, &Device::Cpu)?;
    let ids = given["input_ids"].to_dtype(DType::U32)?;
    let mask = given["attention_mask"].to_dtype(DType::F32)?;
    let (name, tensor) = if masked_lm {
        let model = ModernBertForMaskedLM::load(builder, &config)?;
        ("logits", model.forward(&ids, &mask)?)
    } else {
        let model = ModernBert::load(builder, &config)?;
        ("last_hidden_state", model.forward(&ids, &mask)?)
    };
    safetensors::save(&HashMap::from([(name, tensor)]), outputs)?;
    Ok(())
}

/// candle reads the spelling of the first ModernBERTs; Transformers 5 writes another.
fn read_config(path: &Path) -> Outcome<Config> {
    let mut values: Value = serde_json::from_slice(&fs::read(path)?)?;
    let rope = values["rope_parameters"].clone();
    let kinds = values["layer_types"].clone();
    let kinds = kinds.as_array().ok_or("layer_types is no list")?;
    let full = |kind: &Value| kind == "full_attention";
    let every = kinds
        .iter()
        .skip(1)
        .position(full)
        .map_or(kinds.len(), |n| n + 1);
    if kinds
        .iter()
        .enumerate()
        .any(|(n, kind)| full(kind) != (n % every == 0))
    {
        return Err("candle knows a full layer and n sliding ones, over and over".into());
    }
    values["global_attn_every_n_layers"] = json!(every);
    values["layer_norm_eps"] = values["norm_eps"].clone();
    values["global_rope_theta"] = rope["full_attention"]["rope_theta"].clone();
    values["local_rope_theta"] = rope["sliding_attention"]["rope_theta"].clone();
    Ok(serde_json::from_value(values)?)
}

/// candle looks for the encoder where a model with a head has it.
fn under_model(weights: HashMap<String, Tensor>) -> HashMap<String, Tensor> {
    let own = |key: &str| {
        ["model.", "head.", "decoder."]
            .iter()
            .any(|p| key.starts_with(p))
    };
    weights
        .into_iter()
        .map(|(key, value)| {
            if own(&key) {
                (key, value)
            } else {
                (format!("model.{key}"), value)
            }
        })
        .collect()
}
