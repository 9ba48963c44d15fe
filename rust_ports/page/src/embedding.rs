//! From texts to vectors, with the tokens that they are made of.

use candle_core::Device;
use encoders::{Result, SentenceEmbedder};
use serde_json::{Value, json};

pub(crate) struct Embedding {
    pub embedder: SentenceEmbedder,
}

impl Embedding {
    pub fn load(folder: &str) -> Result<Self> {
        Ok(Self { embedder: SentenceEmbedder::from_pretrained(folder, &Device::Cpu)? })
    }

    pub fn embed(&self, texts: &[&str]) -> Result<Value> {
        let ids = self.embedder.tokenizer.ids(texts)?;
        let piece = |id: &i64| self.embedder.tokenizer.piece(*id as u32).unwrap_or_default();
        let tokens: Vec<Vec<String>> =
            ids.iter().map(|text| text.iter().map(piece).collect()).collect();
        Ok(json!({"tokens": tokens, "vectors": self.embedder.encode(texts)?}))
    }
}
