//! A sweep on the device named by `XAI_DEVICE` (by default, the CPU). It trains and explains as on a CPU, continues
//! after it was killed, and records the device.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tests::{chosen, text};
use xai_core::device::DeviceChoice;

fn sweep(out: &Path, device: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_small_training"));
    command
        .args(["--jobs", "1", "--json", "--device", device, "--out"])
        .arg(out)
        // Without it Mesa's driver says on standard error that it is not set.
        .env("XDG_RUNTIME_DIR", std::env::temp_dir());
    command
}

/// What the run says last: the result.
fn result(stdout: &str) -> Json {
    let events = stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let mut results = events.filter(|event: &Json| event["event"] == "result");
    results.next().expect("a result")
}

/// The manifests of the cells that are finished. (One that is being written has another name until it is whole.)
fn manifests(out: &Path) -> Vec<Json> {
    let cells = fs::read_dir(out.join("small_training/cells"));
    let folders = cells.into_iter().flatten().map(|cell| cell.unwrap().path());
    let finished =
        folders.filter(|cell| !cell.file_name().unwrap().to_string_lossy().starts_with('.'));
    let texts = finished.filter_map(|cell| fs::read(cell.join("manifest.json")).ok());
    texts
        .map(|text| serde_json::from_slice(&text).unwrap())
        .collect()
}

#[test]
fn a_sweep_on_the_device_is_killed_resumed_and_gives_what_a_cpu_gives() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (code, stdout, stderr) = text(sweep(here.path(), "flex").output().unwrap());
    assert_eq!(code, Some(0), "{stderr}");
    let expected = result(&stdout);

    // Killed once the first cell is there, it keeps this cell.
    let device = chosen().to_string();
    let mut run = sweep(there.path(), &device);
    let mut run = run
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let limit = Instant::now() + Duration::from_secs(120);
    while manifests(there.path()).is_empty() && run.try_wait().unwrap().is_none() {
        assert!(Instant::now() < limit, "no cell within two minutes");
        std::thread::sleep(Duration::from_millis(1));
    }
    let _ = run.kill();
    run.wait().unwrap();
    let kept = manifests(there.path());
    assert!(!kept.is_empty());
    let (code, stdout, stderr) = text(sweep(there.path(), &device).output().unwrap());
    assert_eq!(code, Some(0), "{stderr}");
    let software = (chosen().adapter()).is_some_and(|adapter| adapter.name.contains("llvmpipe"));
    let warnings = stderr.matches("is a software driver").count();
    assert_eq!(warnings, usize::from(software), "{stderr}");
    let all = manifests(there.path());
    assert_eq!(all.len(), 2);
    for kept in &kept {
        assert!(
            all.iter().any(|one| one["fit"] == kept["fit"]),
            "computed again"
        );
    }

    // The same losses but for rounding, and the same explanations but for single pixels' ranks.
    let found = result(&stdout);
    for (found, expected) in cells(&found).zip(cells(&expected)) {
        assert_eq!(found["values"], expected["values"]);
        assert_eq!(found["test_accuracy"], expected["test_accuracy"]);
        for (method, metrics) in expected["scores"].as_object().unwrap() {
            for (metric, expected) in metrics.as_object().unwrap() {
                let found = found["scores"][method][metric].as_f64().unwrap();
                let off = (found - expected.as_f64().unwrap()).abs();
                assert!(off < 0.02, "{method}, {metric}: {found}, not {expected}");
            }
        }
    }
    let losses = |out: &Path| {
        let mut losses: Vec<(String, Vec<f64>)> = manifests(out)
            .into_iter()
            .map(|cell| {
                let epochs = cell["history"].as_array().unwrap().iter();
                let losses = epochs.map(|epoch| epoch["loss"].as_f64().unwrap());
                (cell["cell"].to_string(), losses.collect())
            })
            .collect();
        losses.sort_by(|a, b| a.0.cmp(&b.0));
        losses
    };
    for (found, expected) in losses(there.path()).into_iter().zip(losses(here.path())) {
        assert_eq!(found.0, expected.0);
        for (found, expected) in found.1.into_iter().zip(expected.1) {
            assert!(
                (found - expected).abs() < 1e-4 * expected,
                "{found} {expected}"
            );
        }
    }

    // Plan and manifest say which GPU and driver.
    let plan = fs::read(there.path().join("small_training/plan.json")).unwrap();
    let plan: Json = serde_json::from_slice(&plan).unwrap();
    let named = |adapter: &Json| {
        let words = [&adapter["name"], &adapter["driver"]];
        words
            .iter()
            .all(|word| word.as_str().is_some_and(|word| !word.is_empty()))
    };
    match chosen() {
        DeviceChoice::Flex => {
            assert_eq!(plan["adapters"], serde_json::json!([]));
            assert!(all.iter().all(|cell| cell["adapter"].is_null()));
        }
        _ => {
            assert!(named(&plan["adapters"][0]), "{}", plan["adapters"]);
            assert!(all.iter().all(|cell| named(&cell["adapter"])), "{all:?}");
        }
    }
}

fn cells(result: &Json) -> impl Iterator<Item = &Json> {
    result["cells"].as_array().unwrap().iter()
}

#[test]
fn help_lists_the_devices_that_are_here_by_name() {
    let help = sweep(Path::new("runs"), "flex")
        .arg("--help")
        .output()
        .unwrap();
    let (_, help, _) = text(help);
    let (_, devices) = help.split_once("Devices here:").expect("a list of devices");
    let (first, _) = devices.trim().split_once("  ").unwrap();
    assert_eq!(first, "flex");
    let device = chosen();
    let line = devices
        .lines()
        .find(|line| line.trim().starts_with(&device.to_string()));
    assert!(line.is_some(), "{device} is not in {devices}");
    if let Some(adapter) = device.adapter() {
        assert!(line.unwrap().contains(&adapter.name), "{devices}");
    }
}

/// One error before anything is computed, which says what to do; whether the program was built for it or not.
#[test]
fn a_gpu_that_is_not_there_is_one_error() {
    for (device, known) in [
        (
            "cuda:1000",
            ["built without CUDA", "no NVIDIA GPU can be used"],
        ),
        (
            "vulkan:1000",
            ["built without Vulkan", "no GPU can be used by Vulkan"],
        ),
        (
            "metal:1000",
            ["built without Metal", "no GPU can be used by Metal"],
        ),
    ] {
        let out = tempfile::tempdir().unwrap();
        let mut run = sweep(out.path(), device);
        let (code, _, stderr) = text(run.output().unwrap());
        assert_eq!(code, Some(1));
        assert!(known.iter().any(|text| stderr.contains(text)), "{stderr}");
        assert_eq!(stderr.trim().lines().count(), 1, "{stderr}");
        assert!(!out.path().join("small_training/plan.json").exists());
    }
    // Without any driver.
    let out = tempfile::tempdir().unwrap();
    let mut run = sweep(out.path(), "vulkan");
    run.envs(["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].map(|name| (name, "/none.json")));
    let (code, _, stderr) = text(run.output().unwrap());
    assert_eq!(code, Some(1), "{stderr}");
    let known = [
        "built without Vulkan",
        "there is no driver, or it finds none",
    ];
    assert!(known.iter().any(|text| stderr.contains(text)), "{stderr}");
}
