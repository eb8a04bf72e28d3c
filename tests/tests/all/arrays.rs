//! A user's own images, masks and classes: which files are read, and the errors for those that cannot be used.

use std::fs;
use std::path::Path;

use experiments::npy;
use ndarray::{Array, Array1, Array3, Array4, Axis, Dimension, s};
use png::{BitDepth, ColorType};
use rand::Rng;
use xai_core::arrays::Arrays;
use xai_core::attribution::Shown;
use xai_core::device::{Device, DeviceChoice};
use xai_core::network::ops::Window;
use xai_core::network::{FirstWeights, Layer};
use xai_core::prelude::*;
use xai_core::sweep::execute::sweep;
use xai_core::sweep::planned::SweepOptions;

const SPLITS: [&str; 3] = ["train", "validation", "test"];

fn read(folder: &Path) -> Result<Arrays> {
    Arrays::read(folder, Scale::Smoke)
}

fn lab(folder: &Path, out: &Path) -> Lab<Arrays> {
    Lab::of(read(folder).unwrap(), Scale::Smoke, DeviceChoice::Flex, out).unwrap()
}

/// A pixel of the fixture, see `fixtures/arrays/make.py`.
fn value((i, c, y, x): (usize, usize, usize, usize)) -> f32 {
    ((40 * i + 17 * c + 5 * y + 3 * x) % 256) as f32
}

fn truth((i, y, x): (usize, usize, usize)) -> bool {
    (y + x + i) % 3 == 0
}

/// NumPy's, OpenCV's and Pillow's files say here what they said there.
#[test]
fn files_of_other_programs_are_read() {
    let out = tempfile::tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/arrays");
    let numpy = lab(&fixtures.join("numpy"), out.path());
    assert_eq!(numpy.benchmark().classes(), ["-1", "3", "20"]);
    let pictures = lab(&fixtures.join("pictures"), out.path());
    assert_eq!(pictures.benchmark().classes(), ["ant", "bee", "cat"]);

    let check = |data: &Dataset, channels, number: fn(f32) -> f32, class: &[u8]| {
        let shape = (class.len(), channels, 5, 6);
        let expected = Array4::from_shape_fn(shape, |at| number(value(at)));
        assert_eq!(data.images(), expected);
        let expected = Array3::from_shape_fn((class.len(), 5, 6), truth);
        assert_eq!(data.truth(), Some(&expected));
        assert_eq!(data.class(), class);
    };
    let [byte, word]: [fn(f32) -> f32; 2] = [|v| v / 255.0, |v| v * 251.0 / 65535.0];
    check(&numpy.train().unwrap(), 2, byte, &[1, 0, 1, 2]);
    check(&numpy.validation().unwrap(), 2, word, &[2, 1]);
    let float = |v| v / 256.0;
    check(&numpy.test().dataset().unwrap(), 2, float, &[0, 2]);
    check(&pictures.train().unwrap(), 3, byte, &[2, 0, 2, 1]);
    check(&pictures.validation().unwrap(), 3, word, &[1, 2]);
    check(&pictures.test().dataset().unwrap(), 3, byte, &[0, 1]);
    let groups = |data: &Dataset| data.group().unwrap().to_vec();
    assert_eq!(groups(&numpy.train().unwrap()), [0, 1, 1, 2]);
    assert_eq!(groups(&numpy.validation().unwrap()), [3, 3]);
    assert_eq!(groups(&numpy.test().dataset().unwrap()), [4, 5]);
}

/// Images of 12 x 12 pixels and two channels. The class says where a bright square is, and the truth is that square.
fn data(split: &str, n: usize) -> (Array4<f32>, Array3<bool>, Vec<usize>) {
    let mut rng = xai_core::random::stream(1, split);
    let mut images = Array4::from_shape_simple_fn((n, 2, 12, 12), || rng.random_range(-0.5..0.5));
    let mut truth = Array3::from_elem((n, 12, 12), false);
    let class: Vec<usize> = (0..n).map(|image| image % 3).collect();
    for (image, &class) in class.iter().enumerate() {
        let [top, left] = [[1, 1], [1, 7], [7, 4]][class];
        let square = s![image, top..top + 4, left..left + 4];
        truth.slice_mut(square).fill(true);
        let square = s![image, image % 2, top..top + 4, left..left + 4];
        images.slice_mut(square).mapv_inplace(|x| x + 1.0);
    }
    (images, truth, class)
}

