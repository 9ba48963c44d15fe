//! What goes into a model, and what it refuses before it computes anything.

use candle_core::{DType, Tensor};

use crate::attention::{check_cu_seqlens, texts};
use crate::config::Limits;
use crate::error::{Result, input_error};
use crate::modernbert::RopeTables;

/// What goes into a model: a padded batch, or the tokens of several texts packed in one row.
/// Ids and masks are tensors of dtype i64. Where a model chooses among texts, a padded batch is
/// `[batch, choices, tokens]`.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// `[batch, tokens]`, or packed `[tokens]`.
    pub input_ids: &'a Tensor,
    /// `[batch, tokens]`: 1 for a real token, 0 for padding. None: all are real.
    pub attention_mask: Option<&'a Tensor>,
    /// In the shape of `input_ids`; None: all 0.
    pub token_type_ids: Option<&'a Tensor>,
    /// `[texts + 1]`, for a packed row only: the cumulative lengths 0, n1, n1 + n2, ... of its
    /// texts.
    pub cu_seqlens: Option<&'a [usize]>,
    /// Whether every layer's output is wanted too.
    pub output_hidden_states: bool,
    /// What a ModernBERT is to turn queries and keys by, for each kind of layer: tables
    /// `[positions, head_dim]` from elsewhere, a row for each position. None: it makes its own.
    pub rope_tables: Option<&'a RopeTables>,
}

impl<'a> Inputs<'a> {
    /// A batch of `input_ids` and `attention_mask`, both `[batch, tokens]`.
    pub fn padded(input_ids: &'a Tensor, attention_mask: &'a Tensor) -> Self {
        Self { attention_mask: Some(attention_mask), ..Self::of(input_ids) }
    }

    /// Texts in a row: `input_ids` `[tokens]`, `cu_seqlens` `[texts + 1]`.
    pub fn packed(input_ids: &'a Tensor, cu_seqlens: &'a [usize]) -> Self {
        Self { cu_seqlens: Some(cu_seqlens), ..Self::of(input_ids) }
    }

    fn of(input_ids: &'a Tensor) -> Self {
        let output_hidden_states = false;
        Self {
            input_ids,
            attention_mask: None,
            token_type_ids: None,
            cu_seqlens: None,
            output_hidden_states,
            rope_tables: None,
        }
    }

    /// Refuses shapes, dtypes, ids and lengths that a model of these `limits` cannot take.
    pub fn check(&self, limits: &Limits) -> Result<()> {
        check_shape(self.input_ids, self.cu_seqlens)?;
        check_ids("input_ids", self.input_ids, limits.vocab_size)?;
        if let Some(types) = self.token_type_ids {
            check_same_shape("token_type_ids", types, self.input_ids)?;
            check_ids("token_type_ids", types, limits.type_vocab_size)?;
        }
        if let Some(mask) = self.attention_mask {
            if self.cu_seqlens.is_some() {
                return Err(input_error!(
                    "attention_mask and cu_seqlens exclude each other: packed texts have no padding"
                ));
            }
            check_same_shape("attention_mask", mask, self.input_ids)?;
            check_ids("attention_mask", mask, 2)?;
        }
        check_lengths(limits, self.input_ids, self.cu_seqlens)
    }
}

fn check_shape(input_ids: &Tensor, cu_seqlens: Option<&[usize]>) -> Result<()> {
    match (input_ids.dims(), cu_seqlens) {
        (&[tokens], Some(cu_seqlens)) => check_cu_seqlens(cu_seqlens, tokens),
        (&[batch, tokens], None) if batch > 0 && tokens > 0 => Ok(()),
        (shape, None) => Err(input_error!(
            "input_ids has shape {shape:?}; it must be [batch, tokens], neither of them 0"
        )),
        (shape, Some(_)) => Err(input_error!(
            "input_ids has shape {shape:?}; beside cu_seqlens it must be [tokens]"
        )),
    }
}

pub(crate) fn check_same_shape(name: &str, tensor: &Tensor, input_ids: &Tensor) -> Result<()> {
    if tensor.dims() == input_ids.dims() {
        return Ok(());
    }
    Err(input_error!(
        "{name} has shape {:?} but input_ids {:?}; they must be equal",
        tensor.dims(),
        input_ids.dims()
    ))
}

fn check_ids(name: &str, ids: &Tensor, count: usize) -> Result<()> {
    if ids.dtype() != DType::I64 {
        return Err(input_error!("{name} is of dtype {:?}; it must be I64", ids.dtype()));
    }
    let outside = ids
        .flatten_all()?
        .to_vec1::<i64>()?
        .into_iter()
        .find(|id| !(0..count as i64).contains(id));
    match outside {
        None => Ok(()),
        Some(id) => Err(input_error!(
            "{name} holds {id}; its values must lie between 0 and {}",
            count - 1
        )),
    }
}

/// A position past the table has no embedding; the RoBERTa family gives none to padding.
fn check_lengths(
    limits: &Limits,
    input_ids: &Tensor,
    cu_seqlens: Option<&[usize]>,
) -> Result<()> {
    let rows: Vec<Vec<i64>> = match cu_seqlens {
        None => input_ids.to_vec2()?,
        Some(cu_seqlens) => {
            let ids: Vec<i64> = input_ids.to_vec1()?;
            texts(cu_seqlens)
                .map(|(start, length)| ids[start..start + length].to_vec())
                .collect()
        }
    };
    let pad = limits.uncounted.map(|pad| pad as i64);
    let length = |ids: &Vec<i64>| ids.iter().filter(|id| Some(**id) != pad).count();
    match rows.iter().map(length).max() {
        Some(longest) if longest > limits.max_tokens => Err(input_error!(
            "a text has {longest} tokens; this model takes at most {} (max_position_embeddings {})",
            limits.max_tokens,
            limits.max_position_embeddings
        )),
        _ => Ok(()),
    }
}
