//! The published protocol agrees with NumPy, SciPy and scikit-image for each defect (`fixtures/defects/make.py`). The
//! example programs write the lesions and images that their documentation describes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use ndarray::{Array2, Array3, ArrayView2, Axis, s};

use npyz::{Deserialize as FromNpy, NpyFile, WriterBuilder};
use serde::Deserialize;
use serde_json::Value;
use xai_core::image::{Resizer, extremes, resize};
use xai_core::lesions::imaging::Cohort;
use xai_core::lesions::making::{Defect, Defects, Protocol};
use xai_core::lesions::making::{Lesion, Library, Recipe, noise};
use xai_core::random::numpy::RandomState;

static FIXTURE: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../fixtures/defects/defects.json")).expect("a JSON file")
});

/// What the fixture holds under `name`.
fn fixture<T: Deserialize<'static>>(name: &str) -> T {
    T::deserialize(&FIXTURE[name]).expect(name)
}

#[derive(Deserialize)]
struct Draws {
    seed: u32,
    high: Vec<i64>,
    integers: Vec<i64>,
    shuffled: Vec<u32>,
    long: Vec<u32>,
    choices: Vec<usize>,
    sample: u64,
}

#[test]
fn draws_are_numpys_bit_for_bit() {
    for case in fixture::<Vec<Draws>>("draws") {
        let mut state = RandomState::new(case.seed);
        let mut integers = Vec::new();
        for high in case.high {
            integers.extend((0..3).map(|_| state.randint(0..high)));
        }
        integers.extend([(3, 6), (-5, 6), (7, 8)].map(|(low, high)| state.randint(low..high)));
        integers.push(state.randint(i64::MIN..i64::MAX));
        assert_eq!(integers, case.integers, "seed {}", case.seed);
        let mut list: Vec<u32> = (0..30).collect();
        state.shuffle(&mut list);
        assert_eq!(list, case.shuffled, "seed {}", case.seed);
        let mut list: Vec<u32> = (0..700).collect();
        state.shuffle(&mut list);
        assert_eq!(list[..10], case.long, "seed {}", case.seed);
        let mut choices = Vec::new();
        for count in [1, 2, 1000, 43_210] {
            choices.extend((0..5).map(|_| state.choice(count)));
        }
        assert_eq!(choices, case.choices, "seed {}", case.seed);
        let sample = state.random_sample() * 2f64.powi(53);
        assert_eq!(sample as u64, case.sample, "seed {}", case.seed);
    }
}

#[derive(Deserialize)]
struct Some {
    sum: f64,
    /// Every 1009th.
    pixels: Vec<f64>,
}

impl Some {
    #[track_caller]
    fn assert_close(&self, image: impl Iterator<Item = f64>, tolerance: f64) {
        let image: Vec<f64> = image.collect();
        let sum: f64 = image.iter().sum();
        let most = tolerance * image.len() as f64;
        assert!((sum - self.sum).abs() < most, "{sum} {}", self.sum);
        let pixels: Vec<f64> = image.into_iter().step_by(1009).collect();
        assert_eq!(pixels.len(), self.pixels.len());
        for (ours, theirs) in pixels.iter().zip(&self.pixels) {
            assert!((ours - theirs).abs() < tolerance, "{ours} {theirs}");
        }
    }
}

#[derive(Deserialize)]
struct Resized {
    rows: usize,
    columns: usize,
    resized: Some,
}

#[test]
fn the_resize_to_a_networks_size_is_scikit_images() {
    for case in fixture::<Vec<Resized>>("resize") {
        let image = noise::uniform(case.rows as u32, case.rows, case.columns);
        let ours = resize(image.view(), [224, 224]);
        case.resized.assert_close(ours.iter().copied(), 1e-13);
        // A resizer remembers nothing of the images before.
        let resizer = Resizer::new([case.rows, case.columns], [224, 224]);
        resizer.resize(image.mapv(|v| 1.0 - v).view());
        assert_eq!(resizer.resize(image.view()), ours);
    }
}

