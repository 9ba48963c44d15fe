//! Prints the likeliest words for each mask of a text, with their probabilities.
//!
//! ```text
//! cargo run --release --example fill -- --model FOLDER_OR_ID "The cat [MASK] on the wall."
//! ```

use std::process::ExitCode;

use encoders::masked_lm::Options;
use encoders::{MaskedLM, device};

const USAGE: &str = "usage: fill --model FOLDER_OR_ID [--top-k COUNT] [--target WORD]... TEXT\n\
    \n\
    The model is a masked language model: a folder that holds config.json, model.safetensors\n\
    and tokenizer.json, or a hub id. The text holds its masks as the tokenizer writes them,\n\
    [MASK] or <mask>. With --target only those words are asked for.";

struct Arguments {
    model: String,
    top_k: usize,
    targets: Vec<String>,
    text: String,
}

/// None where the command line is not understood.
fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Arguments> {
    let (mut model, mut text) = (None, None);
    let (mut top_k, mut targets) = (5, Vec::new());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--model" => model = Some(arguments.next()?),
            "--top-k" => top_k = arguments.next()?.parse().ok()?,
            "--target" => targets.push(arguments.next()?),
            option if option.starts_with("--") || text.is_some() => return None,
            _ => text = Some(argument),
        }
    }
    Some(Arguments { model: model?, top_k, targets, text: text? })
}

fn fill(arguments: &Arguments) -> encoders::Result<()> {
    let model = MaskedLM::from_pretrained(&arguments.model, &device("cpu")?)?;
    let mut options = Options::new().top_k(arguments.top_k);
    if !arguments.targets.is_empty() {
        options = options.targets(&arguments.targets);
    }
    for of_text in model.fill_with(&[&arguments.text], options)? {
        for filled in of_text.iter().flatten() {
            println!("{:.4}  {:<12}  {}", filled.probability, filled.token, filled.text);
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let Some(arguments) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match fill(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
