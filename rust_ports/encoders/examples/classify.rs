//! Prints the labels of a text, or of a text with its pair, best first.
//!
//! ```text
//! cargo run --release --example classify -- --model FOLDER_OR_ID "A fine film."
//! ```

use std::process::ExitCode;

use encoders::text_classification::Options;
use encoders::{TextClassification, device};

const USAGE: &str = "usage: classify --model FOLDER_OR_ID [--pair TEXT] TEXT\n\n\
    The model is a text classifier: a folder that holds config.json, model.safetensors and\n\
    tokenizer.json, or a hub id. With --pair it is asked about two texts, as a model for\n\
    entailment is.";

struct Arguments {
    model: String,
    pair: Option<String>,
    text: String,
}

/// None where the command line is not understood.
fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Arguments> {
    let (mut model, mut pair, mut text) = (None, None, None);
    while let Some(argument) = arguments.next() {
        let replaced = match argument.as_str() {
            "--model" => model.replace(arguments.next()?),
            "--pair" => pair.replace(arguments.next()?),
            option if option.starts_with("--") => return None,
            _ => text.replace(argument),
        };
        if replaced.is_some() {
            return None;
        }
    }
    Some(Arguments { model: model?, pair, text: text? })
}

fn classify(arguments: &Arguments) -> encoders::Result<()> {
    let model = TextClassification::from_pretrained(&arguments.model, &device("cpu")?)?;
    let pairs: Vec<&String> = arguments.pair.iter().collect();
    let options = match pairs.is_empty() {
        true => Options::new(),
        false => Options::new().pairs(&pairs),
    };
    for found in model.classify_with(&[&arguments.text], options)? {
        for (label, probability) in found.labels.iter().zip(&found.probabilities) {
            println!("{probability:.4}  {label}");
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let Some(arguments) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match classify(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
