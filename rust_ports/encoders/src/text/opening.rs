//! A tokenizer.json, or a bare word list, opened as the class of Transformers opens it that the
//! folder names. A file that says something else than what the class builds is refused.

use std::collections::BTreeSet;
use std::path::Path;

use encoders_models::{Result, checkpoint_error, config_error};
use serde_json::{Value, json};
use tokenizers::Tokenizer;

use super::added::{add_tokens, special_names};
use super::classes::{Build, Class, Names, SETTINGS};
use super::guard::{check_growth, guarded, try_out};
use super::settings::switch;
use crate::files::{Part, shown};

/// What of a part the settings decide, so that the file may have another value.
const OPTIONS: [&str; 6] = [
    "handle_chinese_chars",
    "strip_accents",
    "lowercase",
    "add_prefix_space",
    "prepend_scheme",
    "unk_token",
];
const NOT_COMPARED: [&str; 2] = ["type", "trim_offsets"];

/// What a folder says of its tokenizer.
pub(super) struct Source<'a> {
    /// The file that holds the vocabulary.
    pub path: &'a Path,
    /// What is in it, or a word list under the same keys.
    pub content: Part,
    /// tokenizer_config.json, and what replaces it.
    pub settings: &'a Part,
    /// added_tokens.json.
    pub older: &'a Part,
    /// How it is opened.
    pub class: &'a Class,
    /// Whether texts are lower-cased before all else, as sentence-transformers does where its
    /// own settings say so.
    pub lower_case: bool,
}

/// What has become of it.
pub(super) struct Opened {
    /// The tokenizer, tried out on a few texts.
    pub inner: Tokenizer,
    /// The ids of its special tokens.
    pub special: BTreeSet<u32>,
    /// Those that have a name, by their kind.
    pub names: Names,
}

/// Opens a tokenizer as the class does.
pub(super) fn open(source: Source) -> Result<Opened> {
    let Source { path, mut content, settings, older, class, lower_case } = source;
    let model = match content.get("model") {
        Some(Value::Object(model)) => model.clone(),
        _ => {
            return Err(checkpoint_error!(
                "{} is not a tokenizer: it holds no model",
                path.display()
            ));
        }
    };
    if model.get("dropout").is_some_and(|share| !share.is_null() && share != 0.0) {
        return Err(config_error!(
            "{}: the model has a dropout of {}, with which every call gives other tokens; set \
             it to null",
            path.display(),
            shown(&model["dropout"])
        ));
    }
    let names = special_names(class, settings)?;
    let file = content.clone();
    if let Some(parts) = class.parts(settings, &names, &model)? {
        content = rebuilt(path, &content, parts, &model, settings, class, &names)?;
    }
    check_growth(&content, path)?;
    if lower_case {
        lower_casing(&mut content);
    }
    let mut inner = guarded(
        || format!("{} is not a tokenizer", path.display()),
        || Ok(serde_json::from_value::<Tokenizer>(Value::Object(content))?),
    )?;
    let special = add_tokens(&mut inner, path, (settings, &file, older), &names, class)?;
    if let Some(frame) = class.post_processor(&inner, &names, settings)? {
        inner.with_post_processor(Some(frame));
    }
    let typed = switch(settings, "split_special_tokens", SETTINGS.as_ref())?;
    inner.set_encode_special_tokens(typed.unwrap_or(false));
    inner.with_padding(None);
    guarded(|| path.display().to_string(), || inner.with_truncation(None).map(|_| ()))?;
    try_out(&inner, path)?;
    Ok(Opened { inner, special, names })
}

/// The content with the parts that the class puts in the place of the file's.
fn rebuilt(
    path: &Path,
    content: &Part,
    mut made: Value,
    model: &Part,
    settings: &Part,
    class: &Class,
    names: &Names,
) -> Result<Part> {
    for part in ["normalizer", "pre_tokenizer", "model"] {
        if let Some(theirs) = content.get(part) {
            check_agrees(path, part, theirs, &made[part], class)?;
        }
    }
    if let Some(frame) = content.get("post_processor") {
        check_frame(path, frame, settings, class, names)?;
    }
    if class.build == Build::SentencePieces {
        let steps = steps(content.get("normalizer").unwrap_or(&Value::Null));
        let table = steps.into_iter().find(|step| step["type"] == "Precompiled");
        made["normalizer"] = table.cloned().unwrap_or_default();
    }
    for key in ["vocab", "merges"] {
        if let Some(value) = model.get(key) {
            made["model"][key] = value.clone();
        }
    }
    match made {
        Value::Object(mut made) => {
            made.insert("version".into(), json!("1.0"));
            Ok(made)
        }
        _ => Ok(Part::new()),
    }
}

