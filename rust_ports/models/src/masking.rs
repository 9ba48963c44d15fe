//! The masking strategy of masked language modelling: draws in, masked ids and labels out.
//!
//! ```
//! use candle_core::{Device, Tensor};
//! use encoders_models::masking::{Draws, mask_tokens};
//!
//! let device = Device::Cpu;
//! let ids = Tensor::new(&[[101i64, 7592, 2088, 102]], &device)?; // [CLS] hello world [SEP]
//! let special = Tensor::new(&[[1i64, 0, 0, 1]], &device)?;
//! let draws = Draws {
//!     chosen: Tensor::new(&[[0.01f32, 0.7, 0.1, 0.3]], &device)?,
//!     action: Tensor::new(&[[0.5f32, 0.5, 0.5, 0.5]], &device)?,
//!     word: Tensor::new(&[[1996i64, 1997, 1998, 1999]], &device)?,
//! };
//! let (ids, labels) = mask_tokens(&ids, &special, &draws, 103, 0.15, 0.8, 0.1, None, 1)?;
//! assert_eq!(ids.to_vec2::<i64>()?, [[101, 7592, 103, 102]]);
//! assert_eq!(labels.to_vec2::<i64>()?, [[-100, -100, 2088, -100]]);
//! # Ok::<(), encoders_models::Error>(())
//! ```

use candle_core::{DType, Tensor, WithDType};
use encoders_kernels::input_error;

use crate::error::Result;

/// The label of what was not chosen, which no loss counts.
pub const IGNORED: i64 = -100;

/// What chance decides about each token of a batch: three tensors `[batch, tokens]`.
///
/// Where they come from is the caller's business: candle's CPU device cannot be seeded, and no
/// two frameworks draw the same numbers from one seed.
#[derive(Debug, Clone)]
pub struct Draws {
    /// f32, uniform in \[0, 1): a token is chosen where this lies below the probability.
    pub chosen: Tensor,
    /// f32, uniform in \[0, 1): below the mask's share it is masked, then comes the random
    /// words' share.
    pub action: Tensor,
    /// i64: the word that takes its place if it is to be a random one.
    pub word: Tensor,
}

/// Ids with some tokens hidden, and labels: the original id where a token was chosen,
/// [`IGNORED`] elsewhere.
///
/// All tensors, the results too, are `[batch, tokens]`; ids are i64. `special_tokens_mask` is 1
/// at \[CLS\], \[SEP\], padding and whatever else is never chosen. `word_ids` is the number of
/// each token's word; then words are chosen as a whole, by the draw of their first token.
/// Without them each token is a word by itself. `min_span` words in a row are chosen at least,
/// about `probability` of all in the end; no span crosses a special token, and where fewer
/// words stand between two of them, none is chosen. The usual shares are 0.15, 0.8 and 0.1
/// (Devlin et al. 2018, section 3.1).
#[expect(clippy::too_many_arguments, reason = "they are those of the other ports")]
pub fn mask_tokens(
    input_ids: &Tensor,
    special_tokens_mask: &Tensor,
    draws: &Draws,
    mask_token_id: i64,
    probability: f64,
    mask_share: f64,
    random_share: f64,
    word_ids: Option<&Tensor>,
    min_span: usize,
) -> Result<(Tensor, Tensor)> {
    check_batch(input_ids, special_tokens_mask, draws, mask_token_id, word_ids)?;
    let limits = thresholds(probability, mask_share, random_share, min_span)?;
    let free = special_tokens_mask.eq(0i64)?;

    // (1) a word begins a span where its draw is low enough
    let (first, last) = word_bounds(word_ids, &free)?;
    let uniform = draws.chosen.contiguous()?.gather(&first, 1)?;
    let starts = (uniform.lt(limits.start)? * &free)?; // of 0 and 1, where times means and
    // (2) a span goes on for min_span words
    let chosen = spread(&starts, &free, &first, &last, min_span)?;
    // (3) of the chosen most are masked, and some become any word
    let masked = (&chosen * draws.action.lt(limits.masked)?)?;
    let random = (&chosen * draws.action.lt(limits.random)?)?; // or masked, which comes first
    let everywhere = |id| Tensor::full(id, input_ids.shape(), input_ids.device());
    let ids = random.where_cond(&draws.word, input_ids)?;
    let ids = masked.where_cond(&everywhere(mask_token_id)?, &ids)?;
    // (4) labels: the original id where chosen, ignored elsewhere
    Ok((ids, chosen.where_cond(input_ids, &everywhere(IGNORED)?)?))
}

/// Where each token's word begins and where it ends. A special token is a word by itself.
///
/// `word_ids` is i64 and `free` u8, 0 at special tokens; both and the two results, i64, are
/// `[batch, tokens]`.
pub fn word_bounds(word_ids: Option<&Tensor>, free: &Tensor) -> Result<(Tensor, Tensor)> {
    if let Some(word_ids) = word_ids {
        check_same_shape("word_ids", word_ids, free)?;
    }
    let words = word_ids.map(rows::<i64>).transpose()?;
    let (mut first, mut last) = (vec![], vec![]);
    for (row, free) in rows::<u8>(free)?.iter().enumerate() {
        let inside = |token: usize| match &words {
            Some(words) => {
                let word = &words[row];
                (free[token - 1], free[token]) == (1, 1) && word[token - 1] == word[token]
            }
            None => false,
        };
        let mut begins: Vec<i64> = (0..free.len() as i64).collect();
        let mut ends = begins.clone();
        for token in 1..free.len() {
            if inside(token) {
                begins[token] = begins[token - 1];
            }
        }
        for token in (1..free.len()).rev() {
            if inside(token) {
                ends[token - 1] = ends[token];
            }
        }
        first.push(begins);
        last.push(ends);
    }
    Ok((like(free, first)?, like(free, last)?))
}

