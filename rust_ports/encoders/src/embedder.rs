//! Text in, one vector a text out, as sentence-transformers has it.

use std::collections::BTreeMap;

use candle_core::{D, Device, Tensor};
use encoders_models::family::Config;
use encoders_models::inputs::Inputs;
use encoders_models::model::Network;
use encoders_models::pooling::{Pooling, normalize, pool_packed};
use encoders_models::{Lengths, Result, among_workers, checkpoint_error, input_error};

use crate::checkpoint::{read_config, read_network};
use crate::listing::transformer_folder;
use crate::modules::Module;
use crate::pipelines::{TOKENS_A_ROW, rows};
use crate::pretrained::locate;
use crate::sentence::{SentenceSettings, names};
use crate::similarity::Similarity;
use crate::text::Tokenizer;

/// How [`SentenceEmbedder::encode_with`] goes about it, and what vectors are wanted.
///
/// ```
/// use encoders::embedder::Options;
///
/// let report = |done, all| eprintln!("{done} of {all}");
/// let options = Options::new().prompt_name("query").batch_size(8).progress(report);
/// ```
pub struct Options<'a> {
    batch_size: usize,
    progress: Box<dyn FnMut(usize, usize) + 'a>,
    prompt: Prompt<'a>,
    truncate_dim: Option<usize>,
    normalize: Option<bool>,
}

