//! Prints the spans of a text that a token classifier names, with the bytes where they stand.
//!
//! ```text
//! cargo run --release --example tag -- --model FOLDER_OR_ID "Ada Lovelace lived in London."
//! ```

use std::process::ExitCode;

use encoders::token_classification::{Aggregation, Options};
use encoders::{TokenClassification, device};

const USAGE: &str = "usage: tag --model FOLDER_OR_ID [--aggregation HOW] [--viterbi] TEXT\n\n\
    The model is a token classifier: a folder that holds config.json, model.safetensors and\n\
    tokenizer.json, or a hub id. HOW is none, simple (the usual one), first, average or max;\n\
    with --viterbi labels follow one another as the tags allow.";

struct Arguments {
    model: String,
    aggregation: String,
    viterbi: bool,
    text: String,
}

/// None where the command line is not understood.
fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Arguments> {
    let (mut model, mut aggregation, mut viterbi) = (None, "simple".to_string(), false);
    let mut text = None;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--model" => model = Some(arguments.next()?),
            "--aggregation" => aggregation = arguments.next()?,
            "--viterbi" => viterbi = true,
            option if option.starts_with("--") || text.is_some() => return None,
            _ => text = Some(argument),
        }
    }
    Some(Arguments { model: model?, aggregation, viterbi, text: text? })
}

fn tag(arguments: &Arguments) -> encoders::Result<()> {
    let aggregation: Aggregation = arguments.aggregation.parse()?;
    let options = Options::new().aggregation(aggregation).viterbi(arguments.viterbi);
    let model = TokenClassification::from_pretrained(&arguments.model, &device("cpu")?)?;
    for span in model.tag_with(&[&arguments.text], options)?.iter().flatten() {
        let (start, end) = (span.start, span.end);
        println!("{:.4}  {start:>4}..{end:<4} {:<8} {}", span.score, span.label, span.text);
    }
    Ok(())
}

fn main() -> ExitCode {
    let Some(arguments) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match tag(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
