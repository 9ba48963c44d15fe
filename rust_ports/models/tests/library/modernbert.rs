//! ModernBERT whole: packed against padded, kernels against plain forms, gradients, traces.

use crate::common::{Random, difference};
use crate::tiny_modernbert::{HEADS, batch, config, model, real, tensors};
use candle_core::{DType, Device, Tensor, Var};
use encoders_models::Error;
use encoders_models::config::LayerType;
use encoders_models::family::Config;
use encoders_models::heads::Encoder;
use encoders_models::inputs::Inputs;
use encoders_models::model::{Model, Network};
use encoders_models::modernbert::{ModernBertConfig, ModernBertModel, RopeTables};
use encoders_models::weights::{Tensors, Weights};
use serde_json::json;

fn states(network: &Network, inputs: Inputs) -> Vec<Tensor> {
    let inputs = Inputs { output_hidden_states: true, ..inputs };
    let output = network.forward(&inputs, None).unwrap();
    output.hidden_states.unwrap()
}

/// RoPE rounds to float32 even in float64, and the two ways differ in the last bits before it.
pub const ROUNDED: f64 = 1e-5;

#[test]
fn packed_equals_padded_at_every_layer() {
    for changes in [
        json!({}),
        json!({"norm_bias": true, "attention_bias": true, "mlp_bias": true}),
        json!({"hidden_activation": "silu"}),
    ] {
        let config = config(changes);
        let model = model(&config, "ModernBertModel", DType::F64);
        let (ids, mask, packed_ids, cu_seqlens) = batch();
        let padded = states(&model.network, Inputs::padded(&ids, &mask));
        let packed = states(&model.network, Inputs::packed(&packed_ids, &cu_seqlens));
        assert_eq!(padded.len(), 5);
        for (padded, packed) in padded.iter().zip(&packed) {
            assert!(difference(&real(padded, &mask), packed) < ROUNDED);
        }
    }
}

/// The plain forms run where gradients are tracked, the fused ones where not.
#[test]
fn fused_equals_plain() {
    for (dtype, bound) in [(DType::F64, ROUNDED), (DType::F32, 1e-4)] {
        for act in ["gelu", "relu"] {
            let config = config(json!({"hidden_activation": act, "attention_bias": true}));
            let constants = tensors(&config, "ModernBertModel", dtype);
            let variables = constants.iter().map(|(key, tensor)| {
                (key.clone(), Var::from_tensor(tensor).unwrap().into_inner())
            });
            let variables: Tensors = variables.collect();
            let (ids, mask, packed_ids, cu_seqlens) = batch();
            let build = |tensors: &Tensors| {
                let config = Config::from(config.clone());
                Weights::build(tensors, |weights| {
                    Network::new("ModernBertModel", &config, weights)
                })
                .unwrap()
            };
            let (fused, plain) = (build(&constants), build(&variables));
            for inputs in
                [Inputs::padded(&ids, &mask), Inputs::packed(&packed_ids, &cu_seqlens)]
            {
                let (fused, plain) = (states(&fused, inputs), states(&plain, inputs));
                assert!(plain[0].track_op() && !fused[0].track_op());
                for (layer, (fused, plain)) in fused.iter().zip(&plain).enumerate() {
                    let gap = difference(fused, plain);
                    assert!(gap < bound, "{act} {dtype:?} {layer}: {gap}");
                }
            }
        }
    }
}

/// Moves a number of every parameter a little and compares. The steps are large: RoPE's
/// rounding is in every loss.
fn check_gradients(architecture: &str, config: &ModernBertConfig, labels: &Tensor) {
    const STEP: f64 = 1e-3;
    let tensors = tensors(config, architecture, DType::F64);
    let (ids, mask, ..) = batch();
    let inputs = Inputs::padded(&ids, &mask);
    let build = |tensors| Model::new(architecture, config.clone(), tensors).unwrap();
    let (_, gradients) = build(tensors.clone()).gradients(&inputs, labels).unwrap();
    let mut random = Random(11);
    for (key, tensor) in &tensors {
        let gradient: Vec<f64> = gradients[key].flatten_all().unwrap().to_vec1().unwrap();
        let mut place = random.below(gradient.len());
        if key.ends_with("tok_embeddings.weight") {
            place += 8 * usize::from(place < 8); // the pad's row has no gradient
        }
        let loss = |step: f64| -> f64 {
            let mut numbers: Vec<f64> = tensor.flatten_all().unwrap().to_vec1().unwrap();
            numbers[place] += step;
            let moved = Tensor::from_vec(numbers, tensor.dims(), &Device::Cpu).unwrap();
            let mut tensors = tensors.clone();
            tensors.insert(key.clone(), moved);
            let output = build(tensors).network.forward(&inputs, Some(labels));
            output.unwrap().loss.unwrap().to_scalar().unwrap()
        };
        let slope = (loss(STEP) - loss(-STEP)) / (2.0 * STEP);
        let gap = (slope - gradient[place]).abs();
        assert!(
            gap < 2e-3 * slope.abs().max(0.1),
            "{architecture} {key}[{place}]: {} for {slope}",
            gradient[place]
        );
    }
}

