//! The images of a panel: passes are shared, grey images are repeated, and scores belong to their maps.

use ndarray::Axis;
use xai_core::attribution::{
    Images, Intensity, Laplace, Map, NoModel, Panel, Saliency, Sobel, Targets, layer_evaluations,
};
use xai_core::metrics::{Metric, Precision, combine};
use xai_core::network::Network;

use crate::common::{network, the_eight};

fn explain(network: &Network, images: &Images, class: usize) -> Vec<Map> {
    the_eight(0).explain(network, images, class).unwrap()
}

/// The same image gets the same explanation alone, in company, and with memory for one image a pass.
#[test]
fn batches_do_not_matter() {
    let (network, images) = network("vgg");
    let together = explain(&network, &images, 1);
    let sparing = the_eight(0).memory(0);
    let sparing = sparing.explain(&network, &images, 1).unwrap();
    let last = images.pixels.slice_axis(Axis(0), (2..3).into()).to_owned();
    let last = Images::new(last, vec![0]).with_index(vec![2]);
    let alone = explain(&network, &last, 1);
    for ((a, b), c) in together.iter().zip(&sparing).zip(&alone) {
        assert_eq!(a.values, b.values, "{}", a.method);
        let a = a.values.index_axis(Axis(0), 2);
        assert_eq!(a, c.values.index_axis(Axis(0), 0), "{}", b.method);
    }
}

/// The eight methods together run each image through the network once, the baseline once, and of
/// points on a path only what lies behind the first ReLU or pooling.
#[test]
fn a_panel_runs_no_forward_pass_twice() {
    let (network, images) = network("vgg");
    let (count, layers) = (images.len(), network.layers.len());
    let before = layer_evaluations();
    explain(&network, &images, 0);
    let paths = (50 + 5) * count * (layers - 1);
    assert_eq!(layer_evaluations() - before, (count + 1) * layers + paths);

    let before = layer_evaluations();
    let filters = Panel::new().with(Sobel).with(Laplace);
    filters.explain(&network, &images, 0).unwrap();
    assert_eq!(layer_evaluations(), before, "a filter needs no model");
}

/// A grey image is the same as one with three equal channels.
#[test]
fn grey_images_are_repeated() {
    let (network, images) = network("vgg");
    let grey = images.pixels.index_axis(Axis(1), 0).to_owned();
    let views = [grey.view(), grey.view(), grey.view()];
    let coloured = Images::new(ndarray::stack(Axis(1), &views).unwrap(), vec![0; 3]);
    let from_grey = explain(&network, &Images::grey(grey.clone(), vec![0; 3]), 0);
    for (a, b) in from_grey.iter().zip(explain(&network, &coloured, 0)) {
        assert_eq!(a.values, b.values);
    }
}

/// Scores are those of the maps: the truth here is where the image is brightest, which raw intensity
/// finds and a filter does not.
#[test]
fn scores_belong_to_their_images_and_methods() {
    let (network, images) = network("vgg");
    let grey = images.pixels.index_axis(Axis(1), 0).to_owned();
    let images = Images::grey(grey.clone(), vec![1, 0, 1]).with_index(vec![7, 8, 9]);
    let panel = || Panel::new().with(Intensity).with(Saliency).with(Sobel);
    let missing = panel().score(&network, &images, &Precision).unwrap_err();
    assert!(missing.to_string().contains("truth"), "{missing}");

    let images = images.with_truth(grey.mapv(|value| value > 0.8));
    let truth = images.truth.as_ref().unwrap();
    let scores = panel().score(&network, &images, &Precision).unwrap();
    let maps = panel()
        .explain(&network, &images, Targets::TrueClass)
        .unwrap();
    assert_eq!(scores.len(), 12);
    let (chances, scores) = (&scores[9..], &scores[..9]);
    for (score, truth) in chances.iter().zip(truth.outer_iter()) {
        assert_eq!(
            (&*score.method, &*score.metric),
            ("chance", "precision_chance")
        );
        assert_eq!(Some(score.value), Precision.chance(truth));
    }
    for (row, score) in scores.iter().enumerate() {
        let (map, image) = (&maps[row / 3], row % 3);
        assert_eq!(score.method, map.method);
        assert_eq!(score.image, [7, 8, 9][image]);
        assert_eq!(score.class, [1, 0, 1][image]);
        let heat = combine(map.values.index_axis(Axis(0), image)).unwrap();
        let expected = Precision
            .score(heat.view(), truth.index_axis(Axis(0), image))
            .unwrap();
        assert_eq!(Some(score.value), expected);
        assert_eq!(score.value == 1.0, score.method == "intensity");
    }
    let without_model = Panel::new().with(Intensity).with(Sobel);
    let without_model = without_model.score(&NoModel, &images, &Precision).unwrap();
    assert_eq!(
        [
            &without_model[..3],
            &without_model[3..6],
            &without_model[6..]
        ],
        [&scores[..3], &scores[6..], chances]
    );
}
