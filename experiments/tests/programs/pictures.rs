//! Runs `fig1_dataset` and `fig2_lesion_making` on a folder of scans, two of which cannot be used.

use std::fs;
use std::path::Path;

use crate::common::run;

#[test]
fn bad_scans_are_left_out_on_request() {
    let volumes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/volumes");
    let folder = tempfile::tempdir().unwrap();
    let mut table = "participant_id\tsex\n".to_owned();
    for subject in 0..6 {
        let image = match subject {
            0 => "nan.nii.gz",
            _ => "aligned.nii.gz",
        };
        let mut bytes = fs::read(volumes.join(image)).unwrap();
        if subject == 3 {
            bytes.truncate(bytes.len() / 2);
        }
        let place = folder.path().join(format!("scans/sub-{subject:02}/anat"));
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join(format!("sub-{subject:02}_T1w.nii.gz")), bytes).unwrap();
        table += &format!("sub-{subject:02}\t{}\n", ["F", "M"][subject % 2]);
    }
    fs::write(folder.path().join("scans/participants.tsv"), table).unwrap();
    let draw = |example: &str, more: &[&str]| {
        let arguments = [&["--data", "scans", "--out", example], more].concat();
        let output = run(example, folder.path(), &arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.success(), said)
    };
    // The first figure looks at all subjects, and the second one stops at the first that can be used.
    let problems = [
        "sub-00_T1w.nii.gz: 1 voxels are not a number",
        "sub-03_T1w.nii.gz: damaged or cut off",
    ];
    for (example, seen) in [("fig1_dataset", 2), ("fig2_lesion_making", 1)] {
        let (fine, said) = draw(example, &[]);
        assert!(!fine && said.contains(problems[0]), "{example}: {said}");
        let figure = folder.path().join(example).join("figure.png");
        assert!(!figure.exists());
        let (fine, said) = draw(example, &["--skip-bad"]);
        assert!(fine, "{example}: {said}");
        for problem in &problems[..seen] {
            let mut lines = said.lines();
            let line = lines.find(|line| line.contains(problem));
            assert!(
                line.is_some_and(|line| line.starts_with("left out: ")),
                "{example}: {said}"
            );
        }
        assert!(fs::read(figure).unwrap().starts_with(b"\x89PNG"));
    }
}
