//! ModernBERT whole: packed against padded, fused against plain, gradients, traces,
//! checkpoints.

use crate::common::{Random, batch_with_pad, difference, write};
use candle_core::{DType, Device, Tensor, Var};
use encoders::config::LayerType;
use encoders::weights::{Tensors, Weights};
use encoders::{
    Config, Error, Inputs, Model, ModernBertConfig, ModernBertModel, Network, RopeTables,
};
use serde_json::{Value, json};

const HEADS: [&str; 3] = [
    "ModernBertForMaskedLM",
    "ModernBertForSequenceClassification",
    "ModernBertForTokenClassification",
];

/// Four narrow layers whose windows are narrower than the texts of [`batch`]; `changes` replace
/// or add keys.
fn config_json(changes: Value) -> Value {
    let mut config = json!({
        "model_type": "modernbert", "vocab_size": 13, "hidden_size": 8, "num_hidden_layers": 4,
        "num_attention_heads": 2, "intermediate_size": 12, "local_attention": 3, "num_labels": 3, "pad_token_id": 0,
    });
    for (key, value) in changes.as_object().into_iter().flatten() {
        config[key] = value.clone();
    }
    config
}

fn config(changes: Value) -> ModernBertConfig {
    ModernBertConfig::from_json(&config_json(changes).to_string()).unwrap()
}

/// The tensors of an architecture, written down apart from the library.
fn tensors(config: &ModernBertConfig, architecture: &str, dtype: DType) -> Tensors {
    let (hidden, wide) = (config.hidden_size, config.intermediate_size);
    let base = if architecture == "ModernBertModel" { "" } else { "model." };
    let mut shapes = vec![(
        format!("{base}embeddings.tok_embeddings.weight"),
        vec![config.vocab_size, hidden],
    )];
    let mut add = |name: String, shape: &[usize], bias: bool| {
        shapes.push((format!("{name}.weight"), shape.to_vec()));
        if bias {
            shapes.push((format!("{name}.bias"), vec![shape[0]]));
        }
    };
    add(format!("{base}embeddings.norm"), &[hidden], config.norm_bias);
    add(format!("{base}final_norm"), &[hidden], config.norm_bias);
    for number in 0..config.num_hidden_layers {
        let layer = format!("{base}layers.{number}");
        if number > 0 {
            add(format!("{layer}.attn_norm"), &[hidden], config.norm_bias);
        }
        add(format!("{layer}.mlp_norm"), &[hidden], config.norm_bias);
        let attention = config.attention_bias;
        add(format!("{layer}.attn.Wqkv"), &[3 * hidden, hidden], attention);
        add(format!("{layer}.attn.Wo"), &[hidden, hidden], attention);
        add(format!("{layer}.mlp.Wi"), &[2 * wide, hidden], config.mlp_bias);
        add(format!("{layer}.mlp.Wo"), &[hidden, wide], config.mlp_bias);
    }
    if !base.is_empty() {
        add("head.dense".into(), &[hidden, hidden], config.classifier_bias);
        add("head.norm".into(), &[hidden], config.norm_bias);
    }
    if architecture.ends_with("Classification") {
        add("classifier".into(), &[config.num_labels(), hidden], true);
    }
    if architecture.ends_with("ForMultipleChoice") {
        add("classifier".into(), &[1, hidden], true);
    }
    if architecture.ends_with("ForMaskedLM") {
        if !config.tie_word_embeddings {
            shapes.push(("decoder.weight".into(), vec![config.vocab_size, hidden]));
        }
        if config.decoder_bias {
            shapes.push(("decoder.bias".into(), vec![config.vocab_size]));
        }
    }
    let mut random = Random(7);
    shapes.into_iter().map(|(key, shape)| (key, random.tensor(&shape, dtype))).collect()
}

fn model(config: &ModernBertConfig, architecture: &str, dtype: DType) -> Model {
    let tensors = tensors(config, architecture, dtype);
    Model::new(architecture, config.clone(), tensors).unwrap()
}

/// Two texts padded on the right: ids and mask, and the same packed, with cumulative lengths.
fn batch() -> (Tensor, Tensor, Tensor, [usize; 3]) {
    let (ids, mask) = batch_with_pad(0);
    let (ids, mask) = (ids.narrow(0, 0, 2).unwrap(), mask.narrow(0, 0, 2).unwrap());
    let packed = real(&ids.unsqueeze(2).unwrap(), &mask).squeeze(1).unwrap();
    (ids, mask, packed, [0, 5, 7])
}

/// The rows of real tokens of `padded` `[2, 5, size]`: the whole first text, and two tokens of
/// the second.
fn real(padded: &Tensor, mask: &Tensor) -> Tensor {
    let mask: Vec<i64> = mask.flatten_all().unwrap().to_vec1().unwrap();
    let places: Vec<i64> =
        (0..mask.len() as i64).filter(|place| mask[*place as usize] == 1).collect();
    let places = Tensor::new(places, &Device::Cpu).unwrap();
    padded.flatten(0, 1).unwrap().index_select(&places, 0).unwrap()
}

fn states(network: &Network, inputs: Inputs) -> Vec<Tensor> {
    let inputs = Inputs { output_hidden_states: true, ..inputs };
    let output = network.forward(&inputs, None).unwrap();
    output.hidden_states.unwrap()
}

/// RoPE rounds to float32 even in float64, and the two ways differ in the last bits before it.
const ROUNDED: f64 = 1e-5;

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

