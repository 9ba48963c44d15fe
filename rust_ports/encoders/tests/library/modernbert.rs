//! Checkpoints of ModernBERT.

use candle_core::{DType, Device};
use encoders::{Encoder, FromPretrained, Inputs, Model, ModernBertModel};
use serde_json::json;

use crate::common::difference;
use crate::files::write;
use crate::tiny_modernbert::{batch, config, config_json, tensors};

#[test]
fn checkpoints_load_in_full_and_as_a_base() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let changes =
        json!({"architectures": ["ModernBertForMaskedLM"], "global_attn_every_n_layers": 2});
    let config = config(changes.clone());
    let mut tensors = tensors(&config, "ModernBertForMaskedLM", DType::F32);
    let tied = tensors["model.embeddings.tok_embeddings.weight"].clone();
    let count = tensors.len();
    tensors.insert("decoder.weight".into(), tied);
    write(folder.path(), &config_json(changes), &tensors);
    let whole = Model::from_pretrained(path, &Device::Cpu).unwrap();
    assert_eq!(whole.state().count(), count);
    let base = ModernBertModel::from_pretrained(path, &Device::Cpu).unwrap();
    let (ids, mask, ..) = batch();
    let inputs = Inputs::padded(&ids, &mask);
    let inside = whole.network.last_hidden_state(&inputs).unwrap();
    let alone = base.forward(&inputs).unwrap().last_hidden_state;
    assert_eq!(difference(&inside, &alone), 0.0);
    let wrong = encoders::BertModel::from_pretrained(path, &Device::Cpu);
    assert!(wrong.unwrap_err().to_string().contains("modernbert"));
}
