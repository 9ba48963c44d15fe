//! Everything clever: the same numbers as the plain forms in the crate of models, faster.
//! [`product`], [`affine`], [`norm_gelu`] and [`keep`] can be differentiated, and nothing else.
//! Kernels take tensors and numbers, and know no model.
//!
//! candle passes over all of memory for every operation, and for some on one core. Here bias +
//! GELU and bias + residual + layer norm are one pass on all cores, the three projections of
//! attention are one matrix product, and attention reads its heads where they lie. The plain
//! forms are what a reader should read first, and what runs wherever a gradient is wanted.

mod affine;
mod attention;
mod blocks;
mod dense;
pub mod error;
mod int8;
mod keep;
mod lengths;
mod loops;
mod memory;
mod norm;
mod norm_gelu;
mod optimizer;
mod panels;
mod product;
mod real;
mod tiles;
mod workers;

use candle_core::{DType, Tensor};

pub use affine::affine;
pub use attention::{blockwise_attention, packed_attention};
pub use blocks::{BLOCK, Block};
pub use dense::{
    Dense, Layout, linear, linear_gelu, linear_gelu_gate, linear_norm, linear_rope,
};
pub use error::{Error, Result};
pub use int8::{GROUP, Groups};
pub use keep::keep;
pub use lengths::Lengths;
pub use memory::room;
pub use norm::{Norm, layer_norm, sum_norm};
pub use norm_gelu::norm_gelu;
pub use optimizer::{Step, adamw, sum_of_squares};
pub use panels::Panels;
pub use product::product;
pub use workers::among_workers;

/// Whether these kernels may take the place of the plain forms: no gradient is wanted of any of
/// `tensors`, and they are float32 or float64 on the CPU.
pub fn wanted<'a>(tensors: impl IntoIterator<Item = &'a Tensor>) -> bool {
    tensors.into_iter().all(|x| !x.track_op() && available([x]))
}

/// Whether those kernels may that can be differentiated: all of `tensors` are float32 or
/// float64 on the CPU.
pub fn available<'a>(tensors: impl IntoIterator<Item = &'a Tensor>) -> bool {
    let fits = |x: &Tensor| x.device().is_cpu() && matches!(x.dtype(), DType::F32 | DType::F64);
    tensors.into_iter().all(fits)
}

/// Calls the function for the numbers that the tensor holds: f64 or f32.
macro_rules! by_dtype {
    ($tensor:expr, $function:ident($($argument:expr),* $(,)?)) => {
        match $tensor.dtype() {
            candle_core::DType::F64 => $function::<f64>($($argument),*),
            _ => $function::<f32>($($argument),*),
        }
    };
}
pub(crate) use by_dtype;

/// How many numbers one task of an element-wise pass takes: little enough to stay in a core's
/// cache.
const TASK: usize = 1 << 14;

/// How many rows of `size` numbers one task takes.
fn rows_a_task(size: usize) -> usize {
    (TASK / size).max(1)
}
