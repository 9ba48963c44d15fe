//! What becomes of a text: its tokens, and where each of them comes from. Texts are encoded
//! whole and cut afterwards, so that whoever needs more than a model takes has it.

use candle_core::{Device, Tensor};
use encoders_models::{Result, checkpoint_error, input_error};
use tokenizers::{EncodeInput, TruncationDirection};

use super::Tokenizer;
use super::guard::guarded;

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

/// A token, and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub id: u32,
    /// As the model is given it.
    pub type_id: u32,
    /// The first byte and the one after the last, in the text that it belongs to; always
    /// between two characters.
    pub start: usize,
    pub end: usize,
    /// The number of its word, as the tokenizer splits that text.
    pub word: Option<u32>,
    /// 0 for the text, 1 for the second of a pair, None for a token that the tokenizer adds.
    pub text: Option<usize>,
    /// Whether the tokenizer has added it.
    pub special: bool,
}

/// The tokens of a text, or of a pair of texts, special tokens included.
#[derive(Debug, Clone)]
pub(crate) struct Encoding {
    pub tokens: Vec<Token>,
    /// How many were cut away, of both texts of a pair together.
    pub cut: usize,
}

/// A text, or the two of a pair.
pub(crate) type Given<'a> = (&'a str, Option<&'a str>);

impl Encoding {
    fn of(whole: &tokenizers::Encoding, texts: &Given, typed: bool) -> Self {
        let sequences = whole.get_sequence_ids();
        let tokens = (0..whole.len()).map(|place| {
            let text = sequences[place];
            let inside = if text == Some(1) { texts.1.unwrap_or_default() } else { texts.0 };
            let (start, end) = whole.get_offsets()[place];
            let (start, end) = between_characters(inside, start, end);
            Token {
                id: whole.get_ids()[place],
                type_id: if typed { whole.get_type_ids()[place] } else { 0 },
                start,
                end,
                word: whole.get_word_ids()[place],
                text,
                special: whole.get_special_tokens_mask()[place] != 0,
            }
        });
        Self { tokens: tokens.collect(), cut: 0 }
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The positions of the tokens of that id.
    pub fn places(&self, id: u32) -> Vec<usize> {
        let places = (0..self.len()).filter(|place| self.tokens[*place].id == id);
        places.collect()
    }

    /// The first `max_length` tokens, or the last: special tokens stay, and of a pair the
    /// longer text is cut first. `max_length` has room for the special tokens.
    fn cut_to(mut self, max_length: usize, side: TruncationDirection) -> Self {
        let whole = self.len();
        if whole > max_length {
            let kept = kept_tokens(&self.tokens, max_length, side);
            let mut number = 0..;
            self.tokens.retain(|_| kept[number.next().unwrap_or_default()]);
            self.cut += whole - self.len();
        }
        self
    }
}

impl Tokenizer {
    /// The ids of each text, special tokens included, without padding.
    pub fn ids<S: AsRef<str>>(&self, texts: &[S]) -> Result<Vec<Vec<i64>>> {
        if self.characters.is_some() {
            let given: Vec<Given> = texts.iter().map(|text| (text.as_ref(), None)).collect();
            let encodings = self.encodings(&given, "texts", 0)?;
            let ids = |encoding: &Encoding| {
                encoding.tokens.iter().map(|token| i64::from(token.id)).collect()
            };
            return Ok(encodings.iter().map(ids).collect());
        }
        let whole = texts.iter().map(AsRef::as_ref).collect();
        let encodings =
            guarded(super::unusable, || self.inner.encode_batch_fast::<&str>(whole, true))?;
        let ids = encodings.iter().zip(texts).enumerate().map(|(text, (whole, given))| {
            if whole.is_empty() {
                return Err(input_error!("text {text} has no token at all"));
            }
            if whole.len() <= self.max_length {
                return Ok(whole.get_ids().iter().map(|id| i64::from(*id)).collect());
            }
            let whole = Encoding::of(whole, &(given.as_ref(), None), self.typed);
            let cut = self.cut(whole).map_err(|error| error.at(format!("text {text}")))?;
            Ok(cut.tokens.iter().map(|token| i64::from(token.id)).collect())
        });
        ids.collect()
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
        let given: Vec<Given> = texts.iter().map(|text| (text.as_ref(), None)).collect();
        let encodings = self.encodings(&given, "texts", 0)?;
        let width = encodings.iter().map(Encoding::len).max().unwrap_or_default();
        let table = |column: fn(&Token) -> u32, fill: u32| {
            let rows = encodings.iter().map(|encoding| {
                let real = encoding.tokens.iter().map(column);
                let padding = std::iter::repeat(fill);
                real.chain(padding).take(width).map(i64::from).collect::<Vec<_>>()
            });
            Tensor::new(rows.collect::<Vec<_>>(), device)
        };
        Ok(Encoded {
            input_ids: table(|token| token.id, pad.0)?,
            attention_mask: table(|_| 1, 0)?,
            token_type_ids: table(|token| token.type_id, 0)?,
        })
    }

