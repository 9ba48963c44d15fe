//! Labels for tokens, and the spans of a text that they name.

use candle_core::Device;
use encoders_models::family::Config;
use encoders_models::{Result, input_error};

use super::base::{Logits, Pipeline, at_least_one};
use super::batching::TEXTS_AT_ONCE;
use super::labelled_tokens::without_space;
pub use super::labelled_tokens::{Aggregation, Span, TokenProbabilities};
use super::overlapping::{Framed, widest_context, windows_over};
use super::probabilities::softmax;
use super::tags::{Tags, first_best};
use crate::pretrained::locate;
use crate::text::{Tokenizer, is_space};

/// How [`TokenClassification::tag_with`] goes about it, and what is labelled.
///
/// ```
/// use encoders::token_classification::{Aggregation, Options};
///
/// let options = Options::new().aggregation(Aggregation::First).viterbi(true);
/// ```
#[derive(Debug, Clone)]
pub struct Options {
    aggregation: Aggregation,
    viterbi: bool,
    overlap: Option<usize>,
    batch_size: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl Options {
    /// As [`TokenClassification::tag`] has it.
    pub fn new() -> Self {
        Self {
            aggregation: Aggregation::Simple,
            viterbi: false,
            overlap: None,
            batch_size: usize::MAX,
        }
    }

    /// What is labelled: tokens or words.
    pub fn aggregation(self, aggregation: Aggregation) -> Self {
        Self { aggregation, ..self }
    }

    /// Whether the sequence of labels is the most probable of those that are legal, and not the
    /// likeliest label of each.
    pub fn viterbi(self, viterbi: bool) -> Self {
        Self { viterbi, ..self }
    }

    /// How many tokens each window over a long text shares with the next; by itself a quarter.
    pub fn overlap(self, tokens: usize) -> Self {
        Self { overlap: Some(tokens), ..self }
    }

    /// How many windows run at a time, at most; by itself it is as many as have about 2,048
    /// tokens together. The results do not depend on it beyond rounding.
    pub fn batch_size(self, windows: usize) -> Self {
        Self { batch_size: windows, ..self }
    }
}

/// A model with labels for tokens: a tagger.
pub struct TokenClassification {
    pipeline: Pipeline,
    tags: Tags,
}

impl TokenClassification {
    /// Loads a folder, or a hub id through the hub's cache; see [`locate`].
    pub fn from_pretrained(model: &str, device: &Device) -> Result<Self> {
        let pipeline = Pipeline::load(&locate(model)?, "ForTokenClassification", device)?;
        let tags = Tags::new(pipeline.config.id2label().values().cloned().collect());
        Ok(Self { pipeline, tags })
    }

    /// From text to tokens.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.pipeline.tokenizer
    }

    /// The model's configuration, which names the labels.
    pub fn config(&self) -> &Config {
        &self.pipeline.config
    }

    /// The spans of each text, in their order: neighbours whose labels are parts of one tag
    /// (`B-x` and `I-x`, `E-x` and `S-x` of BIOES, `L-x` and `U-x` of BILOU, or a label by
    /// itself) are one. What is labelled O is left out.
    ///
    /// Offsets are bytes of the text, for slices of it, and lie between characters;
    /// [`Span::characters`] counts those. They are without the white space around a span.
    ///
    /// A text of any length is read whole: in windows, as long as the model takes, of which
    /// each shares a quarter of its tokens with the next. Each token is read in the window in
    /// which it is furthest from an edge.
    pub fn tag<S: AsRef<str>>(&self, texts: &[S]) -> Result<Vec<Vec<Span>>> {
        self.tag_with(texts, Options::new())
    }

    /// The same for words instead of tokens, with legal sequences of labels only, with windows
    /// that share more or less, or in batches of some size.
    pub fn tag_with<S: AsRef<str>>(
        &self,
        texts: &[S],
        options: Options,
    ) -> Result<Vec<Vec<Span>>> {
        let read = self.probabilities_with(texts, &options)?;
        let spans = texts.iter().zip(read).map(|(text, read)| {
            self.spans(text.as_ref(), &read, options.aggregation, options.viterbi)
        });
        Ok(spans.collect())
    }

    /// The probability of every label for every token. Long texts are read as in
    /// [`Self::tag`].
    pub fn probabilities<S: AsRef<str>>(&self, texts: &[S]) -> Result<Vec<TokenProbabilities>> {
        self.probabilities_with(texts, &Options::new())
    }

