//! Where the masks of a text are, which spelling fits there, and the text with words in their
//! places.

use encoders_models::{Result, checkpoint_error, input_error};
use serde_json::json;

use crate::files::shown;
use crate::text::{BLANKS, Encoding, SPACES, Tokenizer, is_space};

/// A mask of a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mask {
    /// Among the tokens.
    pub place: usize,
    /// Its bytes.
    pub start: usize,
    pub end: usize,
    /// Whether what fills it is spelled as after a space.
    pub begins_word: bool,
}

/// What may stand at a mask.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    /// As a reader sees it: without a space before it; ##ing goes on with a word.
    pub shown: String,
    /// Without the ##.
    pub inside: String,
    pub begins_word: bool,
}

/// A text, its tokens, and the masks in it.
pub(crate) struct Masked<'a> {
    /// In errors.
    pub name: String,
    pub text: &'a str,
    pub encoding: Encoding,
    pub masks: Vec<Mask>,
}

/// The id of the mask, without which there is nothing to fill.
pub(crate) fn mask_id(tokenizer: &Tokenizer, folder: &std::path::Path) -> Result<u32> {
    tokenizer.mask_token_id().ok_or_else(|| {
        checkpoint_error!(
            "{}: this tokenizer has no mask token, so there is nothing to fill",
            folder.display()
        )
    })
}

/// A text with its masks: at least one, and none of them cut away.
pub(crate) fn find_masks<'a>(
    name: String,
    text: &'a str,
    whole: Encoding,
    tokenizer: &Tokenizer,
    mask: u32,
) -> Result<Masked<'a>> {
    let all = whole.places(mask).len();
    let encoding = tokenizer.cut(whole).map_err(|error| error.at(&name))?;
    let seen = encoding.places(mask).len();
    let written = tokenizer.mask_token().unwrap_or_default();
    if all == 0 {
        return Err(input_error!(
            "{name}, {}, has no mask; this tokenizer writes it {written}",
            shown(&json!(text))
        ));
    }
    if seen < all {
        return Err(input_error!(
            "{name} has {all} times {written}, {} of them beyond the {} tokens that this model \
             takes; shorten the text",
            all - seen,
            tokenizer.max_length()
        ));
    }
    let masks = masks_of(text, &encoding, tokenizer, mask)?;
    Ok(Masked { name, text, encoding, masks })
}

/// The masks among the tokens, in their order.
fn masks_of(
    text: &str,
    encoding: &Encoding,
    tokenizer: &Tokenizer,
    mask: u32,
) -> Result<Vec<Mask>> {
    let mut masks: Vec<Mask> = Vec::new();
    for place in encoding.places(mask) {
        let token = encoding.tokens[place];
        // With the space before it, which some masks take along.
        let found = &text[token.start..token.end];
        let start = token.end - found.trim_start_matches(is_space).len();
        let end = token.start + found.trim_end_matches(is_space).len();
        let joined = masks.last().is_some_and(|last| last.end == start);
        // A mask stands for letters.
        let before = if joined { "a" } else { &text[..start] };
        let before_it = place.checked_sub(1).map(|place| encoding.tokens[place].id);
        // The space before it may be a token already, and no part of what fills it.
        let blank = before_it
            .and_then(|id| tokenizer.piece(id))
            .is_some_and(|piece| piece.ends_with(BLANKS));
        let begins_word = tokenizer.begins_word(before)? && !blank;
        masks.push(Mask { place, start, end, begins_word });
    }
    Ok(masks)
}

/// The token of that id.
pub(crate) fn word_of(id: u32, tokenizer: &Tokenizer) -> Result<Word> {
    let piece = tokenizer.piece(id).unwrap_or_default();
    if tokenizer.marks_spaces() {
        let text = tokenizer.decode(id)?;
        let shown = text.strip_prefix(' ').unwrap_or(&text).to_string();
        let begins_word = piece.starts_with(SPACES);
        return Ok(Word { inside: shown.clone(), shown, begins_word });
    }
    let inside = piece.strip_prefix("##").unwrap_or(&piece).to_string();
    Ok(Word { begins_word: inside == piece, shown: piece, inside })
}

/// The text with a word in the place of that mask; the others stay.
pub(crate) fn with_word(text: &str, mask: &Mask, word: &Word) -> String {
    let before = &text[..mask.start];
    let (before, space) = match (word.begins_word, mask.begins_word) {
        (false, true) => (before.trim_end_matches(is_space), ""),
        (false, false) => (before, ""),
        (true, begins) => (before, if begins || before.is_empty() { "" } else { " " }),
    };
    format!("{before}{space}{}{}", word.inside, &text[mask.end..])
}
