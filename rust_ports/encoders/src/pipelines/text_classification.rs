//! Labels for texts and for pairs of texts, and documents ranked by how well they go with a
//! query.

use candle_core::Device;
use encoders_models::family::Config;
use encoders_models::{Result, input_error};

use super::base::{Logits, Pipeline, at_least_one, check_uncut};
use super::batching::TEXTS_AT_ONCE;
use super::cross_encoder::{Activation, CrossEncoderSettings};
use super::probabilities::{best_first, sigmoid, softmax};
use crate::pretrained::locate;
use crate::text::{Given, Tokenizer};

/// What a number is that stands beside a label or a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Between 0 and 1.
    Probability,
    /// Any number, of a document that is ranked.
    Logit,
    /// Any number, of a model that was trained on numbers.
    Value,
}

/// What makes that number of a logit.
type Scale = fn(&[f32]) -> Vec<f64>;

/// The labels of a text, best first.
#[derive(Debug, Clone, PartialEq)]
pub struct Classification {
    /// As the checkpoint's id2label names them.
    pub labels: Vec<String>,
    /// For each label its probability, or what `kind` says.
    pub probabilities: Vec<f64>,
    /// [`Kind::Probability`], or [`Kind::Value`] for a model that was trained on numbers.
    pub kind: Kind,
}

/// A document, and how well it goes with the query.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// Its number among those that were ranked.
    pub index: usize,
    /// A probability or a logit, as `kind` says.
    pub score: f64,
    /// The document itself.
    pub text: String,
    /// [`Kind::Probability`] or [`Kind::Logit`].
    pub kind: Kind,
}

/// How [`TextClassification::classify_with`] and [`TextClassification::rank_with`] go about it,
/// and what is asked for.
///
/// ```
/// use encoders::text_classification::Options;
///
/// let options = Options::new().pairs(&["a second text"]).top_k(2);
/// ```
#[derive(Debug, Clone)]
pub struct Options<'a> {
    pairs: Option<Vec<&'a str>>,
    top_k: usize,
    batch_size: usize,
    truncate: bool,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Options<'a> {
    /// Texts alone, all labels, all documents.
    pub fn new() -> Self {
        Self { pairs: None, top_k: usize::MAX, batch_size: usize::MAX, truncate: true }
    }

    /// A second text for each. They are for classifying; what is ranked stands with its query.
    pub fn pairs<S: AsRef<str>>(self, texts: &'a [S]) -> Self {
        Self { pairs: Some(texts.iter().map(AsRef::as_ref).collect()), ..self }
    }

    /// How many labels are wanted of each text, or how many documents, at most: the best.
    pub fn top_k(self, count: usize) -> Self {
        Self { top_k: count, ..self }
    }

    /// How many texts run at a time, at most; by itself it is as many as have about 2,048
    /// tokens together. The results do not depend on it beyond rounding.
    pub fn batch_size(self, texts: usize) -> Self {
        Self { batch_size: texts, ..self }
    }

    /// Whether what is longer than the model takes is cut, as it is by itself; else it is an
    /// error.
    pub fn truncate(self, cut: bool) -> Self {
        Self { truncate: cut, ..self }
    }
}

/// A model with labels for whole texts: a classifier, or a cross-encoder that scores pairs.
pub struct TextClassification {
    pipeline: Pipeline,
    settings: CrossEncoderSettings,
}

impl TextClassification {
    /// Loads a folder, or a hub id through the hub's cache; see [`locate`].
    ///
    /// What sentence-transformers wrote beside a cross-encoder is honoured, its prompt and its
    /// activation among it, or refused.
    pub fn from_pretrained(model: &str, device: &Device) -> Result<Self> {
        let home = locate(model)?;
        let settings = CrossEncoderSettings::read(&home)?;
        let pipeline = Pipeline::load(&home, "ForSequenceClassification", device)?;
        Ok(Self { pipeline, settings })
    }

