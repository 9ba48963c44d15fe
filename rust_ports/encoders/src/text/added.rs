//! The tokens that a folder's settings add to a vocabulary, special ones above all, as
//! Transformers adds them: what the vocabulary has keeps its id, and others get the next.

use std::collections::BTreeSet;
use std::path::Path;

use encoders_models::{Result, checkpoint_error, config_error};
use serde_json::Value;
use tokenizers::{AddedToken, Tokenizer};

use super::classes::{Class, KINDS, Names, SETTINGS};
use super::settings::switch;
use crate::files::{Part, shown};

/// A token and the id that it is listed with.
type Listed = (u32, Token);

/// An added token of which the file may not say whether it is normalized: a special one is not.
struct Token {
    content: String,
    special: bool,
    normalized: Option<bool>,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
}

impl Token {
    /// A special token.
    fn special(content: &str) -> Self {
        Self {
            content: content.to_string(),
            special: true,
            normalized: None,
            single_word: false,
            lstrip: false,
            rstrip: false,
        }
    }

    /// A token that stands in the settings as a string, or with its properties.
    fn read(value: &Value, key: &str) -> Result<Self> {
        let mut token = Self::special(content(value, key)?);
        let Some(properties) = value.as_object() else {
            return Ok(token);
        };
        let flag = |name: &str| switch(properties, name, SETTINGS.as_ref());
        token.special = flag("special")?.unwrap_or(false);
        token.normalized = flag("normalized")?;
        token.single_word = flag("single_word")?.unwrap_or(false);
        token.lstrip = flag("lstrip")?.unwrap_or(false);
        token.rstrip = flag("rstrip")?.unwrap_or(false);
        Ok(token)
    }

    fn into_added(self, names: &Names) -> AddedToken {
        let special = self.special || names.values().any(|name| *name == self.content);
        AddedToken {
            normalized: self.normalized.unwrap_or(!special),
            content: self.content,
            single_word: self.single_word,
            lstrip: self.lstrip,
            rstrip: self.rstrip,
            special,
        }
    }
}

/// The special tokens by their kind: those of the settings, else the class's own.
pub(super) fn special_names(class: &Class, settings: &Part) -> Result<Names> {
    let own = class.names.iter().map(|(kind, name)| (*kind, name.to_string()));
    let mut names: Names = own.collect();
    for kind in KINDS {
        let key = format!("{kind}_token");
        if let Some(value) = settings.get(&key) {
            names.remove(kind);
            if !value.is_null() {
                names.insert(kind, content(value, &key)?.to_string());
            }
        }
    }
    let needed = class.ends().into_iter().chain(["unk"]);
    match needed.into_iter().find(|kind| !names.contains_key(kind)) {
        Some(kind) if !class.names.is_empty() => Err(config_error!(
            "{SETTINGS}: {kind}_token is null, but {} cannot do without it",
            class.name
        )),
        _ => Ok(names),
    }
}

/// The tokens that the settings list, in the order of their ids. Files of before there was
/// such a list have them in added_tokens.json, `older`, and in tokenizer.json, `content`.
fn listed(settings: &Part, content: &Part, older: &Part) -> Result<Vec<Listed>> {
    let mut found = std::collections::BTreeMap::new();
    let wrong = |what: &Value| config_error!("{SETTINGS}: an added token is {}", shown(what));
    let number = |value: u64| u32::try_from(value).ok();
    match settings.get("added_tokens_decoder") {
        Some(Value::Object(list)) => {
            for (key, value) in list {
                let id = key.parse().map_err(|_| wrong(&Value::from(key.as_str())))?;
                found.insert(id, Token::read(value, "added_tokens_decoder")?);
            }
        }
        Some(other) => {
            return Err(config_error!(
                "{SETTINGS}: added_tokens_decoder is {}; it must be an object",
                shown(other)
            ));
        }
        None => {
            for (name, value) in older {
                let id = value.as_u64().and_then(number).ok_or_else(|| wrong(value))?;
                let named = settings.iter().any(|(key, value)| {
                    key.ends_with("_token")
                        && (value == name.as_str() || value["content"] == name.as_str())
                });
                found.insert(id, Token { special: named, ..Token::special(name) });
            }
            for token in
                content.get("added_tokens").and_then(Value::as_array).into_iter().flatten()
            {
                let id = token["id"].as_u64().and_then(number).ok_or_else(|| wrong(token))?;
                found.insert(id, Token::read(token, "added_tokens")?);
            }
        }
    }
    Ok(found.into_iter().collect())
}

