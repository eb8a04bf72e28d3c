//! Explanations of a network whose dropout stays on (defect D3). They equal Captum's if Captum gets the same masks
//! (`fixtures/captum/dropout.py`). The masks belong to an image and not to its batch.

use experiments::the_eight;
use ndarray::{Array2, Array5, Axis};
use tests::{device, download, error, largest, upload};
use xai_core::attribution::{
    Baseline, DeepLift, DeepLiftShap, ExpectedGradients, FeatureAblation, Images,
    IntegratedGradients, KernelShap, Lime, LrpComposite, Occlusion, Panel, Saliency, Segments,
    ShapleyValueSampling, SmoothGrad, layer_activation, layer_conductance,
};
use xai_core::network::{Layer, Network};

/// The seed of the fixtures' masks.
const SEED: u64 = 11;

/// A network with active dropout, images, and what Captum says about them.
struct Fixture {
    file: tests::Fixture,
    network: Network,
    images: Images,
}

impl Fixture {
    fn read(name: &str) -> Self {
        let file = tests::Fixture::read(&format!("captum/{name}.safetensors"));
        Self {
            network: file.network().with_active_dropout(SEED),
            images: file.images(),
            file,
        }
    }

    fn logits(&self, network: &Network) -> Array2<f32> {
        download(network.forward(upload(&self.images.pixels)))
    }
}

const FIXTURES: [&str; 2] = ["dropout_vgg", "dropout_everywhere"];

#[test]
fn every_method_gives_captums_values_with_the_same_masks() {
    for name in FIXTURES {
        let fixture = Fixture::read(name);
        let logits: Array2<f32> = fixture.file.array("logits");
        assert!(
            error(&fixture.logits(&fixture.network), &logits) < 1e-5,
            "{name}"
        );
        let panel = the_eight(0).with(DeepLift::captum());
        for class in 0..logits.ncols() {
            let maps = panel.explain(&fixture.network, &fixture.images, class);
            for map in maps.unwrap() {
                let expected: Array5<f32> = fixture.file.array(map.method);
                let expected = expected.index_axis_move(Axis(0), class);
                let error = error(&map.values, &expected);
                assert!(
                    error < 1e-5,
                    "{name}, class {class}, {}: off by {error:e}",
                    map.method
                );
            }
        }
    }
}

/// A method that alters the images shares the baseline's pass with the others, and may come first.
#[test]
fn the_baselines_masks_do_not_depend_on_the_panel() {
    let fixture = Fixture::read("dropout_everywhere");
    let first = Panel::new().with(SmoothGrad::of(DeepLift));
    let panels = [first.with(DeepLift), Panel::new().with(DeepLift)];
    let [beside, alone] = panels.map(|panel| {
        let maps = panel.explain(&fixture.network, &fixture.images, 0).unwrap();
        maps.into_iter().last().unwrap().values
    });
    assert_eq!(beside, alone);
}

/// Everything that asks for passes of its own.
fn others(images: &Images) -> Panel<Network> {
    let quarters = || Segments::grid(2, 2);
    Panel::new()
        .with(SmoothGrad::of(Saliency))
        .with(SmoothGrad::of(IntegratedGradients { steps: 3 }))
        .with(ExpectedGradients::from(images.pixels.clone()))
        .with(DeepLiftShap {
            baselines: images.pixels.clone(),
        })
        .with(LrpComposite::epsilon_plus())
        .with(Occlusion {
            window: [4, 4],
            strides: [4, 4],
        })
        .with(FeatureAblation {
            segments: quarters(),
        })
        .with(Lime {
            segments: quarters(),
            ..Lime::default()
        })
        .with(KernelShap {
            segments: quarters(),
            samples: 7,
            ..KernelShap::default()
        })
        .with(ShapleyValueSampling {
            segments: quarters(),
            ..ShapleyValueSampling::default()
        })
}

