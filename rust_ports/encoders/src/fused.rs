//! Everything clever: the same numbers as the plain forms beside it, faster, and without gradients.
//!
//! candle runs element-wise work on one thread and in one pass an operation. Here bias + GELU and
//! bias + residual + layer norm are one pass over all cores, the three projections of attention are one matrix
//! product, and attention reads its heads where they lie. The plain forms are what a reader should read first,
//! and what runs wherever a gradient or a trace is wanted.

use candle_core::{D, DType, Layout, Storage, StorageRef, Tensor};
use gemm::Parallelism;
use rayon::prelude::*;

use crate::attention::{check_cu_seqlens, merge_heads, texts};
use crate::bert::{BertAttention, BertLayer};
use crate::config::BertConfig;
use crate::error::{Result, input_error};
use crate::kernels::{self, Norm, Real};
use crate::layers::{LayerNorm, Linear};
use crate::trace;

/// The one place that decides between the plain forms and these: no gradient is wanted of any of `tensors`, no
/// trace is being recorded, and the numbers are float32 or float64 on the CPU.
pub fn wanted(tensors: &[&Tensor]) -> bool {
    let fits = |x: &&Tensor| {
        !x.track_op() && x.device().is_cpu() && matches!(x.dtype(), DType::F32 | DType::F64)
    };
    !trace::on() && tensors.iter().all(fits)
}

/// How many numbers one task of an element-wise pass takes: little enough to stay in a core's cache.
const TASK: usize = 1 << 14;

/// A [`BertLayer`] with its query, key and value projections laid side by side, made once at load time.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Weight `[3 hidden, hidden]`; None where the weights are trained.
    projections: Option<Linear>,
    exact_gelu: bool,
}

impl Layer {
    pub fn new(attention: &BertAttention, config: &BertConfig) -> Result<Self> {
        let parts = &attention.self_attention;
        let linears = [&parts.query, &parts.key, &parts.value];
        let weights = linears.map(|linear| &linear.weight);
        let biases = linears.map(|linear| &linear.bias);
        let projections = match wanted(&weights) {
            true => Some(Linear {
                weight: Tensor::cat(&weights, 0)?,
                bias: Tensor::cat(&biases, 0)?,
            }),
            false => None,
        };
        Ok(Self {
            projections,
            exact_gelu: matches!(config.hidden_act.as_str(), "gelu" | "gelu_python"),
        })
    }

    /// What [`BertLayer::forward`] computes; `hidden` is `[..., tokens, hidden]`, and so is the result.
    pub fn forward(
        &self,
        layer: &BertLayer,
        hidden: &Tensor,
        attend: &crate::attention::Attend,
    ) -> Result<Tensor> {
        let attention = &layer.attention;
        let context = match &self.projections {
            Some(projections) => {
                let [query, key, value] =
                    project(projections, hidden, attention.self_attention.heads)?;
                merge_heads(&attend(&query, &key, &value)?)?
            }
            None => attention.self_attention.forward(hidden, attend)?,
        };
        let attended = linear_norm(
            &attention.output.dense,
            &attention.output.LayerNorm,
            &context,
            hidden,
        )?;
        let wide = match self.exact_gelu {
            true => linear_gelu(&layer.intermediate.dense, &attended)?,
            false => layer.intermediate.forward(&attended)?,
        };
        linear_norm(
            &layer.output.dense,
            &layer.output.LayerNorm,
            &wide,
            &attended,
        )
    }
}

