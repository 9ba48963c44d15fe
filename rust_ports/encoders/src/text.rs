//! Text to ids, through the tokenizer.json that a checkpoint carries.

use std::path::Path;

use candle_core::{Device, Tensor};
use encoders_models::{Result, checkpoint_error, input_error};
use serde_json::Value;
use tokenizers::{
    PaddingDirection, PaddingParams, PaddingStrategy, PostProcessor, TruncationParams,
};

use crate::checkpoint::read_config;
use crate::files::read_json;
use crate::pretrained::locate;

/// A checkpoint's tokenizer, which cuts a text where the model's positions end.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
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
        let folder = locate(model)?;
        Self::from_folder(&folder, read_config(&folder)?.limits().max_tokens)
    }

    /// Reads `folder`/tokenizer.json; texts are cut at `max_tokens`, or at the max_seq_length
    /// of sentence_bert_config.json where that is less. The padding and truncation that the
    /// file itself was saved with were those of its training, and do not count.
    pub fn from_folder(folder: &Path, max_tokens: usize) -> Result<Self> {
        let path = folder.join("tokenizer.json");
        let mut inner = tokenizers::Tokenizer::from_file(&path).map_err(|problem| {
            checkpoint_error!("{} cannot be used: {problem}", path.display())
        })?;
        inner.with_padding(None);
        let max_length =
            max_seq_length(folder)?.map_or(max_tokens, |limit| limit.min(max_tokens));
        let mut tokenizer = Self { inner };
        tokenizer.truncate(max_length)?;
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
        let params = TruncationParams { max_length, ..TruncationParams::default() };
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
        let encodings = self.inner.encode_batch_fast::<&str>(texts, true);
        let encodings = encodings
            .map_err(|problem| input_error!("the texts cannot be tokenized: {problem}"))?;
        let ids: Vec<Vec<i64>> = encodings
            .iter()
            .map(|encoding| encoding.get_ids().iter().map(|id| i64::from(*id)).collect())
            .collect();
        match ids.iter().position(Vec::is_empty) {
            Some(text) => Err(input_error!("text {text} has no token at all")),
            None => Ok(ids),
        }
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
        let encodings = inner
            .encode_batch::<&str>(texts.iter().map(AsRef::as_ref).collect(), true)
            .map_err(|problem| input_error!("the texts cannot be tokenized: {problem}"))?;
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

/// How many tokens a text may have according to sentence_bert_config.json, where there is one
/// that says so.
fn max_seq_length(folder: &Path) -> Result<Option<usize>> {
    let path = folder.join("sentence_bert_config.json");
    if !path.is_file() {
        return Ok(None);
    }
    match &read_json(&path)?["max_seq_length"] {
        Value::Null => Ok(None),
        length => match length.as_u64() {
            Some(length) if length > 0 => Ok(Some(length as usize)),
            _ => Err(checkpoint_error!(
                "{}: max_seq_length is {length}; it must be a whole number of at least 1",
                path.display()
            )),
        },
    }
}
