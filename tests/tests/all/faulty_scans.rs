//! Scans and tables as they occur in practice: random headers compared with nibabel (`fixtures/volumes/headers.py`),
//! files whose content has not been fetched, and tables of other programs.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::Deserialize;
use tests::fixture;
use xai_core::lesions::imaging::{Folder, Sex, Volume};

#[derive(Deserialize)]
struct Header {
    /// In hexadecimal.
    bytes: String,
    /// Why nibabel cannot read it.
    error: Option<String>,
    affine: Option<[[f64; 4]; 4]>,
    shape: Option<[usize; 3]>,
    /// The last axis fastest.
    voxels: Option<Vec<f64>>,
}

/// Every voxel lies where nibabel has it, with the same grey value; what nibabel cannot read is an error.
/// `HEADERS` names a file with more headers.
#[test]
fn headers_are_read_as_nibabel_reads_them() {
    let path = std::env::var("HEADERS").map_or(fixture("volumes/headers.json.gz"), PathBuf::from);
    let mut text = String::new();
    (GzDecoder::new(fs::File::open(path).unwrap()).read_to_string(&mut text)).unwrap();
    let headers: Vec<Header> = serde_json::from_str(&text).unwrap();
    assert!(headers.len() >= 250);
    let mut wrong = Vec::new();
    for (number, theirs) in headers.iter().enumerate() {
        let bytes = theirs.bytes.as_bytes().chunks(2);
        let bytes = bytes.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16));
        let bytes: Vec<u8> = bytes.collect::<Result<_, _>>().unwrap();
        let problem = match (Volume::read(&bytes[..]), &theirs.error) {
            (Err(_), Some(_)) => None,
            (Ok(_), Some(error)) => Some(format!("is read, though nibabel says {error}")),
            (Err(error), None) => Some(format!("nibabel reads it, but {error}")),
            (Ok(ours), None) => differs(&ours, theirs),
        };
        wrong.extend(problem.map(|problem| format!("{number}: {problem}")));
    }
    println!("{} headers", headers.len());
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

fn differs(ours: &Volume, theirs: &Header) -> Option<String> {
    let (affine, shape) = (theirs.affine?, theirs.shape?);
    let voxels = theirs.voxels.as_ref()?;
    let to_voxel = ours.affine.inverse();
    for (place, &value) in voxels.iter().enumerate() {
        let at = [
            place / shape[2] / shape[1],
            place / shape[2] % shape[1],
            place % shape[2],
        ];
        let mm: [f64; 3] = std::array::from_fn(|row| {
            (0..3).map(|k| affine[row][k] * at[k] as f64).sum::<f64>() + affine[row][3]
        });
        let index = to_voxel.apply(mm).map(f64::round);
        let found = index.iter().all(|&index| index >= 0.0);
        let found = found.then(|| index.map(|index| index as usize));
        let Some(&grey) = found.and_then(|index| ours.voxels.get(index)) else {
            return Some(format!("there is no voxel at {mm:?} mm"));
        };
        let back = ours.affine.apply(index);
        let off = (0..3).map(|k| (back[k] - mm[k]).abs()).fold(0.0, f64::max);
        if off > 1e-4 {
            return Some(format!("a voxel lies at {back:?}, should be {mm:?}"));
        }
        let grey = f64::from(grey);
        if (grey - value).abs() > 1e-5 * (value.abs() + 50.0) {
            return Some(format!(
                "the voxel at {mm:?} mm is {grey}, should be {value}"
            ));
        }
    }
    None
}

fn scan(root: &Path, place: &str) -> PathBuf {
    let path = root.join(place);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::copy(fixture("volumes/aligned.nii.gz"), &path).unwrap();
    path
}

/// A BIDS folder of four subjects with masks.
fn bids(root: &Path) {
    let mut table = "participant_id\tsex\n".to_owned();
    for subject in ["01", "02", "03", "04"] {
        scan(
            root,
            &format!("sub-{subject}/anat/sub-{subject}_T1w.nii.gz"),
        );
        scan(
            root,
            &format!("sub-{subject}/anat/sub-{subject}_desc-brain_mask.nii.gz"),
        );
        table += &format!("sub-{subject}\tF\n");
    }
    fs::write(root.join("participants.tsv"), table).unwrap();
}

