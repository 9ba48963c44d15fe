//! Checkpoints, whole and broken: a model, or one of the crate's errors; never a panic and
//! never another model.

use std::path::Path;

use crate::common::{Random, config, config_json, difference, tensors};
use crate::files::{write, write_tensors};
use candle_core::{DType, Device, Tensor};
use encoders::heads::BertForMaskedLM;
use encoders::weights::Tensors;
use encoders::{BertModel, Error, FromPretrained, Model, ModernBertModel, RobertaModel};
use serde_json::{Value, json};
use tempfile::TempDir;

fn folder(architecture: &str, changes: Value, edit: impl FnOnce(&mut Tensors)) -> TempDir {
    let mut changes = changes;
    changes["architectures"] = json!([architecture]);
    let values = config_json("bert", changes.clone());
    let mut tensors = tensors(&config("bert", changes), architecture, DType::F32);
    edit(&mut tensors);
    let folder = TempDir::new().unwrap();
    write(folder.path(), &values, &tensors);
    folder
}

fn load(folder: &Path) -> encoders::Result<Model> {
    Model::from_pretrained(folder.to_str().unwrap(), &Device::Cpu)
}

fn refused(folder: &Path, part: &str) {
    match load(folder) {
        Err(Error::Checkpoint(text) | Error::Config(text)) => {
            assert!(text.contains(part), "{part:?} is not in {text:?}")
        }
        Err(other) => panic!("{part}: {other:?}"),
        Ok(_) => panic!("{part}: it loaded"),
    }
}

#[test]
fn a_sound_folder_loads_as_it_was_written() {
    for architecture in [
        "BertModel",
        "BertForMaskedLM",
        "BertForSequenceClassification",
        "BertForTokenClassification",
    ] {
        let folder = folder(architecture, json!({}), |_| {});
        let model = load(folder.path()).unwrap();
        let written = tensors(&config("bert", json!({})), architecture, DType::F32);
        assert_eq!(model.state().count(), written.len());
        assert!(model.config().architectures() == [architecture]);
        for (key, tensor) in model.state() {
            assert_eq!(difference(&tensor, &written[key]), 0.0, "{key}");
        }
    }
}

