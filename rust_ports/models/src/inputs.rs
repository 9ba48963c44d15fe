//! What goes into a model, and what it refuses before it computes anything.

mod checks;

use candle_core::Tensor;
use encoders_kernels::{Lengths, input_error};

use self::checks::{
    check_ids, check_rows, check_same_shape, check_shape, optional, whole_numbers,
};
use crate::config::Limits;
use crate::error::Result;
use crate::rope::RopeTables;

/// What goes into a model: a padded batch, or the tokens of several texts packed in one row.
/// Ids and masks are tensors of dtype i64, u32 or u8. Where a model chooses among texts, a
/// padded batch is `[batch, choices, tokens]`.
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
    /// `[places]`, for a packed row only: the tokens whose scores by a head are wanted, where
    /// it scores each by itself. None: all.
    pub places: Option<&'a Tensor>,
    /// `[candidates]`: which answers are scored, by a head that chooses among many. None: all.
    pub candidates: Option<&'a Tensor>,
    /// `[places, candidates]`: what is added to these scores, minus infinity too. None:
    /// nothing.
    pub offsets: Option<&'a Tensor>,
    /// `[..., detections, widest]`, for a head at chosen positions: the places among all tokens
    /// of the batch, one text after another, whose vectors a detection's is made of.
    pub spans: Option<&'a Tensor>,
    /// In the shape of `spans`: the share that each has in it.
    pub shares: Option<&'a Tensor>,
    /// Whether every layer's output is wanted too.
    pub output_hidden_states: bool,
    /// What a model with rotary positions is to turn queries and keys by, for each kind of
    /// layer: tables `[positions, head_dim]` from elsewhere, a row for each position. None: it
    /// makes its own.
    pub rope_tables: Option<&'a RopeTables>,
}

/// Inputs that were found sound, with ids and masks as i64. Layers and heads are given these
/// and need not look again.
#[derive(Debug, Clone)]
pub struct Batch<'a> {
    /// `[batch, tokens]`, or packed `[tokens]`.
    pub input_ids: Tensor,
    /// As [`Inputs`] has it.
    pub attention_mask: Option<Tensor>,
    /// As [`Inputs`] has it.
    pub token_type_ids: Option<Tensor>,
    /// Where the texts of a packed row begin and end; None of a padded batch.
    pub lengths: Option<Lengths<'a>>,
    /// How many of the texts answer one question, where a model chooses among them.
    pub choices: Option<usize>,
    /// As [`Inputs`] has it.
    pub places: Option<&'a Tensor>,
    /// As [`Inputs`] has it.
    pub candidates: Option<&'a Tensor>,
    /// As [`Inputs`] has it.
    pub offsets: Option<&'a Tensor>,
    /// As [`Inputs`] has it.
    pub spans: Option<&'a Tensor>,
    /// As [`Inputs`] has it.
    pub shares: Option<&'a Tensor>,
    /// As [`Inputs`] has it.
    pub output_hidden_states: bool,
    /// As [`Inputs`] has it.
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
        Self {
            input_ids,
            attention_mask: None,
            token_type_ids: None,
            cu_seqlens: None,
            places: None,
            candidates: None,
            offsets: None,
            spans: None,
            shares: None,
            output_hidden_states: false,
            rope_tables: None,
        }
    }

    /// Refuses shapes, dtypes, ids and lengths that a model of these `limits` cannot take.
    pub fn check(&self, limits: &Limits) -> Result<Batch<'a>> {
        let batch = Batch {
            input_ids: whole_numbers("input_ids", self.input_ids)?,
            attention_mask: optional("attention_mask", self.attention_mask)?,
            token_type_ids: optional("token_type_ids", self.token_type_ids)?,
            lengths: check_shape(self.input_ids, self.cu_seqlens)?,
            choices: None,
            places: self.places,
            candidates: self.candidates,
            offsets: self.offsets,
            spans: self.spans,
            shares: self.shares,
            output_hidden_states: self.output_hidden_states,
            rope_tables: self.rope_tables,
        };
        batch.check(limits)?;
        Ok(batch)
    }

    /// The same for a model that chooses among texts. Padded, the texts of all questions become
    /// one batch; in a row, they are the choices of one question.
    pub fn check_choices(&self, limits: &Limits) -> Result<Batch<'a>> {
        if self.cu_seqlens.is_some() {
            let batch = self.check(limits)?;
            return Ok(Batch { choices: batch.lengths.map(Lengths::count), ..batch });
        }
        let choices = match *self.input_ids.dims() {
            [batch, choices, tokens] if batch * choices * tokens > 0 => choices,
            ref shape => {
                return Err(input_error!(
                    "input_ids has shape {shape:?}; it must be [batch, choices, tokens], none \
                     of them 0"
                ));
            }
        };
        let texts = |name, tensor: &Tensor| -> Result<Tensor> {
            check_same_shape(name, tensor, self.input_ids)?;
            Ok(whole_numbers(name, tensor)?.flatten(0, 1)?)
        };
        let mask = self.attention_mask.map(|mask| texts("attention_mask", mask));
        let types = self.token_type_ids.map(|types| texts("token_type_ids", types));
        let batch = Batch {
            input_ids: texts("input_ids", self.input_ids)?,
            attention_mask: mask.transpose()?,
            token_type_ids: types.transpose()?,
            lengths: None,
            choices: Some(choices),
            places: self.places,
            candidates: self.candidates,
            offsets: self.offsets,
            spans: self.spans,
            shares: self.shares,
            output_hidden_states: self.output_hidden_states,
            rope_tables: self.rope_tables,
        };
        batch.check(limits)?;
        Ok(batch)
    }
}