#[cfg(unix)]
#[test]
fn content_that_was_not_fetched_is_an_error_and_never_no_mask() {
    use std::os::unix::fs::symlink;
    let root = tempfile::tempdir().unwrap();
    bids(root.path());
    let at = |name: &str| {
        let subject = &name[..6];
        root.path().join(format!("{subject}/anat/{name}"))
    };
    let annexed = "../../.git/annex/objects/Xx/9k/MD5E-s1--0.nii.gz/MD5E-s1--0.nii.gz";
    let mask = at("sub-01_desc-brain_mask.nii.gz");
    fs::remove_file(&mask).unwrap();
    symlink(annexed, &mask).unwrap();
    let image = at("sub-02_T1w.nii.gz");
    fs::remove_file(&image).unwrap();
    symlink(annexed, &image).unwrap();
    fs::write(
        at("sub-03_T1w.nii.gz"),
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    )
    .unwrap();
    fs::write(
        at("sub-04_desc-brain_mask.nii.gz"),
        "/annex/objects/MD5E-s1--0.nii.gz\n",
    )
    .unwrap();
    let folder = Folder::open(root.path()).unwrap();
    assert!(folder.scans.is_empty(), "{:?}", folder.scans);
    let expected = [
        (
            &mask,
            "its content is kept by git-annex and not here; fetch it: `datalad get ",
        ),
        (
            &image,
            "its content is kept by git-annex and not here; fetch it: `datalad get ",
        ),
        (
            &at("sub-03_T1w.nii.gz"),
            "kept by git-lfs and not here; fetch it: `git lfs pull --include ",
        ),
        (
            &at("sub-04_desc-brain_mask.nii.gz"),
            "its content is kept by git-annex and not here",
        ),
    ];
    assert_eq!(
        folder.problems.len(),
        expected.len(),
        "{:?}",
        folder.problems
    );
    for (problem, (file, part)) in folder.problems.iter().zip(expected) {
        let file = file.display().to_string();
        assert!(
            problem.starts_with(&file) && problem.contains(part),
            "{problem}"
        );
    }
    // A link that leads nowhere, and a table that is one.
    fs::remove_file(&mask).unwrap();
    symlink("nowhere.nii.gz", &mask).unwrap();
    let problems = Folder::open(root.path()).unwrap().problems;
    assert!(
        problems[0].contains("is a link to nowhere.nii.gz, which does not exist"),
        "{problems:?}"
    );
    let table = root.path().join("participants.tsv");
    fs::remove_file(&table).unwrap();
    symlink(annexed, &table).unwrap();
    let problem = Folder::open(root.path()).unwrap_err().to_string();
    assert!(
        problem.contains("participants.tsv: its content is kept by git-annex"),
        "{problem}"
    );

    // In HCP's layout a subject must not be left out.
    let hcp = tempfile::tempdir().unwrap();
    scan(hcp.path(), "100307/T1w/T1w_acpc_dc_restore_brain.nii.gz");
    fs::create_dir_all(hcp.path().join("100408/T1w")).unwrap();
    symlink(
        annexed,
        hcp.path()
            .join("100408/T1w/T1w_acpc_dc_restore_brain.nii.gz"),
    )
    .unwrap();
    fs::write(
        hcp.path().join("t.csv"),
        "Subject,Gender\n100307,F\n100408,M\n",
    )
    .unwrap();
    let folder = Folder::open(hcp.path()).unwrap();
    assert_eq!((folder.scans.len(), folder.problems.len()), (1, 1));
}

#[test]
fn hidden_files_are_no_scans() {
    let root = tempfile::tempdir().unwrap();
    bids(root.path());
    for subject in ["01", "02"] {
        let folder = root.path().join(format!("sub-{subject}/anat"));
        fs::write(
            folder.join(format!("._sub-{subject}_T1w.nii.gz")),
            b"\0\x05\x16\x07",
        )
        .unwrap();
    }
    fs::write(root.path().join("._participants.tsv"), b"\0\x05\x16\x07").unwrap();
    fs::create_dir(root.path().join(".sub-05")).unwrap();
    let folder = Folder::open(root.path()).unwrap();
    assert_eq!((folder.scans.len(), folder.problems.len()), (4, 0));
    assert!(folder.scans[0].image.ends_with("anat/sub-01_T1w.nii.gz"));
}