#[test]
fn gradients_are_slopes() {
    let states = Random(3).tensor(&[2, 5, 8], DType::F64);
    check_gradients("ModernBertModel", &config(json!({})), &states);
    let words = [[2i64, -100, 4, -100, 0], [7, 3, -100, -100, -100]];
    let words = Tensor::new(&words, &Device::Cpu).unwrap();
    for changes in [
        json!({}),
        json!({"tie_word_embeddings": false, "decoder_bias": false}),
        json!({"sparse_prediction": true}),
    ] {
        check_gradients("ModernBertForMaskedLM", &config(changes), &words);
    }
    let classes = Tensor::new(&[0i64, 2], &Device::Cpu).unwrap();
    for pooling in ["cls", "mean"] {
        let config = config(json!({"classifier_pooling": pooling, "classifier_bias": true}));
        check_gradients("ModernBertForSequenceClassification", &config, &classes);
    }
    let kinds = [[0i64, 1, 2, 0, 1], [1, 1, -100, -100, -100]];
    let kinds = Tensor::new(&kinds, &Device::Cpu).unwrap();
    check_gradients("ModernBertForTokenClassification", &config(json!({})), &kinds);
}

#[test]
fn a_trace_names_every_operation_in_order() {
    let config = config(json!({"num_hidden_layers": 2}));
    let (ids, mask, ..) = batch();
    let names = |architecture| -> Vec<String> {
        let trace =
            model(&config, architecture, DType::F32).trace(&Inputs::padded(&ids, &mask));
        trace.unwrap().into_iter().map(|(name, _)| name).collect()
    };
    let layer = "attn_norm attn.Wqkv attn.Wo.input attn.Wo mlp_norm mlp.Wi mlp.Wo.input mlp.Wo";
    let expected = |base: &str, rest: &[&str]| -> Vec<String> {
        let mut names = vec![format!("{base}embeddings")];
        for number in 0..2 {
            for name in layer.split(' ').skip(usize::from(number == 0)) {
                names.push(format!("{base}layers.{number}.{name}"));
            }
            names.push(format!("{base}layers.{number}"));
        }
        names.push(format!("{base}final_norm"));
        names.extend(rest.iter().map(|name| name.to_string()));
        names
    };
    assert_eq!(names("ModernBertModel"), expected("", &[]));
    for (architecture, last) in HEADS.into_iter().zip(["decoder", "classifier", "classifier"]) {
        assert_eq!(names(architecture), expected("model.", &["head.dense", "head", last]));
    }
}

#[test]
fn tables_may_come_from_elsewhere() {
    let config = config(json!({}));
    let (ids, mask, ..) = batch();
    let tensors = tensors(&config, "ModernBertModel", DType::F32);
    let model =
        Weights::build(&tensors, |weights| ModernBertModel::new(&config, weights)).unwrap();
    let inputs = Inputs::padded(&ids, &mask);
    let limits = Config::from(config.clone()).limits();
    let batch = inputs.check(&limits).unwrap();
    let mut tables = model.tables(&batch, DType::F32).unwrap();
    let forward = |tables: &RopeTables| {
        let rope_tables = Some(tables);
        model.forward(&Inputs { rope_tables, ..inputs })
    };
    let own = model.forward(&inputs).unwrap().last_hidden_state;
    let given = forward(&tables).unwrap().last_hidden_state;
    assert_eq!(difference(&own, &given), 0.0);
    let (cos, sin) = tables[&LayerType::SlidingAttention].clone();
    tables.insert(LayerType::FullAttention, (cos.clone(), sin.clone()));
    let other = forward(&tables).unwrap().last_hidden_state;
    assert!(difference(&own, &other) > 1e-4);
    tables.insert(LayerType::FullAttention, (cos.narrow(0, 0, 4).unwrap(), sin));
    assert!(matches!(forward(&tables), Err(Error::Input(_))));
    tables.remove(&LayerType::FullAttention);
    assert!(matches!(forward(&tables), Err(Error::Input(_))));
}