    fn probabilities_with<S: AsRef<str>>(
        &self,
        texts: &[S],
        options: &Options,
    ) -> Result<Vec<TokenProbabilities>> {
        at_least_one("batch_size", options.batch_size)?;
        let mut read = Vec::with_capacity(texts.len());
        for texts in texts.chunks(TEXTS_AT_ONCE) {
            let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
            read.extend(self.read(&texts, read.len(), options)?);
        }
        Ok(read)
    }

    fn read(
        &self,
        texts: &[&str],
        first: usize,
        options: &Options,
    ) -> Result<Vec<TokenProbabilities>> {
        let given: Vec<_> = texts.iter().map(|text| (*text, None)).collect();
        let whole = self.tokenizer().whole(&given, "texts", first)?;
        let framed: Vec<Framed> = whole.into_iter().map(Framed::new).collect();
        let windows = framed
            .iter()
            .map(|text| self.windows(text, options.overlap))
            .collect::<Result<Vec<_>>>()?;
        let (mut pieces, mut of_text) = (Vec::new(), Vec::new());
        for (number, (text, places)) in framed.iter().zip(&windows).enumerate() {
            pieces.extend(places.iter().map(|(start, end)| text.window(*start, *end)));
            of_text.extend(places.iter().map(|_| number));
        }
        let rows = |piece: usize, logits: Logits| -> Vec<Vec<f64>> {
            let text = &framed[of_text[piece]];
            let own = text.first()..pieces[piece].len() + text.first() - text.specials();
            own.map(|token| softmax(logits.row(token))).collect()
        };
        let most = options.batch_size;
        let found = self.pipeline.logits(&pieces, most, None, rows)?;
        let mut found = found.into_iter();
        let joined =
            texts.iter().zip(framed.iter().zip(&windows)).map(|(text, (frame, places))| {
                let rows: Vec<_> = found.by_ref().take(places.len()).collect();
                let chosen = widest_context(places).into_iter().enumerate();
                let row = |(token, window): (usize, usize)| {
                    rows[window][token - places[window].0].clone()
                };
                TokenProbabilities {
                    offsets: frame.offsets(text),
                    words: frame.words(text),
                    probabilities: chosen.map(row).collect(),
                }
            });
        Ok(joined.collect())
    }

    fn windows(&self, text: &Framed, overlap: Option<usize>) -> Result<Vec<(usize, usize)>> {
        let size = self.tokenizer().max_length().saturating_sub(text.specials());
        let overlap = overlap.unwrap_or(size / 4);
        if overlap >= size {
            return Err(input_error!(
                "overlap is {overlap}; this model reads {size} tokens of a text at a time, of \
                 which windows can share fewer"
            ));
        }
        match text.tokens.len() {
            0 => Ok(Vec::new()),
            tokens => Ok(windows_over(tokens, size, overlap)),
        }
    }

    fn spans(
        &self,
        text: &str,
        read: &TokenProbabilities,
        aggregation: Aggregation,
        viterbi: bool,
    ) -> Vec<Span> {
        let (places, rows) = read.units(aggregation);
        let best = |row: &Vec<f64>| first_best(row.iter().copied()).0;
        let chosen = match viterbi {
            true => self.tags.best_path(&rows),
            false => rows.iter().map(best).collect(),
        };
        // Each token by itself, under the label as it is.
        let each = aggregation == Aggregation::None;
        let joins = |a: &usize, b: &usize| !each && self.tags.goes_on(*a, *b);
        let mut spans = Vec::new();
        let mut first = 0;
        for group in chosen.chunk_by(joins) {
            let units = first..first + group.len();
            first = units.end;
            let (start, end) =
                without_space(text, places[units.start].0, places[units.end - 1].1);
            let Some(tag) = &self.tags.tags[group[0]] else { continue };
            // A space may be a token of the word that follows it; no span consists of that.
            if !each && text[start..end].chars().all(is_space) {
                continue;
            }
            let label = if each { &self.tags.labels[group[0]] } else { tag };
            let total: f64 =
                units.clone().zip(group).map(|(unit, label)| rows[unit][*label]).sum();
            spans.push(Span {
                start,
                end,
                label: label.clone(),
                score: total / group.len() as f64,
                text: text[start..end].to_string(),
            });
        }
        spans
    }
}
