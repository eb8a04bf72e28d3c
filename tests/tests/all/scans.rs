//! Real scans: files written by nibabel, slices computed by SciPy (`fixtures/volumes/make.py`), and folders made from them
//! here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ndarray::{Array2, Array3, Axis, s};
use serde::Deserialize;
use xai_core::device::DeviceChoice;
use xai_core::lesions::imaging::{Affine, Brain, Folder, FolderKind, Sex, Slices, Volume};
use xai_core::lesions::{LesionArgs, Lesions};
use xai_core::prelude::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/volumes")
        .join(name)
}

#[derive(Deserialize)]
struct Read {
    name: String,
    voxels: Vec<Vec<Vec<f32>>>,
    affine: [[f64; 4]; 4],
}

#[test]
fn volumes_are_read_turned_and_scaled_as_nibabel_does() {
    let references: Vec<Read> =
        serde_json::from_str(include_str!("../../fixtures/volumes/volumes.json")).unwrap();
    assert_eq!(references.len(), 9);
    for theirs in references {
        let ours = Volume::open(fixture(&theirs.name)).unwrap();
        let (x, y) = (theirs.voxels.len(), theirs.voxels[0].len());
        let flat: Vec<f32> = theirs.voxels.concat().concat();
        let voxels = Array3::from_shape_vec((x, y, flat.len() / x / y), flat).unwrap();
        assert_eq!(ours.voxels, voxels, "{}", theirs.name);
        let Affine { matrix, offset } = ours.affine;
        for r in 0..3 {
            let ours = [matrix[r][0], matrix[r][1], matrix[r][2], offset[r]];
            for (ours, theirs) in ours.iter().zip(theirs.affine[r]) {
                assert!((ours - theirs).abs() < 1e-6, "{} {ours} {theirs}", theirs);
            }
        }
    }
}

#[derive(Deserialize)]
struct Cut {
    name: String,
    mask: Option<String>,
    first_mm: f64,
    step_mm: f64,
    /// Every twentieth pixel of each slice.
    pixels: Vec<Vec<Vec<f32>>>,
}

/// Flipped, rotated, sheared and masked heads.
#[test]
fn slices_are_scipys() {
    let references: Vec<Cut> =
        serde_json::from_str(include_str!("../../fixtures/volumes/slices.json")).unwrap();
    assert_eq!(references.len(), 4);
    for theirs in references {
        let open = |name: &String| Volume::open(fixture(name)).unwrap();
        let brain = Brain::new(open(&theirs.name), theirs.mask.as_ref().map(open)).unwrap();
        let ours = brain.slices(theirs.pixels.len()).unwrap();
        assert!(
            (ours.first_mm - theirs.first_mm).abs() < 1e-4,
            "{}",
            theirs.name
        );
        assert!(
            (ours.step_mm - theirs.step_mm).abs() < 1e-5,
            "{}",
            theirs.name
        );
        let name = &theirs.name;
        for (ours, theirs) in ours.images.outer_iter().zip(&theirs.pixels) {
            let pixels = ours.slice(s![..;20, ..;20]).to_owned();
            let theirs = Array2::from_shape_vec(pixels.dim(), theirs.concat()).unwrap();
            let worst = (&pixels - &theirs)
                .iter()
                .fold(0.0, |worst: f32, d| worst.max(d.abs()));
            assert!(worst < 1e-4, "{name} differs by {worst}");
            assert!(theirs.iter().filter(|&&v| v > 0.0).count() > 30);
            assert_eq!(ours.iter().copied().fold(0.0, f32::max), 0.7);
        }
    }
}

