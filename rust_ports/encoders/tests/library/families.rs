//! Checkpoints of DistilBERT, MPNet and ELECTRA.

use candle_core::{DType, Device};
use encoders::{
    DistilBertModel, ElectraModel, Encoder, FromPretrained, Inputs, MPNetModel, Model, Result,
};
use serde_json::json;

use crate::common::{batch_with_pad, difference};
use crate::files::write;
use crate::tiny_families::{FAMILIES, HEADS, config_json, tensors};

/// The last hidden state of the encoder alone, of the first two texts of a batch.
fn alone(model_type: &str, path: &str, inputs: &Inputs) -> Result<candle_core::Tensor> {
    let cpu = &Device::Cpu;
    let encoder: Box<dyn Encoder> = match model_type {
        "distilbert" => Box::new(DistilBertModel::from_pretrained(path, cpu)?),
        "mpnet" => Box::new(MPNetModel::from_pretrained(path, cpu)?),
        _ => Box::new(ElectraModel::from_pretrained(path, cpu)?),
    };
    Ok(encoder.forward(inputs)?.last_hidden_state)
}

/// Decoders are repeated as Transformers saves them, and what another head was pretrained with
/// is left out.
#[test]
fn checkpoints_load_in_full_and_as_a_base() {
    for (model_type, prefix) in FAMILIES {
        let (ids, mask) = batch_with_pad(if model_type == "mpnet" { 1 } else { 0 });
        let inputs = Inputs::padded(&ids, &mask);
        for head in HEADS {
            let architecture = format!("{prefix}{head}");
            let values = config_json(model_type, json!({"architectures": [architecture]}));
            let mut tensors = tensors(&values, &architecture, DType::F32);
            let count = tensors.len();
            let words =
                tensors[&format!("{model_type}.embeddings.word_embeddings.weight")].clone();
            let unread = match model_type {
                "electra" => Some("discriminator_predictions.dense.weight"),
                "mpnet" if head != "ForMultipleChoice" => Some("mpnet.pooler.dense.weight"),
                _ => None,
            };
            tensors.extend(unread.map(|key| (key.to_string(), words.clone())));
            if head == "ForMaskedLM" {
                let decoder = match model_type {
                    "distilbert" => "vocab_projector",
                    "mpnet" => "lm_head.decoder",
                    _ => "generator_lm_head",
                };
                tensors.insert(format!("{decoder}.weight"), words);
                if model_type == "mpnet" {
                    let bias = tensors["lm_head.bias"].clone();
                    tensors.insert("lm_head.decoder.bias".into(), bias);
                }
            }
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().to_str().unwrap();
            write(folder.path(), &values, &tensors);
            let whole = Model::from_pretrained(path, &Device::Cpu).unwrap();
            assert_eq!(whole.state().count(), count, "{architecture}");
            if unread.is_none_or(|key| !key.starts_with("mpnet."))
                && head != "ForMultipleChoice"
            {
                let inside = whole.network.last_hidden_state(&inputs).unwrap();
                let alone = alone(model_type, path, &inputs).unwrap();
                assert_eq!(difference(&inside, &alone), 0.0, "{architecture}");
            }
            let wrong = encoders::BertModel::from_pretrained(path, &Device::Cpu);
            assert!(wrong.unwrap_err().to_string().contains(model_type));
        }
    }
}
