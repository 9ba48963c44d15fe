//! The configuration of BERT and of its relatives.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::fields::{Fields, check_heads};
use super::{Config, Limits};
use crate::error::{Result, config_error};
use crate::layers::activation;

/// The model types of this family, under the names that config.json gives them.
pub const MODEL_TYPES: [&str; 3] = ["bert", "roberta", "xlm-roberta"];

/// The configuration of BERT and of its XLM-RoBERTa and RoBERTa relatives, under Transformers'
/// names.
#[derive(Debug, Clone, PartialEq)]
pub struct BertConfig {
    /// "bert", "xlm-roberta" or "roberta".
    pub model_type: String,
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub intermediate_size: usize,
    /// One of [`ACTIVATIONS`](crate::layers::ACTIVATIONS).
    pub hidden_act: String,
    pub hidden_dropout_prob: f64,
    pub attention_probs_dropout_prob: f64,
    pub classifier_dropout: Option<f64>,
    pub max_position_embeddings: usize,
    pub type_vocab_size: usize,
    pub initializer_range: f64,
    pub layer_norm_eps: f64,
    pub pad_token_id: Option<usize>,
    /// Whether a masked-LM decoder shares the word embeddings' weight.
    pub tie_word_embeddings: bool,
    /// One of [`PROBLEM_TYPES`](super::PROBLEM_TYPES), or None: then the labels decide.
    pub problem_type: Option<String>,
    pub id2label: BTreeMap<usize, String>,
    pub architectures: Vec<String>,
}

