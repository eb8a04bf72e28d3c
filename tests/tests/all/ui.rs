//! Misuses of the macros. Each file in `ui/` must not compile, and gives one clear error at the token that is wrong:
//! what the compiler says is in the file of the same name with the ending `stderr`.
//!
//! `UI=overwrite cargo test --release -p tests --test all ui::` writes the messages again. Read them before you commit.
//!
//! The crate trybuild does the same, but first compiles all dependencies again, for two minutes. This calls the
//! compiler with the libraries that the tests are built with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Compiles a file as a program that depends on `xai-core` and `ndarray`, without generating code.
/// Gives what the compiler says if there are errors. `--verbose` writes long types in full.
fn compile(file: &Path, libraries: &tests::Libraries, out: &Path) -> Option<String> {
    let output = Command::new("rustc")
        .args([
            "--edition=2024",
            "--crate-type=bin",
            "--emit=metadata",
            "--verbose",
        ])
        .args(libraries.arguments(&["xai_core", "ndarray"]))
        .arg("--out-dir")
        .arg(out)
        .arg(file)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("rustc");
    let said = String::from_utf8(output.stderr).expect("the compiler writes UTF-8");
    (!output.status.success()).then(|| without_places(&said))
}

/// Without what counts the errors, and without line numbers of the library.
fn without_places(said: &str) -> String {
    let summaries = [
        "error: aborting due to",
        "Some errors have",
        "For more info",
    ];
    let lines = said.lines().filter(|line| {
        let summary = summaries.iter().any(|start| line.starts_with(start));
        !summary
    });
    let lines = lines.map(|line| match line.split_once(".rs:") {
        Some((file, _))
            if file.contains("> xai-core/src/") || file.contains(":: xai-core/src/") =>
        {
            format!("{file}.rs\n")
        }
        _ => format!("{}\n", line.trim_end()),
    });
    format!("{}\n", lines.collect::<String>().trim_end())
}

/// The files that must not compile.
fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name());
    let mut files: Vec<_> = names
        .map(|name| Path::new("tests/ui").join(name))
        .filter(|file| file.extension().is_some_and(|ending| ending == "rs"))
        .collect();
    files.sort();
    files
}

#[test]
fn misuses() {
    let (files, libraries) = (files(), tests::Libraries::built());
    let overwrite = std::env::var("UI").is_ok_and(|how| how == "overwrite");
    let out = tempfile::tempdir().unwrap();
    let (next, problems) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            let expected = path.with_extension("stderr");
            let problem = match compile(file, &libraries, out.path()) {
                None => "compiles".into(),
                Some(said) if overwrite => {
                    fs::write(&expected, said).unwrap();
                    continue;
                }
                Some(said) if fs::read_to_string(&expected).is_ok_and(|text| text == said) => {
                    continue;
                }
                Some(said) => format!("not as in {}:\n{said}", expected.display()),
            };
            problems
                .lock()
                .unwrap()
                .push(format!("{}: {problem}", file.display()));
        }
    };
    std::thread::scope(|threads| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            threads.spawn(work);
        }
    });
    assert!(!files.is_empty());
    let problems = problems.into_inner().unwrap();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
