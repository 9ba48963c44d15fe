//! Labels for chosen pieces of a text: several detections in it, each classified by itself.

use std::ops::Range;

use candle_core::Device;
use encoders_models::family::Config;
use encoders_models::masked_sequence::Detections;
use encoders_models::{Result, input_error};

use super::base::Pipeline;
use super::labelled_tokens::without_space;
use super::probabilities::{best_first, sigmoid, softmax};
use super::{TOKENS_A_ROW, rows};
use crate::pretrained::locate;
use crate::text::{Encoding, Tokenizer};

/// A piece of a text, and its labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
    /// The first byte of the text.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
    /// What stands there.
    pub text: String,
    /// The labels that it is given: of a model with independent labels those whose probability
    /// reaches their threshold, perhaps none; of one with labels that exclude each other the
    /// best.
    pub given: Vec<String>,
    /// All labels with their probabilities, best first.
    pub labels: Vec<(String, f64)>,
}

/// A text as tokens, and of each detection the first token, the last, and its bytes.
struct Asked<'a> {
    text: &'a str,
    encoding: Encoding,
    tokens: Vec<(usize, usize)>,
    places: Vec<Range<usize>>,
}

/// A model that labels chosen pieces of texts.
pub struct MaskedSequence {
    pipeline: Pipeline,
    detections: Detections,
}

impl MaskedSequence {
    /// Loads a folder, or a hub id through the hub's cache; see [`locate`].
    pub fn from_pretrained(model: &str, device: &Device) -> Result<Self> {
        let pipeline = Pipeline::load(&locate(model)?, "ForMaskedSequence", device)?;
        let detections = pipeline.config.encoder().detections.clone().unwrap_or_default();
        Ok(Self { pipeline, detections })
    }

    /// From text to tokens.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.pipeline.tokenizer
    }

    /// The model's configuration, which names the labels.
    pub fn config(&self) -> &Config {
        &self.pipeline.config
    }

    /// A [`Detection`] for each of the `spans` of each text, which are bytes of it. White space
    /// at either end of one is left out.
    ///
    /// A long text is cut; a detection in what would be cut is an error.
    pub fn predict<S: AsRef<str>>(
        &self,
        texts: &[S],
        spans: &[Vec<Range<usize>>],
    ) -> Result<Vec<Vec<Detection>>> {
        if texts.len() != spans.len() {
            return Err(input_error!(
                "there are {} texts and spans of {}; there must be as many",
                texts.len(),
                spans.len()
            ));
        }
        let given: Vec<_> = texts.iter().map(|text| (text.as_ref(), None)).collect();
        let whole = self.tokenizer().whole(&given, "texts", 0)?;
        let placed = whole.into_iter().zip(&given).zip(spans).enumerate();
        let asked = placed.map(|(number, ((whole, (text, _)), spans))| {
            let placed = self.placed(text, whole, spans);
            placed.map_err(|error| error.at(format!("texts[{number}]")))
        });
        self.run(&asked.collect::<Result<Vec<_>>>()?)
    }

    /// The same of texts in which pieces are marked with double brackets, `[[like this]]`: each
    /// text without its marks, and its detections.
    pub fn predict_marked<S: AsRef<str>>(
        &self,
        texts: &[S],
    ) -> Result<Vec<(String, Vec<Detection>)>> {
        let unmarked = texts.iter().map(|text| without_marks(text.as_ref()));
        let (texts, spans): (Vec<_>, Vec<_>) =
            unmarked.collect::<Result<Vec<_>>>()?.into_iter().unzip();
        let found = self.predict(&texts, &spans)?;
        Ok(texts.into_iter().zip(found).collect())
    }

    fn placed<'a>(
        &self,
        text: &'a str,
        whole: Encoding,
        spans: &[Range<usize>],
    ) -> Result<Asked<'a>> {
        let wanted = spans.iter().map(|span| piece(text, span)).collect::<Result<Vec<_>>>()?;
        let there: Vec<usize> =
            wanted.iter().map(|place| tokens_of(text, &whole, place).count()).collect();
        let encoding = self.tokenizer().cut(whole)?;
        let mut tokens = Vec::with_capacity(spans.len());
        for (place, there) in wanted.iter().zip(there) {
            let found: Vec<usize> = tokens_of(text, &encoding, place).collect();
            let shown = &text[place.clone()];
            if found.len() < there {
                return Err(input_error!(
                    "{shown:?} at bytes {place:?} lies in what is cut, for this model takes {} \
                     tokens; shorten the text so that it keeps its detections",
                    self.tokenizer().max_length()
                ));
            }
            let (Some(first), Some(last)) = (found.first(), found.last()) else {
                return Err(input_error!("{shown:?} is no token of this model's"));
            };
            tokens.push((*first, *last));
        }
        Ok(Asked { text, encoding, tokens, places: wanted })
    }

    fn run(&self, asked: &[Asked]) -> Result<Vec<Vec<Detection>>> {
        let mut found = vec![Vec::new(); asked.len()];
        let there: Vec<&Asked> = asked.iter().filter(|one| !one.tokens.is_empty()).collect();
        let mut results = vec![Vec::new(); there.len()];
        let sizes: Vec<usize> = there.iter().map(|one| one.encoding.len()).collect();
        for row in rows(&sizes, usize::MAX, TOKENS_A_ROW) {
            let texts: Vec<&Encoding> = row.iter().map(|text| &there[*text].encoding).collect();
            let spans: Vec<&[(usize, usize)]> =
                row.iter().map(|text| &there[*text].tokens[..]).collect();
            let pooling = self.detections.span_pooling;
            let logits = self.pipeline.of_detections(&texts, &spans, pooling)?;
            let mut logits = logits.iter();
            for text in row {
                let one = there[text];
                let own = one.places.iter().zip(logits.by_ref());
                results[text] =
                    own.map(|(place, row)| self.detection(one.text, place, row)).collect();
            }
        }
        let mut results = results.into_iter();
        for (one, found) in asked.iter().zip(&mut found) {
            if !one.tokens.is_empty() {
                *found = results.next().unwrap_or_default();
            }
        }
        Ok(found)
    }

    fn detection(&self, text: &str, place: &Range<usize>, logits: &[f32]) -> Detection {
        let own = self.config().encoder();
        let single = own.problem_type.as_deref() == Some("single_label_classification");
        let shares = if single { softmax(logits) } else { sigmoid(logits) };
        let order = best_first(&shares, usize::MAX);
        let threshold = |label: usize| {
            self.detections.thresholds.as_ref().map_or(0.5, |numbers| numbers[label])
        };
        let given = order.iter().enumerate().filter(|(rank, label)| match single {
            true => *rank == 0,
            false => shares[**label] >= threshold(**label),
        });
        let name = |label: usize| own.id2label[&label].clone();
        Detection {
            start: place.start,
            end: place.end,
            text: text[place.clone()].to_string(),
            given: given.map(|(_, label)| name(*label)).collect(),
            labels: order.iter().map(|label| (name(*label), shares[*label])).collect(),
        }
    }
}

