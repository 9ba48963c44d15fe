//! The classes by which Transformers opens a folder's tokenizer.
//!
//! A class does not take a tokenizer.json as it stands: BERT's, RoBERTa's, XLM-RoBERTa's and
//! MPNet's take the vocabulary out of it and build the rest anew, from tokenizer_config.json
//! and their own defaults. Only PreTrainedTokenizerFast, TokenizersBackend by its new name,
//! keeps the file's parts.

use std::collections::BTreeMap;

use encoders_models::{Result, config_error};
use serde_json::{Value, json};
use tokenizers::{PostProcessorWrapper, Tokenizer};

use super::settings::switch;
use crate::files::{Part, shown};

/// The kinds of special tokens, in the order in which Transformers adds them.
pub(super) const KINDS: [&str; 7] = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"];
pub(super) const SETTINGS: &str = "tokenizer_config.json";

/// The special tokens by their kind.
pub(super) type Names = BTreeMap<&'static str, String>;

/// How a class of Transformers opens a folder.
#[derive(Debug)]
pub(super) struct Class {
    pub name: &'static str,
    /// The special tokens where no settings name them.
    pub names: &'static [(&'static str, &'static str)],
    pub build: Build,
    /// What stands about a text.
    pub frame: Frame,
    /// Whether a model is given the types of tokens, unless the settings say.
    pub token_types: bool,
    /// Whether a mask takes the space before it along.
    pub mask_takes_space: bool,
    /// Special tokens of no kind, unless the settings say.
    pub unnamed: &'static [&'static str],
}

/// The tokenizer but for its vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Build {
    AsItStands,
    WordPieces,
    BytePieces,
    SentencePieces,
}

/// What is put about a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
    AsItStands,
    Bert,
    Roberta,
    MPNet,
    SentencePiece,
}

const BERT_NAMES: &[(&str, &str)] = &[
    ("unk", "[UNK]"),
    ("sep", "[SEP]"),
    ("pad", "[PAD]"),
    ("cls", "[CLS]"),
    ("mask", "[MASK]"),
];
const ROBERTA_NAMES: &[(&str, &str)] = &[
    ("bos", "<s>"),
    ("eos", "</s>"),
    ("unk", "<unk>"),
    ("sep", "</s>"),
    ("pad", "<pad>"),
    ("cls", "<s>"),
    ("mask", "<mask>"),
];
const MPNET_NAMES: &[(&str, &str)] = &[
    ("bos", "<s>"),
    ("eos", "</s>"),
    ("unk", "[UNK]"),
    ("sep", "</s>"),
    ("pad", "<pad>"),
    ("cls", "<s>"),
    ("mask", "<mask>"),
];

const AS_IT_STANDS: Class = Class {
    name: "PreTrainedTokenizerFast",
    names: &[],
    build: Build::AsItStands,
    frame: Frame::AsItStands,
    token_types: false,
    mask_takes_space: false,
    unnamed: &[],
};
const BERT: Class = Class {
    name: "BertTokenizer",
    names: BERT_NAMES,
    build: Build::WordPieces,
    frame: Frame::Bert,
    token_types: true,
    ..AS_IT_STANDS
};
const ROBERTA: Class = Class {
    name: "RobertaTokenizer",
    names: ROBERTA_NAMES,
    build: Build::BytePieces,
    frame: Frame::Roberta,
    ..AS_IT_STANDS
};
const XLM_ROBERTA: Class = Class {
    name: "XLMRobertaTokenizer",
    build: Build::SentencePieces,
    frame: Frame::SentencePiece,
    ..ROBERTA
};

static CLASSES: [Class; 9] = [
    BERT,
    Class { name: "ElectraTokenizer", ..BERT },
    Class { name: "DistilBertTokenizer", token_types: false, ..BERT },
    Class {
        name: "MPNetTokenizer",
        names: MPNET_NAMES,
        frame: Frame::MPNet,
        token_types: false,
        mask_takes_space: true,
        ..BERT
    },
    ROBERTA,
    XLM_ROBERTA,
    Class {
        name: "CamembertTokenizer",
        unnamed: &["<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"],
        ..XLM_ROBERTA
    },
    AS_IT_STANDS,
    Class { name: "TokenizersBackend", ..AS_IT_STANDS },
];

/// The class that opens a folder: the one that its settings name, else the model's usual one.
/// Where the usual one takes the file as it stands, Transformers lets no settings change that.
pub(super) fn class_for(named: Option<&Value>, usual: &str) -> Result<&'static Class> {
    let named = match named {
        _ if usual == AS_IT_STANDS.name => usual,
        None | Some(Value::Null) => usual,
        Some(Value::String(name)) => name,
        Some(other) => {
            return Err(config_error!(
                "{SETTINGS}: tokenizer_class is {}; it must be a string",
                shown(other)
            ));
        }
    };
    let plain = |name: &str| name.strip_suffix("Fast").unwrap_or(name).to_string();
    let found = CLASSES.iter().find(|class| plain(class.name) == plain(named));
    found.ok_or_else(|| {
        config_error!(
            "{SETTINGS}: the tokenizer class is {named:.80}, which builds a tokenizer in a way \
             of its own that is not implemented; supported: {}. With PreTrainedTokenizerFast a \
             tokenizer.json is taken as it stands",
            CLASSES.iter().map(|class| class.name).collect::<Vec<_>>().join(", ")
        )
    })
}

