//! Words for hidden tokens.

use candle_core::Device;
use encoders_models::family::Config;
use encoders_models::{Result, input_error};

use super::base::{Logits, Pipeline, at_least_one, check_uncut};
use super::batching::TEXTS_AT_ONCE;
use super::cloze::{Gap, log_probabilities};
use super::gaps::{Mask, Masked, Word, find_masks, mask_id, with_word, word_of};
use super::probabilities::{best_first, log_softmax};
use super::targets;
use crate::pretrained::locate;
use crate::text::{Encoding, Tokenizer};

/// What may stand at a mask.
#[derive(Debug, Clone, PartialEq)]
pub struct Filled {
    /// The token without the space before it, which `text` shows; WordPiece's ##ing goes on
    /// with the word before. Of a target, the target as it was given.
    pub token: String,
    /// In the whole vocabulary.
    pub probability: f64,
    /// The text with the token in the mask's place; its other masks stay.
    pub text: String,
}

/// Of one text: for each of its masks the candidates, best first.
pub type OfMasks = Vec<Vec<Filled>>;

/// How [`MaskedLM::fill_with`] goes about it, and what is asked for.
///
/// ```
/// use encoders::masked_lm::Options;
///
/// let options = Options::new().top_k(2).targets(&["good", "bad", "awful"]);
/// ```
#[derive(Debug, Clone)]
pub struct Options<'a> {
    top_k: usize,
    targets: Option<Vec<&'a str>>,
    batch_size: usize,
    truncate: bool,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Options<'a> {
    /// As [`MaskedLM::fill`] has it: five candidates, from the whole vocabulary.
    pub fn new() -> Self {
        Self { top_k: 5, targets: None, batch_size: usize::MAX, truncate: true }
    }

    /// How many candidates are wanted of each mask, at most.
    pub fn top_k(self, count: usize) -> Self {
        Self { top_k: count, ..self }
    }

    /// The only words asked for. A target is spelled as it is at the mask's place, with the
    /// space before it where one is due, and one of several tokens stands at as many masks: its
    /// probability is that of its tokens from left to right, each where those before it are
    /// seen and those after it are masked. It is the probability in the whole vocabulary: those
    /// of several targets do not sum to one.
    pub fn targets<S: AsRef<str>>(self, words: &'a [S]) -> Self {
        Self { targets: Some(words.iter().map(AsRef::as_ref).collect()), ..self }
    }

    /// How many texts run at a time, at most; by itself as many as have about 2,048 tokens
    /// together, or 512 masks. The results do not depend on it beyond rounding.
    pub fn batch_size(self, texts: usize) -> Self {
        Self { batch_size: texts, ..self }
    }

    /// Whether a text that is longer than the model takes is cut, as it is by itself; else it
    /// is an error.
    pub fn truncate(self, cut: bool) -> Self {
        Self { truncate: cut, ..self }
    }
}

/// A masked language model: what may stand at the masks of a text.
pub struct MaskedLM {
    pipeline: Pipeline,
    /// Ids that the model has and the tokenizer has not, of a vocabulary that was rounded up.
    nameless: Vec<usize>,
}

impl MaskedLM {
    /// Loads a folder, or a hub id through the hub's cache; see [`locate`].
    pub fn from_pretrained(model: &str, device: &Device) -> Result<Self> {
        let pipeline = Pipeline::load(&locate(model)?, "ForMaskedLM", device)?;
        if pipeline.tokenizer.reads_characters() {
            return Err(input_error!(
                "{} reads characters and answers with output tokens, which are not filled in \
                 here; its encoder and other heads are read",
                pipeline.folder.display()
            ));
        }
        let ids = 0..pipeline.config.limits().vocab_size;
        let nameless =
            ids.filter(|id| pipeline.tokenizer.piece(*id as u32).is_none()).collect();
        Ok(Self { pipeline, nameless })
    }