/// An image's masks are those of its index: alone, in company, in another order, and with memory for one row a
/// pass, its explanations are the same bits. And they are not those of evaluation mode or another seed.
#[test]
fn masks_belong_to_images_and_not_to_batches() {
    for name in FIXTURES {
        let fixture = Fixture::read(name);
        let images = &fixture.images;
        let panels = || {
            let pixels = images.pixels.clone();
            [
                the_eight(0),
                others(images),
                the_eight(0).baseline(Baseline::Image(pixels.index_axis_move(Axis(0), 1))),
            ]
        };
        let backwards = Images::new(
            images.pixels.select(Axis(0), &[2, 1, 0]),
            vec![0; images.len()],
        );
        let backwards = backwards.with_index(vec![2, 1, 0]);
        let (_, c, h, w) = images.pixels.dim();
        for (panel, sparing) in panels().into_iter().zip(panels()) {
            let together = panel.explain(&fixture.network, images, 1).unwrap();
            let turned = panel.explain(&fixture.network, &backwards, 1).unwrap();
            let sparing = sparing.memory(0);
            let sparing = sparing.explain(&fixture.network, images, 1).unwrap();
            let evaluated = fixture.network.clone().without_active_dropout();
            let evaluated = panel.explain(&evaluated, images, 1).unwrap();
            let reseeded = fixture.network.clone().with_active_dropout(12);
            let reseeded = panel.explain(&reseeded, images, 1).unwrap();
            for (number, map) in together.iter().enumerate() {
                let values = &map.values;
                assert_eq!(values.dim(), (3, c, h, w));
                assert_eq!(values, &sparing[number].values, "{name}, {}", map.method);
                let turned = turned[number].values.select(Axis(0), &[2, 1, 0]);
                assert_eq!(values, turned, "{name}, {}", map.method);
                for other in [&evaluated, &reseeded] {
                    let difference = largest(&(values - &other[number].values));
                    assert!(
                        difference > 0.01 * largest(values),
                        "{name}, {}",
                        map.method
                    );
                }
            }
        }
    }
}

/// Layers inside: what comes out of a dropout is 0 or scaled, and conductance depends on no batch.
#[test]
fn inner_layers_see_the_masks() {
    let fixture = Fixture::read("dropout_vgg");
    let layers = &fixture.network.layers;
    let dropout = layers
        .iter()
        .position(|layer| matches!(layer, Layer::Dropout(_)))
        .unwrap();
    let [before, after] = [dropout - 1, dropout]
        .map(|layer| layer_activation(&fixture.network, &fixture.images, layer).unwrap());
    assert!(
        after
            .iter()
            .zip(&before)
            .all(|(&a, &b)| a == 0.0 || a == 2.0 * b)
    );
    let silenced = after
        .iter()
        .zip(&before)
        .filter(|&(&a, &b)| a == 0.0 && b > 0.0)
        .count();
    let alive = before.iter().filter(|&&b| b > 0.0).count();
    assert!((1..alive).contains(&silenced), "{silenced} of {alive}");
    // 20 steps are two blocks of points, the second of which begins with the last point of the first.
    let of = |images: &Images| layer_conductance(&fixture.network, images, 1, dropout, 20).unwrap();
    let last =
        Images::new(fixture.images.pixels.select(Axis(0), &[2]), vec![0]).with_index(vec![2]);
    assert_eq!(of(&fixture.images).select(Axis(0), &[2]), of(&last));
}

/// A saved network predicts what it predicted; without dropout the flag changes nothing.
#[test]
fn the_flag_goes_with_the_network() {
    let fixture = Fixture::read("dropout_everywhere");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    fixture.network.save(&path).unwrap();
    let again = Network::load(&path, &device()).unwrap();
    assert_eq!(again.active_dropout(), Some(SEED));
    let logits = |network: &Network| fixture.logits(network);
    assert_eq!(logits(&again), logits(&fixture.network));
    let evaluated = again.without_active_dropout();
    evaluated.save(&path).unwrap();
    let again = Network::load(&path, &device()).unwrap();
    assert_eq!(again.active_dropout(), None);
    assert_ne!(logits(&evaluated), logits(&fixture.network));
    let mut rateless = evaluated.clone();
    rateless.set_dropout(0.0);
    let active = rateless.with_active_dropout(5);
    assert_eq!(logits(&active), logits(&evaluated));
}
