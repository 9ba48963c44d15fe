//! Attention that reads its heads where they lie and writes them where the next layer wants
//! them.

use candle_core::Tensor;
use gemm::Parallelism;
use rayon::prelude::*;

use crate::blocks::{BLOCK, Block};
use crate::error::Result;
use crate::lengths::Lengths;
use crate::loops;
use crate::memory::{Matrix, Memory, multiply};
use crate::real::Real;
use crate::{by_dtype, input_error};

/// Attention within each text of a packed row, to all of it or to `window` tokens on either
/// side, reading the heads wherever they lie.
///
/// `query`, `key` and `value` are `[heads, tokens, head_dim]`, and so is the result; `bias`
/// `[heads, longest, longest]` is added to the scores of each text, from its start.
pub fn packed_attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    lengths: Lengths,
    window: Option<usize>,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    let tokens = query.dims3()?.1;
    if lengths.tokens() != tokens {
        return Err(input_error!(
            "the texts have {} tokens together, and query has {tokens}",
            lengths.tokens()
        ));
    }
    let texts: Vec<_> = lengths.texts().collect();
    let batch = |x: &Tensor| x.unsqueeze(0);
    let (query, key, value) = (batch(query)?, batch(key)?, batch(value)?);
    Ok(attention(&query, &key, &value, &texts, None, window, bias)?.squeeze(0)?)
}

/// Attention to the whole text, or to `window` tokens on either side, reading the heads
/// wherever they lie.
///
/// `query`, `key` and `value` are `[batch, heads, tokens, head_dim]`, and so is the result;
/// `mask` is `[batch, 1, 1, tokens]`, 0 where a key may not be attended to; `bias` `[heads,
/// tokens, tokens]` is added to the scores of each text.
pub fn blockwise_attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    mask: Option<&Tensor>,
    window: Option<usize>,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    let tokens = query.dims4()?.2;
    attention(query, key, value, &[(0, tokens)], mask, window, bias)
}

fn attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    texts: &[(usize, usize)],
    mask: Option<&Tensor>,
    window: Option<usize>,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    if query.dims() != key.dims() || query.dims() != value.dims() {
        return Err(input_error!(
            "query, key and value have shapes {:?}, {:?} and {:?}; they must be equal",
            query.dims(),
            key.dims(),
            value.dims()
        ));
    }
    let longest = texts.iter().map(|(_, length)| *length).max().unwrap_or(0);
    if let Some(bias) = bias
        && bias.dims() != [query.dims()[1], longest, longest]
    {
        return Err(input_error!(
            "bias has shape {:?}; it must be [{}, {longest}, {longest}]",
            bias.dims(),
            query.dims()[1]
        ));
    }
    if query.elem_count() == 0 {
        return Err(input_error!(
            "query has shape {:?}: there is nothing to attend with",
            query.dims()
        ));
    }
    by_dtype!(query, attention_of(query, key, value, texts, mask, window, bias))
}

/// What is added to the scores of every text.
struct Bias<'a, T> {
    /// `[heads, longest, longest]`.
    numbers: &'a [T],
    longest: usize,
}

impl<T: Real> Bias<'_, T> {
    /// Adds to the `scores` `[queries, keys]` of a block.
    fn add(&self, head: usize, block: &Block, scores: &mut [T]) {
        for (number, row) in scores.chunks_exact_mut(block.keys).enumerate() {
            let query = head * self.longest + block.first_query + number;
            let first = query * self.longest + block.first_key;
            loops::add_bias(row, &self.numbers[first..][..block.keys]);
        }
    }
}

/// A pointer that tasks share; each writes a part of its own.
struct Shared<T>(*mut T);
// SAFETY: the tasks of `attention_of` write disjoint elements.
unsafe impl<T: Send> Sync for Shared<T> {}

/// A text in its row, and some of its queries with the keys that they reach, counted from the
/// text's start.
struct Task {
    start: usize,
    block: Block,
    /// How far each query sees; None is to both ends of the text.
    window: Option<usize>,
}

fn tasks(texts: &[(usize, usize)], window: Option<usize>) -> Vec<Task> {
    let blocks = |(start, length): (usize, usize)| {
        let window = window.filter(|window| *window < length.saturating_sub(1));
        (0..length).step_by(BLOCK).map(move |query| Task {
            start,
            block: Block::new(query, length, window),
            window,
        })
    };
    texts.iter().copied().flat_map(blocks).collect()
}

