//! The configuration of ModernBERT, in the spelling of Transformers 5 and in the older one of
//! the hub's checkpoints.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::fields::{Fields, check_heads, one_of};
use super::{Config, Limits};
use crate::error::{Error, Result, config_error};
use crate::layers::activation;

/// What config.json calls this model.
pub const MODEL_TYPE: &str = "modernbert";

/// Of so many layers the first is a full one, where config.json does not say.
const EVERY: usize = 3;

/// The deepest encoder ever trained has fewer; a list of more layers cannot be meant.
const MOST_LAYERS: usize = 1000;

/// What the layers of one kind attend to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LayerType {
    FullAttention,
    SlidingAttention,
}

impl LayerType {
    pub const ALL: [Self; 2] = [Self::FullAttention, Self::SlidingAttention];
    const NAMES: [&'static str; 2] = ["full_attention", "sliding_attention"];

    /// The name in config.json.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Result<Self> {
        one_of("a kind of layer", name, &Self::NAMES)?;
        Ok(Self::ALL[usize::from(name == Self::NAMES[1])])
    }

    fn default_theta(self) -> f64 {
        match self {
            Self::FullAttention => 160_000.0,
            Self::SlidingAttention => 10_000.0,
        }
    }

    /// Where an older config.json has the base of RoPE's frequencies.
    fn old_theta(self) -> &'static str {
        match self {
            Self::FullAttention => "global_rope_theta",
            Self::SlidingAttention => "local_rope_theta",
        }
    }
}

/// The configuration of ModernBERT, under Transformers' names.
#[derive(Debug, Clone, PartialEq)]
pub struct ModernBertConfig {
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub intermediate_size: usize,
    /// One of [`ACTIVATIONS`](crate::layers::ACTIVATIONS).
    pub hidden_activation: String,
    pub max_position_embeddings: usize,
    pub initializer_range: f64,
    pub initializer_cutoff_factor: f64,
    pub norm_eps: f64,
    pub norm_bias: bool,
    pub pad_token_id: Option<usize>,
    pub attention_bias: bool,
    pub attention_dropout: f64,
    /// The kind of each layer.
    pub layer_types: Vec<LayerType>,
    /// For each kind of layer the base of RoPE's frequencies.
    pub rope_thetas: BTreeMap<LayerType, f64>,
    /// How many tokens a sliding layer sees, half of them on either side.
    pub local_attention: usize,
    pub embedding_dropout: f64,
    pub mlp_bias: bool,
    pub mlp_dropout: f64,
    pub decoder_bias: bool,
    /// "cls" or "mean".
    pub classifier_pooling: String,
    pub classifier_dropout: f64,
    /// Of the prediction head; the classifier has a bias always.
    pub classifier_bias: bool,
    pub classifier_activation: String,
    /// Whether only labelled positions are scored, where there are labels.
    pub sparse_prediction: bool,
    pub sparse_pred_ignore_index: i64,
    /// Whether a masked-LM decoder shares the word embeddings' weight.
    pub tie_word_embeddings: bool,
    /// One of [`PROBLEM_TYPES`](super::PROBLEM_TYPES), or None: then the labels decide.
    pub problem_type: Option<String>,
    pub id2label: BTreeMap<usize, String>,
    pub architectures: Vec<String>,
}

