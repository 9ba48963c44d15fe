//! Only certain words at the masks: the gaps that are made for them, and how they are shown.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::rc::Rc;

use encoders_models::{Result, input_error};

use super::base::Pipeline;
use super::cloze::{Gap, answer};
use super::gaps::{Mask, Masked, Word, word_of};
use crate::text::{Encoding, Tokenizer, is_space};

/// For each mask and each target a gap of as many masks as the target has tokens.
pub(crate) fn gaps(
    pipeline: &Pipeline,
    text: &Masked,
    targets: &[&str],
    mask: u32,
) -> Result<Vec<Gap>> {
    let mut wider: BTreeMap<(usize, usize), Rc<Encoding>> = BTreeMap::new();
    let mut gaps = Vec::new();
    for (number, place) in text.masks.iter().enumerate() {
        for (target, word) in targets.iter().enumerate() {
            let what = format!("targets[{target}]");
            let answer = answer(pipeline, word, place.begins_word, &what)?;
            let encoding = match wider.entry((number, answer.len())) {
                Entry::Occupied(known) => known.get().clone(),
                Entry::Vacant(place_for_it) => {
                    let made = widened(&pipeline.tokenizer, text, place, answer.len(), mask)?;
                    place_for_it.insert(Rc::new(made)).clone()
                }
            };
            let first = encoding.places(mask)[number];
            gaps.push(Gap { encoding, first, answer });
        }
    }
    Ok(gaps)
}

/// The text's tokens with so many masks in the place of one.
fn widened(
    tokenizer: &Tokenizer,
    text: &Masked,
    place: &Mask,
    count: usize,
    mask: u32,
) -> Result<Encoding> {
    let (before, after) = (&text.text[..place.start], &text.text[place.end..]);
    let wider = format!("{before}{}{after}", text.text[place.start..place.end].repeat(count));
    let encoding = tokenizer.encodings(&[(&wider, None)], &text.name, 0)?.remove(0);
    if encoding.places(mask).len() < text.masks.len() + count - 1 {
        return Err(input_error!(
            "{} has no room for a target of {count} tokens: with as many masks it is longer \
             than the {} tokens of this model",
            text.name,
            tokenizer.max_length()
        ));
    }
    Ok(encoding)
}

/// A target as it stands in the text.
pub(crate) fn word(tokenizer: &Tokenizer, target: &str, answer: &[u32]) -> Result<Word> {
    let begins_word = word_of(answer[0], tokenizer)?.begins_word;
    let inside = target.trim_matches(is_space);
    let inside = match begins_word || tokenizer.marks_spaces() {
        true => inside,
        false => inside.strip_prefix("##").unwrap_or(inside),
    };
    Ok(Word { shown: target.to_string(), inside: inside.to_string(), begins_word })
}