/// Attention within each (start, length) of `texts`, in every row of the batch; one task a row,
/// head and block.
///
/// The result is laid out as `[batch, tokens, heads, head_dim]`, so that merging the heads
/// copies nothing, and returned as a view `[batch, heads, tokens, head_dim]`.
fn attention_of<T: Real>(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    texts: &[(usize, usize)],
    mask: Option<&Tensor>,
    window: Option<usize>,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    let (batch, heads, tokens, size) = query.dims4()?;
    let mask = mask.map(|mask| mask.flatten_all()?.to_vec1::<u8>()).transpose()?;
    if mask.as_ref().is_some_and(|mask| mask.len() != batch * tokens) {
        return Err(input_error!("the mask does not fit query of shape {:?}", query.dims()));
    }
    let longest = bias.map_or(0, |bias| bias.dims()[1]);
    let bias = bias.map(Memory::of);
    let bias = bias.as_ref().map(Memory::numbers).transpose()?;
    let bias = bias.map(|numbers| Bias { numbers, longest });
    let device = query.device();
    let (query, key, value) = (Memory::of(query), Memory::of(key), Memory::of(value));
    let (q, k, v) = (query.heads::<T>()?, key.heads::<T>()?, value.heads::<T>()?);
    let mut context = vec![T::zero(); batch * tokens * heads * size];
    let result = Shared(context.as_mut_ptr());
    let scale = T::from_f64(1.0 / (size as f64).sqrt());
    let tasks = tasks(texts, window);

    (0..batch * heads * tasks.len()).into_par_iter().for_each_init(
        Vec::new,
        |scores: &mut Vec<T>, number| {
            let result = &result;
            let Task { start, block, window } = &tasks[number % tasks.len()];
            let (row, head) = (number / tasks.len() / heads, number / tasks.len() % heads);
            let (first_query, first_key) = (start + block.first_query, start + block.first_key);
            scores.resize(block.queries * block.keys, T::zero());
            let (q, k, v) = (
                q.at(row, head, first_query),
                k.at(row, head, first_key),
                v.at(row, head, first_key),
            );
            let keys = Matrix { row: k.column, column: k.row, ..k }; // transposed
            // SAFETY: the texts lie within the rows, and `Memory::heads` checked those;
            // `scores` is [queries, keys].
            unsafe {
                multiply(
                    (block.queries, block.keys, size),
                    q,
                    keys,
                    (scores.as_mut_ptr(), block.keys),
                    scale,
                    Parallelism::None,
                )
            };
            if let Some(bias) = &bias {
                bias.add(head, block, scores);
            }
            let real =
                mask.as_ref().map(|mask| &mask[row * tokens + first_key..][..block.keys]);
            match window {
                None => loops::softmax(scores, block.keys, real),
                Some(window) => windowed_softmax(scores, block, *window, real),
            }
            let weights = Matrix { start: scores.as_ptr(), row: block.keys, column: 1 };
            let first = ((row * tokens + first_query) * heads + head) * size;
            // SAFETY: this task alone writes the rows of its queries for this head, all within
            // `context`.
            unsafe {
                let place = (result.0.add(first), heads * size);
                multiply(
                    (block.queries, size, block.keys),
                    weights,
                    v,
                    place,
                    T::one(),
                    Parallelism::None,
                );
            }
        },
    );
    Ok(Tensor::from_vec(context, (batch, tokens, heads, size), device)?.transpose(1, 2)?)
}

/// The softmax of each query's own stretch of `scores` `[queries, keys]`, and zeros beside it.
/// A query that sees nothing but pads attends to nothing.
fn windowed_softmax<T: Real>(
    scores: &mut [T],
    block: &Block,
    window: usize,
    real: Option<&[u8]>,
) {
    for (number, row) in scores.chunks_exact_mut(block.keys).enumerate() {
        let query = block.first_query + number - block.first_key;
        let near = query.saturating_sub(window)..block.keys.min(query + window + 1);
        let real = real.map(|real| &real[near.clone()]);
        row[..near.start].fill(T::zero());
        row[near.end..].fill(T::zero());
        let near = &mut row[near];
        match real {
            Some(real) if real.iter().all(|real| *real == 0) => near.fill(T::zero()),
            _ => {
                let keys = near.len();
                loops::softmax(near, keys, real)
            }
        }
    }
}
