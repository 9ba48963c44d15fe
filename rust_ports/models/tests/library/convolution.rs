//! Convolutions against their definition, written out one number at a time.

use candle_core::{DType, Device, Tensor, Var};
use encoders_models::convolution::{
    Convolution, StridedConvolution, TransposedConvolution, windows,
};
use encoders_models::weights::{Path, Tensors, Weights};

use crate::common::{Random, difference};

const INPUTS: usize = 3;
const OUTPUTS: usize = 4;

type Numbers = Vec<Vec<Vec<f64>>>;

fn cube(x: &Tensor) -> Numbers {
    x.to_vec3().unwrap()
}

/// [batch, tokens, INPUTS] and a weight to [batch, length, OUTPUTS]: at each position the sum
/// over the places that `reach` gives for it, each with its place in the kernel.
fn defined(
    (x, weight, bias): (&Tensor, &Tensor, &Tensor),
    length: usize,
    transposed: bool,
    reach: impl Fn(usize) -> Vec<(usize, usize)>,
) -> Tensor {
    let (x, w, bias) = (cube(x), cube(weight), bias.to_vec1::<f64>().unwrap());
    let number = |text: &Vec<Vec<f64>>, position: usize, output: usize| {
        let places = reach(position);
        let terms =
            places.iter().filter(|(place, _)| *place < text.len()).flat_map(|(place, tap)| {
                (0..INPUTS).map(|input| {
                    let weight = match transposed {
                        true => w[input][output][*tap],
                        false => w[output][input][*tap],
                    };
                    text[*place][input] * weight
                })
            });
        bias[output] + terms.sum::<f64>()
    };
    let text = |text: &Vec<Vec<f64>>| -> Vec<Vec<f64>> {
        let row = |at| (0..OUTPUTS).map(|output| number(text, at, output)).collect();
        (0..length).map(row).collect()
    };
    Tensor::new(x.iter().map(text).collect::<Vec<_>>(), &Device::Cpu).unwrap()
}

fn parts(transposed: bool, width: usize) -> (Tensor, Tensor, Tensor) {
    let mut random = Random(width as u64);
    let shape = if transposed { [INPUTS, OUTPUTS, width] } else { [OUTPUTS, INPUTS, width] };
    let x = random.tensor(&[2, 6, INPUTS], DType::F64);
    (x, random.tensor(&shape, DType::F64), random.tensor(&[OUTPUTS], DType::F64))
}

/// Of constants, which are laid out once, and of variables, which are at each use.
fn check(
    (x, weight, bias): &(Tensor, Tensor, Tensor),
    expected: &Tensor,
    forward: impl Fn(Tensor, Tensor) -> Tensor,
) {
    assert_eq!(x.dims()[0], expected.dims()[0]);
    let found = forward(weight.clone(), bias.clone());
    assert!(difference(&found, expected) < 1e-14);
    let variables = [weight, bias].map(|tensor| Var::from_tensor(tensor).unwrap());
    let [weight, bias] = variables.each_ref().map(|variable| variable.as_tensor().clone());
    let found = forward(weight, bias);
    assert!(difference(&found, expected) < 1e-14);
    let store = found.sqr().unwrap().sum_all().unwrap().backward().unwrap();
    for (variable, place) in variables.iter().zip([5, 1]) {
        const STEP: f64 = 1e-5;
        let gradient = store.get(variable).unwrap();
        assert_eq!(gradient.dims(), variable.dims(), "as it is stored");
        let gradient = gradient.flatten_all().unwrap().to_vec1::<f64>().unwrap()[place];
        let loss = |step: f64| {
            let mut moved = variables.each_ref().map(|variable| variable.as_detached_tensor());
            for (tensor, other) in moved.iter_mut().zip(&variables) {
                if std::ptr::eq(other, variable) {
                    let mut numbers: Vec<f64> =
                        tensor.flatten_all().unwrap().to_vec1().unwrap();
                    numbers[place] += step;
                    let changed = Tensor::from_vec(numbers, tensor.shape(), &Device::Cpu);
                    *tensor = changed.unwrap();
                }
            }
            let [weight, bias] = moved;
            let loss = forward(weight, bias).sqr().unwrap().sum_all().unwrap();
            loss.to_scalar::<f64>().unwrap()
        };
        let slope = (loss(STEP) - loss(-STEP)) / (2.0 * STEP);
        assert!((slope - gradient).abs() < 1e-7 * slope.abs().max(1.0), "{gradient}: {slope}");
    }
}

