//! candle-transformers' ModernBERT as a program:
//!
//!     candle-modernbert MODEL_FOLDER INPUTS.safetensors OUTPUTS.safetensors

use std::{collections::HashMap, env, path::Path};

use candle_core::{DType, Device, Tensor, safetensors};
use candle_nn::VarBuilder;
use candle_strangers::{Outcome, modernbert_config, read_json};
use candle_transformers::models::modernbert::{ModernBert, ModernBertForMaskedLM};

fn main() -> Outcome<()> {
    let [folder, inputs, outputs] = env::args()
        .skip(1)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "usage: candle-modernbert MODEL_FOLDER INPUTS OUTPUTS")?;
    let folder = Path::new(&folder);
    let config = modernbert_config(read_json(&folder.join("config.json"))?)?;
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
