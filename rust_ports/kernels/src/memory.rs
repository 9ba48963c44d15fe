//! Tensors as plain memory, and the matrix product on it.

use candle_core::{CpuStorage, Layout, Storage, StorageRef, Tensor};
use gemm::Parallelism;
use rayon::prelude::*;

use crate::error::Result;
use crate::real::Real;
use crate::{TASK, input_error};

/// The memory of a tensor, held for reading.
pub struct Memory<'a> {
    storage: StorageRef<'a>,
    layout: &'a Layout,
}

impl<'a> Memory<'a> {
    pub fn of(tensor: &'a Tensor) -> Self {
        let (storage, layout) = tensor.storage_and_layout();
        Self { storage, layout }
    }

    fn all<T: Real>(&self) -> Result<&[T]> {
        match &*self.storage {
            Storage::Cpu(storage) => Ok(storage.as_slice()?),
            _ => Err(input_error!("the kernels run on the CPU only")),
        }
    }

    /// The numbers of a contiguous tensor.
    pub fn numbers<T: Real>(&self) -> Result<&[T]> {
        match self.layout.contiguous_offsets() {
            Some((start, end)) => Ok(&self.all()?[start..end]),
            None => Err(input_error!("the kernels take contiguous tensors here")),
        }
    }

    /// A tensor `[batch, heads, tokens, head_dim]` of whatever strides.
    pub fn heads<T: Real>(&self) -> Result<Heads<'_, T>> {
        let all = self.all()?;
        let (dims, strides) = (self.layout.dims(), self.layout.stride());
        let reach: usize =
            dims.iter().zip(strides).map(|(size, stride)| (size - 1) * stride).sum();
        // Everything that `Heads::at` can point to, as long as its arguments are within `dims`.
        let numbers = &all[self.layout.start_offset()..][..reach + 1];
        Ok(Heads { numbers, strides: [strides[0], strides[1], strides[2], strides[3]] })
    }
}

/// The numbers of a contiguous tensor, as an operation of candle's is given it.
pub fn contiguous<'a, T: Real>(
    (storage, layout): (&'a CpuStorage, &Layout),
) -> candle_core::Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice()?[start..end]),
        None => candle_core::bail!("the kernels take contiguous tensors here"),
    }
}

/// The same numbers in memory of their own, copied by all threads.
pub fn copied<T: Real>(numbers: &[T]) -> Vec<T> {
    let mut result = Vec::new();
    numbers.par_iter().with_min_len(TASK).copied().collect_into_vec(&mut result);
    result
}

/// Room for so many numbers.
///
/// The system hands memory out page by page, when each is first touched. Of what is large it is
/// asked for pages of two megabytes instead of four kilobytes: for the results of a long text
/// those take a twentieth of the time.
pub fn room<T>(size: usize) -> Vec<T> {
    let room = Vec::with_capacity(size);
    #[cfg(target_os = "linux")]
    if size * size_of::<T>() >= LARGE {
        let start = room.as_ptr() as usize / LARGE * LARGE;
        let end = (room.as_ptr() as usize + size * size_of::<T>()).next_multiple_of(LARGE);
        // SAFETY: this is advice, which changes no content, of ours or of what lies beside it
        // on the same large pages; where it is not taken nothing is lost.
        unsafe { libc::madvise(start as *mut _, end - start, libc::MADV_HUGEPAGE) };
    }
    room
}

/// The bytes of a large page.
#[cfg(target_os = "linux")]
const LARGE: usize = 2 << 20;

#[derive(Clone, Copy)]
pub struct Heads<'a, T> {
    numbers: &'a [T],
    strides: [usize; 4],
}

impl<T> Heads<'_, T> {
    /// The matrix `[tokens from here on, head_dim]` of one row and head.
    pub fn at(&self, row: usize, head: usize, token: usize) -> Matrix<T> {
        let start = row * self.strides[0] + head * self.strides[1] + token * self.strides[2];
        Matrix { start: &self.numbers[start], row: self.strides[2], column: self.strides[3] }
    }
}

/// Where a matrix starts, and how far apart its rows and columns lie.
#[derive(Clone, Copy)]
pub struct Matrix<T> {
    pub start: *const T,
    pub row: usize,
    pub column: usize,
}

/// How many products are summed in one go. Each sum of that length is finished before it is
/// added to the others: the rounding error of a sum grows with its length, and one sum over all
/// of a wide layer would double it.
pub const CHUNK: usize = 192;

/// result = scale * left * right, for `(rows, columns, inner)`; `result` has rows `stride`
/// apart.
///
/// # Safety
///
/// Every element that sizes and strides speak of must lie in memory that is valid to
/// read, or for `result` to write.
pub unsafe fn multiply<T: Real>(
    (rows, columns, inner): (usize, usize, usize),
    left: Matrix<T>,
    right: Matrix<T>,
    (result, stride): (*mut T, usize),
    scale: T,
    threads: Parallelism,
) {
    for start in (0..inner).step_by(CHUNK) {
        // SAFETY: passed on from the caller; each chunk is a part of the whole.
        unsafe {
            gemm::gemm(
                rows,
                columns,
                CHUNK.min(inner - start),
                result,
                1,
                stride as isize,
                start > 0, // add to what is there
                left.start.add(start * left.column),
                left.column as isize,
                left.row as isize,
                right.start.add(start * right.row),
                right.column as isize,
                right.row as isize,
                T::one(),
                scale,
                false,
                false,
                false,
                threads,
            )
        }
    }
}

/// The numbers of a tensor `[size]`, or zeros where there is none.
pub fn numbers_or_zeros<T: Real>(
    name: &str,
    tensor: Option<&Tensor>,
    size: usize,
) -> Result<Vec<T>> {
    let Some(tensor) = tensor else {
        return Ok(vec![T::zero(); size]);
    };
    check_shape(name, tensor, &[size])?;
    Ok(tensor.to_vec1()?)
}

/// Refuses a tensor that is not of the shape that is wanted of it.
pub fn check_shape(name: &str, tensor: &Tensor, wanted: &[usize]) -> Result<()> {
    match tensor.dims() == wanted {
        true => Ok(()),
        false => {
            Err(input_error!("{name} has shape {:?}; it must be {wanted:?}", tensor.dims()))
        }
    }
}