/// The slices cover the whole range in which the brain is wide enough, also if the number of planes is no multiple of
/// theirs. An ellipsoid of half height c has half of its largest area at c / sqrt(2).
#[test]
fn slices_cover_the_range_whatever_the_number_of_planes() {
    for planes in [41.0, 79.0, 80.0, 81.0, 119.0, 120.0] {
        let c: f64 = planes / 2.0_f64.sqrt();
        let depth = 2 * c as usize + 6;
        let shape = (20, 24, depth);
        let millimetres = |index: usize, size: f64, count: usize| {
            (index as f64 - (count - 1) as f64 / 2.0) * size
        };
        let voxels = Array3::from_shape_fn(shape, |(x, y, z)| {
            let [x, y] = [millimetres(x, 8.0, 20), millimetres(y, 8.0, 24)];
            let z = millimetres(z, 1.0, depth);
            let radius = (x / 62.0).powi(2) + (y / 80.0).powi(2) + (z / c).powi(2);
            if radius <= 1.0 { 300.0 + z as f32 } else { 0.0 }
        });
        let affine = Affine {
            matrix: [[8.0, 0.0, 0.0], [0.0, 8.0, 0.0], [0.0, 0.0, 1.0]],
            offset: [0.0; 3],
        };
        let brain = Brain::new(Volume { voxels, affine }, None).unwrap();
        let slices = brain.slices(40).unwrap();
        let centre = (depth - 1) as f64 / 2.0;
        let step = planes / 40.0;
        let first = centre - planes / 2.0 + step / 2.0;
        // The range is whole planes, and the area is measured on a coarse grid.
        assert!(
            (slices.first_mm - first).abs() < 2.5,
            "{planes}: {} mm",
            slices.first_mm
        );
        assert!(
            (slices.step_mm - step).abs() < 0.1,
            "{planes}: {} mm",
            slices.step_mm
        );
    }
}

#[test]
fn kept_slices_come_back_and_are_a_volume_for_viewers() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("slices.nii.gz");
    let brain = Brain::new(Volume::open(fixture("rotated.nii.gz")).unwrap(), None).unwrap();
    let slices = brain.slices(5).unwrap();
    slices.write(&file).unwrap();
    let back = Slices::read(&file).unwrap();
    assert!(
        (&back.images - &slices.images)
            .iter()
            .all(|d| d.abs() < 0.7 / 65_535.0)
    );
    assert!(
        back.images
            .iter()
            .zip(&slices.images)
            .all(|(b, s)| (*b > 0.0) == (*s > 0.0))
    );
    assert!(
        (back.first_mm - slices.first_mm).abs() < 1e-4
            && (back.step_mm - slices.step_mm).abs() < 1e-4
    );
    // The first row of a slice is the front of the head, which in RAS is the last.
    let volume = Volume::open(&file).unwrap();
    assert_eq!(volume.voxels.dim(), (258, 310, 5));
    assert_eq!(
        volume.voxels[(100, 309 - 40, 2)],
        (back.images[(2, 40, 100)] / 0.7 * 65_535.0).round()
    );
    for (k, (height, slice)) in slices.pick(5).iter().enumerate() {
        assert!((f64::from(*height) - slices.first_mm - k as f64 * slices.step_mm).abs() < 1e-4);
        assert_eq!(slice, slices.images.index_axis(Axis(0), k));
    }
    let [(_, only)] = &slices.pick(1)[..] else {
        panic!()
    };
    assert_eq!(only, slices.images.index_axis(Axis(0), 2));
}