/// Adds the listed tokens, then the special ones that are not there yet; each that is listed
/// must come out with its id. The ids of the special ones come back.
pub(super) fn add_tokens(
    tokenizer: &mut Tokenizer,
    path: &Path,
    (settings, content, older): (&Part, &Part, &Part),
    names: &Names,
    class: &Class,
) -> Result<BTreeSet<u32>> {
    let listed = listed(settings, content, older)?;
    let mut known: BTreeSet<String> =
        tokenizer.get_added_tokens_decoder().into_values().map(|token| token.content).collect();
    let ids: Vec<(u32, String)> =
        listed.iter().map(|(id, token)| (*id, token.content.clone())).collect();
    known.extend(ids.iter().map(|(_, content)| content.clone()));
    let mut added: Vec<Token> = listed.into_iter().map(|(_, token)| token).collect();
    let special = named(settings, names, class)?;
    let contents: Vec<String> = special.iter().map(|token| token.content.clone()).collect();
    for token in special {
        if known.insert(token.content.clone()) {
            added.push(token);
        }
    }
    let added: Vec<AddedToken> =
        added.into_iter().map(|token| token.into_added(names)).collect();
    super::guard::guarded(
        || format!("{}: the special tokens of this folder cannot be added", path.display()),
        || tokenizer.add_tokens(added),
    )?;
    for (id, content) in ids {
        let found = tokenizer.token_to_id(&content);
        if found != Some(id) {
            return Err(checkpoint_error!(
                "{}: {content:?} has the id {found:?}, but the folder lists it as an added \
                 token with the id {id}",
                path.display()
            ));
        }
    }
    Ok(contents.iter().filter_map(|content| tokenizer.token_to_id(content)).collect())
}

/// The special tokens that have a name, then those of the model and those without one.
fn named(settings: &Part, names: &Names, class: &Class) -> Result<Vec<Token>> {
    let mut tokens = Vec::new();
    for kind in KINDS {
        let key = format!("{kind}_token");
        match (settings.get(&key), names.get(kind)) {
            (Some(value @ Value::Object(_)), _) => tokens.push(Token::read(value, &key)?),
            (_, Some(name)) => tokens.push(Token {
                lstrip: class.mask_takes_space && kind == "mask",
                ..Token::special(name)
            }),
            _ => {}
        }
    }
    for (key, value) in settings {
        let kind = key.strip_suffix("_token").unwrap_or("mask");
        if !KINDS.contains(&kind) && (value.is_string() || value.is_object()) {
            tokens.push(Token::read(value, key)?);
        }
    }
    let unnamed = ["extra_special_tokens", "additional_special_tokens"];
    let filled = |key: &&str| settings.get(*key).is_some_and(|value| !is_empty(value));
    match unnamed.into_iter().find(filled) {
        None => tokens.extend(class.unnamed.iter().map(|name| Token::special(name))),
        Some(key) => {
            let values: Vec<&Value> = match &settings[key] {
                Value::Array(values) => values.iter().collect(),
                Value::Object(values) => values.values().collect(),
                other => vec![other],
            };
            for value in values {
                tokens.push(Token::read(value, key)?);
            }
        }
    }
    Ok(tokens)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(values) => values.is_empty(),
        _ => false,
    }
}

fn content<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    let content = if value.is_object() { &value["content"] } else { value };
    content.as_str().ok_or_else(|| {
        config_error!("{SETTINGS}: {key} is {}; it must be a string", shown(content))
    })
}
