//! Runs `score_maps` as another program would.

use npyz::AutoSerialize;
use tempfile::TempDir;
use xai_core::metrics::{NAMES, Score};
use xai_core::sweep::keep::read_scores;

/// Writes an `.npy` file of this name.
fn npy<T: AutoSerialize + Copy>(folder: &TempDir, name: &str, shape: &[usize], values: &[T]) {
    crate::common::npy(&folder.path().join(name), shape, values);
}

/// Two images of 2 x 3 pixels: of the first, the two top pixels are the truth; the second has no truth.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let maps = [
        0.9_f32, -0.8, 0.1, 0.2, 0.3, 0.4, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0,
    ];
    npy(&folder, "saliency.npy", &[2, 2, 3], &maps);
    npy(&folder, "channels.npy", &[2, 1, 2, 3], &maps.map(f64::from));
    let truth = [
        1.0_f32, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
    ];
    npy(&folder, "truth.npy", &[2, 2, 3], &truth);
    npy(&folder, "class.npy", &[2], &[0_i64, 1]);
    folder
}

const GOOD: [&str; 6] = [
    "--maps",
    "saliency.npy",
    "--truth",
    "truth.npy",
    "--out",
    "scores.parquet",
];

fn scores(arguments: &[&str]) -> (Vec<Score>, String) {
    let folder = folder();
    let output = crate::common::run("score_maps", folder.path(), arguments);
    let messages = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{messages}");
    (
        read_scores(&folder.path().join("scores.parquet")).unwrap(),
        messages,
    )
}

#[test]
fn rows_are_those_of_the_metrics() {
    let (rows, messages) =
        scores(&[&GOOD[..], &["--metrics", "precision,true_positives,auroc"]].concat());
    let row = |image, metric: &str, value| Score {
        image,
        class: 0,
        method: "saliency".into(),
        metric: metric.into(),
        value,
    };
    let expected = [
        row(0, "precision", 1.0),
        row(0, "true_positives", 2.0),
        row(0, "auroc", 1.0),
        row(1, "true_positives", 0.0),
    ];
    assert_eq!(rows, expected);
    assert!(messages.contains("precision: 1 of 2 images"), "{messages}");
    assert!(!messages.contains("true_positives:"), "{messages}");
}

#[test]
fn all_metrics_with_chance_and_classes_of_maps_with_channels() {
    let (rows, messages) = scores(&[
        "--maps",
        "channels.npy",
        "--truth",
        "truth.npy",
        "--out",
        "scores.parquet",
        "--metrics",
        "all",
        "--chance",
        "--class",
        "class.npy",
        "--method",
        "mine",
        "--sign",
        "signed",
    ]);
    // All metrics of the first image but the top k, which needs larger maps, and the four counts of the second, each with
    // its chance.
    assert_eq!(rows.len(), 2 * (NAMES.len() - 1 + 4));
    assert!(
        messages.contains("top_k_intersection: 2 of 2 images"),
        "{messages}"
    );
    assert!(
        rows.iter()
            .all(|row| row.method == "mine" && u32::from(row.class) == row.image)
    );
    let value = |metric: &str| rows.iter().find(|row| row.metric == metric).unwrap().value;
    // Signed, -0.8 is the lowest value.
    assert_eq!(
        (value("precision"), value("precision_chance")),
        (0.5, 1.0 / 3.0)
    );
}

/// Maps beyond the range of 32-bit floats have the scores of the same maps in ordinary numbers.
#[test]
fn very_small_and_very_large_maps_are_scored() {
    let folder = folder();
    let maps = experiments::npy::read(&folder.path().join("saliency.npy"), |value| value).unwrap();
    let scores = |scale: f64| {
        let scaled: Vec<f64> = maps.iter().map(|value| value * scale).collect();
        npy(&folder, "saliency.npy", &[2, 2, 3], &scaled);
        let arguments = [&GOOD[..], &["--metrics", "all"]].concat();
        let output = crate::common::run("score_maps", folder.path(), &arguments);
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{messages}");
        read_scores(&folder.path().join("scores.parquet")).unwrap()
    };
    let expected = scores(1.0);
    assert!(!expected.is_empty());
    for power in [-1000, -200, -110, 110, 200, 1000] {
        let found = scores(2_f64.powi(power));
        let rows = found.iter().zip(&expected);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in rows {
            let same = (found.value - expected.value).abs() < 1e-6;
            assert!(same, "2^{power}: {found:?}, {expected:?}");
        }
    }
}

