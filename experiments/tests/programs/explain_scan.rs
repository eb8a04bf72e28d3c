//! Runs `explain_image` on scans. Its maps are compared with those of PyTorch on the grid that nibabel writes, and bad
//! input gives clear errors.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::common::{npy, run};

/// What `make.py` there made.
fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/scan_maps")
}

/// Explains class 1 of the fixtures' network.
fn explain(folder: &Path, input: &str, out: &str, more: &[&str]) -> Output {
    let network = [
        "--network",
        "network.json",
        "--weights",
        "weights.safetensors",
    ];
    let images = ["--input", input, "--target", "1", "--out", out];
    run(
        "explain_image",
        folder,
        &[&network[..], &images, more].concat(),
    )
}

/// A scan and its maps as nibabel reads them: the header's fields that place voxels, and the voxels.
struct Nifti {
    bytes: Vec<u8>,
}

impl Nifti {
    fn open(path: &Path) -> Self {
        let file = fs::File::open(path).unwrap();
        let mut bytes = Vec::new();
        (flate2::read::GzDecoder::new(file).read_to_end(&mut bytes)).unwrap();
        Self { bytes }
    }

    /// Sizes of the axes; kind and size of a voxel; the direction of the third axis and the sizes of a
    /// voxel; units; codes, quaternion, offsets and rows of both forms. Bytes as in `nifti1.h`.
    fn placing(&self) -> Vec<&[u8]> {
        let fields = [40..48, 70..74, 76..92, 123..124, 252..328];
        fields.map(|field| &self.bytes[field]).to_vec()
    }

    fn voxels(&self) -> Vec<f32> {
        let voxels = self.bytes[352..].as_chunks::<4>().0.iter();
        voxels.map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }
}

/// `fixtures/scan_maps/make.py` made the scans and, with PyTorch and nibabel, the expected maps.
#[test]
fn maps_of_scans_are_on_the_scans_grid() {
    for (scan, direction, more) in [
        ("both", "axial", &[][..]),
        ("both", "coronal", &["--slices", "coronal"]),
        ("both", "sagittal", &["--slices", "sagittal"]),
        (
            "sform",
            "sagittal",
            &["--slices", "sagittal", "--planes", "1..3"],
        ),
        ("qform", "axial", &["--planes", "0..2"]),
    ] {
        let out = tempfile::tempdir().unwrap();
        let out_name = out.path().to_str().unwrap();
        let methods = ["--methods", "saliency,input_x_gradient"];
        let input = format!("{scan}.nii.gz");
        let output = explain(
            &fixtures(),
            &input,
            out_name,
            &[&methods[..], more].concat(),
        );
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        for method in ["saliency", "input_x_gradient"] {
            let name = format!("{scan}.{direction}.{method}.nii.gz");
            let ours = Nifti::open(&out.path().join(format!("{method}.nii.gz")));
            let theirs = Nifti::open(&fixtures().join(&name));
            assert_eq!(ours.placing(), theirs.placing(), "{name}");
            let (ours, theirs) = (ours.voxels(), theirs.voxels());
            assert_eq!(ours.len(), theirs.len(), "{name}");
            for (ours, theirs) in ours.iter().zip(&theirs) {
                assert!((ours - theirs).abs() < 1e-6, "{name}: {ours} {theirs}");
            }
            assert!(theirs.iter().any(|value| value.abs() > 1e-3), "{name}");
        }
    }
}

#[test]
fn a_scan_that_cannot_be_used_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["both.nii.gz", "network.json", "weights.safetensors"] {
        fs::copy(fixtures().join(name), at(name)).unwrap();
    }
    npy(&at("x.npy"), &[1, 1, 4, 4], &[0.5_f32; 16]);
    fs::write(at("brain.mgz"), "").unwrap();
    fs::write(at("empty.nii"), "").unwrap();
    for (input, more, expected) in [
        (
            "brain.mgz",
            &[][..],
            "brain.mgz: is a volume of FreeSurfer; convert it: `mri_convert brain.mgz",
        ),
        ("empty.nii", &[], "empty.nii: the file is empty"),
        (
            "both.nii.gz",
            &["--planes", "5..9"],
            "has no plane 8: in this direction, it has the planes 0 to 5",
        ),
        (
            "both.nii.gz",
            &["--planes", "9..5"],
            "write one plane, such as 90, or some",
        ),
        (
            "x.npy",
            &["--planes", "1"],
            "x.npy: is not a scan, so `--planes` has no meaning",
        ),
    ] {
        let output = explain(folder.path(), input, "maps", more);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{input}");
        assert!(said.contains(expected), "{input}: {said}");
    }
}
