//! RO-Crate metadata of a finished run: what archives such as Zenodo and WorkflowHub read.
//!
//! The profile is Workflow Run Crate 0.5 (Leo et al. 2024) of RO-Crate 1.1. The workflow is the plan of the sweep, its
//! parameters are the factors, and the run is an action with all files of the folder as its result.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value as Json, json};

use super::page::text_file;
use crate::error::{Error, Result};
use crate::sweep::keep::PLAN;

/// The name that the specification prescribes.
const METADATA: &str = "ro-crate-metadata.json";
const PROFILES: [(&str, &str, &str); 3] = [
    (
        "https://w3id.org/ro/wfrun/process/0.5",
        "Process Run Crate",
        "0.5",
    ),
    (
        "https://w3id.org/ro/wfrun/workflow/0.5",
        "Workflow Run Crate",
        "0.5",
    ),
    (
        "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
        "Workflow RO-Crate",
        "1.0",
    ),
];
const LANGUAGE: &str = "#xai-core";
const PROGRAM: &str = "#program";
const RUN: &str = "#run";

/// Writes `ro-crate-metadata.json` into the folder of a finished run: its plan, parameters, program and files.
/// `licence` is that of the results: an identifier of SPDX such as `CC-BY-4.0`, or an address. Without one, the metadata name
/// none. Returns the path.
///
/// # Errors
/// If the folder holds no plan of a finished run, or if a file cannot be read or written.
pub fn write_crate(folder: &Path, licence: Option<&str>) -> Result<PathBuf> {
    let path = folder.join(PLAN);
    let problem = |problem: String| Error::file(&path, problem);
    let text = std::fs::read(&path).map_err(|error| problem(error.to_string()))?;
    let plan: Json = serde_json::from_slice(&text)
        .map_err(|error| problem(format!("is damaged or of another version ({error})")))?;
    if plan["finished"] != true {
        return Err(problem("is of a run that has not finished".to_owned()));
    }
    let ended = std::fs::metadata(&path).and_then(|file| file.modified());
    let ended = ended.map_err(|error| problem(error.to_string()))?;
    let described = Described {
        files: files(folder, &plan)?,
        plan,
        ended,
        licence,
    };
    let text = serde_json::to_string_pretty(&described.metadata()).map_err(Error::invalid)?;
    text_file(folder, METADATA, &text)
}

/// The licence in the metadata of a folder, as [`write_crate`] takes it. `None` if the folder holds no such metadata.
pub fn licence_of_crate(folder: &Path) -> Option<Option<String>> {
    let text = std::fs::read(folder.join(METADATA)).ok()?;
    let metadata: Json = serde_json::from_slice(&text).ok()?;
    let graph = metadata["@graph"].as_array()?;
    let named = |id: &Json| graph.iter().find(|entity| entity["@id"] == *id);
    let root = named(&json!("./"))?;
    if !root["mentions"].to_string().contains(RUN) {
        return None; // somebody else's
    }
    let licence = named(&root["license"]["@id"]).and_then(|licence| licence["name"].as_str());
    Some(licence.map(str::to_owned))
}

/// What goes into the metadata.
struct Described<'a> {
    plan: Json,
    /// Paths from the folder on, with their sizes in bytes.
    files: Vec<(String, u64)>,
    ended: SystemTime,
    licence: Option<&'a str>,
}

