//! Gaps and answers: how likely a masked language model finds certain tokens at its masks.
//!
//! An answer of several tokens stands at as many masks in a row. They are filled from left to
//! right, and each token is asked for where those before it are seen and those after it are
//! still masked:
//!
//! log P(answer) = sum over i of log P(token i | tokens before i, masks from i on, the rest)
//!
//! This is the pseudo-log-likelihood of Salazar et al. (2020) with the correction of Kauf and
//! Ivanova (2023): were the later tokens of a word seen as well, they would give the word away.
//! For a given number of masks the probabilities of all answers sum to one, so an answer is not
//! punished for its length. But the number of masks tells the model how long the answer is,
//! which flatters what is rare at its length; and of a word's segmentations only the
//! tokenizer's counts.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use encoders_models::{Result, input_error};
use serde_json::json;

use super::base::Pipeline;
use super::probabilities::log_softmax;
use crate::files::shown;
use crate::text::{Encoding, is_space};

/// A text with masks at these places, and an answer with a token for each of them.
pub(crate) struct Gap {
    pub encoding: Rc<Encoding>,
    /// That of the first mask; the others follow.
    pub first: usize,
    pub answer: Vec<u32>,
}

/// A text in which some masks are filled, and the tokens that are asked for at one more.
struct Question {
    place: usize,
    wanted: BTreeSet<u32>,
}

/// Of each gap's answer. What several answers ask alike is asked once.
pub(crate) fn log_probabilities(
    pipeline: &Pipeline,
    gaps: &[Gap],
    most: usize,
) -> Result<Vec<f64>> {
    let mut asked: HashMap<(usize, Vec<u32>), usize> = HashMap::new();
    let (mut texts, mut questions) = (Vec::new(), Vec::<Question>::new());
    let mut steps: Vec<(usize, usize, u32)> = Vec::new(); // the gap, the question, the token
    for (number, gap) in gaps.iter().enumerate() {
        let mut text = Encoding::clone(&gap.encoding);
        for (place, token) in (gap.first..).zip(&gap.answer) {
            let ids = text.tokens.iter().map(|token| token.id).collect();
            let same = *asked.entry((place, ids)).or_insert_with(|| {
                texts.push(text.clone());
                questions.push(Question { place, wanted: BTreeSet::new() });
                texts.len() - 1
            });
            questions[same].wanted.insert(*token);
            steps.push((number, same, *token));
            text.tokens[place].id = *token;
        }
    }
    let places: Vec<Vec<usize>> = questions.iter().map(|asked| vec![asked.place]).collect();
    let found = pipeline.logits(&texts, most, Some(&places), |number, logits| {
        let row = log_softmax(logits.row(0));
        let wanted = &questions[number].wanted;
        wanted.iter().map(|token| (*token, row[*token as usize])).collect::<HashMap<_, _>>()
    })?;
    let mut scores = vec![0.0; gaps.len()];
    for (gap, question, token) in steps {
        scores[gap] += found[question][&token];
    }
    Ok(scores)
}

/// The tokens of an answer; `what` names it in an error.
pub(crate) fn answer(
    pipeline: &Pipeline,
    text: &str,
    begins_word: bool,
    what: &str,
) -> Result<Vec<u32>> {
    let tokenizer = &pipeline.tokenizer;
    let bare = text.trim_matches(is_space);
    let ids = tokenizer.spelled(bare, begins_word)?;
    let text = || shown(&json!(text));
    if bare.is_empty() || ids.is_empty() {
        return Err(input_error!(
            "{what} is {}, which has no tokens; it must be a word",
            text()
        ));
    }
    if tokenizer.unk_token_id().is_some_and(|unknown| ids.contains(&unknown)) {
        return Err(input_error!(
            "{what}, {}, is not in this model's vocabulary: the tokenizer makes the unknown \
             token of it",
            text()
        ));
    }
    if tokenizer.mask_token_id().is_some_and(|mask| ids.contains(&mask)) {
        return Err(input_error!("{what}, {}, holds the mask; it must be a word", text()));
    }
    match ids.iter().find(|id| **id as usize >= pipeline.config.limits().vocab_size) {
        None => Ok(ids),
        Some(id) => Err(input_error!(
            "{what}, {}, has the id {id}, for which the model has no row",
            text()
        )),
    }
}
