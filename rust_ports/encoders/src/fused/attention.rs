//! Attention that reads its heads where they lie and writes them where the next layer wants them.

use candle_core::{DType, Tensor};
use gemm::Parallelism;
use rayon::prelude::*;

use super::kernels::{self, Real};
use super::memory::{Matrix, Memory, multiply};
use crate::attention::{check_cu_seqlens, texts};
use crate::error::{Result, input_error};

/// [`packed_attention`](crate::attention::packed_attention), reading the heads wherever they lie.
pub fn packed_attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    cu_seqlens: &[usize],
) -> Result<Tensor> {
    check_cu_seqlens(cu_seqlens, query.dims3()?.1)?;
    let texts: Vec<_> = texts(cu_seqlens).collect();
    let batch = |x: &Tensor| x.unsqueeze(0);
    Ok(attention(&batch(query)?, &batch(key)?, &batch(value)?, &texts, None)?.squeeze(0)?)
}

/// [`scaled_dot_product_attention`](crate::attention::scaled_dot_product_attention) for `[batch, heads, tokens,
/// head_dim]` and a mask `[batch, 1, 1, tokens]`, reading the heads wherever they lie.
pub fn scaled_dot_product_attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    mask: Option<&Tensor>,
) -> Result<Tensor> {
    let tokens = query.dims4()?.2;
    attention(query, key, value, &[(0, tokens)], mask)
}

fn attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    texts: &[(usize, usize)],
    mask: Option<&Tensor>,
) -> Result<Tensor> {
    if query.dims() != key.dims() || query.dims() != value.dims() {
        return Err(input_error!(
            "query, key and value have shapes {:?}, {:?} and {:?}; they must be equal",
            query.dims(),
            key.dims(),
            value.dims()
        ));
    }
    if query.elem_count() == 0 {
        return Err(input_error!(
            "query has shape {:?}: there is nothing to attend with",
            query.dims()
        ));
    }
    match query.dtype() {
        DType::F64 => attention_of::<f64>(query, key, value, texts, mask),
        _ => attention_of::<f32>(query, key, value, texts, mask),
    }
}

/// A pointer that tasks share; each writes a part of its own.
struct Shared<T>(*mut T);
// SAFETY: the tasks of `attention_of` write disjoint elements.
unsafe impl<T: Send> Sync for Shared<T> {}

/// Attention within each (start, length) of `texts`, in every row of the batch; one task a row, head and text.
///
/// The result is laid out as `[batch, tokens, heads, head_dim]`, so that merging the heads copies nothing, and
/// returned as a view `[batch, heads, tokens, head_dim]`.
fn attention_of<T: Real>(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    texts: &[(usize, usize)],
    mask: Option<&Tensor>,
) -> Result<Tensor> {
    let (batch, heads, tokens, size) = query.dims4()?;
    let mask = mask
        .map(|mask| mask.flatten_all()?.to_vec1::<u8>())
        .transpose()?;
    if mask
        .as_ref()
        .is_some_and(|mask| mask.len() != batch * tokens)
    {
        return Err(input_error!(
            "the mask does not fit query of shape {:?}",
            query.dims()
        ));
    }
    let device = query.device();
    let (query, key, value) = (Memory::of(query), Memory::of(key), Memory::of(value));
    let (q, k, v) = (query.heads::<T>()?, key.heads::<T>()?, value.heads::<T>()?);
    let mut context = vec![T::zero(); batch * tokens * heads * size];
    let result = Shared(context.as_mut_ptr());
    let scale = T::from_f64(1.0 / (size as f64).sqrt());
    let tasks = batch * heads * texts.len();

    (0..tasks)
        .into_par_iter()
        .for_each_init(Vec::new, |scores: &mut Vec<T>, task| {
            let result = &result;
            let (start, length) = texts[task % texts.len()];
            let (row, head) = (task / texts.len() / heads, task / texts.len() % heads);
            scores.resize(length * length, T::zero());
            let (q, k, v) = (
                q.at(row, head, start),
                k.at(row, head, start),
                v.at(row, head, start),
            );
            let keys = Matrix {
                row: k.column,
                column: k.row,
                ..k
            }; // transposed
            // SAFETY: the texts lie within the rows, and `Memory::heads` checked those; `scores` is [length, length].
            unsafe {
                multiply(
                    (length, length, size),
                    q,
                    keys,
                    (scores.as_mut_ptr(), length),
                    scale,
                    Parallelism::None,
                )
            };
            let real = mask
                .as_ref()
                .map(|mask| &mask[row * tokens + start..][..length]);
            kernels::softmax(scores, length, real);
            let weights = Matrix {
                start: scores.as_ptr(),
                row: length,
                column: 1,
            };
            let first = ((row * tokens + start) * heads + head) * size;
            // SAFETY: this task alone writes rows start..start + length of this head, all within `context`.
            unsafe {
                let place = (result.0.add(first), heads * size);
                multiply(
                    (length, size, length),
                    weights,
                    v,
                    place,
                    T::one(),
                    Parallelism::None,
                );
            }
        });
    Ok(Tensor::from_vec(context, (batch, tokens, heads, size), device)?.transpose(1, 2)?)
}