/// Values that only 64 bits tell apart would become ties.
#[test]
fn maps_whose_order_is_lost_in_32_bits_are_refused() {
    let folder = folder();
    let maps = experiments::npy::read(&folder.path().join("saliency.npy"), |value| value).unwrap();
    let run = || {
        let arguments = [&GOOD[..], &["--sign", "signed"]].concat();
        let output = crate::common::run("score_maps", folder.path(), &arguments);
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let floats = |change: fn(f64) -> f64| {
        let changed: Vec<f64> = maps.iter().copied().map(change).collect();
        npy(&folder, "saliency.npy", &[2, 2, 3], &changed);
        run()
    };
    let refused = |(fine, says): (bool, String), lost: &str| {
        assert!(!fine, "{lost}");
        for part in ["saliency.npy: image 0: ", lost, "subtract"] {
            assert!(says.contains(part), "{says}");
        }
    };
    // Six values, which are all 1 in 32 bits.
    refused(
        floats(|value| 1.0 - 1e-9 * value),
        "5 of its 6 different values",
    );
    let integers: Vec<i64> = maps
        .iter()
        .map(|value| (1 << 40) + (10.0 * value) as i64)
        .collect();
    npy(&folder, "saliency.npy", &[2, 2, 3], &integers);
    refused(run(), "5 of its 6 different values");
    // A common offset that 32 bits bear, values that 32 bits round, and maps whose values differ by the rounding of 64 bits.
    for change in [
        |value| value + 100.0,
        |value: f64| value.cbrt(),
        |value: f64| 0.5 + 1e-16 * value,
    ] {
        let (fine, says) = floats(change);
        assert!(fine, "{says}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let folder = folder();
    npy(&folder, "nan.npy", &[1, 1, 2], &[0.0_f32, f32::NAN]);
    npy(&folder, "small.npy", &[1, 1, 2], &[1_u8, 0]);
    npy(&folder, "flat.npy", &[4], &[0.0_f32; 4]);
    npy(&folder, "two.npy", &[1, 2, 1, 2], &[0.0_f32; 4]);
    std::fs::write(folder.path().join("text.npy"), "not numbers").unwrap();
    for (maps, truth, more, expected) in [
        ("none.npy", "truth.npy", vec![], "none.npy: No such file"),
        (
            "text.npy",
            "truth.npy",
            vec![],
            "text.npy: is not a .npy file",
        ),
        (
            "flat.npy",
            "truth.npy",
            vec![],
            "flat.npy: is [4]; should be [n, h, w] or [n, c, h, w]",
        ),
        (
            "saliency.npy",
            "small.npy",
            vec![],
            "small.npy: is [1, 1, 2], while the maps of saliency.npy need",
        ),
        (
            "saliency.npy",
            "flat.npy",
            vec![],
            "flat.npy: is [4]; should be [n, h, w]",
        ),
        ("small.npy", "nan.npy", vec![], "nan.npy: holds NaN"),
        (
            "nan.npy",
            "small.npy",
            vec![],
            "nan.npy: image 0: the heat map holds NaN at row 0, column 1",
        ),
        ("two.npy", "small.npy", vec![], "2 channels"),
        (
            "saliency.npy",
            "truth.npy",
            vec!["--metrics", "presicion"],
            "did you mean `precision`?",
        ),
        (
            "saliency.npy",
            "truth.npy",
            vec!["--metrics", "precision,auroc,precision"],
            "`precision` is named twice; keep one",
        ),
        (
            "saliency.npy",
            "truth.npy",
            vec!["--class", "flat.npy"],
            "flat.npy: is [4]; should be [2]",
        ),
        (
            "saliency.npy",
            "truth.npy",
            vec!["--sign", "plus"],
            "possible values: absolute, positive, signed",
        ),
    ] {
        let arguments = [
            &["--maps", maps, "--truth", truth, "--out", "o.parquet"],
            &more[..],
        ]
        .concat();
        let output = crate::common::run("score_maps", folder.path(), &arguments);
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && message.contains(expected),
            "{expected}: {message}"
        );
        assert!(!folder.path().join("o.parquet").exists(), "{expected}");
    }
}