    /// Each text, or each pair, cut where the model's texts end. Errors call them `name` and
    /// count them from `first`.
    pub(crate) fn encodings(
        &self,
        given: &[Given],
        name: &str,
        first: usize,
    ) -> Result<Vec<Encoding>> {
        let whole = self.whole(given, name, first)?;
        let numbered = whole.into_iter().enumerate();
        let cut = numbered.map(|(number, whole)| {
            let at = || format!("{name}[{}]", first + number);
            self.cut(whole).map_err(|error| error.at(at()))
        });
        cut.collect()
    }

    /// What was encoded whole, cut where the model's texts end, if it is to be cut at all.
    pub(crate) fn cut(&self, whole: Encoding) -> Result<Encoding> {
        if !self.truncates && whole.len() > self.max_length {
            return Err(input_error!(
                "there are {} tokens more than the {} that this model takes; shorten the text, \
                 or let it be cut: set the tokenizer's `truncates`",
                whole.len() - self.max_length,
                self.max_length
            ));
        }
        Ok(whole.cut_to(self.max_length, self.side))
    }

    /// The same, however long they are.
    pub(crate) fn whole(
        &self,
        given: &[Given],
        name: &str,
        first: usize,
    ) -> Result<Vec<Encoding>> {
        let found = self.tokenized(given)?;
        for (number, encoding) in found.iter().enumerate() {
            let largest = encoding.tokens.iter().map(|token| token.id as usize).max();
            let name = format!("{name}[{}]", first + number);
            match largest {
                Some(id) if id < self.vocab_size => {}
                Some(id) => {
                    return Err(checkpoint_error!(
                        "{name} has the id {id}, but the model's vocab_size is {}: tokenizer \
                         and model do not belong together",
                        self.vocab_size
                    ));
                }
                None => {
                    return Err(input_error!(
                        "{name} has no tokens: this tokenizer adds no special ones"
                    ));
                }
            }
        }
        Ok(found)
    }
}

impl Tokenizer {
    fn tokenized(&self, given: &[Given]) -> Result<Vec<Encoding>> {
        if let Some(characters) = &self.characters {
            return given.iter().map(|given| characters.encoding(given)).collect();
        }
        let inputs: Vec<EncodeInput> = given
            .iter()
            .map(|(text, pair)| match pair {
                None => (*text).into(),
                Some(pair) => (*text, *pair).into(),
            })
            .collect();
        guarded(super::unusable, || {
            let found = self.inner.encode_batch(inputs, true)?;
            let pairs = found.iter().zip(given);
            Ok(pairs.map(|(whole, texts)| Encoding::of(whole, texts, self.typed)).collect())
        })
    }
}

/// Which tokens stay when there are to be `max_length` of them.
fn kept_tokens(tokens: &[Token], max_length: usize, side: TruncationDirection) -> Vec<bool> {
    let of = |text| tokens.iter().filter(|token| token.text == text).count();
    let (special, first, second) = (of(None), of(Some(0)), of(Some(1)));
    let room = max_length.saturating_sub(special);
    let lengths = kept_lengths(first, second, room);
    let mut seen = [0, 0];
    let kept = tokens.iter().map(|token| {
        let Some(text) = token.text else { return true };
        seen[text] += 1;
        match side {
            TruncationDirection::Right => seen[text] <= lengths[text],
            TruncationDirection::Left => seen[text] > [first, second][text] - lengths[text],
        }
    });
    kept.collect()
}

/// How many tokens of each text stay: the longer one is cut first, and if both must be, each
/// gets half.
///
/// This is truncate_encodings of the tokenizers library: of an odd room the longer text gets
/// the larger half, and the second one if they are alike.
fn kept_lengths(first: usize, second: usize, room: usize) -> [usize; 2] {
    if first + second <= room {
        return [first, second];
    }
    let shorter = first.min(second).min(room / 2);
    let longer = room - shorter;
    if first > second { [longer, shorter] } else { [shorter, longer] }
}

/// Byte-level pieces may begin inside a character.
fn between_characters(text: &str, start: usize, end: usize) -> (usize, usize) {
    let is_border = |place: &usize| text.is_char_boundary(*place);
    let start = (0..=start.min(text.len())).rev().find(is_border).unwrap_or_default();
    let end = (end.min(text.len())..=text.len()).find(is_border).unwrap_or(text.len());
    (start, end.max(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_pair_the_longer_text_is_cut_first() {
        for (lengths, room, kept) in [
            ((3, 4), 9, [3, 4]),
            ((9, 2), 6, [4, 2]),
            ((2, 9), 6, [2, 4]),
            ((9, 8), 7, [4, 3]),
            ((8, 8), 7, [3, 4]),
            ((5, 0), 3, [3, 0]),
        ] {
            assert_eq!(kept_lengths(lengths.0, lengths.1, room), kept, "{lengths:?} {room}");
        }
    }

    #[test]
    fn places_lie_between_characters() {
        assert_eq!(between_characters("aé中", 2, 4), (1, 6));
        assert_eq!(between_characters("aé中", 1, 3), (1, 3));
        assert_eq!(between_characters("aé", 9, 9), (3, 3));
    }
}
