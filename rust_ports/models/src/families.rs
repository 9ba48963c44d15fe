//! The families of models, and the one list of them.
//!
//! To add a family is to add its module and a line here.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::config::{Config, FamilyConfig};
use crate::error::Result;
use crate::heads::{Encoder, Head};
use crate::model::Network;
use crate::weights::Weights;
use crate::{bert, distilbert, electra, modernbert, mpnet, roberta};

/// Every family that there is.
pub static FAMILIES: [&Family; 6] = [
    &bert::FAMILY,
    &roberta::FAMILY,
    &modernbert::FAMILY,
    &distilbert::FAMILY,
    &mpnet::FAMILY,
    &electra::FAMILY,
];

/// What a family is, for whoever learns at run time which one a model is of.
#[derive(Debug)]
pub struct Family {
    /// The names that config.json has for it.
    pub model_types: &'static [&'static str],
    /// What the names of Transformers' classes begin with; the first is the usual one.
    pub class_prefixes: &'static [&'static str],
    /// The attribute, and so the key prefix, of the encoder under a head.
    pub base: &'static str,
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
        Self { suffix: N::SUFFIX, is_base, unread: N::UNREAD, ties: N::TIES, build }
    }
}
