//! Checks of the synthetic subjects, the pre-training tasks and the images of the benchmark.

use ndarray::Axis;
use xai_core::lesions::imaging::{Cohort, SHAPES, SLICE_SHAPE, Sex, sex_task, shapes_task};
use xai_core::lesions::making::Protocol;

#[test]
fn slices_are_clean_brains_that_do_not_depend_on_what_else_is_asked_for() {
    let subject = Cohort::new(3).subject(8);
    let slices = subject.slices(&[60.0, 95.0, 130.0]);
    for slice in &slices {
        assert_eq!(slice.dim(), (SLICE_SHAPE[0], SLICE_SHAPE[1]));
        let brightest = slice.iter().copied().fold(0.0, f32::max);
        assert!((brightest - 0.7).abs() < 1e-6);
        assert!(slice.iter().all(|&v| v >= 0.0));
        // 60 to 200 cm^2 of brain, none at the frame.
        let brain = slice.iter().filter(|&&v| v > 0.0).count() as f64 * 0.49;
        assert!((5_000.0..22_000.0).contains(&brain), "{brain} mm^2");
        for axis in [Axis(0), Axis(1)] {
            let last = slice.len_of(axis) - 1;
            for edge in [0, last] {
                assert!(slice.index_axis(axis, edge).iter().all(|&v| v == 0.0));
            }
        }
    }
    assert_eq!(subject.slices(&[95.0])[0], slices[1]);
    assert!(subject.slices(&[-40.0])[0].iter().all(|&v| v == 0.0));
    let other = |seed, index| Cohort::new(seed).subject(index).slices(&[95.0]).remove(0);
    assert_eq!(other(3, 8), slices[1]);
    assert_ne!(other(3, 9), slices[1]);
    assert_ne!(other(4, 8), slices[1]);
}

/// At 25 mm the cerebellum fills the rear half of a slice, and only the temporal poles the front.
#[test]
fn rows_run_from_front_to_back() {
    let slice = Cohort::new(1).subject(0).slices(&[25.0]).remove(0);
    let brain = |rows: std::ops::Range<usize>| {
        rows.map(|r| slice.row(r).iter().filter(|&&v| v > 0.0).count())
            .sum::<usize>()
    };
    assert!(
        brain(155..310) > 4 * brain(0..155),
        "{} {}",
        brain(155..310),
        brain(0..155)
    );
}

#[test]
fn the_sex_task_is_balanced_and_follows_its_subjects() {
    let cohort = Cohort::new(5);
    let task = sex_task(&cohort, 10..16, 2, 32).unwrap();
    assert_eq!(task.images.dim(), (12, 32, 32));
    assert_eq!((task.classes, task.class.len()), (2, 12));
    assert_eq!(task.class.iter().filter(|&&c| c == 1).count(), 6);
    for (k, index) in (10..16).enumerate() {
        let male = cohort.subject(index).sex == Sex::Male;
        assert_eq!(task.class[2 * k..2 * k + 2], [u8::from(male); 2]);
    }
    // A part of the range gives that part's images.
    let part = sex_task(&cohort, 12..14, 2, 32).unwrap();
    assert_eq!(part.images, task.images.slice(ndarray::s![4..8, .., ..]));
    assert!(sex_task(&cohort, 3..3, 2, 32).is_err());
}

#[test]
fn the_shapes_task_holds_every_shape_equally_often() {
    let task = shapes_task(40, 48, 1).unwrap();
    assert_eq!(task.images.dim(), (40, 48, 48));
    assert!(task.images.iter().all(|&v| (0.0..=1.0).contains(&v)));
    for class in 0..SHAPES.len() as u8 {
        assert_eq!(task.class.iter().filter(|&&c| c == class).count(), 5);
    }
    assert_eq!(task.images, shapes_task(40, 48, 1).unwrap().images);
    assert!(shapes_task(0, 48, 1).is_err());
}

#[test]
fn benchmark_images_hold_their_lesions_and_nothing_outside_the_brain() {
    let cohort = Cohort::new(2);
    let samples = Protocol::corrected()
        .samples(&cohort, 100..108, 3, 224, 9)
        .unwrap();
    assert_eq!(samples.len(), 24);
    assert_eq!(samples.class.iter().filter(|&&c| c == 0).count(), 12);
    assert_eq!(samples.subject[..4], [100, 100, 100, 101]);
    let mut sizes = Vec::new();
    for (image, truth) in samples.images.outer_iter().zip(samples.truth.outer_iter()) {
        assert!(image.iter().all(|&v| (0.0..=1.0).contains(&v)));
        // Lesions lie in the brain, so the truth is image, and it is brighter than the rest.
        let mean = |lesion: bool| {
            let of: Vec<f32> = image
                .iter()
                .zip(&truth)
                .filter(|&(&v, &t)| v > 0.0 && (t > 0.5) == lesion)
                .map(|(&v, _)| v)
                .collect();
            of.iter().sum::<f32>() / of.len() as f32
        };
        assert!(
            mean(true) > mean(false) + 0.1,
            "{} {}",
            mean(true),
            mean(false)
        );
        assert!(image.iter().zip(&truth).all(|(&v, &t)| t == 0.0 || v > 0.0));
        sizes.push(truth.iter().filter(|&&t| t > 0.0).count());
    }
    // The published test set: 1,060 to 2,572 pixels, 1,699 on average.
    let mean = sizes.iter().sum::<usize>() as f64 / sizes.len() as f64;
    assert!((1_450.0..1_950.0).contains(&mean), "{mean}");
    assert!(
        sizes.iter().all(|size| (950..2_800).contains(size)),
        "{sizes:?}"
    );
}

#[test]
fn a_slice_with_too_little_brain_is_an_error_that_names_it() {
    let mut protocol = Protocol::corrected();
    protocol.heights_mm = 170.0..=175.0;
    let problem = protocol
        .samples(&Cohort::new(2), 4..5, 1, 64, 1)
        .unwrap_err()
        .to_string();
    assert!(problem.contains("subject 4 at 17"), "{problem}");
    // Room for the brain's pixels, but not for so many lesions: an error, not an endless loop.
    protocol.heights_mm = 130.0..=130.0;
    protocol.lesions = 30..=30;
    let problem = protocol
        .samples(&Cohort::new(2), 4..5, 1, 64, 1)
        .unwrap_err()
        .to_string();
    assert!(problem.contains("no room for its lesions"), "{problem}");
}
