//! The configuration of ModernBERT, in the spelling of Transformers 5 and in the older one of
//! the hub's checkpoints.

use std::collections::BTreeMap;
use std::ops::Deref;

use encoders_kernels::config_error;
use serde_json::{Map, Value};

use super::FAMILY;
use crate::config::{
    Defaults, EncoderConfig, Fields, LayerType, Limits, TransformerConfig, one_of,
};
use crate::error::{Error, Result};
use crate::family::{Config, Family, FamilyConfig};

/// Of so many layers the first is a full one, where config.json does not say.
const EVERY: usize = 3;

/// The configuration of ModernBERT, under Transformers' names.
#[derive(Debug, Clone, PartialEq)]
pub struct ModernBertConfig {
    /// What every transformer has; its fields are read through this one.
    pub transformer: TransformerConfig,
    /// One of [`ACTIVATIONS`](crate::layers::ACTIVATIONS).
    pub hidden_activation: String,
    /// How many standard deviations out weights are cut before training.
    pub initializer_cutoff_factor: f64,
    /// What layer norms add to the variance.
    pub norm_eps: f64,
    /// Whether layer norms shift.
    pub norm_bias: bool,
    /// Whether attention's projections have a bias.
    pub attention_bias: bool,
    /// The share of attention that training drops.
    pub attention_dropout: f64,
    /// The kind of each layer.
    pub layer_types: Vec<LayerType>,
    /// For each kind of layer the base of RoPE's frequencies.
    pub rope_thetas: BTreeMap<LayerType, f64>,
    /// How many tokens a sliding layer sees, half of them on either side.
    pub local_attention: usize,
    /// The share of the embeddings that training drops.
    pub embedding_dropout: f64,
    /// Whether the gated network's projections have a bias.
    pub mlp_bias: bool,
    /// The share of the gated network that training drops.
    pub mlp_dropout: f64,
    /// Whether a masked-LM decoder has a bias.
    pub decoder_bias: bool,
    /// "cls" or "mean".
    pub classifier_pooling: String,
    /// The share of features that training drops before a classifier.
    pub classifier_dropout: f64,
    /// Of the prediction head; the classifier has a bias always.
    pub classifier_bias: bool,
    /// One of [`ACTIVATIONS`](crate::layers::ACTIVATIONS), of the prediction head.
    pub classifier_activation: String,
    /// Whether only labelled positions are scored, where there are labels.
    pub sparse_prediction: bool,
    /// The label of a position that is not scored then.
    pub sparse_pred_ignore_index: i64,
}

/// What configurations say of positions, and nothing reads.
const POSITIONS: [&str; 3] = ["absolute", "rope", "sans_pos"];

impl ModernBertConfig {
    /// Checks the text of a config.json and turns it into a configuration.
    pub fn from_json(text: &str) -> Result<Self> {
        Config::from_json(text)?.get().cloned()
    }

    pub(super) fn from_map(map: &Map<String, Value>) -> Result<Config> {
        let fields = Fields::new(map);
        fields
            .check_only_values(&[("head_dim", Value::Null), ("rope_scaling", Value::Null)])?;
        if let Some(kind) = fields.text("position_embedding_type")? {
            one_of("position_embedding_type", &kind, &POSITIONS)?;
        }
        let config = Self::read(&fields)?;
        config.check()?;
        Ok(config.into())
    }

    fn read(fields: &Fields) -> Result<Self> {
        let defaults = Defaults {
            vocab_size: 50368,
            pad_token_id: 50283,
            layers: 22,
            intermediate_size: 1152,
            positions: 8192,
            ..Defaults::BERT
        };
        let transformer = TransformerConfig::read(fields, &defaults)?;
        let name = |key, default: &str| -> Result<String> {
            Ok(fields.text(key)?.unwrap_or(default.into()))
        };
        let share = |key| -> Result<f64> { Ok(fields.probability(key)?.unwrap_or(0.0)) };
        Ok(Self {
            hidden_activation: fields.activation("hidden_activation", "gelu")?,
            initializer_cutoff_factor: fields.positive("initializer_cutoff_factor", 2.0)?,
            norm_eps: fields.positive("norm_eps", 1e-5)?,
            norm_bias: fields.flag("norm_bias", false)?,
            attention_bias: fields.flag("attention_bias", false)?,
            attention_dropout: share("attention_dropout")?,
            layer_types: layer_types(fields, transformer.num_hidden_layers)?,
            rope_thetas: rope_thetas(fields)?,
            local_attention: local_attention(fields)?,
            embedding_dropout: share("embedding_dropout")?,
            mlp_bias: fields.flag("mlp_bias", false)?,
            mlp_dropout: share("mlp_dropout")?,
            decoder_bias: fields.flag("decoder_bias", true)?,
            classifier_pooling: name("classifier_pooling", "cls")?,
            classifier_dropout: share("classifier_dropout")?,
            classifier_bias: fields.flag("classifier_bias", false)?,
            classifier_activation: fields.activation("classifier_activation", "gelu")?,
            sparse_prediction: fields.flag("sparse_prediction", false)?,
            sparse_pred_ignore_index: ignore_index(fields)?,
            transformer,
        })
    }

    fn check(&self) -> Result<()> {
        one_of("classifier_pooling", &self.classifier_pooling, &["cls", "mean"])?;
        match self.head_dim().is_multiple_of(2) {
            true => Ok(()),
            false => Err(config_error!(
                "hidden_size / num_attention_heads is {}; RoPE turns pairs, so it must be even",
                self.head_dim()
            )),
        }
    }

    /// For each kind of layer how many tokens it sees on either side; None is all of them.
    pub fn windows(&self) -> BTreeMap<LayerType, Option<usize>> {
        BTreeMap::from([
            (LayerType::FullAttention, None),
            (LayerType::SlidingAttention, Some(self.local_attention / 2)),
        ])
    }
}

impl FamilyConfig for ModernBertConfig {
    fn family(&self) -> &'static Family {
        &FAMILY
    }

    fn encoder(&self) -> &EncoderConfig {
        self
    }

    /// Rotary positions have no end; max_position_embeddings is what the model was trained for.
    /// Of token types there is 0 only.
    fn limits(&self) -> Limits {
        Limits { max_tokens: usize::MAX, relative: true, ..self.usual_limits() }
    }
}

impl Deref for ModernBertConfig {
    type Target = TransformerConfig;

    fn deref(&self) -> &TransformerConfig {
        &self.transformer
    }
}

/// The whole window. A config.json may have half of it, which Transformers then believes.
fn local_attention(fields: &Fields) -> Result<usize> {
    fields.refuse_null("sliding_window")?;
    match fields.integer("sliding_window", 1)? {
        Some(half) => Ok(2 * half),
        None => fields.size("local_attention", 128),
    }
}

/// The base of RoPE's frequencies where config.json has none.
fn default_theta(kind: LayerType) -> f64 {
    match kind {
        LayerType::FullAttention => 160_000.0,
        LayerType::SlidingAttention => 10_000.0,
    }
}

/// Where an older config.json has the base of RoPE's frequencies.
fn old_theta(kind: LayerType) -> &'static str {
    match kind {
        LayerType::FullAttention => "global_rope_theta",
        LayerType::SlidingAttention => "local_rope_theta",
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
        let parameters = Fields::new(parameters);
        if let Some(rope_type) = parameters.text("rope_type")? {
            one_of("rope_type", &rope_type, &["default"])?;
        }
        let old = fields.positive(old_theta(kind), default_theta(kind))?;
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
