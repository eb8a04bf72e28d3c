//! Methods that change the image, and noise, compared with Captum's with the same draws
//! (`fixtures/perturbation/make.py`).

use ndarray::{Array2, Array3, Array4, Axis};
use tests::{Fixture, error};
use xai_core::attribution::{
    Baseline, DeepLift, FeatureAblation, InputXGradient, IntegratedGradients, Method, Occlusion,
    Panel, Saliency, Segments, SmoothGrad,
};

use crate::common::{
    TARGET, explain, grid, kernel_shap, lime, network, noise_of, shapley, shown, single,
};

fn expected(name: &str) -> Array4<f32> {
    Fixture::read("perturbation/perturbation.safetensors").array(name)
}

/// Diagonal stripes; labels need not be consecutive.
fn stripes(h: usize, w: usize) -> Segments {
    Segments::map(Array2::from_shape_fn((h, w), |(y, x)| {
        7 + 10 * ((y + 2 * x) / 5)
    }))
}

#[test]
fn occlusion_and_ablation_are_captums() {
    let (network, images) = network("plain");
    let check = |name: &str, found: Array4<f32>| {
        let error = error(&found, &expected(name));
        println!("{name} {error:e}");
        assert!(error < 1e-6, "{name}: off by {error:e}");
    };
    check(
        "occlusion",
        explain(Occlusion::default(), &network, &images),
    );
    let clipped = Occlusion {
        window: [4, 3],
        strides: [3, 2],
    };
    check("occlusion_clipped", explain(clipped, &network, &images));
    for (name, segments) in [
        ("feature_ablation", Segments::Values),
        ("feature_ablation_grid", grid()),
        ("feature_ablation_stripes", stripes(8, 8)),
    ] {
        check(
            name,
            explain(FeatureAblation { segments }, &network, &images),
        );
    }
}

#[test]
fn sampling_methods_are_captums_with_the_same_draws() {
    let (network, images) = network("plain");
    let check = |name: &str, found: Array4<f32>| {
        let error = error(&found, &expected(name));
        println!("{name} {error:e}");
        assert!(error < 1e-5, "{name}: off by {error:e}");
    };
    for (name, segments) in [("grid", grid()), ("values", Segments::Values)] {
        if name == "grid" {
            let found = explain(shapley(segments.clone()), &network, &images);
            check("shapley_grid", found);
        }
        let found = explain(lime(segments.clone()), &network, &images);
        check(&format!("lime_{name}"), found);
        let found = explain(kernel_shap(segments), &network, &images);
        check(&format!("kernel_shap_{name}"), found);
    }
    let noisy = |method: SmoothGrad<Saliency>| method.absolute(0.5);
    let saliency = SmoothGrad::of(Saliency);
    for method in [saliency, saliency.squared(), saliency.variance()].map(noisy) {
        check(method.name(), explain(method, &network, &images));
    }
    let times = SmoothGrad::of(InputXGradient).absolute(0.5);
    for method in [times, times.squared(), times.variance()] {
        check(method.name(), explain(method, &network, &images));
    }
}

#[test]
fn baselines_are_captums() {
    let (network, images) = network("relu_before_pool");
    let mut flipped = images.pixels.index_axis(Axis(0), 2).to_owned();
    flipped.invert_axis(Axis(2));
    for (name, baseline) in [
        ("mean", Baseline::Mean),
        ("blurred", Baseline::Blurred(1.5)),
        ("image", Baseline::Image(flipped)),
    ] {
        // One image a batch, and all in one.
        for memory in [0, 1 << 30] {
            let panel = Panel::new()
                .memory(memory)
                .baseline(baseline.clone())
                .with(IntegratedGradients::default())
                .with(DeepLift)
                .with(Occlusion::default());
            for map in panel.explain(&network, &images, TARGET).unwrap() {
                let error = error(
                    &map.values,
                    &expected(&format!("pools_{}_{name}", map.method)),
                );
                println!("{} {name} {error:e}", map.method);
                assert!(error < 1e-5, "{} from {name}: off by {error:e}", map.method);
            }
        }
    }
}

/// Writes the draws that `fixtures/perturbation/make.py` gives to Captum.
#[test]
#[ignore = "only when the fixtures are made anew"]
fn write_draws() {
    let (_, images) = network("plain");
    let mut draws = serde_json::Map::new();
    for (name, segments) in [("grid", grid()), ("values", Segments::Values)] {
        let parts = segments.of([3, 8, 8]).unwrap();
        // Which parts of a variant are the image's. The first images a method shows are the image and the baseline.
        let coalitions = |variants: Vec<Array3<f32>>, known: usize, i: usize| -> Vec<Vec<bool>> {
            let image = images.pixels.index_axis(Axis(0), i).to_owned();
            let coalition = |variant: &Array3<f32>| {
                let mut there = vec![false; parts.count()];
                let pixels = variant.iter().zip(&image).zip(parts.labels());
                for ((value, pixel), &part) in pixels {
                    there[part] |= value == pixel;
                }
                there
            };
            variants[known..].iter().map(coalition).collect()
        };
        let text = |coalition: &Vec<bool>| -> String {
            coalition
                .iter()
                .map(|&there| if there { '1' } else { '0' })
                .collect()
        };
        let (mut orders, mut limes, mut kernels) = (vec![], vec![], vec![]);
        for i in 0..3 {
            let alone = single(&images, i);
            let steps = coalitions(shown(shapley(segments.clone()), &alone), 2, i);
            let orders_of = steps.chunks(parts.count() - 1).map(|steps| {
                let none = vec![false; parts.count()];
                let all = vec![true; parts.count()];
                let all: Vec<&Vec<bool>> = [&none].into_iter().chain(steps).chain([&all]).collect();
                let added = all.windows(2).map(|pair| {
                    (0..parts.count())
                        .find(|&part| pair[1][part] && !pair[0][part])
                        .unwrap()
                });
                added.collect::<Vec<usize>>()
            });
            orders.push(
                orders_of
                    .take(if name == "grid" { 25 } else { 0 })
                    .collect::<Vec<_>>(),
            );
            let found = coalitions(shown(lime(segments.clone()), &alone), 1, i);
            limes.push(found.iter().map(text).collect::<Vec<_>>());
            let found = coalitions(shown(kernel_shap(segments.clone()), &alone), 2, i);
            kernels.push(found.iter().map(text).collect::<Vec<_>>());
        }
        let drawn = serde_json::json!({"shapley": orders, "lime": limes, "kernel_shap": kernels});
        draws.insert(name.into(), drawn);
    }
    let noise: Vec<Vec<f32>> = noise_of(&images, 5, 0.5)
        .iter()
        .map(|noise| noise.iter().copied().collect())
        .collect();
    draws.insert("noise".into(), serde_json::json!(noise));
    let path = std::env::var("DRAWS").expect("set DRAWS to the file to write");
    std::fs::write(path, serde_json::to_string(&draws).unwrap()).unwrap();
}
