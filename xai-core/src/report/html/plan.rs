//! What was run, from `plan.json`.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::error::{Error, Result};

/// The parts of `plan.json` that are shown.
pub(super) struct Plan {
    pub name: String,
    pub description: String,
    pub scale: String,
    /// The number of trainings.
    pub cells: usize,
    /// The label of a restricted run.
    pub part: Option<String>,
    pub factors: Vec<Factor>,
    pub skipped: Vec<Skipped>,
    /// The data: the benchmark's name, its description and its classes.
    pub data: Vec<(String, String)>,
    /// Whether a pixel is the same place in all images.
    pub one_space: bool,
    /// Names and values of the settings of data and training.
    pub settings: Vec<(String, String)>,
    pub device: String,
    /// The command to run it again from the repository.
    pub command: String,
    pub version: String,
    pub commit: Option<String>,
    /// Whether files differed from the commit.
    pub dirty: bool,
    /// What is to be said of results that other code has computed.
    pub other_code: Option<String>,
    /// Hashes of the program and of `Cargo.lock`.
    pub hashes: Vec<(&'static str, String)>,
}

pub(super) struct Factor {
    pub name: String,
    pub what: &'static str,
    pub levels: String,
}

#[derive(Deserialize)]
pub(super) struct Skipped {
    pub at: String,
    pub reason: String,
    pub cells: usize,
}

/// The format of `plan.json`.
#[derive(Deserialize)]
struct PlanFile {
    experiment: String,
    description: String,
    command: Vec<String>,
    code: Code,
    device: String,
    scale: String,
    benchmark: PlanFileBenchmark,
    restricted: Option<PlanFilePart>,
    factors: Vec<PlanFileFactor>,
    cells: Vec<Json>,
    skipped: Vec<Skipped>,
    #[serde(default)]
    other_code: Option<String>,
}

#[derive(Deserialize)]
struct Code {
    version: String,
    program: Option<String>,
    commit: Option<String>,
    dirty: Option<bool>,
    cargo_lock: Option<String>,
}

#[derive(Deserialize)]
struct PlanFileBenchmark {
    name: String,
    about: Vec<(String, String)>,
    classes: Vec<String>,
    #[serde(default)]
    one_space: bool,
    identity: Json,
}

#[derive(Deserialize)]
struct PlanFilePart {
    label: String,
}

#[derive(Deserialize)]
struct PlanFileFactor {
    name: String,
    role: String,
    levels: Vec<Json>,
}

impl Plan {
    /// Reads the plan in the folder of a run.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join("plan.json");
        let text = fs::read(&path).map_err(|error| Error::file(&path, error))?;
        let kept: PlanFile = serde_json::from_slice(&text).map_err(|error| {
            Error::file(
                &path,
                format!("is damaged or of another version ({error}); run the experiment again"),
            )
        })?;
        let Code {
            program,
            cargo_lock,
            ..
        } = kept.code;
        let hashes = [("program", program), ("Cargo.lock", cargo_lock)];
        Ok(Self {
            command: command(&kept.experiment, &kept.command),
            name: kept.experiment,
            description: kept.description,
            scale: kept.scale,
            cells: kept.cells.len(),
            part: kept.restricted.map(|part| part.label),
            one_space: kept.benchmark.one_space,
            factors: kept.factors.into_iter().map(factor).collect(),
            skipped: kept.skipped,
            settings: match &kept.benchmark.identity {
                Json::Object(settings) => settings.iter().map(setting).collect(),
                _ => Vec::new(),
            },
            data: data(kept.benchmark),
            device: kept.device,
            version: kept.code.version,
            commit: kept.code.commit,
            dirty: kept.code.dirty == Some(true),
            other_code: kept.other_code,
            hashes: hashes
                .into_iter()
                .filter_map(|(name, hash)| Some((name, hash?)))
                .collect(),
        })
    }
}

fn factor(kept: PlanFileFactor) -> Factor {
    Factor {
        name: kept.name,
        what: match kept.role.as_str() {
            "axis" => "compared",
            "tune" => "chosen by validation",
            _ => "repeated",
        },
        levels: kept.levels.iter().map(plain).collect::<Vec<_>>().join(", "),
    }
}

fn data(benchmark: PlanFileBenchmark) -> Vec<(String, String)> {
    let mut data = vec![("benchmark".to_owned(), benchmark.name.replace('_', " "))];
    data.extend(benchmark.about);
    data.push(("classes".to_owned(), benchmark.classes.join(", ")));
    data
}

fn setting((name, value): (&String, &Json)) -> (String, String) {
    let value = match value {
        Json::Object(parts) => {
            let parts = parts.iter().map(setting);
            let parts: Vec<String> = parts
                .map(|(name, value)| format!("{name} {value}"))
                .collect();
            parts.join(", ")
        }
        value => plain(value),
    };
    (name.replace('_', " "), value)
}

fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => without_types(text),
        // No limit.
        Json::Number(number) if number.as_u64() == Some(usize::MAX as u64) => "all".to_owned(),
        value => value.to_string(),
    }
}

/// What Rust's `Debug` writes for a struct, without the names of types: `Recipe { count: 3..=5, mask: Mask { area: 70 } }` is
/// `count 3..=5, mask area 70`. Other texts are unchanged.
fn without_types(text: &str) -> String {
    if !(text.contains(" { ") && text.ends_with(" }")) {
        return text.to_owned();
    }
    let words: Vec<&str> = text.split(' ').collect();
    let is_type = |at: usize| words.get(at + 1) == Some(&"{");
    let mut kept = String::new();
    for (at, word) in words.iter().enumerate() {
        match *word {
            "{" | "}" => {}
            "}," => kept.push(','),
            // A field without content.
            "of:" => {}
            word if word.starts_with("PhantomData<") => {}
            _ if is_type(at) => {}
            word => {
                let gap = if kept.is_empty() { "" } else { " " };
                kept += &format!("{gap}{}", word.trim_end_matches(':').replace('_', " "));
            }
        }
    }
    kept.trim_end_matches(',').to_owned()
}

/// The command as typed in the repository. The path of an example is an internal detail of Cargo.
fn command(experiment: &str, words: &[String]) -> String {
    let quoted = |word: &String| {
        if word.contains(|c: char| c.is_whitespace() || "'\"$*".contains(c)) {
            format!("'{}'", word.replace('\'', "'\\''"))
        } else {
            word.clone()
        }
    };
    let arguments: Vec<String> = words.iter().skip(1).map(quoted).collect();
    let start = format!("cargo run --release --example {experiment}");
    if arguments.is_empty() {
        start
    } else {
        format!("{start} -- {}", arguments.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::{command, without_types};

    #[test]
    fn settings_have_no_names_of_types() {
        let text = "Recipe { heights_mm: 60.0..=130.0, mask: Mask { count: 30, factor: 2.0 }, switches: Set { bits: 0, of: PhantomData<a::B> } }";
        let plain = "heights mm 60.0..=130.0, mask count 30, factor 2.0, switches bits 0";
        assert_eq!(without_types(text), plain);
        assert_eq!(without_types("brain e683"), "brain e683");
    }

    #[test]
    fn a_command_can_be_typed_again() {
        let words = |text: &[&str]| text.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            command("fig4_best", &words(&["target/release/examples/fig4_best"])),
            "cargo run --release --example fig4_best"
        );
        assert_eq!(
            command(
                "study",
                &words(&["/a/study", "--where", "name=two words", "--report"])
            ),
            "cargo run --release --example study -- --where 'name=two words' --report"
        );
    }
}
