//! Any of the architectures behind one type, with its parameters by key: what a caller needs
//! who learns the architecture at run time, and what computes gradients.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};

use crate::bert::{BertModel, BertModelOutput};
use crate::checkpoint::{read_tensors, select_tensors};
use crate::config::{BertConfig, Config, ModernBertConfig};
use crate::error::{Result, config_error, input_error};
use crate::heads::{
    BertForMaskedLM, BertForSequenceClassification, BertForTokenClassification, HeadOutput,
    ModernBertForMaskedLM, ModernBertForMultipleChoice, ModernBertForSequenceClassification,
    ModernBertForTokenClassification, XLMRobertaForMaskedLM,
    XLMRobertaForSequenceClassification, XLMRobertaForTokenClassification,
};
use crate::inputs::Inputs;
use crate::losses::mean_squared_error;
use crate::modernbert::{ModernBertModel, ModernBertModelOutput};
use crate::pretrained::locate;
use crate::trace;
use crate::weights::{Tensors, Weights};

/// The part of an architecture's name that says what it is for: "Model", "ForMaskedLM", ...
///
/// RobertaForMaskedLM and XLMRobertaForMaskedLM are one network; the family must be that of the
/// configuration.
pub fn suffix<'a>(architecture: &'a str, config: &Config) -> Result<&'a str> {
    let families = config.class_prefixes();
    let suffix = families.iter().find_map(|family| architecture.strip_prefix(family));
    let suffixes = match config {
        Config::Bert(_) => &SUFFIXES[..4],
        Config::ModernBert(_) => &SUFFIXES[..],
    };
    suffix.filter(|suffix| suffixes.contains(suffix)).ok_or_else(|| {
        config_error!(
            "architecture {architecture} is not implemented for model_type {:?}; supported: {} followed by {}",
            config.model_type(),
            families[0],
            suffixes.join(", ")
        )
    })
}

const SUFFIXES: [&str; 5] = [
    "Model",
    "ForMaskedLM",
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForMultipleChoice", // of ModernBERT only
];

/// One network of any architecture.
#[derive(Debug, Clone)]
pub enum Network {
    BertModel(BertModel),
    BertForMaskedLM(BertForMaskedLM),
    BertForSequenceClassification(BertForSequenceClassification),
    BertForTokenClassification(BertForTokenClassification),
    XLMRobertaForMaskedLM(XLMRobertaForMaskedLM),
    XLMRobertaForSequenceClassification(XLMRobertaForSequenceClassification),
    XLMRobertaForTokenClassification(XLMRobertaForTokenClassification),
    ModernBertModel(ModernBertModel),
    ModernBertForMaskedLM(ModernBertForMaskedLM),
    ModernBertForSequenceClassification(ModernBertForSequenceClassification),
    ModernBertForTokenClassification(ModernBertForTokenClassification),
    ModernBertForMultipleChoice(ModernBertForMultipleChoice),
}

/// What a network returns: the keys that apply to it.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// `[batch, tokens, hidden]` or packed `[tokens, hidden]`; of a base model only.
    pub last_hidden_state: Option<Tensor>,
    /// `[batch, hidden]`, of a base model with a pooler only.
    pub pooler_output: Option<Tensor>,
    /// As [`HeadOutput`] has them.
    pub logits: Option<Tensor>,
    pub loss: Option<Tensor>,
    pub hidden_states: Option<Vec<Tensor>>,
}

impl From<HeadOutput> for Output {
    fn from(output: HeadOutput) -> Self {
        let HeadOutput { logits, loss, hidden_states } = output;
        Self { logits: Some(logits), loss, hidden_states, ..Self::default() }
    }
}

impl From<BertModelOutput> for Output {
    fn from(output: BertModelOutput) -> Self {
        Self {
            last_hidden_state: Some(output.last_hidden_state),
            pooler_output: output.pooler_output,
            hidden_states: output.hidden_states,
            ..Self::default()
        }
    }
}

impl From<ModernBertModelOutput> for Output {
    fn from(output: ModernBertModelOutput) -> Self {
        Self {
            last_hidden_state: Some(output.last_hidden_state),
            hidden_states: output.hidden_states,
            ..Self::default()
        }
    }
}

impl Network {
    /// Builds the architecture that Transformers calls `architecture`.
    pub fn new(architecture: &str, config: &Config, weights: &Weights) -> Result<Self> {
        let suffix = suffix(architecture, config)?;
        match config {
            Config::Bert(config) if config.is_bert() => Self::bert(suffix, config, weights),
            Config::Bert(config) => Self::roberta(suffix, config, weights),
            Config::ModernBert(config) => Self::modernbert(suffix, config, weights),
        }
    }

