//! Matrix products whose rows are finished while they are still in the cache, and the embeddings' sum and norm.

use candle_core::{D, DType, Tensor};
use gemm::Parallelism;
use rayon::prelude::*;

use super::kernels::{self, Norm, Real};
use super::memory::{Matrix, Memory, multiply};
use crate::bert::BertEmbeddings;
use crate::error::{Result, input_error};
use crate::layers::{LayerNorm, Linear};

/// How many numbers one task of an element-wise pass takes: little enough to stay in a core's cache.
const TASK: usize = 1 << 14;

/// [`Linear::forward`].
pub fn linear(linear: &Linear, x: &Tensor) -> Result<Tensor> {
    dense(linear, x, Pass::Bias)
}

/// [`gelu`](crate::layers::gelu) of [`Linear::forward`].
pub fn linear_gelu(linear: &Linear, x: &Tensor) -> Result<Tensor> {
    dense(linear, x, Pass::Gelu)
}

/// [`LayerNorm::forward`] of [`Linear::forward`] plus `residual`, which has the shape of the result.
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
        return Err(input_error!(
            "x has shape {:?}; its last axis must be {size}",
            x.dims()
        ));
    }
    if norm.bias.dims() != [size] {
        return Err(input_error!(
            "bias has shape {:?}; it must be [{size}]",
            norm.bias.dims()
        ));
    }
    let (weight, bias) = (Memory::of(&norm.weight), Memory::of(&norm.bias));
    let mut rows = x.flatten_all()?.to_vec1::<T>()?;
    let nothing = vec![T::zero(); rows.len()];
    let norm = Norm {
        dense_bias: &nothing[..size.min(nothing.len())],
        weight: weight.numbers()?,
        bias: bias.numbers()?,
        eps: norm.eps,
    };
    kernels::add_norm(&mut rows, &nothing, &norm);
    Ok(Tensor::from_vec(rows, x.dims(), x.device())?)
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
    let (outputs, inputs) = linear.weight.dims2()?;
    if x.dim(D::Minus1)? != inputs {
        return Err(input_error!(
            "x has shape {:?}; its last axis must be {inputs}",
            x.dims()
        ));
    }
    let mut shape = x.dims().to_vec();
    shape.pop();
    shape.push(outputs);
    check_parts(linear, pass, &shape)?;

    let x = x.contiguous()?;
    let (x, weight, bias) = (
        Memory::of(&x),
        Memory::of(&linear.weight),
        Memory::of(&linear.bias),
    );
    let bias = bias.numbers()?;
    let mut rows = product(x.numbers::<T>()?, weight.numbers()?, inputs, outputs);
    let task = (TASK / outputs).max(1) * outputs;
    match pass {
        Pass::Bias => rows
            .par_chunks_mut(task)
            .for_each(|rows| kernels::add_bias(rows, bias)),
        Pass::Gelu => rows
            .par_chunks_mut(task)
            .for_each(|rows| kernels::add_bias_gelu(rows, bias)),
        Pass::Norm(norm, residual) => {
            let residual = residual.contiguous()?;
            let (residual, weight, norm_bias) = (
                Memory::of(&residual),
                Memory::of(&norm.weight),
                Memory::of(&norm.bias),
            );
            let norm = Norm {
                dense_bias: bias,
                weight: weight.numbers()?,
                bias: norm_bias.numbers()?,
                eps: norm.eps,
            };
            let tasks = rows
                .par_chunks_mut(task)
                .zip(residual.numbers()?.par_chunks(task));
            tasks.for_each(|(rows, residual)| kernels::add_norm(rows, residual, &norm));
        }
    }
    Ok(Tensor::from_vec(rows, shape, linear.weight.device())?)
}

/// Whether biases, norm and residual fit a result of that shape.
fn check_parts(linear: &Linear, pass: Pass, shape: &[usize]) -> Result<()> {
    let outputs = &shape[shape.len() - 1..];
    let mut parts = vec![("bias", linear.bias.dims(), outputs)];
    if let Pass::Norm(norm, residual) = pass {
        parts.push(("the norm's weight", norm.weight.dims(), outputs));
        parts.push(("the norm's bias", norm.bias.dims(), outputs));
        parts.push(("residual", residual.dims(), shape));
    }
    match parts.into_iter().find(|(_, found, wanted)| found != wanted) {
        None => Ok(()),
        Some((name, found, wanted)) => Err(input_error!(
            "{name} has shape {found:?}; it must be {wanted:?}"
        )),
    }
}

/// x Wᵀ for contiguous `x` `[rows, inputs]` and `weight` `[outputs, inputs]`: `[rows, outputs]`.
fn product<T: Real>(x: &[T], weight: &[T], inputs: usize, outputs: usize) -> Vec<T> {
    let rows = x.len() / inputs;
    let mut result = vec![T::zero(); rows * outputs];
    let matrix = |start, row, column| Matrix { start, row, column };
    let (x, w) = (
        matrix(x.as_ptr(), inputs, 1),
        matrix(weight.as_ptr(), 1, inputs),
    );
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

/// What [`BertEmbeddings::forward`] computes. All ids are in one shape, to which the result adds the hidden axis.
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
    let (weight, bias) = (
        Memory::of(&embeddings.LayerNorm.weight),
        Memory::of(&embeddings.LayerNorm.bias),
    );
    let (weight, bias, eps) = (weight.numbers()?, bias.numbers()?, embeddings.LayerNorm.eps);

    let mut rows = vec![T::zero(); words.len() * size];
    rows.par_chunks_mut(size)
        .enumerate()
        .with_min_len(TASK / size)
        .for_each(|(token, row)| {
            row.copy_from_slice(words[token]);
            let norm = Norm {
                dense_bias: types[token],
                weight,
                bias,
                eps,
            };
            kernels::add_norm(row, positions[token], &norm);
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
