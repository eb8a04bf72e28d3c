//! Tables of subjects.

use std::fs;

use tests::fixture;
use xai_core::lesions::imaging::Folder;

use crate::fuzz;

#[test]
fn participants_tsv() {
    let root = tempfile::tempdir().unwrap();
    for subject in ["01", "02", "03"] {
        let anat = root.path().join(format!("sub-{subject}/anat"));
        fs::create_dir_all(&anat).unwrap();
        let image = anat.join(format!("sub-{subject}_T1w.nii.gz"));
        fs::copy(fixture("volumes/ras_sform.nii"), image).unwrap();
    }
    let seeds = [
        "participant_id\tsex\nsub-01\tF\nsub-02\tM\nsub-03\tF\n",
        "participant_id\tage\tSex\tnote\r\nsub-01\t31\tfemale\t\"a\tb\"\r\n02\t\tm\t\"left\r\nsub-03\tn/a\tF\t5'11\"\r\n",
        "\u{feff}\"participant_id\"\t\"sex\"\n\"sub-01\"\t\"F\"\n\"sub-02\"\t\"M\"\n",
    ];
    let seeds = seeds.map(|text| text.as_bytes().to_vec());
    let folder = tempfile::tempdir().unwrap();
    fuzz("participants_tsv", &seeds, 60, folder.path(), |path, _| {
        fs::copy(path, root.path().join("participants.tsv")).unwrap();
        Folder::open(root.path()).is_ok()
    });
}

#[test]
fn table_csv() {
    let root = tempfile::tempdir().unwrap();
    fs::copy(fixture("volumes/ras_sform.nii"), root.path().join("a.nii")).unwrap();
    let seeds = [
        "file,sex,subject\na.nii,F,Ann\n",
        "file;sex\na.nii;F\n",
        "file,sex,note\n\"a.nii\",M,\"a, b\"\n",
    ];
    let mut seeds = seeds.map(|text| text.as_bytes().to_vec()).to_vec();
    let utf_16 = "\u{feff}file,sex\na.nii,F\n".encode_utf16();
    seeds.push(utf_16.flat_map(u16::to_le_bytes).collect());
    let folder = tempfile::tempdir().unwrap();
    fuzz("table_csv", &seeds, 60, folder.path(), |path, _| {
        fs::copy(path, root.path().join("scans.csv")).unwrap();
        Folder::open(root.path()).is_ok()
    });
}
