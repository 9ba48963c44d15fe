//! Matrix products whose rows are finished while they are still in the cache, and the
//! embeddings' sum and norm.

use std::borrow::Cow;

use candle_core::{D, DType, Tensor};
use gemm::Parallelism;
use rayon::prelude::*;

use super::kernels::{self, Norm, Real};
use super::memory::{Matrix, Memory, multiply};
use crate::bert::BertEmbeddings;
use crate::error::{Result, input_error};
use crate::layers::{LayerNorm, Linear};
use crate::rope::Tables;

/// How many numbers one task of an element-wise pass takes: little enough to stay in a core's
/// cache.
const TASK: usize = 1 << 14;

/// [`Linear::forward`].
pub fn linear(linear: &Linear, x: &Tensor) -> Result<Tensor> {
    dense(linear, x, Pass::Bias)
}

/// [`gelu`](crate::layers::gelu) of [`Linear::forward`].
pub fn linear_gelu(linear: &Linear, x: &Tensor) -> Result<Tensor> {
    dense(linear, x, Pass::Gelu)
}

/// gelu of the first half of [`Linear::forward`], times the second half: what
/// [`GatedMLP`](crate::layers::GatedMLP) makes of `x` `[..., inputs]` before its last product,
/// `[..., outputs / 2]`.
pub fn linear_gelu_gate(linear: &Linear, x: &Tensor) -> Result<Tensor> {
    match x.dtype() {
        DType::F64 => gate_of::<f64>(linear, x),
        _ => gate_of::<f32>(linear, x),
    }
}

fn gate_of<T: Real>(linear: &Linear, x: &Tensor) -> Result<Tensor> {
    let (rows, mut shape) = rows_of::<T>(linear, x)?;
    let outputs = shape[shape.len() - 1];
    let bias = optional(&linear.bias);
    let bias = or_zeros(&bias, "bias", outputs)?;
    let size = outputs / 2;
    let mut result = vec![T::zero(); rows.len() / outputs * size];
    let rows_a_task = (TASK / outputs).max(1);
    result
        .par_chunks_mut(rows_a_task * size)
        .zip(rows.par_chunks(rows_a_task * outputs))
        .for_each(|(result, rows)| kernels::gelu_gate(rows, &bias, result));
    shape.pop();
    shape.push(size);
    Ok(Tensor::from_vec(result, shape, x.device())?)
}

/// [`Linear::forward`] to queries, keys and values side by side, with
/// [`apply_rope`](crate::rope::apply_rope) of the queries and keys of every head. `x` is `[...,
/// tokens, inputs]`, the result `[..., tokens, 3 * hidden]`.
pub fn linear_rope(linear: &Linear, x: &Tensor, (cos, sin): &Tables) -> Result<Tensor> {
    match x.dtype() {
        DType::F64 => rope_of::<f64>(linear, x, cos, sin),
        _ => rope_of::<f32>(linear, x, cos, sin),
    }
}

fn rope_of<T: Real>(linear: &Linear, x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    let (mut rows, shape) = rows_of::<T>(linear, x)?;
    let outputs = shape[shape.len() - 1];
    let (tokens, size) = (x.dim(D::Minus2)?, cos.dim(D::Minus1)?);
    let turned = outputs / 3 * 2;
    let fits = |table: &Tensor| table.dims() == [tokens, size] && table.dtype() == x.dtype();
    if !fits(cos) || !fits(sin) || !turned.is_multiple_of(size) {
        return Err(input_error!(
            "RoPE's tables have shapes {:?} and {:?}, which do not fit x of shape {:?}",
            cos.dims(),
            sin.dims(),
            x.dims()
        ));
    }
    let bias = optional(&linear.bias);
    let bias = or_zeros(&bias, "bias", outputs)?;
    let (cos, sin) = (Memory::of(cos), Memory::of(sin));
    let (cos, sin) = (cos.numbers::<T>()?, sin.numbers::<T>()?);
    rows.par_chunks_mut(outputs).enumerate().with_min_len((TASK / outputs).max(1)).for_each(
        |(row, numbers)| {
            let angles = row % tokens * size..(row % tokens + 1) * size;
            kernels::add_bias(numbers, &bias);
            kernels::rope(&mut numbers[..turned], &cos[angles.clone()], &sin[angles]);
        },
    );
    Ok(Tensor::from_vec(rows, shape, x.device())?)
}

/// [`LayerNorm::forward`] of [`Linear::forward`] plus `residual`, which has the shape of the
/// result.
pub fn linear_norm(
    linear: &Linear,
    norm: &LayerNorm,
    x: &Tensor,
    residual: &Tensor,
) -> Result<Tensor> {
    dense(linear, x, Pass::Norm(norm, residual))
}

