//! Runs `explain_image` as another program would. Its maps are compared with Captum's, and bad input gives clear errors.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::common::{npy, run};
use ndarray::ArrayD;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use tempfile::TempDir;

fn explain_image(folder: &Path, arguments: &[&str]) -> Output {
    run("explain_image", folder, arguments)
}

/// The maps that it wrote.
fn maps(path: &Path) -> ArrayD<f32> {
    experiments::npy::read(path, |value| value as f32).unwrap()
}

fn floats(view: &TensorView<'_>) -> Vec<f32> {
    let values = view.data().as_chunks::<4>().0.iter();
    values.map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// One of Captum's fixtures.
fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/captum");
    fs::read(folder.join(format!("{name}.safetensors"))).unwrap()
}

/// A folder with what another program has: `n.json`, `w.safetensors` and `x.npy`.
fn folder(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let bytes = fixture(name);
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let layers = &header.metadata().as_ref().unwrap()["network"];
    fs::write(folder.path().join("n.json"), layers).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let weights = file.tensors().into_iter();
    let weights = weights.filter(|(name, _)| name.starts_with(|c: char| c.is_ascii_digit()));
    let path = folder.path().join("w.safetensors");
    safetensors::serialize_to_file(weights, None, &path).unwrap();
    let input = file.tensor("input").unwrap();
    npy(&folder.path().join("x.npy"), input.shape(), &floats(&input));
    folder
}

const GOOD: [&str; 10] = [
    "--network",
    "n.json",
    "--weights",
    "w.safetensors",
    "--input",
    "x.npy",
    "--target",
    "1",
    "--out",
    "maps",
];

/// [`GOOD`] with another value of one option, and more arguments.
fn with<'a>(option: &str, value: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = GOOD.to_vec();
    if let Some(at) = arguments.iter().position(|&other| other == option) {
        arguments[at + 1] = value;
    }
    arguments.extend(more);
    arguments
}

#[test]
fn maps_are_captums() {
    for name in ["vgg", "grouped", "batch_norm"] {
        let folder = folder(name);
        let output = explain_image(folder.path(), &with("", "", &["--methods", "all"]));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        assert!(said.contains("note: lrp and input_x_gradient"), "{said}");
        assert_eq!(
            String::from_utf8(output.stdout).unwrap().lines().count(),
            12
        );
        let bytes = fixture(name);
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let methods = [
            // Without GradientSHAP, whose draws Captum's maps have by an image's place and the command by its pixels.
            "integrated_gradients",
            "deep_lift",
            "deep_lift_captum",
            "saliency",
            "input_x_gradient",
            "guided_backprop",
            "deconvolution",
            "lrp",
        ];
        for method in methods {
            // Of Captum's maps those of class 1.
            let Ok(all) = file.tensor(method) else {
                continue;
            };
            let (all, classes) = (floats(&all), all.shape()[0]);
            let expected = all.chunks(all.len() / classes).nth(1).unwrap();
            let found = maps(&folder.path().join(format!("maps/{method}.npy")));
            assert_eq!(found.shape(), file.tensor("input").unwrap().shape());
            let largest = expected.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
            let off =
                (found.iter().zip(expected)).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
            assert!(off < 1e-5 * largest, "{name}, {method}: {off} of {largest}");
        }
    }
}

