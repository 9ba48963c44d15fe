//! Matrix products whose rows are finished while they are still in the cache.

use candle_core::{D, Tensor};
use gemm::Parallelism;

use crate::error::Result;
use crate::int8::Groups;
use crate::loops;
use crate::memory::{Matrix, Memory, check_shape, multiply, numbers_or_zeros};
use crate::norm::Norm;
use crate::panels::Panels;
use crate::real::Real;
use crate::tiles::{self, Finish};
use crate::{by_dtype, input_error};

/// What a dense layer is made of.
#[derive(Debug, Clone, Copy)]
pub struct Dense<'a> {
    /// `[outputs, inputs]`.
    pub weight: &'a Tensor,
    /// `[outputs]`, where there is one.
    pub bias: Option<&'a Tensor>,
    /// The weight's.
    pub layout: &'a Layout,
}

/// In which numbers a dense layer multiplies, and room for its weight as the product reads it.
/// The weight must not change afterwards.
#[derive(Debug, Clone)]
pub enum Layout {
    /// Those of the weight.
    Own(Panels),
    /// Eight bits, in groups of [`GROUP`](crate::GROUP).
    Int8(Groups),
}

impl Layout {
    /// Room for another weight.
    pub fn of_another(&self) -> Self {
        match self {
            Self::Own(_) => Self::default(),
            Self::Int8(_) => Self::int8(),
        }
    }

    /// In eight bits.
    pub fn int8() -> Self {
        Self::Int8(Groups::default())
    }
}

impl Default for Layout {
    fn default() -> Self {
        Self::Own(Panels::default())
    }
}

/// Numbers that a dense layer may multiply in.
trait Number: Real {
    /// x Wᵀ, finished, for contiguous `x` `[rows, inputs]`, by the layout; None where it has
    /// nothing to gain by.
    fn by_layout(dense: Dense, x: &[Self], finish: Finish<Self>) -> Result<Option<Vec<Self>>>;
}

impl Number for f64 {
    fn by_layout(dense: Dense, _: &[f64], _: Finish<f64>) -> Result<Option<Vec<f64>>> {
        match dense.layout {
            Layout::Own(_) => Ok(None),
            Layout::Int8(_) => Err(input_error!("a layer in int8 takes float32, not float64")),
        }
    }
}

impl Number for f32 {
    fn by_layout(dense: Dense, x: &[f32], finish: Finish<f32>) -> Result<Option<Vec<f32>>> {
        match dense.layout {
            Layout::Own(panels) => panels.product(dense.weight, x, finish),
            Layout::Int8(groups) => groups.product(dense.weight, x, finish).map(Some),
        }
    }
}

/// x Wᵀ + b: `x` is `[..., inputs]`, the result `[..., outputs]`.
pub fn linear(dense: Dense, x: &Tensor) -> Result<Tensor> {
    by_dtype!(x, linear_of(dense, x))
}

fn linear_of<T: Number>(dense: Dense, x: &Tensor) -> Result<Tensor> {
    let bias = bias::<T>(dense)?;
    finished(dense, x, &|_, rows| {
        if dense.bias.is_some() {
            loops::add_bias(rows, &bias);
        }
    })
}

/// The exact GELU of [`linear`].
pub fn linear_gelu(dense: Dense, x: &Tensor) -> Result<Tensor> {
    by_dtype!(x, gelu_of(dense, x))
}

fn gelu_of<T: Number>(dense: Dense, x: &Tensor) -> Result<Tensor> {
    let bias = bias::<T>(dense)?;
    finished(dense, x, &|_, rows| loops::add_bias_gelu(rows, &bias))
}

/// The exact GELU of the first half of [`linear`], times the second half: `x` is `[...,
/// inputs]`, the result `[..., outputs / 2]`.
pub fn linear_gelu_gate(dense: Dense, x: &Tensor) -> Result<Tensor> {
    by_dtype!(x, gate_of(dense, x))
}

fn gate_of<T: Number>(dense: Dense, x: &Tensor) -> Result<Tensor> {
    let bias = bias::<T>(dense)?;
    let size = bias.len() / 2;
    let gate = |rows: &[T], result: &mut [T]| loops::gelu_gate(rows, &bias, result);
    with_rows(x, size, product_of(dense, x, Finish::Into(size, &gate))?)
}

/// [`linear`] to queries, keys and values side by side, the queries and keys of every head
/// turned by the angles of their token. `x` is `[..., tokens, inputs]`, the result `[...,
/// tokens, 3 * hidden]`; the tables `cos` and `sin` are `[tokens, head_dim]`.
pub fn linear_rope(dense: Dense, x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    by_dtype!(x, rope_of(dense, x, cos, sin))
}

