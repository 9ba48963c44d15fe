//! Text to ids, through a checkpoint's tokenizer, opened as Transformers opens it.

mod added;
mod characters;
mod classes;
mod encoding;
mod guard;
mod opening;
mod padding;
mod settings;
mod special;
mod spelling;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use encoders_models::family::Config;
use encoders_models::{Result, checkpoint_error, config_error, input_error};
use serde_json::{Value, json};
use tokenizers::{PostProcessor, TruncationDirection};

use self::characters::{CLASS as OF_CHARACTERS, Characters};
use self::classes::{Build, Class, SETTINGS, class_for};
pub use self::encoding::Encoded;
pub(crate) use self::encoding::{Encoding, Given, Token};
use self::opening::{Opened, Source, open};
use self::padding::{check_padding_side, input_names};
use self::settings::{TextSettings, token_limit};
pub(crate) use self::settings::{is_cross_encoder, sentence_files};
pub(crate) use self::spelling::{BLANKS, SPACES, is_space};
use crate::checkpoint::read_config;
use crate::files::{Part, is_there, read_object, read_optional, read_text, shown};
use crate::listing::transformer_folder;
use crate::pretrained::locate;

/// A checkpoint's tokenizer, which cuts a text where its settings say, and where the model's
/// positions end.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// Of a model that reads characters; `inner` is then a table of them.
    characters: Option<Characters>,
    special: BTreeSet<u32>,
    /// The ids of the special tokens that have a name, by their kind.
    kinds: BTreeMap<&'static str, u32>,
    side: TruncationDirection,
    max_length: usize,
    /// The model's.
    vocab_size: usize,
    /// Whether the model is given the types of tokens; without them, all are 0.
    typed: bool,
    /// Whether decoding takes back the spaces before punctuation.
    tidies: bool,
    /// Whether a text that is too long is cut, as it is unless the family refuses it, which the
    /// RoPE encoder does.
    pub truncates: bool,
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
        if config.tokenizer() == OF_CHARACTERS {
            return Self::of_characters(folder, config);
        }
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
        let typed = match input_names(folder, &settings)? {
            Some(names) => names.contains(&json!("token_type_ids")),
            None => class.token_types,
        };
        let Opened { inner, special, names } = open(Source {
            path: &path,
            content,
            settings: &settings,
            older: &read_optional(&folder.join("added_tokens.json"))?,
            class,
            lower_case: of_sentences.lower_case,
        })?;
        let vocab_size = config.limits().vocab_size;
        let mut tokenizer = Self {
            kinds: special::special_ids(&inner, &names, vocab_size),
            tidies: special::tidies(&inner, &settings)?,
            inner,
            characters: None,
            special,
            side,
            max_length: 0,
            vocab_size,
            truncates: !config.family().refuses_long_texts,
            typed: typed && config.limits().type_vocab_size > 1,
        };
        tokenizer.truncate(max_length(folder, config, &of_sentences, &settings)?)?;
        Ok(tokenizer)
    }

    fn of_characters(folder: &Path, config: &Config) -> Result<Self> {
        let limits = config.limits();
        let characters = Characters::read(folder, &limits)?;
        let kinds = Characters::kinds();
        Ok(Self {
            inner: characters.table()?,
            special: kinds.values().copied().collect(),
            kinds,
            side: TruncationDirection::Right,
            max_length: characters.longest,
            vocab_size: limits.vocab_size,
            truncates: !config.family().refuses_long_texts,
            typed: false,
            tidies: false,
            characters: Some(characters),
        })
    }

    /// Whether texts are read as characters.
    pub fn reads_characters(&self) -> bool {
        self.characters.is_some()
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
        self.max_length = max_length;
        Ok(())
    }

    /// How many tokens at the start of a text are those of a prompt that is put before it, what
    /// stands before every text included: as many as the prompt has alone, without a special
    /// token at its end.
    pub fn prompt_length(&self, prompt: &str) -> Result<usize> {
        let ids = &self.ids(&[prompt])?[0];
        let ends = ids.last().is_some_and(|last| self.special.contains(&(*last as u32)));
        Ok(ids.len() - usize::from(ends))
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
