//! Everything clever: the same numbers as the plain forms beside it, faster, and without
//! gradients but for `product`.
//!
//! candle passes over all of memory for every operation, and for some on one core. Here bias +
//! GELU and bias + residual + layer norm are one pass on all cores, the three projections of
//! attention are one matrix product, and attention reads its heads where they lie. The plain
//! forms are what a reader should read first, and what runs wherever a gradient is wanted.

mod attention;
mod dense;
mod kernels;
mod memory;
mod product;

use candle_core::{D, DType, Tensor};

pub use attention::{blockwise_attention, packed_attention};
pub use dense::{
    embeddings, layer_norm, linear, linear_gelu, linear_gelu_gate, linear_norm, linear_rope,
};
pub use product::product;

use crate::attention::{Attend, merge_heads};
use crate::bert::{BertAttention, BertLayer};
use crate::config::BertConfig;
use crate::error::Result;
use crate::layers::{Linear, is_exact_gelu};
use crate::rope::Tables;
use crate::trace;

/// The one place that decides between the plain forms and these: no gradient is wanted of any
/// of `tensors`, and they are float32 or float64 on the CPU.
pub fn wanted<'a>(tensors: impl IntoIterator<Item = &'a Tensor>) -> bool {
    let fits = |x: &Tensor| {
        !x.track_op() && x.device().is_cpu() && matches!(x.dtype(), DType::F32 | DType::F64)
    };
    tensors.into_iter().all(fits)
}

/// Whether several named operations may become one as well: not while each is to be recorded.
pub fn layer_wanted<'a>(tensors: impl IntoIterator<Item = &'a Tensor>) -> bool {
    wanted(tensors) && !trace::on()
}

/// A [`BertLayer`] with its query, key and value projections laid side by side, made once at
/// load time.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Weight `[3 hidden, hidden]`; None where the weights are trained.
    projections: Option<Linear>,
    exact_gelu: bool,
}

impl Layer {
    pub fn new(attention: &BertAttention, config: &BertConfig) -> Result<Self> {
        let parts = &attention.self_attention;
        let linears = [&parts.query, &parts.key, &parts.value];
        let weights = linears.map(|linear| &linear.weight);
        let biases: Vec<&Tensor> = linears.iter().filter_map(|l| l.bias.as_ref()).collect();
        let projections = match wanted(weights) {
            true => Some(Linear {
                weight: Tensor::cat(&weights, 0)?,
                bias: Some(Tensor::cat(&biases, 0)?),
            }),
            false => None,
        };
        Ok(Self { projections, exact_gelu: is_exact_gelu(&config.hidden_act) })
    }

    /// What [`BertLayer::forward`] computes; `hidden` is `[..., tokens, hidden]`, and so is the
    /// result.
    pub fn forward(
        &self,
        layer: &BertLayer,
        hidden: &Tensor,
        attend: &Attend,
    ) -> Result<Tensor> {
        let attention = &layer.attention;
        let context = match &self.projections {
            Some(projections) => {
                let [query, key, value] =
                    project(projections, hidden, attention.self_attention.heads)?;
                merge_heads(&attend(&query, &key, &value)?)?
            }
            None => attention.self_attention.forward(hidden, attend)?,
        };
        let attended = linear_norm(
            &attention.output.dense,
            &attention.output.LayerNorm,
            &context,
            hidden,
        )?;
        let wide = match self.exact_gelu {
            true => linear_gelu(&layer.intermediate.dense, &attended)?,
            false => layer.intermediate.forward(&attended)?,
        };
        linear_norm(&layer.output.dense, &layer.output.LayerNorm, &wide, &attended)
    }
}

/// Queries and keys, turned by position, and values: what `projection` makes of `hidden` `[...,
/// tokens, hidden]`, as three views `[..., heads, tokens, head_dim]`.
pub fn project_and_turn(
    projection: &Linear,
    hidden: &Tensor,
    tables: &Tables,
    heads: usize,
) -> Result<[Tensor; 3]> {
    parts(&linear_rope(projection, hidden, tables)?, heads)
}

/// Query, key and value of every head, `[..., heads, tokens, head_dim]`, as three views of one
/// product.
fn project(projections: &Linear, hidden: &Tensor, heads: usize) -> Result<[Tensor; 3]> {
    parts(&linear(projections, hidden)?, heads)
}

/// Three parts that lie side by side in `all` `[..., tokens, 3 hidden]`, each a view `[...,
/// heads, tokens, head_dim]`.
fn parts(all: &Tensor, heads: usize) -> Result<[Tensor; 3]> {
    let size = all.dim(D::Minus1)? / 3;
    let mut shape = all.dims().to_vec();
    shape.pop();
    shape.extend([3, heads, size / heads]);
    let all = all.reshape(shape)?; // [..., tokens, 3, heads, head_dim]
    let axis = all.rank() - 3;
    let part = |number| all.narrow(axis, number, 1)?.squeeze(axis)?.transpose(axis - 1, axis);
    Ok([part(0)?, part(1)?, part(2)?])
}
