//! Checks of single arguments; each error names the argument, and what would be right.

use candle_core::{DType, Tensor};
use encoders_kernels::{Lengths, input_error};

use crate::error::Result;

pub(super) fn check_shape<'a>(
    input_ids: &Tensor,
    cu_seqlens: Option<&'a [usize]>,
) -> Result<Option<Lengths<'a>>> {
    match (input_ids.dims(), cu_seqlens) {
        (&[tokens], Some(cu_seqlens)) => Ok(Some(Lengths::new(cu_seqlens, tokens)?)),
        (&[batch, tokens], None) if batch > 0 && tokens > 0 => Ok(None),
        (shape, None) => Err(input_error!(
            "input_ids has shape {shape:?}; it must be [batch, tokens], neither of them 0"
        )),
        (shape, Some(_)) => Err(input_error!(
            "input_ids has shape {shape:?}; beside cu_seqlens it must be [tokens]"
        )),
    }
}

pub(super) fn check_same_shape(name: &str, tensor: &Tensor, input_ids: &Tensor) -> Result<()> {
    if tensor.dims() == input_ids.dims() {
        return Ok(());
    }
    Err(input_error!(
        "{name} has shape {:?} but input_ids {:?}; they must be equal",
        tensor.dims(),
        input_ids.dims()
    ))
}

/// The tensor as i64. candle's own models take u32.
pub(super) fn whole_numbers(name: &str, tensor: &Tensor) -> Result<Tensor> {
    match tensor.dtype() {
        DType::I64 | DType::U32 | DType::U8 => Ok(tensor.to_dtype(DType::I64)?),
        other => {
            Err(input_error!("{name} is of dtype {other:?}; it must be one of I64, U32 and U8"))
        }
    }
}

pub(super) fn optional(name: &str, tensor: Option<&Tensor>) -> Result<Option<Tensor>> {
    tensor.map(|tensor| whole_numbers(name, tensor)).transpose()
}

/// A text without a single token has no vector.
pub(super) fn check_rows(attention_mask: &Tensor) -> Result<()> {
    let rows: Vec<Vec<i64>> = attention_mask.to_vec2()?;
    match rows.iter().position(|row| row.iter().all(|real| *real == 0)) {
        None => Ok(()),
        Some(row) => Err(input_error!(
            "row {row} of attention_mask is all padding; a text has at least one token"
        )),
    }
}

pub(super) fn check_ids(name: &str, ids: &Tensor, count: usize) -> Result<()> {
    let ids: Vec<i64> = ids.flatten_all()?.to_vec1()?;
    match ids.into_iter().find(|id| !(0..count as i64).contains(id)) {
        None => Ok(()),
        Some(id) => Err(input_error!(
            "{name} holds {id}; its values must lie between 0 and {}",
            count - 1
        )),
    }
}
