//! Prints the labels of pieces that are marked in a text.
//!
//! ```text
//! cargo run --release --example detect -- --model FOLDER_OR_ID "[[angle]] In degrees."
//! ```

use std::process::ExitCode;

use encoders::{MaskedSequence, device};

const USAGE: &str = "usage: detect --model FOLDER_OR_ID TEXT\n\n\
    The model labels chosen pieces of texts: a folder that holds config.json,\n\
    model.safetensors and tokenizer.json, or a hub id. In TEXT they are marked\n\
    [[like this]].";

/// The model and the text; None where the command line is not understood.
fn parse(mut arguments: impl Iterator<Item = String>) -> Option<(String, String)> {
    let (mut model, mut text) = (None, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--model" => model = Some(arguments.next()?),
            option if option.starts_with("--") || text.is_some() => return None,
            _ => text = Some(argument),
        }
    }
    Some((model?, text?))
}

fn detect(model: &str, text: &str) -> encoders::Result<()> {
    let model = MaskedSequence::from_pretrained(model, &device("cpu")?)?;
    for detection in model.predict_marked(&[text])?.iter().flat_map(|(_, found)| found) {
        let (start, end) = (detection.start, detection.end);
        println!("{start:>4}..{end:<4} {:<16} {}", detection.text, detection.given.join(", "));
        for (label, probability) in detection.labels.iter().take(3) {
            println!("{:>12.4}  {label}", probability);
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let Some((model, text)) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match detect(&model, &text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