/// The span without white space at either end.
fn piece(text: &str, span: &Range<usize>) -> Result<Range<usize>> {
    if span.start >= span.end || text.get(span.clone()).is_none() {
        return Err(input_error!(
            "the span {span:?} does not lie between characters of a text of {} bytes",
            text.len()
        ));
    }
    let (start, end) = without_space(text, span.start, span.end);
    match text[start..end].trim().is_empty() {
        true => Err(input_error!("at bytes {span:?} there is nothing but white space")),
        false => Ok(start..end),
    }
}

/// The tokens that share a byte with that piece of the text.
fn tokens_of<'a>(
    text: &'a str,
    encoding: &'a Encoding,
    place: &'a Range<usize>,
) -> impl Iterator<Item = usize> + 'a {
    encoding.tokens.iter().enumerate().filter_map(move |(number, token)| {
        let (start, end) = without_space(text, token.start, token.end);
        (!token.special && start < place.end && end > place.start).then_some(number)
    })
}

/// A text in which pieces are marked, `[[like this]]`: the text without the marks, and where
/// the pieces are.
pub fn without_marks(text: &str) -> Result<(String, Vec<Range<usize>>)> {
    let (mut plain, mut spans, mut rest) = (String::new(), Vec::new(), text);
    while let Some((before, after)) = rest.split_once("[[") {
        let Some((inside, after)) = after.split_once("]]") else { break };
        if before.contains("]]") || inside.contains(['[', ']']) {
            break;
        }
        plain += before;
        spans.push(plain.len()..plain.len() + inside.len());
        plain += inside;
        rest = after;
    }
    if rest.contains("[[") || rest.contains("]]") {
        return Err(input_error!(
            "a mark is without its other half, or has a bracket inside; a piece is marked \
             [[like this]]"
        ));
    }
    if spans.is_empty() {
        return Err(input_error!(
            "the text has no marks: the pieces that are meant are marked [[like this]]"
        ));
    }
    Ok((plain + rest, spans))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_taken_out() {
        let (text, spans) = without_marks("Ä [[b]] and [[c d]].").unwrap();
        assert_eq!(text, "Ä b and c d.");
        assert_eq!(spans, [3..4, 9..12]);
        for wrong in
            ["none", "[[a", "a]]", "[[a [[b]] c]]", "]] [[a]]", "[[a]] ]]", "[[1], [2]]"]
        {
            assert!(without_marks(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_lie_between_characters() {
        let text = " ä b";
        assert_eq!(piece(text, &(0..4)).unwrap(), 1..3);
        for wrong in [2..3, 0..9, 2..2, 0..1] {
            assert!(piece(text, &wrong).is_err(), "{wrong:?}");
        }
    }
}