    /// From text to tokens; it knows how the mask is written.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.pipeline.tokenizer
    }

    /// The model's configuration.
    pub fn config(&self) -> &Config {
        &self.pipeline.config
    }

    /// For each text, for each of its masks, the five likeliest tokens, best first.
    ///
    /// A text holds its masks as the tokenizer writes them ([`Tokenizer::mask_token`]), at
    /// least one. Each is filled while the others stay masked: the distributions are
    /// independent of one another. A text that is longer than the model takes is cut, a mask
    /// never: that is an error.
    pub fn fill<S: AsRef<str>>(&self, texts: &[S]) -> Result<Vec<OfMasks>> {
        self.fill_with(texts, Options::new())
    }

    /// The same with another number of candidates, for certain words only, or in batches of
    /// some size.
    pub fn fill_with<S: AsRef<str>>(
        &self,
        texts: &[S],
        options: Options,
    ) -> Result<Vec<OfMasks>> {
        let mask = mask_id(&self.pipeline.tokenizer, &self.pipeline.folder)?;
        at_least_one("top_k", options.top_k)?;
        at_least_one("batch_size", options.batch_size)?;
        if options.targets.as_ref().is_some_and(Vec::is_empty) {
            return Err(input_error!(
                "targets is empty; name at least one word, or leave it out"
            ));
        }
        let mut results = Vec::with_capacity(texts.len());
        for texts in texts.chunks(TEXTS_AT_ONCE) {
            let first = results.len();
            let given: Vec<_> = texts.iter().map(|text| (text.as_ref(), None)).collect();
            let whole = self.tokenizer().whole(&given, "texts", first)?;
            let masked = given.iter().zip(whole).enumerate().map(|(number, (text, whole))| {
                let name = format!("texts[{}]", first + number);
                find_masks(name, text.0, whole, self.tokenizer(), mask)
            });
            let masked = masked.collect::<Result<Vec<_>>>()?;
            for text in masked.iter().filter(|_| !options.truncate) {
                check_uncut(&text.encoding, &text.name, self.tokenizer())?;
            }
            results.extend(match &options.targets {
                None => self.likeliest(masked, &options)?,
                Some(targets) => self.among(masked, targets, mask, &options)?,
            });
        }
        Ok(results)
    }

    fn likeliest(&self, texts: Vec<Masked>, options: &Options) -> Result<Vec<OfMasks>> {
        let encodings: Vec<Encoding> = texts.iter().map(|text| text.encoding.clone()).collect();
        let places = |text: &Masked| text.masks.iter().map(|mask| mask.place).collect();
        let places: Vec<Vec<usize>> = texts.iter().map(places).collect();
        let best = |number: usize, logits: Logits| -> Vec<Vec<(usize, f64)>> {
            let rows = 0..places[number].len();
            rows.map(|mask| self.best(logits.row(mask), options.top_k)).collect()
        };
        let most = options.batch_size;
        let found = self.pipeline.logits(&encodings, most, Some(&places), best)?;
        let results = texts.iter().zip(found).map(|(text, its_best)| {
            let of_mask = |(mask, candidates): (&Mask, Vec<(usize, f64)>)| {
                let filled = candidates.into_iter().map(|(token, score)| {
                    let word = word_of(token as u32, self.tokenizer())?;
                    Ok(filled(text, mask, word, score))
                });
                filled.collect::<Result<Vec<_>>>()
            };
            text.masks.iter().zip(its_best).map(of_mask).collect()
        });
        results.collect()
    }

    /// The likeliest tokens and their log-probabilities.
    fn best(&self, row: &[f32], count: usize) -> Vec<(usize, f64)> {
        let scores = log_softmax(row);
        let mut ranked = scores.clone();
        self.nameless.iter().for_each(|id| ranked[*id] = f64::NEG_INFINITY);
        let most = count.min(scores.len() - self.nameless.len());
        best_first(&ranked, most).into_iter().map(|token| (token, scores[token])).collect()
    }

    fn among(
        &self,
        texts: Vec<Masked>,
        words: &[&str],
        mask: u32,
        options: &Options,
    ) -> Result<Vec<OfMasks>> {
        let mut gaps = Vec::new();
        for text in &texts {
            let its_gaps = targets::gaps(&self.pipeline, text, words, mask)?;
            for gap in its_gaps.iter().filter(|_| !options.truncate) {
                check_uncut(&gap.encoding, &text.name, self.tokenizer())?;
            }
            gaps.extend(its_gaps);
        }
        let scores = log_probabilities(&self.pipeline, &gaps, options.batch_size)?;
        let mut found = gaps.chunks(words.len()).zip(scores.chunks(words.len()));
        let results = texts.iter().map(|text| {
            let of_mask = |(mask, (gaps, scores)): (&Mask, (&[Gap], &[f64]))| {
                let best = best_first(scores, options.top_k).into_iter().map(|target| {
                    let answer = &gaps[target].answer;
                    let word = targets::word(self.tokenizer(), words[target], answer)?;
                    Ok(filled(text, mask, word, scores[target]))
                });
                best.collect::<Result<Vec<_>>>()
            };
            text.masks.iter().zip(&mut found).map(of_mask).collect()
        });
        results.collect()
    }
}

fn filled(text: &Masked, mask: &Mask, word: Word, score: f64) -> Filled {
    let made = with_word(text.text, mask, &word);
    Filled { token: word.shown, probability: score.exp(), text: made }
}
