//! Several operations in a row, in the plain form and, where there is one, in the fast form.
//! This is the one place that decides between the two.

use candle_core::{D, Tensor};
use encoders_kernels::{self as kernels, input_error};

use super::activations::is_exact_gelu;
use super::{Activation, Embedding, LayerNorm, Linear, dropout};
use crate::dropout::dropping;
use crate::error::Result;
use crate::trace;

/// Whether kernels may do several operations in one: as [`kernels::wanted`], and not while each
/// of them is to be recorded.
pub(crate) fn joined<'a>(tensors: impl IntoIterator<Item = &'a Tensor>) -> bool {
    kernels::wanted(tensors) && !trace::on()
}

/// norm(dense(x) + residual): `x` is `[..., inputs]`, `residual` and the result `[...,
/// outputs]`. Training drops the share `rate` of what the dense layer gives.
pub fn add_norm(
    dense: &Linear,
    norm: &LayerNorm,
    x: &Tensor,
    residual: &Tensor,
    rate: f64,
) -> Result<Tensor> {
    let fast = joined(dense.tensors().chain(norm.tensors()).chain([x, residual]));
    if fast && !dropping(rate) {
        return kernels::linear_norm(dense.dense(), x, residual, norm.norm());
    }
    norm.forward(&(dropout(&dense.forward(x)?, rate)? + residual)?)
}

/// activation(norm(x)): `x` is `[..., hidden]`, and so is the result.
pub fn norm_activated(norm: &LayerNorm, activation: Activation, x: &Tensor) -> Result<Tensor> {
    if is_exact_gelu(activation) && kernels::available(norm.tensors().chain([x])) {
        return kernels::norm_gelu(norm.norm(), x);
    }
    activation(&norm.forward(x)?)
}

/// activation(dense(x)): `x` is `[..., inputs]`, the result `[..., outputs]`.
pub fn activated(dense: &Linear, activation: Activation, x: &Tensor) -> Result<Tensor> {
    if is_exact_gelu(activation) && joined(dense.tensors().chain([x])) {
        return kernels::linear_gelu(dense.dense(), x);
    }
    activation(&dense.forward(x)?)
}

/// The first half of dense(x) through `activation`, times the second half: `x` is `[...,
/// inputs]`, the result `[..., outputs / 2]`.
pub fn gated(dense: &Linear, activation: Activation, x: &Tensor) -> Result<Tensor> {
    if is_exact_gelu(activation) && joined(dense.tensors().chain([x])) {
        return kernels::linear_gelu_gate(dense.dense(), x);
    }
    let both = dense.forward(x)?;
    let size = both.dim(D::Minus1)? / 2;
    let wide = both.narrow(D::Minus1, 0, size)?;
    let gate = both.narrow(D::Minus1, size, size)?;
    Ok((activation(&wide)? * gate)?)
}

/// The norm of a sum of looked-up vectors, each given by its table and the ids `[...]`; the
/// result is `[..., hidden]`.
pub fn sum_norm<const N: usize>(
    looked_up: [(&Embedding, &Tensor); N],
    norm: &LayerNorm,
) -> Result<Tensor> {
    if kernels::wanted(norm.tensors().chain(looked_up.map(|(table, _)| &table.weight))) {
        let looked_up = looked_up.map(|(table, ids)| (&table.weight, ids));
        return kernels::sum_norm(&looked_up, norm.norm());
    }
    let [(table, ids), others @ ..] = &looked_up[..] else {
        return Err(input_error!("nothing is looked up"));
    };
    let mut sum = table.forward(ids)?;
    for (table, ids) in others {
        sum = (sum + table.forward(ids)?)?;
    }
    norm.forward(&sum)
}
