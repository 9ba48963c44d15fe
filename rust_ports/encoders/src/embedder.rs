//! Text in, one vector a text out, as sentence-transformers has it.

use candle_core::{D, Device, Tensor};
use encoders_models::family::Config;
use encoders_models::inputs::Inputs;
use encoders_models::model::{Network, in_single_precision};
use encoders_models::pooling::{Pooling, normalize, pool_packed};
use encoders_models::weights::Weights;
use encoders_models::{Lengths, Result, checkpoint_error, input_error};

use crate::checkpoint::{read_config, read_tensors, select_tensors};
use crate::pretrained::locate;
use crate::sentence::SentenceSettings;
use crate::text::Tokenizer;

/// How many tokens are packed into one row: enough to keep all cores busy, little enough for
/// their caches.
const TOKENS_A_ROW: usize = 2048;

/// How [`SentenceEmbedder::encode_with`] goes about it; the vectors do not depend on it beyond
/// rounding.
///
/// ```
/// use encoders::embedder::Options;
///
/// let report = |done, all| eprintln!("{done} of {all}");
/// let options = Options::new().batch_size(8).progress(report);
/// ```
pub struct Options<'a> {
    batch_size: usize,
    progress: Box<dyn FnMut(usize, usize) + 'a>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Options<'a> {
    /// As [`SentenceEmbedder::encode`] has it.
    pub fn new() -> Self {
        Self { batch_size: usize::MAX, progress: Box::new(|_, _| {}) }
    }

    /// How many texts are embedded at a time, at most; by itself it is as many as have about
    /// 2,048 tokens together.
    pub fn batch_size(self, texts: usize) -> Self {
        Self { batch_size: texts, ..self }
    }

    /// What is called after each batch, with how many texts are done and how many there are.
    pub fn progress(self, call: impl FnMut(usize, usize) + 'a) -> Self {
        Self { progress: Box::new(call), ..self }
    }
}

/// A sentence embedding model: tokenizer, encoder, pooling, and normalization where the
/// checkpoint has it.
pub struct SentenceEmbedder {
    /// From text to ids.
    pub tokenizer: Tokenizer,
    /// The encoder's configuration.
    pub config: Config,
    /// The encoder.
    pub model: Network,
    /// How the vectors of a text's tokens become one; several ways are laid side by side.
    pub pooling: Vec<Pooling>,
    /// Whether vectors have length one.
    pub normalize: bool,
    /// What is put before each text: the prompt that the checkpoint names as its default.
    pub prompt: String,
    /// How many numbers of a vector are kept, of those that it has after normalization; None:
    /// all of them.
    pub truncate_dim: Option<usize>,
    device: Device,
}

impl SentenceEmbedder {
    /// Loads a folder, or a hub id through the hub's cache; see [`locate`].
    pub fn from_pretrained(model: &str, device: &Device) -> Result<Self> {
        let folder = locate(model)?;
        let config = read_config(&folder)?;
        let settings = SentenceSettings::read(&folder, config.encoder().hidden_size)?;
        let tokenizer = Tokenizer::from_folder(&folder, &config)?;
        let build = || {
            let name = config.class("Model");
            let architecture = config.architecture(&name)?;
            let tensors =
                select_tensors(read_tensors(&folder, device)?, &config, architecture)?;
            let tensors = in_single_precision(tensors)?;
            Weights::build(&tensors, |weights| Network::new(&name, &config, weights))
        };
        let model = build().map_err(|error| error.at(folder.display()))?;
        let SentenceSettings { pooling, normalize, prompt, truncate_dim } = settings;
        let device = device.clone();
        Ok(Self { tokenizer, config, model, pooling, normalize, prompt, truncate_dim, device })
    }

    /// One vector a text, in the order of `texts`: `[texts, dimensions]`.
    ///
    /// Texts of like length are packed into one row, so that a long one does not wait alone. A
    /// vector that is not finite is an error.
    pub fn encode<S: AsRef<str>>(&self, texts: &[S]) -> Result<Vec<Vec<f32>>> {
        self.encode_with(texts, Options::new())
    }

    /// The same with a size for the batches, or with a report of progress.
    pub fn encode_with<S: AsRef<str>>(
        &self,
        texts: &[S],
        mut options: Options,
    ) -> Result<Vec<Vec<f32>>> {
        if options.batch_size == 0 {
            return Err(input_error!("batch_size is 0; it must be at least 1"));
        }
        let ids = match self.prompt.as_str() {
            "" => self.tokenizer.ids(texts)?,
            prompt => {
                let prompted = texts.iter().map(|text| format!("{prompt}{}", text.as_ref()));
                self.tokenizer.ids(&prompted.collect::<Vec<_>>())?
            }
        };
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_by_key(|text| std::cmp::Reverse(ids[*text].len()));
        let mut vectors = vec![Vec::new(); ids.len()];
        let mut done = 0;
        for row in rows(&order, &ids, options.batch_size) {
            let packed: Vec<i64> =
                row.iter().flat_map(|text| ids[*text].iter().copied()).collect();
            let mut cu_seqlens = vec![0];
            cu_seqlens.extend(row.iter().scan(0, |end, text| {
                *end += ids[*text].len();
                Some(*end)
            }));
            let embedded = self.embed(&packed, &cu_seqlens)?.to_vec2()?;
            for (text, vector) in row.iter().zip(embedded) {
                vectors[*text] = vector;
            }
            done += row.len();
            (options.progress)(done, ids.len());
        }
        Ok(vectors)
    }

    /// `input_ids` `[tokens]` and `cu_seqlens` `[texts + 1]` to `[texts, dimensions]`.
    fn embed(&self, input_ids: &[i64], cu_seqlens: &[usize]) -> Result<Tensor> {
        let ids = Tensor::new(input_ids, &self.device)?;
        let hidden = self.model.last_hidden_state(&Inputs::packed(&ids, cu_seqlens))?;
        let lengths = Lengths::new(cu_seqlens, input_ids.len())?;
        let pooled = pool_packed(&hidden, lengths, &self.pooling, 0)?;
        let vectors = if self.normalize { normalize(&pooled, 1e-12)? } else { pooled };
        let numbers = vectors.flatten_all()?.to_vec1::<f32>()?;
        if !numbers.into_iter().all(f32::is_finite) {
            return Err(checkpoint_error!(
                "the vectors come out as NaN or infinity; in float32 this model overflows"
            ));
        }
        let size = vectors.dim(D::Minus1)?;
        Ok(vectors.narrow(D::Minus1, 0, self.truncate_dim.map_or(size, |dim| dim.min(size)))?)
    }
}

/// Cuts `order` into rows of at most [`TOKENS_A_ROW`] tokens and `most` texts, each of at least
/// one text.
fn rows<'a>(order: &'a [usize], ids: &[Vec<i64>], most: usize) -> Vec<&'a [usize]> {
    let mut rows = Vec::new();
    let (mut start, mut tokens) = (0, 0);
    for (position, text) in order.iter().enumerate() {
        let full = tokens + ids[*text].len() > TOKENS_A_ROW || position - start == most;
        if position > start && full {
            rows.push(&order[start..position]);
            (start, tokens) = (position, 0);
        }
        tokens += ids[*text].len();
    }
    if start < order.len() {
        rows.push(&order[start..]);
    }
    rows
}
