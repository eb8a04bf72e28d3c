//! Results do not depend on batches, on the order of images or on threads. Also tests the number of passes.

use std::cell::Cell;
use std::rc::Rc;

use ndarray::{Array2, Array4, Axis};
use xai_core::attribution::{
    Baseline, Closure, DeepLift, DeepLiftShap, ExpectedGradients, Explainable, FeatureAblation,
    GuidedGradCam, Images, KernelShap, Lime, Lrp, LrpComposite, Map, Memory, Occlusion, Panel,
    Rise, Saliency, Segments, ShapleyValueSampling, SmoothGrad, layer_evaluations,
};
use xai_core::network::{Network, VggConfig};

use crate::common::{AnyClosure, TARGET, grid, kernel_shap, lime, network, shapley, the_eight};

/// Every method that draws, and the others.
fn everything(seed: u64) -> Panel<Network> {
    the_eight(seed)
        .with(DeepLift::captum())
        .with(DeepLiftShap {
            baselines: Array4::ones((2, 3, 8, 8)),
        })
        .with(GuidedGradCam::default())
        .with(LrpComposite::epsilon_gamma_box(-1.0, 1.0))
        .baseline(Baseline::Mean)
        .with(Occlusion::default())
        .with(FeatureAblation { segments: grid() })
        .with(ShapleyValueSampling {
            permutations: 3,
            seed,
            ..shapley(grid())
        })
        .with(Lime {
            seed,
            ..lime(grid())
        })
        .with(KernelShap {
            seed,
            ..kernel_shap(grid())
        })
        .with(Rise {
            masks: 20,
            seed,
            ..Default::default()
        })
        .with(SmoothGrad::of(Saliency).seed(seed))
        .with(SmoothGrad::of(lime(grid())).seed(seed))
        .with(SmoothGrad::of(DeepLift).variance().seed(seed))
        .with(ExpectedGradients {
            seed,
            ..ExpectedGradients::from(Array4::ones((2, 3, 8, 8)))
        })
}

/// The same bits with one image a pass or many, whatever the order of images, on one thread or two; other
/// bits with another seed.
#[test]
fn nothing_depends_on_batches_order_or_threads() {
    let (network, images) = network("plain");
    let explain =
        |panel: Panel<Network>, images: &Images| panel.explain(&network, images, TARGET).unwrap();
    let whole = explain(everything(0), &images);
    let bytes = network.bytes([3, 8, 8]);
    for rows in [1, 2, 7] {
        for (a, b) in explain(everything(0).memory(rows * bytes), &images)
            .iter()
            .zip(&whole)
        {
            assert_eq!(a.values, b.values, "{} with {rows} images a pass", a.method);
        }
    }
    let mut pixels = images.pixels.clone();
    pixels.invert_axis(Axis(0));
    let reversed = Images::new(pixels, vec![0; 3]).with_index(vec![2, 1, 0]);
    for (mut a, b) in explain(everything(0), &reversed).into_iter().zip(&whole) {
        a.values.invert_axis(Axis(0));
        assert_eq!(a.values, b.values, "{}", a.method);
    }
    let mut draws = 0;
    for (a, b) in explain(everything(1), &images).iter().zip(&whole) {
        draws += usize::from(a.values != b.values);
    }
    assert_eq!(draws, 9, "methods that draw");
    for threads in ["1", "2"] {
        let printed = run_again("print_a_hash", "RAYON_NUM_THREADS", threads);
        let hash = format!("hash {:016x}", hash(&whole));
        assert!(
            printed.contains(&hash),
            "{threads} threads: {printed} {hash}"
        );
    }
}

/// What an ignored test of this file prints in a process of its own, with an environment variable.
fn run_again(test: &str, variable: &str, value: &str) -> String {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture"])
        .arg(format!("independence::{test}"))
        .env(variable, value)
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "run by another test"]
fn print_a_hash() {
    let (network, images) = network("plain");
    let maps = everything(0).explain(&network, &images, TARGET).unwrap();
    println!("hash {:016x}", hash(&maps));
}

