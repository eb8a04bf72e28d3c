//! Starts your own study: writes a crate that can be run at once and has a test of its table.
//!
//!     cargo run --release --example new -- my_study
//!     cargo run --release --example new -- my_study --file
//!
//! The first command writes the folder `my_study`, a crate with `xai-core` as its only dependency. The
//! second writes the file `my_study.rs`, for an existing crate.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use experiments::exit_code;
use xai_core::{Error, Result};

/// Starts your own study: writes a crate that can be run at once and has a test of its table.
#[derive(Parser)]
struct Options {
    /// Folder of the new crate; the last part, such as `my_study`, is its name.
    path: PathBuf,
    /// Write a single file, `my_study.rs`, instead of a crate.
    #[arg(long)]
    file: bool,
}

/// The experiment to begin with. It is the tutorial's, which is known to compile and to run.
const EXPERIMENT: &str = include_str!("first_experiment.rs");

fn main() -> ExitCode {
    let options = Options::parse();
    exit_code(if options.file {
        write_file(&options.path)
    } else {
        write_crate(&options.path)
    })
}

fn write_file(path: &Path) -> Result<()> {
    let experiment = experiment(name(path)?)?;
    let path = path.with_extension("rs");
    // A crate may have no folder of examples yet.
    let folder = path.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).map_err(|problem| Error::file(folder, problem))?;
    write(&path, &experiment)?;
    println!("{}", path.display());
    Ok(())
}

fn write_crate(folder: &Path) -> Result<()> {
    let name = name(folder)?;
    let experiment = experiment(name)?;
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let here = (here.canonicalize()).map_err(|problem| Error::file(&here, problem))?;
    let manifest = manifest(name, &here.join("xai-core"))?;
    // The same versions of all dependencies as here, which are those that were tested.
    let lock = here.join("Cargo.lock");
    let lock = fs::read_to_string(&lock).map_err(|problem| Error::file(&lock, problem))?;

    fs::create_dir(folder).map_err(|problem| not_created(folder, problem))?;
    let source = folder.join("src");
    fs::create_dir(&source).map_err(|problem| Error::file(&source, problem))?;
    write(&folder.join("Cargo.toml"), &manifest)?;
    write(&folder.join("Cargo.lock"), &lock)?;
    write(&folder.join(".gitignore"), "/target\n/runs\n")?;
    write(&source.join("main.rs"), &experiment)?;
    println!(
        "{folder} is written. To continue:

  cd {folder}
  cargo run --release -- --scale smoke          # seconds; without --scale, minutes
  INSTA_UPDATE=always cargo test --release      # stores the table of this scale in src/snapshots
  cargo test --release                          # from now on, compares with it",
        folder = folder.display()
    );
    Ok(())
}

/// The name of the study. It also names the crate and, in camel case, the struct.
fn name(path: &Path) -> Result<&str> {
    let wrong = |why: &str| Error::file(path, format!("{why}; choose another name"));
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| wrong("this is not a name"))?;
    let letters = |letter: char| letter.is_ascii_lowercase() || "0123456789_-".contains(letter);
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.chars().all(letters) {
        return Err(wrong(
            "a name consists of a-z, 0-9, _ and -, and begins with a letter",
        ));
    }
    // Names that Rust or Cargo needs itself.
    let reserved = [
        "alloc",
        "build",
        "core",
        "crate",
        "deps",
        "examples",
        "incremental",
        "proc-macro",
        "self",
        "std",
        "super",
        "test",
        "xai-core",
    ];
    if reserved.contains(&name.replace('_', "-").as_str()) {
        return Err(wrong("this name is reserved"));
    }
    Ok(name)
}

/// The experiment's file, without the anchors that the book needs, and with its own name.
fn experiment(name: &str) -> Result<String> {
    let own: String = (name.split(['_', '-'])).map(capitalized).collect();
    let words = EXPERIMENT.split(|letter: char| !letter.is_alphanumeric());
    if words.into_iter().any(|word| word == own) {
        let problem = format!("`{name}`: the experiment itself uses the name `{own}`");
        return Err(Error::invalid(format!("{problem}; choose another name")));
    }
    let lines = EXPERIMENT
        .lines()
        .filter(|line| !line.contains("// ANCHOR"));
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    Ok(text.replace("FirstExperiment", &own))
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn manifest(name: &str, core: &Path) -> Result<String> {
    let not_text = || Error::file(core, "a path in Cargo.toml must be valid UTF-8");
    let core = core.to_str().ok_or_else(not_text)?;
    Ok(format!(
        r#"[package]
name = "{name}"
version = "0.1.0"
edition = "2024"
publish = false

[dependencies]
xai-core = {{ path = {core:?} }} # on an NVIDIA GPU: add features = ["cuda"]

# A workspace of its own, even inside the folder of another one.
[workspace]

# The dependencies compute; without optimization they would be slow in debug builds.
[profile.dev.package."*"]
opt-level = 3
"#
    ))
}

/// Writes a file that must not exist yet.
fn write(path: &Path, text: &str) -> Result<()> {
    let mut file = File::create_new(path).map_err(|problem| not_created(path, problem))?;
    (file.write_all(text.as_bytes())).map_err(|problem| Error::file(path, problem))
}

fn not_created(path: &Path, problem: std::io::Error) -> Error {
    match problem.kind() {
        ErrorKind::AlreadyExists => Error::file(path, "exists already; choose another name"),
        _ => Error::file(path, problem),
    }
}
