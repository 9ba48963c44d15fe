//! Functions of each element by itself, and the names that Transformers has for them.

use std::f64::consts::{PI, SQRT_2};

use candle_core::Tensor;
use encoders_kernels::config_error;

use super::in_single_precision;
use crate::error::Result;

/// A function of each element by itself; `[...]` in, `[...]` out.
pub type Activation = fn(&Tensor) -> Result<Tensor>;

/// Transformers' names (activations.py, `ACT2FN`); several of them mean one function.
pub const ACTIVATIONS: [(&str, Activation); 18] = [
    ("gelu", gelu),
    ("gelu_python", gelu),
    ("gelu_fast", gelu_fast),
    ("gelu_new", gelu_tanh),
    ("gelu_python_tanh", gelu_tanh),
    ("gelu_pytorch_tanh", gelu_tanh),
    ("hardswish", hardswish),
    ("leaky_relu", leaky_relu),
    ("linear", linear),
    ("mish", mish),
    ("quick_gelu", quick_gelu),
    ("relu", relu),
    ("relu2", relu_squared),
    ("relu6", relu6),
    ("sigmoid", sigmoid),
    ("silu", silu),
    ("swish", silu),
    ("tanh", tanh),
];

/// The activation of that name in Transformers' configurations.
pub fn activation(name: &str) -> Result<Activation> {
    match ACTIVATIONS.iter().find(|(known, _)| *known == name) {
        Some((_, function)) => Ok(*function),
        None => Err(config_error!(
            "hidden_act {name:?} is not implemented; supported: {}",
            ACTIVATIONS.map(|(known, _)| known).join(", ")
        )),
    }
}

/// Whether this is [`gelu`], for which there are kernels.
///
/// What stands at one address computes the same. A compiler may put a function at two; then
/// the plain form would run, and give the same numbers later.
pub(super) fn is_exact_gelu(activation: Activation) -> bool {
    std::ptr::fn_addr_eq(activation, gelu as Activation)
}

/// x Φ(x) with the exact normal distribution function, through erf (Hendrycks & Gimpel 2016).
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    // Not candle's gelu_erf, whose backward pass has its constants to six digits.
    in_single_precision(x, |x| {
        let doubled = ((x / SQRT_2)?.erf()? + 1.0)?; // 2 Φ(x)
        Ok(((x * 0.5)? * doubled)?)
    })
}

/// The tanh approximation of GELU; about 5e-4 away from [`gelu`], and a checkpoint was trained
/// with one of them.
pub fn gelu_tanh(x: &Tensor) -> Result<Tensor> {
    in_single_precision(x, |x| {
        let cubic = ((x.sqr()? * x)? * 0.044715)?;
        let inner = ((x + cubic)? * (2.0 / PI).sqrt())?;
        Ok(((x * 0.5)? * (inner.tanh()? + 1.0)?)?)
    })
}

/// [`gelu_tanh`] with √(2/π) cut to ten digits, as Transformers has it under this name. It
/// shows in float64: a float32 rounding behind it, RoPE's for one, may go the other way.
fn gelu_fast(x: &Tensor) -> Result<Tensor> {
    in_single_precision(x, |x| {
        let inner = (((x.sqr()? * 0.044715)? + 1.0)? * x)?;
        Ok(((x * 0.5)? * ((inner * 0.7978845608)?.tanh()? + 1.0)?)?)
    })
}

/// x σ(1.702 x), the cheapest approximation of GELU.
pub fn quick_gelu(x: &Tensor) -> Result<Tensor> {
    Ok((x * sigmoid(&(x * 1.702)?)?)?)
}

/// The positive part; its slope at 0 is 0, as in PyTorch.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    Ok(x.le(0.0)?.where_cond(&x.zeros_like()?, x)?) // this way round, NaN stays NaN
}

/// The square of the positive part (So et al. 2021).
pub fn relu_squared(x: &Tensor) -> Result<Tensor> {
    Ok(relu(x)?.sqr()?)
}

/// The positive part, and never more than six.
pub fn relu6(x: &Tensor) -> Result<Tensor> {
    let six = (x.ones_like()? * 6.0)?;
    Ok(x.ge(6.0)?.where_cond(&six, &relu(x)?)?)
}

/// The positive part, and a hundredth of the negative one.
pub fn leaky_relu(x: &Tensor) -> Result<Tensor> {
    Ok(x.gt(0.0)?.where_cond(x, &(x * 0.01)?)?)
}

/// x relu6(x + 3) / 6 (Howard et al. 2019).
pub fn hardswish(x: &Tensor) -> Result<Tensor> {
    Ok((x * (relu6(&(x + 3.0)?)? / 6.0)?)?)
}