/// Every method that `--list` names writes a map of the input's shape; the same one for float64 and for little
/// memory.
#[test]
fn every_method_can_be_asked_for() {
    let folder = folder("plain");
    let output = explain_image(folder.path(), &["--list"]);
    let list = String::from_utf8(output.stdout).unwrap();
    let names: Vec<&str> = list
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(names.len() > 20, "{list}");
    let names = names.join(",");
    let bytes = fixture("plain");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let input = file.tensor("input").unwrap();
    let doubles: Vec<f64> = floats(&input).into_iter().map(f64::from).collect();
    npy(&folder.path().join("x64.npy"), input.shape(), &doubles);
    let methods = ["--methods", names.as_str(), "--segments", "4x4"];
    let explain = |input, out: &str, more: &[&str]| {
        let mut arguments = with("--input", input, &methods);
        let at = arguments.iter().position(|&a| a == "maps").unwrap();
        arguments[at] = out;
        arguments.extend(more);
        let output = explain_image(folder.path(), &arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
    };
    explain("x.npy", "maps", &[]);
    explain("x64.npy", "again", &["--memory", "1KiB"]);
    for name in names.split(',') {
        let [a, b] =
            ["maps", "again"].map(|out| maps(&folder.path().join(out).join(format!("{name}.npy"))));
        // Class activation maps have one channel.
        let cams = ["grad_cam", "grad_cam_plus_plus", "hi_res_cam", "layer_cam"];
        let channels = if cams.contains(&name) { 1 } else { 3 };
        assert_eq!(a.shape(), [3, channels, 8, 8], "{name}");
        assert!(a.iter().any(|&x| x != 0.0), "{name}");
        assert_eq!(a, b, "{name}");
    }
}

/// A grey image in a network of three channels has the map of the image with three equal channels, summed over them.
#[test]
fn maps_of_grey_images_are_grey() {
    let folder = folder("plain");
    let grey: Vec<f32> = (0..64)
        .map(|at| (at * at % 17) as f32 / 8.0 - 1.0)
        .collect();
    npy(&folder.path().join("grey.npy"), &[1, 1, 8, 8], &grey);
    npy(
        &folder.path().join("colour.npy"),
        &[1, 3, 8, 8],
        &grey.repeat(3),
    );
    for (input, out) in [("grey.npy", "grey"), ("colour.npy", "colour")] {
        let methods = ["--methods", "saliency,input_x_gradient,lrp,grad_cam"];
        let mut arguments = with("--input", input, &methods);
        let at = arguments.iter().position(|&a| a == "maps").unwrap();
        arguments[at] = out;
        let output = explain_image(folder.path(), &arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
    }
    for method in ["saliency", "input_x_gradient", "lrp", "grad_cam"] {
        let read = |out: &str| maps(&folder.path().join(out).join(format!("{method}.npy")));
        let (grey, colour) = (read("grey"), read("colour").sum_axis(ndarray::Axis(1)));
        assert_eq!(grey.shape(), [1, 1, 8, 8], "{method}");
        // A class activation map can be 0, where nothing speaks for the class.
        let zeros = grey.iter().all(|&value| value == 0.0);
        assert!(!zeros || method == "grad_cam", "{method}");
        for (grey, colour) in grey.iter().zip(&colour) {
            let off = (grey - colour).abs();
            assert!(
                off <= 1e-5 * colour.abs().max(1.0),
                "{method}: {grey} {colour}"
            );
        }
    }
}

/// Methods that draw samples give an image the same map wherever in the file it stands.
#[test]
fn the_order_of_the_images_does_not_matter() {
    let folder = folder("plain");
    let bytes = fixture("plain");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let input = file.tensor("input").unwrap();
    let pixels = floats(&input);
    let size = pixels.len() / 3;
    let reversed: Vec<f32> = pixels.chunks(size).rev().flatten().copied().collect();
    npy(
        &folder.path().join("reversed.npy"),
        input.shape(),
        &reversed,
    );
    let methods = "gradient_shap,lime,kernel_shap,rise,shapley_value_sampling,smooth_grad";
    for (input, out) in [("x.npy", "maps"), ("reversed.npy", "reversed")] {
        let more = ["--methods", methods, "--segments", "4x4"];
        let mut arguments = with("--input", input, &more);
        let at = arguments.iter().position(|&a| a == "maps").unwrap();
        arguments[at] = out;
        let output = explain_image(folder.path(), &arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
    }
    for name in methods.split(',') {
        let file = |out: &str| folder.path().join(out).join(format!("{name}.npy"));
        let (maps, mut reversed) = (maps(&file("maps")), maps(&file("reversed")));
        reversed.invert_axis(ndarray::Axis(0));
        assert_eq!(maps, reversed, "{name}");
    }
}

/// A network whose score no pixel changes.
#[test]
fn maps_that_are_0_everywhere_are_said() {
    let folder = folder("plain");
    let layers = r#"[{"conv2d": {"in": 3, "out": 1, "kernel": 8}}, "relu", "flatten", {"linear": {"in": 1, "out": 2}}]"#;
    std::fs::write(folder.path().join("dead.json"), layers).unwrap();
    let zeros = vec![0u8; 192 * 4];
    let minus = (-1.0f32).to_le_bytes();
    let tensors = [
        ("0.weight", vec![1, 3, 8, 8], &zeros[..]),
        ("0.bias", vec![1], &minus[..]),
        ("3.weight", vec![2, 1], &zeros[..8]),
        ("3.bias", vec![2], &zeros[..8]),
    ];
    let views = tensors.map(|(name, shape, bytes)| {
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, bytes);
        (name, view.unwrap())
    });
    safetensors::serialize_to_file(views, None, &folder.path().join("dead.safetensors")).unwrap();
    let output = explain_image(
        folder.path(),
        &[
            "--network",
            "dead.json",
            "--weights",
            "dead.safetensors",
            "--input",
            "x.npy",
            "--target",
            "1",
            "--out",
            "maps",
            "--methods",
            "saliency",
        ],
    );
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("note: saliency: the maps of 3 of 3 images are 0 everywhere"),
        "{said}"
    );
}

#[test]
fn what_is_wrong_is_said_once() {
    let folder = folder("vgg");
    let at = |name: &str| folder.path().join(name);
    npy(&at("nan.npy"), &[1, 1, 1, 3], &[0.0_f32, f32::NAN, 1.0]);
    npy(&at("flat.npy"), &[3, 16, 16], &[0.0_f32; 768]);
    npy(&at("small.npy"), &[1, 3, 8, 2], &[0.0_f32; 48]);
    npy(&at("two.npy"), &[1, 2, 16, 16], &[0.0_f32; 512]);
    npy(&at("bytes.npy"), &[1, 3, 16, 16], &[7_u8; 768]);
    npy(&at("whole.npy"), &[1, 3, 16, 16], &[7_i64; 768]);
    fs::write(at("text.npy"), "not numbers").unwrap();
    let whole = fs::read(at("x.npy")).unwrap();
    fs::write(at("cut.npy"), &whole[..whole.len() / 2]).unwrap();
    let weights = fs::read(at("w.safetensors")).unwrap();
    fs::write(at("cut.safetensors"), &weights[..weights.len() / 2]).unwrap();
    fs::write(at("open.json"), "[\"relu\"").unwrap();
    let layers = fs::read_to_string(at("n.json")).unwrap();
    let more = layers.replacen("[", "[\"softplus\", ", 1);
    fs::write(at("unknown.json"), more).unwrap();
    let mut short: Vec<serde_json::Value> = serde_json::from_str(&layers).unwrap();
    short.truncate(4);
    fs::write(at("short.json"), serde_json::to_string(&short).unwrap()).unwrap();
    fs::write(at("file"), "").unwrap();
    for (option, value, expected) in [
        ("--input", "none.npy", "none.npy: No such file"),
        ("--input", "text.npy", "text.npy: "),
        ("--input", "cut.npy", "cut.npy: "),
        (
            "--input",
            "nan.npy",
            "nan.npy: image 0 holds NaN in channel 0, row 0, column 1",
        ),
        (
            "--input",
            "flat.npy",
            "flat.npy: is [3, 16, 16]; should be [n, channels, h, w]",
        ),
        ("--input", "two.npy", "takes 3 channels"),
        (
            "--input",
            "bytes.npy",
            "bytes.npy: holds u1; should be float32 or float64, preprocessed as in training",
        ),
        ("--input", "whole.npy", "whole.npy: holds i8; should be"),
        ("--input", "small.npy", "windows of [2, 2] pixels"),
        (
            "--target",
            "2",
            "class 2 cannot be explained: the network has 2 classes, 0 to 1",
        ),
        ("--target", "-1", "--target"),
        ("--network", "none.json", "none.json: No such file"),
        (
            "--network",
            "open.json",
            "open.json: this is not a list of layers",
        ),
        ("--network", "unknown.json", "unknown variant `softplus`"),
        (
            "--network",
            "short.json",
            "w.safetensors: the weights do not fit the network",
        ),
        ("--weights", "none", "none: No such file"),
        (
            "--weights",
            "cut.safetensors",
            "cut.safetensors: is not a complete safetensors file",
        ),
        ("--out", "file", "file: File exists"),
        ("--methods", "salency", "did you mean `saliency`?"),
        ("--memory", "2 cups", "write `2GiB`"),
        ("--segments", "8", "write rows and columns"),
        ("--device", "gpu", "flex"),
    ] {
        let more = [option, value];
        let more = if GOOD.contains(&option) {
            &[]
        } else {
            &more[..]
        };
        let output = explain_image(folder.path(), &with(option, value, more));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{option} {value}");
        assert!(said.contains(expected), "{option} {value}: {said}");
        let errors = said.matches("error: ").count();
        assert_eq!(errors, 1, "{option} {value}: {said}");
    }
    assert!(!at("maps/saliency.npy").exists());
}

/// A disk that is full is an error that names the file.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let folder = folder("plain");
    let maps = folder.path().join("maps");
    fs::create_dir(&maps).unwrap();
    std::os::unix::fs::symlink("/dev/full", maps.join("saliency.npy")).unwrap();
    let output = explain_image(folder.path(), &with("", "", &["--methods", "saliency"]));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("maps/saliency.npy: No space left"), "{said}");
}

/// The book's page on your own network: both files of weights give the gradients of PyTorch, which
/// `fixtures/own_network/make.py` computed.
#[test]
fn a_checkpoint_and_onnx_give_pytorchs_gradients() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/own_network");
    let gradient = maps(&fixtures.join("gradient.npy"));
    for weights in ["checkpoint.pth", "network.onnx"] {
        let out = tempfile::tempdir().unwrap();
        let out_name = out.path().to_str().unwrap();
        let network = ["--network", "network.json", "--weights", weights];
        let images = ["--input", "images.npy", "--target", "1"];
        let methods = ["--methods", "saliency,deep_lift", "--out", out_name];
        let output = explain_image(&fixtures, &[&network[..], &images, &methods].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{weights}: {said}");
        let saliency = maps(&out.path().join("saliency.npy"));
        assert_eq!(saliency.shape(), gradient.shape());
        for (ours, theirs) in saliency.iter().zip(&gradient) {
            assert!(
                (ours - theirs.abs()).abs() < 1e-7,
                "{weights}: {ours} {theirs}"
            );
        }
    }
}