/// Keys with a single implemented value: anything else changes the computation.
fn only_values() -> [(&'static str, Value); 8] {
    let no = Value::Bool(false);
    let empty = Value::Object(Map::new());
    [
        ("position_embedding_type", Value::from("absolute")),
        ("is_decoder", no.clone()),
        ("add_cross_attention", no.clone()),
        ("is_encoder_decoder", no),
        ("cross_attention_hidden_size", Value::Null),
        ("pruned_heads", empty.clone()),
        ("quantization_config", Value::Null),
        ("auto_map", empty),
    ]
}

impl BertConfig {
    /// Checks the object of a config.json and turns it into a configuration.
    pub(super) fn from_map(map: &Map<String, Value>) -> Result<Self> {
        let fields = Fields(map);
        fields.check_only_values(&only_values())?;
        let config = Self::read(&fields)?;
        config.check()?;
        Ok(config)
    }

    /// Checks the text of a config.json and turns it into a configuration.
    pub fn from_json(text: &str) -> Result<Self> {
        Config::from_json(text)?.try_into()
    }

    fn read(fields: &Fields) -> Result<Self> {
        let model_type = fields.text("model_type")?.unwrap_or_default();
        // Where the defaults of Transformers' RobertaConfig and XLMRobertaConfig differ from
        // BertConfig's.
        let vocab_size = if model_type == "roberta" { 50265 } else { 30522 };
        let pad_token_id = if model_type == "bert" { 0 } else { 1 };
        Ok(Self {
            model_type,
            vocab_size: fields.size("vocab_size", vocab_size)?,
            hidden_size: fields.size("hidden_size", 768)?,
            num_hidden_layers: fields.size("num_hidden_layers", 12)?,
            num_attention_heads: fields.size("num_attention_heads", 12)?,
            intermediate_size: fields.size("intermediate_size", 3072)?,
            hidden_act: fields.text("hidden_act")?.unwrap_or("gelu".into()),
            hidden_dropout_prob: fields.probability("hidden_dropout_prob")?.unwrap_or(0.1),
            attention_probs_dropout_prob: fields
                .probability("attention_probs_dropout_prob")?
                .unwrap_or(0.1),
            classifier_dropout: fields.probability("classifier_dropout")?,
            max_position_embeddings: fields.size("max_position_embeddings", 512)?,
            type_vocab_size: fields.size("type_vocab_size", 2)?,
            initializer_range: fields.positive("initializer_range", 0.02)?,
            layer_norm_eps: fields.positive("layer_norm_eps", 1e-12)?,
            pad_token_id: fields.id("pad_token_id", pad_token_id)?,
            tie_word_embeddings: fields.flag("tie_word_embeddings", true)?,
            problem_type: fields.problem_type()?,
            id2label: fields.id2label()?,
            architectures: fields.architectures()?,
        })
    }

    fn check(&self) -> Result<()> {
        activation(&self.hidden_act)?;
        check_heads(self.hidden_size, self.num_attention_heads)?;
        match self.pad_token_id {
            None if self.is_bert() => Ok(()),
            None => Err(config_error!(
                "{} counts positions from pad_token_id, which is null here",
                self.model_type
            )),
            Some(pad) if pad >= self.vocab_size => Err(config_error!(
                "pad_token_id {pad} lies outside the vocabulary of {}",
                self.vocab_size
            )),
            Some(pad) if self.max_tokens() == 0 => Err(config_error!(
                "max_position_embeddings {} leaves no position for a token: {} starts at pad_token_id + 1 = {}",
                self.max_position_embeddings,
                self.model_type,
                pad + 1
            )),
            Some(_) => Ok(()),
        }
    }

    /// Whether this is BERT itself, and not one of the RoBERTa family.
    pub fn is_bert(&self) -> bool {
        self.model_type == "bert"
    }

    /// How many labels a classification head has.
    pub fn num_labels(&self) -> usize {
        self.id2label.len()
    }

    /// The inverse of `id2label`.
    pub fn label2id(&self) -> BTreeMap<String, usize> {
        self.id2label.iter().map(|(id, label)| (label.clone(), *id)).collect()
    }

    /// What inputs must keep to; the RoBERTa family gives no position to pads.
    pub fn limits(&self) -> Limits {
        Limits {
            vocab_size: self.vocab_size,
            type_vocab_size: self.type_vocab_size,
            max_tokens: self.max_tokens(),
            max_position_embeddings: self.max_position_embeddings,
            uncounted: self.pad_token_id.filter(|_| !self.is_bert()),
        }
    }

    /// How many tokens a text may have: the RoBERTa family's positions start after the pad id.
    pub fn max_tokens(&self) -> usize {
        match self.pad_token_id {
            Some(pad) if !self.is_bert() => {
                self.max_position_embeddings.saturating_sub(pad + 1)
            }
            _ => self.max_position_embeddings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<BertConfig> {
        BertConfig::from_json(text)
    }

    #[test]
    fn defaults_are_those_of_transformers() {
        let bert = read(r#"{"model_type": "bert"}"#).unwrap();
        assert_eq!(
            (bert.vocab_size, bert.hidden_size, bert.pad_token_id),
            (30522, 768, Some(0))
        );
        assert_eq!(
            (bert.max_tokens(), bert.num_labels(), bert.tie_word_embeddings),
            (512, 2, true)
        );
        let roberta =
            read(r#"{"model_type": "roberta", "max_position_embeddings": 514}"#).unwrap();
        assert_eq!(
            (roberta.vocab_size, roberta.pad_token_id, roberta.max_tokens()),
            (50265, Some(1), 512)
        );
    }

    #[test]
    fn labels_come_by_name_or_by_number() {
        let named =
            read(r#"{"model_type": "bert", "id2label": {"1": "b", "0": "a", "2": "c"}}"#)
                .unwrap();
        assert_eq!((named.num_labels(), named.label2id()["c"]), (3, 2));
        let counted = read(r#"{"model_type": "bert", "num_labels": 4}"#).unwrap();
        assert_eq!(counted.id2label[&3], "LABEL_3");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = [
            ("", "not valid JSON"),
            ("[]", "JSON object"),
            ("{}", "model_type is missing"),
            (r#"{"model_type": "gpt2"}"#, "gpt2"),
            (r#"{"model_type": "bert", "hidden_act": "geglu"}"#, "geglu"),
            (r#"{"model_type": "bert", "hidden_size": 10}"#, "not a multiple"),
            (r#"{"model_type": "bert", "hidden_size": 0}"#, "hidden_size is 0"),
            (r#"{"model_type": "bert", "hidden_size": "8"}"#, "hidden_size"),
            (r#"{"model_type": "bert", "num_hidden_layers": 1.5}"#, "num_hidden_layers is 1.5"),
            (r#"{"model_type": "bert", "vocab_size": 1e30}"#, "vocab_size"),
            (r#"{"model_type": "bert", "layer_norm_eps": 0}"#, "layer_norm_eps"),
            (r#"{"model_type": "bert", "hidden_dropout_prob": 2}"#, "probability"),
            (r#"{"model_type": "bert", "pad_token_id": 40000}"#, "outside the vocabulary"),
            (r#"{"model_type": "bert", "is_decoder": true}"#, "is_decoder is true"),
            (
                r#"{"model_type": "bert", "position_embedding_type": "relative_key"}"#,
                "relative_key",
            ),
            (r#"{"model_type": "bert", "problem_type": "ranking"}"#, "ranking"),
            (r#"{"model_type": "bert", "id2label": {"0": "a", "2": "b"}}"#, "id2label"),
            (
                r#"{"model_type": "bert", "id2label": {"0": "a"}, "num_labels": 2}"#,
                "num_labels is 2",
            ),
            (r#"{"model_type": "bert", "num_labels": 10000000}"#, "cannot be meant"),
            (r#"{"model_type": "bert", "tie_word_embeddings": "yes"}"#, "tie_word_embeddings"),
            (r#"{"model_type": "roberta", "pad_token_id": null}"#, "pad_token_id"),
            (
                r#"{"model_type": "roberta", "max_position_embeddings": 2}"#,
                "no position for a token",
            ),
        ];
        for (text, part) in wrong {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        let deep = "[".repeat(100_000);
        assert!(read(&deep).is_err());
    }
}