/// [`LayerNorm::forward`].
pub fn layer_norm(norm: &LayerNorm, x: &Tensor) -> Result<Tensor> {
    match x.dtype() {
        DType::F64 => layer_norm_of::<f64>(norm, x),
        _ => layer_norm_of::<f32>(norm, x),
    }
}

fn layer_norm_of<T: Real>(norm: &LayerNorm, x: &Tensor) -> Result<Tensor> {
    let size = norm.weight.elem_count();
    if x.dim(D::Minus1)? != size {
        return Err(input_error!("x has shape {:?}; its last axis must be {size}", x.dims()));
    }
    let mut rows = x.flatten_all()?.to_vec1::<T>()?;
    if rows.is_empty() {
        return Ok(x.clone());
    }
    let (weight, bias) = (Memory::of(&norm.weight), optional(&norm.bias));
    let bias = or_zeros(&bias, "bias", size)?;
    let task = (TASK / size).max(1) * size;
    let nothing = vec![T::zero(); task.min(rows.len())];
    let norm = Norm {
        dense_bias: &nothing[..size],
        weight: weight.numbers()?,
        bias: &bias,
        eps: norm.eps,
    };
    rows.par_chunks_mut(task).for_each(|rows| kernels::add_norm(rows, &nothing, &norm));
    Ok(Tensor::from_vec(rows, x.dims(), x.device())?)
}

fn optional(tensor: &Option<Tensor>) -> Option<Memory<'_>> {
    tensor.as_ref().map(Memory::of)
}

/// The numbers of a bias, or zeros where there is none.
fn or_zeros<'a, T: Real>(
    bias: &'a Option<Memory>,
    name: &str,
    size: usize,
) -> Result<Cow<'a, [T]>> {
    let Some(bias) = bias else {
        return Ok(Cow::Owned(vec![T::zero(); size]));
    };
    let numbers = bias.numbers()?;
    match numbers.len() == size {
        true => Ok(Cow::Borrowed(numbers)),
        false => Err(input_error!("{name} has {} numbers; it must have {size}", numbers.len())),
    }
}

/// What happens to the rows of a matrix product while they are still in the cache.
#[derive(Clone, Copy)]
enum Pass<'a> {
    Bias,
    Gelu,
    /// The norm, and the residual that is added before it.
    Norm(&'a LayerNorm, &'a Tensor),
}

fn dense(linear: &Linear, x: &Tensor, pass: Pass) -> Result<Tensor> {
    match x.dtype() {
        DType::F64 => dense_of::<f64>(linear, x, pass),
        _ => dense_of::<f32>(linear, x, pass),
    }
}

fn dense_of<T: Real>(linear: &Linear, x: &Tensor, pass: Pass) -> Result<Tensor> {
    let (mut rows, shape) = rows_of::<T>(linear, x)?;
    let outputs = shape[shape.len() - 1];
    check_parts(pass, &shape)?;
    let bias = optional(&linear.bias);
    let bias = or_zeros(&bias, "bias", outputs)?;
    let task = (TASK / outputs).max(1) * outputs;
    match pass {
        Pass::Bias if linear.bias.is_none() => {}
        Pass::Bias => rows.par_chunks_mut(task).for_each(|rows| kernels::add_bias(rows, &bias)),
        Pass::Gelu => {
            rows.par_chunks_mut(task).for_each(|rows| kernels::add_bias_gelu(rows, &bias))
        }
        Pass::Norm(norm, residual) => {
            let residual = residual.contiguous()?;
            let (residual, weight) = (Memory::of(&residual), Memory::of(&norm.weight));
            let norm_bias = optional(&norm.bias);
            let norm_bias = or_zeros(&norm_bias, "the norm's bias", outputs)?;
            let norm = Norm {
                dense_bias: &bias,
                weight: weight.numbers()?,
                bias: &norm_bias,
                eps: norm.eps,
            };
            let tasks = rows.par_chunks_mut(task).zip(residual.numbers()?.par_chunks(task));
            tasks.for_each(|(rows, residual)| kernels::add_norm(rows, residual, &norm));
        }
    }
    Ok(Tensor::from_vec(rows, shape, linear.weight.device())?)
}

/// x Wᵀ of `x` `[..., inputs]`, and the shape `[..., outputs]` of it.
fn rows_of<T: Real>(linear: &Linear, x: &Tensor) -> Result<(Vec<T>, Vec<usize>)> {
    let (outputs, inputs) = linear.weight.dims2()?;
    if x.dim(D::Minus1)? != inputs {
        return Err(input_error!("x has shape {:?}; its last axis must be {inputs}", x.dims()));
    }
    let mut shape = x.dims().to_vec();
    shape.pop();
    shape.push(outputs);
    let x = x.contiguous()?;
    let (x, weight) = (Memory::of(&x), Memory::of(&linear.weight));
    let rows = product(x.numbers::<T>()?, weight.numbers()?, inputs, outputs);
    Ok((rows, shape))
}

