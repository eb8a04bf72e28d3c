//! Runs the program for a user's own images as a user would.

use std::fs;
use std::path::Path;

use crate::common::{npy, run};
use xai_core::random;

use rand::Rng;

/// Side of the images.
const SIZE: usize = 12;

/// An image of `channels` with a bright square whose place says the class, and the mask of the square.
fn image(name: &str, class: usize, channels: usize) -> (Vec<f32>, Vec<u8>) {
    let mut rng = random::stream(3, name);
    let [top, left] = [[1, 1], [1, 7], [7, 1], [7, 7]][class];
    let inside = |at: usize| {
        let (y, x) = (at / SIZE % SIZE, at % SIZE);
        (top..top + 4).contains(&y) && (left..left + 4).contains(&x)
    };
    let mut pixel = |at| rng.random_range(0.0f32..0.5) + f32::from(u8::from(inside(at))) * 0.5;
    let pixels = (0..channels * SIZE * SIZE).map(&mut pixel).collect();
    (
        pixels,
        (0..SIZE * SIZE).map(|at| u8::from(inside(at))).collect(),
    )
}

const SPLITS: [(&str, usize); 3] = [("train", 80), ("validation", 24), ("test", 24)];

/// Images of two channels and four classes as `.npy`.
fn arrays(folder: &Path) {
    for (split, n) in SPLITS {
        let folder = folder.join("data").join(split);
        fs::create_dir_all(&folder).unwrap();
        let class: Vec<i64> = (0..n as i64).map(|image| image % 4).collect();
        let all = (class.iter().enumerate())
            .map(|(at, &class)| image(&format!("{split}/{at}"), class as usize, 2));
        let (images, truth): (Vec<_>, Vec<_>) = all.unzip();
        npy(
            &folder.join("images.npy"),
            &[n, 2, SIZE, SIZE],
            &images.concat(),
        );
        npy(&folder.join("truth.npy"), &[n, SIZE, SIZE], &truth.concat());
        npy(&folder.join("class.npy"), &[n], &class);
    }
}

/// Grey images of three classes as PNG, with a table.
fn pictures(folder: &Path) {
    for (split, n) in SPLITS {
        let folder = folder.join("data").join(split);
        fs::create_dir_all(&folder).unwrap();
        let mut table = String::from("file,class,truth\n");
        for at in 0..n {
            let (pixels, truth) = image(&format!("{split}/{at}"), at % 3, 1);
            let bytes: Vec<u8> = pixels.iter().map(|pixel| (pixel * 255.0) as u8).collect();
            for (name, bytes) in [
                (format!("{at}.png"), bytes),
                (format!("{at}_mask.png"), truth),
            ] {
                let file = fs::File::create(folder.join(name)).unwrap();
                let encoder = png::Encoder::new(file, SIZE as u32, SIZE as u32);
                encoder
                    .write_header()
                    .unwrap()
                    .write_image_data(&bytes)
                    .unwrap();
            }
            table += &format!("{at}.png,{},{at}_mask.png\n", ["cat", "dog", "owl"][at % 3]);
        }
        fs::write(folder.join("labels.csv"), table).unwrap();
    }
}

/// The squares are found by the networks, and by all methods better than by chance.
fn is_learnt_and_explained(folder: &Path, said: &str) {
    let output = run(
        "own_arrays",
        folder,
        &["--arrays", "data", "--scale", "smoke"],
    );
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{stdout}{stderr}");
    assert!(stdout.contains(said), "`{said}` is missing in: {stdout}");
    let table = fs::read_to_string(folder.join("runs/own_arrays/table.csv")).unwrap();
    let mut lines = table
        .lines()
        .map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let column = |name: &str| {
        header
            .iter()
            .position(|found| *found == name)
            .unwrap_or_else(|| panic!("{name}: {table}"))
    };
    let (method, mean, accuracy) = (
        column("method"),
        column("precision_mean"),
        column("test_accuracy"),
    );
    let mut rows = 0;
    for line in lines {
        let number = |at: usize| line[at].parse::<f64>().unwrap();
        assert!(number(accuracy) >= 0.75, "{table}");
        // By chance it is 16 / 144.
        assert!(number(mean) > 0.3, "{}: {table}", line[method]);
        rows += 1;
    }
    assert_eq!(rows, 2 * 3, "{table}");
}

#[test]
fn four_classes_and_two_channels_in_npy_files() {
    let folder = tempfile::tempdir().unwrap();
    arrays(folder.path());
    is_learnt_and_explained(folder.path(), "classes 0, 1, 2, 3");
}

#[test]
fn three_classes_in_png_files() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path());
    is_learnt_and_explained(folder.path(), "classes cat, dog, owl");
}

/// What `make_tetromino` writes are images, masks and classes like any others.
#[test]
fn tetrominoes_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let made = run(
        "make_tetromino",
        folder.path(),
        &[
            "--scenario",
            "linear",
            "--background",
            "white",
            "--size",
            "8",
            "--count",
            "400",
            "--out",
            "data",
        ],
    );
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let output = run(
        "own_arrays",
        folder.path(),
        &["--arrays", "data", "--scale", "smoke", "--plan"],
    );
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said = "(images of 8 x 8 pixels and 1 channel); classes 0, 1; no groups are given";
    assert!(stdout.replace("\n", " ").contains(said), "{stdout}");
}

/// One line says which file is wrong, and nothing is run.
#[test]
fn a_bad_file_ends_the_program_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    arrays(folder.path());
    npy(
        &folder.path().join("data/test/truth.npy"),
        &[1, 2, 2],
        &[0u8; 4],
    );
    let output = run(
        "own_arrays",
        folder.path(),
        &["--arrays", "data", "--scale", "smoke"],
    );
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.starts_with("error: data/test/truth.npy: has the shape [1, 2, 2]"),
        "{stderr}"
    );
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(!folder.path().join("runs").exists());
}
