//! Text to ids, through a checkpoint's tokenizer, opened as Transformers opens it.

mod added;
mod classes;
mod guard;
mod opening;
mod padding;
mod settings;

use std::collections::BTreeSet;
use std::path::Path;

use candle_core::{Device, Tensor};
use encoders_models::family::Config;
use encoders_models::{Result, checkpoint_error, config_error, input_error};
use serde_json::{Value, json};
use tokenizers::{
    PaddingDirection, PaddingParams, PaddingStrategy, PostProcessor, TruncationDirection,
    TruncationParams,
};

use self::classes::{Build, Class, SETTINGS, class_for};
use self::guard::guarded;
use self::opening::{Source, open};
use self::padding::{check_mask, check_padding_side};
pub(crate) use self::settings::sentence_files;
use self::settings::{TextSettings, token_limit};
use crate::checkpoint::read_config;
use crate::files::{Part, is_there, read_object, read_optional, read_text, shown};
use crate::listing::transformer_folder;
use crate::pretrained::locate;

/// A checkpoint's tokenizer, which cuts a text where its settings say, and where the model's
/// positions end.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    special: BTreeSet<u32>,
    side: TruncationDirection,
}

/// A padded batch: all three tensors are `[batch, tokens]` of dtype i64.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// The number of each token in the vocabulary.
    pub input_ids: Tensor,
    /// 1 for a real token, 0 for padding.
    pub attention_mask: Tensor,
    /// Of which text of a pair a token is.
    pub token_type_ids: Tensor,
}

impl Tokenizer {
    /// Loads a folder, or a hub id through the hub's cache; see [`locate`].
    pub fn from_pretrained(model: &str) -> Result<Self> {
        let folder = transformer_folder(&locate(model)?)?;
        Self::from_folder(&folder, &read_config(&folder)?)
    }

    /// Reads `folder`/tokenizer.json, or the word list in vocab.txt, with what
    /// tokenizer_config.json and sentence_bert_config.json say. The lengths to which the file
    /// itself pads and cuts were those of its training, and do not count.
    pub fn from_folder(folder: &Path, config: &Config) -> Result<Self> {
        let of_sentences = TextSettings::read(folder)?;
        let mut settings = read_settings(folder)?;
        settings.extend(of_sentences.tokenizer.clone());
        let named = read_object(&folder.join("config.json"))?;
        let given = |settings: &Part| settings.get("tokenizer_class").cloned();
        let named = given(&settings).filter(|name| !name.is_null()).or(given(&named));
        let class = class_for(named.as_ref(), config.tokenizer())?;
        let (path, content) = read_vocabulary(folder, class)?;
        let side = truncation_side(&settings, &content)?;
        check_padding_side(folder, &settings, &content, config)?;
        check_mask(folder, &settings)?;
        let (inner, special) = open(Source {
            path: &path,
            content,
            settings: &settings,
            older: &read_optional(&folder.join("added_tokens.json"))?,
            class,
            lower_case: of_sentences.lower_case,
        })?;
        let mut tokenizer = Self { inner, special, side };
        tokenizer.truncate(max_length(folder, config, &of_sentences, &settings)?)?;
        Ok(tokenizer)
    }

    /// Cuts every text at `max_length` tokens, its special tokens included.
    pub fn truncate(&mut self, max_length: usize) -> Result<()> {
        let special = self
            .inner
            .get_post_processor()
            .map_or(0, |processor| processor.added_tokens(false));
        if max_length <= special {
            return Err(input_error!(
                "texts cannot be cut at {max_length} tokens: {special} special ones and a word \
                 need {}",
                special + 1
            ));
        }
        let direction = self.side;
        let params = TruncationParams { max_length, direction, ..TruncationParams::default() };
        match self.inner.with_truncation(Some(params)) {
            Ok(_) => Ok(()),
            Err(problem) => {
                Err(input_error!("texts cannot be cut at {max_length} tokens: {problem}"))
            }
        }
    }

    /// The ids of each text, special tokens included, without padding.
    pub fn ids<S: AsRef<str>>(&self, texts: &[S]) -> Result<Vec<Vec<i64>>> {
        let texts = texts.iter().map(AsRef::as_ref).collect();
        let encodings =
            guarded(unusable, || self.inner.encode_batch_fast::<&str>(texts, true))?;
        let ids: Vec<Vec<i64>> = encodings
            .iter()
            .map(|encoding| encoding.get_ids().iter().map(|id| i64::from(*id)).collect())
            .collect();
        match ids.iter().position(Vec::is_empty) {
            Some(text) => Err(input_error!("text {text} has no token at all")),
            None => Ok(ids),
        }
    }

    /// How many tokens at the start of a text are those of a prompt that is put before it, what
    /// stands before every text included: as many as the prompt has alone, without a special
    /// token at its end.
    pub fn prompt_length(&self, prompt: &str) -> Result<usize> {
        let ids = &self.ids(&[prompt])?[0];
        let ends = ids.last().is_some_and(|last| self.special.contains(&(*last as u32)));
        Ok(ids.len() - usize::from(ends))
    }

