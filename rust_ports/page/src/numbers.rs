//! What a network gives, as numbers in JSON, and how far it is from the truth.

use candle_core::{DType, Tensor};
use encoders::model::Network;
use encoders::{Inputs, Result};
use encoders_models::input_error;
use serde_json::{Value, json};

use crate::asked::Asked;

/// A tensor's shape and its numbers in a row.
pub(crate) fn shown(tensor: &Tensor) -> Result<Value> {
    let numbers = tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
    Ok(json!({"shape": tensor.dims(), "numbers": numbers}))
}

/// What the network gives for ids and a mask, under the names that Transformers has.
pub(crate) fn forward(network: &Network, asked: &Asked) -> Result<Value> {
    let table = |key| asked.table(key);
    let ids = table("input_ids")?.ok_or_else(|| input_error!("input_ids is missing"))?;
    let (mask, types) = (table("attention_mask")?, table("token_type_ids")?);
    let inputs = Inputs {
        attention_mask: mask.as_ref(),
        token_type_ids: types.as_ref(),
        output_hidden_states: true,
        ..Inputs::padded(&ids, &ids)
    };
    let output = network.forward(&inputs, None)?;
    let mut answer = json!({});
    let parts = [
        ("last_hidden_state", output.last_hidden_state),
        ("pooler_output", output.pooler_output),
        ("logits", output.logits),
    ];
    for (name, part) in parts {
        if let Some(tensor) = part {
            answer[name] = shown(&tensor)?;
        }
    }
    if let Some(states) = output.hidden_states {
        answer["hidden_states"] = states.iter().map(shown).collect::<Result<_>>()?;
    }
    Ok(answer)
}

/// The largest departure of `found` from `truth`, in noise floors. The floor is that of
/// `sound`, and never below four float32 epsilons of the largest number.
pub(crate) fn measured(found: &Tensor, sound: &Tensor, truth: &Tensor) -> Result<Value> {
    let from_truth = |x: &Tensor| largest(&(x.to_dtype(DType::F64)? - truth)?);
    let least = 4.0 * f64::from(f32::EPSILON) * largest(truth)?;
    let (departure, floor) = (from_truth(found)?, from_truth(sound)?.max(least));
    Ok(json!({"departure": departure, "floor": floor, "ratio": departure / floor}))
}

fn largest(x: &Tensor) -> Result<f64> {
    Ok(x.abs()?.flatten_all()?.max(0)?.to_scalar::<f64>()?)
}
