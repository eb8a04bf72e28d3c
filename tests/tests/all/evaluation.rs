//! Metrics that need no ground truth (faithfulness, robustness and randomisation), compared with Quantus
//! (`fixtures/evaluation/make.py`) and with properties that follow from their definitions.

use burn::tensor::TensorData;
use ndarray::{Array2, Array3, Array4, ArrayD, ArrayView1, ArrayView4, Axis, array, s};
use tests::{Fixture, download, upload};
use xai_core::Result;
use xai_core::attribution::{Images, Panel, Saliency, Targets};
use xai_core::device::Tensor;
use xai_core::metrics::faithfulness::{areas, deletion, infidelity, insertion};
use xai_core::metrics::randomisation::{cascade, mprt};
use xai_core::metrics::robustness::{max_sensitivity, relative_changes, uniform_noise};
use xai_core::network::{Layer, Network};

/// What Quantus says about a network and its images.
struct Quantus {
    file: Fixture,
    network: Network,
    class: Vec<u8>,
}

impl Quantus {
    fn read() -> Self {
        let file = Fixture::read("evaluation/quantus.safetensors");
        let class: ArrayD<f32> = file.array("classes");
        Self {
            network: file.network(),
            class: class.iter().map(|&class| class as u8).collect(),
            file,
        }
    }

    fn array(&self, name: &str) -> ArrayD<f32> {
        self.file.array(name)
    }

    fn batch(&self, name: &str) -> Array4<f32> {
        self.file.array(name)
    }

    fn table(&self, name: &str) -> Array2<f32> {
        self.file.array(name)
    }

    fn saliency(&self, network: &Network, images: ArrayView4<f32>) -> Result<Array4<f32>> {
        let images = Images::new(images.to_owned(), self.class.clone());
        let maps = Panel::new()
            .with(Saliency)
            .explain(network, &images, Targets::TrueClass)?;
        Ok(maps.into_iter().next().unwrap().values)
    }

    /// The softmax of the true class.
    fn probability(&self, images: ArrayView4<f32>) -> Result<Vec<f64>> {
        let images = upload(&images.to_owned());
        let scores: Array2<f32> = download(self.network.forward(images));
        let of = |(scores, &class): (ArrayView1<f32>, &u8)| {
            let exponentials = scores.mapv(|score| f64::from(score).exp());
            exponentials[usize::from(class)] / exponentials.sum()
        };
        Ok(scores.outer_iter().zip(&self.class).map(of).collect())
    }
}

fn close(found: f64, expected: f32) -> bool {
    (found - f64::from(expected)).abs() < 1e-5 * f64::from(expected).abs().max(0.1)
}

#[test]
fn deletion_is_quantus_pixel_flipping() {
    let fixture = Quantus::read();
    let images = fixture.batch("images");
    let saliency = fixture.saliency(&fixture.network, images.view()).unwrap();
    let baseline = Array4::from_elem(images.dim(), 0.25);
    let predict = |images: ArrayView4<f32>| fixture.probability(images);
    let curves = deletion(images.view(), saliency.view(), baseline.view(), 6, predict).unwrap();
    let expected = fixture.table("flipping");
    assert_eq!(curves.dim(), (3, 11));
    assert_eq!(expected.dim(), (3, 10));
    for ((place, &found), &expected) in curves.slice(s![.., 1..]).indexed_iter().zip(&expected) {
        assert!(close(found, expected), "{place:?}: {found}, not {expected}");
    }
    assert_eq!(
        curves.column(0).to_vec(),
        fixture.probability(images.view()).unwrap()
    );
    // Insertion ends where deletion starts, and the reverse.
    let back = insertion(images.view(), saliency.view(), baseline.view(), 6, predict).unwrap();
    assert_eq!(
        (back.column(10), back.column(0)),
        (curves.column(0), curves.column(10))
    );
}