/// 1 / (1 + exp(-x)), written so that neither it nor its gradient overflows.
pub fn sigmoid(x: &Tensor) -> Result<Tensor> {
    in_single_precision(x, |x| {
        let small = x.abs()?.neg()?.exp()?;
        let share = (&small + 1.0)?.recip()?;
        Ok(x.ge(0.0)?.where_cond(&share, &(small * &share)?)?)
    })
}

/// x σ(x) (Elfwing et al. 2017), also called swish.
pub fn silu(x: &Tensor) -> Result<Tensor> {
    Ok((x * sigmoid(x)?)?)
}

/// x tanh(log(1 + exp(x))) (Misra 2019). With n = exp(x), the tanh is (n² + 2n) / (n² + 2n +
/// 2).
pub fn mish(x: &Tensor) -> Result<Tensor> {
    in_single_precision(x, |x| {
        // exp(x) below zero; above it, all is divided by exp(2x).
        let n = x.abs()?.neg()?.exp()?;
        let (once, twice) = ((&n * 2.0)?, n.sqr()?);
        let below = ((&twice + &once)? / ((&twice + &once)? + 2.0)?)?;
        let above = ((&once + 1.0)? / ((&once + 1.0)? + (twice * 2.0)?)?)?;
        Ok((x * x.ge(0.0)?.where_cond(&above, &below)?)?)
    })
}

/// No activation at all.
pub fn linear(x: &Tensor) -> Result<Tensor> {
    Ok(x.clone())
}

/// The hyperbolic tangent.
pub fn tanh(x: &Tensor) -> Result<Tensor> {
    in_single_precision(x, |x| Ok(x.tanh()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    fn values(function: Activation, x: &[f64]) -> Vec<f64> {
        function(&Tensor::new(x, &Device::Cpu).unwrap()).unwrap().to_vec1().unwrap()
    }

    #[test]
    fn activations_have_the_values_of_their_definitions() {
        let x = [-30.0, -3.0, -1.0, -0.1, 0.0, 0.1, 1.0, 3.0, 30.0];
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let definition = |name: &str, x: f64| match name {
            "gelu" | "gelu_python" => 0.5 * x * (1.0 + libm::erf(x / SQRT_2)),
            "gelu_fast" => 0.5 * x * (1.0 + (0.7978845608 * (x + 0.044715 * x.powi(3))).tanh()),
            "gelu_new" | "gelu_python_tanh" | "gelu_pytorch_tanh" => {
                0.5 * x * (1.0 + ((2.0 / PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh())
            }
            "hardswish" => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
            "leaky_relu" => {
                if x > 0.0 {
                    x
                } else {
                    0.01 * x
                }
            }
            "linear" => x,
            "mish" => x * x.exp().ln_1p().tanh(),
            "quick_gelu" => x * sigmoid(1.702 * x),
            "relu" => x.max(0.0),
            "relu2" => x.max(0.0).powi(2),
            "relu6" => x.clamp(0.0, 6.0),
            "sigmoid" => sigmoid(x),
            "silu" | "swish" => x * sigmoid(x),
            "tanh" => x.tanh(),
            other => panic!("{other} has no definition here"),
        };
        for (name, function) in ACTIVATIONS {
            for (x, found) in x.iter().zip(values(function, &x)) {
                let expected = definition(name, *x);
                assert!(
                    (found - expected).abs() <= 1e-14 * expected.abs().max(1e-3),
                    "{name}({x}): {found}, not {expected}"
                );
            }
        }
    }

    #[test]
    fn no_gradient_overflows() {
        for (name, function) in ACTIVATIONS {
            let x = Var::new(&[-2000f32, -100.0, -6.0, 0.0, 6.0, 100.0, 2000.0], &Device::Cpu)
                .unwrap();
            let store = function(&x).unwrap().sum_all().unwrap().backward().unwrap();
            let gradient: Vec<f32> = store.get(&x).unwrap().to_vec1().unwrap();
            assert!(gradient.iter().all(|slope| slope.is_finite()), "{name}: {gradient:?}");
        }
    }

    #[test]
    fn not_a_number_stays_so() {
        for (name, function) in ACTIVATIONS {
            assert!(values(function, &[f64::NAN])[0].is_nan(), "{name}");
        }
    }

    #[test]
    fn the_activation_that_has_kernels_is_known_under_either_name() {
        let exact = |name| is_exact_gelu(activation(name).unwrap());
        assert!(exact("gelu") && exact("gelu_python"));
        assert!(!exact("gelu_new") && !exact("quick_gelu") && !exact("linear"));
    }

    #[test]
    fn unknown_activations_are_refused_by_name() {
        let error = activation("geglu").unwrap_err().to_string();
        assert!(error.contains("geglu") && error.contains("gelu_pytorch_tanh"), "{error}");
    }
}
