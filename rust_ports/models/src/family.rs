//! What a family of models is, for whoever learns at run time which one a model is of: its
//! configuration, its architectures, how they are built.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use encoders_kernels::config_error;
use serde_json::{Map, Value};

use crate::config::{EncoderConfig, Limits};
use crate::error::Result;
use crate::heads::{Encoder, Head};
use crate::network::Network;
use crate::weights::Weights;

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

    /// The class by which Transformers opens the tokenizer of a folder that names none.
    pub fn tokenizer(&self) -> &'static str {
        let Family { model_types, tokenizers, .. } = self.family();
        let place = model_types.iter().position(|known| *known == self.model_type());
        tokenizers[place.unwrap_or_default()]
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

/// What a family is, for whoever learns at run time which one a model is of.
#[derive(Debug)]
pub struct Family {
    /// The names that config.json has for it.
    pub model_types: &'static [&'static str],
    /// For each of these the class by which Transformers opens the tokenizer of a folder that
    /// names none.
    pub tokenizers: &'static [&'static str],
    /// What the names of Transformers' classes begin with; the first is the usual one.
    pub class_prefixes: &'static [&'static str],
    /// The attribute, and so the key prefix, of the encoder under a head.
    pub base: &'static str,
    /// Whether it is made for embeddings: the mean of a text's tokens, with length one, where
    /// no modules.json says otherwise.
    pub embeds: bool,
    /// Whether a text that is too long is an error, and not cut, unless its caller wants that.
    pub refuses_long_texts: bool,
    /// Checks the object of a config.json and turns it into a configuration.
    pub read: fn(&Map<String, Value>) -> Result<Config>,
    /// The encoder by itself, and with each head.
    pub architectures: &'static [Architecture],
}

/// A network that can be built from a configuration and tensors.
pub trait Build: Sized {
    /// The configuration that it is built from.
    type Config: FamilyConfig;
    /// What the name of its architecture ends in: "Model", "ForMaskedLM", ...
    const SUFFIX: &'static str;
    /// What the keys of the head begin with that a checkpoint may name and not hold: sentence
    /// encoders often go on naming the masked language model that they were trained from, as
    /// all-mpnet-base-v2 does. Without its head they are the encoder by itself.
    const HEAD: &'static [&'static str] = &[];
    /// What the keys begin with that checkpoints may hold beside its own, and that nothing
    /// reads.
    const UNREAD: &'static [&'static str] = &[];
    /// (key, key of the tensor that it shares), which a checkpoint may repeat if the
    /// configuration ties word embeddings.
    const TIES: &'static [(&'static str, &'static str)] = &[];

    /// Takes its tensors from `weights`.
    fn build(config: &Self::Config, weights: &Weights) -> Result<Self>;
}

/// A row of a family's table: an architecture, and how to build it.
#[derive(Debug)]
pub struct Architecture {
    /// [`Build::SUFFIX`].
    pub suffix: &'static str,
    /// Whether it is an encoder by itself.
    pub is_base: bool,
    /// [`Build::HEAD`].
    pub head: &'static [&'static str],
    /// [`Build::UNREAD`].
    pub unread: &'static [&'static str],
    /// [`Build::TIES`].
    pub ties: &'static [(&'static str, &'static str)],
    /// Takes the network's tensors from the weights.
    pub build: fn(&Config, &Weights) -> Result<Network>,
}

impl Architecture {
    /// An encoder by itself.
    pub const fn base<N: Build + Encoder + 'static>() -> Self {
        Self::of::<N>(true, |config, weights| {
            Ok(Network::Base(Arc::new(N::build(config.get()?, weights)?)))
        })
    }

    /// An encoder with a head.
    pub const fn head<N: Build + Head + 'static>() -> Self {
        Self::of::<N>(false, |config, weights| {
            Ok(Network::Headed(Arc::new(N::build(config.get()?, weights)?)))
        })
    }

    const fn of<N: Build>(
        is_base: bool,
        build: fn(&Config, &Weights) -> Result<Network>,
    ) -> Self {
        let (suffix, head, unread, ties) = (N::SUFFIX, N::HEAD, N::UNREAD, N::TIES);
        Self { suffix, is_base, head, unread, ties, build }
    }
}