#[test]
fn curves_of_a_linear_model_by_hand() {
    let images = Array4::from_shape_vec((1, 2, 1, 2), vec![1.0, 2.0, 4.0, 8.0]).unwrap();
    let zeros = Array4::zeros((1, 2, 1, 2));
    let sum =
        |images: ArrayView4<f32>| Ok(images.outer_iter().map(|x| f64::from(x.sum())).collect());
    let all = deletion(images.view(), images.view(), zeros.view(), 1, sum).unwrap();
    assert_eq!(all, array![[15.0, 7.0, 3.0, 1.0, 0.0]]);
    assert_eq!(areas(&all, 4, 1), [Some((7.5 + 7.0 + 3.0 + 1.0) / 4.0)]);
    let rise = insertion(images.view(), images.view(), zeros.view(), 3, sum).unwrap();
    assert_eq!(rise, array![[0.0, 14.0, 15.0]]);
    // The second step has one feature instead of three.
    assert_eq!(areas(&rise, 4, 3), [Some((3.0 * 7.0 + 14.5) / 4.0)]);
    assert_eq!(areas(&array![[1.0]], 0, 1), [None]);
    // One channel of attributions: a pixel goes with all its channels; of equal ones the first goes first.
    let ties = Array4::ones((1, 1, 1, 2));
    let pixels = deletion(images.view(), ties.view(), zeros.view(), 1, sum).unwrap();
    assert_eq!(pixels, array![[15.0, 10.0, 0.0]]);
    let bad = Array4::from_elem((1, 1, 1, 2), f32::NAN);
    for (attribution, step) in [(&bad, 1), (&ties, 0), (&Array4::ones((1, 1, 2, 1)), 1)] {
        assert!(deletion(images.view(), attribution.view(), zeros.view(), step, sum).is_err());
    }
}

/// A comparison with what is not a number is no comparison. Of 0 and NaN the larger is 0, the best score.
#[test]
fn numbers_that_are_not_finite_have_no_score() {
    let ones = Array4::ones((1, 1, 2, 2));
    for bad in [f32::NAN, f32::INFINITY] {
        let spoilt = Array4::from_elem((1, 1, 2, 2), bad);
        for (before, now) in [(&ones, &spoilt), (&spoilt, &ones)] {
            assert!(relative_changes(before.view(), now.view()).is_err());
        }
        let zeros = [Array4::zeros((1, 1, 2, 2))];
        let scores = |score: f64| move |_: ArrayView4<f32>| Ok(vec![score]);
        let of = |attributions: &Array4<f32>, score: f64| {
            let (images, changed) = (ones.view(), zeros.clone());
            infidelity(images, attributions.view(), changed, true, scores(score))
        };
        assert!(of(&ones, 1.0).is_ok());
        assert!(of(&spoilt, 1.0).is_err());
        assert!(of(&ones, bad.into()).is_err());
    }
}

#[test]
fn max_sensitivity_is_quantus() {
    let fixture = Quantus::read();
    let images = fixture.batch("images");
    let noise = fixture.array("noise");
    let perturbed = noise
        .outer_iter()
        .map(|noise| (&images + &noise).into_dimensionality().unwrap());
    let explain = |images: ArrayView4<f32>| fixture.saliency(&fixture.network, images);
    let found = max_sensitivity(images.view(), perturbed, explain).unwrap();
    let expected = &fixture.array("sensitivity");
    assert_eq!(expected.len(), 3);
    for (found, &expected) in found.iter().zip(expected) {
        assert!(close(found.unwrap(), expected), "{found:?}, not {expected}");
    }
}

#[test]
fn noise_depends_on_image_and_draw_alone() {
    let images = Array4::zeros((2, 1, 8, 8));
    let noise: Vec<_> = uniform_noise(images.view(), &[7, 9], 0.5, 3, 1).collect();
    let second = images.slice(s![1.., .., .., ..]);
    let alone: Vec<_> = uniform_noise(second, &[9], 0.5, 3, 1).collect();
    for (both, alone) in noise.iter().zip(&alone) {
        assert_eq!(both.index_axis(Axis(0), 1), alone.index_axis(Axis(0), 0));
        assert_ne!(both.index_axis(Axis(0), 0), alone.index_axis(Axis(0), 0));
        let largest = both
            .iter()
            .fold(0.0_f32, |most, value| most.max(value.abs()));
        assert!((0.45..=0.5).contains(&largest), "{largest}");
    }
    assert_ne!(noise[0], noise[1]);
    // An explanation that ignores the image is perfectly robust; one of zeros has no score.
    let constant = |value: f32| move |images: ArrayView4<f32>| Ok(images.mapv(|_| value));
    assert_eq!(
        max_sensitivity(images.view(), noise.clone(), constant(1.0)).unwrap(),
        [Some(0.0); 2]
    );
    assert_eq!(
        max_sensitivity(images.view(), noise, constant(0.0)).unwrap(),
        [None; 2]
    );
    assert!(max_sensitivity(images.view(), [], constant(1.0)).is_err());
}