/// The one error that a file gives, and what it must say.
#[test]
fn unusable_volumes_are_errors_that_name_the_file_and_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        fs::write(folder.path().join(name), bytes).unwrap();
        folder.path().join(name)
    };
    let whole = fs::read(fixture("aligned.nii.gz")).unwrap();
    let plain = fs::read(fixture("ras_sform.nii")).unwrap();
    let mut corrupt = whole.clone();
    corrupt[2_000] ^= 0x55;
    let cases = [
        (fixture("missing.nii"), "No such file"),
        (fixture("make.py"), "not a NIfTI image; convert"),
        (fixture("pair.hdr"), "half of a pair"),
        (fixture("no_orientation.nii"), "no orientation (sform"),
        (fixture("four_d.nii.gz"), "shape [2, 3, 4, 3]; one volume"),
        (fixture("empty.nii.gz"), "the image is empty"),
        (
            fixture("nan.nii.gz"),
            "1 voxels are not a number or infinite; set",
        ),
        (
            fixture("head.nii.gz"),
            "8.23 litres are above 0, which is not the size of a human brain (0.2 to 2.5 litres); extract",
        ),
        (
            write("zero_size.nii.gz", &[]),
            "the file is empty; get it again",
        ),
        (
            write("header_only.nii.gz", &whole[..150]),
            "damaged or cut off",
        ),
        (
            write("truncated.nii.gz", &whole[..whole.len() / 2]),
            "damaged or cut off",
        ),
        (
            write("without_checksum.nii.gz", &whole[..whole.len() - 6]),
            "damaged or cut off",
        ),
        (write("corrupt.nii.gz", &corrupt), "damaged or cut off"),
        (
            write("truncated.nii", &plain[..plain.len() - 5]),
            "damaged or cut off",
        ),
        (
            write("half_a_header.nii", &plain[..100]),
            "damaged or cut off",
        ),
    ];
    for (file, expected) in cases {
        let scan =
            || Brain::new(Volume::open(&file)?, None).map_err(|e| xai_core::Error::file(&file, e));
        let problem = scan().err().map(|e| e.to_string()).unwrap_or_default();
        let name = file.display().to_string();
        assert!(
            problem.contains(&name) && problem.contains(expected),
            "{name}: {problem}"
        );
    }
    let scan = Volume::open(fixture("rotated.nii.gz")).unwrap();
    let mask = Volume::open(fixture("masked_desc-brain_mask.nii.gz")).unwrap();
    let problem = Brain::new(scan, Some(mask)).err().unwrap().to_string();
    assert!(
        problem.contains("different grids; resample the mask"),
        "{problem}"
    );
}

/// No header, however wrong, brings the program down.
#[test]
fn damaged_headers_are_no_panics() {
    for name in ["ras_sform.nii", "version_2_big_endian.nii"] {
        let whole = fs::read(fixture(name)).unwrap();
        for at in 0..whole.len().min(544) {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                if let Ok(volume) = Volume::read(&bytes[..]) {
                    let _ = Brain::new(volume, None);
                }
            }
        }
    }
}

/// Copies a phantom to `place` in `root`.
fn put(root: &Path, place: &str) -> PathBuf {
    let path = root.join(place);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::copy(fixture("aligned.nii.gz"), &path).unwrap();
    path
}

