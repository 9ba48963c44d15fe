//! The configuration of one tower of the character encoder.

use encoders_kernels::config_error;
use serde_json::{Map, Value};

use crate::config::{Fields, MOST_LAYERS, one_of};
use crate::error::{Error, Result};

/// A length restored by transposed convolutions.
pub const TRANSPOSED: &str = "transposed";
/// A length restored by repeating each vector, and a convolution.
pub const REPEAT: &str = "repeat";

/// Every text is filled up to a multiple of the factor, however short it is.
const LARGEST_FACTOR: usize = 4096;

/// One tower: how far it shortens a text and in how many steps, how it attends there, and how
/// wide it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TowerConfig {
    /// So many characters become one position: `stride_len` to the power of `n_strided_convs`.
    pub downsample_factor: usize,
    /// In so many steps.
    pub n_strided_convs: usize,
    /// So many positions become one in each step.
    pub stride_len: usize,
    /// How wide the tower is.
    pub n_conv_filters: usize,
    /// How many layers attend in the shortened text.
    pub num_layers: usize,
    /// How many heads attention has.
    pub num_heads: usize,
    /// How wide the feed-forward networks are.
    pub hidden_dim: usize,
    /// So many characters on each side of one it attends to before the text is shortened; None
    /// is no such attention.
    pub window: Option<usize>,
    /// How the length is restored: [`TRANSPOSED`] or [`REPEAT`].
    pub upsample: String,
}

/// A tower's keys of which the value is a size, with their defaults; and its other keys.
const SIZES: [(&str, usize); 7] = [
    ("downsample_factor", 16),
    ("n_strided_convs", 4),
    ("stride_len", 2),
    ("n_conv_filters", 128),
    ("num_layers", 2),
    ("num_heads", 4),
    ("hidden_dim", 256),
];
const OTHERS: [&str; 2] = ["window", "upsample"];

impl TowerConfig {
    /// From what config.json lists at that place.
    fn of(values: &Value, place: usize) -> Result<Self> {
        let Value::Object(map) = values else {
            return Err(config_error!(
                "towers[{place}] is {values}; it must be an object from key to value"
            ));
        };
        let known: Vec<&str> = SIZES.iter().map(|(key, _)| *key).chain(OTHERS).collect();
        if let Some(key) = map.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(config_error!(
                "towers[{place}] has {key:?}, which no tower has; it may have {}",
                known.join(", ")
            ));
        }
        let read = || {
            let tower = Self::read(&Fields::new(map))?;
            tower.check()?;
            Ok(tower)
        };
        read().map_err(|error: Error| error.at(format!("towers[{place}]")))
    }

    fn read(fields: &Fields) -> Result<Self> {
        let mut sizes = [0; SIZES.len()];
        for (size, (key, default)) in sizes.iter_mut().zip(SIZES) {
            *size = fields.size(key, default)?;
        }
        let [
            downsample_factor,
            n_strided_convs,
            stride_len,
            n_conv_filters,
            num_layers,
            num_heads,
            hidden_dim,
        ] = sizes;
        fields.refuse_null("upsample")?;
        let upsample = fields.text("upsample")?.unwrap_or(TRANSPOSED.into());
        one_of("upsample", &upsample, &[TRANSPOSED, REPEAT])?;
        Ok(Self {
            downsample_factor,
            n_strided_convs,
            stride_len,
            n_conv_filters,
            num_layers,
            num_heads,
            hidden_dim,
            window: fields.integer("window", 1)?,
            upsample,
        })
    }

    fn check(&self) -> Result<()> {
        if self.num_layers > MOST_LAYERS || self.n_strided_convs > MOST_LAYERS {
            return Err(config_error!(
                "a tower has no more than {MOST_LAYERS} layers of a kind"
            ));
        }
        let (stride, steps) = (self.stride_len, self.n_strided_convs);
        if stride.checked_pow(steps as u32) != Some(self.downsample_factor) {
            return Err(config_error!(
                "stride_len {stride} ** n_strided_convs {steps} must be downsample_factor {}",
                self.downsample_factor
            ));
        }
        if self.downsample_factor > LARGEST_FACTOR {
            return Err(config_error!(
                "downsample_factor is {}; {LARGEST_FACTOR} is the most, for the shortest text \
                 is filled up to as many characters",
                self.downsample_factor
            ));
        }
        check_heads("n_conv_filters", self.n_conv_filters, self.num_heads)
    }
}

pub(super) fn check_heads(name: &str, size: usize, heads: usize) -> Result<()> {
    match size.is_multiple_of(heads) && (size / heads).is_multiple_of(2) {
        true => Ok(()),
        false => Err(config_error!(
            "{name} {size} and num_heads {heads} leave a head {} features; RoPE turns pairs, \
             so it must be an even number",
            size as f64 / heads as f64
        )),
    }
}

/// Those that config.json lists; one as it is by default where it lists none.
pub(super) fn towers(values: Option<&Value>) -> Result<Vec<TowerConfig>> {
    let towers = match values {
        None => vec![TowerConfig::of(&Value::Object(Map::new()), 0)?],
        Some(Value::Array(values)) => values
            .iter()
            .enumerate()
            .map(|(place, values)| TowerConfig::of(values, place))
            .collect::<Result<_>>()?,
        Some(other) => {
            return Err(config_error!("towers is {other}; it must be a list of towers"));
        }
    };
    match towers.is_empty() {
        true => Err(config_error!("towers is empty; a character encoder has at least one")),
        false => Ok(towers),
    }
}
