//! XAI-TRIS: the images are those of the public code, bit for bit.

use std::path::Path;

use half::f16;
use ndarray::Axis;
use sha2::{Digest, Sha256};
use xai_core::dataset::{Dataset, Split};
use xai_core::device::DeviceChoice;
use xai_core::metrics::{Metric, PrecisionWithoutZeros, RelevanceMassAccuracy};
use xai_core::network::Layer;
use xai_core::statistics::{mean, quantile};
use xai_core::sweep::context::Benchmark;
use xai_core::tetromino::{
    Architecture, Background, Defect, Defects, EmdAsPublished, LinearDiscriminant, Photographs,
    Protocol, Scenario, Size, Tetromino, network,
};

const SCENARIOS: [Scenario; 4] = [
    Scenario::Linear,
    Scenario::Multiplicative,
    Scenario::TranslationsRotations,
    Scenario::Xor,
];

/// The images as the public code keeps them: half precision, little-endian.
fn sha256(part: &Dataset) -> String {
    let bytes = part
        .images()
        .iter()
        .flat_map(|&value| f16::from_f32(value).to_le_bytes());
    let bytes: Vec<u8> = bytes.collect();
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// SHA-256 of the training and the test images that braindatalab/xai-tris at 515184e makes (8 x 8, 10,000 images).
#[test]
fn images_are_those_of_the_public_code() {
    let published = [
        (
            Background::White,
            [
                ["a29a5268f1f4b6cd", "2cc7268866d70e9d"],
                ["54fe64d60c4b776b", "3711ddd596122fd8"],
                ["f8d798fbde08e653", "dfc4c671f5713c37"],
                ["383433da539ff15a", "f584712da715cf18"],
            ],
        ),
        (
            Background::Correlated,
            [
                ["dd437cd1bc29ad77", "96de80617dd68bbf"],
                ["21da2f54f5cbbb66", "23e6f810be25be29"],
                ["b127012794df18d4", "66236e33d24cf02c"],
                ["b924f7bd648c9bc7", "ddc4df3ad14031a9"],
            ],
        ),
    ];
    for (background, hashes) in published {
        for (scenario, [of_train, of_test]) in SCENARIOS.into_iter().zip(hashes) {
            let setting = Tetromino::new(scenario, background, Size::Eight, Protocol::Published);
            let [train, validation, test] = setting.make().unwrap();
            assert_eq!(
                [train.len(), validation.len(), test.len()],
                [8000, 1000, 1000]
            );
            let found = [&train, &test].map(sha256);
            assert!(
                found[0].starts_with(of_train),
                "{scenario:?} {background:?}: {}",
                found[0]
            );
            assert!(
                found[1].starts_with(of_test),
                "{scenario:?} {background:?}: {}",
                found[1]
            );
            if scenario == Scenario::Linear && background == Background::White {
                assert_eq!(
                    found[0],
                    "a29a5268f1f4b6cd472b38cea9c9dda3c9840fa66306a17f5e50646f1a88f3ef"
                );
            }
        }
    }
}

/// What the draws mean, whatever their numbers: classes and quarters are equal, values reach 1 and are halves, truth
/// has as many pixels as it should.
#[test]
fn images_are_what_the_settings_say() {
    for size in [Size::Eight, Size::SixtyFour] {
        for scenario in SCENARIOS {
            for protocol in [Protocol::Published, Protocol::Corrected] {
                let mut setting = Tetromino::new(scenario, Background::White, size, protocol);
                setting.count = 400;
                let parts = setting.make().unwrap();
                let images = || parts.iter().flat_map(|part| part.images().iter().copied());
                assert_eq!(
                    images().fold(0.0f32, |most, value| most.max(value.abs())),
                    1.0
                );
                let all_halves = images().all(|value| f16::from_f32(value).to_f32() == value);
                assert_eq!(all_halves, protocol == Protocol::Published);
                for part in &parts {
                    let ones = part.class().iter().filter(|&&class| class == 1).count();
                    assert_eq!(2 * ones, part.len());
                    for truth in part.truth().unwrap().axis_iter(Axis(0)) {
                        let pixels = truth.iter().filter(|&&inside| inside).count();
                        match (scenario, size) {
                            (Scenario::TranslationsRotations, Size::Eight) => assert_eq!(pixels, 4),
                            (Scenario::TranslationsRotations, Size::SixtyFour) => {
                                assert!((108..=169).contains(&pixels), "{pixels}");
                            }
                            (_, Size::Eight) => assert_eq!(pixels, 8),
                            (_, Size::SixtyFour) => assert_eq!(pixels, 862),
                        }
                    }
                }
            }
        }
    }
}

/// Each data set of the corrected benchmark has noise of its own; the public code's share one noise matrix (X18).
#[test]
fn corrected_data_sets_are_independent() {
    let image = |scenario, defects: Defects| {
        let mut setting = Tetromino::new(
            scenario,
            Background::White,
            Size::Eight,
            Protocol::Corrected,
        );
        (setting.count, setting.defects) = (40, defects);
        setting.make().unwrap()[0]
            .images()
            .index_axis(Axis(0), 0)
            .to_owned()
    };
    // Pixel (0, 7) is in neither tetromino, so what is there is noise times a number.
    let ratio = |defects| {
        let (a, b) = (
            image(Scenario::Linear, defects),
            image(Scenario::Xor, defects),
        );
        [[0, 0, 7], [0, 7, 0], [0, 0, 5]].map(|at| a[at] / b[at])
    };
    let [a, b, c] = ratio(Defects::NONE.with(Defect::X18));
    assert!(
        (a / b - 1.0).abs() < 1e-3 && (b / c - 1.0).abs() < 1e-3,
        "{a} {b} {c}"
    );
    let [a, b, c] = ratio(Defects::NONE);
    assert!(
        (a / b - 1.0).abs() > 1e-2 || (b / c - 1.0).abs() > 1e-2,
        "{a} {b} {c}"
    );
}

/// Photographs are scaled to the images' size and lose their mean; what cannot be read is named.
#[test]
fn photographs_of_a_folder_are_a_background() {
    let folder = tempfile::tempdir().unwrap();
    let mut setting = Tetromino::new(
        Scenario::Linear,
        Background::Photographs,
        Size::SixtyFour,
        Protocol::Corrected,
    );
    setting.count = 40;
    let problem = |setting: &Tetromino| setting.make().unwrap_err().to_string();
    assert!(problem(&setting).contains("need the folder"));
    let open = |folder: &Path| Photographs::open(folder);
    let missing = open(&folder.path().join("none")).unwrap_err().to_string();
    assert!(missing.contains("none: is not a folder"), "{missing}");
    let empty = open(folder.path()).unwrap_err().to_string();
    assert!(empty.contains("has no photographs"), "{empty}");
    let write = |name: &str, [height, width]: [u32; 2], color: png::ColorType| {
        let file = std::fs::File::create(folder.path().join(name)).unwrap();
        let mut encoder = png::Encoder::new(file, width, height);
        encoder.set_color(color);
        let bytes = (0..height * width * color.samples() as u32).map(|at| (at * at % 251) as u8);
        encoder
            .write_header()
            .unwrap()
            .write_image_data(&bytes.collect::<Vec<_>>())
            .unwrap();
    };
    write("a.png", [80, 120], png::ColorType::Grayscale);
    write("b.png", [200, 100], png::ColorType::Rgb);
    setting.photographs = Some(open(folder.path()).unwrap());
    let [train, _, test] = setting.make().unwrap();
    assert_eq!((train.len(), test.len()), (36, 2));
    assert_eq!(setting.make().unwrap()[0].key(), train.key());
    // The same photograph is cut in other places.
    assert_ne!(
        train.images().index_axis(Axis(0), 0),
        train.images().index_axis(Axis(0), 1)
    );
    // A copy of the folder has the same images, and another file of the same name has not.
    let identity = |folder: &Path| {
        let photographs = Some(open(folder).unwrap());
        let setting = Tetromino {
            photographs,
            ..setting.clone()
        };
        setting.identity_of_images(Split::Test)
    };
    let before = identity(folder.path());
    let copy = tempfile::tempdir().unwrap();
    for name in ["a.png", "b.png"] {
        std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    }
    assert_eq!(identity(copy.path()), before);
    assert_eq!(identity(&folder.path().join(".")), before);
    write("a.png", [90, 120], png::ColorType::Grayscale);
    assert_ne!(identity(folder.path()), before);
    write("c.png", [200, 30], png::ColorType::Grayscale);
    setting.photographs = Some(open(folder.path()).unwrap());
    let problem = problem(&setting);
    assert!(
        problem.contains("c.png") && problem.contains("64 x 64"),
        "{problem}"
    );
}

#[test]
fn images_that_cannot_be_divided_are_an_error() {
    for count in [0, 8, 10, 402] {
        let mut setting = Tetromino::new(
            Scenario::Xor,
            Background::White,
            Size::Eight,
            Protocol::Published,
        );
        setting.count = count;
        let problem = setting.make().unwrap_err().to_string();
        assert!(
            problem.contains("give a multiple of 4, at least 20"),
            "{problem}"
        );
    }
}

/// The numbers of parameters are those of the notes on the paper. Weights have a deviation of sqrt(2 / inputs), and biases are
/// within 1 / sqrt(inputs), where PyTorch's own begin.
#[test]
fn models_have_the_published_parameters_and_initial_weights() {
    let device = DeviceChoice::Flex.open().unwrap();
    for (architecture, size, expected) in [
        (Architecture::Linear, Size::Eight, 128),
        (Architecture::Mlp, Size::Eight, 2_762),
        (Architecture::Cnn, Size::Eight, 234),
        (Architecture::Linear, Size::SixtyFour, 8_192),
        (Architecture::Mlp, Size::SixtyFour, 1_130_624),
        (Architecture::Cnn, Size::SixtyFour, 11_452),
    ] {
        let model = network(
            architecture,
            size,
            Protocol::Published.defects(),
            0,
            &device,
        );
        // Each weight and bias, as a multiple of its deviation or bound.
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for layer in &model.layers {
            let (weight, shape, bias) = match layer {
                Layer::Linear(layer) => {
                    let shape = layer.weight.dims().to_vec();
                    (layer.weight.to_data(), shape, &layer.bias)
                }
                Layer::Conv2d(layer) => {
                    let shape = layer.weight.dims().to_vec();
                    (layer.weight.to_data(), shape, &layer.bias)
                }
                _ => continue,
            };
            let inputs = shape[1..].iter().product::<usize>() as f32;
            let numbers = weight.to_vec::<f32>().unwrap();
            weights.extend(numbers.iter().map(|weight| weight / (2.0 / inputs).sqrt()));
            if let Some(bias) = bias {
                let numbers = bias.to_data().to_vec::<f32>().unwrap();
                biases.extend(numbers.iter().map(|bias| bias * inputs.sqrt()));
            }
        }
        let which = format!("{architecture:?} {size:?}");
        assert_eq!(weights.len() + biases.len(), expected, "{which}");
        let square =
            weights.iter().map(|weight| weight * weight).sum::<f32>() / weights.len() as f32;
        // Four standard errors of the mean of squares.
        let error = 4.0 * (2.0 / weights.len() as f32).sqrt();
        assert!((square - 1.0).abs() < error, "{which}: {square}");
        assert!(biases.iter().all(|bias| bias.abs() <= 1.0), "{which}");
        let widest = biases
            .iter()
            .fold(0.0f32, |most, bias| most.max(bias.abs()));
        assert!(biases.is_empty() || widest > 0.8, "{which}: {widest}");
    }
}

/// The best accuracies that the notes on the paper give, and that simulations there confirm.
#[test]
fn the_best_accuracies_are_those_of_the_notes() {
    let best = |scenario, size| {
        Tetromino::new(scenario, Background::White, size, Protocol::Published)
            .best_accuracy()
            .unwrap()
    };
    for (scenario, size, expected) in [
        (Scenario::Linear, Size::Eight, 0.8928),
        (Scenario::Linear, Size::SixtyFour, 0.9192),
        (Scenario::Xor, Size::Eight, 0.9977),
        (Scenario::Xor, Size::SixtyFour, 0.9998),
        (Scenario::Multiplicative, Size::Eight, 0.9807),
        (Scenario::TranslationsRotations, Size::Eight, 1.0),
    ] {
        let found = best(scenario, size);
        assert!(
            (found - expected).abs() < 6e-5,
            "{scenario:?} {size:?}: {found}"
        );
    }
    let corr = Tetromino::new(
        Scenario::Linear,
        Background::Correlated,
        Size::Eight,
        Protocol::Published,
    );
    assert_eq!(corr.best_accuracy(), None);
}

/// The linear case without any training: accuracy, and of weights, weights times image and pattern the mean precision, median
/// distance score and mean share of mass, as NumPy and POT compute them (`fixtures/tetromino/discriminant.py`).
#[test]
fn the_linear_discriminant_is_that_of_numpy() {
    let published = EmdAsPublished(Protocol::Published.defects());
    let cases = [
        (
            Background::White,
            0.0,
            0.883,
            [
                [1.000, 0.9670, 0.8151],
                [0.9146, 0.9280, 0.8303],
                [1.000, 0.9759, 0.8719],
            ],
        ),
        (
            Background::Correlated,
            0.001,
            0.995,
            [
                [1.000, 0.9286, 0.4758],
                [0.7432, 0.8763, 0.4539],
                [0.000, 0.8151, 0.1184],
            ],
        ),
    ];
    for (background, ridge, accuracy, expected) in cases {
        let setting = Tetromino::new(
            Scenario::Linear,
            background,
            Size::Eight,
            Protocol::Published,
        );
        let [train, _, test] = setting.make().unwrap();
        let linear = LinearDiscriminant::fit(&train, ridge).unwrap();
        let images = test.images().index_axis(Axis(1), 0);
        let right: Vec<usize> = (0..test.len())
            .filter(|&at| linear.class(images.index_axis(Axis(0), at)) == test.class()[at])
            .collect();
        assert!(
            (right.len() as f64 / 1000.0 - accuracy).abs() < 0.0015,
            "{background:?}: {}",
            right.len()
        );
        for (which, expected) in expected.into_iter().enumerate() {
            let mut values: [Vec<f64>; 3] = Default::default();
            for &at in &right {
                let image = images.index_axis(Axis(0), at);
                let map = match which {
                    0 => linear.weights.mapv(|value| value.abs() as f32),
                    1 => ndarray::Zip::from(&linear.weights)
                        .and(image)
                        .map_collect(|w, &x| (w * f64::from(x)).abs() as f32),
                    _ => linear.pattern.mapv(|value| value.abs() as f32),
                };
                let truth = test.truth().unwrap();
                let truth = truth.index_axis(Axis(0), at);
                let metrics: [&dyn Metric; 3] =
                    [&PrecisionWithoutZeros, &published, &RelevanceMassAccuracy];
                for (values, metric) in values.iter_mut().zip(metrics) {
                    values.push(metric.score(map.view(), truth).unwrap().unwrap());
                }
            }
            values[1].sort_by(f64::total_cmp);
            let [precision, emd, mass] = values;
            let found = [mean(&precision), quantile(&emd, 0.5), mean(&mass)].map(Option::unwrap);
            for (found, expected) in found.into_iter().zip(expected) {
                assert!(
                    (found - expected).abs() < 1e-4,
                    "{background:?}, {which}: {found}, not {expected}"
                );
            }
        }
    }
}