fn save<A, D>(folder: &Path, name: &str, array: &Array<A, D>)
where
    A: npyz::AutoSerialize + Copy,
    D: Dimension,
{
    npy::write(&folder.join(format!("{name}.npy")), array).unwrap();
}

/// A good data set in `.npy` files: classes 2, 5 and 9, and a group of its own for each image.
fn good(sizes: [usize; 3]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (split, (name, n)) in SPLITS.into_iter().zip(sizes).enumerate() {
        let (images, truth, class) = data(name, n);
        let folder = folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        save(&folder, "images", &images);
        save(&folder, "truth", &truth.mapv(u8::from));
        let class = class.into_iter().map(|class| [2i32, 5, 9][class]);
        save(&folder, "class", &Array1::from_iter(class));
        let group = (0..n).map(|image| (1000 * split + image) as i64);
        save(&folder, "group", &Array1::from_iter(group));
    }
    folder
}

/// The same files, but as bytes, so that PNG files can hold them as well.
fn bytes(folder: &Path) {
    for name in SPLITS {
        let folder = folder.join(name);
        save(&folder, "images", &pixels(name, 6));
    }
}

/// Bytes, `[n, 3, 12, 12]`.
fn pixels(split: &str, n: usize) -> Array4<u8> {
    let (images, ..) = data(split, n);
    let first_twice =
        ndarray::concatenate(Axis(1), &[images.view(), images.slice(s![.., ..1, .., ..])]);
    first_twice.unwrap().mapv(|x| ((x + 0.5) * 100.0) as u8)
}

fn write_png(path: &Path, [h, w]: [usize; 2], color: ColorType, depth: BitDepth, data: &[u8]) {
    let file = fs::File::create(path).unwrap();
    let mut encoder = png::Encoder::new(file, w as u32, h as u32);
    encoder.set_color(color);
    encoder.set_depth(depth);
    encoder
        .write_header()
        .unwrap()
        .write_image_data(data)
        .unwrap();
}

/// The six images of each split as PNG files, with a table. Classes are texts.
fn good_pictures() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in SPLITS {
        let (_, truth, class) = data(name, 6);
        let folder = folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        let mut table = String::from("file,truth,class,group\n");
        for (image, pixels) in pixels(name, 6).axis_iter(Axis(0)).enumerate() {
            let pixels: Vec<u8> = pixels.permuted_axes([1, 2, 0]).iter().copied().collect();
            let mask: Vec<u8> = truth
                .index_axis(Axis(0), image)
                .iter()
                .map(|&set| 255 * u8::from(set))
                .collect();
            let file = folder.join(format!("{image}.png"));
            write_png(&file, [12, 12], ColorType::Rgb, BitDepth::Eight, &pixels);
            let file = folder.join(format!("{image}t.png"));
            write_png(
                &file,
                [12, 12],
                ColorType::Grayscale,
                BitDepth::Eight,
                &mask,
            );
            let class = ["left", "right", "below"][class[image]];
            table += &format!("{image}.png,{image}t.png,{class},{name}{image}\n");
        }
        fs::write(folder.join("labels.csv"), table).unwrap();
    }
    folder
}

/// The identity is that of the content, wherever it lies and as whatever files.
#[test]
fn the_identity_is_the_content() {
    let numpy = good([6, 6, 6]);
    bytes(numpy.path());
    let pictures = good_pictures();
    let identity = |folder: &Path| read(folder).unwrap().identity();
    let [of_numpy, of_pictures] = [numpy.path(), pictures.path()].map(identity);
    assert_ne!(of_numpy, of_pictures, "their classes have other names");
    for name in SPLITS {
        edit(pictures.path(), name, |table| {
            let named = table.replace("left", "2").replace("right", "5");
            named.replace("below", "9")
        });
    }
    assert_eq!(identity(pictures.path()), of_numpy);

    let elsewhere = numpy.path().with_extension("moved");
    fs::rename(numpy.path(), &elsewhere).unwrap();
    assert_eq!(identity(&elsewhere), of_numpy);
    let mut images = pixels("test", 6);
    images[[5, 2, 11, 11]] += 1;
    save(&elsewhere.join("test"), "images", &images);
    assert_ne!(identity(&elsewhere), of_numpy);
    fs::remove_dir_all(elsewhere).unwrap();
}

