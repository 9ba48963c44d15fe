//! What a tokenizer file may not do: bring the process down, or make a mountain of a text.
//!
//! The tokenizers library panics on some damaged files, on a few texts only.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use encoders_models::{Result, checkpoint_error};
use serde_json::Value;
use tokenizers::{NormalizedString, Normalizer};

use crate::files::Part;

/// Texts that find most faults when the file is read: no text at all, letters of several
/// scripts, what no vocabulary has, blanks, special tokens that were typed.
const SAMPLES: [&str; 6] = [
    "",
    "The river, it's  a stone's: 3.14!",
    "naïve ÉTÉ İ ﷺ ½ 中文 日本語 한국어 العربية",
    "🙂\u{200d}\u{fffd}\0 \t\r\n\u{2028}",
    "!\"#$%&'()*+,-./0123456789:;<=>?@ABCXYZ[\\]^_`abcxyz{|}~",
    "[CLS] [MASK] <s> <mask> </s> ##a ▁ Ġ",
];
/// A word longer than any; some regular expressions take a time that doubles with each letter.
const LONG_WORD: usize = 120;
/// How many times longer a normaliser may make a text. Unicode's own longest compatibility
/// form, of U+FDFA, has 18 characters; files that grow a text otherwise replace one sign by a
/// few.
const MOST_GROWTH: usize = 32;

/// Runs `work` on the tokenizers library; an error or a panic of it is an error that begins
/// with `what`.
pub(super) fn guarded<T>(
    what: impl FnOnce() -> String,
    work: impl FnOnce() -> tokenizers::Result<T>,
) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(problem)) => Err(checkpoint_error!("{}: {problem:.300}", what())),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            let text = text.unwrap_or("no message");
            Err(checkpoint_error!("{}: the tokenizers library panicked: {text:.300}", what()))
        }
    }
}

/// Refuses a tokenizer.json whose replacements multiply a text, in the normaliser or on the way
/// back; found from what it says, for trying a great one out takes the memory that it is about.
pub(super) fn check_growth(content: &Part, path: &Path) -> Result<()> {
    for part in ["normalizer", "decoder"] {
        let growth = growth(content.get(part).unwrap_or(&Value::Null));
        if growth > MOST_GROWTH {
            return Err(checkpoint_error!(
                "{}: the {part} can make a text {growth} times as long; at most {MOST_GROWTH} \
                 times is taken to be meant",
                path.display()
            ));
        }
    }
    Ok(())
}

/// Encodes the samples, so that a damaged file is found when it is read and not in the middle
/// of a corpus.
pub(super) fn try_out(tokenizer: &tokenizers::Tokenizer, path: &Path) -> Result<()> {
    let what = || {
        format!("{} cannot encode the samples that every tokenizer is tried on", path.display())
    };
    let long = "a".repeat(LONG_WORD);
    let samples: Vec<&str> = SAMPLES.into_iter().chain([long.as_str()]).collect();
    for text in &samples {
        let normalized = guarded(what, || {
            let mut normalized = NormalizedString::from(*text);
            if let Some(normalizer) = tokenizer.get_normalizer() {
                normalizer.normalize(&mut normalized)?;
            }
            Ok(normalized.get().chars().count())
        })?;
        if normalized > MOST_GROWTH * text.chars().count().max(1) {
            return Err(checkpoint_error!(
                "{}: the normalizer makes {normalized} characters of {text:?}; at most \
                 {MOST_GROWTH} times as many are taken to be meant",
                path.display()
            ));
        }
    }
    let encoded = guarded(what, || tokenizer.encode_batch_fast::<&str>(samples, true))?;
    match encoded.iter().flat_map(|encoding| encoding.get_type_ids()).find(|kind| **kind != 0) {
        None => Ok(()),
        Some(kind) => Err(checkpoint_error!(
            "{}: tokens of a single text are given the type {kind}; supported: 0",
            path.display()
        )),
    }
}

/// The most that the replacements of a part, one after the other, multiply a text by.
fn growth(part: &Value) -> usize {
    let length = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
    if let Some(steps) = part["normalizers"].as_array().or(part["decoders"].as_array()) {
        return steps.iter().map(growth).fold(1, usize::saturating_mul);
    }
    if part["type"] != "Replace" {
        return 1 + length(&part["prepend"]);
    }
    match length(&part["pattern"]["String"]) {
        // A regular expression may match nothing, between any two letters.
        0 => 1 + length(&part["content"]),
        pattern => length(&part["content"]).div_ceil(pattern).max(1),
    }
}
