//! What follows the pooling: each module by its definition, in any order; and an encoder that
//! is in a folder of its own.

use std::path::Path;

use candle_core::{Device, Tensor};
use encoders::weights::Tensors;
use encoders::{BertModel, FromPretrained, Tokenizer};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::embedder::{embedder, folder, mean};
use crate::files::{write, write_json};

/// A module: its kind, what its config.json says, and the tensors beside it.
type Listed<'a> = (&'a str, Value, Tensors);

const TEXT: &str = "a cat sat";

/// A folder in which these follow a mean.
pub fn folder_with(modules: &[Listed]) -> TempDir {
    let folder = folder(mean(), false);
    let entry = |path: &str, kind: &str| {
        let kind = format!("sentence_transformers.models.{kind}");
        json!({"path": path, "type": kind})
    };
    let mut listed = vec![entry("", "Transformer"), entry("1_Pooling", "Pooling")];
    for (number, (kind, config, tensors)) in modules.iter().enumerate() {
        let place = format!("{}_{kind}", number + 2);
        std::fs::create_dir(folder.path().join(&place)).unwrap();
        write(&folder.path().join(&place), config, tensors);
        listed.push(entry(&place, kind));
    }
    write_json(&folder.path().join("modules.json"), &json!(listed));
    folder
}

/// Some numbers of either sign.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|number| ((number * 7 + seed * 3) % 11) as f32 / 5.0 - 1.0).collect()
}

fn tensors(shapes: &[(&str, &[usize])]) -> Tensors {
    let tensor = |(seed, (key, shape)): (usize, &(&str, &[usize]))| {
        let values = numbers(shape.iter().product(), seed + 1);
        (key.to_string(), Tensor::from_vec(values, *shape, &Device::Cpu).unwrap())
    };
    shapes.iter().enumerate().map(tensor).collect()
}

fn dense(inputs: usize, outputs: usize, settings: Value) -> Listed<'static> {
    let mut config = json!({"in_features": inputs, "out_features": outputs});
    config.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let shapes: &[(&str, &[usize])] =
        &[("linear.weight", &[outputs, inputs]), ("linear.bias", &[outputs])];
    ("Dense", config, tensors(shapes))
}

fn layer_norm() -> Listed<'static> {
    let shapes: &[(&str, &[usize])] = &[("norm.weight", &[8]), ("norm.bias", &[8])];
    ("LayerNorm", json!({"dimension": 8}), tensors(shapes))
}

fn normalize() -> Listed<'static> {
    ("Normalize", json!({}), Tensors::new())
}

fn vector(modules: &[Listed]) -> Vec<f32> {
    embedder(&folder_with(modules)).unwrap().encode(&[TEXT]).unwrap().remove(0)
}

fn product(x: &[f32], weight: &Tensor) -> Vec<f32> {
    let rows = weight.to_vec2::<f32>().unwrap();
    rows.iter().map(|row| row.iter().zip(x).map(|(a, b)| a * b).sum()).collect()
}

fn unit(x: &[f32]) -> Vec<f32> {
    let length = x.iter().map(|x| x * x).sum::<f32>().sqrt();
    x.iter().map(|x| x / length).collect()
}

fn close(found: &[f32], expected: &[f32]) {
    let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 2e-5);
    assert!(found.len() == expected.len() && near, "{found:?}, not {expected:?}");
}

#[test]
fn dense_is_an_activation_of_a_product() {
    let pooled = vector(&[]);
    let (_, _, weights) = dense(8, 3, json!({}));
    let mut product = product(&pooled, &weights["linear.weight"]);
    let bias = weights["linear.bias"].to_vec1::<f32>().unwrap();
    product.iter_mut().zip(bias).for_each(|(x, bias)| *x += bias);
    let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
    let named: [(Value, &dyn Fn(f32) -> f32); 6] = [
        (json!({}), &f32::tanh),
        (json!({"activation_function": "torch.nn.modules.activation.Tanh"}), &f32::tanh),
        (json!({"activation_function": "torch.nn.modules.linear.Identity"}), &|x| x),
        (json!({"activation_function": "torch.nn.ReLU"}), &|x| x.max(0.0)),
        (json!({"activation_function": "torch.nn.modules.activation.Sigmoid"}), &sigmoid),
        (json!({"activation_function": "torch.nn.modules.activation.SiLU"}), &|x| {
            x * sigmoid(x)
        }),
    ];
    for (settings, activation) in named {
        let expected: Vec<f32> = product.iter().map(|x| activation(*x)).collect();
        close(&vector(&[dense(8, 3, settings)]), &expected);
    }
}