#[test]
fn folders_are_recognised() {
    let root = tempfile::tempdir().unwrap();
    let bids = root.path().join("bids");
    put(&bids, "sub-01/anat/sub-01_T1w.nii.gz");
    put(&bids, "sub-01/anat/sub-01_desc-brain_mask.nii.gz");
    put(&bids, "sub-02/ses-b/anat/sub-02_ses-b_run-2_T1w.nii.gz");
    put(&bids, "sub-02/ses-b/anat/sub-02_ses-b_run-1_T1w.nii.gz");
    put(&bids, "sub-02/ses-c/anat/sub-02_ses-c_T1w.nii.gz");
    put(
        &bids,
        "derivatives/fmriprep/sub-02/ses-b/anat/sub-02_ses-b_run-1_desc-brain_mask.nii.gz",
    );
    put(&bids, "sub-02/ses-b/func/sub-02_ses-b_bold.nii.gz");
    // A byte order mark, as Excel writes it, Windows' line ends, and ids without their prefix.
    let table =
        "\u{feff}participant_id\tage\tSex\r\nsub-01\t30\tF\r\n02\t31\tmale\r\nsub-77\t40\tM\r\n";
    fs::write(bids.join("participants.tsv"), table).unwrap();
    let folder = Folder::open(&bids).unwrap();
    assert_eq!(
        (folder.layout, folder.problems.len(), folder.without_scan),
        (FolderKind::Bids, 0, 1)
    );
    let [one, two] = &folder.scans[..] else {
        panic!("{folder:?}")
    };
    assert_eq!((one.subject.as_str(), one.sex), ("sub-01", Sex::Female));
    assert_eq!((two.subject.as_str(), two.sex), ("sub-02", Sex::Male));
    let within = |path: &Option<PathBuf>| {
        path.as_ref()
            .unwrap()
            .strip_prefix(&bids)
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        within(&one.mask),
        Path::new("sub-01/anat/sub-01_desc-brain_mask.nii.gz")
    );
    assert!(
        two.image
            .ends_with("ses-b/anat/sub-02_ses-b_run-1_T1w.nii.gz")
    );
    assert!(within(&two.mask).starts_with("derivatives/fmriprep/sub-02/ses-b"));
    let said = folder.to_string();
    assert!(
        said.starts_with("a BIDS folder: 2 scans (1 of women, 1 of men")
            && said.contains("1 subjects of the table")
    );

    let hcp = root.path().join("hcp");
    put(&hcp, "100307/T1w/T1w_acpc_dc_restore_brain.nii.gz");
    put(&hcp, "100408/T1w/T1w_acpc_dc_restore_brain.nii.gz");
    fs::write(
        hcp.join("unrestricted_me.csv"),
        "Subject,Release,Gender\n100307,Q1,F\n100408,Q3,M\n",
    )
    .unwrap();
    fs::write(
        hcp.join("restricted_me.csv"),
        "Subject,Age_in_Yrs\n100307,27\n",
    )
    .unwrap();
    let folder = Folder::open(&hcp).unwrap();
    assert_eq!((folder.layout, folder.scans.len()), (FolderKind::Hcp, 2));
    assert_eq!(
        (folder.scans[1].subject.as_str(), folder.scans[1].sex),
        ("100408", Sex::Male)
    );

    // The second slice of three is the second subject's.
    let (pictures, left_out) = folder.slices(3, false).unwrap();
    let slices = folder.scans[1].slices(3).unwrap();
    assert_eq!(pictures[1], slices.images.index_axis(Axis(0), 1));
    assert!(left_out.is_empty());

    // A scan that cannot be used is an error, or it is left out and the next one takes its place.
    let first = hcp.join("100307/T1w/T1w_acpc_dc_restore_brain.nii.gz");
    fs::write(&first, "not a scan").unwrap();
    let folder = Folder::open(&hcp).unwrap();
    let problem = folder.slices(3, false).unwrap_err().to_string();
    assert!(problem.contains("100307"), "{problem}");
    let (pictures, left_out) = folder.slices(3, true).unwrap();
    assert_eq!(left_out, [problem]);
    assert_eq!(pictures.len(), 3);
    assert_eq!(pictures[0], slices.images.index_axis(Axis(0), 0));

    let plain = root.path().join("plain");
    put(&plain, "b.nii.gz");
    put(&plain, "deep/a.nii.gz");
    fs::write(
        plain.join("scans.csv"),
        "file,sex,subject\ndeep/a.nii.gz, female ,Ann\nb.nii.gz,m,Bob\n",
    )
    .unwrap();
    let folder = Folder::open(&plain).unwrap();
    assert_eq!((folder.layout, folder.scans.len()), (FolderKind::Plain, 2));
    assert_eq!(
        (folder.scans[0].subject.as_str(), folder.scans[0].sex),
        ("Ann", Sex::Female)
    );
}

#[test]
fn folders_that_cannot_be_read_say_what_is_missing() {
    let root = tempfile::tempdir().unwrap();
    let problem = || Folder::open(root.path()).unwrap_err().to_string();
    assert!(problem().contains("columns file and sex") && problem().contains("BIDS (sub-*/anat"));
    put(root.path(), "sub-01/anat/sub-01_T1w.nii.gz");
    assert!(problem().contains(
        "participants.tsv: missing; BIDS needs it, with the columns participant_id and sex"
    ));
    fs::write(
        root.path().join("participants.tsv"),
        "participant_id\tage\nsub-01\t3\n",
    )
    .unwrap();
    assert!(
        problem().contains("participants.tsv: has no column sex, only participant_id, age; add it")
    );
    assert!(
        Folder::open(root.path().join("nowhere"))
            .unwrap_err()
            .to_string()
            .contains("nowhere")
    );
}

