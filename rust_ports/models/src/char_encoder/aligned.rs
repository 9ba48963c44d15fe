//! Texts laid out from their first character on, and which positions of them are real.

use candle_core::{DType, Device, Tensor};
use encoders_kernels as kernels;

use crate::error::Result;
use crate::inputs::Batch;

/// A batch in which every text begins at the left: its ids and its mask `[batch, longest]`.
#[derive(Debug, Clone)]
pub struct Aligned {
    /// `[batch, longest]`.
    pub input_ids: Tensor,
    /// `[batch, longest]`.
    pub attention_mask: Tensor,
    /// Where each character of the batch stands in these rows, one row after another; None
    /// where each stands where it stood.
    places: Option<Tensor>,
    /// The mask of the padded batch that it was; None of a packed row.
    real: Option<Tensor>,
    /// The shape of the ids that it was made of.
    shape: Vec<usize>,
}

impl Aligned {
    /// Strides are counted from a text's first character, so it must not matter where in a
    /// batch that is.
    pub fn of(inputs: &Batch) -> Result<Self> {
        let device = inputs.input_ids.device();
        let ids: Vec<i64> = inputs.input_ids.flatten_all()?.to_vec1()?;
        let texts = characters(inputs)?;
        let lengths: Vec<usize> = texts.iter().map(Vec::len).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let mut rows = vec![0; texts.len() * longest];
        let mut places = vec![0u32; ids.len()]; // at a pad, any
        let mut stayed = rows.len() == ids.len();
        for (text, characters) in texts.iter().enumerate() {
            for (position, character) in characters.iter().enumerate() {
                let place = text * longest + position;
                rows[place] = ids[*character];
                places[*character] = place as u32;
                stayed &= place == *character;
            }
        }
        let places = (!stayed).then(|| Tensor::new(places, device)).transpose()?;
        let padded = inputs.lengths.is_none() && lengths.iter().sum::<usize>() < ids.len();
        Ok(Self {
            input_ids: Tensor::from_vec(rows, (texts.len(), longest), device)?,
            attention_mask: length_mask(&lengths, longest, device)?,
            places,
            real: inputs.attention_mask.clone().filter(|_| padded),
            shape: inputs.input_ids.dims().to_vec(),
        })
    }

    /// As the batch was: each character's vector at its place, zeros at pads.
    ///
    /// `hidden` is `[batch, longest, features]`, the result `[batch, tokens, features]` or
    /// packed `[tokens, features]`.
    pub fn back(&self, hidden: &Tensor) -> Result<Tensor> {
        let (_, _, features) = hidden.dims3()?;
        let mut row = hidden.flatten(0, 1)?;
        if let Some(places) = &self.places {
            row = row.index_select(places, 0)?;
        }
        let found = row.reshape([&self.shape[..], &[features]].concat())?;
        match &self.real {
            Some(real) => masked(&found, real),
            None => Ok(found),
        }
    }
}

/// Of each text where its characters stand in the batch, one row after another.
fn characters(inputs: &Batch) -> Result<Vec<Vec<usize>>> {
    if let Some(lengths) = inputs.lengths {
        return Ok(lengths
            .texts()
            .map(|(start, length)| (start..start + length).collect())
            .collect());
    }
    let (batch, tokens) = inputs.input_ids.dims2()?;
    let real = match &inputs.attention_mask {
        Some(mask) => mask.flatten_all()?.to_vec1()?,
        None => vec![1i64; batch * tokens],
    };
    let row = |row: usize| (row * tokens..(row + 1) * tokens).filter(|place| real[*place] != 0);
    Ok((0..batch).map(|text| row(text).collect()).collect())
}

/// 1 where a text of that length has a position: `[texts, width]`.
pub fn length_mask(lengths: &[usize], width: usize, device: &Device) -> Result<Tensor> {
    let places =
        lengths.iter().flat_map(|length| (0..width).map(move |at| i64::from(at < *length)));
    Ok(Tensor::from_vec(places.collect::<Vec<_>>(), (lengths.len(), width), device)?)
}

/// The mask `[batch, tokens]` of what is so many times shorter, `[batch, tokens / stride]`: a
/// position is real that any real one went into. A text's length is rounded up, not down: its
/// last characters count too.
pub fn shortened(mask: &Tensor, stride: usize) -> Result<Tensor> {
    let lengths: Vec<i64> = mask.sum(1)?.to_vec1()?;
    let lengths: Vec<usize> =
        lengths.into_iter().map(|length| (length as usize).div_ceil(stride)).collect();
    length_mask(&lengths, mask.dim(1)? / stride, mask.device())
}

/// So many pads make a text's length the next multiple of the factor; what comes back is cut
/// again.
pub fn missing(tokens: usize, factor: usize) -> usize {
    tokens.next_multiple_of(factor) - tokens
}

/// Zeros at the pads: what lies behind a text's end must be to a convolution as what lies
/// behind the batch's.
///
/// `x` is `[batch, tokens, features]`, and so is the result; `mask` is `[batch, tokens]`.
pub fn masked(x: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let kept: Vec<u8> = mask.to_dtype(DType::U8)?.flatten_all()?.to_vec1()?;
    if !kept.contains(&0) {
        return Ok(x.clone());
    }
    if kernels::available([x]) {
        return kernels::keep(x, kept, 1.0);
    }
    Ok(x.broadcast_mul(&mask.to_dtype(x.dtype())?.unsqueeze(2)?)?)
}
