//! Which texts of a packed row go through the plain attention together.
//!
//! It is some ten operations on each text, and each leaves a gradient as large as the whole row
//! behind it. Texts of about one length are laid out as one padded batch instead.

use candle_core::{Device, Tensor};
use encoders_kernels::Lengths;

use crate::error::Result;

const PADDING: f64 = 0.25; // so many pads there may be to a token
const SCORES: usize = 1 << 17; // so many there may be in a head, of several texts

/// Some texts: where each of their tokens stands in the row, `[texts * longest]`, and which of
/// these are none, `[texts, 1, 1, longest]`.
pub(super) struct Alike {
    pub(super) texts: usize,
    pub(super) longest: usize,
    pub(super) places: Tensor,
    pub(super) mask: Option<Tensor>,
}

/// The texts of a row in groups; and where each token of the row stands among the padded tokens
/// of all groups, one below the other.
pub(super) fn alike(lengths: Lengths, device: &Device) -> Result<(Vec<Alike>, Tensor)> {
    let bounds: Vec<(usize, usize)> = lengths.texts().collect();
    let mut order = vec![0u32; lengths.tokens()];
    let (mut found, mut first) = (Vec::new(), 0);
    for group in groups(&bounds) {
        let longest = bounds[group[0]].1;
        let mut places = Vec::with_capacity(group.len() * longest);
        let mut real = Vec::with_capacity(group.len() * longest);
        for text in &group {
            let (start, length) = bounds[*text];
            for column in 0..longest {
                let is_real = column < length;
                let place = if is_real { start + column } else { start };
                if is_real {
                    order[place] = first + places.len() as u32;
                }
                places.push(place as u32);
                real.push(u8::from(is_real));
            }
        }
        first += places.len() as u32;
        let padded = real.contains(&0);
        let mask = || Tensor::from_vec(real, (group.len(), 1, 1, longest), device);
        found.push(Alike {
            texts: group.len(),
            longest,
            places: Tensor::new(places, device)?,
            mask: padded.then(mask).transpose()?,
        });
    }
    Ok((found, Tensor::new(order, device)?))
}

/// Texts from the longest to the shortest; a group ends where padding the next one would make
/// it too wide.
fn groups(bounds: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let length = |text: usize| bounds[text].1;
    let mut order: Vec<usize> = (0..bounds.len()).collect();
    order.sort_by_key(|text| std::cmp::Reverse(length(*text)));
    let mut found: Vec<Vec<usize>> = Vec::new();
    let mut tokens = 0;
    for text in order {
        if let Some(group) = found.last_mut() {
            let (longest, count) = (length(group[0]), group.len() + 1);
            let held = tokens + length(text);
            let fits = (longest * count) as f64 <= (1.0 + PADDING) * held as f64;
            if fits && longest * longest * count <= SCORES {
                group.push(text);
                tokens = held;
                continue;
            }
        }
        tokens = length(text);
        found.push(vec![text]);
    }
    found
}
