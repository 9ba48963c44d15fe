//! A question's parts, each refused by its name where it is not what it should be.

use candle_core::{DType, Device, Tensor};
use encoders::Result;
use encoders_models::input_error;
use serde_json::Value;

/// A question.
pub(crate) struct Asked<'a>(pub &'a Value);

impl<'a> Asked<'a> {
    pub fn text(&self, key: &str) -> Result<&'a str> {
        self.optional(key)?.ok_or_else(|| input_error!("{key} is missing; it must be a text"))
    }

    /// None where it is missing or null.
    pub fn optional(&self, key: &str) -> Result<Option<&'a str>> {
        match &self.0[key] {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text)),
            other => Err(input_error!("{key} is {other}; it must be a text")),
        }
    }

    /// None where it is missing or null.
    pub fn count(&self, key: &str) -> Result<Option<usize>> {
        match &self.0[key] {
            Value::Null => Ok(None),
            value => match value.as_u64() {
                Some(count) => Ok(Some(count as usize)),
                None => Err(input_error!("{key} is {value}; it must be a whole number")),
            },
        }
    }

    /// Empty where it is missing or null.
    pub fn texts(&self, key: &str) -> Result<Vec<&'a str>> {
        if self.0[key].is_null() {
            return Ok(Vec::new());
        }
        let wrong = || input_error!("{key} is {}; it must be a list of texts", self.0[key]);
        let list = self.0[key].as_array().ok_or_else(wrong)?;
        list.iter().map(|text| text.as_str().ok_or_else(wrong)).collect()
    }

    pub fn dtype(&self) -> Result<DType> {
        match self.optional("dtype")?.unwrap_or("float32") {
            "float32" => Ok(DType::F32),
            "float64" => Ok(DType::F64),
            other => Err(input_error!("dtype is {other:?}; it is float32 or float64")),
        }
    }

    /// `[rows, columns]` of whole numbers; None where it is missing or null.
    pub fn table(&self, key: &str) -> Result<Option<Tensor>> {
        let wrong = || input_error!("{key} must be rows of whole numbers, all of one length");
        let Some(rows) = self.0[key].as_array() else {
            return if self.0[key].is_null() { Ok(None) } else { Err(wrong()) };
        };
        let row = |row: &Value| -> Option<Vec<i64>> {
            row.as_array()?.iter().map(Value::as_i64).collect()
        };
        let rows: Option<Vec<Vec<i64>>> = rows.iter().map(row).collect();
        let rows = rows.ok_or_else(wrong)?;
        let columns = rows.first().map_or(0, Vec::len);
        if rows.iter().any(|row| row.len() != columns) {
            return Err(wrong());
        }
        Ok(Some(Tensor::from_vec(rows.concat(), (rows.len(), columns), &Device::Cpu)?))
    }
}