impl Batch<'_> {
    /// Texts of which only their mask `[batch, tokens]` is looked at.
    pub(crate) fn of_mask(attention_mask: &Tensor) -> Self {
        Self {
            input_ids: attention_mask.clone(),
            attention_mask: Some(attention_mask.clone()),
            token_type_ids: None,
            lengths: None,
            choices: None,
            places: None,
            candidates: None,
            offsets: None,
            spans: None,
            shares: None,
            output_hidden_states: false,
            rope_tables: None,
        }
    }

    /// Refuses candidates that are none of the `outputs` among which a head chooses, all of
    /// them where it scores what it has and nothing less, and offsets that do not fit.
    pub fn check_candidates(&self, outputs: Option<usize>) -> Result<()> {
        let Some(candidates) = self.candidates else {
            return match self.offsets {
                None => Ok(()),
                Some(_) => Err(input_error!(
                    "offsets are added to the scores of candidates, and there are none"
                )),
            };
        };
        let Some(outputs) = outputs else {
            return Err(input_error!(
                "candidates are for a head that chooses among output tokens; this model has \
                 none"
            ));
        };
        let (&[count], 1..) = (candidates.dims(), candidates.elem_count()) else {
            return Err(input_error!(
                "candidates has shape {:?}; it must be [candidates], at least one of them",
                candidates.dims()
            ));
        };
        check_ids("candidates", &whole_numbers("candidates", candidates)?, outputs)?;
        let scored = self.places.unwrap_or(&self.input_ids);
        let expected = [scored.dims(), &[count]].concat();
        match self.offsets {
            Some(offsets) if offsets.dims() != expected || offsets.dtype().is_int() => {
                Err(input_error!(
                    "offsets is {:?} of shape {:?}; it must hold floating numbers in the shape \
                     {expected:?}, that of the scores",
                    offsets.dtype(),
                    offsets.dims()
                ))
            }
            _ => Ok(()),
        }
    }

    fn check(&self, limits: &Limits) -> Result<()> {
        check_ids("input_ids", &self.input_ids, limits.vocab_size)?;
        self.check_spans()?;
        if let Some(places) = self.places {
            if self.lengths.is_none() {
                return Err(input_error!(
                    "places are those of a packed row; beside them are cu_seqlens"
                ));
            }
            check_ids(
                "places",
                &whole_numbers("places", places)?,
                self.input_ids.elem_count(),
            )?;
        }
        if let Some(types) = &self.token_type_ids {
            check_same_shape("token_type_ids", types, &self.input_ids)?;
            check_ids("token_type_ids", types, limits.type_vocab_size)?;
        }
        if let Some(mask) = &self.attention_mask {
            if self.lengths.is_some() {
                return Err(input_error!(
                    "attention_mask and cu_seqlens exclude each other: packed texts have no \
                     padding"
                ));
            }
            check_same_shape("attention_mask", mask, &self.input_ids)?;
            check_ids("attention_mask", mask, 2)?;
            check_rows(mask)?;
        }
        self.check_lengths(limits)
    }

    fn check_spans(&self) -> Result<()> {
        match (self.spans, self.shares) {
            (None, None) => Ok(()),
            (Some(spans), Some(shares))
                if spans.dims() == shares.dims() && shares.dtype().is_float() =>
            {
                let places = whole_numbers("spans", spans)?;
                check_ids("spans", &places, self.input_ids.elem_count())
            }
            (spans, shares) => Err(input_error!(
                "spans have shape {:?} and shares {:?}; they go together, and shares are \
                 floating numbers",
                spans.map(Tensor::dims),
                shares.map(Tensor::dims)
            )),
        }
    }

    /// A position past the table has no embedding; some models give none to padding.
    fn check_lengths(&self, limits: &Limits) -> Result<()> {
        let ids: Vec<i64> = self.input_ids.flatten_all()?.to_vec1()?;
        let pad = limits.uncounted.map(|pad| pad as i64);
        let count = |ids: &[i64]| ids.iter().filter(|id| Some(**id) != pad).count();
        let longest = match self.lengths {
            None => ids.chunks(self.input_ids.dims()[1]).map(count).max(),
            Some(lengths) => {
                lengths.texts().map(|(start, length)| count(&ids[start..start + length])).max()
            }
        };
        match longest {
            Some(longest) if longest > limits.max_tokens => Err(input_error!(
                "a text has {longest} tokens; this model takes at most {} \
                 (max_position_embeddings {})",
                limits.max_tokens,
                limits.max_position_embeddings
            )),
            _ => Ok(()),
        }
    }
}