#[test]
fn old_names_and_buffers_are_understood() {
    let folder = folder("BertModel", json!({}), |tensors| {
        for (new, old) in [("weight", "gamma"), ("bias", "beta")] {
            let tensor = tensors.remove(&format!("embeddings.LayerNorm.{new}")).unwrap();
            tensors.insert(format!("embeddings.LayerNorm.{old}"), tensor);
        }
        let positions = Tensor::arange(0i64, 20, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        tensors.insert("embeddings.position_ids".into(), positions);
    });
    load(folder.path()).unwrap();
}

#[test]
fn a_base_model_is_taken_out_of_a_headed_one() {
    let folder = folder("BertForMaskedLM", json!({}), |_| {});
    let name = folder.path().to_str().unwrap();
    let base = BertModel::from_pretrained(name, &Device::Cpu).unwrap();
    assert!(base.pooler.is_none());
    let headed = BertForMaskedLM::from_pretrained(name, &Device::Cpu).unwrap();
    let (a, b) = (
        &base.embeddings.word_embeddings.weight,
        &headed.bert.embeddings.word_embeddings.weight,
    );
    assert_eq!(difference(a, b), 0.0);
}

#[test]
fn a_checkpoint_of_another_family_is_refused() {
    let folder = folder("BertModel", json!({}), |_| {});
    let name = folder.path().to_str().unwrap();
    let roberta = RobertaModel::from_pretrained(name, &Device::Cpu).unwrap_err().to_string();
    let modern = ModernBertModel::from_pretrained(name, &Device::Cpu).unwrap_err().to_string();
    assert!(roberta.contains("model_type is \"bert\""), "{roberta}");
    assert!(modern.contains("model_type is \"bert\""), "{modern}");
}

#[test]
fn what_no_head_reads_is_left_out() {
    let stray = ["cls.seq_relationship.weight", "bert.pooler.dense.weight"];
    for architecture in ["BertForMaskedLM", "BertForTokenClassification"] {
        let folder = folder(architecture, json!({}), |tensors| {
            let key = "bert.encoder.layer.0.output.dense.bias";
            tensors.extend(stray.map(|name| (name.to_string(), tensors[key].clone())));
        });
        let model = load(folder.path()).unwrap();
        assert!(model.state().all(|(key, _)| !stray.contains(&key.as_str())));
    }
}

#[test]
fn camembert_is_roberta_under_another_name() {
    let changes = json!({"architectures": ["CamembertForMaskedLM"]});
    let weights =
        tensors(&config("camembert", changes.clone()), "RobertaForMaskedLM", DType::F32);
    let folder = TempDir::new().unwrap();
    write(folder.path(), &config_json("camembert", changes), &weights);
    assert_eq!(load(folder.path()).unwrap().state().count(), weights.len());
    RobertaModel::from_pretrained(folder.path().to_str().unwrap(), &Device::Cpu).unwrap();
}

#[test]
fn repeated_tied_tensors_must_be_equal() {
    let decoder = "cls.predictions.decoder.weight".to_string();
    let words = "bert.embeddings.word_embeddings.weight";
    let equal = folder("BertForMaskedLM", json!({}), |tensors| {
        tensors.insert(decoder.clone(), tensors[words].clone());
    });
    load(equal.path()).unwrap();
    let other = folder("BertForMaskedLM", json!({}), |tensors| {
        tensors.insert(decoder.clone(), (&tensors[words] + 1.0).unwrap());
    });
    refused(other.path(), "differs from bert.embeddings.word_embeddings.weight");
    let only_decoder = folder("BertForMaskedLM", json!({}), |tensors| {
        let tensor = tensors.remove(words).unwrap();
        tensors.insert(decoder.clone(), tensor);
    });
    load(only_decoder.path()).unwrap();
}

#[test]
fn missing_surplus_and_misshapen_tensors_are_named() {
    let key = "encoder.layer.1.attention.self.key.weight";
    let missing = folder("BertModel", json!({}), |tensors| drop(tensors.remove(key)));
    refused(missing.path(), &format!("{key} is missing"));
    let surplus = folder("BertModel", json!({}), |tensors| {
        tensors.insert("encoder.layer.2.stray".into(), tensors[key].clone());
    });
    refused(surplus.path(), "no place for encoder.layer.2.stray");
    let misshapen = folder("BertModel", json!({}), |tensors| {
        let wrong = tensors[key].narrow(0, 0, 7).unwrap().contiguous().unwrap();
        tensors.insert(key.into(), wrong);
    });
    refused(misshapen.path(), "shape [7, 8]");
    let twice = folder("BertModel", json!({}), |tensors| {
        tensors.insert(
            "embeddings.LayerNorm.gamma".into(),
            tensors["embeddings.LayerNorm.weight"].clone(),
        );
    });
    refused(twice.path(), "under its old and its new name");
    let integers = folder("BertModel", json!({}), |tensors| {
        tensors.insert(key.into(), Tensor::ones((8, 8), DType::I64, &Device::Cpu).unwrap());
    });
    refused(integers.path(), "of type I64");
    let infinite = folder("BertModel", json!({}), |tensors| {
        tensors.insert(key.into(), (tensors[key].clone() / 0.0).unwrap());
    });
    refused(infinite.path(), "NaN or infinite");
}

#[test]
fn half_precision_is_widened() {
    for dtype in [DType::F16, DType::BF16, DType::F64] {
        let folder = folder("BertModel", json!({}), |tensors| {
            for tensor in tensors.values_mut() {
                *tensor = tensor.to_dtype(dtype).unwrap();
            }
        });
        let model = load(folder.path()).unwrap();
        let wanted = if dtype == DType::F64 { DType::F64 } else { DType::F32 };
        assert!(model.state().all(|(_, tensor)| tensor.dtype() == wanted));
    }
}

#[test]
fn a_truncated_file_is_refused_wherever_it_ends() {
    let folder = folder("BertModel", json!({}), |_| {});
    let path = folder.path().join("model.safetensors");
    let whole = std::fs::read(&path).unwrap();
    for end in (0..whole.len()).step_by(whole.len() / 60).chain(whole.len() - 9..whole.len()) {
        std::fs::write(&path, &whole[..end]).unwrap();
        refused(folder.path(), "not a sound safetensors file");
    }
    std::fs::write(&path, [&whole[..], b"more"].concat()).unwrap();
    refused(folder.path(), "not a sound safetensors file");
}

/// A flipped byte of the header, or of a number's exponent, is found or leaves a model of the
/// right shapes.
#[test]
fn flipped_bytes_never_panic() {
    let folder = folder("BertModel", json!({}), |_| {});
    let path = folder.path().join("model.safetensors");
    let whole = std::fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let mut random = Random(5);
    for _ in 0..300 {
        let mut bytes = whole.clone();
        let place = random.below(header);
        bytes[place] ^= 1 << random.below(8);
        std::fs::write(&path, &bytes).unwrap();
        match load(folder.path()) {
            Err(Error::Checkpoint(_)) => {}
            Err(other) => panic!("byte {place}: {other:?}"),
            Ok(model) => assert!(
                model.state().count() == 41 || model.state().count() == 39,
                "byte {place}"
            ),
        }
    }
}

#[test]
fn shards_load_and_their_index_is_not_trusted() {
    let folder = folder("BertModel", json!({}), |_| {});
    let all = tensors(&config("bert", json!({})), "BertModel", DType::F32);
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    let place = |key: &str| {
        if key.starts_with("encoder") {
            "model-00002-of-00002.safetensors"
        } else {
            "model-00001-of-00002.safetensors"
        }
    };
    for file in ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"] {
        let part = all
            .iter()
            .filter(|(key, _)| place(key) == file)
            .map(|(key, tensor)| (key.clone(), tensor.clone()));
        write_tensors(&folder.path().join(file), &part.collect());
    }
    let index = folder.path().join("model.safetensors.index.json");
    let map = || -> serde_json::Map<String, Value> {
        all.keys().map(|key| (key.clone(), json!(place(key)))).collect()
    };
    std::fs::write(&index, json!({"weight_map": map()}).to_string()).unwrap();
    assert_eq!(load(folder.path()).unwrap().state().count(), all.len());

    let key = "encoder.layer.0.output.dense.weight";
    let hostile = [
        "../model.safetensors",
        "/etc/passwd",
        "sub/model.safetensors",
        "..",
        "",
        "a\\b.safetensors",
        "./model.safetensors",
        "model.bin",
    ];
    for name in hostile {
        let mut map = map();
        map.insert(key.into(), json!(name));
        std::fs::write(&index, json!({"weight_map": map}).to_string()).unwrap();
        refused(folder.path(), "a shard is a safetensors file in the same folder");
    }
    let mut moved = map();
    moved.insert(key.into(), json!("model-00001-of-00002.safetensors"));
    std::fs::write(&index, json!({"weight_map": moved}).to_string()).unwrap();
    refused(folder.path(), "disagree on");
    for text in [
        "",
        "[]",
        "{\"weight_map\": {}}",
        "{\"weight_map\": 3}",
        "{\"weight_map\": {\"a\": 3}}",
    ] {
        std::fs::write(&index, text).unwrap();
        refused(folder.path(), "index.json");
    }
    std::fs::write(&index, json!({"weight_map": {"a": "gone.safetensors"}}).to_string())
        .unwrap();
    refused(folder.path(), "gone.safetensors, which is not there");
}

