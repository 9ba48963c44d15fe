//! A masked language model, sound or with a fault: answers for [MASK], and what they rest on.

use std::path::Path;

use candle_core::{D, DType, Device, IndexOp, Tensor};
use encoders::checkpoint::{read_config, read_tensors, select_tensors};
use encoders::family::Config;
use encoders::model::Load;
use encoders::modernbert::ModernBertConfig;
use encoders::{Inputs, Model, Result, Tokenizer};
use encoders_models::input_error;
use serde_json::{Value, json};

use crate::asked::Asked;
use crate::attention::weights;
use crate::faults::seed;
use crate::numbers::shown;

/// How many answers are given where it is not said.
const ANSWERS: usize = 5;

pub(crate) struct Masked {
    pub model: Model,
    config: Config,
    tokenizer: Tokenizer,
    mask: i64,
}

impl Masked {
    pub fn load(folder: &str, dtype: DType, faults: &[&str]) -> Result<Self> {
        let folder = Path::new(folder);
        let config = read_config(folder)?;
        let mut tokenizer = Tokenizer::from_folder(folder, &config)?;
        tokenizer.truncates = false; // an answer to half a sentence would be a riddle
        let tensors = read_tensors(folder, &Device::Cpu)?;
        let (config, tensors) = match faults {
            [] => (config, tensors),
            faults => seed(faults, folder, tensors)?,
        };
        let architecture = Model::architecture(&config, &tensors)?;
        let tensors = select_tensors(tensors, &config, architecture)?;
        let in_dtype = |(key, tensor): (String, Tensor)| Ok((key, tensor.to_dtype(dtype)?));
        let tensors = tensors.into_iter().map(in_dtype).collect::<Result<_>>()?;
        let model = Model::from_tensors(&config, architecture, tensors)?;
        let mask = tokenizer.ids(&["[MASK]"])?[0].get(1).copied();
        let mask = mask.ok_or_else(|| input_error!("the tokenizer knows no [MASK]"))?;
        Ok(Self { model, config, tokenizer, mask })
    }

    /// For each mask of the text the best tokens; with `visible`, of what only so many tokens
    /// on either side of a mask tell.
    pub fn fill(&self, asked: &Asked) -> Result<Value> {
        let ids = self.ids(asked.text("text")?)?;
        let masks: Vec<usize> = (0..ids.len()).filter(|at| ids[*at] == self.mask).collect();
        let seen = self.seen(&ids, &masks, asked.count("visible")?);
        let logits = self.logits(&ids, &seen)?;
        let count = asked.count("top")?.unwrap_or(ANSWERS);
        let answers = masks.iter().map(|at| self.best(&logits.i(*at)?, count));
        let answers = answers.collect::<Result<Vec<_>>>()?;
        Ok(json!({
            "tokens": self.pieces(&ids), "masks": masks, "seen": seen, "answers": answers,
        }))
    }

    /// The weights of every head of a layer, `[heads, tokens, tokens]`.
    pub fn attention(&self, asked: &Asked) -> Result<Value> {
        let ids = self.ids(asked.text("text")?)?;
        let layer = asked.count("layer")?.unwrap_or(0);
        let config: &ModernBertConfig = self.config.get()?;
        if layer >= config.num_hidden_layers {
            return Err(input_error!(
                "layer is {layer}; there are {}",
                config.num_hidden_layers
            ));
        }
        let (row, mask) = self.row(&ids, &vec![1; ids.len()])?;
        let steps = self.model.trace(&Inputs::padded(&row, &mask))?;
        let weights = weights(config, layer, &steps)?;
        let kind = config.layer_types[layer].name();
        Ok(json!({"tokens": self.pieces(&ids), "kind": kind, "weights": shown(&weights)?}))
    }

    /// The logits of every token of a text, `[tokens, vocabulary]`.
    pub fn logits_of(&self, text: &str) -> Result<Tensor> {
        let ids = self.ids(text)?;
        self.logits(&ids, &vec![1; ids.len()])
    }

    fn ids(&self, text: &str) -> Result<Vec<i64>> {
        Ok(self.tokenizer.ids(&[text])?.remove(0))
    }

    fn pieces(&self, ids: &[i64]) -> Vec<String> {
        ids.iter().map(|id| self.tokenizer.piece(*id as u32).unwrap_or_default()).collect()
    }

    /// 1 for a token that may be looked at: the special ones at either end always may.
    fn seen(&self, ids: &[i64], masks: &[usize], visible: Option<usize>) -> Vec<i64> {
        let near = |at: usize| match visible {
            None => true,
            Some(most) => masks.iter().any(|mask| mask.abs_diff(at) <= most),
        };
        let ends = |at: usize| at == 0 || at + 1 == ids.len();
        (0..ids.len()).map(|at| i64::from(ends(at) || near(at))).collect()
    }

    fn row(&self, ids: &[i64], seen: &[i64]) -> Result<(Tensor, Tensor)> {
        let row = |numbers: &[i64]| Tensor::from_slice(numbers, (1, ids.len()), &Device::Cpu);
        Ok((row(ids)?, row(seen)?))
    }

    fn logits(&self, ids: &[i64], seen: &[i64]) -> Result<Tensor> {
        let (ids, seen) = self.row(ids, seen)?;
        let output = self.model.network.forward(&Inputs::padded(&ids, &seen), None)?;
        let logits = output.logits.ok_or_else(|| input_error!("this model has no head"))?;
        Ok(logits.squeeze(0)?)
    }

    fn best(&self, logits: &Tensor, count: usize) -> Result<Vec<Value>> {
        let logits = logits.to_dtype(DType::F64)?;
        let shares = (&logits - logits.max_keepdim(D::Minus1)?.broadcast_as(logits.dims())?)?;
        let shares = shares.exp()?.to_vec1::<f64>()?;
        let whole: f64 = shares.iter().sum();
        let mut order: Vec<usize> = (0..shares.len()).collect();
        order.sort_by(|a, b| shares[*b].total_cmp(&shares[*a]));
        let answer = |id: &usize| -> Result<Value> {
            let token = self.tokenizer.decode(*id as u32)?;
            Ok(json!({"token": token, "probability": shares[*id] / whole}))
        };
        order.iter().take(count).map(answer).collect()
    }
}
