//! Prints documents in the order of how well they go with a query, as a cross-encoder sees it.
//!
//! ```text
//! cargo run --release --example rerank -- --model FOLDER_OR_ID "a query" "a text" "another"
//! ```

use std::process::ExitCode;

use encoders::text_classification::Kind;
use encoders::{TextClassification, device};

const USAGE: &str = "usage: rerank --model FOLDER_OR_ID QUERY DOCUMENT...\n\n\
    The model is a cross-encoder, a classifier of pairs with one label: a folder that holds\n\
    config.json, model.safetensors and tokenizer.json, or a hub id.";

struct Arguments {
    model: String,
    query: String,
    documents: Vec<String>,
}

/// None where the command line is not understood.
fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Arguments> {
    let (mut model, mut texts) = (None, Vec::new());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--model" if model.is_none() => model = Some(arguments.next()?),
            option if option.starts_with("--") => return None,
            _ => texts.push(argument),
        }
    }
    let documents = texts.split_off(texts.len().min(1));
    (!documents.is_empty()).then_some(Arguments {
        model: model?,
        query: texts.pop()?,
        documents,
    })
}

fn rerank(arguments: &Arguments) -> encoders::Result<()> {
    let model = TextClassification::from_pretrained(&arguments.model, &device("cpu")?)?;
    for ranked in model.rank(&arguments.query, &arguments.documents)? {
        let kind = if ranked.kind == Kind::Logit { "logit" } else { "probability" };
        println!("{kind} {:.4}  {}", ranked.score, ranked.text);
    }
    Ok(())
}

fn main() -> ExitCode {
    let Some(arguments) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match rerank(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
