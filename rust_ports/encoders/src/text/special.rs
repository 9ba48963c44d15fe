//! The special tokens by what they are for; and tokens as text.

use std::collections::BTreeMap;

use encoders_models::Result;
use tokenizers::ModelWrapper;

use super::classes::{Names, SETTINGS};
use super::guard::guarded;
use super::settings::switch;
use super::{Tokenizer, spelling};
use crate::files::Part;

/// What they are called where neither settings nor a class name them: by BERT, and by RoBERTa.
const USUAL_NAMES: [(&str, [&str; 2]); 5] = [
    ("cls", ["[CLS]", "<s>"]),
    ("sep", ["[SEP]", "</s>"]),
    ("pad", ["[PAD]", "<pad>"]),
    ("unk", ["[UNK]", "<unk>"]),
    ("mask", ["[MASK]", "<mask>"]),
];
/// What Transformers takes back of the spaces that decoding puts between tokens, in this order.
const TIDIED: [(&str, &str); 10] = [
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
];

/// Their ids by kind; one that the model has no row for is none.
pub(super) fn special_ids(
    tokenizer: &tokenizers::Tokenizer,
    names: &Names,
    vocab_size: usize,
) -> BTreeMap<&'static str, u32> {
    let ids = USUAL_NAMES.iter().filter_map(|(kind, usual)| {
        let named = names.get(kind).map(String::as_str);
        let given = named.into_iter().chain(usual.iter().copied().filter(|_| named.is_none()));
        let mut found = given.filter_map(|name| tokenizer.token_to_id(name));
        Some((*kind, found.find(|id| (*id as usize) < vocab_size)?))
    });
    ids.collect()
}

/// Whether decoding takes back the spaces before punctuation; of byte-level pieces Transformers
/// does not, for they say where there was one.
pub(super) fn tidies(tokenizer: &tokenizers::Tokenizer, settings: &Part) -> Result<bool> {
    let asked = |key| switch(settings, key, SETTINGS.as_ref()).map(Option::unwrap_or_default);
    let always = "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output";
    let byte_level = matches!(tokenizer.get_model(), ModelWrapper::BPE(_));
    Ok(asked("clean_up_tokenization_spaces")? && (!byte_level || asked(always)?))
}

impl Tokenizer {
    /// How many tokens of a text the model is given, its special tokens included.
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// The mask as it is written in a text, if there is one.
    pub fn mask_token(&self) -> Option<String> {
        self.piece(self.mask_token_id()?)
    }

    /// The id of the mask.
    pub fn mask_token_id(&self) -> Option<u32> {
        self.kinds.get("mask").copied()
    }

    /// The id of what stands for a word that the vocabulary lacks.
    pub fn unk_token_id(&self) -> Option<u32> {
        self.kinds.get("unk").copied()
    }

    /// The token as the vocabulary writes it.
    pub fn piece(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The text that an id stands for.
    pub fn decode(&self, id: u32) -> Result<String> {
        let text = guarded(super::unusable, || self.inner.decode(&[id], false))?;
        let tidied = TIDIED.iter().filter(|_| self.tidies);
        Ok(tidied.fold(text, |text, (spaced, tidy)| text.replace(spaced, tidy)))
    }

    /// Whether the space before a word is part of its first piece, as it is of a byte-level or
    /// a SentencePiece vocabulary; WordPiece marks the pieces after the first.
    pub(crate) fn marks_spaces(&self) -> bool {
        matches!(self.inner.get_model(), ModelWrapper::BPE(_) | ModelWrapper::Unigram(_))
    }

    /// Whether what stands right after this text is spelled as the beginning of a word.
    pub(crate) fn begins_word(&self, before: &str) -> Result<bool> {
        guarded(super::unusable, || spelling::begins_word(&self.inner, before))
    }

    /// The ids of a text after a space, or right after a letter; no special tokens.
    pub(crate) fn spelled(&self, text: &str, begins_word: bool) -> Result<Vec<u32>> {
        guarded(super::unusable, || spelling::spelled(&self.inner, text, begins_word))
    }
}