    fn bert(suffix: &str, config: &BertConfig, weights: &Weights) -> Result<Self> {
        Ok(match suffix {
            "ForMaskedLM" => Self::BertForMaskedLM(BertForMaskedLM::new(config, weights)?),
            "ForSequenceClassification" => Self::BertForSequenceClassification(
                BertForSequenceClassification::new(config, weights)?,
            ),
            "ForTokenClassification" => Self::BertForTokenClassification(
                BertForTokenClassification::new(config, weights)?,
            ),
            _ => Self::BertModel(BertModel::new(config, weights.has("pooler"), weights)?),
        })
    }

    fn roberta(suffix: &str, config: &BertConfig, weights: &Weights) -> Result<Self> {
        Ok(match suffix {
            "ForMaskedLM" => {
                Self::XLMRobertaForMaskedLM(XLMRobertaForMaskedLM::new(config, weights)?)
            }
            "ForSequenceClassification" => Self::XLMRobertaForSequenceClassification(
                XLMRobertaForSequenceClassification::new(config, weights)?,
            ),
            "ForTokenClassification" => Self::XLMRobertaForTokenClassification(
                XLMRobertaForTokenClassification::new(config, weights)?,
            ),
            _ => Self::BertModel(BertModel::new(config, weights.has("pooler"), weights)?),
        })
    }

    fn modernbert(suffix: &str, config: &ModernBertConfig, weights: &Weights) -> Result<Self> {
        Ok(match suffix {
            "ForMaskedLM" => {
                Self::ModernBertForMaskedLM(ModernBertForMaskedLM::new(config, weights)?)
            }
            "ForSequenceClassification" => Self::ModernBertForSequenceClassification(
                ModernBertForSequenceClassification::new(config, weights)?,
            ),
            "ForTokenClassification" => Self::ModernBertForTokenClassification(
                ModernBertForTokenClassification::new(config, weights)?,
            ),
            "ForMultipleChoice" => Self::ModernBertForMultipleChoice(
                ModernBertForMultipleChoice::new(config, weights)?,
            ),
            _ => Self::ModernBertModel(ModernBertModel::new(config, weights)?),
        })
    }

    /// What the encoder gives without the head on it: `[batch, tokens, hidden]` or packed
    /// `[tokens, hidden]`.
    pub fn last_hidden_state(&self, inputs: &Inputs) -> Result<Tensor> {
        let bert = match self {
            Self::BertModel(model) => model,
            Self::BertForMaskedLM(model) => &model.bert,
            Self::BertForSequenceClassification(model) => &model.bert,
            Self::BertForTokenClassification(model) => &model.bert,
            Self::XLMRobertaForMaskedLM(model) => &model.roberta,
            Self::XLMRobertaForSequenceClassification(model) => &model.roberta,
            Self::XLMRobertaForTokenClassification(model) => &model.roberta,
            Self::ModernBertModel(model) => return last(model, inputs),
            Self::ModernBertForMaskedLM(head) => return last(&head.model, inputs),
            Self::ModernBertForSequenceClassification(head) => {
                return last(&head.model, inputs);
            }
            Self::ModernBertForTokenClassification(head) => return last(&head.model, inputs),
            Self::ModernBertForMultipleChoice(head) => return last(&head.model, inputs),
        };
        Ok(bert.forward(inputs)?.last_hidden_state)
    }

    /// With `labels`, the loss is computed too; that of a base model is the mean squared error
    /// of the real tokens' last hidden states against labels `[batch, tokens, hidden]`.
    pub fn forward(&self, inputs: &Inputs, labels: Option<&Tensor>) -> Result<Output> {
        Ok(match self {
            Self::BertModel(model) => {
                base_output(model.forward(inputs)?.into(), inputs, labels)?
            }
            Self::ModernBertModel(model) => {
                base_output(model.forward(inputs)?.into(), inputs, labels)?
            }
            Self::BertForMaskedLM(model) => model.forward(inputs, labels)?.into(),
            Self::BertForSequenceClassification(model) => model.forward(inputs, labels)?.into(),
            Self::BertForTokenClassification(model) => model.forward(inputs, labels)?.into(),
            Self::XLMRobertaForMaskedLM(model) => model.forward(inputs, labels)?.into(),
            Self::XLMRobertaForSequenceClassification(model) => {
                model.forward(inputs, labels)?.into()
            }
            Self::XLMRobertaForTokenClassification(model) => {
                model.forward(inputs, labels)?.into()
            }
            Self::ModernBertForMaskedLM(model) => model.forward(inputs, labels)?.into(),
            Self::ModernBertForSequenceClassification(model) => {
                model.forward(inputs, labels)?.into()
            }
            Self::ModernBertForTokenClassification(model) => {
                model.forward(inputs, labels)?.into()
            }
            Self::ModernBertForMultipleChoice(model) => model.forward(inputs, labels)?.into(),
        })
    }
}

fn last(model: &ModernBertModel, inputs: &Inputs) -> Result<Tensor> {
    Ok(model.forward(inputs)?.last_hidden_state)
}

