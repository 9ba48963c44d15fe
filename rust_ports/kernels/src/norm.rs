//! Layer norm by itself, and of the sum that embeddings are.

use candle_core::{D, Tensor};
use rayon::prelude::*;

use crate::error::Result;
use crate::loops;
use crate::memory::{Memory, numbers_or_zeros};
use crate::real::Real;
use crate::{TASK, by_dtype, input_error, rows_a_task};

/// What a layer norm is made of.
#[derive(Debug, Clone, Copy)]
pub struct Norm<'a> {
    /// `[size]`.
    pub weight: &'a Tensor,
    /// `[size]`, where there is one.
    pub bias: Option<&'a Tensor>,
    /// What is added to the variance.
    pub eps: f64,
}

/// Layer norm of `x` `[..., size]`, and so is the result.
pub fn layer_norm(norm: Norm, x: &Tensor) -> Result<Tensor> {
    by_dtype!(x, layer_norm_of(norm, x))
}

fn layer_norm_of<T: Real>(norm: Norm, x: &Tensor) -> Result<Tensor> {
    let size = norm.weight.elem_count();
    if x.dim(D::Minus1)? != size {
        return Err(input_error!("x has shape {:?}; its last axis must be {size}", x.dims()));
    }
    let mut rows = x.flatten_all()?.to_vec1::<T>()?;
    if rows.is_empty() {
        return Ok(x.clone());
    }
    let weight = Memory::of(norm.weight);
    let bias = numbers_or_zeros("bias", norm.bias, size)?;
    let task = rows_a_task(size) * size;
    let nothing = vec![T::zero(); task.min(rows.len())];
    let norm = loops::Norm {
        dense_bias: &nothing[..size],
        weight: weight.numbers()?,
        bias: &bias,
        eps: norm.eps,
    };
    rows.par_chunks_mut(task).for_each(|rows| loops::add_norm(rows, &nothing, &norm));
    Ok(Tensor::from_vec(rows, x.dims(), x.device())?)
}

/// Layer norm of the sum of one row of each of two or three tables.
///
/// `looked_up` are the tables `[rows, size]` with the ids that choose their rows; all ids are
/// in one shape, to which the result adds the axis of `size`.
pub fn sum_norm(looked_up: &[(&Tensor, &Tensor)], norm: Norm) -> Result<Tensor> {
    match looked_up.len() {
        2 | 3 => by_dtype!(norm.weight, sum_norm_of(looked_up, norm)),
        count => Err(input_error!("{count} tables are looked up in; it must be 2 or 3")),
    }
}

fn sum_norm_of<T: Real>(looked_up: &[(&Tensor, &Tensor)], norm: Norm) -> Result<Tensor> {
    let size = norm.weight.elem_count();
    let ids = looked_up[0].1;
    if let Some((_, other)) = looked_up.iter().find(|(_, other)| other.dims() != ids.dims()) {
        return Err(input_error!(
            "the ids have shapes {:?} and {:?}; they must be equal",
            ids.dims(),
            other.dims()
        ));
    }
    let tables: Vec<_> = looked_up.iter().map(|(table, _)| Memory::of(table)).collect();
    let chosen = tables.iter().zip(looked_up).map(|(table, (_, ids))| chosen(table, ids, size));
    let chosen: Vec<Vec<&[T]>> = chosen.collect::<Result<_>>()?;
    let weight = Memory::of(norm.weight);
    let (weight, bias) = (weight.numbers()?, numbers_or_zeros("bias", norm.bias, size)?);
    let nothing = vec![T::zero(); size];
    let (first, last) = (&chosen[0], &chosen[chosen.len() - 1]);
    let middle = (chosen.len() == 3).then(|| &chosen[1]);

    let mut rows = vec![T::zero(); ids.elem_count() * size];
    let tasks = rows.par_chunks_mut(size).enumerate().with_min_len(TASK / size);
    tasks.for_each(|(token, row)| {
        row.copy_from_slice(first[token]);
        let dense_bias = middle.map_or(&nothing[..], |middle| middle[token]);
        let norm = loops::Norm { dense_bias, weight, bias: &bias, eps: norm.eps };
        loops::add_norm(row, last[token], &norm);
    });
    let mut shape = ids.dims().to_vec();
    shape.push(size);
    Ok(Tensor::from_vec(rows, shape, ids.device())?)
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
