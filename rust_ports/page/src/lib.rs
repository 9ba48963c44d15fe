//! What a web page asks of the encoders: questions and answers in JSON.
//!
//! A question says under `do` what is wanted, and an answer is an object, under `error` of what
//! was wrong. Models are kept by the name that the question gives them.
//!
//! ```
//! use encoders_page::Session;
//!
//! let mut session = Session::default();
//! let answer = session.answer(r#"{"do": "load", "name": "a", "folder": "no/such/folder"}"#);
//! assert!(answer.contains("there is no folder"));
//! ```

mod asked;
mod attention;
mod embedding;
mod faults;
mod masked;
mod numbers;
mod widen;

use std::collections::BTreeMap;

use encoders::{Error, Result};
use encoders_models::input_error;
use serde_json::{Value, json};

use asked::Asked;
use embedding::Embedding;
pub use faults::FAULTS;
use masked::Masked;
pub use widen::widen;

/// The answer that says what was wrong.
pub fn wrong(error: &Error) -> String {
    json!({"error": error.to_string()}).to_string()
}

/// A model under its name.
enum Model {
    Embedding(Box<Embedding>),
    Masked(Box<Masked>),
}

/// The models that are loaded.
#[derive(Default)]
pub struct Session {
    models: BTreeMap<String, Model>,
}

impl Session {
    /// The answer to one question.
    pub fn answer(&mut self, question: &str) -> String {
        let answer = serde_json::from_str(question)
            .map_err(|problem| input_error!("a question is not valid JSON: {problem}"))
            .and_then(|question: Value| self.about(&Asked(&question)));
        answer.map_or_else(|error: Error| wrong(&error), |answer| answer.to_string())
    }

    fn about(&mut self, asked: &Asked) -> Result<Value> {
        match asked.text("do")? {
            "load" => self.load(asked),
            "forget" => {
                Ok(json!({"forgotten": self.models.remove(asked.text("name")?).is_some()}))
            }
            "embed" => self.embedding(asked)?.embed(&asked.texts("texts")?),
            "fill" => self.masked(asked, "name")?.fill(asked),
            "attention" => self.masked(asked, "name")?.attention(asked),
            "measure" => self.measure(asked),
            "forward" => match self.model(asked, "name")? {
                Model::Embedding(model) => numbers::forward(&model.embedder.model, asked),
                Model::Masked(model) => numbers::forward(&model.model.network, asked),
            },
            other => Err(input_error!(
                "do is {other:?}; it is one of load, forget, embed, fill, attention, measure, \
                 forward"
            )),
        }
    }

    fn load(&mut self, asked: &Asked) -> Result<Value> {
        let name = asked.text("name")?.to_string();
        let folder = asked.text("folder")?;
        let (model, answer) = match asked.optional("task")?.unwrap_or("embed") {
            "embed" => {
                let model = Embedding::load(folder)?;
                let answer = json!({"dimensions": model.embedder.dimensions()});
                (Model::Embedding(Box::new(model)), answer)
            }
            "fill" => {
                let faults = asked.texts("faults")?;
                let model = Masked::load(folder, asked.dtype()?, &faults)?;
                (Model::Masked(Box::new(model)), json!({"faults": faults}))
            }
            other => return Err(input_error!("task is {other:?}; it is embed or fill")),
        };
        self.models.insert(name, model);
        Ok(answer)
    }

    /// How far a model's logits are from the truth, in noise floors: `sound` is the model
    /// without a fault, in float32, and `truth` the same in float64.
    fn measure(&self, asked: &Asked) -> Result<Value> {
        let text = asked.text("text")?;
        let logits = |role: &str| self.masked(asked, role)?.logits_of(text);
        let (found, sound, truth) = (logits("name")?, logits("sound")?, logits("truth")?);
        numbers::measured(&found, &sound, &truth)
    }

    fn model(&self, asked: &Asked, role: &str) -> Result<&Model> {
        let name = asked.text(role)?;
        self.models.get(name).ok_or_else(|| input_error!("no model {name:?} is loaded"))
    }

    fn embedding(&self, asked: &Asked) -> Result<&Embedding> {
        match self.model(asked, "name")? {
            Model::Embedding(model) => Ok(model),
            Model::Masked(_) => Err(input_error!("that model fills masks; load it to embed")),
        }
    }

    fn masked(&self, asked: &Asked, role: &str) -> Result<&Masked> {
        match self.model(asked, role)? {
            Model::Masked(model) => Ok(model),
            Model::Embedding(_) => Err(input_error!("that model embeds; load it to fill")),
        }
    }
}