/// What is put before each text.
enum Prompt<'a> {
    /// What the checkpoint puts there.
    Default,
    /// A prompt of the checkpoint's.
    Named(&'a str),
    /// This.
    Text(&'a str),
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Options<'a> {
    /// As [`SentenceEmbedder::encode`] has it.
    pub fn new() -> Self {
        Self {
            batch_size: usize::MAX,
            progress: Box::new(|_, _| {}),
            prompt: Prompt::Default,
            truncate_dim: None,
            normalize: None,
        }
    }

    /// How many texts are embedded at a time, at most; by itself it is as many as have about
    /// 2,048 tokens together. The vectors do not depend on it beyond rounding.
    pub fn batch_size(self, texts: usize) -> Self {
        Self { batch_size: texts, ..self }
    }

    /// What is called after each batch, with how many texts are done and how many there are.
    pub fn progress(self, call: impl FnMut(usize, usize) + 'a) -> Self {
        Self { progress: Box::new(call), ..self }
    }

    /// What is put before each text, in the place of the checkpoint's default; "" is nothing.
    pub fn prompt(self, text: &'a str) -> Self {
        Self { prompt: Prompt::Text(text), ..self }
    }

    /// Under which name the checkpoint has the prompt that is put before each text.
    pub fn prompt_name(self, name: &'a str) -> Self {
        Self { prompt: Prompt::Named(name), ..self }
    }

    /// How many numbers of a vector are kept, in the place of what the checkpoint says.
    pub fn truncate_dim(self, numbers: usize) -> Self {
        Self { truncate_dim: Some(numbers), ..self }
    }

    /// Whether vectors have length one: true scales them after they were cut, false leaves out
    /// a normalization that the modules end with. By itself the modules decide, and a vector
    /// that is cut after them is shorter than one.
    pub fn normalize(self, unit: bool) -> Self {
        Self { normalize: Some(unit), ..self }
    }
}

/// A sentence embedding model: tokenizer, encoder, pooling, and the modules that follow it in
/// the checkpoint.
pub struct SentenceEmbedder {
    /// From text to ids.
    pub tokenizer: Tokenizer,
    /// The encoder's configuration.
    pub config: Config,
    /// The encoder. Another may take its place, such as the same one in eight bits, which is
    /// about twice as fast: `Model::from_pretrained(name, &device)?.in_int8()?.network`.
    pub model: Network,
    /// How the vectors of a text's tokens become one; several ways are laid side by side.
    pub pooling: Vec<Pooling>,
    /// Whether the pooling sees the tokens of the prompt.
    pub include_prompt: bool,
    /// What the pooled vectors go through, one after another.
    pub modules: Vec<Module>,
    /// What may be put before each text, by its name; "query" and "document" are always there,
    /// if only as "".
    pub prompts: BTreeMap<String, String>,
    /// The name of the prompt that is put before each text where no other is asked for.
    pub default_prompt_name: Option<String>,
    /// How many numbers of a vector are kept, of those that the modules make; None: all of
    /// them.
    pub truncate_dim: Option<usize>,
    /// What vectors are meant to be compared by: see [`Similarity::scores`].
    pub similarity: Similarity,
    size: usize,
    device: Device,
}

impl SentenceEmbedder {
    /// Loads a folder, or a hub id through the hub's cache; see [`locate`].
    pub fn from_pretrained(model: &str, device: &Device) -> Result<Self> {
        let home = locate(model)?;
        let folder = transformer_folder(&home)?;
        let config = read_config(&folder)?;
        let settings = SentenceSettings::read(&home, &config, device)?;
        let tokenizer = Tokenizer::from_folder(&folder, &config)?;
        let model = read_network(&folder, &config, "Model", device)?;
        Ok(Self {
            tokenizer,
            config,
            model,
            pooling: settings.pooling,
            include_prompt: settings.include_prompt,
            modules: settings.modules,
            prompts: settings.prompts.named,
            default_prompt_name: settings.prompts.default,
            truncate_dim: settings.truncate_dim,
            similarity: settings.similarity,
            size: settings.size,
            device: device.clone(),
        })
    }

    /// How many numbers a vector has.
    pub fn dimensions(&self) -> usize {
        self.truncate_dim.map_or(self.size, |dim| dim.min(self.size))
    }

    /// One vector a text, in the order of `texts`: `[texts, dimensions]`.
    ///
    /// Texts of like length are packed into one row, so that a long one does not wait alone. A
    /// vector that is not finite is an error.
    pub fn encode<S: AsRef<str>>(&self, texts: &[S]) -> Result<Vec<Vec<f32>>> {
        self.encode_with(texts, Options::new())
    }

    /// The vectors of questions, which the checkpoint's prompt "query" is put before. Under
    /// other options it is `encode_with` with that [name](Options::prompt_name).
    pub fn encode_query<S: AsRef<str>>(&self, texts: &[S]) -> Result<Vec<Vec<f32>>> {
        self.encode_with(texts, Options::new().prompt_name("query"))
    }

    /// The vectors of what is searched, which the checkpoint's prompt "document" is put before.
    ///
    /// sentence-transformers' `encode_document` looks for "passage" and "corpus" where there is
    /// no "document"; but there always is one.
    pub fn encode_document<S: AsRef<str>>(&self, texts: &[S]) -> Result<Vec<Vec<f32>>> {
        self.encode_with(texts, Options::new().prompt_name("document"))
    }

    /// The same with another prompt, cut, normalized, in batches of some size, or with a report
    /// of progress.
    ///
    /// In this order: the prompt is put before each text, what is longer than the model takes
    /// is cut off, the modules make a vector, its first numbers are kept, it is normalized.
    pub fn encode_with<S: AsRef<str>>(
        &self,
        texts: &[S],
        mut options: Options,
    ) -> Result<Vec<Vec<f32>>> {
        if options.batch_size == 0 {
            return Err(input_error!("batch_size is 0; it must be at least 1"));
        }
        let wanted = self.wanted(&options)?;
        let ids = match wanted.prompt {
            "" => self.tokenizer.ids(texts)?,
            prompt => {
                let prompted = texts.iter().map(|text| format!("{prompt}{}", text.as_ref()));
                self.tokenizer.ids(&prompted.collect::<Vec<_>>())?
            }
        };
        let lengths: Vec<usize> = ids.iter().map(Vec::len).collect();
        let mut vectors = vec![Vec::new(); ids.len()];
        let mut done = 0;
        for row in rows(&lengths, options.batch_size, TOKENS_A_ROW) {
            let packed: Vec<i64> =
                row.iter().flat_map(|text| ids[*text].iter().copied()).collect();
            let mut cu_seqlens = vec![0];
            cu_seqlens.extend(row.iter().scan(0, |end, text| {
                *end += ids[*text].len();
                Some(*end)
            }));
            let embedded = self.embed(&packed, &cu_seqlens, &wanted)?.to_vec2()?;
            for (text, vector) in row.iter().zip(embedded) {
                vectors[*text] = vector;
            }
            done += row.len();
            (options.progress)(done, ids.len());
        }
        Ok(vectors)
    }

    /// The options, held against what the model has.
    fn wanted<'a>(&'a self, options: &Options<'a>) -> Result<Wanted<'a>> {
        let named = |name: &str| {
            let known = || names(&self.prompts);
            let unknown = || input_error!("there is no prompt {name:?}; there are {}", known());
            self.prompts.get(name).map(String::as_str).ok_or_else(unknown)
        };
        let prompt = match (&options.prompt, &self.default_prompt_name) {
            (Prompt::Text(text), _) => text,
            (Prompt::Named(name), _) => named(name)?,
            (Prompt::Default, Some(name)) => named(name)?,
            (Prompt::Default, None) => "",
        };
        let skip = match self.include_prompt || prompt.is_empty() {
            true => 0,
            false => self.tokenizer.prompt_length(prompt)?,
        };
        let size = match options.truncate_dim {
            None => self.dimensions(),
            Some(size) if (1..=self.size).contains(&size) => size,
            Some(size) => {
                return Err(input_error!(
                    "truncate_dim is {size}, but this model's vectors have {} numbers",
                    self.size
                ));
            }
        };
        let mut modules = self.modules.as_slice();
        while let (Some(_), [before @ .., Module::Normalize]) = (options.normalize, modules) {
            modules = before;
        }
        Ok(Wanted { prompt, skip, modules, size, unit: options.normalize == Some(true) })
    }

    /// `input_ids` `[tokens]` and `cu_seqlens` `[texts + 1]` to `[texts, dimensions]`.
    fn embed(
        &self,
        input_ids: &[i64],
        cu_seqlens: &[usize],
        wanted: &Wanted,
    ) -> Result<Tensor> {
        let ids = Tensor::new(input_ids, &self.device)?;
        let inputs = Inputs::packed(&ids, cu_seqlens);
        let hidden = among_workers(&inputs, || self.model.last_hidden_state(&inputs))?;
        let lengths = Lengths::new(cu_seqlens, input_ids.len())?;
        let mut vectors = pool_packed(&hidden, lengths, &self.pooling, wanted.skip)?;
        for module in wanted.modules {
            vectors = module.forward(&vectors)?;
        }
        let mut vectors = vectors.narrow(D::Minus1, 0, wanted.size)?;
        if wanted.unit {
            vectors = normalize(&vectors, 1e-12)?;
        }
        let numbers = vectors.flatten_all()?.to_vec1::<f32>()?;
        if !numbers.into_iter().all(f32::is_finite) {
            return Err(checkpoint_error!(
                "the vectors come out as NaN or infinity; in float32 this model overflows"
            ));
        }
        Ok(vectors)
    }
}

/// What the vectors are to be.
struct Wanted<'a> {
    prompt: &'a str,
    /// How many tokens at the start of each text the pooling does not see.
    skip: usize,
    modules: &'a [Module],
    size: usize,
    /// Whether they are scaled to length one after the cut to that size.
    unit: bool,
}
