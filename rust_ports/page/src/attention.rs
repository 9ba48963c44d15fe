//! The weights that a layer's heads give to tokens, computed once more from what its projection
//! gave: no port keeps them, for they are as many as tokens squared.

use candle_core::{D, DType, Device, Tensor};
use encoders::Result;
use encoders::attention::{sliding_window_mask, split_heads};
use encoders::modernbert::ModernBertConfig;
use encoders::rope::{apply_rope, rope_tables};
use encoders_models::input_error;

/// The weights of `layer`, `[heads, tokens, tokens]`, from a trace of one text.
pub(crate) fn weights(
    config: &ModernBertConfig,
    layer: usize,
    steps: &[(String, Tensor)],
) -> Result<Tensor> {
    let name = format!("layers.{layer}.attn.Wqkv");
    let found = steps.iter().find(|(path, _)| path.ends_with(&name));
    let (_, projected) = found.ok_or_else(|| input_error!("the trace has no {name}"))?;
    let projected = projected.squeeze(0)?; // [tokens, 3 hidden]
    let kind = config.layer_types[layer];
    let places = Tensor::arange(0, projected.dim(0)? as i64, &Device::Cpu)?;
    let base = config.rope_thetas[&kind];
    let (cos, sin) = rope_tables(&places, config.head_dim(), base, projected.dtype())?;
    let turned = |number: usize| -> Result<Tensor> {
        let size = config.hidden_size;
        let part = projected.narrow(D::Minus1, number * size, size)?.contiguous()?;
        apply_rope(&split_heads(&part, config.num_attention_heads)?, &cos, &sin)
    };
    let (query, key) = (turned(0)?, turned(1)?);
    let scores = query.contiguous()?.matmul(&key.t()?.contiguous()?)?;
    let scores = (scores / (config.head_dim() as f64).sqrt())?.to_dtype(DType::F64)?;
    let scores = match config.windows()[&kind] {
        None => scores,
        Some(window) => {
            let near = sliding_window_mask(&places, &places, window)?;
            let hidden = Tensor::full(f64::MIN, scores.shape(), &Device::Cpu)?;
            near.broadcast_as(scores.shape())?.where_cond(&scores, &hidden)?
        }
    };
    let shares = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
    Ok(shares.broadcast_div(&shares.sum_keepdim(D::Minus1)?)?)
}
