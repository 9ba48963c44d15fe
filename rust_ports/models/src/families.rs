//! The one list of families.
//!
//! To add a family is to add its module and a line here.

use encoders_kernels::config_error;
use serde_json::Value;

use crate::config::unwrapped;
use crate::error::Result;
use crate::family::{Config, Family};
use crate::{
    bert, char_encoder, distilbert, electra, modernbert, mpnet, roberta, rope_encoder,
};

/// Every family that there is.
pub static FAMILIES: [&Family; 8] = [
    &bert::FAMILY,
    &roberta::FAMILY,
    &modernbert::FAMILY,
    &distilbert::FAMILY,
    &mpnet::FAMILY,
    &electra::FAMILY,
    &rope_encoder::FAMILY,
    &char_encoder::FAMILY,
];

impl Config {
    /// Checks the text of a config.json and turns it into a configuration.
    pub fn from_json(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text)
            .map_err(|problem| config_error!("this is not valid JSON: {problem}"))?;
        let Value::Object(map) = value else {
            return Err(config_error!("a configuration is a JSON object, not {value}"));
        };
        let family_of =
            |name: &str| FAMILIES.iter().find(|family| family.model_types.contains(&name));
        let map = unwrapped(map, |name| {
            // A family's model types share its architectures, under whichever prefix.
            Some(format!("{}ForMaskedSequence", family_of(name)?.class_prefixes[0]))
        })?;
        let known = || FAMILIES.map(|family| family.model_types.join(", ")).join(", ");
        let Some(name) = map.get("model_type").and_then(Value::as_str) else {
            return Err(config_error!("model_type is missing; supported: {}", known()));
        };
        match family_of(name) {
            Some(family) => (family.read)(&map),
            None => Err(config_error!(
                "model_type is {name:?}, which is not implemented; supported: {}",
                known()
            )),
        }
    }
}
