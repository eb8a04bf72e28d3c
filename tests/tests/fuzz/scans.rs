//! NIfTI files, with and without gzip.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use tests::fixture;
use xai_core::lesions::imaging::Volume;

use crate::fuzz;

/// Files of some hundred bytes, and headers drawn at random.
fn seeds() -> Vec<Vec<u8>> {
    let names = [
        "ras_sform.nii",
        "scaled.nii",
        "big_endian.nii",
        "version_2_big_endian.nii",
        "no_orientation.nii",
        "pair.hdr",
    ];
    let files = names.map(|name| std::fs::read(fixture("volumes").join(name)).unwrap());
    let mut seeds = files.to_vec();
    let file = std::fs::File::open(fixture("volumes/headers.json.gz")).unwrap();
    let drawn: Vec<serde_json::Value> = serde_json::from_reader(GzDecoder::new(file)).unwrap();
    for header in drawn.iter().take(60) {
        let pairs = header["bytes"].as_str().unwrap().as_bytes().chunks(2);
        let pairs = pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16));
        seeds.push(pairs.collect::<Result<_, _>>().unwrap());
    }
    seeds
}

fn read(path: &Path, kept: Option<&Path>) -> bool {
    let Ok(volume) = Volume::open(path) else {
        return false;
    };
    if let Some(kept) = kept {
        let read = serde_json::json!({
            "shape": volume.voxels.shape(),
            "voxels": volume.voxels.iter().collect::<Vec<_>>(),
            "matrix": volume.affine.matrix,
            "offset": volume.affine.offset,
        });
        std::fs::write(kept.with_extension("read"), read.to_string()).unwrap();
    }
    true
}

#[test]
fn nii() {
    let folder = tempfile::tempdir().unwrap();
    fuzz("nii", &seeds(), 40, folder.path(), read);
}

#[test]
fn nii_gz() {
    let folder = tempfile::tempdir().unwrap();
    let packed = seeds().into_iter().map(|bytes| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&bytes).unwrap();
        encoder.finish().unwrap()
    });
    // gzip makes a thousand bytes of one at most.
    fuzz(
        "nii_gz",
        &packed.collect::<Vec<_>>(),
        8000,
        folder.path(),
        read,
    );
}
