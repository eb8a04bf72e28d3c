//! Lesions agree with NumPy, SciPy and scikit-image (`fixtures/lesions/make.py`).

use std::sync::LazyLock;

use ndarray::Array2;
use serde::Deserialize;
use serde_json::Value;
use xai_core::image::{gaussian, resize};
use xai_core::lesions::making::{Lesion, Library, Recipe, compactness, morphology, noise, otsu};

static FIXTURE: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../fixtures/lesions/lesions.json")).expect("a JSON file")
});

/// What the fixture holds under `name`.
fn fixture<T: Deserialize<'static>>(name: &str) -> T {
    T::deserialize(&FIXTURE[name]).expect(name)
}

fn array<T: Clone>(rows: &[Vec<T>]) -> Array2<T> {
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).expect("equal rows")
}

#[track_caller]
fn assert_close(ours: &Array2<f64>, theirs: &[Vec<f64>], tolerance: f64) {
    let theirs = array(theirs);
    assert_eq!(ours.dim(), theirs.dim());
    let worst = (ours - &theirs)
        .iter()
        .fold(0.0, |worst: f64, d| worst.max(d.abs()));
    assert!(worst <= tolerance, "differs by {worst:e}");
}

#[derive(Deserialize)]
struct Noise {
    seed: u32,
    /// Multiples of 2^-53.
    first: Vec<u64>,
    from_60000: Vec<u64>,
}

#[test]
fn noise_is_numpys() {
    for case in fixture::<Vec<Noise>>("noise") {
        let noise = noise::uniform(case.seed, 5, 12_001);
        let ours: Vec<u64> = noise.iter().map(|v| (v * 2f64.powi(53)) as u64).collect();
        assert_eq!(ours[..5], case.first);
        assert_eq!(ours[60_000..], case.from_60000);
    }
}

#[derive(Deserialize)]
struct Blur {
    sigma: f64,
    image: Vec<Vec<f64>>,
    blurred: Vec<Vec<f64>>,
}

#[test]
fn blur_is_scipys() {
    for case in fixture::<Vec<Blur>>("gaussian") {
        assert_close(
            &gaussian(array(&case.image).view(), case.sigma),
            &case.blurred,
            1e-14,
        );
    }
}

#[derive(Deserialize)]
struct Threshold {
    seed: u32,
    threshold: f64,
}

#[derive(Deserialize)]
struct Steps {
    image: Vec<Vec<f64>>,
    threshold: f64,
}

#[test]
fn thresholds_are_scikit_images() {
    for case in fixture::<Vec<Threshold>>("otsu") {
        let blurred = gaussian(noise::uniform(case.seed, 256, 256).view(), 2.0);
        let ours = otsu::threshold(&blurred);
        assert!(
            (ours - case.threshold).abs() < 1e-12,
            "seed {}: {ours}",
            case.seed
        );
    }
    let steps: Steps = fixture("otsu_steps");
    assert_eq!(otsu::threshold(&array(&steps.image)), steps.threshold);
    assert_eq!(otsu::threshold(&Array2::from_elem((3, 3), 0.25)), 0.25);
}

#[derive(Deserialize)]
struct Mask {
    mask: Vec<Vec<u8>>,
    eroded: Vec<Vec<u8>>,
    opened: Vec<Vec<u8>>,
    labels: Vec<Vec<usize>>,
    area: Vec<usize>,
    perimeter: Vec<f64>,
}

#[test]
fn morphology_and_shape_are_scipys_and_scikit_images() {
    let set = |rows: &[Vec<u8>]| array(rows).mapv(|v| v == 1);
    for case in fixture::<Vec<Mask>>("masks") {
        let mask = set(&case.mask);
        assert_eq!(morphology::erode(&mask), set(&case.eroded));
        assert_eq!(morphology::open(&mask), set(&case.opened));
        let components = morphology::components(&mask);
        let mut labels = Array2::zeros(mask.dim());
        assert_eq!(components.len(), case.area.len());
        for (k, component) in components.iter().enumerate() {
            assert_eq!(component.len(), case.area[k]);
            let mut alone = Array2::from_elem(mask.dim(), false);
            for &at in component {
                labels[at] = k + 1;
                alone[at] = true;
            }
            let ours = compactness::perimeter(alone.view());
            assert!(
                (ours - case.perimeter[k]).abs() < 1e-12,
                "{ours} {}",
                case.perimeter[k]
            );
        }
        assert_eq!(labels, array(&case.labels));
    }
}

#[derive(Deserialize)]
struct Resize {
    image: Vec<Vec<f64>>,
    resized: Vec<Vec<f64>>,
}

#[test]
fn resizing_is_scikit_images() {
    for case in fixture::<Vec<Resize>>("resize") {
        let shape = [case.resized.len(), case.resized[0].len()];
        assert_close(
            &resize(array(&case.image).view(), shape),
            &case.resized,
            1e-13,
        );
    }
}

#[derive(Deserialize)]
struct Reference {
    regular: bool,
    compactness: f64,
    patch: Vec<Vec<f64>>,
    twice: Option<Vec<Vec<f64>>>,
}

#[test]
fn the_published_lesions_come_out() {
    let recipe = Recipe {
        count: 50,
        ..Recipe::published()
    };
    let library = Library::search(&recipe).unwrap();
    assert_eq!((library.regular.len(), library.irregular.len()), (51, 207));

    let twice = library.enlarged(30, 2.0);
    assert_eq!((twice.regular.len(), twice.irregular.len()), (30, 30));
    assert_eq!(&twice, xai_core::lesions::making::published());

    let (mut regular, mut irregular) = (0, 0);
    for theirs in fixture::<Vec<Reference>>("lesions") {
        let (number, ours, large): (_, &[Lesion], &[Lesion]) = if theirs.regular {
            (&mut regular, &library.regular, &twice.regular)
        } else {
            (&mut irregular, &library.irregular, &twice.irregular)
        };
        assert!((ours[*number].compactness - theirs.compactness).abs() < 1e-12);
        assert_close(&ours[*number].patch, &theirs.patch, 1e-12);
        if let Some(patch) = &theirs.twice {
            assert_close(&large[*number].patch, patch, 1e-12);
        }
        *number += 1;
    }
    assert!(regular > 0 && irregular > 10, "{regular} {irregular}");
}

#[test]
fn an_area_that_never_occurs_is_an_error_not_an_endless_search() {
    let recipe = Recipe {
        count: 1,
        area: 5_000,
        ..Recipe::published()
    };
    let problem = Library::search(&recipe).unwrap_err().to_string();
    assert!(problem.contains("lesions of 5000 pixels"), "{problem}");
}