#[test]
fn all_candidates_are_scipys_and_scikit_images() {
    let recipe = Recipe {
        count: 50,
        ..Recipe::published()
    };
    let library = Library::search(&recipe).unwrap();
    let twice = library.enlarged(usize::MAX, 2.0);
    let candidates: BTreeMap<String, Vec<Vec<f64>>> = fixture("candidates");
    let digest = |patch: &Array2<f64>| {
        let weighted = patch.iter().enumerate();
        let weighted: f64 = weighted.map(|(i, v)| v * (1 + i % 17) as f64).sum();
        [patch.sum(), weighted]
    };
    for (name, ours, large, count) in [
        ("regular", &library.regular, &twice.regular, 51),
        ("irregular", &library.irregular, &twice.irregular, 207),
    ] {
        assert_eq!((ours.len(), candidates[name].len()), (count, count));
        for (number, theirs) in candidates[name].iter().enumerate() {
            let Lesion { patch, compactness } = &ours[number];
            let shape = [patch.nrows() as f64, patch.ncols() as f64];
            let (found, enlarged) = (digest(patch), digest(&large[number].patch));
            let ours = [&[*compactness][..], &shape, &found, &enlarged].concat();
            for (ours, theirs) in ours.iter().zip(theirs) {
                assert!(
                    (ours - theirs).abs() < 1e-9,
                    "{name} {number}: {ours} {theirs}"
                );
            }
        }
    }
}

/// `brain` of `tests/published.py`.
fn brain(seed: u32, [rows, columns]: [usize; 2]) -> Array2<f64> {
    let mut slice = noise::uniform(seed, rows, columns);
    for ((r, c), v) in slice.indexed_iter_mut() {
        let from_middle = |i: usize, n: usize| ((i as f64 + 0.5) / n as f64 - 0.5).powi(2);
        let inside = from_middle(r, rows) + from_middle(c, columns) < 0.23;
        *v = if inside { *v + 0.1 } else { 0.0 };
    }
    slice
}

/// Stretched to [0, 0.7], as the paper does.
fn background(seed: u32) -> Array2<f64> {
    let slice = brain(seed, [220, 180]);
    let (low, high) = extremes(slice.view());
    slice.mapv(|v| (v - low) / (high - low) * 0.7)
}

#[derive(Deserialize)]
struct Image {
    defects: Defects,
    seed: u32,
    class: u8,
    image: Some,
    truth: Some,
    truth_pixels: usize,
}

#[test]
fn published_images_come_out() {
    let cases: Vec<Image> = fixture("images");
    assert!(cases.iter().any(|case| case.defects == Defects::ALL));
    let resizer = Resizer::new([220, 180], [224, 224]);
    for case in cases {
        let protocol = Protocol {
            defects: case.defects,
            ..Protocol::corrected()
        };
        // Image 3 of the seed three before has the same draws.
        let seed = u64::from(case.seed);
        for (first, number) in [(seed, 0), (seed.saturating_sub(3), seed.min(3) as usize)] {
            let painter = protocol.painter(4, first).unwrap();
            let painted = painter
                .paint(number, "any", background(case.seed).view())
                .unwrap();
            let [image, truth] = painted.resized(&resizer);
            assert_eq!(painted.class as u8, case.class);
            case.image
                .assert_close(image.iter().map(|&v| v.into()), 1e-7);
            case.truth
                .assert_close(truth.iter().map(|&v| v.into()), 1e-7);
            let pixels = truth.iter().filter(|&&v| v > 0.0).count();
            assert_eq!(pixels, case.truth_pixels);
        }
    }
}

/// What a protocol makes of 60 slices.
fn sixty(protocol: &Protocol) -> Vec<xai_core::lesions::making::Painted> {
    let painter = protocol.painter(60, 7).unwrap();
    let slice = background(1);
    (0..60)
        .map(|i| painter.paint(i, &format!("{i}"), slice.view()).unwrap())
        .collect()
}

/// The lesions of an image: the greatest values of its truth tell them apart.
fn lesion_values(truth: ArrayView2<f64>) -> Vec<u64> {
    let mut values: Vec<u64> = truth
        .iter()
        .filter(|&&v| v > 0.0)
        .map(|v| v.to_bits())
        .collect();
    values.sort_unstable();
    values.dedup();
    values
}

