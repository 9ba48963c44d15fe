//! What every pipeline has: the tokenizer, the model with its head, and the way from texts to
//! logits.

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use encoders_models::family::Config;
use encoders_models::inputs::Inputs;
use encoders_models::masked_sequence::SpanPooling;
use encoders_models::model::Network;
use encoders_models::{Result, among_workers, checkpoint_error, input_error};

use super::batching::{TOKENS_A_ROW, rows};
use crate::checkpoint::{read_config, read_network};
use crate::listing::transformer_folder;
use crate::text::{Encoding, Tokenizer};

/// A checkpoint with a head.
pub(crate) struct Pipeline {
    /// That of the model, in errors.
    pub folder: PathBuf,
    pub tokenizer: Tokenizer,
    pub config: Config,
    pub model: Network,
    device: Device,
}

/// What a token that is asked for takes of a row, in tokens: its scores are a row of the whole
/// vocabulary, a hundred megabytes for 512 of them and 50,000 words.
const TOKENS_A_PLACE: usize = 4;

/// The logits of one text, row after row.
pub(crate) struct Logits<'a> {
    numbers: &'a [f32],
    width: usize,
}

impl Logits<'_> {
    /// Those of a token that was scored, or of the text itself, which is row 0.
    pub fn row(&self, number: usize) -> &[f32] {
        &self.numbers[number * self.width..][..self.width]
    }
}

impl Pipeline {
    /// The architecture that ends in `suffix`, from the folder of a checkpoint.
    pub fn load(home: &Path, suffix: &str, device: &Device) -> Result<Self> {
        let folder = transformer_folder(home)?;
        let config = read_config(&folder)?;
        let tokenizer = Tokenizer::from_folder(&folder, &config)?;
        let model = read_network(&folder, &config, suffix, device)?;
        Ok(Self { folder, tokenizer, config, model, device: device.clone() })
    }

    /// What `reduce` makes of the logits of each text, in the order given, though texts of
    /// similar length run together, at most `most` of them at a time. It is handed the text's
    /// number too. With `places` only these tokens of each text are scored.
    pub fn logits<T>(
        &self,
        encodings: &[Encoding],
        most: usize,
        places: Option<&[Vec<usize>]>,
        mut reduce: impl FnMut(usize, Logits) -> T,
    ) -> Result<Vec<T>> {
        let scored = |text: usize| places.map_or(encodings[text].len(), |all| all[text].len());
        let size = |text: usize| match places {
            None => encodings[text].len(),
            Some(_) => encodings[text].len().max(TOKENS_A_PLACE * scored(text)),
        };
        let sizes: Vec<usize> = (0..encodings.len()).map(size).collect();
        let mut results: Vec<Option<T>> = encodings.iter().map(|_| None).collect();
        for row in rows(&sizes, most, TOKENS_A_ROW) {
            let texts: Vec<&Encoding> = row.iter().map(|text| &encodings[*text]).collect();
            let asked = places.map(|all| row.iter().map(|text| &all[*text][..]).collect());
            let logits = self.run(&texts, asked, None)?;
            let width = logits.dims()[logits.rank() - 1];
            let numbers = self.finite(&logits)?;
            // A head has a row for each text or one for each token that it scores.
            let by_text = logits.dims()[0] == row.len();
            let mut start = 0;
            for text in row {
                let count = if by_text { 1 } else { scored(text) };
                let end = start + count * width;
                let own = Logits { numbers: &numbers[start..end], width };
                results[text] = Some(reduce(text, own));
                start = end;
            }
        }
        Ok(results.into_iter().flatten().collect())
    }

    /// The logits of detections in texts, which run in one row: of each detection the first
    /// token in its text and the last.
    pub fn of_detections(
        &self,
        texts: &[&Encoding],
        detections: &[&[(usize, usize)]],
        pooling: SpanPooling,
    ) -> Result<Vec<Vec<f32>>> {
        let mut start = 0;
        let mut in_row = Vec::new();
        for (text, own) in texts.iter().zip(detections) {
            in_row.extend(own.iter().map(|(first, last)| (start + first, start + last)));
            start += text.len();
        }
        let asked = pooling.places(&in_row, &self.device)?;
        let logits = self.run(texts, None, Some(asked))?;
        let width = logits.dim(1)?;
        Ok(self.finite(&logits)?.chunks(width).map(<[f32]>::to_vec).collect())
    }

    fn finite(&self, logits: &Tensor) -> Result<Vec<f32>> {
        let numbers = logits.flatten_all()?.to_vec1::<f32>()?;
        match numbers.iter().all(|number| number.is_finite()) {
            true => Ok(numbers),
            false => Err(checkpoint_error!(
                "{}: the logits come out as NaN or infinity; in float32 this model overflows",
                self.folder.display()
            )),
        }
    }

    /// The logits of texts in one row: `[tokens, labels]`, or `[texts, labels]`; only of these
    /// tokens of each, if it is said which; or of detections, `[detections, labels]`, given the
    /// places and shares of their tokens.
    fn run(
        &self,
        texts: &[&Encoding],
        places: Option<Vec<&[usize]>>,
        detections: Option<[Tensor; 2]>,
    ) -> Result<Tensor> {
        let tokens = || texts.iter().flat_map(|text| &text.tokens);
        let column = |numbers: Vec<i64>| Tensor::new(numbers, &self.device);
        let ids = column(tokens().map(|token| i64::from(token.id)).collect())?;
        let types = match tokens().any(|token| token.type_id != 0) {
            true => Some(column(tokens().map(|token| i64::from(token.type_id)).collect())?),
            false => None,
        };
        let mut ends = vec![0];
        ends.extend(texts.iter().scan(0, |end, text| {
            *end += text.len();
            Some(*end)
        }));
        let asked = |places: Vec<&[usize]>| {
            let in_row = places
                .iter()
                .zip(&ends)
                .flat_map(|(own, start)| own.iter().map(move |place| (start + place) as i64));
            column(in_row.collect())
        };
        let places = places.map(asked).transpose()?;
        let inputs = Inputs {
            token_type_ids: types.as_ref(),
            places: places.as_ref(),
            spans: detections.as_ref().map(|[spans, _]| spans),
            shares: detections.as_ref().map(|[_, shares]| shares),
            ..Inputs::packed(&ids, &ends)
        };
        let logits = among_workers(&inputs, || self.model.forward(&inputs, None))?.logits;
        logits.ok_or_else(|| input_error!("this model has no head, and gives no logits"))
    }
}

/// Refuses a text of which something was cut away.
pub(crate) fn check_uncut(
    encoding: &Encoding,
    name: &str,
    tokenizer: &Tokenizer,
) -> Result<()> {
    match encoding.cut {
        0 => Ok(()),
        cut => Err(input_error!(
            "{name} has {cut} tokens more than the {} that this model takes; shorten it, or \
             let it be cut",
            tokenizer.max_length()
        )),
    }
}

/// A number that a caller gives, of which at least one is needed.
pub(crate) fn at_least_one(name: &str, number: usize) -> Result<usize> {
    match number {
        0 => Err(input_error!("{name} is 0; it must be a whole number of at least 1")),
        number => Ok(number),
    }
}
