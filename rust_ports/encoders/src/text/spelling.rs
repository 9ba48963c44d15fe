//! How a word is spelled inside a text. With byte-level and SentencePiece vocabularies the
//! space before a word is part of its first piece; with WordPiece it is the pieces after the
//! first that have a sign.

use tokenizers::models::wordpiece::WordPiece;
use tokenizers::{
    Model, ModelWrapper, NormalizedString, Normalizer, OffsetReferential, OffsetType,
    PreTokenizedString, PreTokenizer, Result, Tokenizer,
};

/// How pieces write a space, a line's end, a tab.
pub(crate) const BLANKS: [char; 5] = ['Ġ', '▁', 'Ċ', 'ĉ', 'č'];
/// How pieces write the space that a word begins with.
pub(crate) const SPACES: [char; 2] = ['Ġ', '▁'];

/// White space as Python has it: the signs that part a file's records too.
pub(crate) fn is_space(letter: char) -> bool {
    letter.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&letter)
}

/// The ids of a text after a space, or right after a letter.
pub(super) fn spelled(
    tokenizer: &Tokenizer,
    text: &str,
    begins_word: bool,
) -> Result<Vec<u32>> {
    if let Some(id) = continuation(tokenizer, text) {
        return Ok(vec![id]);
    }
    let after_space = ids(tokenizer, &format!(" {text}"))?;
    if begins_word {
        return Ok(after_space);
    }
    let bare = ids(tokenizer, text)?;
    if bare == after_space { continued(tokenizer, text) } else { Ok(bare) }
}

/// Whether what stands right after this text is spelled as the beginning of a word.
pub(super) fn begins_word(tokenizer: &Tokenizer, before: &str) -> Result<bool> {
    let marks_inside = word_pieces(tokenizer).is_some();
    match before.chars().next_back() {
        Some(last) if is_space(last) => Ok(true),
        None => Ok(marks_inside || ids(tokenizer, "a")? == ids(tokenizer, " a")?),
        Some(last) => Ok(marks_inside && words(tokenizer, &format!("{last}x"))?.len() > 1),
    }
}

/// The model, if pieces inside a word have the sign, and not those that follow a space.
fn word_pieces(tokenizer: &Tokenizer) -> Option<&WordPiece> {
    match tokenizer.get_model() {
        ModelWrapper::WordPiece(model) => Some(model),
        _ => None,
    }
}

/// The id of a WordPiece that is written as the vocabulary has it, ##ing for one.
fn continuation(tokenizer: &Tokenizer, text: &str) -> Option<u32> {
    let model = word_pieces(tokenizer)?;
    text.starts_with(&model.continuing_subword_prefix).then(|| tokenizer.token_to_id(text))?
}

fn ids(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>> {
    Ok(tokenizer.encode(text, false)?.get_ids().to_vec())
}

fn words(tokenizer: &Tokenizer, text: &str) -> Result<Vec<String>> {
    let mut normalized = NormalizedString::from(text);
    if let Some(normalizer) = tokenizer.get_normalizer() {
        normalizer.normalize(&mut normalized)?;
    }
    let Some(splitter) = tokenizer.get_pre_tokenizer() else {
        return Ok(vec![normalized.get().to_string()]);
    };
    let mut split = PreTokenizedString::from(normalized.get());
    splitter.pre_tokenize(&mut split)?;
    let words = split.get_splits(OffsetReferential::Original, OffsetType::Byte);
    Ok(words.into_iter().map(|(word, _, _)| word.to_string()).collect())
}

/// The ids of a text whose first word goes on with the one before it, which this tokenizer
/// itself never makes of a text alone.
fn continued(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>> {
    let words = words(tokenizer, text)?;
    let first = words.first().map_or("", String::as_str);
    let mut made = match word_pieces(tokenizer) {
        Some(model) => inside(tokenizer, model, first),
        None => tokenized(tokenizer, first.trim_start_matches(SPACES))?,
    };
    for word in words.iter().skip(1) {
        made.extend(tokenized(tokenizer, word)?);
    }
    Ok(made)
}

fn tokenized(tokenizer: &Tokenizer, word: &str) -> Result<Vec<u32>> {
    let tokens = tokenizer.get_model().tokenize(word)?;
    Ok(tokens.into_iter().map(|token| token.id).collect())
}

/// WordPiece's longest match first, as for the end of a longer word.
fn inside(tokenizer: &Tokenizer, model: &WordPiece, mut word: &str) -> Vec<u32> {
    let mut made = Vec::new();
    while !word.is_empty() {
        let ends = (1..=word.len()).rev().filter(|end| word.is_char_boundary(*end));
        let mut found = ends.filter_map(|end| {
            let piece = format!("{}{}", model.continuing_subword_prefix, &word[..end]);
            Some((end, tokenizer.token_to_id(&piece)?))
        });
        let Some((end, id)) = found.next() else {
            return tokenizer.token_to_id(&model.unk_token).into_iter().collect();
        };
        made.push(id);
        word = &word[end..];
    }
    made
}