#[test]
fn each_defect_does_what_it_says_and_no_more() {
    let with = |text: &str| Protocol {
        defects: text.parse().unwrap(),
        ..Protocol::corrected()
    };
    let corrected = sixty(&Protocol::corrected());
    assert_eq!(corrected.iter().filter(|p| p.class as u8 == 1).count(), 30);

    // Those that are not about data change nothing.
    let others = sixty(&with("D3,D4,D5,D7,D8,D9,D10"));
    assert!(
        corrected
            .iter()
            .zip(&others)
            .all(|(a, b)| a.image == b.image && a.truth() == b.truth())
    );

    // D1: the mask is at least 0.1 in the lesions' boxes, and nothing else in the truth.
    let faint = |painted: &xai_core::lesions::making::Painted| {
        let masked = painted.mask().iter().filter(|&&v| v > 0.0).count();
        let lesion = painted.truth().iter().filter(|&&v| v > 0.0).count();
        (masked, lesion)
    };
    assert!(
        corrected
            .iter()
            .map(faint)
            .all(|(masked, lesion)| masked == lesion)
    );
    for painted in sixty(&with("D1")) {
        let (masked, lesion) = faint(&painted);
        assert!(masked > lesion * 5 / 4, "{masked} {lesion}");
        let weakest = painted
            .mask()
            .iter()
            .filter(|&&v| v > 0.0)
            .fold(1.0, |low: f64, &v| low.min(v));
        assert!((weakest - 0.1).abs() < 1e-12);
        let strongest = painted.mask().iter().fold(0.0, |high: f64, &v| high.max(v));
        assert!((strongest - 0.5).abs() < 1e-12);
    }

    // D2: all regular images show the same first lesions; irregular images are as without.
    let regular = |painted: &&xai_core::lesions::making::Painted| painted.class as u8 == 0;
    let kinds = |all: &[xai_core::lesions::making::Painted]| {
        let mut kinds: Vec<Vec<u64>> = all
            .iter()
            .filter(regular)
            .map(|p| lesion_values(p.truth().view()))
            .collect();
        kinds.sort();
        kinds.dedup();
        kinds.len()
    };
    let repeated = sixty(&with("D2"));
    assert!(kinds(&repeated) == 3 && kinds(&corrected) > 25);
    for (ours, theirs) in corrected.iter().zip(&repeated) {
        assert!(ours.class == theirs.class);
        assert!(ours.class as u8 == 0 || ours.image == theirs.image);
    }
}

#[test]
fn lesions_are_as_configured() {
    let protocol = Protocol {
        lesions: 1..=2,
        strongest: 0.25,
        recipe: Recipe {
            count: 3,
            area: 60,
            regular_above: 0.75,
            irregular_below: 0.45,
            factor: 1.5,
        },
        ..Protocol::corrected()
    };
    let library = Library::make(&protocol.recipe).unwrap();
    assert_eq!((library.regular.len(), library.irregular.len()), (3, 3));
    assert!(
        library
            .regular
            .iter()
            .all(|lesion| lesion.compactness > 0.75)
    );
    assert!(
        library
            .irregular
            .iter()
            .all(|lesion| lesion.compactness < 0.45)
    );
    let weight: f64 = library.regular[0].patch.sum();
    assert!((weight / (60.0 * 1.5 * 1.5) - 1.0).abs() < 0.1, "{weight}");
    for painted in sixty(&protocol) {
        let strongest = painted.mask().iter().fold(0.0, |high: f64, &v| high.max(v));
        assert!((strongest - 0.25).abs() < 1e-12);
        // One or two lesions: 60 pixels, half as large again along each side, and their fringe.
        let pixels = painted.truth().iter().filter(|&&v| v > 0.0).count();
        assert!((130..800).contains(&pixels), "{pixels}");
    }
}

#[test]
fn settings_that_make_no_sense_are_errors() {
    let base = Protocol::corrected();
    let recipe = |change: fn(&mut Recipe)| {
        let mut recipe = Recipe::published();
        change(&mut recipe);
        Protocol {
            recipe,
            ..Protocol::corrected()
        }
    };
    #[allow(clippy::reversed_empty_ranges)]
    let wrong = [
        (
            Protocol {
                lesions: 0..=2,
                ..base.clone()
            },
            "0 to 2 lesions",
        ),
        (
            Protocol {
                lesions: 5..=3,
                ..base.clone()
            },
            "5 to 3 lesions",
        ),
        (
            Protocol {
                lesions: 3..=31,
                ..base.clone()
            },
            "chosen from 30",
        ),
        (
            Protocol {
                strongest: 1.5,
                ..base.clone()
            },
            "contrast 1.5",
        ),
        (
            Protocol {
                strongest: f64::NAN,
                ..base.clone()
            },
            "contrast NaN",
        ),
        (recipe(|r| r.factor = 0.0), "factor: 0.0"),
        (
            recipe(|r| r.regular_above = 0.3),
            "irregular_below must not exceed",
        ),
    ];
    for (protocol, what) in wrong {
        let problem = protocol.painter(1, 0).err().expect(what).to_string();
        assert!(problem.contains(what), "{problem}");
    }
    // NumPy's seeds have 32 bits.
    let problem = Protocol::published()
        .painter(2, u64::from(u32::MAX))
        .err()
        .unwrap();
    assert!(problem.to_string().contains("under D6"), "{problem}");
    assert!(
        Protocol::published()
            .painter(1, u64::from(u32::MAX))
            .is_ok()
    );
    assert!(Protocol::corrected().painter(1, u64::MAX).is_ok());
}

