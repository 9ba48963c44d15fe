//! What a folder says of padding. Texts are packed, or padded on the right, which gives what
//! Transformers gives wherever padding changes no result. A folder where it does is refused:
//! there a text's result depends on the batch that it happens to be in.

use std::path::Path;

use encoders_models::family::Config;
use encoders_models::{Result, config_error};
use serde_json::{Value, json};

use super::classes::SETTINGS;
use crate::files::{Part, shown};

/// On the left is harmless where positions are relative, or counted from the first token that
/// is no pad. Everywhere else it pushes texts to later positions.
pub(super) fn check_padding_side(
    folder: &Path,
    settings: &Part,
    content: &Part,
    config: &Config,
) -> Result<()> {
    let side = settings.get("padding_side").filter(|side| !side.is_null());
    let stored = content.get("padding").map(|stored| &stored["direction"]);
    let (left, file, what) = match side.map(Value::as_str) {
        Some(Some("left")) => (true, SETTINGS, "padding_side"),
        Some(Some("right")) => return Ok(()),
        Some(_) => {
            return Err(config_error!(
                "{}: padding_side is {}; it must be left or right",
                folder.join(SETTINGS).display(),
                side.map(shown).unwrap_or_default()
            ));
        }
        None => {
            (stored == Some(&json!("Left")), "tokenizer.json", "the direction of its padding")
        }
    };
    if !(left && config.limits().pads_take_positions()) {
        return Ok(());
    }
    Err(config_error!(
        "{}: {what} is left; in Transformers pads then push a text of a {} to later positions, \
         and its result depends on the batch that it is in. That is not implemented: set it to \
         right, and every text gives what it gives alone",
        folder.join(file).display(),
        config.model_type()
    ))
}

/// What the model is given, if the settings say; never without the mask, for then Transformers
/// attends to the pads, and sentence-transformers pools them.
pub(super) fn input_names<'a>(
    folder: &Path,
    settings: &'a Part,
) -> Result<Option<&'a Vec<Value>>> {
    let Some(names) = settings.get("model_input_names").filter(|names| !names.is_null()) else {
        return Ok(None);
    };
    let path = folder.join(SETTINGS);
    match names.as_array() {
        None => Err(config_error!(
            "{}: model_input_names is {}; it must be a list",
            path.display(),
            shown(names)
        )),
        Some(given) if !given.contains(&json!("attention_mask")) => Err(config_error!(
            "{}: model_input_names is {}, without attention_mask; in Transformers pads then \
             count as tokens, and a text's result depends on the batch that it is in. That is \
             not implemented: add it, and every text gives what it gives alone",
            path.display(),
            shown(names)
        )),
        given => Ok(given),
    }
}
