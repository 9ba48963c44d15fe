//! What a model for chosen positions is, beside its encoder, and how a config.json has it.

use encoders_kernels::config_error;
use serde_json::{Map, Value, json};

use super::{Fields, one_of};
use crate::error::Result;

const MODEL_TYPE: &str = "masked_sequence";
const TASKS: [&str; 2] = ["multilabel", "multiclass"];
const PROBLEMS: [&str; 2] = ["multi_label_classification", "single_label_classification"];
const LABELS: [&str; 4] = ["id2label", "label2id", "num_labels", "_num_labels"];
/// Where the encoder's own configuration is told what is on it; no file has it.
const KEY: &str = "detections";

/// Which tokens of a detection its vector is the mean of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SpanPooling {
    /// The first by itself.
    #[default]
    First,
    /// All.
    Mean,
    /// The first and the last.
    FirstLast,
}

impl SpanPooling {
    /// Every one that there is.
    pub const ALL: [Self; 3] = [Self::First, Self::Mean, Self::FirstLast];
    const NAMES: [&'static str; 3] = ["first", "mean", "first_last"];

    /// The name in config.json.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// The one of that name.
    pub fn from_name(name: &str) -> Result<Self> {
        one_of("span_pooling", name, &Self::NAMES)?;
        let place = Self::NAMES.iter().position(|known| *known == name);
        Ok(Self::ALL[place.unwrap_or_default()])
    }
}

/// How detections become vectors, and how they are trained and given.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Detections {
    /// Which tokens make a vector.
    pub span_pooling: SpanPooling,
    /// Of each label the probability from which on it is given; None is one half.
    pub thresholds: Option<Vec<f64>>,
    /// Of each label how much a detection that has it weighs.
    pub pos_weight: Option<Vec<f64>>,
    /// How much each label weighs.
    pub class_weights: Option<Vec<f64>>,
}

impl Detections {
    pub(crate) fn read(fields: &Fields, labels: usize) -> Result<Option<Self>> {
        let Some(value) = fields.get(KEY) else { return Ok(None) };
        let Value::Object(map) = value else {
            return Err(config_error!("{KEY} is {value}; it must be an object"));
        };
        let own = Fields::new(map);
        let pooling = own.text("span_pooling")?.unwrap_or_else(|| "first".into());
        let numbers = |key: &str, most: f64| numbers(&own, key, labels, most);
        Ok(Some(Self {
            span_pooling: SpanPooling::from_name(&pooling)?,
            thresholds: numbers("thresholds", 1.0)?,
            pos_weight: numbers("pos_weight", f64::INFINITY)?,
            class_weights: numbers("class_weights", f64::INFINITY)?,
        }))
    }
}

/// One for each label.
fn numbers(fields: &Fields, key: &str, labels: usize, most: f64) -> Result<Option<Vec<f64>>> {
    let Some(value) = fields.get(key) else { return Ok(None) };
    let wrong = || {
        config_error!(
            "{key} is {value}; it must be a list of {labels} numbers, one for each label, from \
             0 to {most}"
        )
    };
    let list = value.as_array().ok_or_else(wrong)?;
    let found: Option<Vec<f64>> = list.iter().map(Value::as_f64).collect();
    let fits = |number: &f64| number.is_finite() && (0.0..=most).contains(number);
    found
        .filter(|found| found.len() == labels && found.iter().all(fits))
        .map(Some)
        .ok_or_else(wrong)
}

/// The encoder's own config.json, with the labels and what is on it, and the name of its
/// architecture under `class`; as it is where it is that of another model.
pub(crate) fn unwrapped(
    mut map: Map<String, Value>,
    class: impl Fn(&str) -> Option<String>,
) -> Result<Map<String, Value>> {
    map.remove(KEY);
    if map.get("model_type").and_then(Value::as_str) != Some(MODEL_TYPE) {
        return Ok(map);
    }
    let fields = Fields::new(&map);
    let Some(Value::Object(base)) = map.get("base_config") else {
        return Err(config_error!(
            "base_config is missing; it must be the configuration of the encoder"
        ));
    };
    let task = fields.text("task")?.unwrap_or_else(|| TASKS[0].into());
    one_of("task", &task, &TASKS)?;
    let problem = PROBLEMS[usize::from(task == TASKS[1])];
    match fields.problem_type()? {
        Some(other) if other != problem => {
            return Err(config_error!(
                "problem_type is {other:?}, but the task {task} is {problem}"
            ));
        }
        _ => {}
    }
    if task == TASKS[1] && fields.get("pos_weight").is_some() {
        return Err(config_error!(
            "pos_weight weighs labels that are there or not: multilabel only"
        ));
    }
    let mut own = base.clone();
    own.retain(|key, _| !LABELS.contains(&key.as_str()));
    for key in LABELS {
        own.extend(map.get(key).map(|value| (key.to_string(), value.clone())));
    }
    let on_it = ["span_pooling", "thresholds", "pos_weight", "class_weights"]
        .map(|key| (key.to_string(), map.get(key).cloned().unwrap_or(Value::Null)));
    own.insert(KEY.into(), Value::Object(on_it.into_iter().collect()));
    own.insert("problem_type".into(), json!(problem));
    let name = own.get("model_type").and_then(Value::as_str).unwrap_or_default();
    let Some(architecture) = class(name) else {
        return Err(config_error!(
            "the encoder in it is a {name:?}, which no port computes; Transformers' own opens \
             with the Python package, in reference.torch.masked_sequence"
        ));
    };
    own.insert("architectures".into(), json!([architecture]));
    Ok(own)
}
