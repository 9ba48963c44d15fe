//! Strict reading of safetensors: one file, or the shards that an index lists.
//!
//! Only safetensors is read: a pickle may run any code when it is opened.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use encoders_models::error::some;
use encoders_models::family::Architecture;
use encoders_models::family::Config;
use encoders_models::masked_sequence::HEAD;
use encoders_models::model::{Network, in_single_precision};
use encoders_models::weights::{Tensors, Weights};
use encoders_models::{Result, checkpoint_error};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::Value;

use crate::files::{bytes, is_file, is_plain_name, names_in, read_json, read_text};

const PICKLES: [&str; 5] = ["bin", "pt", "pth", "ckpt", "pkl"];

/// Reads `folder`/config.json.
pub fn read_config(folder: &Path) -> Result<Config> {
    let path = folder.join("config.json");
    Config::from_json(&read_text(&path)?).map_err(|error| error.at(path.display()))
}

/// The tensors that a folder's weights hold, as [`DType::F32`] or, where they are stored so,
/// F64.
pub fn read_tensors(folder: &Path, device: &Device) -> Result<Tensors> {
    let single = folder.join("model.safetensors");
    let index = folder.join("model.safetensors.index.json");
    if is_file(&single) {
        return read_file(&single, device);
    }
    if is_file(&index) {
        return read_shards(folder, &index, device);
    }
    let pickles = pickles(folder);
    if pickles.is_empty() {
        return Err(checkpoint_error!(
            "{} holds no model.safetensors and no model.safetensors.index.json",
            folder.display()
        ));
    }
    Err(checkpoint_error!(
        "{} holds pickled weights only ({}), which can run any code when opened; save the \
         model again with save_pretrained, which writes model.safetensors",
        folder.display(),
        some(&pickles)
    ))
}

/// The network in `folder` whose architecture ends in `suffix`, in float32.
pub(crate) fn read_network(
    folder: &Path,
    config: &Config,
    suffix: &str,
    device: &Device,
) -> Result<Network> {
    let build = || {
        let name = config.class(suffix);
        let architecture = config.architecture(&name)?;
        let tensors = select_tensors(read_tensors(folder, device)?, config, architecture)?;
        let tensors = in_single_precision(tensors)?;
        Weights::build(&tensors, |weights| Network::new(&name, config, weights))
    };
    build().map_err(|error| error.at(folder.display()))
}

/// Exactly the tensors of `architecture`, under today's names.
///
/// Older releases wrote LayerNorm.gamma and beta and saved position ids; a base model drops the
/// head beside it and its own prefix; a head drops what it says that it does not read.
/// Transformers drops the same tensors with a warning.
pub fn select_tensors(
    tensors: Tensors,
    config: &Config,
    architecture: &Architecture,
) -> Result<Tensors> {
    let mut tensors = modern_names(tensors)?;
    if config.encoder().detections.is_some() {
        tensors = under(config.base(), tensors);
    }
    let prefix = format!("{}.", config.base());
    if architecture.is_base && tensors.keys().any(|key| key.starts_with(&prefix)) {
        let inside = tensors
            .into_iter()
            .filter_map(|(key, tensor)| Some((key.strip_prefix(&prefix)?.to_string(), tensor)));
        return Ok(inside.collect());
    }
    let read = |key: &str| !architecture.unread.iter().any(|prefix| key.starts_with(prefix));
    tensors.retain(|key, _| read(key));
    if config.encoder().tie_word_embeddings {
        for (key, owner) in architecture.ties {
            drop_tied(&mut tensors, key, owner)?;
        }
    }
    Ok(tensors)
}

/// Where a model for chosen positions has its encoder is for whoever makes it to say.
fn under(base: &str, tensors: Tensors) -> Tensors {
    let renamed = |(key, tensor): (String, Tensor)| match key.split_once('.') {
        Some((first, rest)) if first != HEAD => (format!("{base}.{rest}"), tensor),
        _ => (key, tensor),
    };
    tensors.into_iter().map(renamed).collect()
}

fn modern_names(tensors: Tensors) -> Result<Tensors> {
    let mut renamed = Tensors::new();
    for (key, tensor) in tensors {
        if is_buffer(&key) {
            continue;
        }
        let modern = match key.rsplit_once("LayerNorm.") {
            Some((module, "gamma")) => format!("{module}LayerNorm.weight"),
            Some((module, "beta")) => format!("{module}LayerNorm.bias"),
            _ => key,
        };
        if renamed.contains_key(&modern) {
            return Err(checkpoint_error!(
                "{modern} is there twice, under its old and its new name"
            ));
        }
        renamed.insert(modern, tensor);
    }
    Ok(renamed)
}

/// Older releases saved these counters, which are no parameters.
fn is_buffer(key: &str) -> bool {
    ["embeddings.position_ids", "embeddings.token_type_ids"].iter().any(|name| {
        key.strip_suffix(name).is_some_and(|module| module.is_empty() || module.ends_with('.'))
    })
}