/// Keys with a single implemented value: anything else changes the computation.
fn only_values() -> [(&'static str, Value); 9] {
    [
        ("head_dim", Value::Null),
        ("is_decoder", json!(false)),
        ("add_cross_attention", json!(false)),
        ("is_encoder_decoder", json!(false)),
        ("cross_attention_hidden_size", Value::Null),
        ("pruned_heads", json!({})),
        ("quantization_config", Value::Null),
        ("auto_map", json!({})),
        ("rope_scaling", Value::Null),
    ]
}

impl ModernBertConfig {
    /// Checks the object of a config.json and turns it into a configuration.
    pub(super) fn from_map(map: &Map<String, Value>) -> Result<Self> {
        let fields = Fields(map);
        fields.check_only_values(&only_values())?;
        if let Some(kind) = fields.text("position_embedding_type")? {
            // Written by old versions, and never read.
            one_of("position_embedding_type", &kind, &["absolute", "rope"])?;
        }
        let config = Self::read(&fields)?;
        config.check()?;
        Ok(config)
    }

    /// Checks the text of a config.json and turns it into a configuration.
    pub fn from_json(text: &str) -> Result<Self> {
        Config::from_json(text)?.try_into()
    }

    fn read(fields: &Fields) -> Result<Self> {
        let num_hidden_layers = fields.size("num_hidden_layers", 22)?;
        if num_hidden_layers > MOST_LAYERS {
            return Err(config_error!(
                "num_hidden_layers is {num_hidden_layers}; no encoder has more than {MOST_LAYERS}"
            ));
        }
        let name = |key, default: &str| -> Result<String> {
            Ok(fields.text(key)?.unwrap_or(default.into()))
        };
        let share = |key| -> Result<f64> { Ok(fields.probability(key)?.unwrap_or(0.0)) };
        Ok(Self {
            vocab_size: fields.size("vocab_size", 50368)?,
            hidden_size: fields.size("hidden_size", 768)?,
            num_hidden_layers,
            num_attention_heads: fields.size("num_attention_heads", 12)?,
            intermediate_size: fields.size("intermediate_size", 1152)?,
            hidden_activation: name("hidden_activation", "gelu")?,
            max_position_embeddings: fields.size("max_position_embeddings", 8192)?,
            initializer_range: fields.positive("initializer_range", 0.02)?,
            initializer_cutoff_factor: fields.positive("initializer_cutoff_factor", 2.0)?,
            norm_eps: fields.positive("norm_eps", 1e-5)?,
            norm_bias: fields.flag("norm_bias", false)?,
            pad_token_id: fields.id("pad_token_id", 50283)?,
            attention_bias: fields.flag("attention_bias", false)?,
            attention_dropout: share("attention_dropout")?,
            layer_types: layer_types(fields, num_hidden_layers)?,
            rope_thetas: rope_thetas(fields)?,
            local_attention: fields.size("local_attention", 128)?,
            embedding_dropout: share("embedding_dropout")?,
            mlp_bias: fields.flag("mlp_bias", false)?,
            mlp_dropout: share("mlp_dropout")?,
            decoder_bias: fields.flag("decoder_bias", true)?,
            classifier_pooling: name("classifier_pooling", "cls")?,
            classifier_dropout: share("classifier_dropout")?,
            classifier_bias: fields.flag("classifier_bias", false)?,
            classifier_activation: name("classifier_activation", "gelu")?,
            sparse_prediction: fields.flag("sparse_prediction", false)?,
            sparse_pred_ignore_index: ignore_index(fields)?,
            tie_word_embeddings: fields.flag("tie_word_embeddings", true)?,
            problem_type: fields.problem_type()?,
            id2label: fields.id2label()?,
            architectures: fields.architectures()?,
        })
    }

    fn check(&self) -> Result<()> {
        activation(&self.hidden_activation)?;
        activation(&self.classifier_activation)?;
        one_of("classifier_pooling", &self.classifier_pooling, &["cls", "mean"])?;
        check_heads(self.hidden_size, self.num_attention_heads)?;
        if !self.head_dim().is_multiple_of(2) {
            return Err(config_error!(
                "hidden_size / num_attention_heads is {}; RoPE turns pairs, so it must be even",
                self.head_dim()
            ));
        }
        match self.pad_token_id {
            Some(pad) if pad >= self.vocab_size => Err(config_error!(
                "pad_token_id {pad} lies outside the vocabulary of {}",
                self.vocab_size
            )),
            _ => Ok(()),
        }
    }

    /// How many features a head has.
    pub fn head_dim(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// For each kind of layer how many tokens it sees on either side; None is all of them.
    pub fn windows(&self) -> BTreeMap<LayerType, Option<usize>> {
        BTreeMap::from([
            (LayerType::FullAttention, None),
            (LayerType::SlidingAttention, Some(self.local_attention / 2)),
        ])
    }

    /// How many labels a classification head has.
    pub fn num_labels(&self) -> usize {
        self.id2label.len()
    }

    /// What inputs must keep to. Rotary positions have no end; max_position_embeddings is what
    /// the model was trained for. Of token types there is 0 only.
    pub fn limits(&self) -> Limits {
        Limits {
            vocab_size: self.vocab_size,
            type_vocab_size: 1,
            max_tokens: usize::MAX,
            max_position_embeddings: self.max_position_embeddings,
            uncounted: None,
        }
    }
}

/// layer_types; or, in the old spelling, a full layer and n - 1 sliding ones, over and over.
fn layer_types(fields: &Fields, layers: usize) -> Result<Vec<LayerType>> {
    let Some(value) = fields.get("layer_types") else {
        let every = fields.integer("global_attn_every_n_layers", 1)?;
        let kind = |number: usize| match number % every.unwrap_or(EVERY) {
            0 => LayerType::FullAttention,
            _ => LayerType::SlidingAttention,
        };
        return Ok((0..layers).map(kind).collect());
    };
    let wrong =
        || config_error!("layer_types is {value}; it must be a list of kinds of layers");
    let kinds = value.as_array().ok_or_else(wrong)?;
    if kinds.len() != layers {
        return Err(config_error!(
            "layer_types names {} layers, num_hidden_layers {layers}",
            kinds.len()
        ));
    }
    kinds.iter().map(|kind| LayerType::from_name(kind.as_str().ok_or_else(wrong)?)).collect()
}

/// rope_parameters by kind of layer; or, in the old spelling, two keys of their own.
fn rope_thetas(fields: &Fields) -> Result<BTreeMap<LayerType, f64>> {
    let nothing = Map::new();
    let object = |key: &str, value| match value {
        None | Some(&Value::Null) => Ok(&nothing),
        Some(Value::Object(map)) => Ok(map),
        Some(other) => Err(config_error!("{key} is {other}; it must be an object")),
    };
    let rope = object("rope_parameters", fields.get("rope_parameters"))?;
    for key in rope.keys() {
        LayerType::from_name(key).map_err(|error| error.at("rope_parameters"))?;
    }
    let theta = |kind: LayerType| {
        let parameters = object(kind.name(), rope.get(kind.name()))?;
        for key in parameters.keys() {
            one_of("a key", key, &["rope_type", "rope_theta"])?;
        }
        let parameters = Fields(parameters);
        if let Some(rope_type) = parameters.text("rope_type")? {
            one_of("rope_type", &rope_type, &["default"])?;
        }
        let old = fields.positive(kind.old_theta(), kind.default_theta())?;
        Ok((kind, parameters.positive("rope_theta", old)?))
    };
    let theta = |kind: LayerType| {
        theta(kind).map_err(|error: Error| error.at(format!("rope_parameters.{}", kind.name())))
    };
    LayerType::ALL.into_iter().map(theta).collect()
}

fn ignore_index(fields: &Fields) -> Result<i64> {
    match fields.get("sparse_pred_ignore_index") {
        None => Ok(-100),
        Some(value) => value.as_i64().ok_or_else(|| {
            config_error!("sparse_pred_ignore_index is {value}; it must be a whole number")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::LayerType::{FullAttention, SlidingAttention};
    use super::*;

    fn read(mut changes: Value) -> Result<ModernBertConfig> {
        changes["model_type"] = json!(MODEL_TYPE);
        ModernBertConfig::from_json(&changes.to_string())
    }

    #[test]
    fn defaults_are_those_of_transformers() {
        let config = read(json!({})).unwrap();
        assert_eq!((config.vocab_size, config.num_hidden_layers), (50368, 22));
        assert_eq!((config.head_dim(), config.pad_token_id), (64, Some(50283)));
        assert_eq!(
            config.layer_types[..4],
            [FullAttention, SlidingAttention, SlidingAttention, FullAttention]
        );
        assert_eq!(config.rope_thetas[&FullAttention], 160_000.0);
        assert_eq!(config.rope_thetas[&SlidingAttention], 10_000.0);
        assert_eq!(config.windows()[&SlidingAttention], Some(64));
        assert_eq!(config.windows()[&FullAttention], None);
        let odd = read(json!({"local_attention": 5})).unwrap();
        assert_eq!(odd.windows()[&SlidingAttention], Some(2));
    }

    #[test]
    fn both_spellings_mean_the_same() {
        let old = read(json!({
            "num_hidden_layers": 4, "global_attn_every_n_layers": 2,
            "global_rope_theta": 500.0, "local_rope_theta": 70.0, "position_embedding_type": "absolute",
        }));
        let new = read(json!({
            "num_hidden_layers": 4,
            "layer_types": ["full_attention", "sliding_attention", "full_attention", "sliding_attention"],
            "rope_parameters": {
                "full_attention": {"rope_type": "default", "rope_theta": 500.0},
                "sliding_attention": {"rope_theta": 70},
            },
        }));
        assert_eq!(old.unwrap(), new.unwrap());
        let half =
            read(json!({"local_rope_theta": 70.0, "rope_parameters": {"full_attention": {}}}));
        let half = half.unwrap().rope_thetas;
        assert_eq!((half[&FullAttention], half[&SlidingAttention]), (160_000.0, 70.0));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = [
            (json!({"layer_types": ["full_attention"]}), "names 1 layers"),
            (json!({"layer_types": "full_attention"}), "must be a list"),
            (
                json!({"num_hidden_layers": 1, "layer_types": ["linear_attention"]}),
                "linear_attention",
            ),
            (json!({"num_hidden_layers": 1001}), "no encoder"),
            (json!({"global_attn_every_n_layers": 0}), "global_attn_every_n_layers is 0"),
            (json!({"rope_parameters": 3}), "rope_parameters is 3"),
            (json!({"rope_parameters": {"rope_theta": 1e4}}), "rope_theta"),
            (json!({"rope_parameters": {"full_attention": {"rope_type": "yarn"}}}), "yarn"),
            (json!({"rope_parameters": {"full_attention": {"factor": 2}}}), "factor"),
            (
                json!({"rope_parameters": {"full_attention": {"rope_theta": 0}}}),
                "greater than 0",
            ),
            (json!({"local_rope_theta": "big"}), "local_rope_theta"),
            (json!({"rope_scaling": {"type": "linear"}}), "rope_scaling"),
            (json!({"position_embedding_type": "sinusoidal"}), "sinusoidal"),
            (json!({"head_dim": 32}), "head_dim is 32"),
            (json!({"hidden_size": 36}), "must be even"),
            (json!({"hidden_size": 35}), "not a multiple"),
            (json!({"local_attention": 0}), "local_attention is 0"),
            (json!({"hidden_activation": "geglu"}), "geglu"),
            (json!({"classifier_pooling": "max"}), "max"),
            (json!({"norm_bias": 1}), "norm_bias is 1"),
            (json!({"vocab_size": 100}), "outside the vocabulary"),
            (json!({"sparse_pred_ignore_index": 0.5}), "sparse_pred_ignore_index"),
        ];
        for (changes, part) in wrong {
            let error = read(changes.clone()).unwrap_err().to_string();
            assert!(error.contains(part), "{changes}: {error}");
        }
    }
}