impl Class {
    /// Which kinds of special tokens stand before and behind a text.
    pub fn ends(&self) -> [&'static str; 2] {
        match self.frame {
            Frame::SentencePiece => ["bos", "eos"],
            _ => ["cls", "sep"],
        }
    }

    /// The parts that are built anew, from the settings, the names of the special tokens and
    /// the file's model; None: the file's own.
    pub fn parts(&self, settings: &Part, names: &Names, model: &Part) -> Result<Option<Value>> {
        let flag = |key, default| -> Result<bool> {
            Ok(switch(settings, key, SETTINGS.as_ref())?.unwrap_or(default))
        };
        Ok(Some(match self.build {
            Build::AsItStands => return Ok(None),
            Build::WordPieces => json!({
                "normalizer": {
                    "type": "BertNormalizer",
                    "clean_text": true,
                    "handle_chinese_chars": flag("tokenize_chinese_chars", true)?,
                    "strip_accents": switch(settings, "strip_accents", SETTINGS.as_ref())?,
                    "lowercase": flag("do_lower_case", true)?,
                },
                "pre_tokenizer": {"type": "BertPreTokenizer"},
                "model": {
                    "type": "WordPiece",
                    "unk_token": names["unk"],
                    "continuing_subword_prefix": "##",
                    "max_input_chars_per_word": 100,
                },
            }),
            Build::BytePieces => json!({
                "normalizer": null,
                "pre_tokenizer": {
                    "type": "ByteLevel",
                    "add_prefix_space": flag("add_prefix_space", false)?,
                    "trim_offsets": true,
                    "use_regex": true,
                },
                "model": {
                    "type": "BPE",
                    "dropout": null,
                    "continuing_subword_prefix": "",
                    "end_of_word_suffix": "",
                    "fuse_unk": false,
                    "byte_fallback": false,
                    "ignore_merges": false,
                },
            }),
            Build::SentencePieces => json!({
                "normalizer": {"type": "Precompiled"}, // the file's, if it has one
                "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                    {"type": "WhitespaceSplit"},
                    {
                        "type": "Metaspace",
                        "replacement": "▁",
                        "prepend_scheme":
                            if flag("add_prefix_space", true)? { "always" } else { "never" },
                        "split": true,
                    },
                ]},
                "model": {
                    "type": "Unigram",
                    "unk_id": self.unknown_piece(names, model),
                    "byte_fallback": false,
                },
            }),
        }))
    }

    fn unknown_piece(&self, names: &Names, model: &Part) -> usize {
        if self.unnamed.is_empty() {
            return 3;
        }
        let pieces = model.get("vocab").and_then(Value::as_array).into_iter().flatten();
        pieces.into_iter().position(|piece| piece[0] == names["unk"].as_str()).unwrap_or(0)
    }

    /// What is put about a text, once all tokens have their ids; None: what the file says.
    pub fn post_processor(
        &self,
        tokenizer: &Tokenizer,
        names: &Names,
        settings: &Part,
    ) -> Result<Option<PostProcessorWrapper>> {
        if self.frame == Frame::AsItStands {
            return Ok(None);
        }
        let [first, last] = self.ends().map(|kind| names[kind].as_str());
        let id = |token: &str| tokenizer.token_to_id(token).unwrap_or_default();
        let flag = |key: &str, default: bool| -> Result<bool> {
            match self.frame {
                Frame::MPNet => Ok(default),
                _ => Ok(switch(settings, key, SETTINGS.as_ref())?.unwrap_or(default)),
            }
        };
        let special =
            |token: &str, of: u32| json!({"SpecialToken": {"id": token, "type_id": of}});
        let text = |name: &str, of: u32| json!({"Sequence": {"id": name, "type_id": of}});
        let whole = |token: &str| json!({"id": token, "ids": [id(token)], "tokens": [token]});
        let single = [special(first, 0), text("A", 0), special(last, 0)];
        let mut pair = single.to_vec();
        let made = match self.frame {
            Frame::Roberta | Frame::MPNet => json!({
                "type": "RobertaProcessing",
                "sep": [last, id(last)],
                "cls": [first, id(first)],
                "trim_offsets": flag("trim_offsets", true)?,
                "add_prefix_space": flag("add_prefix_space", false)?,
            }),
            frame => {
                let of = match frame {
                    Frame::Bert => 1,
                    _ => {
                        pair.push(special(last, 0));
                        0
                    }
                };
                pair.extend([text("B", of), special(last, of)]);
                json!({
                    "type": "TemplateProcessing",
                    "single": single,
                    "pair": pair,
                    "special_tokens": {first: whole(first), last: whole(last)},
                })
            }
        };
        let made = serde_json::from_value(made)
            .map_err(|problem| config_error!("{SETTINGS}: no frame can be made: {problem}"));
        Ok(Some(made?))
    }
}
