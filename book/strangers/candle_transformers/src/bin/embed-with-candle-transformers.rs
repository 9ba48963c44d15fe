//! candle-transformers as a contestant of the bench:
//!
//!     embed-with-candle-transformers MODEL_FOLDER
//!
//! Once the model is there it prints 0. Then it reads texts, a JSON list a line, and prints the
//! seconds that their vectors took: the mean of the tokens, of length one. With a second
//! argument it writes the vectors of the last line into a safetensors file of that name.

use std::{
    collections::HashMap,
    env,
    io::{self, BufRead, Write},
    path::Path,
    time::Instant,
};

use candle_core::{D, DType, Device, Tensor, safetensors};
use candle_nn::VarBuilder;
use candle_strangers::{Outcome, modernbert_config, read_json};
use candle_transformers::models::{bert::BertModel, modernbert::ModernBert};
use tokenizers::{PaddingParams, Tokenizer, TruncationParams};

/// Texts of like length in a batch, as many as the others take.
const BATCH: usize = 32;

enum Model {
    Bert(BertModel),
    ModernBert(ModernBert),
}

struct Embedder {
    model: Model,
    tokenizer: Tokenizer,
}

impl Embedder {
    fn open(folder: &Path) -> Outcome<Self> {
        let config = read_json(&folder.join("config.json"))?;
        let device = Device::Cpu;
        // SAFETY: nobody writes into the checkpoint meanwhile.
        let weights = unsafe {
            let file = folder.join("model.safetensors");
            VarBuilder::from_mmaped_safetensors(&[file], DType::F32, &device)?
        };
        let model = match config["model_type"].as_str() {
            Some("bert") => {
                let config = serde_json::from_value(config.clone())?;
                Model::Bert(BertModel::load(weights, &config)?)
            }
            Some("modernbert") => {
                // candle looks for the encoder where a model with a head has it.
                let bare = !weights.contains_tensor("model.final_norm.weight");
                let weights = weights.rename_f(move |key| match key.strip_prefix("model.") {
                    Some(rest) if bare => rest.to_string(),
                    _ => key.to_string(),
                });
                let config = modernbert_config(config.clone())?;
                Model::ModernBert(ModernBert::load(weights, &config)?)
            }
            other => return Err(format!("model_type {other:?} is not timed").into()),
        };
        let mut tokenizer = Tokenizer::from_file(folder.join("tokenizer.json"))?;
        let longest = read_json(&folder.join("sentence_bert_config.json"))
            .ok()
            .and_then(|settings| settings["max_seq_length"].as_u64())
            .or(config["max_position_embeddings"].as_u64())
            .ok_or("how long a text may be is not said")?;
        tokenizer
            .with_padding(Some(PaddingParams::default()))
            .with_truncation(Some(TruncationParams {
                max_length: usize::try_from(longest)?,
                ..Default::default()
            }))?;
        Ok(Self { model, tokenizer })
    }

    fn embed(&self, texts: &[String]) -> Outcome<Vec<Vec<f32>>> {
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&row| texts[row].len());
        let mut vectors = vec![Vec::new(); texts.len()];
        for rows in order.chunks(BATCH) {
            let batch = rows.iter().map(|&row| texts[row].as_str()).collect();
            for (&row, vector) in rows.iter().zip(self.embed_batch(batch)?) {
                vectors[row] = vector;
            }
        }
        Ok(vectors)
    }

    fn embed_batch(&self, texts: Vec<&str>) -> Outcome<Vec<Vec<f32>>> {
        let encodings = self.tokenizer.encode_batch(texts, true)?;
        let stacked = |numbers: fn(&tokenizers::Encoding) -> &[u32]| -> Outcome<Tensor> {
            let rows = encodings
                .iter()
                .map(|one| Tensor::new(numbers(one), &Device::Cpu));
            Ok(Tensor::stack(&rows.collect::<Result<Vec<_>, _>>()?, 0)?)
        };
        let ids = stacked(|one| one.get_ids())?;
        let mask = stacked(|one| one.get_attention_mask())?.to_dtype(DType::F32)?;
        let hidden = match &self.model {
            Model::Bert(model) => {
                let types = stacked(|one| one.get_type_ids())?;
                model.forward(&ids, &types, Some(&mask))?
            }
            Model::ModernBert(model) => model.forward(&ids, &mask)?,
        };
        let weights = mask.unsqueeze(D::Minus1)?;
        let sums = hidden.broadcast_mul(&weights)?.sum(1)?;
        let means = sums.broadcast_div(&weights.sum(1)?)?;
        let lengths = means.sqr()?.sum_keepdim(1)?.sqrt()?;
        Ok(means.broadcast_div(&lengths)?.to_vec2()?)
    }
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (folder, target) = match arguments.as_slice() {
        [folder] => (folder, None),
        [folder, target] => (folder, Some(target)),
        _ => return Err("usage: embed-with-candle-transformers MODEL_FOLDER [VECTORS]".into()),
    };
    let embedder = Embedder::open(Path::new(folder))?;
    let mut answers = io::stdout();
    writeln!(answers, "0.0")?;
    answers.flush()?;
    for line in io::stdin().lock().lines() {
        let texts: Vec<String> = serde_json::from_str(&line?)?;
        let start = Instant::now();
        let vectors = embedder.embed(&texts)?;
        writeln!(answers, "{}", start.elapsed().as_secs_f64())?;
        answers.flush()?;
        if let Some(target) = target {
            let vectors = Tensor::new(vectors, &Device::Cpu)?;
            safetensors::save(&HashMap::from([("vectors", vectors)]), target)?;
        }
    }
    Ok(())
}
