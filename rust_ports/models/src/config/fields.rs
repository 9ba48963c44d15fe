//! Checked reading of single values of a config.json.

use std::collections::BTreeMap;

use encoders_kernels::config_error;
use serde_json::{Map, Value};

use crate::error::Result;
use crate::layers::ACTIVATIONS;

/// The losses that a sequence classifier may be configured for.
pub const PROBLEM_TYPES: [&str; 3] =
    ["regression", "single_label_classification", "multi_label_classification"];

/// The object in config.json; every reader names the key that it found wrong.
pub(crate) struct Fields<'a> {
    map: &'a Map<String, Value>,
    /// (the usual name of a key, the family's own).
    spellings: &'static [(&'static str, &'static str)],
}

impl<'a> Fields<'a> {
    pub fn new(map: &'a Map<String, Value>) -> Self {
        Self { map, spellings: &[] }
    }

    pub fn spelled_by(
        map: &'a Map<String, Value>,
        spellings: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self { map, spellings }
    }

    /// What config.json calls that key.
    pub fn spelled<'k>(&self, key: &'k str) -> &'k str {
        let own = self.spellings.iter().find(|(usual, _)| *usual == key);
        own.map_or(key, |(_, own)| own)
    }

    fn there(&self, key: &str) -> Option<&Value> {
        self.map.get(self.spelled(key))
    }

    pub fn is_null(&self, key: &str) -> bool {
        self.there(key) == Some(&Value::Null)
    }

    /// Where null has no meaning, though other keys of its kind have one.
    pub fn refuse_null(&self, key: &str) -> Result<()> {
        match self.is_null(key) {
            true => Err(config_error!("{key} is null, which is not implemented")),
            false => Ok(()),
        }
    }

    pub fn get(&self, key: &str) -> Option<&Value> {
        self.there(key).filter(|value| !value.is_null())
    }

    pub fn integer(&self, key: &str, minimum: usize) -> Result<Option<usize>> {
        let key = self.spelled(key);
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match value.as_u64().and_then(|number| usize::try_from(number).ok()) {
            Some(number) if number >= minimum && number < 1 << 31 => Ok(Some(number)),
            _ => Err(config_error!(
                "{key} is {value}; it must be a whole number of at least {minimum}"
            )),
        }
    }

    /// An integer of which null is a value too, and absence means the default.
    pub fn id(&self, key: &str, default: usize) -> Result<Option<usize>> {
        match self.there(key) {
            None => Ok(Some(default)),
            Some(_) => self.integer(key, 0),
        }
    }

    /// A size has no sensible null: only its absence means the default.
    pub fn size(&self, key: &str, default: usize) -> Result<usize> {
        match self.there(key) {
            None => Ok(default),
            Some(Value::Null) => Err(config_error!(
                "{} is null; it must be a whole number of at least 1",
                self.spelled(key)
            )),
            Some(_) => Ok(self.integer(key, 1)?.unwrap_or(default)),
        }
    }

    pub fn number(&self, key: &str) -> Result<Option<f64>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match value.as_f64() {
            Some(number) if number.is_finite() => Ok(Some(number)),
            _ => Err(config_error!("{key} is {value}; it must be a finite number")),
        }
    }

    pub fn positive(&self, key: &str, default: f64) -> Result<f64> {
        match self.number(key)? {
            None => Ok(default),
            Some(number) if number > 0.0 => Ok(number),
            Some(number) => Err(config_error!("{key} is {number}; it must be greater than 0")),
        }
    }

    pub fn probability(&self, key: &str) -> Result<Option<f64>> {
        match self.number(key)? {
            Some(number) if !(0.0..=1.0).contains(&number) => {
                Err(config_error!("{key} is {number}; a probability lies between 0 and 1"))
            }
            number => Ok(number),
        }
    }

    pub fn flag(&self, key: &str, default: bool) -> Result<bool> {
        match self.there(key) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(value) => Err(config_error!("{key} is {value}; it must be true or false")),
        }
    }

    pub fn text(&self, key: &str) -> Result<Option<String>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(value) => Err(config_error!("{key} is {value}; it must be a string")),
        }
    }

    pub fn activation(&self, key: &str, default: &str) -> Result<String> {
        let name = self.text(key)?.unwrap_or(default.into());
        one_of(self.spelled(key), &name, &ACTIVATIONS.map(|(known, _)| known))?;
        Ok(name)
    }

    pub fn problem_type(&self) -> Result<Option<String>> {
        let problem_type = self.text("problem_type")?;
        if let Some(name) = &problem_type {
            one_of("problem_type", name, &PROBLEM_TYPES)?;
        }
        Ok(problem_type)
    }

    pub fn architectures(&self) -> Result<Vec<String>> {
        let wrong = |value: &Value| {
            config_error!("architectures is {value}; it must be a list of class names")
        };
        match self.get("architectures") {
            None => Ok(Vec::new()),
            Some(value) => value
                .as_array()
                .ok_or_else(|| wrong(value))?
                .iter()
                .map(|name| name.as_str().map(String::from).ok_or_else(|| wrong(value)))
                .collect(),
        }
    }

    /// Refuses every key that has another value than the one (or, beside null, none) that is
    /// implemented.
    pub fn check_only_values(&self, only: &[(&str, Value)]) -> Result<()> {
        for (key, allowed) in only {
            match self.get(key) {
                Some(value) if value != allowed => {
                    return Err(config_error!(
                        "{key} is {value}, which is not implemented; supported: {allowed}"
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Labels numbered 0 to n-1; a bare num_labels stands for LABEL_0, LABEL_1, ...
    pub fn id2label(&self) -> Result<BTreeMap<usize, String>> {
        let count = self.integer("num_labels", 1)?.or(self.integer("_num_labels", 1)?);
        let Some(value) = self.get("id2label") else {
            let count = count.unwrap_or(2);
            if count > 1_000_000 {
                return Err(config_error!(
                    "num_labels is {count}; a head of that size cannot be meant"
                ));
            }
            return Ok((0..count).map(|number| (number, format!("LABEL_{number}"))).collect());
        };
        let wrong = || {
            config_error!("id2label is {value}; it must map the numbers from 0 on to labels")
        };
        let mut labels = BTreeMap::new();
        for (number, label) in value.as_object().ok_or_else(wrong)? {
            let number = number.parse().map_err(|_| wrong())?;
            let label = match label {
                Value::String(label) => label.clone(),
                // Some checkpoints number their labels and do not name them.
                Value::Number(label) if label.is_i64() || label.is_u64() => label.to_string(),
                _ => return Err(wrong()),
            };
            labels.insert(number, label);
        }
        if labels.is_empty() || labels.keys().copied().ne(0..labels.len()) {
            return Err(wrong());
        }
        match count {
            Some(count) if count != labels.len() => Err(config_error!(
                "num_labels is {count} but id2label names {} labels",
                labels.len()
            )),
            _ => Ok(labels),
        }
    }
}

pub(crate) fn one_of(key: &str, value: &str, allowed: &[&str]) -> Result<()> {
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(config_error!(
        "{key} is {value:?}, which is not implemented; supported: {}",
        allowed.join(", ")
    ))
}