#[test]
fn splits_share_subjects_and_slices_under_d7_alone() {
    let [train, validation, test] = Protocol::corrected().splits([4, 2, 3]);
    assert_eq!(
        [&train.subjects, &validation.subjects, &test.subjects],
        [&(0..4), &(4..6), &(6..9)]
    );
    let protocol = Protocol {
        defects: Defects::NONE.with(Defect::KnownSubjects),
        ..Protocol::corrected()
    };
    let [_, validation, test] = protocol.splits([4, 2, 2]);
    assert_eq!((&validation.subjects, &test.subjects), (&(4..6), &(4..6)));
    assert_ne!(validation.seed, test.seed);
    // Where neither has a lesion, both show the same slice.
    let [validation, test] = [validation, test].map(|split| {
        protocol
            .samples(&Cohort::new(2), split.subjects, 2, 64, split.seed)
            .unwrap()
    });
    assert_ne!(validation.truth, test.truth);
    let same = (validation.images.iter().zip(&test.images))
        .zip(validation.truth.iter().zip(&test.truth))
        .filter(|(_, (a, b))| **a == 0.0 && **b == 0.0)
        .all(|((a, b), _)| (a - b).abs() < 1e-6);
    assert!(same);

    let published = Protocol::published().splits([4, 2, 3]);
    assert_eq!(published.map(|split| split.seed), [0, 30_000, 50_000]);
}

#[test]
fn the_lesions_program_writes_what_the_library_holds() {
    let folder = tempfile::tempdir().unwrap();
    let done = tests::example("lesions")
        .args(["--count", "4", "--size", "70", "--factor", "2", "--out"])
        .arg(folder.path())
        .status()
        .unwrap();
    assert!(done.success());
    let library = xai_core::lesions::making::published();
    for (name, lesions) in [
        ("regular", &library.regular),
        ("irregular", &library.irregular),
    ] {
        let file = fs::File::open(folder.path().join(format!("{name}.npz"))).unwrap();
        let mut npz = zip::ZipArchive::new(file).unwrap();
        assert_eq!(npz.len(), 5);
        let mut read = |array: &str| -> (Vec<u64>, Vec<f64>) {
            let array = NpyFile::new(npz.by_name(&format!("{array}.npy")).unwrap()).unwrap();
            (array.shape().to_vec(), array.into_vec().unwrap())
        };
        let (_, compactness) = read("compactness");
        for (number, lesion) in lesions.iter().take(4).enumerate() {
            let (shape, patch) = read(&format!("{number:03}"));
            assert_eq!(
                shape,
                [lesion.patch.nrows() as u64, lesion.patch.ncols() as u64]
            );
            assert!(patch.iter().eq(&lesion.patch));
            assert_eq!(compactness[number], lesion.compactness);
        }
        assert_eq!(compactness.len(), 4);
    }
}

/// Writes slices `[n, h, w]`.
fn save<T: npyz::AutoSerialize + Copy>(path: &Path, shape: &[u64], values: &[T]) {
    let file = fs::File::create(path).unwrap();
    let mut npy = npyz::WriteOptions::new()
        .default_dtype()
        .shape(shape)
        .writer(file)
        .begin_nd()
        .unwrap();
    npy.extend(values.iter().copied()).unwrap();
    npy.finish().unwrap();
}

fn load<T: FromNpy>(path: PathBuf) -> (Vec<u64>, Vec<T>) {
    let npy = NpyFile::new(fs::File::open(path).unwrap()).unwrap();
    (npy.shape().to_vec(), npy.into_vec().unwrap())
}

