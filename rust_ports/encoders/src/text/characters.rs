//! Texts as characters: one id each, so that a misspelt word is still nearly the word. A
//! character is a code point of Unicode, and lengths count them, not bytes.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use encoders_models::config::Limits;
use encoders_models::{Result, checkpoint_error, input_error};
use serde_json::{Value, json};

use super::encoding::{Encoding, Given, Token};
use super::spelling::is_space;
use crate::files::{is_there, read_object, shown};

/// What a family whose texts are read so names in the place of a tokenizer's class.
pub(super) const CLASS: &str = "CharacterVocabulary";
/// Of a model's folder; beside other things it says what is read here.
const FILE: &str = "characters.json";
const SPECIAL: [&str; 3] = ["[PAD]", "[UNK]", "[MASK]"];
const KINDS: [&str; 3] = ["pad", "unk", "mask"];
const UNKNOWN: u32 = 1;
/// The id of the first character; no text can name one before it.
const FIRST: u32 = SPECIAL.len() as u32;
/// So many code points there are in Unicode.
const CODE_POINTS: usize = 0x11_0000;

/// The ids of characters.
#[derive(Debug, Clone)]
pub(super) struct Characters {
    /// Of those that have one; None: every code point has one, its number in Unicode.
    ids: Option<HashMap<char, u32>>,
    /// So many of a text are read.
    pub longest: usize,
}

impl Characters {
    /// Reads `folder`/characters.json.
    pub fn read(folder: &Path, limits: &Limits) -> Result<Self> {
        let path = folder.join(FILE);
        let name = path.display();
        if !is_there(&path) {
            return Err(checkpoint_error!(
                "{} does not say which characters there are: no {FILE}",
                folder.display()
            ));
        }
        let content = read_object(&path)?;
        let listed = content.get("characters").unwrap_or(&Value::Null);
        let ids = match (content.get("kind").and_then(Value::as_str), listed) {
            (Some("hashed"), Value::Null) => None,
            (Some("listed"), Value::String(text)) if !text.is_empty() => {
                let ids: HashMap<char, u32> = text.chars().zip(FIRST..).collect();
                if ids.len() < text.chars().count() {
                    return Err(checkpoint_error!(
                        "{name}: a character has two ids; each may be listed once"
                    ));
                }
                Some(ids)
            }
            (Some("hashed" | "listed"), other) => {
                return Err(checkpoint_error!(
                    "{name}: characters is {}; it must be null where they are hashed, and a \
                     string of those that have an id where they are listed",
                    shown(other)
                ));
            }
            _ => {
                return Err(checkpoint_error!(
                    "{name}: kind is {}; it is one of listed, hashed",
                    shown(content.get("kind").unwrap_or(&Value::Null))
                ));
            }
        };
        let longest = content.get("max_example_len").and_then(Value::as_u64).unwrap_or(0);
        let found = Self { ids, longest: (longest as usize).min(limits.max_tokens) };
        if found.longest == 0 {
            return Err(checkpoint_error!(
                "{name}: max_example_len is {}; it must be a whole number of at least 1",
                shown(content.get("max_example_len").unwrap_or(&Value::Null))
            ));
        }
        match found.count() > limits.vocab_size {
            true => Err(checkpoint_error!(
                "{name} has {} ids, but the model's vocab_size is {}: they do not belong \
                 together",
                found.count(),
                limits.vocab_size
            )),
            false => Ok(found),
        }
    }

    /// One more than the last id.
    fn count(&self) -> usize {
        SPECIAL.len() + self.ids.as_ref().map_or(CODE_POINTS, HashMap::len)
    }

    /// The special ids by their kind.
    pub fn kinds() -> BTreeMap<&'static str, u32> {
        KINDS.into_iter().zip(0..).collect()
    }

    /// What looks ids up by their text for whoever asks for pieces.
    pub fn table(&self) -> Result<tokenizers::Tokenizer> {
        let listed =
            self.ids.iter().flatten().map(|(character, id)| (character.to_string(), *id));
        let special = SPECIAL.iter().map(|text| (*text).to_string()).zip(0u32..);
        let vocab: BTreeMap<String, u32> = special.chain(listed).collect();
        let model = json!({"type": "WordLevel", "vocab": vocab, "unk_token": SPECIAL[1]});
        let content = json!({"version": "1.0", "added_tokens": [], "model": model});
        tokenizers::Tokenizer::from_bytes(content.to_string())
            .map_err(|problem| checkpoint_error!("{FILE} cannot be used: {problem}"))
    }

    /// A text as a model is given it, however long.
    pub fn encoding(&self, given: &Given) -> Result<Encoding> {
        if given.1.is_some() {
            return Err(input_error!(
                "a model of characters reads one text at a time, and no pairs: nothing says \
                 where the second begins"
            ));
        }
        let (mut word, mut before) = (0, None);
        let tokens = given.0.char_indices().map(|(start, character)| {
            let blank = is_space(character);
            word += u32::from(before.is_some_and(|before| before != blank));
            before = Some(blank);
            Token {
                id: self.id(character),
                type_id: 0,
                start,
                end: start + character.len_utf8(),
                word: Some(word),
                text: Some(0),
                special: false,
            }
        });
        Ok(Encoding { tokens: tokens.collect(), cut: 0 })
    }

    fn id(&self, character: char) -> u32 {
        match &self.ids {
            None => u32::from(character) + FIRST,
            Some(ids) => ids.get(&character).copied().unwrap_or(UNKNOWN),
        }
    }
}