    /// From text to tokens.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.pipeline.tokenizer
    }

    /// The model's configuration, which names the labels.
    pub fn config(&self) -> &Config {
        &self.pipeline.config
    }

    /// The labels of each text, best first.
    ///
    /// As in Transformers, problem_type decides what they have: numbers as they are for a
    /// "regression"; for "multi_label_classification", and where there is one label, each label
    /// a probability of its own (sigmoid); else probabilities that sum to one (softmax). What
    /// sentence-transformers wrote beside a cross-encoder goes first: with Sigmoid each label
    /// has a probability of its own, with Identity a lone label is a value.
    ///
    /// What is longer than the model takes is cut, of a pair the longer text first.
    pub fn classify<S: AsRef<str>>(&self, texts: &[S]) -> Result<Vec<Classification>> {
        self.classify_with(texts, Options::new())
    }

    /// The same for pairs of texts, with the best labels only, or in batches of some size.
    pub fn classify_with<S: AsRef<str>>(
        &self,
        texts: &[S],
        options: Options,
    ) -> Result<Vec<Classification>> {
        let pairs = options.pairs.as_deref();
        if let Some(pairs) = pairs
            && pairs.len() != texts.len()
        {
            return Err(input_error!(
                "there are {} texts and {} pairs; each text stands with the one at the same \
                 place",
                texts.len(),
                pairs.len()
            ));
        }
        let second = |number: usize| pairs.map(|pairs| pairs[number]);
        let given = texts.iter().enumerate();
        let given: Vec<Given> =
            given.map(|(number, text)| (text.as_ref(), second(number))).collect();
        let (scale, kind) = self.scale();
        let names = self.config().id2label();
        let classified = |logits: Vec<f32>| {
            let values = scale(&logits);
            let best = best_first(&values, options.top_k);
            Classification {
                labels: best.iter().map(|label| names[label].clone()).collect(),
                probabilities: best.iter().map(|label| values[*label]).collect(),
                kind,
            }
        };
        Ok(self.logits(&given, "texts", &options)?.into_iter().map(classified).collect())
    }

    /// The documents, those first that go best with the query.
    ///
    /// It takes a model with one label, a cross-encoder. As in sentence-transformers the score
    /// is a probability, unless the checkpoint's activation_fn (in older ones
    /// sbert_ce_default_activation_function) is Identity, as that of the models for MS MARCO
    /// is: then it is a logit. Of documents alike in score the one that was given first comes
    /// first.
    pub fn rank<S: AsRef<str>>(&self, query: &str, documents: &[S]) -> Result<Vec<Ranked>> {
        self.rank_with(query, documents, Options::new())
    }

    /// The same with the best documents only, or in batches of some size.
    pub fn rank_with<S: AsRef<str>>(
        &self,
        query: &str,
        documents: &[S],
        options: Options,
    ) -> Result<Vec<Ranked>> {
        let names = self.config().id2label();
        if names.len() != 1 {
            let labels: Vec<&str> = names.values().take(8).map(String::as_str).collect();
            return Err(input_error!(
                "rank needs a model with one label, whose score says how well two texts go \
                 together; this one has {} ({:.200}): classify with pairs gives the \
                 probability of each",
                names.len(),
                labels.join(", ")
            ));
        }
        if options.pairs.is_some() {
            return Err(input_error!(
                "pairs are for classify; rank puts each document beside the query"
            ));
        }
        if documents.is_empty() {
            return Err(input_error!("there is nothing to rank: documents is empty"));
        }
        let given: Vec<Given> =
            documents.iter().map(|document| (query, Some(document.as_ref()))).collect();
        let logits = self.logits(&given, "documents", &options)?;
        let (scale, kind): (Scale, Kind) = match self.settings.activation {
            Some(Activation::Identity) => (as_they_are, Kind::Logit),
            _ => (sigmoid, Kind::Probability),
        };
        let scores: Vec<f64> = logits.iter().flat_map(|row| scale(row)).collect();
        let ranked = best_first(&scores, options.top_k).into_iter().map(|index| {
            let text = documents[index].as_ref().to_string();
            Ranked { index, score: scores[index], text, kind }
        });
        Ok(ranked.collect())
    }

    /// The logits of each text or pair, the prompt before it.
    fn logits(&self, given: &[Given], name: &str, options: &Options) -> Result<Vec<Vec<f32>>> {
        at_least_one("top_k", options.top_k)?;
        at_least_one("batch_size", options.batch_size)?;
        if given.iter().any(|(_, pair)| pair.is_some()) && !self.takes_pairs()? {
            return Err(input_error!(
                "{} takes no pairs: its tokenizer puts nothing between two texts. Give the \
                 texts alone, as one",
                self.pipeline.folder.display()
            ));
        }
        let mut logits = Vec::with_capacity(given.len());
        for given in given.chunks(TEXTS_AT_ONCE) {
            let prompted: Vec<String> = given
                .iter()
                .map(|(text, _)| format!("{}{text}", self.settings.prompt))
                .collect();
            let pairs = prompted.iter().zip(given).map(|(text, (_, pair))| (&**text, *pair));
            let pairs: Vec<Given> = pairs.collect();
            let encodings = self.tokenizer().encodings(&pairs, name, logits.len())?;
            for (number, encoding) in encodings.iter().enumerate().filter(|_| !options.truncate)
            {
                let name = format!("{name}[{}]", logits.len() + number);
                check_uncut(encoding, &name, self.tokenizer())?;
            }
            let most = options.batch_size;
            let row = |_, logits: Logits| logits.row(0).to_vec();
            logits.extend(self.pipeline.logits(&encodings, most, None, row)?);
        }
        Ok(logits)
    }

    /// Whether the tokenizer has something to put between two texts.
    fn takes_pairs(&self) -> Result<bool> {
        let probe = self.tokenizer().whole(&[("a", Some("a"))], "texts", 0)?.remove(0);
        let second = probe.tokens.iter().position(|token| token.text == Some(1));
        let before = second.and_then(|place| place.checked_sub(1));
        Ok(before.is_some_and(|place| probe.tokens[place].text.is_none()))
    }

    /// What makes of logits what a classification holds, and what that is.
    fn scale(&self) -> (Scale, Kind) {
        let problem = self.config().encoder().problem_type.as_deref();
        let one = self.config().encoder().num_labels() == 1;
        match (self.settings.activation, problem) {
            (Some(Activation::Sigmoid), _) => (sigmoid, Kind::Probability),
            (_, Some("regression")) => (as_they_are, Kind::Value),
            (Some(Activation::Identity), _) if one => (as_they_are, Kind::Value),
            (_, Some("multi_label_classification")) => (sigmoid, Kind::Probability),
            _ if one => (sigmoid, Kind::Probability),
            _ => (softmax, Kind::Probability),
        }
    }
}

fn as_they_are(logits: &[f32]) -> Vec<f64> {
    logits.iter().map(|logit| f64::from(*logit)).collect()
}
