//! Known bugs of ports of ModernBERT, put into what a model is built from: those of the Python
//! package's `parity.faults` under the same names. None raises an error.

use std::path::Path;

use candle_core::{DType, Tensor};
use encoders::Result;
use encoders::family::Config;
use encoders::files::read_text;
use encoders::weights::Tensors;
use encoders_models::input_error;
use serde_json::{Value, json};

/// Their names.
pub const FAULTS: [&str; 8] = [
    "modernbert_tanh_gelu",
    "weights_through_half",
    "rope_interleaved",
    "rope_bases_swapped",
    "window_off_by_one",
    "layer_pattern_shifted",
    "attn_norm_not_loaded",
    "gate_activated",
];

/// The configuration in `folder`, and its tensors, with the faults.
pub(crate) fn seed(
    faults: &[&str],
    folder: &Path,
    mut tensors: Tensors,
) -> Result<(Config, Tensors)> {
    let text = read_text(&folder.join("config.json"))?;
    let mut config: Value = serde_json::from_str(&text)
        .map_err(|problem| input_error!("config.json is not valid JSON: {problem}"))?;
    for fault in faults {
        seed_one(fault, &mut config, &mut tensors)?;
    }
    Ok((Config::from_json(&config.to_string())?, tensors))
}

fn seed_one(fault: &str, config: &mut Value, tensors: &mut Tensors) -> Result<()> {
    match fault {
        "modernbert_tanh_gelu" => config["hidden_activation"] = json!("gelu_new"),
        "weights_through_half" => {
            edit(tensors, "", |x| Ok(x.to_dtype(DType::F16)?.to_dtype(x.dtype())?))?;
        }
        "rope_interleaved" => {
            let heads = config["num_attention_heads"].as_u64().unwrap_or(1) as usize;
            edit(tensors, "attn.Wqkv.weight", |x| pairs_apart(x, heads))?;
        }
        "rope_bases_swapped" => {
            let bases = &mut config["rope_parameters"];
            let full = bases["full_attention"].take();
            bases["full_attention"] = bases["sliding_attention"].take();
            bases["sliding_attention"] = full;
        }
        "window_off_by_one" => {
            let width = config["local_attention"].as_u64().unwrap_or(128);
            config["local_attention"] = json!(width + 2);
        }
        "layer_pattern_shifted" => {
            let kinds = config["layer_types"].as_array_mut();
            kinds.ok_or_else(|| input_error!("config.json has no layer_types"))?.rotate_left(1);
        }
        "attn_norm_not_loaded" => {
            edit(tensors, "attn_norm.weight", |x| Ok(x.ones_like()?))?;
        }
        "gate_activated" => edit(tensors, "mlp.Wi.weight", |x| {
            let [input, gate] =
                [0, 1].map(|half| x.chunk(2, 0).map(|halves| halves[half].clone()));
            Ok(Tensor::cat(&[gate?, input?], 0)?)
        })?,
        other => {
            return Err(input_error!(
                "fault {other:?} is unknown; it is one of {}",
                FAULTS.join(", ")
            ));
        }
    }
    Ok(())
}

/// Changes every tensor whose key ends so.
fn edit(
    tensors: &mut Tensors,
    ending: &str,
    change: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<()> {
    for (key, tensor) in tensors {
        if key.ends_with(ending) {
            *tensor = change(tensor)?;
        }
    }
    Ok(())
}

/// The rows of queries and keys in such an order that a turn of features half a head apart
/// becomes one of neighbours; their products do not depend on the order.
fn pairs_apart(weight: &Tensor, heads: usize) -> Result<Tensor> {
    let (rows, columns) = weight.dims2()?;
    let half = rows / 3 / heads / 2;
    let apart = weight
        .narrow(0, 0, rows / 3 * 2)?
        .reshape((2 * heads, half, 2, columns))?
        .transpose(1, 2)?
        .reshape((rows / 3 * 2, columns))?;
    Ok(Tensor::cat(&[apart, weight.narrow(0, rows / 3 * 2, rows / 3)?], 0)?)
}