#[test]
fn subjects_that_cannot_be_used_are_listed_with_file_or_line() {
    let root = tempfile::tempdir().unwrap();
    for subject in ["01", "02", "03", "04", "05"] {
        put(
            root.path(),
            &format!("sub-{subject}/anat/sub-{subject}_T1w.nii.gz"),
        );
    }
    let table =
        "participant_id\tsex\nsub-01\tF\nsub-02\tx\nsub-03\nsub-04\tM\nsub-04\tM\nsub-06\tM\n";
    fs::write(root.path().join("participants.tsv"), table).unwrap();
    let folder = Folder::open(root.path()).unwrap();
    assert_eq!(folder.scans.len(), 1);
    let expected = [
        "participants.tsv: line 3: the sex of sub-02 is `x`; it should be F, M, female or male",
        "participants.tsv: line 4: the sex of sub-03 is ``; it should be",
        "participants.tsv: line 6: sub-04 is listed a second time; keep one row a subject",
        "sub-05_T1w.nii.gz: ",
    ];
    assert_eq!(
        folder.problems.len(),
        expected.len(),
        "{:?}",
        folder.problems
    );
    for (problem, expected) in folder.problems.iter().zip(expected) {
        assert!(problem.contains(expected), "{problem}");
    }
    assert!(folder.problems[3].contains("participants.tsv has no row for sub-05; add one"));

    let plain = tempfile::tempdir().unwrap();
    put(plain.path(), "a.nii.gz");
    fs::write(
        plain.path().join("t.csv"),
        "file,sex,subject\na.nii.gz,F,A\ngone.nii.gz,F,B\n",
    )
    .unwrap();
    let folder = Folder::open(plain.path()).unwrap();
    assert_eq!(folder.scans.len(), 1);
    assert!(
        folder.problems[0].contains("gone.nii.gz: No such file"),
        "{:?}",
        folder.problems
    );

    // One subject under two names could be in training as one and in test as the other.
    let table = "file,sex,subject\na.nii.gz,F,007\nb.nii.gz,F,7\nc.nii.gz,F,8\n";
    fs::write(plain.path().join("t.csv"), table).unwrap();
    put(plain.path(), "b.nii.gz");
    put(plain.path(), "c.nii.gz");
    let folder = Folder::open(plain.path()).unwrap();
    assert_eq!(folder.scans.len(), 1);
    assert_eq!(folder.problems.len(), 2, "{:?}", folder.problems);
    for problem in &folder.problems {
        assert!(
            problem.contains("t.csv: line 3: 7 is the same number as 007 in line 2; keep one row"),
            "{problem}"
        );
    }

    // So could one file of two subjects.
    fs::write(
        plain.path().join("t.csv"),
        "file,sex,subject\na.nii.gz,F,s1\n./a.nii.gz,F,s2\n",
    )
    .unwrap();
    let folder = Folder::open(plain.path()).unwrap();
    assert_eq!(folder.scans.len(), 1);
    assert_eq!(folder.without_scan, 0);
    assert_eq!(folder.problems.len(), 1, "{:?}", folder.problems);
    assert!(
        folder.problems[0].contains("`s2` has the file of `s1`"),
        "{:?}",
        folder.problems
    );
}

/// A BIDS folder of twelve phantoms.
fn twelve(root: &Path) -> PathBuf {
    let mut table = "participant_id\tsex\n".to_owned();
    for subject in 0..12 {
        put(
            root,
            &format!("sub-{subject:02}/anat/sub-{subject:02}_T1w.nii.gz"),
        );
        table += &format!("sub-{subject:02}\t{}\n", ["F", "M"][subject % 2]);
    }
    fs::write(root.join("participants.tsv"), table).unwrap();
    root.to_owned()
}

