//! Tests of the whole system; each file in `tests/` is one subject. Fixtures and the scripts that made them are in `fixtures/`.

mod fixture;
mod libraries;
mod points;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub use libraries::Libraries;
pub use points::Points;
pub use xai_core; // for programs that are built against this library alone

pub use fixture::{
    CAPTUM_NETWORKS, Fixture, chosen, cpu, device, download, error, fixture, largest, upload,
};

/// The folder of what is built with the profile of the running test, such as `target/release`.
pub fn built() -> PathBuf {
    let test = std::env::current_exe().expect("a running test");
    let built = test.ancestors().nth(2).expect("target/PROFILE/deps/test");
    built.to_path_buf()
}

/// The program of an example.
pub fn example(name: &str) -> Command {
    let program = built().join("examples").join(name);
    assert!(
        program.exists(),
        "{} is not built; run the tests by `cargo test --release --workspace`",
        program.display()
    );
    Command::new(program)
}

/// The command of the toy experiment: `program` is `env!("CARGO_BIN_EXE_toy")`, which only tests know.
pub fn toy(program: &str, out: &Path, delays: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .arg("--out")
        .arg(out)
        .env("TOY_DELAYS", delays)
        .env("COLUMNS", "100");
    command
}

/// (exit code, stdout, stderr)
pub fn text(output: Output) -> (Option<i32>, String, String) {
    let utf8 = |bytes| String::from_utf8(bytes).expect("the output is text");
    (
        output.status.code(),
        utf8(output.stdout),
        utf8(output.stderr),
    )
}

/// How many cells of a sweep are finished.
pub fn finished(folder: &Path) -> usize {
    let cells = fs::read_dir(folder.join("cells")).into_iter().flatten();
    cells
        .flatten()
        .filter(|cell| cell.path().join("manifest.json").exists())
        .count()
}

/// Runs one test of the running test program again on one thread, without AVX-512, and with the C library's functions
/// for older processors: in a process of its own each, as all of that is chosen once a process. It must pass there.
pub fn passes_on_other_processors(which: &[&str]) {
    let older = "glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA,-FMA4";
    for (threads, bits, tunables) in [("1", "256", ""), ("2", "512", older)] {
        let mut again = Command::new(std::env::current_exe().unwrap());
        let output = again
            .args(which)
            .env("RAYON_NUM_THREADS", threads)
            .env("XAI_VECTOR_BITS", bits)
            .env("GLIBC_TUNABLES", tunables)
            .env("INSTA_UPDATE", "no")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let how = format!("{which:?}, {threads} threads, {bits} bits, {tunables:?}");
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{how}: {text}"
        );
    }
}

/// Everything that a run is for, by path: scores, predictions, models, table and figure.
pub fn results(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files: Vec<PathBuf> = ["table.csv", "figure.svg", "figure.png"]
        .map(PathBuf::from)
        .into();
    for cell in fs::read_dir(folder.join("cells")).unwrap() {
        let cell = PathBuf::from("cells").join(cell.unwrap().file_name());
        for file in fs::read_dir(folder.join(&cell)).unwrap() {
            files.push(cell.join(file.unwrap().file_name()));
        }
    }
    // Manifests have the seconds of their computation.
    files.retain(|file| !file.ends_with("manifest.json"));
    files
        .into_iter()
        .map(|file| {
            let bytes = fs::read(folder.join(&file)).unwrap();
            (file, bytes)
        })
        .collect()
}
