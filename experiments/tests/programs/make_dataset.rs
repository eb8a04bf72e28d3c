//! Runs `make_dataset` as another program would, with a slice that cannot be used.

use std::path::Path;

use crate::common::{npy, run};
use ndarray::{Axis, s};
use xai_core::lesions::imaging::Cohort;

#[test]
fn slices_that_cannot_be_used_are_left_out_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let subject = Cohort::new(0).subject(0);
    let slices = subject.slices(&[80.0, 90.0, 100.0]);
    let (h, w) = slices[0].dim();
    let write = |name: &str, middle: Option<f64>| {
        let pixels = slices.iter().enumerate().flat_map(|(at, slice)| {
            let middle = middle.filter(|_| at == 1);
            slice
                .iter()
                .map(move |&pixel| middle.unwrap_or(f64::from(pixel)))
        });
        let pixels: Vec<f64> = pixels.collect();
        npy(&folder.path().join(name), &[3, h, w], &pixels);
    };
    write("good.npy", None);
    write("bad.npy", Some(0.5)); // the same grey value everywhere
    let make = |slices: &str, out: &str, more: &[&str]| {
        let arguments = [&["--slices", slices, "--out", out], more].concat();
        let output = run("make_dataset", folder.path(), &arguments);
        (
            output.status.success(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    assert!(make("good.npy", "good", &[]).0);
    let (fine, said) = make("bad.npy", "stopped", &[]);
    assert!(!fine && said.contains("bad.npy: slice 1"), "{said}");
    let (fine, said) = make("bad.npy", "kept", &["--skip-bad"]);
    assert!(fine, "{said}");
    assert!(said.contains("left out: bad.npy: slice 1"), "{said}");
    assert!(said.contains("2 of 3 slices are used"), "{said}");

    let read = |file: &str| {
        experiments::npy::read(&folder.path().join(Path::new(file)), |value| value as f32).unwrap()
    };
    assert_eq!(
        read("kept/kept.npy").iter().copied().collect::<Vec<_>>(),
        [0.0, 2.0]
    );
    // The images of the others are the same as without the bad slice.
    for name in ["images.npy", "truth.npy", "class.npy"] {
        let (all, kept) = (read(&format!("good/{name}")), read(&format!("kept/{name}")));
        assert_eq!(all.select(Axis(0), &[0, 2]), kept, "{name}");
    }
    assert!(
        read("kept/truth.npy")
            .slice(s![0, .., ..])
            .iter()
            .any(|&v| v > 0.0)
    );
}