#[test]
fn a_convolution_sees_both_sides_and_of_an_even_width_more_behind() {
    for width in 1..6 {
        let parts = parts(false, width);
        let reach = |at: usize| -> Vec<(usize, usize)> {
            let seen = (0..width).map(|tap| (at + tap).checked_sub((width - 1) / 2));
            seen.enumerate().filter_map(|(tap, place)| Some((place?, tap))).collect()
        };
        let expected = defined((&parts.0, &parts.1, &parts.2), 6, false, reach);
        check(&parts, &expected, |weight, bias| {
            Convolution::of(weight, bias, Path::default()).unwrap().forward(&parts.0).unwrap()
        });
    }
}

#[test]
fn a_strided_convolution_sees_each_position_once() {
    for stride in [1, 2, 3, 6] {
        let parts = parts(false, stride);
        let reach = |at: usize| (0..stride).map(|tap| (at * stride + tap, tap)).collect();
        let expected = defined((&parts.0, &parts.1, &parts.2), 6 / stride, false, reach);
        check(&parts, &expected, |weight, bias| {
            let layer = StridedConvolution::of(weight, bias, Path::default()).unwrap();
            layer.forward(&parts.0).unwrap()
        });
    }
    let (x, weight, bias) = parts(false, 4);
    let layer = StridedConvolution::of(weight, bias, Path::default()).unwrap();
    let error = layer.forward(&x).unwrap_err().to_string();
    assert!(error.contains("no multiple of the stride 4"), "{error}");
}

#[test]
fn a_transposed_convolution_gives_several_positions_for_each() {
    for stride in [1, 2, 3] {
        let parts = parts(true, stride);
        let reach = |at: usize| vec![(at / stride, at % stride)];
        let expected = defined((&parts.0, &parts.1, &parts.2), 6 * stride, true, reach);
        check(&parts, &expected, |weight, bias| {
            let layer = TransposedConvolution::of(weight, bias, Path::default()).unwrap();
            layer.forward(&parts.0).unwrap()
        });
    }
}

#[test]
fn they_take_the_tensors_of_their_shapes() {
    let mut random = Random(1);
    let tensors: Tensors = [
        ("same.weight", vec![4, 3, 5]),
        ("same.bias", vec![4]),
        ("down.weight", vec![4, 3, 2]),
        ("down.bias", vec![4]),
        ("up.weight", vec![3, 4, 2]),
        ("up.bias", vec![4]),
    ]
    .into_iter()
    .map(|(key, shape)| (key.to_string(), random.tensor(&shape, DType::F32)))
    .collect();
    let built = Weights::build(&tensors, |weights| {
        Convolution::new(3, 4, 5, &weights.under("same"))?;
        StridedConvolution::new(3, 4, 2, &weights.under("down"))?;
        TransposedConvolution::new(3, 4, 2, &weights.under("up"))
    });
    assert_eq!(built.unwrap().weight.dims(), [3, 4, 2]);
    let wrong =
        Weights::build(&tensors, |weights| Convolution::new(4, 3, 5, &weights.under("same")));
    assert!(wrong.unwrap_err().to_string().contains("same.weight has shape [4, 3, 5]"));
}

#[test]
fn what_is_no_kernel_is_refused() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    let of = |weight: &[usize], bias: &[usize]| {
        StridedConvolution::of(zeros(weight), zeros(bias), Path::default())
    };
    assert!(of(&[4, 3, 2], &[4]).is_ok());
    for (weight, bias) in [(&[4, 3, 0][..], &[4][..]), (&[4, 3, 2], &[3]), (&[4, 3], &[4])] {
        assert!(of(weight, bias).is_err(), "{weight:?} {bias:?}");
    }
    assert!(windows(&zeros(&[1, 2, 3]), 0).is_err() && windows(&zeros(&[2, 3]), 1).is_err());
}