/// A copied image is no error, because some data sets have them, but the run says so.
#[test]
fn images_in_two_splits_are_said() {
    let folder = good([6, 6, 6]);
    let about = || {
        let about = read(folder.path()).unwrap().about();
        about[0].1.clone()
    };
    assert!(!about().contains("training images"));
    let (mut images, ..) = data("test", 6);
    let (train, ..) = data("train", 6);
    let first = s![1, .., .., ..];
    images
        .slice_mut(first)
        .assign(&train.slice(s![4, .., .., ..]));
    save(&folder.path().join("test"), "images", &images);
    let said = about();
    assert!(
        said.contains("; 1 test images are also training images"),
        "{said}"
    );
    assert!(!said.contains("also validation images"), "{said}");

    let folder = good([6, 3, 6]);
    let mut test = data("test", 6).0;
    let mut validation = data("validation", 3).0;
    let train = data("train", 6).0;
    validation
        .slice_mut(s![0, .., .., ..])
        .assign(&train.slice(s![5, .., .., ..]));
    test.slice_mut(s![..2, .., .., ..])
        .assign(&validation.slice(s![1.., .., .., ..]));
    save(&folder.path().join("validation"), "images", &validation);
    save(&folder.path().join("test"), "images", &test);
    let said = read(folder.path()).unwrap().about()[0].1.clone();
    for part in [
        "; 2 test images are also validation images, so the accuracy says less about new images",
        "; 1 validation images are also training images",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert!(!said.contains("test images are also training"), "{said}");
}

/// Rewrites a table.
fn edit(folder: &Path, split: &str, change: impl Fn(String) -> String) {
    let path = folder.join(split).join("labels.csv");
    let table = fs::read_to_string(&path).unwrap();
    let changed = change(table.clone());
    assert_ne!(changed, table);
    fs::write(path, changed).unwrap();
}

/// A mistake, what it does to a good data set, and what the error must say.
type Mistake = (&'static str, fn(&Path), &'static [&'static str]);

fn check(good: fn() -> tempfile::TempDir, mistakes: &[Mistake]) {
    read(good().path()).unwrap();
    for (name, make, expected) in mistakes {
        let folder = good();
        make(folder.path());
        let Err(problem) = read(folder.path()) else {
            panic!("{name}: nothing was said");
        };
        let problem = problem.to_string();
        for part in *expected {
            assert!(
                problem.contains(part),
                "{name}: `{part}` is missing in: {problem}"
            );
        }
        assert_eq!(problem.lines().count(), 1, "{name}: {problem}");
    }
}

/// Writes an `.npy` file whose header is this, with these bytes behind it.
fn raw(path: &Path, header: &str, bytes: &[u8]) {
    let header = format!("{header}\n");
    let mut content = b"\x93NUMPY\x01\x00".to_vec();
    content.extend((header.len() as u16).to_le_bytes());
    content.extend(header.as_bytes());
    content.extend(bytes);
    fs::write(path, content).unwrap();
}

#[test]
fn every_mistake_in_npy_files_is_named_with_file_and_row() {
    let mistakes: &[Mistake] = &[
        (
            "a mask of another shape",
            |f| save(&f.join("test"), "truth", &Array3::<u8>::zeros((3, 12, 11))),
            &["test/truth.npy", "[3, 12, 11]", "[3, 12, 12]"],
        ),
        (
            "pixels up to 255 in one split, and shares of 255 in the others",
            |f| {
                let (images, ..) = data("train", 6);
                let bytes = images.mapv(|x| ((x + 0.5) * 100.0) as u8);
                save(&f.join("train"), "images", &bytes);
                let images = data("test", 3).0.mapv(|x| ((x + 0.5) * 100.0) as i64);
                save(&f.join("test"), "images", &images);
            },
            &[
                "test/images.npy",
                "holds integers of another type",
                "used as they are",
                "train/images.npy holds uint8",
            ],
        ),
        (
            "floats up to 255 in one split, and shares of 255 in the others",
            |f| {
                for (name, n) in [("validation", 3), ("test", 3)] {
                    let bytes = data(name, n).0.mapv(|x| ((x + 0.5) * 100.0) as u8);
                    save(&f.join(name), "images", &bytes);
                }
                let images = data("train", 6).0.mapv(|x| ((x + 0.5) * 100.0).floor());
                save(&f.join("train"), "images", &images);
            },
            &[
                "train/images.npy: holds floats, which are used as they are (such as",
                "validation/images.npy holds uint8",
                "on the same scale",
            ],
        ),
        (
            "a class without training images",
            |f| {
                save(
                    &f.join("test"),
                    "class",
                    &Array1::from_vec(vec![2i64, 7, 5]),
                )
            },
            &[
                "test/class.npy",
                "row 1 ",
                "class 7",
                "no training image",
                "2, 5, 9",
            ],
        ),
        (
            "a group in two splits",
            |f| {
                save(
                    &f.join("test"),
                    "group",
                    &Array1::from_vec(vec![77i64, 78, 4]),
                )
            },
            &[
                "test/group.npy",
                "row 2 ",
                "group 4",
                "train/group.npy",
                "row 4 ",
            ],
        ),
        (
            "NaN",
            |f| {
                let (mut images, ..) = data("validation", 3);
                images[[1, 1, 2, 3]] = f32::NAN;
                save(&f.join("validation"), "images", &images);
            },
            &[
                "validation/images.npy",
                "image 1 ",
                "NaN",
                "channel 1, row 2, column 3",
            ],
        ),
        (
            "a number beyond 32-bit floats",
            |f| {
                let images = data("validation", 3).0.mapv(|x| f64::from(x) * 1e39);
                save(&f.join("validation"), "images", &images);
            },
            &["validation/images.npy", "image 0 ", "inf"],
        ),
        (
            "a file that is cut off",
            |f| {
                let path = f.join("train/images.npy");
                let whole = fs::read(&path).unwrap();
                fs::write(&path, &whole[..whole.len() - 5]).unwrap();
            },
            &["train/images.npy", "is cut off", "[6, 2, 12, 12]"],
        ),
        (
            "a file that is no array",
            |f| fs::write(f.join("train/images.npy"), "1,2,3").unwrap(),
            &["train/images.npy", "is not a .npy file"],
        ),
        (
            "texts",
            |f| {
                raw(
                    &f.join("train/class.npy"),
                    "{'descr': '<U3', 'fortran_order': False, 'shape': (6,), }",
                    &[0; 72],
                )
            },
            &["train/class.npy", "<U3", "should hold"],
        ),
        (
            "a file that is not there",
            |f| fs::remove_file(f.join("train/class.npy")).unwrap(),
            &["train/class.npy", "No such file"],
        ),
        (
            "no truth of the test images",
            |f| fs::remove_file(f.join("test/truth.npy")).unwrap(),
            &["test/images.npy", "truth.npy"],
        ),
        (
            "a split that is not there",
            |f| fs::remove_dir_all(f.join("validation")).unwrap(),
            &["/validation", "there is no such folder"],
        ),
        (
            "an empty folder",
            |f| {
                fs::remove_dir_all(f.join("validation")).unwrap();
                fs::create_dir(f.join("validation")).unwrap();
            },
            &["/validation", "images.npy", "labels.csv"],
        ),
        (
            "no image",
            |f| {
                save(
                    &f.join("train"),
                    "images",
                    &Array4::<f32>::zeros((0, 2, 12, 12)),
                )
            },
            &["train/images.npy", "[0, 2, 12, 12]", "no image"],
        ),
        (
            "one image without its axis",
            |f| {
                save(
                    &f.join("train"),
                    "images",
                    &Array::<f32, _>::zeros((12, 12)),
                )
            },
            &["train/images.npy", "[12, 12]", "[n, height, width]"],
        ),
        (
            "channels last",
            |f| {
                save(
                    &f.join("test"),
                    "images",
                    &Array4::<f32>::zeros((3, 12, 12, 2)),
                )
            },
            &["test/", "[3, 12, 12]", "[3, 12, 2]"],
        ),
        (
            "a mask of shades",
            |f| {
                let mut truth = data("test", 3).1.mapv(|set| f32::from(u8::from(set)));
                truth[[2, 4, 5]] = 0.5;
                save(&f.join("test"), "truth", &truth);
            },
            &["test/truth.npy", "row 2 ", "0.5", "row 4, column 5"],
        ),
        (
            "classes that are floats",
            |f| {
                save(
                    &f.join("test"),
                    "class",
                    &Array1::from_vec(vec![2.0f64, 5.0, 9.0]),
                )
            },
            &["test/class.npy", "floats", "astype(int)"],
        ),
        (
            "too few classes",
            |f| save(&f.join("test"), "class", &Array1::from_vec(vec![2i64, 5])),
            &["test/class.npy", "[2]", "3 images"],
        ),
        (
            "too few groups",
            |f| save(&f.join("test"), "group", &Array1::from_vec(vec![71i64, 72])),
            &["test/group.npy", "[2]", "3 images"],
        ),
        (
            "groups in two splits of three",
            |f| fs::remove_file(f.join("test/group.npy")).unwrap(),
            &["test/images.npy", "no group", "train/images.npy"],
        ),
        (
            "images of another shape",
            |f| {
                save(
                    &f.join("test"),
                    "images",
                    &Array4::<f32>::zeros((3, 1, 12, 12)),
                );
            },
            &["test/images.npy", "[1, 12, 12]", "[2, 12, 12]"],
        ),
        (
            "one class",
            |f| save(&f.join("train"), "class", &Array1::from_vec(vec![2i64; 6])),
            &["train/class.npy", "class 2", "two classes"],
        ),
        (
            "more classes than there are numbers",
            |f| {
                save(
                    &f.join("train"),
                    "images",
                    &Array3::<f32>::zeros((300, 12, 12)),
                );
                save(
                    &f.join("train"),
                    "truth",
                    &Array3::from_elem((300, 12, 12), false),
                );
                save(&f.join("train"), "class", &Array1::from_iter(0..300i64));
                save(&f.join("train"), "group", &Array1::from_iter(5000..5300i64));
                for split in ["validation", "test"] {
                    save(&f.join(split), "images", &Array3::<f32>::zeros((3, 12, 12)));
                }
            },
            &["train/class.npy", "300 classes", "256"],
        ),
        (
            "two layouts at once",
            |f| fs::write(f.join("test/labels.csv"), "file,truth,class\n").unwrap(),
            &["test/labels.csv", "images.npy", "keep only one"],
        ),
    ];
    check(|| good([6, 3, 3]), mistakes);
}

#[test]
fn every_mistake_in_tables_and_pictures_is_named_with_file_and_line() {
    let mistakes: &[Mistake] = &[
        (
            "a missing column",
            |f| edit(f, "train", |table| table.replace("class", "kind")),
            &[
                "train/labels.csv",
                "no column class",
                "file, truth, kind, group",
            ],
        ),
        (
            "no truth of the test images",
            |f| edit(f, "test", |table| table.replace("truth", "mask")),
            &["test/labels.csv", "truth"],
        ),
        (
            "a column twice",
            |f| edit(f, "test", |table| table.replace("group", "class")),
            &["test/labels.csv", "two columns class"],
        ),
        (
            "a cell that is empty",
            |f| {
                edit(f, "train", |table| {
                    table.replace("2.png,2t.png,below", "2.png,2t.png,")
                })
            },
            &["train/labels.csv", "line 4", "class", "missing"],
        ),
        (
            "a mask for some images only",
            |f| edit(f, "train", |table| table.replace("2t.png", "")),
            &["train/labels.csv", "line 4", "truth", "missing"],
        ),
        (
            "a short line",
            |f| edit(f, "train", |table| table.replace("right,train1", "right")),
            &["train/labels.csv", "line: 3"],
        ),
        (
            "no line",
            |f| fs::write(f.join("train/labels.csv"), "file,class\n").unwrap(),
            &["train/labels.csv", "no image"],
        ),
        (
            "an empty table",
            |f| fs::write(f.join("train/labels.csv"), "").unwrap(),
            &["train/labels.csv", "no image"],
        ),
        (
            "a picture that is not there",
            |f| fs::remove_file(f.join("test/3.png")).unwrap(),
            &["test/labels.csv", "line 5", "test/3.png", "No such file"],
        ),
        (
            "a picture that is none",
            |f| fs::write(f.join("test/3.png"), "GIF89a").unwrap(),
            &[
                "test/labels.csv",
                "line 5",
                "test/3.png",
                "not a complete PNG file",
            ],
        ),
        (
            "an empty picture",
            |f| fs::write(f.join("test/3.png"), "").unwrap(),
            &[
                "test/labels.csv",
                "line 5",
                "test/3.png",
                "not a complete PNG file",
            ],
        ),
        (
            "another shape",
            |f| {
                write_png(
                    &f.join("train/4.png"),
                    [11, 12],
                    ColorType::Rgb,
                    BitDepth::Eight,
                    &[0; 11 * 12 * 3],
                )
            },
            &[
                "train/labels.csv",
                "line 6",
                "4.png",
                "[3, 11, 12]",
                "[3, 12, 12]",
            ],
        ),
        (
            "grey among colours",
            |f| {
                write_png(
                    &f.join("train/4.png"),
                    [12, 12],
                    ColorType::Grayscale,
                    BitDepth::Eight,
                    &[0; 144],
                )
            },
            &["train/labels.csv", "line 6", "4.png", "[1, 12, 12]"],
        ),
        (
            "transparency",
            |f| {
                write_png(
                    &f.join("train/4.png"),
                    [12, 12],
                    ColorType::Rgba,
                    BitDepth::Eight,
                    &[0; 576],
                )
            },
            &["train/labels.csv", "line 6", "train/4.png", "transparency"],
        ),
        (
            "a mask of another shape",
            |f| {
                write_png(
                    &f.join("test/4t.png"),
                    [12, 13],
                    ColorType::Grayscale,
                    BitDepth::Eight,
                    &[0; 156],
                )
            },
            &[
                "test/labels.csv",
                "line 6",
                "4t.png",
                "[12, 13]",
                "[12, 12]",
            ],
        ),
        (
            "a mask of shades",
            |f| {
                write_png(
                    &f.join("test/4t.png"),
                    [12, 12],
                    ColorType::Grayscale,
                    BitDepth::Eight,
                    &[7; 144],
                )
            },
            &[
                "test/labels.csv",
                "line 6",
                "test/4t.png",
                "holds 7",
                "row 0, column 0",
            ],
        ),
        (
            "a mask in colour",
            |f| {
                write_png(
                    &f.join("test/4t.png"),
                    [12, 12],
                    ColorType::Rgb,
                    BitDepth::Eight,
                    &[0; 432],
                )
            },
            &["test/labels.csv", "line 6", "test/4t.png", "colour"],
        ),
        (
            "a class without training images",
            |f| {
                edit(f, "test", |table| {
                    table.replace("1t.png,right", "1t.png,above")
                })
            },
            &[
                "test/labels.csv",
                "line 3",
                "class above",
                "no training image",
                "below, left, right",
            ],
        ),
        (
            "a group in two splits",
            |f| edit(f, "test", |table| table.replace("test5", "train2")),
            &[
                "test/labels.csv",
                "line 7",
                "group train2",
                "train/labels.csv",
                "line 4",
            ],
        ),
        (
            "a group in two splits, written in two ways",
            |f| {
                edit(f, "train", |table| table.replace("train2", "002"));
                edit(f, "test", |table| table.replace("test5", "2"));
            },
            &[
                "test/labels.csv",
                "line 7: group 2 is the same number as 002 in",
                "train/labels.csv (line 4); write a group in the same way everywhere",
            ],
        ),
        (
            "a group in two splits, as text and as integer",
            |f| {
                edit(f, "train", |table| table.replace("train2", "002"));
                let validation = f.join("validation");
                fs::remove_file(validation.join("labels.csv")).unwrap();
                save(&validation, "images", &pixels("validation", 1));
                save(&validation, "class", &Array1::from_vec(vec![2i64]));
                save(&validation, "group", &Array1::from_vec(vec![2i64]));
            },
            &[
                "validation/group.npy",
                "row 0 (counted from 0): group 2 is the same number as 002 in",
                "train/labels.csv (line 4)",
            ],
        ),
        (
            "a class written in two ways",
            |f| {
                edit(f, "train", |table| {
                    let table = table.replace("0t.png,left", "0t.png,1");
                    table.replace("left", "01")
                });
            },
            &[
                "train/labels.csv",
                "line 5: class 01 is the same number as 1 in",
                "train/labels.csv (line 2)",
                "begin it with a letter",
            ],
        ),
    ];
    check(good_pictures, mistakes);
}

/// Wherever a picture ends, it is not taken for a whole one.
#[test]
fn a_truncated_png_is_named() {
    let folder = good_pictures();
    let path = folder.path().join("train/3.png");
    let whole = fs::read(&path).unwrap();
    let end_of_pixels = whole.len() - 12; // behind them comes only the mark of the end
    for length in (1..end_of_pixels - 4).step_by(17) {
        fs::write(&path, &whole[..length]).unwrap();
        let Err(problem) = read(folder.path()) else {
            panic!("{length} of {} bytes: nothing was said", whole.len());
        };
        let problem = problem.to_string();
        for part in [
            "train/labels.csv",
            "line 5",
            "train/3.png",
            "not a complete PNG file",
        ] {
            assert!(problem.contains(part), "{length} bytes: {problem}");
        }
    }
}

/// A network of three classes and two channels.
#[experiment(crate = ::xai_core)]
struct ThreeClasses {
    #[axis([1, 2])]
    convolutions: usize,
}

impl Run for ThreeClasses {
    type Benchmark = Arrays;
    type Model = Network;

    fn fit(&self, lab: &Lab<Arrays>) -> Result<Fitted<Network>> {
        let mut draw = FirstWeights::new(0, lab.device());
        let mut layers = vec![draw.conv2d(2, 8, 3), Layer::Relu];
        for _ in 1..self.convolutions {
            layers.extend([draw.conv2d(8, 8, 3), Layer::Relu]);
        }
        layers.extend([
            Layer::MaxPool2d(Window::square(2)),
            Layer::Flatten,
            draw.linear(8 * 36, 3),
        ]);
        let plan = TrainingPlan::new(Optimizer::Adam(0.003), 8, 10);
        lab.fit(&Training::new(Network::new(layers), plan, 0))
    }

    fn test(&self, fitted: &Fitted<Network>, lab: &Lab<Arrays>) -> Result<Scores> {
        explain!(
            model = fitted.model,
            input = lab.test().classified_correctly_by_all()?,
            methods = [
                IntegratedGradients { steps: 16 },
                Lrp::epsilon(1e-6),
                InputXGradient
            ],
            combine = Channels::Sum,
            score = Precision
        )
    }
}

/// The mean image of each class; an image belongs to the nearest.
#[experiment(crate = ::xai_core)]
struct NearestMean {
    #[axis([0.5, 1.0])]
    share: f64,
}

struct Means(Vec<Vec<f32>>);

impl Means {
    /// For each class what the distance to its mean says, without the part that is the same for all classes:
    /// |x|^2 - |x - mean|^2.
    fn scores(&self, image: &[f32]) -> Vec<f32> {
        let score = |mean: &Vec<f32>| -> f32 {
            mean.iter().zip(image).map(|(m, x)| m * (2.0 * x - m)).sum()
        };
        self.0.iter().map(score).collect()
    }
}

impl Model for Means {
    fn save(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string(&self.0).map_err(Error::invalid)?;
        fs::write(path, text).map_err(|problem| Error::file(path, problem))
    }

    fn load(path: &Path, _: &Device) -> Result<Self> {
        let text = fs::read(path).map_err(|problem| Error::file(path, problem))?;
        serde_json::from_slice(&text)
            .map(Self)
            .map_err(|problem| Error::file(path, problem))
    }

    fn predict(&self, images: &Examples) -> Result<Vec<Vec<f64>>> {
        let all: Vec<usize> = (0..images.len()).collect();
        let pixels: Vec<f32> = images.batch(&all).0.into_data().into_vec().unwrap();
        let rows = pixels
            .chunks(2 * 144)
            .map(|image| xai_core::training::softmax(&self.scores(image)));
        Ok(rows.collect())
    }
}

impl Run for NearestMean {
    type Benchmark = Arrays;
    type Model = Means;

    fn fit(&self, lab: &Lab<Arrays>) -> Result<Fitted<Means>> {
        let data = lab.train()?;
        let used = (data.len() as f64 * self.share) as usize;
        let mean = |class: u8| {
            let which: Vec<usize> = (0..used)
                .filter(|&image| data.class()[image] == class)
                .collect();
            let mean = data
                .images()
                .select(Axis(0), &which)
                .mean_axis(Axis(0))
                .unwrap();
            mean.iter().copied().collect()
        };
        let model = Means((0..3).map(mean).collect());
        let examples = lab.examples(xai_core::dataset::Split::Validation)?;
        let right = model.predict(&examples)?.into_iter().zip(examples.class());
        let right =
            right.filter(|(row, class)| row.iter().all(|&p| p <= row[usize::from(**class)]));
        let validation = Validation {
            accuracy: right.count() as f64 / examples.len() as f64,
            loss: 0.0,
            ..Validation::default()
        };
        Ok(Fitted {
            model,
            validation,
            history: Vec::new(),
        })
    }

    fn test(&self, fitted: &Fitted<Means>, lab: &Lab<Arrays>) -> Result<Scores> {
        let means = &fitted.model;
        let scores = |images: Array4<f32>| {
            let rows = images.axis_iter(Axis(0)).flat_map(|image| {
                let image: Vec<f32> = image.iter().copied().collect();
                means.scores(&image)
            });
            let rows: Vec<f32> = rows.collect();
            Array::from_shape_vec((rows.len() / 3, 3), rows).map_err(Error::invalid)
        };
        explain!(
            model = Closure(scores),
            input = lab.test().classified_correctly_by_all()?,
            methods = [FeatureAblation {
                segments: Segments::grid(6, 6)
            }],
            combine = Channels::Sum,
            score = Precision
        )
    }
}

/// The truth covers 16 of 144 pixels.
const CHANCE: f64 = 16.0 / 144.0;

fn train_predict_and_explain<R: Run<Benchmark = Arrays>>(
    folder: &Path,
    out: &Path,
    methods: &[&str],
) {
    let options = SweepOptions {
        scale: Scale::Smoke,
        out: out.to_owned(),
        quiet: true,
        ..SweepOptions::default()
    };
    let outcome = sweep::<R>(&options, &read(folder).unwrap()).unwrap();
    assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
    let result = outcome.result.unwrap();
    assert_eq!(result.classes, ["2", "5", "9"]);
    assert_eq!(result.cells.len(), 2);
    let results = xai_core::results_in::<R>(&outcome.folder).unwrap();
    for (_, tested) in results.winners() {
        assert!(tested.accuracy > 0.8, "{}", tested.accuracy);
        // A class is predicted for each image, and not only two of the three.
        let found: std::collections::BTreeSet<u8> =
            tested.predictions.predicted.iter().copied().collect();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [0, 1, 2]);
        let shown: Vec<Shown> = tested.shown().unwrap();
        assert!(!shown.is_empty());
        for method in methods {
            let of_method = tested.scores.iter().filter(|score| score.method == *method);
            let scores = of_method.filter(|score| score.metric == "precision");
            let values: Vec<f64> = scores.map(|score| score.value).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            assert!(
                values.len() > 8 && mean > 3.0 * CHANCE,
                "{method}: {mean} of {}",
                values.len()
            );
        }
    }
}

#[test]
fn experiments_with_three_classes_and_two_channels_train_predict_and_explain() {
    let folder = good([90, 30, 30]);
    let out = tempfile::tempdir().unwrap();
    let methods = ["integrated_gradients", "lrp", "input_x_gradient"];
    train_predict_and_explain::<ThreeClasses>(folder.path(), out.path(), &methods);
    train_predict_and_explain::<NearestMean>(folder.path(), out.path(), &["feature_ablation"]);
}

/// Where nothing is: `Lab::open` has no folder to read.
#[test]
fn a_folder_must_be_given() {
    let out = tempfile::tempdir().unwrap();
    let problem = Lab::<Arrays>::open(Scale::Smoke, DeviceChoice::Flex, out.path());
    let problem = problem.err().map(|problem| problem.to_string()).unwrap();
    assert!(problem.contains("--arrays"), "{problem}");
}