fn rope_of<T: Number>(dense: Dense, x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    let bias = bias::<T>(dense)?;
    let (tokens, size) = (x.dim(D::Minus2)?, cos.dim(D::Minus1)?);
    let (outputs, turned) = (bias.len(), bias.len() / 3 * 2);
    let fits = |table: &Tensor| table.dims() == [tokens, size] && table.dtype() == x.dtype();
    if !fits(cos) || !fits(sin) || !turned.is_multiple_of(size) {
        return Err(input_error!(
            "RoPE's tables have shapes {:?} and {:?}, which do not fit x of shape {:?}",
            cos.dims(),
            sin.dims(),
            x.dims()
        ));
    }
    let (cos, sin) = (Memory::of(cos), Memory::of(sin));
    let (cos, sin) = (cos.numbers::<T>()?, sin.numbers::<T>()?);
    finished(dense, x, &|first, rows| {
        for (row, numbers) in rows.chunks_exact_mut(outputs).enumerate() {
            let token = (first + row) % tokens;
            let angles = token * size..(token + 1) * size;
            loops::add_bias(numbers, &bias);
            loops::rope(&mut numbers[..turned], &cos[angles.clone()], &sin[angles]);
        }
    })
}

/// Layer norm of [`linear`] plus `residual`, which has the shape of the result.
pub fn linear_norm(dense: Dense, x: &Tensor, residual: &Tensor, norm: Norm) -> Result<Tensor> {
    by_dtype!(x, norm_of(dense, x, residual, norm))
}

fn norm_of<T: Number>(
    dense: Dense,
    x: &Tensor,
    residual: &Tensor,
    norm: Norm,
) -> Result<Tensor> {
    let bias = bias::<T>(dense)?;
    let outputs = bias.len();
    check_shape("the norm's weight", norm.weight, &[outputs])?;
    check_shape("residual", residual, &with_last(x, outputs))?;
    let residual = residual.contiguous()?;
    let (residual, weight) = (Memory::of(&residual), Memory::of(norm.weight));
    let norm_bias = numbers_or_zeros("the norm's bias", norm.bias, outputs)?;
    let norm = loops::Norm {
        dense_bias: &bias,
        weight: weight.numbers()?,
        bias: &norm_bias,
        eps: norm.eps,
    };
    let residual = residual.numbers()?;
    finished(dense, x, &|first, rows| {
        loops::add_norm(rows, &residual[first * outputs..][..rows.len()], &norm)
    })
}

/// x Wᵀ of `x` `[..., inputs]`, its rows changed: `[..., outputs]`.
fn finished<T: Number>(
    dense: Dense,
    x: &Tensor,
    change: &(dyn Fn(usize, &mut [T]) + Sync),
) -> Result<Tensor> {
    let rows = product_of(dense, x, Finish::InPlace(change))?;
    with_rows(x, dense.weight.dim(0)?, rows)
}

/// The rows, each of `size` numbers, in the place of those of `x` `[..., inputs]`.
fn with_rows<T: Number>(x: &Tensor, size: usize, rows: Vec<T>) -> Result<Tensor> {
    Ok(Tensor::from_vec(rows, with_last(x, size), x.device())?)
}

/// The shape of `x` with a last axis of that size.
fn with_last(x: &Tensor, size: usize) -> Vec<usize> {
    let mut shape = x.dims().to_vec();
    shape.pop();
    shape.push(size);
    shape
}

/// A number for each output, zeros where there is no bias.
fn bias<T: Number>(dense: Dense) -> Result<Vec<T>> {
    numbers_or_zeros("bias", dense.bias, dense.weight.dim(0)?)
}

/// x Wᵀ of `x` `[..., inputs]`, finished, row by row.
fn product_of<T: Number>(dense: Dense, x: &Tensor, finish: Finish<T>) -> Result<Vec<T>> {
    let (outputs, inputs) = dense.weight.dims2()?;
    if x.dim(D::Minus1)? != inputs {
        return Err(input_error!("x has shape {:?}; its last axis must be {inputs}", x.dims()));
    }
    let x = x.contiguous()?;
    let (x, weight) = (Memory::of(&x), Memory::of(dense.weight));
    let x = x.numbers()?;
    if let Some(result) = T::by_layout(dense, x, finish)? {
        return Ok(result);
    }
    let result = product(x, weight.numbers()?, inputs, outputs);
    Ok(tiles::finished(result, outputs, finish))
}

/// x Wᵀ for contiguous `x` `[rows, inputs]` and `weight` `[outputs, inputs]`: `[rows,
/// outputs]`.
fn product<T: Number>(x: &[T], weight: &[T], inputs: usize, outputs: usize) -> Vec<T> {
    let rows = x.len() / inputs;
    let mut result = vec![T::zero(); rows * outputs];
    let matrix = |start, row, column| Matrix { start, row, column };
    let (x, w) = (matrix(x.as_ptr(), inputs, 1), matrix(weight.as_ptr(), 1, inputs));
    let sizes = (rows, outputs, inputs);
    let threads = Parallelism::Rayon(rayon::current_num_threads());
    let place = (result.as_mut_ptr(), outputs);
    // SAFETY: the strides describe `x`, `weight` and `result` as they were allocated.
    unsafe { multiply(sizes, x, w, place, T::one(), threads) };
    result
}