/// Removes a repeated tensor; one that differs from its owner would be a different model.
fn drop_tied(tensors: &mut Tensors, key: &str, owner: &str) -> Result<()> {
    let Some(repeated) = tensors.remove(key) else {
        return Ok(());
    };
    let Some(kept) = tensors.get(owner) else {
        tensors.insert(owner.to_string(), repeated);
        return Ok(());
    };
    let equal = kept.dims() == repeated.dims()
        && kept.ne(&repeated)?.to_dtype(DType::F32)?.sum_all()?.to_scalar::<f32>()? == 0.0;
    if equal {
        return Ok(());
    }
    Err(checkpoint_error!(
        "{key} differs from {owner}, but its config ties them; set tie_word_embeddings to \
         false if the decoder has weights of its own"
    ))
}

fn read_shards(folder: &Path, index: &Path, device: &Device) -> Result<Tensors> {
    let mut tensors = Tensors::new();
    for (name, keys) in shards(index)? {
        let path = folder.join(&name);
        if !is_file(&path) {
            return Err(checkpoint_error!(
                "{} names {name}, which is not there",
                index.display()
            ));
        }
        let shard = read_file(&path, device)?;
        let disagreement: Vec<&String> = shard
            .keys()
            .filter(|key| !keys.contains(key))
            .chain(keys.iter().filter(|key| !shard.contains_key(*key)))
            .collect();
        if !disagreement.is_empty() {
            return Err(checkpoint_error!(
                "{} and {} disagree on {}",
                path.display(),
                index.display(),
                some(&disagreement)
            ));
        }
        tensors.extend(shard);
    }
    Ok(tensors)
}

/// The files that an index names, each a plain name in the same folder, with the keys it sends
/// there.
fn shards(index: &Path) -> Result<BTreeMap<String, Vec<String>>> {
    let wrong = |what: String| checkpoint_error!("{}: {what}", index.display());
    let value = read_json(index)?;
    let map = match value.get("weight_map").and_then(Value::as_object) {
        Some(map) if !map.is_empty() => map,
        _ => {
            return Err(wrong("there is no weight_map from tensor names to files".into()));
        }
    };
    let mut files = BTreeMap::<String, Vec<String>>::new();
    for (key, name) in map {
        match name.as_str() {
            Some(name) if is_plain_name(name) && name.ends_with(".safetensors") => {
                files.entry(name.to_string()).or_default().push(key.clone());
            }
            _ => {
                return Err(wrong(format!(
                    "{key} is sent to {name}; a shard is a safetensors file in the same folder"
                )));
            }
        }
    }
    Ok(files)
}

/// The tensors of one safetensors file; the library checks header, offsets and lengths.
fn read_file(path: &Path, device: &Device) -> Result<Tensors> {
    let wrong = |problem: String| {
        checkpoint_error!("{} is not a sound safetensors file: {problem}", path.display())
    };
    let content = bytes(path).map_err(|problem| wrong(problem.to_string()))?;
    let file =
        SafeTensors::deserialize(&content).map_err(|problem| wrong(problem.to_string()))?;
    let mut tensors = Tensors::new();
    for (key, view) in file.iter() {
        if !is_buffer(key) {
            let tensor = to_tensor(&view, device)
                .map_err(|error| error.at(format!("{}: {key}", path.display())))?;
            tensors.insert(key.to_string(), tensor);
        }
    }
    Ok(tensors)
}

/// Widens to float32 (float64 stays as it is) and refuses what cannot be a weight.
fn to_tensor(view: &TensorView, device: &Device) -> Result<Tensor> {
    use safetensors::Dtype;
    let dtype = match view.dtype() {
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::F32 => DType::F32,
        Dtype::F64 => DType::F64,
        other => {
            return Err(checkpoint_error!(
                "it is of type {other:?}; a weight is one of F16, BF16, F32, F64"
            ));
        }
    };
    let tensor = Tensor::from_raw_buffer(view.data(), dtype, view.shape(), device)?;
    let tensor = tensor.to_dtype(if dtype == DType::F64 { DType::F64 } else { DType::F32 })?;
    if tensor.elem_count() > 0 && !is_finite(&tensor)? {
        return Err(checkpoint_error!("it holds NaN or infinite values; the file is damaged"));
    }
    Ok(tensor)
}

/// Whether no number is NaN or infinite. One that is makes their sum so; it is only where the
/// sum of finite ones overflows that each is looked at.
fn is_finite(tensor: &Tensor) -> Result<bool> {
    if tensor.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?.is_finite() {
        return Ok(true);
    }
    let flat = tensor.flatten_all()?;
    Ok(match flat.dtype() {
        DType::F64 => flat.to_vec1::<f64>()?.iter().all(|value| value.is_finite()),
        _ => flat.to_vec1::<f32>()?.iter().all(|value| value.is_finite()),
    })
}

fn pickles(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = names_in(folder)
        .into_iter()
        .filter(|name| {
            Path::new(name)
                .extension()
                .is_some_and(|ending| PICKLES.iter().any(|pickle| ending == *pickle))
        })
        .collect();
    names.sort();
    names
}