/// FNV-1a of all bits.
fn hash(maps: &[Map]) -> u64 {
    let values = maps.iter().flat_map(|map| &map.values);
    values.fold(0xcbf2_9ce4_8422_2325, |hash, value| {
        (hash ^ u64::from(value.to_bits())).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// No more images at a time than memory allows, and as many passes as the book says.
#[test]
fn passes_fit_into_memory_and_are_counted() {
    let images = Images::new(Array4::from_elem((2, 1, 6, 6), 0.5), vec![0, 0]);
    let passes = |panel: Panel<AnyClosure>| {
        let (most, all) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (m, a) = (most.clone(), all.clone());
        let model: AnyClosure = Closure(Box::new(move |images| {
            let n = images.dim().0;
            m.set(m.get().max(n));
            a.set(a.get() + n);
            Ok(Array2::ones((n, 2)))
        }));
        let two: Memory = format!("{}B", 2 * model.bytes([1, 6, 6])).parse().unwrap();
        panel
            .memory(two.bytes())
            .explain(&model, &images, TARGET)
            .unwrap();
        assert!(most.get() <= 2, "memory is for two images");
        all.get()
    };
    let segments = Segments::grid(2, 3);
    let ablation = FeatureAblation {
        segments: segments.clone(),
    };
    let (images_, baseline) = (2, 1);
    assert_eq!(
        passes(Panel::new().with(Occlusion::default())),
        images_ * (1 + 16)
    );
    assert_eq!(
        passes(Panel::new().with(ablation.clone())),
        images_ * (1 + 6)
    );
    let shapley = shapley(segments.clone());
    assert_eq!(
        passes(Panel::new().with(shapley)),
        images_ * (1 + 25 * 5) + baseline
    );
    assert_eq!(
        passes(Panel::new().with(lime(segments.clone()))),
        images_ * (1 + 50)
    );
    let kernel = kernel_shap(segments.clone());
    assert_eq!(
        passes(Panel::new().with(kernel.clone())),
        images_ * (1 + 23) + baseline
    );
    // The images' own scores are asked for once.
    let both = Panel::new().with(ablation.clone()).with(kernel);
    assert_eq!(passes(both), images_ * (1 + 6 + 23) + baseline);

    // Of a network they are those of the forward pass that the gradient needs anyway.
    let (network, images) = network("plain");
    let ablation = FeatureAblation { segments: grid() };
    let before = layer_evaluations();
    let panel = Panel::new()
        .with(Saliency)
        .with(ablation)
        .with(Lrp::default());
    panel.explain(&network, &images, TARGET).unwrap();
    let passes = 3 * (1 + 16);
    assert_eq!(layer_evaluations() - before, passes * network.layers.len());
}

/// The largest memory that the process has had, in KiB.
#[cfg(target_os = "linux")]
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.unwrap().trim().trim_end_matches("kB").trim();
    number.parse().unwrap()
}

/// Explains three images, whose paths have many points, with the memory that the environment names.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "run by another test"]
fn print_the_peak() {
    let Ok(memory) = std::env::var("XAI_TEST_MEMORY") else {
        return;
    };
    let memory: Memory = memory.parse().unwrap();
    let config = VggConfig {
        width_divisor: 8,
        pooled: 3,
        dropout: 0.5,
        classes: 2,
    };
    let network = config.init(false, 0, &tests::device());
    let pixels = Array4::from_shape_fn((3, 3, 96, 96), |(n, c, y, x)| {
        ((n * 7 + c * 5 + y * 3 + x) as f32 * 0.37).sin()
    });
    let images = Images::new(pixels, vec![0; 3]);
    let before = peak();
    let panel = the_eight(0).memory(memory.bytes());
    panel.explain(&network, &images, 0).unwrap();
    println!("peak {} of {before}", peak() - before);
}

/// What a panel takes beyond one image a pass stays within the memory that it was given; with more memory it
/// takes more.
#[cfg(target_os = "linux")]
#[test]
fn memory_is_what_was_allowed() {
    let taken = |memory: &str| -> usize {
        let printed = run_again("print_the_peak", "XAI_TEST_MEMORY", memory);
        let (_, peak) = printed.split_once("peak ").unwrap();
        peak.split_once(' ').unwrap().0.parse().unwrap()
    };
    let [least, some, more] = ["1B", "64MiB", "512MiB"].map(taken);
    println!("KiB: one image a pass {least}, 64 MiB {some}, 512 MiB {more}");
    assert!(some <= least + (64 << 10), "{some} KiB, alone {least}");
    assert!(more <= least + (512 << 10), "{more} KiB, alone {least}");
    assert!(more > some + (64 << 10), "memory is used: {some}, {more}");
}
