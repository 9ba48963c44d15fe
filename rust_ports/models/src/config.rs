//! What a checkpoint's config.json says.
//!
//! Every value that shapes the computation is read and checked. One that is not implemented
//! raises: a model that ignores part of its configuration loads without complaint and is wrong.

mod fields;
mod shared;

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use encoders_kernels::config_error;
use serde_json::Value;

pub(crate) use fields::{Fields, one_of};
pub(crate) use shared::Defaults;
pub use shared::{EncoderConfig, LayerType, Limits, PROBLEM_TYPES, TransformerConfig};

use crate::error::Result;
use crate::families::{Architecture, FAMILIES, Family};

/// What every family's configuration answers.
pub trait FamilyConfig: Any + Debug + Send + Sync {
    /// The family that it is of.
    fn family(&self) -> &'static Family;

    /// What it shares with the configurations of all encoders.
    fn encoder(&self) -> &EncoderConfig;

    /// What inputs must keep to.
    fn limits(&self) -> Limits;
}

/// The configuration of any encoder.
#[derive(Debug, Clone)]
pub struct Config(Arc<dyn FamilyConfig>);

impl<C: FamilyConfig> From<C> for Config {
    fn from(config: C) -> Self {
        Self(Arc::new(config))
    }
}

impl Config {
    /// Checks the text of a config.json and turns it into a configuration.
    pub fn from_json(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text)
            .map_err(|problem| config_error!("this is not valid JSON: {problem}"))?;
        let Value::Object(map) = value else {
            return Err(config_error!("a configuration is a JSON object, not {value}"));
        };
        let known = || FAMILIES.map(|family| family.model_types.join(", ")).join(", ");
        let Some(name) = map.get("model_type").and_then(Value::as_str) else {
            return Err(config_error!("model_type is missing; supported: {}", known()));
        };
        match FAMILIES.iter().find(|family| family.model_types.contains(&name)) {
            Some(family) => (family.read)(&map),
            None => Err(config_error!(
                "model_type is {name:?}, which is not implemented; supported: {}",
                known()
            )),
        }
    }

    /// The configuration as that of one family.
    pub fn get<C: FamilyConfig>(&self) -> Result<&C> {
        let any: &dyn Any = &*self.0;
        any.downcast_ref().ok_or_else(|| {
            config_error!(
                "model_type is {:?}, whose configuration is not a {}",
                self.model_type(),
                std::any::type_name::<C>().rsplit("::").next().unwrap_or_default()
            )
        })
    }

    /// The family that it is of.
    pub fn family(&self) -> &'static Family {
        self.0.family()
    }

    /// What it shares with the configurations of all encoders.
    pub fn encoder(&self) -> &EncoderConfig {
        self.0.encoder()
    }

    /// The name of the kind of model.
    pub fn model_type(&self) -> &str {
        &self.encoder().model_type
    }

    /// What the names of Transformers' classes for this configuration begin with; the first is
    /// the usual one.
    pub fn class_prefixes(&self) -> &'static [&'static str] {
        self.family().class_prefixes
    }

    /// The attribute, and so the key prefix, of the encoder under a head.
    pub fn base(&self) -> &'static str {
        self.family().base
    }

    /// The architectures that config.json names.
    pub fn architectures(&self) -> &[String] {
        &self.encoder().architectures
    }

    /// The name of each label.
    pub fn id2label(&self) -> &BTreeMap<usize, String> {
        &self.encoder().id2label
    }

    /// What inputs must keep to.
    pub fn limits(&self) -> Limits {
        self.0.limits()
    }

    /// The architecture of that name: RobertaForMaskedLM and XLMRobertaForMaskedLM are one.
    pub fn architecture(&self, name: &str) -> Result<&'static Architecture> {
        let suffixes =
            self.class_prefixes().iter().filter_map(|family| name.strip_prefix(family));
        let known = &self.family().architectures;
        let found =
            suffixes.flat_map(|suffix| known.iter().filter(move |a| a.suffix == suffix));
        found.into_iter().next().ok_or_else(|| {
            config_error!(
                "architecture {name} is not implemented for model_type {:?}; supported: {} \
                 followed by {}",
                self.model_type(),
                self.class_prefixes()[0],
                known.iter().map(|known| known.suffix).collect::<Vec<_>>().join(", ")
            )
        })
    }

    /// Transformers' usual name of a class of this family: what it begins with, and `suffix`.
    pub fn class(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.class_prefixes()[0])
    }

    /// The name of the architecture that config.json means: the first it names, or else the
    /// encoder by itself.
    pub fn named_architecture(&self) -> String {
        self.architectures().first().cloned().unwrap_or_else(|| self.class("Model"))
    }
}