/// A file may differ from what is built in what the settings decide, and in nothing else.
fn check_agrees(
    path: &Path,
    part: &str,
    theirs: &Value,
    ours: &Value,
    class: &Class,
) -> Result<()> {
    let (theirs, ours) = (telling_steps(theirs), telling_steps(ours));
    let kinds = |steps: &[&Value]| -> Vec<Value> {
        steps.iter().map(|step| step["type"].clone()).collect()
    };
    let (their_kinds, our_kinds) = (kinds(&theirs), kinds(&ours));
    let absent = (their_kinds.is_empty() && our_kinds == [json!("Precompiled")])
        || (part == "model" && their_kinds == [Value::Null]);
    if their_kinds != our_kinds && !absent {
        return Err(contradiction(path, part, &json!(their_kinds), &json!(our_kinds), class));
    }
    for (their, our) in theirs.into_iter().zip(ours) {
        for (key, value) in their.as_object().into_iter().flatten() {
            let decided = OPTIONS.contains(&key.as_str());
            let Some(made) = our.get(key) else { continue };
            let both_empty = part == "model" && is_nothing(value) && is_nothing(made);
            if value == made || decided || both_empty || NOT_COMPARED.contains(&key.as_str()) {
                continue;
            }
            return Err(contradiction(path, &format!("{part}'s {key}"), value, made, class));
        }
    }
    Ok(())
}

fn is_nothing(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(false)) || value == "" || value == 0
}

/// What the file puts about a text must be what the class puts there, but for the names that
/// the settings give.
fn check_frame(
    path: &Path,
    found: &Value,
    settings: &Part,
    class: &Class,
    names: &Names,
) -> Result<()> {
    let theirs = frame(found);
    let [first, last] = class.ends();
    let ours = [names[first].clone(), "$A".into(), names[last].clone()];
    let named = |kind: &str| settings.contains_key(&format!("{kind}_token"));
    let free = [named(first), false, named(last)];
    let fits = theirs.len() == 3
        && theirs.iter().zip(&ours).zip(free).all(|((their, our), free)| their == our || free);
    match fits {
        true => Ok(()),
        false => {
            Err(contradiction(path, "post_processor", &json!(theirs), &json!(ours), class))
        }
    }
}

/// What a post-processor puts about a text, which is $A.
fn frame(part: &Value) -> Vec<String> {
    let alone = vec!["$A".to_string()];
    if part["type"] == "TemplateProcessing" {
        let pieces = part["single"].as_array().into_iter().flatten();
        return pieces
            .map(|piece| match piece["SpecialToken"]["id"].as_str() {
                Some(id) => id.to_string(),
                None => "$A".to_string(),
            })
            .collect();
    }
    if part["type"] == "Sequence" {
        let frames = part["processors"].as_array().into_iter().flatten().map(frame);
        return frames.into_iter().find(|frame| *frame != alone).unwrap_or(alone);
    }
    match (part["cls"][0].as_str(), part["sep"][0].as_str()) {
        (Some(cls), Some(sep)) => vec![cls.to_string(), "$A".to_string(), sep.to_string()],
        _ => alone,
    }
}

/// The parts that a part is a sequence of.
fn steps(part: &Value) -> Vec<&Value> {
    let inner = part["normalizers"].as_array().or(part["pretokenizers"].as_array());
    match inner {
        Some(inner) => inner.iter().flat_map(steps).collect(),
        None if part.is_object() => vec![part],
        None => Vec::new(),
    }
}

/// Without what some files have besides and no text is changed by: pieces begin at words
/// anyway.
fn telling_steps(part: &Value) -> Vec<&Value> {
    let spaces = json!({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "});
    let harmless = [json!({"type": "WhitespaceSplit"}), spaces];
    steps(part).into_iter().filter(|step| !harmless.contains(step)).collect()
}

/// Lower-cases before all else, unless the normalizer does so at once.
fn lower_casing(content: &mut Part) {
    let first = content.remove("normalizer").unwrap_or_default();
    let lower = json!({"type": "Lowercase"});
    let mut steps = match first {
        Value::Null => Vec::new(),
        Value::Object(mut map) if map.get("type") == Some(&json!("Sequence")) => {
            match map.remove("normalizers") {
                Some(Value::Array(steps)) => steps,
                _ => Vec::new(),
            }
        }
        other => vec![other],
    };
    if !steps.contains(&lower) {
        steps.insert(0, lower);
    }
    content.insert("normalizer".into(), json!({"type": "Sequence", "normalizers": steps}));
}

fn contradiction(
    path: &Path,
    what: &str,
    found: &Value,
    made: &Value,
    class: &Class,
) -> encoders_models::Error {
    config_error!(
        "{}: the {what} is {}, but Transformers' {}, by which it is opened, has {} in its \
         place. If the file is right, {SETTINGS} must name the tokenizer_class \
         PreTrainedTokenizerFast",
        path.display(),
        shown(found),
        class.name,
        shown(made)
    )
}