#[test]
fn packed_heads_give_a_row_a_text_or_a_token() {
    for pooling in ["cls", "mean"] {
        let config = config(json!({"classifier_pooling": pooling}));
        let (ids, mask, packed_ids, cu_seqlens) = batch();
        for architecture in HEADS {
            let model = model(&config, architecture, DType::F64);
            let logits = |inputs| {
                let output = model.network.forward(&inputs, None).unwrap();
                output.logits.unwrap()
            };
            let mut padded = logits(Inputs::padded(&ids, &mask));
            let packed = logits(Inputs::packed(&packed_ids, &cu_seqlens));
            if padded.rank() == 3 {
                padded = real(&padded, &mask);
            }
            assert!(difference(&padded, &packed) < ROUNDED, "{architecture}");
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

/// One question with two choices: the texts of [`batch`], once padded and once in a row.
#[test]
fn choices_have_a_score_each() {
    let (ids, mask, packed_ids, cu_seqlens) = batch();
    let (asked, hides) = (ids.unsqueeze(0).unwrap(), mask.unsqueeze(0).unwrap());
    let label = Tensor::new(&[1i64], &Device::Cpu).unwrap();
    for pooling in ["cls", "mean"] {
        let config = config(json!({"classifier_pooling": pooling}));
        let model = model(&config, "ModernBertForMultipleChoice", DType::F64);
        let forward = |inputs| model.network.forward(&inputs, Some(&label)).unwrap();
        let padded = forward(Inputs::padded(&asked, &hides));
        let packed = forward(Inputs::packed(&packed_ids, &cu_seqlens));
        let logits = padded.logits.unwrap();
        assert_eq!(logits.dims(), [1, 2]);
        assert!(difference(&logits, &packed.logits.unwrap()) < ROUNDED);
        let scores: Vec<f64> = logits.flatten_all().unwrap().to_vec1().unwrap();
        let expected = (1.0 + (scores[0] - scores[1]).exp()).ln();
        let loss: f64 = padded.loss.unwrap().to_scalar().unwrap();
        assert!((loss - expected).abs() < 1e-12);
        let (_, gradients) = model.gradients(&Inputs::padded(&asked, &hides), &label).unwrap();
        let slope: Vec<f64> =
            gradients["classifier.weight"].flatten_all().unwrap().to_vec1().unwrap();
        assert!(slope.iter().any(|number| number.abs() > 1e-3));
        // The bias moves both scores alike.
        let bias: Vec<f64> = gradients["classifier.bias"].to_vec1().unwrap();
        assert!(bias[0].abs() < 1e-12);
    }
}

#[test]
fn choices_need_an_axis_of_their_own() {
    let (ids, mask, ..) = batch();
    let model = model(&config(json!({})), "ModernBertForMultipleChoice", DType::F32);
    let flat = model.network.forward(&Inputs::padded(&ids, &mask), None);
    assert!(matches!(flat, Err(Error::Input(message)) if message.contains("choices")));
    let asked = ids.unsqueeze(0).unwrap();
    let wrong = model.network.forward(&Inputs::padded(&asked, &mask), None);
    assert!(matches!(wrong, Err(Error::Input(message)) if message.contains("attention_mask")));
}

#[test]
fn sparse_prediction_scores_labelled_positions_only() {
    let (ids, mask, ..) = batch();
    let labels = [[-100i64, 3, -100, -100, 1], [-100, 2, -100, -100, -100]];
    let labels = Tensor::new(&labels, &Device::Cpu).unwrap();
    let forward = |sparse: bool, labels: Option<&Tensor>| {
        let config = config(json!({"sparse_prediction": sparse}));
        let model = model(&config, "ModernBertForMaskedLM", DType::F64);
        let inputs = Inputs::padded(&ids, &mask);
        model.network.forward(&inputs, labels).unwrap()
    };
    let (all, some) = (forward(false, Some(&labels)), forward(true, Some(&labels)));
    assert_eq!(some.logits.unwrap().dims(), [3, 13]);
    assert!(difference(&all.loss.unwrap(), &some.loss.unwrap()) < 1e-12);
    assert_eq!(forward(true, None).logits.unwrap().dims(), [2, 5, 13]);
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
    let mut tables = model.tables(&inputs, DType::F32).unwrap();
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

#[test]
fn checkpoints_load_in_full_and_as_a_base() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let changes =
        json!({"architectures": ["ModernBertForMaskedLM"], "global_attn_every_n_layers": 2});
    let config = config(changes.clone());
    let mut tensors = tensors(&config, "ModernBertForMaskedLM", DType::F32);
    let tied = tensors["model.embeddings.tok_embeddings.weight"].clone();
    let count = tensors.len();
    tensors.insert("decoder.weight".into(), tied);
    write(folder.path(), &config_json(changes), &tensors);
    let whole = Model::from_pretrained(path, &Device::Cpu).unwrap();
    assert_eq!(whole.state().count(), count);
    let base = ModernBertModel::from_pretrained(path, &Device::Cpu).unwrap();
    let (ids, mask, ..) = batch();
    let inputs = Inputs::padded(&ids, &mask);
    let inside = whole.network.last_hidden_state(&inputs).unwrap();
    let alone = base.forward(&inputs).unwrap().last_hidden_state;
    assert_eq!(difference(&inside, &alone), 0.0);
    let wrong = encoders::BertModel::from_pretrained(path, &Device::Cpu);
    assert!(wrong.unwrap_err().to_string().contains("modernbert"));
}