#[test]
fn mprt_is_quantus() {
    let fixture = Quantus::read();
    let images = fixture.batch("images");
    let mut network = fixture.network.clone();
    let device = network.device().unwrap();
    let models: Vec<Network> = fixture
        .array("layers")
        .iter()
        .map(|&layer| {
            let value = |key: &str| -> Vec<f32> {
                fixture
                    .array(&format!("random.{layer}.{key}"))
                    .iter()
                    .copied()
                    .collect()
            };
            let vector = |key: &str| {
                let values = value(key);
                let count = values.len();
                Tensor::<1>::from_data(TensorData::new(values, [count]), &device)
            };
            match &mut network.layers[layer as usize] {
                Layer::Conv2d(conv) => {
                    conv.weight = vector("weight").reshape(conv.weight.dims());
                    conv.bias = Some(vector("bias"));
                }
                Layer::Linear(linear) => {
                    linear.weight = vector("weight").reshape(linear.weight.dims());
                    linear.bias = Some(vector("bias"));
                }
                Layer::BatchNorm2d(norm) => {
                    (norm.weight, norm.bias) = (vector("weight"), vector("bias"));
                    (norm.mean, norm.variance) = (vector("running_mean"), vector("running_var"));
                }
                other => panic!("{other:?} has no parameters"),
            }
            network.clone()
        })
        .collect();
    let explain = |network: &Network| fixture.saliency(network, images.view());
    let found = mprt(&fixture.network, models, explain).unwrap();
    let expected = fixture.table("mprt");
    assert_eq!(expected.dim(), (4, 3));
    for (found, expected) in found.concat().into_iter().zip(&expected) {
        // A single pair of ranks that rounding swaps moves a correlation of 60 values by 3e-5.
        let error = (found.unwrap() - f64::from(*expected)).abs();
        assert!(error < 1e-4, "{found:?}, not {expected}");
    }
}

#[test]
fn a_cascade_destroys_one_more_layer_at_a_time() {
    let fixture = Quantus::read();
    let images = fixture.batch("images");
    let parameters = |network: &Network| -> Vec<Vec<f32>> {
        let values = |layer: &Layer| match layer {
            Layer::Conv2d(conv) => Some(conv.weight.to_data()),
            Layer::Linear(linear) => Some(linear.weight.to_data()),
            Layer::BatchNorm2d(norm) => Some(norm.mean.to_data()),
            _ => None,
        };
        network
            .layers
            .iter()
            .filter_map(values)
            .map(|data| data.into_vec().unwrap())
            .collect()
    };
    let trained = parameters(&fixture.network);
    let models: Vec<Network> = cascade(&fixture.network, 5).collect();
    assert_eq!(models.len(), 4);
    for (done, model) in models.iter().enumerate() {
        let now = parameters(model);
        for (layer, (now, trained)) in now.iter().zip(&trained).enumerate() {
            assert_eq!(
                now == trained,
                layer + done + 1 < 4,
                "layer {layer} of model {done}"
            );
        }
    }
    let last = parameters(&models[3]);
    assert!(last[1].iter().all(|&mean| mean == 0.0));
    for (layer, inputs) in [(0, 18.0_f32), (2, 120.0), (3, 8.0)] {
        let bound = 1.0 / inputs.sqrt();
        let largest = last[layer]
            .iter()
            .fold(0.0_f32, |most, value| most.max(value.abs()));
        assert!(
            (0.8 * bound..=bound).contains(&largest),
            "layer {layer}: {largest}, {bound}"
        );
    }
    let explain = |network: &Network| fixture.saliency(network, images.view());
    let again: Vec<Network> = cascade(&fixture.network, 5).collect();
    let scores = mprt(&fixture.network, models, explain).unwrap();
    assert_eq!(scores, mprt(&fixture.network, again, explain).unwrap());
    // The trained model is like itself, and an explanation without any order like nothing.
    let itself = mprt(&fixture.network, [fixture.network.clone()], explain).unwrap();
    assert!(
        itself[0]
            .iter()
            .all(|score| (score.unwrap() - 1.0).abs() < 1e-12)
    );
    let flat = mprt(&(), [()], |()| {
        Ok(Array3::ones((1, 4, 4)).insert_axis(Axis(0)))
    })
    .unwrap();
    assert_eq!(flat, [[None]]);
}