/// Whether norm and residual fit a result of that shape.
fn check_parts(pass: Pass, shape: &[usize]) -> Result<()> {
    let Pass::Norm(norm, residual) = pass else {
        return Ok(());
    };
    let outputs = &shape[shape.len() - 1..];
    let parts = [
        ("the norm's weight", norm.weight.dims(), outputs),
        ("residual", residual.dims(), shape),
    ];
    match parts.into_iter().find(|(_, found, wanted)| found != wanted) {
        None => Ok(()),
        Some((name, found, wanted)) => {
            Err(input_error!("{name} has shape {found:?}; it must be {wanted:?}"))
        }
    }
}

/// x Wᵀ for contiguous `x` `[rows, inputs]` and `weight` `[outputs, inputs]`: `[rows,
/// outputs]`.
fn product<T: Real>(x: &[T], weight: &[T], inputs: usize, outputs: usize) -> Vec<T> {
    let rows = x.len() / inputs;
    let mut result = vec![T::zero(); rows * outputs];
    let matrix = |start, row, column| Matrix { start, row, column };
    let (x, w) = (matrix(x.as_ptr(), inputs, 1), matrix(weight.as_ptr(), 1, inputs));
    let threads = Parallelism::Rayon(rayon::current_num_threads());
    // SAFETY: the strides describe `x`, `weight` and `result` as they were allocated.
    unsafe {
        multiply(
            (rows, outputs, inputs),
            x,
            w,
            (result.as_mut_ptr(), outputs),
            T::one(),
            threads,
        )
    };
    result
}

/// What [`BertEmbeddings::forward`] computes. All ids are in one shape, to which the result
/// adds the hidden axis.
pub fn embeddings(
    embeddings: &BertEmbeddings,
    input_ids: &Tensor,
    token_type_ids: &Tensor,
    position_ids: &Tensor,
) -> Result<Tensor> {
    match embeddings.word_embeddings.weight.dtype() {
        DType::F64 => embeddings_of::<f64>(embeddings, input_ids, token_type_ids, position_ids),
        _ => embeddings_of::<f32>(embeddings, input_ids, token_type_ids, position_ids),
    }
}

fn embeddings_of<T: Real>(
    embeddings: &BertEmbeddings,
    input_ids: &Tensor,
    token_type_ids: &Tensor,
    position_ids: &Tensor,
) -> Result<Tensor> {
    let tables = [
        &embeddings.word_embeddings,
        &embeddings.token_type_embeddings,
        &embeddings.position_embeddings,
    ];
    let tables = tables.map(|table| Memory::of(&table.weight));
    let size = embeddings.LayerNorm.weight.elem_count();
    let words = chosen::<T>(&tables[0], input_ids, size)?;
    let types = chosen::<T>(&tables[1], token_type_ids, size)?;
    let positions = chosen::<T>(&tables[2], position_ids, size)?;
    if words.len() != types.len() || words.len() != positions.len() {
        return Err(input_error!(
            "input_ids, token_type_ids and position_ids have {}, {} and {} elements; they must be of one shape",
            words.len(),
            types.len(),
            positions.len()
        ));
    }
    let norm = &embeddings.LayerNorm;
    let (weight, bias) = (Memory::of(&norm.weight), optional(&norm.bias));
    let (weight, bias) = (weight.numbers()?, or_zeros(&bias, "bias", size)?);

    let mut rows = vec![T::zero(); words.len() * size];
    rows.par_chunks_mut(size).enumerate().with_min_len(TASK / size).for_each(|(token, row)| {
        row.copy_from_slice(words[token]);
        let parts = Norm { dense_bias: types[token], weight, bias: &bias, eps: norm.eps };
        kernels::add_norm(row, positions[token], &parts);
    });
    let mut shape = input_ids.dims().to_vec();
    shape.push(size);
    Ok(Tensor::from_vec(rows, shape, input_ids.device())?)
}

/// The row of the table that each id names.
fn chosen<'a, T: Real>(table: &'a Memory, ids: &Tensor, size: usize) -> Result<Vec<&'a [T]>> {
    let rows = table.numbers::<T>()?;
    let row = |id: i64| {
        let start = usize::try_from(id).ok().and_then(|id| id.checked_mul(size));
        let row = start.and_then(|start| rows.get(start..start + size));
        row.ok_or_else(|| {
            input_error!("id {id} lies outside a table of {} rows", rows.len() / size)
        })
    };
    ids.flatten_all()?.to_vec1()?.into_iter().map(row).collect()
}