/// `output` with its loss, if there are labels.
fn base_output(output: Output, inputs: &Inputs, labels: Option<&Tensor>) -> Result<Output> {
    let loss = match (&output.last_hidden_state, labels) {
        (Some(last), Some(labels)) => {
            Some(real_token_loss(last, labels, inputs.attention_mask)?)
        }
        _ => None,
    };
    Ok(Output { loss, ..output })
}

fn real_token_loss(
    hidden: &Tensor,
    labels: &Tensor,
    attention_mask: Option<&Tensor>,
) -> Result<Tensor> {
    if labels.dims() != hidden.dims() {
        return Err(input_error!(
            "labels has shape {:?}; a base model wants {:?}",
            labels.dims(),
            hidden.dims()
        ));
    }
    let labels = labels.to_dtype(hidden.dtype())?;
    let Some(mask) = attention_mask else {
        return mean_squared_error(hidden, &labels);
    };
    let mask = mask.flatten_all()?.to_vec1::<i64>()?;
    let real: Vec<i64> =
        (0..mask.len() as i64).filter(|row| mask[*row as usize] != 0).collect();
    let real = Tensor::new(real, hidden.device())?;
    let rows = |x: &Tensor| x.flatten(0, 1)?.index_select(&real, 0);
    mean_squared_error(&rows(hidden)?, &rows(&labels)?)
}

/// A network and its parameters by key: the same numbers, once as variables and once as
/// constants.
#[derive(Debug, Clone)]
pub struct Model {
    architecture: String,
    config: Config,
    parameters: BTreeMap<String, Var>,
    /// Shares the variables' memory but records no operations, so the fused kernels apply.
    /// Their joint projection is a copy made by [`Model::new`]: whoever changes the variables
    /// builds the network anew.
    pub network: Network,
}

impl Model {
    /// Builds `architecture` from exactly the tensors that it is made of.
    pub fn new(
        architecture: &str,
        config: impl Into<Config>,
        tensors: Tensors,
    ) -> Result<Self> {
        let config = config.into();
        let parameters: BTreeMap<String, Var> = tensors
            .into_iter()
            .map(|(key, tensor)| Ok((key, Var::from_tensor(&tensor)?)))
            .collect::<candle_core::Result<_>>()?;
        let constants = parameters
            .iter()
            .map(|(key, var)| (key.clone(), var.as_detached_tensor()))
            .collect();
        let network =
            Weights::build(&constants, |weights| Network::new(architecture, &config, weights))?;
        Ok(Self { architecture: architecture.to_string(), config, parameters, network })
    }

    /// Loads the architecture that the config of `model` names, with its tensors in the
    /// precision they are stored in (float32 for the halves); `model` is a folder or a hub id,
    /// see [`locate`].
    pub fn from_pretrained(model: &str, device: &Device) -> Result<Self> {
        let folder = locate(model)?;
        let config = Config::from_folder(&folder)?;
        let base = format!("{}Model", config.class_prefixes()[0]);
        let architecture = config.architectures().first().cloned().unwrap_or(base);
        let build = || {
            let suffix = suffix(&architecture, &config)?;
            let tensors = select_tensors(read_tensors(&folder, device)?, &config, suffix)?;
            Self::new(&architecture, config.clone(), tensors)
        };
        build().map_err(|error| error.at(folder.display()))
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The parameters as they are now.
    pub fn state(&self) -> impl Iterator<Item = (&String, Tensor)> {
        self.parameters.iter().map(|(key, var)| (key, var.as_detached_tensor()))
    }

    /// The loss against `labels`, and its gradient for every parameter; zeros where the loss
    /// does not reach.
    pub fn gradients(&self, inputs: &Inputs, labels: &Tensor) -> Result<(f64, Tensors)> {
        let variables = self
            .parameters
            .iter()
            .map(|(key, var)| (key.clone(), var.as_tensor().clone()))
            .collect();
        let network = Weights::build(&variables, |weights| {
            Network::new(&self.architecture, &self.config, weights)
        })?;
        let output = network.forward(inputs, Some(labels))?;
        let loss = output.loss.ok_or_else(|| input_error!("labels are needed for a loss"))?;
        let mut store = loss.backward()?;
        let gradients = variables.iter().map(|(key, variable)| {
            let gradient = store.remove(variable).map_or_else(|| variable.zeros_like(), Ok)?;
            Ok((key.clone(), gradient.detach()))
        });
        let gradients = gradients.collect::<candle_core::Result<_>>()?;
        Ok((loss.to_dtype(DType::F64)?.to_scalar()?, gradients))
    }

    /// What each operation gave, by module path, in order of evaluation.
    pub fn trace(&self, inputs: &Inputs) -> Result<Vec<(String, Tensor)>> {
        trace::record(|| self.network.forward(inputs, None))
    }
}