/// Runs the toy experiment: (success, stdout, stderr).
fn toy(out: &Path, data: &Path, options: &[&str]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_toy_scans"))
        .args(["--scale", "smoke", "--out"])
        .arg(out)
        .arg("--data")
        .arg(data)
        .args(options)
        .output()
        .unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.success(), out, err)
}

/// Kept slices, as paths and times of writing.
fn kept(out: &Path) -> Vec<(PathBuf, std::time::SystemTime)> {
    let stages = fs::read_dir(out.join(".stages"))
        .into_iter()
        .flatten()
        .flatten();
    let files = stages
        .map(|stage| stage.path().join("slices.nii.gz"))
        .filter(|file| file.exists());
    let mut files: Vec<_> = files
        .map(|file| (file.clone(), file.metadata().unwrap().modified().unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_run_reads_scans_once_and_notices_other_data() {
    let (out, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = twelve(root.path());
    let (fine, stdout, stderr) = toy(out.path(), &data, &[]);
    assert!(
        fine && stdout.contains("a BIDS folder: 12 scans (6 of women, 6 of men"),
        "{stdout}{stderr}"
    );
    let first = kept(out.path());
    // All have the same voxels, but they are different files.
    assert_eq!(first.len(), 12);

    let (fine, stdout, stderr) = toy(out.path(), &data, &[]);
    assert!(
        fine && stdout.contains("finished  4 of 4 cells fitted") && stderr.is_empty(),
        "{stdout}{stderr}"
    );
    assert_eq!(kept(out.path()), first);

    // The folder elsewhere is the same data; another sex, or another file, is not.
    let elsewhere = root.path().join("moved");
    let status = Command::new("cp")
        .arg("-a")
        .arg(&data)
        .arg(out.path().join("copy"))
        .status()
        .unwrap();
    assert!(status.success() && !elsewhere.exists());
    let (_, stdout, _) = toy(out.path(), &out.path().join("copy"), &["--plan"]);
    assert!(stdout.contains("finished  4 of 4 cells fitted"), "{stdout}");
    let table = fs::read_to_string(data.join("participants.tsv")).unwrap();
    fs::write(
        data.join("participants.tsv"),
        table.replace("sub-03\tM", "sub-03\tF"),
    )
    .unwrap();
    let (_, stdout, _) = toy(out.path(), &data, &["--plan"]);
    assert!(stdout.contains("finished  0 of 4 cells fitted"), "{stdout}");
    fs::write(data.join("participants.tsv"), table).unwrap();
    fs::copy(
        fixture("rotated.nii.gz"),
        data.join("sub-05/anat/sub-05_T1w.nii.gz"),
    )
    .unwrap();
    let (fine, stdout, _) = toy(out.path(), &data, &[]);
    assert!(
        fine && stdout.contains("finished  0 of 4 cells fitted"),
        "{stdout}"
    );
    assert_eq!(kept(out.path()).len(), 13);
}

#[test]
fn bad_scans_stop_a_run_unless_they_are_skipped() {
    let (out, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = twelve(root.path());
    let image = |subject| data.join(format!("sub-{subject}/anat/sub-{subject}_T1w.nii.gz"));
    let whole = fs::read(image("04")).unwrap();
    fs::write(image("04"), &whole[..whole.len() / 2]).unwrap();
    fs::copy(fixture("nan.nii.gz"), image("07")).unwrap();
    let table = fs::read_to_string(data.join("participants.tsv")).unwrap();
    fs::write(
        data.join("participants.tsv"),
        table.replace("sub-09\tM", "sub-09\tunknown"),
    )
    .unwrap();
    let expected = [
        "participants.tsv: line 11: the sex of sub-09 is `unknown`",
        "sub-04_T1w.nii.gz: damaged or cut off",
        "sub-07_T1w.nii.gz: 1 voxels are not a number",
    ];

    let (fine, _, stderr) = toy(out.path(), &data, &[]);
    assert!(
        !fine && stderr.contains("3 of 12 subjects cannot be used"),
        "{stderr}"
    );
    assert!(
        expected.iter().all(|problem| stderr.contains(problem)),
        "{stderr}"
    );
    assert!(
        stderr.contains("leave them out with --skip-bad"),
        "{stderr}"
    );

    let (fine, _, stderr) = toy(out.path(), &data, &["--skip-bad"]);
    assert!(
        fine && stderr.contains("9 of 12 subjects are used"),
        "{stderr}"
    );
    for problem in expected {
        let line = stderr.lines().find(|line| line.contains(problem)).unwrap();
        assert!(line.contains("left out: "), "{line}");
    }

    for subject in ["00", "01"] {
        fs::write(image(subject), []).unwrap();
    }
    let (fine, _, stderr) = toy(out.path(), &data, &["--skip-bad"]);
    assert!(
        !fine && stderr.contains("4 women and 3 men are too few: a run needs 8 subjects"),
        "{stderr}"
    );
}

/// The lesions with these scans, of which bad ones are left out, in a laboratory.
fn lab(data: &Path, out: &Path) -> Lab<Lesions> {
    let arguments = LesionArgs {
        data: Some(data.to_owned()),
        skip_bad: true,
        ..LesionArgs::default()
    };
    let lesions = Lesions::open(&arguments, Scale::Smoke).unwrap();
    Lab::of(lesions, Scale::Smoke, DeviceChoice::Flex, out).unwrap()
}

/// Another process may be able to read the scan, and would then use other subjects.
#[test]
fn a_scan_that_the_system_cannot_read_is_not_skipped() {
    let (out, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = twelve(root.path());
    let lab = lab(&data, out.path());
    let image = data.join("sub-04/anat/sub-04_T1w.nii.gz");
    fs::rename(&image, image.with_extension("away")).unwrap();
    let problem = lab.benchmark().prepare(lab.context()).unwrap_err();
    let problem = problem.to_string();
    assert!(
        problem.contains("sub-04_T1w.nii.gz: ") && problem.contains("run the same command again"),
        "{problem}"
    );
    fs::rename(image.with_extension("away"), &image).unwrap();
    lab.benchmark().prepare(lab.context()).unwrap();
}

/// The numbers of subjects in a stage depend on those that were left out. Here the fingerprint of the folder does not
/// show that a scan was bad for a while.
#[test]
fn images_of_other_subjects_are_other_stages() {
    let (out, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = twelve(root.path());
    let image = data.join("sub-04/anat/sub-04_T1w.nii.gz");
    let whole = fs::read(&image).unwrap();
    let modified = fs::metadata(&image).unwrap().modified().unwrap();
    let write = |bytes: &[u8]| {
        fs::write(&image, bytes).unwrap();
        let file = fs::File::options().write(true).open(&image).unwrap();
        file.set_modified(modified).unwrap();
    };
    let mut bad = whole.clone();
    // Before its last 4 KiB, whose hash is part of the fingerprint.
    bad[200] ^= 255;
    let of_images = || {
        let stages = fs::read_dir(out.path().join(".stages")).unwrap();
        let files = stages.map(|stage| stage.unwrap().path().join("images.safetensors"));
        files.filter(|file| file.exists()).count()
    };
    write(&bad);
    lab(&data, out.path()).train().unwrap();
    assert_eq!(of_images(), 1);
    write(&whole);
    lab(&data, out.path()).train().unwrap();
    assert_eq!(of_images(), 2);
    lab(&data, out.path()).train().unwrap();
    assert_eq!(of_images(), 2);
}

#[test]
fn skip_bad_makes_no_sense_without_data() {
    let output = Command::new(env!("CARGO_BIN_EXE_toy_scans"))
        .arg("--skip-bad")
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(2) && stderr.contains("--data <DIR>"),
        "{stderr}"
    );
}
