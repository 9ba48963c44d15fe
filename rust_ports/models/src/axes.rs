//! A shape that several rooms need.

use candle_core::Tensor;

use crate::error::Result;

/// The last axis of `x` cut into these axes, as PyTorch's `unflatten` has it.
pub(crate) fn unflatten<const N: usize>(x: &Tensor, axes: [usize; N]) -> Result<Tensor> {
    let mut shape = x.dims().to_vec();
    shape.pop();
    shape.extend(axes);
    Ok(x.reshape(shape)?)
}