#[test]
fn a_residual_is_added_itself_or_through_a_matrix() {
    let pooled = vector(&[]);
    let residual = json!({"use_residual": true});
    let plain = vector(&[dense(8, 8, json!({}))]);
    let sum: Vec<f32> = plain.iter().zip(&pooled).map(|(a, b)| a + b).collect();
    close(&vector(&[dense(8, 8, residual.clone())]), &sum);
    let (kind, config, mut weights) = dense(8, 3, residual);
    let matrix = Tensor::from_vec(numbers(24, 5), (3, 8), &Device::Cpu).unwrap();
    let plain = vector(&[dense(8, 3, json!({}))]);
    let sum: Vec<f32> =
        plain.iter().zip(product(&pooled, &matrix)).map(|(a, b)| a + b).collect();
    weights.insert("residual.weight".into(), matrix);
    close(&vector(&[(kind, config, weights)]), &sum);
}

#[test]
fn dense_may_be_without_a_bias() {
    let (kind, config, mut weights) = dense(8, 3, json!({"bias": false}));
    weights.remove("linear.bias");
    let expected = product(&vector(&[]), &weights["linear.weight"]);
    let expected: Vec<f32> = expected.into_iter().map(f32::tanh).collect();
    close(&vector(&[(kind, config, weights)]), &expected);
}

#[test]
fn layer_norm_is_pytorchs() {
    let pooled = vector(&[]);
    let mean = pooled.iter().sum::<f32>() / 8.0;
    let variance = pooled.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / 8.0;
    let (_, _, weights) = layer_norm();
    let [scale, shift] =
        ["norm.weight", "norm.bias"].map(|key| weights[key].to_vec1::<f32>().unwrap());
    let expected: Vec<f32> = (0..8)
        .map(|place| {
            (pooled[place] - mean) / (variance + 1e-5).sqrt() * scale[place] + shift[place]
        })
        .collect();
    close(&vector(&[layer_norm()]), &expected);
}

#[test]
fn modules_follow_each_other_in_their_order() {
    let first = vector(&[normalize(), dense(8, 3, json!({}))]);
    let last = vector(&[dense(8, 3, json!({})), normalize()]);
    close(&last, &unit(&vector(&[dense(8, 3, json!({}))])));
    assert!(first.iter().zip(&last).any(|(a, b)| (a - b).abs() > 1e-2));
    let long = [dense(8, 5, json!({})), dense(5, 8, json!({})), layer_norm(), normalize()];
    let embedder = embedder(&folder_with(&long)).unwrap();
    assert_eq!((embedder.modules.len(), embedder.dimensions()), (4, 8));
    close(&vector(&long), &unit(&vector(&long[..3])));
    let dropout = ("Dropout", json!({"dropout": 0.5}), Tensors::new());
    assert_eq!(vector(&[dropout]), vector(&[]));
}

/// What is said where this module follows the pooling.
fn refusal(module: Listed) -> String {
    embedder(&folder_with(&[module])).err().expect("it loaded").to_string()
}