    /// A batch padded on the right to its longest text, with the padding token `pad` (id and
    /// text).
    pub fn batch<S: AsRef<str>>(
        &self,
        texts: &[S],
        pad: (u32, &str),
        device: &Device,
    ) -> Result<Encoded> {
        if texts.is_empty() {
            return Err(input_error!("texts is empty; a batch has at least one text"));
        }
        let mut inner = self.inner.clone();
        inner.with_padding(Some(PaddingParams {
            strategy: PaddingStrategy::BatchLongest,
            direction: PaddingDirection::Right,
            pad_to_multiple_of: None,
            pad_id: pad.0,
            pad_type_id: 0,
            pad_token: pad.1.to_string(),
        }));
        let texts = texts.iter().map(AsRef::as_ref).collect();
        let encodings = guarded(unusable, || inner.encode_batch::<&str>(texts, true))?;
        let table = |column: fn(&tokenizers::Encoding) -> &[u32]| {
            let rows: Vec<Vec<i64>> = encodings
                .iter()
                .map(|encoding| column(encoding).iter().map(|x| i64::from(*x)).collect())
                .collect();
            Tensor::new(rows, device)
        };
        Ok(Encoded {
            input_ids: table(tokenizers::Encoding::get_ids)?,
            attention_mask: table(tokenizers::Encoding::get_attention_mask)?,
            token_type_ids: table(tokenizers::Encoding::get_type_ids)?,
        })
    }
}

fn unusable() -> String {
    "the texts cannot be tokenized".into()
}

/// tokenizer_config.json; and special_tokens_map.json, in which older folders name the special
/// tokens, and which Transformers prefers until it has written its added_tokens_decoder.
fn read_settings(folder: &Path) -> Result<Part> {
    let mut settings = read_optional(&folder.join(SETTINGS))?;
    for key in ["add_bos_token", "add_eos_token"] {
        if settings.get(key).is_some_and(|value| !value.is_null()) {
            return Err(config_error!(
                "{}: {key} is {}, by which Transformers puts other special tokens about a text \
                 than the tokenizer has; it is not implemented",
                folder.join(SETTINGS).display(),
                shown(&settings[key])
            ));
        }
    }
    if !settings.contains_key("added_tokens_decoder") {
        settings.extend(read_optional(&folder.join("special_tokens_map.json"))?);
    }
    Ok(settings)
}

/// The file that holds the vocabulary, and what is in it.
fn read_vocabulary(folder: &Path, class: &Class) -> Result<(std::path::PathBuf, Part)> {
    let names = ["tokenizer.json", "vocab.txt", "sentencepiece.bpe.model"];
    let [ready, words, pieces] = names.map(|name| folder.join(name));
    if is_there(&ready) {
        let content = read_object(&ready)?;
        return Ok((ready, content));
    }
    if is_there(&words) {
        let content = word_list(&words, class)?;
        return Ok((words, content));
    }
    let advice = "save the tokenizer with Transformers, which writes a tokenizer.json";
    match is_there(&pieces) {
        true => Err(checkpoint_error!(
            "{} is a SentencePiece model, which is not read here; {advice}",
            pieces.display()
        )),
        false => Err(checkpoint_error!(
            "{} holds no tokenizer: no tokenizer.json and no vocab.txt; {advice}",
            folder.display()
        )),
    }
}

/// A bare word list as the model of a tokenizer.json: WordPiece's (Wu et al. 2016).
fn word_list(path: &Path, class: &Class) -> Result<Part> {
    if class.build != Build::WordPieces {
        return Err(checkpoint_error!(
            "{} is a bare word list, which {}, by which this folder's tokenizer is opened, \
             does not read; save the tokenizer with Transformers, which writes a \
             tokenizer.json",
            path.display(),
            class.name
        ));
    }
    let text = read_text(path)?;
    let words = text.lines().zip(0u32..);
    let vocabulary: Part =
        words.map(|(word, id)| (word.trim_end().to_string(), json!(id))).collect();
    Ok(Part::from_iter([("model".to_string(), json!({"vocab": vocabulary}))]))
}

/// sentence-transformers' own limit, else the tokenizer's, capped by the positions that the
/// model was made for, as it has it.
fn max_length(
    folder: &Path,
    config: &Config,
    of_sentences: &TextSettings,
    settings: &Part,
) -> Result<usize> {
    let limits = config.limits();
    let own = match of_sentences.tokenizer.contains_key("model_max_length") {
        true => token_limit(settings, "model_max_length", &of_sentences.path)?,
        false => of_sentences.max_seq_length,
    };
    if let Some(own) = own {
        return Ok(own.min(limits.max_tokens));
    }
    let key =
        if settings.contains_key("model_max_length") { "model_max_length" } else { "max_len" };
    let longest = limits.max_tokens.min(limits.max_position_embeddings);
    let limit = token_limit(settings, key, &folder.join(SETTINGS))?;
    Ok(limit.map_or(longest, |limit| limit.min(longest)))
}

/// On which side a text that is too long is cut.
fn truncation_side(settings: &Part, content: &Part) -> Result<TruncationDirection> {
    let side = settings.get("truncation_side").filter(|side| !side.is_null());
    let stored = content.get("truncation").map(|stored| &stored["direction"]);
    match side.map(Value::as_str) {
        Some(Some("left")) => Ok(TruncationDirection::Left),
        Some(Some("right")) => Ok(TruncationDirection::Right),
        Some(_) => Err(config_error!(
            "{SETTINGS}: truncation_side is {}; it must be left or right",
            side.map(shown).unwrap_or_default()
        )),
        None if stored == Some(&json!("Left")) => Ok(TruncationDirection::Left),
        None => Ok(TruncationDirection::Right),
    }
}
