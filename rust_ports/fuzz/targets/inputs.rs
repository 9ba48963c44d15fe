//! Ids, masks, types and lengths of any shape and size to a small model: one row of finite
//! numbers a token, or an error.
#![no_main]

use std::sync::LazyLock;

use candle_core::{DType, Device, Result, Tensor};
use encoders::weights::Tensors;
use encoders::{Config, Inputs, Lengths, Model, Pooling, pool_packed};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

const NAME: &str = "BertForTokenClassification";
const CONFIG: &str = r#"{"model_type": "bert", "vocab_size": 13, "hidden_size": 8,
    "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 12,
    "max_position_embeddings": 20, "num_labels": 3}"#;
const LAYER: [(&str, usize, usize); 6] = [
    ("attention.self.query", 8, 8),
    ("attention.self.key", 8, 8),
    ("attention.self.value", 8, 8),
    ("attention.output.dense", 8, 8),
    ("intermediate.dense", 12, 8),
    ("output.dense", 8, 12),
];

static MODEL: LazyLock<Model> = LazyLock::new(|| {
    let config = Config::from_json(CONFIG).expect("a configuration");
    Model::new(NAME, config, tensors().expect("tensors")).expect("a model")
});

fn tensors() -> Result<Tensors> {
    let mut tensors = Tensors::new();
    let mut add = |key: String, shape: &[usize]| -> Result<()> {
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|n| (n * 7 % 11) as f32 / 11.0 - 0.4).collect();
        tensors.insert(key, Tensor::from_vec(values, shape, &Device::Cpu)?);
        Ok(())
    };
    for (table, rows) in [("word", 13), ("position", 20), ("token_type", 2)] {
        add(format!("bert.embeddings.{table}_embeddings.weight"), &[rows, 8])?;
    }
    let layer = "bert.encoder.layer.0";
    for norm in
        ["bert.embeddings", &format!("{layer}.attention.output"), &format!("{layer}.output")]
    {
        add(format!("{norm}.LayerNorm.weight"), &[8])?;
        add(format!("{norm}.LayerNorm.bias"), &[8])?;
    }
    let dense =
        LAYER.map(|(name, outputs, inputs)| (format!("{layer}.{name}"), outputs, inputs));
    for (name, outputs, inputs) in dense.into_iter().chain([("classifier".into(), 3, 8)]) {
        add(format!("{name}.weight"), &[outputs, inputs])?;
        add(format!("{name}.bias"), &[outputs])?;
    }
    Ok(tensors)
}

#[derive(Arbitrary, Debug)]
struct Drawn {
    input_ids: Numbers,
    attention_mask: Option<Numbers>,
    token_type_ids: Option<Numbers>,
    cu_seqlens: Option<Vec<Length>>,
}

#[derive(Arbitrary, Debug)]
struct Numbers {
    values: Vec<Number>,
    rows: u8,
    dimensions: u8,
    dtype: u8,
}

#[derive(Arbitrary, Debug)]
enum Number {
    Small(u8),
    Any(i64),
}

#[derive(Arbitrary, Debug)]
enum Length {
    Small(u8),
    Any(usize),
}

impl Numbers {
    fn tensor(&self) -> Result<Tensor> {
        let value = |number: &Number| match number {
            Number::Small(value) => i64::from(value % 14),
            Number::Any(value) => *value,
        };
        let values: Vec<i64> = self.values.iter().map(value).collect();
        let (count, rows) = (values.len(), usize::from(self.rows % 4).max(1));
        let row = Tensor::from_vec(values, count, &Device::Cpu)?;
        let whole = row.narrow(0, 0, count - count % rows)?;
        let shaped = match self.dimensions % 5 {
            0 => row,
            1 => whole.reshape((1, rows, count / rows))?,
            _ => whole.reshape((rows, count / rows))?,
        };
        shaped.to_dtype(
            [DType::I64, DType::U32, DType::U8, DType::F32][usize::from(self.dtype % 4)],
        )
    }
}

fuzz_target!(|drawn: Drawn| {
    let tensors = || -> Result<_> {
        let mask = drawn.attention_mask.as_ref().map(Numbers::tensor).transpose()?;
        let types = drawn.token_type_ids.as_ref().map(Numbers::tensor).transpose()?;
        Ok((drawn.input_ids.tensor()?, mask, types))
    };
    let Ok((ids, mask, types)) = tensors() else { return };
    let length = |length: &Length| match length {
        Length::Small(value) => usize::from(*value),
        Length::Any(value) => *value,
    };
    let bounds: Option<Vec<usize>> =
        drawn.cu_seqlens.map(|lengths| lengths.iter().map(length).collect());
    let inputs = Inputs {
        attention_mask: mask.as_ref(),
        token_type_ids: types.as_ref(),
        cu_seqlens: bounds.as_deref(),
        ..Inputs::padded(&ids, &ids)
    };
    let _ = inputs.check_choices(&MODEL.network.encoder().limits());
    if let Ok(output) = MODEL.network.forward(&inputs, None) {
        let logits = output.logits.expect("logits").flatten_all().expect("a row");
        let logits = logits.to_vec1::<f32>().expect("numbers");
        assert!(logits.len() == 3 * ids.elem_count() && logits.iter().all(|x| x.is_finite()));
    }
    // Lengths that need not be those of the hidden states.
    let last = bounds.as_ref().and_then(|bounds| bounds.last().copied());
    let lengths = bounds.as_ref().map(|bounds| Lengths::new(bounds, last.unwrap_or(0)));
    if let Some(Ok(lengths)) = lengths {
        let hidden =
            Tensor::ones((ids.elem_count(), 8), DType::F32, &Device::Cpu).expect("ones");
        let _ = pool_packed(&hidden, lengths, &[Pooling::Mean, Pooling::LastToken], 1);
    }
});