#[test]
fn settings_that_are_not_implemented_are_refused_by_name() {
    for (settings, part) in [
        (json!({"in_features": 9}), "in_features is 9, but vectors of 8 come in"),
        (json!({"out_features": 0}), "out_features is 0"),
        (json!({"out_features": "3"}), "out_features is \"3\""),
        (json!({"bias": 1}), "bias is 1; it must be true or false"),
        (json!({"use_residual": "yes"}), "use_residual is \"yes\""),
        (json!({"activation_function": "my.Own"}), "activation_function is \"my.Own\""),
        (json!({"activation_function": "torch.nn.modules.linear.Tanh"}), "linear.Tanh"),
        (json!({"activation_function": null}), "activation_function is null"),
        (json!({"module_input_name": "token_embeddings"}), "module_input_name is"),
        (json!({"module_output_name": "other"}), "module_output_name is \"other\""),
        (json!({"of_tomorrow": 1}), "the key of_tomorrow"),
    ] {
        let error = refusal(dense(8, 3, settings));
        assert!(error.contains(part) && error.contains("2_Dense"), "{error}");
    }
    let (kind, _, weights) = layer_norm();
    let error = refusal((kind, json!({"dimension": 9}), weights));
    assert!(error.contains("dimension is 9"), "{error}");
    let error = refusal(("Normalize", json!({"p": 1}), Tensors::new()));
    assert!(error.contains("the key p"), "{error}");
    let error = refusal(("CNN", json!({}), Tensors::new()));
    assert!(error.contains("module CNN is not implemented"), "{error}");
    let error = refusal(("Pooling", json!({}), Tensors::new()));
    assert!(error.contains("module Pooling is not implemented"), "{error}");
}

#[test]
fn a_modules_tensors_must_be_all_and_fit() {
    let with = |edit: &dyn Fn(&mut Tensors)| {
        let (kind, config, mut weights) = dense(8, 3, json!({}));
        edit(&mut weights);
        refusal((kind, config, weights))
    };
    let gone = with(&|weights| drop(weights.remove("linear.bias")));
    assert!(gone.contains("linear.bias is missing") && gone.contains("2_Dense"), "{gone}");
    let other = with(&|weights| {
        weights.insert("more".into(), weights["linear.bias"].clone());
    });
    assert!(other.contains("no place for more"), "{other}");
    let turned = with(&|weights| {
        let turned = weights["linear.weight"].t().unwrap().contiguous().unwrap();
        weights.insert("linear.weight".into(), turned);
    });
    assert!(turned.contains("linear.weight has shape [8, 3]"), "{turned}");
    let none = with(&|weights| {
        let nan = (weights["linear.bias"].clone() * f64::NAN).unwrap();
        weights.insert("linear.bias".into(), nan);
    });
    assert!(none.contains("NaN"), "{none}");
    let folder = folder_with(&[dense(8, 3, json!({}))]);
    std::fs::remove_file(folder.path().join("2_Dense/config.json")).unwrap();
    assert!(embedder(&folder).err().unwrap().to_string().contains("cannot be read"));
}

#[test]
fn an_encoder_may_be_in_a_folder_of_its_own() {
    let folder = folder_with(&[normalize()]);
    let place = |name: &str| folder.path().join(name);
    let expected = embedder(&folder).unwrap().encode(&[TEXT]).unwrap();
    let plain = folder.path().to_str().unwrap();
    let ids = Tokenizer::from_pretrained(plain).unwrap().ids(&[TEXT]).unwrap();
    std::fs::create_dir(place("0_Transformer")).unwrap();
    for name in [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "sentence_bert_config.json",
    ] {
        std::fs::rename(place(name), place("0_Transformer").join(name)).unwrap();
    }
    let send = |to: Value| {
        let mut modules: Value =
            serde_json::from_slice(&std::fs::read(place("modules.json")).unwrap()).unwrap();
        modules[0]["path"] = to;
        write_json(&place("modules.json"), &modules);
    };
    send(json!("0_Transformer"));
    assert_eq!(embedder(&folder).unwrap().encode(&[TEXT]).unwrap(), expected);
    assert_eq!(Tokenizer::from_pretrained(plain).unwrap().ids(&[TEXT]).unwrap(), ids);
    BertModel::from_pretrained(plain, &Device::Cpu).unwrap();
    std::fs::write(place("0_Transformer").join("chat_template.jinja"), "{{ x }}").unwrap();
    assert!(embedder(&folder).err().unwrap().to_string().contains("chat_template"));
    for wrong in [json!("../elsewhere"), json!("/"), json!(3)] {
        send(wrong.clone());
        let error = embedder(&folder).err().unwrap().to_string();
        assert!(error.contains("sends Transformer to"), "{wrong}: {error}");
    }
    assert!(Path::new(plain).is_dir());
}