#[test]
fn make_dataset_writes_images_truth_and_classes_the_same_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let slices = folder.path().join("slices.npy");
    // More than are in memory at a time, in other units than the paper's.
    let seeds = [0, 1, 2, 3, 4, 5, 30_001];
    let brains: Vec<Array2<f64>> = seeds.iter().map(|&seed| brain(seed, [220, 180])).collect();
    let views: Vec<_> = (0..70).map(|i| brains[i % 7].view()).collect();
    let stack: Array3<f64> = ndarray::stack(Axis(0), &views).unwrap() * 40.0 - 3.0;
    save(&slices, &[70, 220, 180], stack.as_slice().unwrap());
    for defects in ["none", "all"] {
        for threads in ["1", "2"] {
            let done = tests::example("make_dataset")
                .env("RAYON_NUM_THREADS", threads)
                .args(["--defects", defects, "--seed", "0", "--slices"])
                .arg(&slices)
                .arg("--out")
                .arg(folder.path().join(format!("{defects}-{threads}")))
                .output()
                .unwrap();
            assert!(
                done.status.success(),
                "{}",
                String::from_utf8_lossy(&done.stderr)
            );
        }
        let [one, two] =
            ["1", "2"].map(|threads| folder.path().join(format!("{defects}-{threads}")));
        for name in ["images.npy", "truth.npy", "class.npy"] {
            assert!(
                fs::read(one.join(name)).unwrap() == fs::read(two.join(name)).unwrap(),
                "{name}"
            );
        }
        assert_eq!(fs::read_dir(&one).unwrap().count(), 3);

        let (shape, images) = load::<f32>(one.join("images.npy"));
        assert_eq!(shape, [70, 3, 224, 224]);
        let (shape, truth) = load::<f32>(one.join("truth.npy"));
        assert_eq!(shape, [70, 224, 224]);
        let (shape, class) = load::<i64>(one.join("class.npy"));
        assert_eq!(shape, [70]);
        let images = ndarray::Array4::from_shape_vec((70, 3, 224, 224), images).unwrap();
        for channel in [1, 2] {
            assert_eq!(
                images.slice(s![.., channel, .., ..]),
                images.slice(s![.., 0, .., ..])
            );
        }
        let truth = Array3::from_shape_vec((70, 224, 224), truth).unwrap();
        if defects == "none" {
            assert_eq!(class.iter().sum::<i64>(), 35);
            continue;
        }
        for case in fixture::<Vec<Image>>("images") {
            let number = case.seed as usize;
            if case.defects == Defects::ALL && number < 6 {
                let image = images.slice(s![number, 0, .., ..]);
                case.image
                    .assert_close(image.iter().map(|&v| v.into()), 1e-7);
                let truth = truth.index_axis(Axis(0), number);
                case.truth
                    .assert_close(truth.iter().map(|&v| v.into()), 1e-7);
                assert_eq!(class[number], i64::from(case.class));
            }
        }
    }
}

#[test]
fn make_dataset_refuses_what_it_cannot_use_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let [brain, small] =
        [[220, 180], [16, 13]].map(|shape| brain(0, shape).into_raw_vec_and_offset().0);
    let mut nan = brain.clone();
    nan.extend(&brain);
    nan[220 * 180 + 5 * 180 + 7] = f64::NAN;
    save(&path("nan.npy"), &[2, 220, 180], &nan);
    save(&path("empty.npy"), &[0, 220, 180], &[0.0_f64; 0]);
    save(&path("flat.npy"), &[220, 180], &brain);
    save(&path("whole_numbers.npy"), &[1, 2, 2], &[1_i64, 2, 3, 4]);
    save(&path("constant.npy"), &[1, 220, 180], &[0.5; 220 * 180]);
    save(&path("small.npy"), &[1, 16, 13], &small);
    save(&path("cut.npy"), &[1, 220, 180], &brain);
    let whole = fs::read(path("cut.npy")).unwrap();
    fs::write(path("cut.npy"), &whole[..whole.len() - 9]).unwrap();
    fs::write(path("text.npy"), "not an array").unwrap();
    for (name, defects, what) in [
        ("nan.npy", "none", "slice 1 holds NaN at row 5, column 7"),
        (
            "empty.npy",
            "none",
            "is [0, 220, 180]: there is no pixel in it",
        ),
        (
            "flat.npy",
            "none",
            "is [220, 180]; should be slices [n, h, w]",
        ),
        (
            "whole_numbers.npy",
            "none",
            "holds '<i8'; should be float64",
        ),
        ("constant.npy", "none", "slice 0 is 0.5 everywhere"),
        ("small.npy", "none", "slice 0 has no room for its lesions"),
        ("small.npy", "all", "slice 0 has no room for its lesions"),
        ("cut.npy", "none", "should hold 1 slices, but ends before"),
        ("text.npy", "none", "is not a .npy file"),
        ("missing.npy", "none", "No such file"),
    ] {
        let out = path("out");
        let done = tests::example("make_dataset")
            .args(["--defects", defects, "--slices"])
            .arg(path(name))
            .arg("--out")
            .arg(&out)
            .output()
            .unwrap();
        let stderr = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(1), "{name}: {stderr}");
        assert!(stderr.contains(what) && stderr.contains(name), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(
            !out.exists() || fs::read_dir(&out).unwrap().count() == 0,
            "{name}"
        );
    }
    let done = tests::example("make_dataset")
        .args(["--defects", "D1,D12", "--out", "x", "--slices"])
        .arg(path("nan.npy"))
        .output()
        .unwrap();
    let stderr = String::from_utf8(done.stderr).unwrap();
    assert!(
        stderr.contains("there is no defect `D12`; did you mean `D1`?"),
        "{stderr}"
    );
}
