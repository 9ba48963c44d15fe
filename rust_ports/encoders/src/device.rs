//! Devices by name.

use std::panic::catch_unwind;

use candle_core::{Device, utils};
use encoders_models::{Result, input_error};

/// The device of that name: "cpu"; "cuda", "cuda:1" or "metal" where this library was built
/// with the feature of that name.
pub fn device(name: &str) -> Result<Device> {
    if name == "cpu" {
        return Ok(Device::Cpu);
    }
    let (kind, number) = name.split_once(':').unwrap_or((name, "0"));
    let unavailable = |why: String| {
        input_error!("device {name:?} is not available: {why}; available: {}", available())
    };
    let built = match kind {
        "cuda" => utils::cuda_is_available(),
        "metal" => utils::metal_is_available(),
        _ => {
            return Err(unavailable("there are cpu, cuda, cuda:1 and so on, and metal".into()));
        }
    };
    let number: usize = number
        .parse()
        .map_err(|_| unavailable(format!("{number:?} is not the number of a device")))?;
    if !built {
        return Err(unavailable(format!(
            "this library was built without it. Build it with the cargo feature {kind:?}; the \
             Python package with MATURIN_PEP517_ARGS=\"--features \
             pyo3/extension-module,{kind}\" pip install"
        )));
    }
    // Where there is no device, Metal's bindings panic.
    let opened = catch_unwind(|| match kind {
        "cuda" => Device::new_cuda(number),
        _ => Device::new_metal(number),
    });
    match opened {
        Ok(Ok(device)) => Ok(device),
        // Its further lines are a trace of candle's own.
        Ok(Err(problem)) => {
            Err(unavailable(problem.to_string().lines().next().unwrap_or_default().to_string()))
        }
        Err(_) => Err(unavailable("its driver cannot be loaded".into())),
    }
}

/// The kinds of devices that this library was built for.
fn available() -> String {
    let kinds = [
        ("cpu", true),
        ("cuda", utils::cuda_is_available()),
        ("metal", utils::metal_is_available()),
    ];
    let kinds: Vec<&str> =
        kinds.into_iter().filter(|(_, built)| *built).map(|(kind, _)| kind).collect();
    kinds.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_names() {
        assert!(device("cpu").unwrap().is_cpu());
        for wrong in ["tpu", "", "cpu:0", "cuda:", "cuda:-1", "cuda:x", "metal:1.0", "CUDA"] {
            let error = device(wrong).unwrap_err().to_string();
            assert!(error.contains(&format!("{wrong:?} is not available")), "{error}");
            assert!(error.contains("available: cpu"), "{error}");
        }
    }

    #[test]
    #[cfg(not(any(feature = "cuda", feature = "metal")))]
    fn what_was_not_built_says_how_it_would_be() {
        for (name, kind) in [("cuda", "cuda"), ("cuda:1", "cuda"), ("metal", "metal")] {
            let error = device(name).unwrap_err().to_string();
            assert!(error.contains(&format!("the cargo feature {kind:?}")), "{error}");
        }
    }
}