#[test]
fn pickles_and_empty_folders_are_refused() {
    let folder = folder("BertModel", json!({}), |_| {});
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    refused(folder.path(), "holds no model.safetensors");
    std::fs::write(folder.path().join("pytorch_model.bin"), b"x").unwrap();
    refused(folder.path(), "pickled weights only (pytorch_model.bin)");
    std::fs::remove_file(folder.path().join("config.json")).unwrap();
    refused(folder.path(), "config.json cannot be read");
    refused(&folder.path().join("nowhere"), "not a hub id");
}

#[test]
fn another_architecture_is_refused() {
    let folder = folder("BertModel", json!({}), |_| {});
    for name in ["GPT2Model", "BertForPreTraining", "RobertaModel", "Bert"] {
        let values = config_json("bert", json!({"architectures": [name]}));
        std::fs::write(folder.path().join("config.json"), values.to_string()).unwrap();
        refused(folder.path(), &format!("architecture {name} is not implemented"));
    }
}

/// all-mpnet-base-v2 names the masked language model that it was trained from.
#[test]
fn a_masked_language_model_without_its_head_is_the_encoder() {
    let changes = json!({"architectures": ["BertForMaskedLM"]});
    let weights = tensors(&config("bert", changes.clone()), "BertModel", DType::F32);
    let folder = TempDir::new().unwrap();
    write(folder.path(), &config_json("bert", changes), &weights);
    let model = load(folder.path()).unwrap();
    assert_eq!(model.state().count(), weights.len());
    let name = folder.path().to_str().unwrap();
    assert!(BertForMaskedLM::from_pretrained(name, &Device::Cpu).is_err());
    let other = json!({"architectures": ["BertForTokenClassification"]});
    write(folder.path(), &config_json("bert", other), &weights);
    refused(folder.path(), "is missing");
}