/// Every start takes the span - 1 words behind it along; one whose span would meet a special
/// token is dropped. A word starts with all of its tokens, or not at all.
///
/// `starts`, `free` and the result are u8, `first` and `last` i64 as from [`word_bounds`]; all
/// are `[batch, tokens]`.
pub fn spread(
    starts: &Tensor,
    free: &Tensor,
    first: &Tensor,
    last: &Tensor,
    span: usize,
) -> Result<Tensor> {
    for (name, tensor) in [("free", free), ("first", first), ("last", last)] {
        check_same_shape(name, tensor, starts)?;
    }
    if span == 0 {
        return Err(input_error!("span is 0; it must be a whole number of at least 1"));
    }
    let (begin, free) = (rows::<u8>(starts)?, rows::<u8>(free)?);
    let (first, last) = (rows::<i64>(first)?, rows::<i64>(last)?);
    let mut chosen = vec![vec![0u8; starts.dims()[1]]; begin.len()];
    for (row, chosen) in chosen.iter_mut().enumerate() {
        for token in 0..chosen.len() {
            let begins = begin[row][token] == 1 && first[row][token] == token as i64;
            if begins && let Some(end) = end_of_span(token, &free[row], &last[row], span) {
                chosen[token..end].fill(1);
            }
        }
    }
    like(starts, chosen)
}

/// Where the next word begins behind the `span` words from `token` on; None where there are not
/// so many, or where one is a special token.
fn end_of_span(token: usize, free: &[u8], last: &[i64], span: usize) -> Option<usize> {
    let mut next = token;
    for _ in 0..span {
        if *free.get(next)? != 1 {
            return None;
        }
        next = usize::try_from(last[next]).ok()? + 1;
    }
    Some(next)
}

fn rows<T: WithDType>(tensor: &Tensor) -> Result<Vec<Vec<T>>> {
    Ok(tensor.to_dtype(T::DTYPE)?.to_vec2()?)
}

/// The rows as a tensor in the shape of `model`, which may have an axis of length 0.
fn like<T: WithDType>(model: &Tensor, rows: Vec<Vec<T>>) -> Result<Tensor> {
    Ok(Tensor::from_vec(rows.concat(), model.shape(), model.device())?)
}

/// Where the draws are cut, in f32 like the draws themselves.
struct Thresholds {
    /// A word, or the first of a span, is chosen below this.
    start: f32,
    /// What is chosen is masked below this, and becomes a random word below the next.
    masked: f32,
    random: f32,
}

/// Checks the shares. With spans fewer words may start one: each start takes its neighbours
/// along, and a word is left out only where none of the `min_span` starts that reach it
/// happens.
fn thresholds(
    probability: f64,
    mask_share: f64,
    random_share: f64,
    min_span: usize,
) -> Result<Thresholds> {
    for (name, share) in [
        ("probability", probability),
        ("mask_share", mask_share),
        ("random_share", random_share),
    ] {
        if !(0.0..=1.0).contains(&share) {
            return Err(input_error!("{name} is {share}; it must lie between 0 and 1"));
        }
    }
    if mask_share + random_share > 1.0 + 1e-9 {
        return Err(input_error!(
            "mask_share {mask_share} and random_share {random_share} add up to more than 1"
        ));
    }
    let start = match min_span {
        0 => {
            return Err(input_error!("min_span is 0; it must be a whole number of at least 1"));
        }
        1 => probability,
        // 1 - (1 - probability)^(1 / min_span)
        _ => -((-probability).ln_1p() / min_span as f64).exp_m1(),
    };
    Ok(Thresholds {
        start: start as f32,
        masked: mask_share as f32,
        random: (mask_share + random_share) as f32,
    })
}

fn check_batch(
    input_ids: &Tensor,
    special_tokens_mask: &Tensor,
    draws: &Draws,
    mask_token_id: i64,
    word_ids: Option<&Tensor>,
) -> Result<()> {
    if input_ids.rank() != 2 {
        return Err(input_error!(
            "input_ids has shape {:?}; it must be [batch, tokens]",
            input_ids.dims()
        ));
    }
    let tensors = [
        ("input_ids", Some(input_ids), DType::I64),
        ("special_tokens_mask", Some(special_tokens_mask), special_tokens_mask.dtype()),
        ("word_ids", word_ids, DType::I64),
        ("draws.chosen", Some(&draws.chosen), DType::F32),
        ("draws.action", Some(&draws.action), DType::F32),
        ("draws.word", Some(&draws.word), DType::I64),
    ];
    for (name, tensor, dtype) in tensors {
        let Some(tensor) = tensor else { continue };
        check_same_shape(name, tensor, input_ids)?;
        if tensor.dtype() != dtype {
            return Err(input_error!(
                "{name} is of dtype {:?}; it must be {dtype:?}",
                tensor.dtype()
            ));
        }
    }
    if mask_token_id < 0 {
        return Err(input_error!(
            "mask_token_id is {mask_token_id}; it must be a whole number of at least 0"
        ));
    }
    Ok(())
}

fn check_same_shape(name: &str, tensor: &Tensor, ids: &Tensor) -> Result<()> {
    if tensor.rank() == 2 && tensor.dims() == ids.dims() {
        return Ok(());
    }
    Err(input_error!(
        "{name} has shape {:?}; the ids have {:?}, and they must agree",
        tensor.dims(),
        ids.dims()
    ))
}
