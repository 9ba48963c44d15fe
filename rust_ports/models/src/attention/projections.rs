//! From hidden states to the queries, keys and values of every head, in the plain form and in
//! the fast one.

use candle_core::{D, Tensor};
use encoders_kernels as kernels;

use super::split_heads;
use crate::axes::unflatten;
use crate::error::Result;
use crate::layers::{Linear, joined};
use crate::rope::{Tables, apply_rope};
use crate::weights::Path;

/// Three projections that run as one matrix product wherever that gives the same.
#[derive(Debug, Clone)]
pub struct Projections {
    parts: [Linear; 3],
    /// The three side by side, `[3 hidden, hidden]`, laid out once; None where they are
    /// trained.
    joint: Option<Linear>,
    heads: usize,
}

impl Projections {
    /// Of `query`, `key` and `value`, each `[hidden, hidden]`.
    pub fn new(query: &Linear, key: &Linear, value: &Linear, heads: usize) -> Result<Self> {
        let parts = [query, key, value].map(Linear::clone);
        let trained = !kernels::wanted(parts.iter().flat_map(Linear::tensors));
        let joint = (!trained).then(|| side_by_side(&parts)).transpose()?;
        Ok(Self { parts, joint, heads })
    }

    /// Query, key and value of every head, each `[..., heads, tokens, head_dim]`, of `hidden`
    /// `[..., tokens, hidden]`.
    pub fn forward(&self, hidden: &Tensor) -> Result<[Tensor; 3]> {
        if let Some(joint) = &self.joint
            && joined([hidden])
        {
            return thirds(&joint.forward(hidden)?, self.heads);
        }
        let [query, key, value] = &self.parts;
        let project = |part: &Linear| split_heads(&part.forward(hidden)?, self.heads);
        Ok([project(query)?, project(key)?, project(value)?])
    }
}

fn side_by_side(parts: &[Linear; 3]) -> Result<Linear> {
    let weights = parts.each_ref().map(|part| &part.weight);
    let biases: Vec<&Tensor> = parts.iter().filter_map(|part| part.bias.as_ref()).collect();
    let bias = (!biases.is_empty()).then(|| Tensor::cat(&biases, 0)).transpose()?;
    let joint = Linear::of(Tensor::cat(&weights, 0)?, bias, Path::default());
    Ok(joint.laid_out(parts[0].layout()))
}

/// Queries and keys, turned by position, and values, of one `projection` to all three: each
/// `[..., heads, tokens, head_dim]`, of `hidden` `[..., tokens, hidden]`; the tables are
/// `[tokens, head_dim]`.
pub fn project_and_turn(
    projection: &Linear,
    hidden: &Tensor,
    (cos, sin): &Tables,
    heads: usize,
) -> Result<[Tensor; 3]> {
    if joined(projection.tensors().chain([hidden])) {
        let all = kernels::linear_rope(projection.dense(), hidden, cos, sin)?;
        return thirds(&all, heads);
    }
    let all = projection.forward(hidden)?;
    let size = all.dim(D::Minus1)? / 3;
    let part = |number| split_heads(&all.narrow(D::Minus1, number * size, size)?, heads);
    let (query, key, value) = (part(0)?, part(1)?, part(2)?);
    Ok([apply_rope(&query, cos, sin)?, apply_rope(&key, cos, sin)?, value])
}

/// The three parts that lie side by side in `all` `[..., tokens, 3 hidden]`: views `[...,
/// heads, tokens, head_dim]`, which copy nothing.
fn thirds(all: &Tensor, heads: usize) -> Result<[Tensor; 3]> {
    let size = all.dim(D::Minus1)? / 3;
    let all = unflatten(all, [3, heads, size / heads])?; // [..., tokens, 3, heads, head_dim]
    let axis = all.rank() - 3;
    let part = |number| all.narrow(axis, number, 1)?.squeeze(axis)?.transpose(axis - 1, axis);
    Ok([part(0)?, part(1)?, part(2)?])
}