impl Described<'_> {
    fn metadata(&self) -> Json {
        let mut graph = vec![
            json!({
                "@id": METADATA, "@type": "CreativeWork", "about": id("./"),
                "conformsTo": [id("https://w3id.org/ro/crate/1.1"), id(PROFILES[2].0)],
            }),
            self.root(),
        ];
        graph.extend(PROFILES.map(|(at, name, version)| {
            json!({ "@id": at, "@type": "CreativeWork", "name": name, "version": version })
        }));
        graph.push(self.workflow());
        graph.push(json!({
            "@id": LANGUAGE, "@type": "ComputerLanguage", "name": "xai-core",
            "version": self.plan["code"]["version"],
        }));
        graph.push(self.program());
        graph.push(self.run());
        for factor in self.factors() {
            let name = factor["name"].as_str().unwrap_or_default();
            graph.push(json!({
                "@id": parameter(name), "@type": "FormalParameter", "name": name,
                "additionalType": "PropertyValue", "multipleValues": true,
                "description": format!("What varies as {}", factor["role"].as_str().unwrap_or("axis")),
                "conformsTo": id("https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"),
            }));
            graph.push(json!({
                "@id": value(name), "@type": "PropertyValue", "name": name, "value": texts(&factor["levels"]),
                "exampleOfWork": id(&parameter(name)),
            }));
        }
        graph.push(json!({ "@id": value("scale"), "@type": "PropertyValue", "name": "scale", "value": self.plan["scale"] }));
        graph.push(json!({ "@id": value("device"), "@type": "PropertyValue", "name": "device", "value": self.plan["device"] }));
        graph.extend(self.files.iter().filter(|(path, _)| path != PLAN).map(file));
        if let Some((at, name)) = self.licence() {
            graph.push(json!({ "@id": at, "@type": "CreativeWork", "name": name }));
        }
        json!({
            "@context": ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"],
            "@graph": graph,
        })
    }

    fn root(&self) -> Json {
        let mut root = json!({
            "@id": "./", "@type": "Dataset",
            "name": format!("A run of the experiment {}", self.text("experiment")),
            "description": self.description(),
            "datePublished": self.ended(),
            "conformsTo": PROFILES.map(|(at, ..)| id(at)),
            "mainEntity": id(PLAN), "mentions": [id(RUN)],
            "hasPart": self.files.iter().map(|(path, _)| id(&address(path))).collect::<Json>(),
        });
        if let Some((at, _)) = self.licence() {
            root["license"] = id(&at);
        }
        root
    }

    fn workflow(&self) -> Json {
        let size = self.files.iter().find(|(path, _)| path == PLAN);
        let factors = self.factors();
        let names = factors.iter().filter_map(|factor| factor["name"].as_str());
        json!({
            "@id": PLAN, "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
            "name": format!("Plan of the experiment {}", self.text("experiment")),
            "description": self.description(),
            "version": self.plan["code"]["version"],
            "encodingFormat": "application/json",
            "contentSize": size.map(|(_, bytes)| bytes.to_string()),
            "programmingLanguage": id(LANGUAGE),
            "input": names.map(|name| id(&parameter(name))).collect::<Json>(),
        })
    }

    /// The program that ran, by its hash and the commit of its sources.
    fn program(&self) -> Json {
        let code = &self.plan["code"];
        let mut program = json!({
            "@id": PROGRAM, "@type": "SoftwareApplication", "name": self.text("experiment"),
            "softwareVersion": code["version"],
            "description": format!("The command was: {}", texts(&self.plan["command"]).join(" ")),
        });
        let known = [
            ("commit", "commit of its sources"),
            ("program", "BLAKE3 of the program"),
            ("cargo_lock", "BLAKE3 of Cargo.lock"),
        ];
        let identifiers = known
            .iter()
            .filter_map(|(key, name)| Some(format!("{name}: {}", code[key].as_str()?)));
        program["identifier"] = identifiers.collect();
        program
    }

    fn run(&self) -> Json {
        let factors = self.factors();
        let names = factors.iter().filter_map(|factor| factor["name"].as_str());
        let inputs = names
            .chain(["scale", "device"])
            .map(|name| id(&value(name)));
        let results = self.files.iter().filter(|(path, _)| path != PLAN);
        json!({
            "@id": RUN, "@type": "CreateAction",
            "name": format!("Run of {} at scale {}", self.text("experiment"), self.text("scale")),
            "description": format!("The command was: {}", texts(&self.plan["command"]).join(" ")),
            "instrument": id(PLAN), "object": inputs.collect::<Json>(),
            "result": results.map(|(path, _)| id(&address(path))).collect::<Json>(),
            "endTime": self.ended(),
            "actionStatus": id("http://schema.org/CompletedActionStatus"),
        })
    }

    fn factors(&self) -> Vec<Json> {
        self.plan["factors"].as_array().cloned().unwrap_or_default()
    }

    fn text(&self, key: &str) -> &str {
        self.plan[key].as_str().unwrap_or_default()
    }

    /// The experiment's description, or its name.
    fn description(&self) -> String {
        match self.text("description") {
            "" => format!("The experiment {}", self.text("experiment")),
            text => text.to_owned(),
        }
    }

    fn ended(&self) -> String {
        humantime::format_rfc3339_seconds(self.ended).to_string()
    }

    /// The address and the name of the licence.
    fn licence(&self) -> Option<(String, &str)> {
        let name = self.licence?;
        let is_identifier = |c: char| c.is_ascii_alphanumeric() || "-.+".contains(c);
        let at = if name.contains(':') {
            name.to_owned()
        } else if name.chars().all(is_identifier) {
            format!("https://spdx.org/licenses/{name}")
        } else {
            "#licence".to_owned() // such as `MIT OR Apache-2.0`, which has no page
        };
        Some((at, name))
    }
}

fn id(of: &str) -> Json {
    json!({ "@id": of })
}

/// The path of a file as a relative address.
fn address(path: &str) -> String {
    let mut address = String::new();
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' | b'=' | b',' | b'+' => address.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => address.push(byte.into()),
            _ => address.push_str(&format!("%{byte:02X}")),
        }
    }
    address
}

fn parameter(name: &str) -> String {
    format!("#parameter-{name}")
}

fn value(name: &str) -> String {
    format!("#value-{name}")
}

/// The texts of a list.
fn texts(list: &Json) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned))
        .collect()
}

fn file((path, bytes): &(String, u64)) -> Json {
    let format = match path.rsplit('.').next() {
        Some("csv") => Some("text/csv"),
        Some("svg") => Some("image/svg+xml"),
        Some("png") => Some("image/png"),
        Some("html") => Some("text/html"),
        Some("json") => Some("application/json"),
        Some("parquet") => Some("application/vnd.apache.parquet"),
        _ => None, // none is registered for safetensors
    };
    let mut file = json!({ "@id": address(path), "@type": "File", "name": path, "contentSize": bytes.to_string() });
    if let Some(format) = format {
        file["encodingFormat"] = format.into();
    }
    file
}

/// The files of a run, in order: those in its folder, and those of the cells in its plan.
fn files(folder: &Path, plan: &Json) -> Result<Vec<(String, u64)>> {
    let mut files = Vec::new();
    add(folder, "", &mut files)?;
    let cells = plan["cells"].as_array().into_iter().flatten();
    let keys: BTreeSet<&str> = cells.filter_map(|cell| cell["key"].as_str()).collect();
    for key in keys {
        let cell = folder.join("cells").join(key);
        if cell.is_dir() {
            add(&cell, &format!("cells/{key}/"), &mut files)?;
        }
    }
    files.sort();
    Ok(files)
}

fn add(folder: &Path, within: &str, files: &mut Vec<(String, u64)>) -> Result<()> {
    let problem = |error| Error::file(folder, error);
    for entry in std::fs::read_dir(folder).map_err(problem)? {
        let entry = entry.map_err(problem)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let about = entry.metadata().map_err(problem)?;
        // Names with a dot are those of locks and files that are being written.
        if about.is_file() && !name.starts_with('.') && name != METADATA {
            files.push((format!("{within}{name}"), about.len()));
        }
    }
    Ok(())
}