/// What `participants.tsv` says of the sexes: `F`, `M`, or `?` for a subject with a problem.
fn sexes(table: &str) -> Result<String, String> {
    let root = tempfile::tempdir().unwrap();
    bids(root.path());
    fs::write(root.path().join("participants.tsv"), table).unwrap();
    let folder = Folder::open(root.path()).map_err(|problem| problem.to_string())?;
    let sex = |subject: &str| {
        let mut scans = folder.scans.iter();
        let scan = scans.find(|scan| scan.subject == subject);
        scan.map_or('?', |scan| match scan.sex {
            Sex::Female => 'F',
            Sex::Male => 'M',
        })
    };
    Ok(["sub-01", "sub-02", "sub-03", "sub-04"]
        .map(sex)
        .into_iter()
        .collect())
}

#[test]
fn quotes_in_tsv_swallow_no_lines() {
    for (table, expected) in [
        // A comment that begins with a quote, here and there; before, sub-02 to sub-04 were lost in it.
        (
            "participant_id\tnote\tsex\nsub-01\t\"left\tF\nsub-02\t\tM\nsub-03\t\"right\tM\nsub-04\t\tF\n",
            "FMMF",
        ),
        (
            "participant_id\tsex\tnote\nsub-01\tF\t\"left\nsub-02\tM\nsub-03\tM\t\"right\nsub-04\tF\n",
            "FMMF",
        ),
        (
            "participant_id\tsex\tnote\nsub-01\tF\t5\"\nsub-02\tM\t\"\nsub-03\tM\ta \"b\" c\nsub-04\tF\t\"\"\n",
            "FMMF",
        ),
        // Quotes around a cell with a tab, as BIDS has it, and around every cell, as R has it.
        (
            "participant_id\tnote\tsex\nsub-01\t\"a\tb\"\tF\nsub-02\t\"c \"\"d\"\"\te\"\tM\nsub-03\t\tM\nsub-04\tx\tF\n",
            "FMMF",
        ),
        (
            "\"participant_id\"\t\"sex\"\n\"sub-01\"\t\"F\"\n\"sub-02\"\t\"M\"\n\"sub-03\"\t\"M\"\n\"sub-04\"\t\"F\"\n",
            "FMMF",
        ),
    ] {
        assert_eq!(sexes(table).as_deref(), Ok(expected), "{table}");
    }
    let table = "participant_id\tsex\tnote\nsub-01\tF\t\"first\nsecond\"\nsub-02\tM\t\nsub-03\tM\t\nsub-04\tF\t\n";
    let problem = sexes(table).unwrap_err();
    assert!(
        problem
            .contains("participants.tsv: line 2: a quote that begins in one line ends in another"),
        "{problem}"
    );
}