/// Query, key and value of every head, `[..., heads, tokens, head_dim]`, as three views of one product.
fn project(projections: &Linear, hidden: &Tensor, heads: usize) -> Result<[Tensor; 3]> {
    let all = linear(projections, hidden)?;
    let size = hidden.dim(D::Minus1)?;
    let mut shape = hidden.dims().to_vec();
    shape.pop();
    shape.extend([3, heads, size / heads]);
    let all = all.reshape(shape)?; // [..., tokens, 3, heads, head_dim]
    let axis = all.rank() - 3;
    let part = |number| {
        all.narrow(axis, number, 1)?
            .squeeze(axis)?
            .transpose(axis - 1, axis)
    };
    Ok([part(0)?, part(1)?, part(2)?])
}

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
            let eps = T::from_f64(norm.eps);
            let norm = Norm {
                dense_bias: bias,
                weight: weight.numbers()?,
                bias: norm_bias.numbers()?,
                eps,
            };
            let tasks = rows
                .par_chunks_mut(task)
                .zip(residual.numbers()?.par_chunks(task));
            tasks.for_each(|(rows, residual)| kernels::add_norm(rows, residual, &norm));
        }
    }
    Ok(Tensor::from_vec(rows, shape, linear.weight.device())?)
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

/// Where a matrix starts, and how far apart its rows and columns lie.
#[derive(Clone, Copy)]
struct Matrix<T> {
    start: *const T,
    row: usize,
    column: usize,
}

/// result = scale * left * right, for `(rows, columns, inner)`; `result` has rows `stride` apart.
///
/// # Safety
/// Every element that sizes and strides speak of must lie in memory that is valid to read, or for `result` to write.
unsafe fn multiply<T: Real>(
    (rows, columns, inner): (usize, usize, usize),
    left: Matrix<T>,
    right: Matrix<T>,
    (result, stride): (*mut T, usize),
    scale: T,
    threads: Parallelism,
) {
    // SAFETY: passed on from the caller.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            result,
            1,
            stride as isize,
            false,
            left.start,
            left.column as isize,
            left.row as isize,
            right.start,
            right.column as isize,
            right.row as isize,
            T::zero(),
            scale,
            false,
            false,
            false,
            threads,
        )
    }
}

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

/// The memory of a tensor, held for reading.
struct Memory<'a> {
    storage: StorageRef<'a>,
    layout: &'a Layout,
}

impl<'a> Memory<'a> {
    fn of(tensor: &'a Tensor) -> Self {
        let (storage, layout) = tensor.storage_and_layout();
        Self { storage, layout }
    }

    fn all<T: Real>(&self) -> Result<&[T]> {
        match &*self.storage {
            Storage::Cpu(storage) => Ok(storage.as_slice()?),
            _ => Err(input_error!("the fused kernels run on the CPU only")),
        }
    }

    /// The numbers of a contiguous tensor.
    fn numbers<T: Real>(&self) -> Result<&[T]> {
        match self.layout.contiguous_offsets() {
            Some((start, end)) => Ok(&self.all()?[start..end]),
            None => Err(input_error!(
                "the fused kernels take contiguous tensors here"
            )),
        }
    }

    /// A tensor `[batch, heads, tokens, head_dim]` of whatever strides.
    fn heads<T: Real>(&self) -> Result<Heads<'_, T>> {
        let all = self.all()?;
        let (dims, strides) = (self.layout.dims(), self.layout.stride());
        let reach: usize = dims
            .iter()
            .zip(strides)
            .map(|(size, stride)| (size - 1) * stride)
            .sum();
        // Everything that `Heads::at` can point to, as long as its arguments are within `dims`.
        let numbers = &all[self.layout.start_offset()..][..reach + 1];
        Ok(Heads {
            numbers,
            strides: [strides[0], strides[1], strides[2], strides[3]],
        })
    }
}

#[derive(Clone, Copy)]
struct Heads<'a, T> {
    numbers: &'a [T],
    strides: [usize; 4],
}

impl<T> Heads<'_, T> {
    /// The matrix `[tokens from here on, head_dim]` of one row and head.
    fn at(&self, row: usize, head: usize, token: usize) -> Matrix<T> {
        let start = row * self.strides[0] + head * self.strides[1] + token * self.strides[2];
        Matrix {
            start: &self.numbers[start],
            row: self.strides[2],
            column: self.strides[3],
        }
    }
}