#[test]
fn tables_of_other_programs_say_what_is_wrong() {
    let root = tempfile::tempdir().unwrap();
    scan(root.path(), "a.nii.gz");
    let open = |files: &[(&str, &[u8])]| {
        for (name, bytes) in files {
            fs::write(root.path().join(name), bytes).unwrap();
        }
        let found = Folder::open(root.path());
        for (name, _) in files {
            fs::remove_file(root.path().join(name)).unwrap();
        }
        found
            .map(|folder| folder.scans.len())
            .map_err(|problem| problem.to_string())
    };
    let good: (&str, &[u8]) = ("T.CSV", b"file,sex\na.nii.gz,F\n");
    assert_eq!(open(&[good]), Ok(1));
    // Other tables need not be readable.
    assert_eq!(
        open(&[
            good,
            ("other.csv", b"name\nM\xfcller\n"),
            ("more.tsv", b"\xff\xfea\0")
        ]),
        Ok(1)
    );
    let utf_16: Vec<u8> = "\u{feff}file,sex\na.nii.gz,F\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for (name, bytes, part) in [
        (
            "t.csv",
            &b"file;sex\na.nii.gz;F\n"[..],
            "t.csv: has semicolons between its columns; it should have commas",
        ),
        (
            "t.csv",
            b"file,sex,Sex\na.nii.gz,F,M\n",
            "t.csv: has two columns sex; keep one",
        ),
        (
            "t.csv",
            b"file,sex,mask,mask\na.nii.gz,F,,\n",
            "t.csv: has two columns mask; keep one",
        ),
        (
            "t.tsv",
            b"file,sex\na.nii.gz,F\n",
            "t.tsv: has commas between its columns; it should have tabs",
        ),
        ("t.csv", &utf_16, "t.csv: is UTF-16; save it as UTF-8"),
        (
            "t.csv",
            b"file,sex,name\na.nii.gz,F,M\xfcller\n",
            "t.csv: line 2 is not UTF-8; save the table as UTF-8",
        ),
        (
            "t.xlsx",
            b"PK\x03\x04",
            "t.xlsx: is a spreadsheet; save it as CSV",
        ),
        (
            "t.csv",
            b"PK\x03\x04",
            "t.csv: is a spreadsheet; save it as CSV",
        ),
        (
            "t.csv",
            b"file,sex,note\na.nii.gz,F,\"left\nb.nii.gz,M,\"right\n",
            "t.csv: line 2: a quote that begins in one line",
        ),
    ] {
        let problem = open(&[(name, bytes)]).unwrap_err();
        assert!(problem.contains(part), "{name}: {problem}");
    }
}

#[test]
fn zeros_after_a_member_of_gzip_are_no_damage() {
    let plain = fs::read(fixture("volumes/ras_sform.nii")).unwrap();
    let packed = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let whole = Volume::read(&plain[..]).unwrap().voxels;
    let (start, end) = plain.split_at(300);
    for between in [0, 1, 512] {
        let zeros = vec![0; between];
        let two = [packed(start), zeros.clone(), packed(end), zeros].concat();
        assert_eq!(
            Volume::read(&two[..]).unwrap().voxels,
            whole,
            "{between} zeros"
        );
    }
    let followed = [packed(&plain), b"\0\0rest".to_vec()].concat();
    let problem = Volume::read(&followed[..]).unwrap_err().to_string();
    assert!(problem.contains("damaged"), "{problem}");
}

#[test]
fn an_axis_of_no_voxels_is_named() {
    let mut bytes = fs::read(fixture("volumes/ras_sform.nii")).unwrap();
    // Four axes, the fourth of length 0.
    (bytes[40], bytes[48]) = (4, 0);
    let problem = Volume::read(&bytes[..]).unwrap_err().to_string();
    assert!(problem.contains("dim[4] of its header is 0"), "{problem}");
}

/// Half of a z-scored brain is below 0.
#[test]
fn z_scores_without_a_mask_are_an_error() {
    use xai_core::lesions::imaging::Brain;
    let volume = || Volume::open(fixture("volumes/aligned.nii.gz")).unwrap();
    let mut scores = volume();
    let brain: Vec<f32> = scores.voxels.iter().copied().filter(|&v| v > 0.0).collect();
    let mean = brain.iter().sum::<f32>() / brain.len() as f32;
    scores
        .voxels
        .mapv_inplace(|v| if v > 0.0 { (v - mean) / 50.0 } else { 0.0 });
    let problem = Brain::new(scores.clone(), None).err().unwrap().to_string();
    for part in [
        "are below 0, as in z-scores",
        "give it a brain mask, or add a constant to the brain",
    ] {
        assert!(problem.contains(part), "{problem}");
    }
    let mut mask = volume();
    mask.voxels.mapv_inplace(|v| f32::from(v > 0.0));
    assert!(Brain::new(scores, Some(mask)).is_ok());
    // Ringing at the edge of a brain is not.
    let mut ringing = volume();
    let outside = ringing.voxels.iter_mut().filter(|v| **v == 0.0);
    outside.take(brain.len() / 20).for_each(|v| *v = -0.5);
    assert!(Brain::new(ringing, None).is_ok());
}
