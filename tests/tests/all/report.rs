//! Tables and figures of made-up sweeps. To look at the figures:
//! `cargo test --release -p tests --test all report:: -- --ignored`, then see `target/tmp/figures`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use experiments::the_eight;
use xai_core::key::Key;
use xai_core::metrics::{COMPLETENESS_ERROR, Score, ZERO_MAP, group_name};
use xai_core::report;
use xai_core::sweep::declare::Value;
use xai_core::sweep::declare::analysis::{Analysis, Table};
use xai_core::sweep::keep::Reference;
use xai_core::sweep::read::{Axis, CellResult, SweepResult};

const CHANCE: &str = "precision_chance";

fn score(image: u32, method: &str, metric: &str, value: f64) -> Score {
    Score {
        image,
        class: (image % 2) as u8,
        method: method.to_owned(),
        metric: metric.to_owned(),
        value,
    }
}

/// Two images with the precisions `a` and `b`.
fn pair(method: &str, a: f64, b: f64) -> [Score; 2] {
    [
        score(7, method, "precision", a),
        score(8, method, "precision", b),
    ]
}

fn strings(values: &[(&str, &str)]) -> Vec<(String, String)> {
    values
        .iter()
        .map(|&(name, value)| (name.into(), value.into()))
        .collect()
}

fn cell(corpus: &str, seed: &str, accuracy: (f64, f64), scores: Vec<Score>) -> CellResult {
    CellResult {
        values: strings(&[
            ("corpus", corpus),
            ("depth", "1conv"),
            ("rate", "0.02"),
            ("seed", seed),
        ]),
        test_set: None,
        validation_accuracy: accuracy.0,
        test_accuracy: accuracy.1,
        regression: None,
        scores,
        maps: None,
    }
}

/// An axis whose levels have no titles of their own.
fn axis(name: &str, levels: &[&str]) -> Axis {
    let levels: Vec<Value> = levels
        .iter()
        .map(|&one| Value::Text(one.to_owned()))
        .collect();
    Axis::of(name, &levels)
}

/// Small enough to be computed by hand.
fn small() -> SweepResult {
    SweepResult {
        name: "small".to_owned(),
        axes: vec![
            axis("corpus", &["Mri", "Shapes, drawn"]),
            axis("depth", &["1conv"]),
        ],
        cells: vec![
            // Out of order, to see that the axes give the order.
            cell(
                "Shapes, drawn",
                "0",
                (0.75, 0.7),
                pair("saliency", 0.5, 0.5).to_vec(),
            ),
            cell(
                "Mri",
                "0",
                (0.9, 0.8),
                [pair("saliency", 0.2, 0.6), pair("lrp", 0.1, 0.3)].concat(),
            ),
            cell(
                "Mri",
                "1",
                (1.0, 0.9),
                [pair("saliency", 0.4, 0.8), pair("lrp", 0.1, 0.3)].concat(),
            ),
        ],
        references: vec![
            Reference {
                name: "Sobel filter".to_owned(),
                scores: [
                    &pair("sobel", 0.02, 0.04)[..],
                    &[score(7, "sobel", CHANCE, 0.03)],
                ]
                .concat(),
            },
            Reference {
                name: "Untrained network".to_owned(),
                scores: [pair("saliency", 0.1, 0.2), pair("lrp", 0.3, 0.4)].concat(),
            },
        ],
        reference_maps: None,
        classes: vec!["regular".to_owned(), "irregular".to_owned()],
    }
}

#[test]
fn table_csv() {
    let folder = tempfile::tempdir().unwrap();
    let paths = report::write(&small(), folder.path()).unwrap();
    assert_eq!(paths[0], folder.path().join("table.csv"));
    // Means and medians by hand. Two images are too few for an interval.
    insta::assert_snapshot!(fs::read_to_string(&paths[0]).unwrap(), @r#"
    baseline,corpus,depth,rate,seed,method,images,seeds,validation_accuracy,test_accuracy,precision_mean,precision_ci95_low,precision_ci95_high,precision_median
    ,Mri,1conv,0.02,0 1,saliency,2,2,0.950000,0.850000,0.500000,,,0.500000
    ,Mri,1conv,0.02,0 1,lrp,2,2,0.950000,0.850000,0.200000,,,0.200000
    ,"Shapes, drawn",1conv,0.02,0,saliency,2,1,0.750000,0.700000,0.500000,,,0.500000
    ,"Shapes, drawn",1conv,0.02,0,lrp,0,1,0.750000,0.700000,,,,
    Sobel filter,,,,,sobel,2,,,,0.030000,,,0.030000
    Untrained network,,,,,saliency,2,,,,0.150000,,,0.150000
    Untrained network,,,,,lrp,2,,,,0.350000,,,0.350000
    "#);
}

/// Each filter of a reference has a mean and a box of its own.
#[test]
fn filters_of_one_reference_are_not_pooled() {
    let mut result = small();
    let reference = &mut result.references[0];
    reference.name = "No network".to_owned();
    reference.scores = [pair("sobel", 0.1, 0.1), pair("laplace", 0.9, 0.9)].concat();
    let text = report::table_text(&result);
    for (title, saliency, lrp) in [
        ("No network: Sobel", "0.100", "0.100"),
        ("No network: Laplace", "0.900", "0.900"),
        ("Untrained network", "0.150", "0.350"),
    ] {
        let mut rows = text.lines().filter_map(|line| line.strip_prefix(title));
        let means = rows.next().unwrap_or_default().split_whitespace();
        assert!(means.eq([saliency, lrp]), "{title}: {text}");
    }
    let folder = tempfile::tempdir().unwrap();
    let paths = report::write(&result, folder.path()).unwrap();
    let [table, figure] = [0, 3].map(|at| fs::read_to_string(&paths[at]).unwrap());
    for (method, mean) in [("sobel", "0.1"), ("laplace", "0.9")] {
        let row = format!("No network,,,,,{method},2,,,,{mean}00000,");
        assert!(table.contains(&row), "{row}: {table}");
    }
    let boxes = |start: &str| {
        figure
            .lines()
            .filter(|line| line.starts_with(start))
            .count()
    };
    for panel in ["Saliency", "LRP"] {
        for (filter, value) in [("Sobel", "0.100000"), ("Laplace", "0.900000")] {
            assert_eq!(
                boxes(&format!("{panel},No network: {filter},,{value},")),
                1,
                "{figure}"
            );
        }
    }
}

/// A score of a measure without ground truth may be tiny, and must not become 0.
#[test]
fn small_numbers_keep_their_magnitude() {
    let mut result = small();
    result.cells.truncate(1);
    result.cells[0].scores = pair("saliency", 0.0, 2.5e-7).to_vec();
    result.references.clear();
    let folder = tempfile::tempdir().unwrap();
    let paths = report::write(&result, folder.path()).unwrap();
    let [table, figure] = [0, 3].map(|at| fs::read_to_string(&paths[at]).unwrap());
    let ends = ",1.250000e-7,,,1.250000e-7\n";
    assert!(table.ends_with(ends), "{table}");
    assert!(figure.contains(",1.250000e-7,"), "{figure}");
}

/// Quartiles by hand: NumPy's, between neighbours.
#[test]
fn figure_csv() {
    let folder = tempfile::tempdir().unwrap();
    let paths = report::write(&small(), folder.path()).unwrap();
    assert_eq!(paths[3], folder.path().join("figure.csv"));
    insta::assert_snapshot!(fs::read_to_string(&paths[3]).unwrap(), @r#"
    method,series,level,lower_whisker,lower_quartile,median,upper_quartile,upper_whisker,mean,accuracy,images
    Saliency,Sobel filter,,0.020000,0.025000,0.030000,0.035000,0.040000,0.030000,,2
    Saliency,Untrained network,,0.100000,0.125000,0.150000,0.175000,0.200000,0.150000,,2
    Saliency,Mri,1conv,0.200000,0.350000,0.500000,0.650000,0.800000,0.500000,0.850000,2
    Saliency,"Shapes, drawn",1conv,0.500000,0.500000,0.500000,0.500000,0.500000,0.500000,0.700000,2
    LRP,Sobel filter,,0.020000,0.025000,0.030000,0.035000,0.040000,0.030000,,2
    LRP,Untrained network,,0.300000,0.325000,0.350000,0.375000,0.400000,0.350000,,2
    LRP,Mri,1conv,0.100000,0.100000,0.200000,0.300000,0.300000,0.200000,0.850000,2
    Chance level,,,,,0.030000,,,,,
    "#);
}

/// Each corpus has images of its own under the same numbers.
#[test]
fn figures_have_titles_and_tables_have_names() {
    let mut result = small();
    result.axes[0] = Axis::of(
        "corpus",
        &[
            Value::Variant("Mri", "Slices"),
            Value::Variant("Shapes, drawn", "Drawings"),
        ],
    );
    let folder = tempfile::tempdir().unwrap();
    report::write(&result, folder.path()).unwrap();
    let text = |file: &str| fs::read_to_string(folder.path().join(file)).unwrap();
    let has = |file: &str, name: &str| text(file).contains(name);
    assert!(has("figure.svg", "Slices") && !has("figure.svg", "Mri"));
    assert!(has("figure.csv", "Saliency,Slices,1conv"));
    assert!(has("table.csv", "Mri") && !has("table.csv", "Slices"));
    assert!(report::table_text(&result).contains("Mri"));
}

#[test]
fn chance_levels_of_different_test_sets_are_not_mixed() {
    let with_level = |corpus: &str, chance: f64| {
        let levels =
            pair(CHANCE, chance, chance).map(|one| score(one.image, "", CHANCE, one.value));
        let scores = [pair("saliency", 0.25, 0.75).to_vec(), levels.to_vec()].concat();
        let mut cell = cell(corpus, "0", (0.9, 0.8), scores);
        cell.test_set = Some(Key::of(&corpus).unwrap());
        cell
    };
    let mut result = small();
    result.references.clear();
    let folder = tempfile::tempdir().unwrap();
    let written = |result: &SweepResult| {
        report::write(result, folder.path()).unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        (read("figure.csv"), read("figure.svg"))
    };
    let rows = |csv: &str| -> Vec<String> {
        let lines = csv.lines().filter(|line| line.contains("Chance level"));
        lines.map(str::to_owned).collect()
    };
    // The heights at which there are dashes. One is that of the legend's key.
    let heights = |svg: &str| {
        let lines = svg.lines().filter(|line| line.starts_with("<polyline"));
        let dashes = lines.filter(|line| line.contains("#5A5A5A"));
        let heights = dashes.map(|line| attribute(line, "points")).map(numbers);
        heights
            .map(|points| points[1] as i64)
            .collect::<BTreeSet<_>>()
            .len()
    };

    result.cells = vec![with_level("Mri", 0.125), with_level("Shapes, drawn", 0.125)];
    let (csv, of_panel) = written(&result);
    assert_eq!(rows(&csv), ["Chance level,,,,,0.125000,,,,,"]);
    assert!(report::table_text(&result).contains("(chance level 0.125)"));

    result.cells = vec![
        with_level("Mri", 0.125),
        with_level("Shapes, drawn", 0.0625),
    ];
    let (csv, of_boxes) = written(&result);
    assert_eq!(
        rows(&csv),
        [
            "Chance level,Mri,1conv,,,0.125000,,,,,",
            "Chance level,\"Shapes, drawn\",1conv,,,0.062500,,,,,",
        ]
    );
    assert!(report::table_text(&result).contains("(chance levels differ: see figure.csv)"));
    assert!(of_panel.contains("Chance level") && of_boxes.contains("Chance level"));
    assert_eq!((heights(&of_panel), heights(&of_boxes)), (2, 3));
}

/// A seed may choose the benchmark: two cells of one group, each with three images of its own under the same numbers.
#[test]
fn images_of_different_test_sets_in_one_group_are_different_images() {
    let with_set = |seed: &str, from: f64, chance: f64| {
        let of_image = |image: u32| {
            let value = from + f64::from(image) / 10.0;
            [
                score(image, "saliency", "precision", value),
                score(image, "", CHANCE, chance),
            ]
        };
        let mut cell = cell("Mri", seed, (0.9, 0.8), (0..3).flat_map(of_image).collect());
        cell.test_set = Some(Key::of(&seed).unwrap());
        cell
    };
    let mut result = small();
    result.references.clear();
    result.cells = vec![with_set("0", 0.0, 0.125), with_set("1", 0.5, 0.0625)];
    let folder = tempfile::tempdir().unwrap();
    let paths = report::write(&result, folder.path()).unwrap();
    let [table, figure] = [0, 3].map(|at| fs::read_to_string(&paths[at]).unwrap());
    let row: Vec<&str> = table.lines().nth(1).unwrap().split(',').collect();
    assert_eq!((row[5], row[6], row[7]), ("saliency", "6", "2"), "{table}");
    // The mean of six images is 0.35. Three images with the means 0.25, 0.35 and 0.45 would lie within these.
    let [mean, low, high] = [10, 11, 12].map(|column| row[column].parse::<f64>().unwrap());
    assert!(
        (mean - 0.35).abs() < 1e-9 && low < 0.25 && high > 0.45,
        "{table}"
    );
    let boxes = figure
        .lines()
        .find(|line| line.starts_with("Saliency"))
        .unwrap();
    assert!(boxes.ends_with(",6"), "{figure}");
    // The mean of both levels.
    assert!(figure.contains("\nChance level,,,,,0.093750,"), "{figure}");
}

/// Seven levels of the first axis are more than colours can tell apart.
#[test]
fn many_series_are_a_matrix_of_means() {
    let mut result = small();
    let levels: Vec<String> = (0..7).map(|at| format!("corpus {at}")).collect();
    let with_chance = |of: Vec<Score>| {
        let chance = pair(CHANCE, 0.1, 0.2).map(|one| score(one.image, "", CHANCE, one.value));
        [of, chance.to_vec()].concat()
    };
    result.cells = (levels.iter().enumerate())
        .map(|(at, corpus)| {
            let far = at as f64 / 10.0;
            let scores = pair("saliency", 0.3 - far / 3.0, 0.4 + far);
            cell(corpus, "0", (0.9, 0.8), with_chance(scores.to_vec()))
        })
        .collect();
    result.axes[0] = axis(
        "corpus",
        &levels.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    result.references.remove(0);
    let folder = tempfile::tempdir().unwrap();
    report::write(&result, folder.path()).unwrap();
    let svg = fs::read_to_string(folder.path().join("figure.svg")).unwrap();
    let texts: Vec<&str> = svg.lines().map(str::trim).collect();
    for expected in [
        "Saliency",
        "Untrained network: Saliency",
        "Chance level",
        "Test accuracy",
        "Images",
        "corpus 6",
    ] {
        assert!(texts.contains(&expected), "{expected} is missing");
    }
    // Means by hand: (0.3 - 0.2 + 0.4 + 0.6) / 2 for the last, and 0.35 for the first.
    assert!(texts.contains(&"0.35") && texts.contains(&"0.55"), "{svg}");
    // 0.40 above the chance level of 0.15 is the farthest, and has the full blue.
    assert!(texts.contains(&"+0.40") && texts.contains(&"-0.40"));
    assert!(svg.contains("fill=\"#0072B2\""));
    assert!(
        !svg.contains("Classification accuracy"),
        "there are no boxes"
    );
    let boxes = report::write(&small(), folder.path()).unwrap();
    assert!(
        fs::read_to_string(&boxes[1])
            .unwrap()
            .contains("Classification accuracy")
    );
}

#[test]
fn table_of_the_terminal() {
    insta::assert_snapshot!(report::table_text(&small()), @r"
    small: mean precision (chance level 0.030)

    corpus         depth  accuracy  Saliency    LRP
    Mri            1conv     0.850     0.500  0.200
    Shapes, drawn  1conv     0.700     0.500      -
    Sobel filter                       0.030  0.030
    Untrained network                  0.150  0.350
    ");
}

#[test]
fn a_second_report_replaces_the_first_and_is_equal() {
    let folder = tempfile::tempdir().unwrap();
    let read = |paths: Vec<_>| {
        paths
            .into_iter()
            .map(|path| fs::read(path).unwrap())
            .collect::<Vec<_>>()
    };
    let first = read(report::write(&small(), folder.path()).unwrap());
    let second = read(report::write(&small(), folder.path()).unwrap());
    assert!(first == second);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        4,
        "no partial file is left"
    );
}

/// An image with an empty ground truth has no score, but its maps have checks. A map of zeros may have no score either,
/// where other methods have one.
#[test]
fn checks_count_maps_of_scored_images() {
    let mut result = small();
    let scores = &mut result.cells[0].scores;
    scores.clear();
    for image in 0..10 {
        scores.push(score(image, "lrp", "precision", 0.5));
        let (metric, value) = match image {
            0 => (ZERO_MAP, 1.0),
            _ => ("precision", 0.5),
        };
        scores.push(score(image, "saliency", metric, value));
    }
    for image in 10..20 {
        scores.push(score(image, "saliency", ZERO_MAP, 1.0));
        scores.push(score(image, "saliency", COMPLETENESS_ERROR, 0.5));
    }
    result.cells.truncate(1);
    result.references.clear();
    let text = report::table_text(&result);
    let checks: Vec<_> = text.lines().filter(|line| line.contains("check")).collect();
    assert_eq!(
        checks,
        ["check: Saliency: 1 of 10 maps are 0 everywhere: they found nothing."]
    );
    let folder = tempfile::tempdir().unwrap();
    report::write(&result, folder.path()).unwrap();
    let csv = fs::read_to_string(folder.path().join("checks.csv")).unwrap();
    assert!(csv.contains(",saliency,10,1,0,0,0,,\n"), "{csv}");
    // Two cells have twice as many maps, also of the same images.
    let again = result.cells[0].clone();
    result.cells.push(again);
    let text = report::table_text(&result);
    assert!(text.contains("Saliency: 2 of 20 maps are 0"), "{text}");
}

/// Otherwise an archive of the folder holds them as results of this run. What the program has not written stays.
#[test]
fn files_of_an_earlier_report_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let names = || -> BTreeSet<String> {
        let entries = fs::read_dir(folder.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    };
    let analysis = |names: &[&str]| {
        let mut analysis = Analysis::default();
        for name in names {
            let mut table = Table::new(name, "A table", ["number"]);
            table.row([1_usize.into()]);
            analysis.table(table);
        }
        analysis
    };
    let mut earlier = two_metrics();
    earlier.cells[0]
        .scores
        .push(score(7, "saliency", ZERO_MAP, 1.0));
    report::write_all(&earlier, &analysis(&["first", "second"]), folder.path()).unwrap();
    let of_users = [
        "figure-mine.csv",
        "figure-mine.svg",
        "mine.csv",
        "notes.txt",
    ];
    for name in of_users {
        fs::write(folder.path().join(name), "method,mine\n").unwrap();
    }
    let before = names();
    for name in [
        "checks.csv",
        "figure-emd.csv",
        "figure-emd.png",
        "first.csv",
    ] {
        assert!(before.contains(name), "{name}: {before:?}");
    }

    let written = report::write_all(&small(), &analysis(&["second"]), folder.path()).unwrap();
    let written = written
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap());
    let expected: BTreeSet<String> = written.chain(of_users).map(str::to_owned).collect();
    assert_eq!(names(), expected);
    // The list of an analysis cannot name files of others.
    let list = r#"[{"name": "notes", "csv": "notes.txt"}, {"name": "../mine", "csv": "../mine.csv"}, {"csv": "mine.csv"}]"#;
    fs::write(folder.path().join("analysis.json"), list).unwrap();
    report::write_all(&small(), &analysis(&[]), folder.path()).unwrap();
    for name in of_users {
        assert!(names().contains(name), "{name}");
    }
    // An experiment that has only an analysis has no table and no figure.
    report::write_all(&earlier, &analysis(&["first"]), folder.path()).unwrap();
    let mut unscored = small();
    unscored.references.clear();
    unscored
        .cells
        .iter_mut()
        .for_each(|cell| cell.scores.clear());
    let written = report::write_all(&unscored, &analysis(&["second"]), folder.path()).unwrap();
    let written = written
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap());
    let expected: BTreeSet<String> = written.chain(of_users).map(str::to_owned).collect();
    assert_eq!(names(), expected);
    // A user's own file of the name stays.
    fs::write(folder.path().join("table.csv"), "mine\n").unwrap();
    report::write_all(&unscored, &analysis(&["second"]), folder.path()).unwrap();
    assert!(names().contains("table.csv"));
}

#[test]
fn figures_are_complete_files() {
    let folder = tempfile::tempdir().unwrap();
    let paths = report::write(&panels(5), folder.path()).unwrap();

    let svg = fs::read_to_string(&paths[1]).unwrap();
    assert!(svg.starts_with("<svg width=\"1300\"") && svg.trim_end().ends_with("</svg>"));
    assert!(
        svg.contains("viewBox=\"0 0 2600 ")
            && svg.contains("DejaVu Sans, Verdana, Arial, sans-serif")
    );
    for text in [
        "Saliency",
        "Integrated Gradients",
        "Sobel filter",
        "Untrained network",
        "Imagenet",
        "4conv",
    ] {
        assert!(svg.contains(text), "{text} is missing");
    }
    // In each of five panels 4 baselines and 2 x 5 boxes; one key each in the legend; the background.
    assert_eq!(svg.matches("<rect").count(), 5 * (4 + 2 * 5) + 6 + 1);

    let png = fs::read(&paths[2]).unwrap();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    assert_eq!(&png[12..16], b"IHDR");
    assert_eq!(u32::from_be_bytes(png[16..20].try_into().unwrap()), 2600);
    assert_eq!(&png[png.len() - 8..png.len() - 4], b"IEND");
}

#[test]
fn boxes_stand_where_their_numbers_are() {
    let folder = tempfile::tempdir().unwrap();
    let paths = report::write(&small(), folder.path()).unwrap();
    let svg = fs::read_to_string(&paths[1]).unwrap();

    // The highest value is 0.8, so the first panel's grid lines are 0, 0.2, 0.4, 0.6 and 0.8.
    let grid: Vec<f64> = svg
        .lines()
        .filter(|line| line.starts_with("<polyline") && line.contains("#DEDEDE"))
        .map(|line| numbers(attribute(line, "points"))[1])
        .take(5)
        .collect();
    let y = |value: f64| grid[0] + value / 0.8 * (grid[4] - grid[0]);

    // Mri, saliency: 0.2, 0.4, 0.6, 0.8, with the quartiles 0.35 and 0.65. The first of that colour
    // is the legend's key.
    let color = "fill=\"#CC79A7\"";
    let is_box = |line: &&str| line.starts_with("<rect") && line.contains(color);
    let rectangle = svg.lines().filter(is_box).nth(1).unwrap();
    let top = numbers(attribute(rectangle, "y"))[0];
    let bottom = top + numbers(attribute(rectangle, "height"))[0];
    assert!(
        (top - y(0.65)).abs() <= 1.0 && (bottom - y(0.35)).abs() <= 1.0,
        "{rectangle}"
    );

    // Its accuracy, the mean of 0.8 and 0.9, on a scale from 0.5 to 1 over the same height.
    let is_dot = |line: &&str| line.starts_with("<circle") && line.contains(color);
    let dot = svg.lines().find(is_dot).unwrap();
    let expected = y(0.8 * (0.85 - 0.5) / 0.5);
    assert!(
        (numbers(attribute(dot, "cy"))[0] - expected).abs() <= 1.0,
        "{dot}"
    );
}

/// The small sweep with a second metric of each explanation, larger by 0.5, and scores of a group of images.
fn two_metrics() -> SweepResult {
    let mut result = small();
    let cells = result.cells.iter_mut().map(|cell| &mut cell.scores);
    let references = result.references.iter_mut().map(|one| &mut one.scores);
    for scores in cells.chain(references) {
        for one in scores.clone() {
            let metric = if one.metric == CHANCE {
                "emd_chance".to_owned()
            } else {
                "emd".to_owned()
            };
            let value = one.value + 0.5;
            scores.push(Score {
                metric,
                value,
                ..one
            });
        }
    }
    let of_group = group_name("precision", "hard");
    result.cells[0]
        .scores
        .push(score(9, "saliency", &of_group, 0.9));
    result
}

#[test]
fn two_metrics_give_two_figures_and_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let paths = report::write(&two_metrics(), folder.path()).unwrap();
    let names: Vec<_> = paths
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "table.csv",
            "figure.svg",
            "figure.png",
            "figure.csv",
            "figure-emd.svg",
            "figure-emd.png",
            "figure-emd.csv"
        ]
    );
    let other = tempfile::tempdir().unwrap();
    let alone = report::write(&small(), other.path()).unwrap();
    let bytes = |path: &Path| fs::read(path).unwrap();
    for (one, of_two) in alone.iter().zip(&paths).skip(1) {
        assert!(bytes(one) == bytes(of_two), "{}", one.display());
    }
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    assert!(read(&paths[1]).contains("Explanation performance (precision)"));
    assert!(read(&paths[4]).contains("Explanation performance (EMD score)"));
    // Half more than those of the first metric; the scores of the group are nowhere.
    insta::assert_snapshot!(read(&paths[0]), @r#"
    baseline,corpus,depth,rate,seed,method,metric,images,seeds,validation_accuracy,test_accuracy,mean,ci95_low,ci95_high,median
    ,Mri,1conv,0.02,0 1,saliency,precision,2,2,0.950000,0.850000,0.500000,,,0.500000
    ,Mri,1conv,0.02,0 1,lrp,precision,2,2,0.950000,0.850000,0.200000,,,0.200000
    ,"Shapes, drawn",1conv,0.02,0,saliency,precision,2,1,0.750000,0.700000,0.500000,,,0.500000
    ,"Shapes, drawn",1conv,0.02,0,lrp,precision,0,1,0.750000,0.700000,,,,
    Sobel filter,,,,,sobel,precision,2,,,,0.030000,,,0.030000
    Untrained network,,,,,saliency,precision,2,,,,0.150000,,,0.150000
    Untrained network,,,,,lrp,precision,2,,,,0.350000,,,0.350000
    ,Mri,1conv,0.02,0 1,saliency,emd,2,2,0.950000,0.850000,1.000000,,,1.000000
    ,Mri,1conv,0.02,0 1,lrp,emd,2,2,0.950000,0.850000,0.700000,,,0.700000
    ,"Shapes, drawn",1conv,0.02,0,saliency,emd,2,1,0.750000,0.700000,1.000000,,,1.000000
    ,"Shapes, drawn",1conv,0.02,0,lrp,emd,0,1,0.750000,0.700000,,,,
    Sobel filter,,,,,sobel,emd,2,,,,0.530000,,,0.530000
    Untrained network,,,,,saliency,emd,2,,,,0.650000,,,0.650000
    Untrained network,,,,,lrp,emd,2,,,,0.850000,,,0.850000
    "#);
    insta::assert_snapshot!(read(&paths[6]), @r#"
    method,series,level,lower_whisker,lower_quartile,median,upper_quartile,upper_whisker,mean,accuracy,images
    Saliency,Sobel filter,,0.520000,0.525000,0.530000,0.535000,0.540000,0.530000,,2
    Saliency,Untrained network,,0.600000,0.625000,0.650000,0.675000,0.700000,0.650000,,2
    Saliency,Mri,1conv,0.700000,0.850000,1.000000,1.150000,1.300000,1.000000,0.850000,2
    Saliency,"Shapes, drawn",1conv,1.000000,1.000000,1.000000,1.000000,1.000000,1.000000,0.700000,2
    LRP,Sobel filter,,0.520000,0.525000,0.530000,0.535000,0.540000,0.530000,,2
    LRP,Untrained network,,0.800000,0.825000,0.850000,0.875000,0.900000,0.850000,,2
    LRP,Mri,1conv,0.600000,0.600000,0.700000,0.800000,0.800000,0.700000,0.850000,2
    Chance level,,,,,0.530000,,,,,
    "#);
    insta::assert_snapshot!(report::table_text(&two_metrics()), @r"
    small: mean precision (chance level 0.030)

    corpus         depth  accuracy  Saliency    LRP
    Mri            1conv     0.850     0.500  0.200
    Shapes, drawn  1conv     0.700     0.500      -
    Sobel filter                       0.030  0.030
    Untrained network                  0.150  0.350

    small: mean EMD score (chance level 0.530)

    corpus         depth  accuracy  Saliency    LRP
    Mri            1conv     0.850     1.000  0.700
    Shapes, drawn  1conv     0.700     1.000      -
    Sobel filter                       0.530  0.530
    Untrained network                  0.650  0.850
    ");
}

/// Counts of wrong pixels are better when they are small, and larger than shares.
#[test]
fn a_metric_of_errors_says_so() {
    let mut result = small();
    let cells = result.cells.iter_mut().map(|cell| &mut cell.scores);
    let references = result.references.iter_mut().map(|one| &mut one.scores);
    for score in cells.chain(references).flatten() {
        score.metric = score.metric.replace("precision", "false_positives");
        score.value *= 100.0;
    }
    let folder = tempfile::tempdir().unwrap();
    let paths = report::write(&result, folder.path()).unwrap();
    let svg = fs::read_to_string(&paths[1]).unwrap();
    assert!(svg.contains("Explanation errors (false positives; less is better)"));
    let table = fs::read_to_string(&paths[0]).unwrap();
    assert!(table.contains(",false_positives_mean,"), "{table}");
    assert!(table.contains("50.000000,,,50.000000"));
}

/// With four classes guessing is right one time in four.
#[test]
fn the_scale_of_accuracy_begins_at_the_chance_level_of_the_classes() {
    let labels = |classes: &[&str], accuracy: f64| {
        let mut result = small();
        result.classes = classes.iter().map(|name| (*name).to_owned()).collect();
        result.cells[0].test_accuracy = accuracy;
        let folder = tempfile::tempdir().unwrap();
        let paths = report::write(&result, folder.path()).unwrap();
        let svg = fs::read_to_string(&paths[1]).unwrap();
        // The right scale stands right of the panel, its labels to the right of their place.
        let lines: Vec<&str> = svg.lines().collect();
        let texts = lines.windows(2).filter(|pair| {
            pair[0].starts_with("<text") && pair[0].contains("text-anchor=\"start\"")
        });
        let labels = texts.filter_map(|pair| pair[1].parse::<f64>().ok());
        labels.fold(1.0, f64::min)
    };
    assert_eq!(labels(&["a", "b"], 0.7), 0.5);
    assert_eq!(labels(&["a", "b"], 0.4), 0.0);
    assert_eq!(labels(&["a", "b", "c", "d"], 0.4), 0.2);
    assert_eq!(labels(&["a", "b", "c", "d"], 0.1), 0.0);
}

/// The value of an attribute of an SVG tag.
fn attribute<'a>(tag: &'a str, name: &str) -> &'a str {
    let (_, rest) = tag.split_once(&format!(" {name}=\"")).unwrap();
    rest.split_once('"').unwrap().0
}

fn numbers(text: &str) -> Vec<f64> {
    let fields = text.split([' ', ',']).filter(|field| !field.is_empty());
    fields.map(|field| field.parse().unwrap()).collect()
}

#[test]
fn results_that_cannot_be_reported_say_why() {
    let refused = |change: fn(&mut SweepResult)| {
        let mut result = small();
        change(&mut result);
        let folder = tempfile::tempdir().unwrap();
        let error = report::write(&result, folder.path())
            .unwrap_err()
            .to_string();
        assert_eq!(report::table_text(&result), error);
        error
    };
    let error = refused(|r| r.cells[0].scores[1].value = f64::NAN);
    assert!(error.contains("`saliency` on image 8 is NaN"), "{error}");
    let error = refused(|r| r.cells[0].values[0].1 = "ImageNet".to_owned());
    assert!(
        error.contains("`ImageNet` is not a level of the axis `corpus`"),
        "{error}"
    );
    let error = refused(|r| drop(r.cells[0].values.remove(1)));
    assert!(error.contains("no value of the axis `depth`"), "{error}");
    let error = refused(|r| r.cells.clear());
    assert!(
        error.contains("no cell has a score, so there is nothing"),
        "{error}"
    );

    let file = tempfile::NamedTempFile::new().unwrap();
    let error = report::write(&small(), file.path())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(&file.path().display().to_string()),
        "{error}"
    );
}

/// A sweep as plausible as the paper's, with `methods` panels.
fn panels(methods: usize) -> SweepResult {
    let corpora = ["Imagenet", "MRI"];
    let depths = ["1conv", "2conv", "3conv", "4conv", "all"];
    let accuracy = [
        [0.744, 0.957, 0.989, 0.992, 0.990],
        [0.821, 0.931, 0.960, 0.967, 0.942],
    ];
    let names = the_eight(0).names();
    let mut cells = Vec::new();
    for (c, corpus) in corpora.iter().enumerate() {
        for (d, depth) in depths.iter().enumerate() {
            for seed in 0..3 {
                let scores = names[..methods].iter().enumerate().flat_map(|(m, method)| {
                    let center = accuracy[c][d] - 0.45 - 0.04 * m as f64;
                    sample(method, center, 0.04 + 0.01 * d as f64, seed)
                });
                cells.push(CellResult {
                    values: strings(&[
                        ("corpus", corpus),
                        ("depth", depth),
                        ("seed", &seed.to_string()),
                    ]),
                    test_set: None,
                    validation_accuracy: accuracy[c][d],
                    test_accuracy: accuracy[c][d] - 0.002 * seed as f64,
                    regression: None,
                    scores: scores.collect(),
                    maps: None,
                });
            }
        }
    }
    let filter = |name: &str, method: &str, center| Reference {
        name: name.to_owned(),
        scores: sample(method, center, 0.01, 0),
    };
    let mut baselines = vec![
        filter("Sobel filter", "sobel", 0.08),
        filter("Laplace filter", "laplace", 0.03),
        filter("Raw intensity", "intensity", 0.46),
        Reference {
            name: "Untrained network".to_owned(),
            scores: the_eight(0)
                .names()
                .iter()
                .flat_map(|method| sample(method, 0.18, 0.02, 0))
                .collect(),
        },
    ];
    baselines[0].scores.push(score(0, "sobel", CHANCE, 0.034));
    SweepResult {
        name: "fig4_best".to_owned(),
        axes: vec![axis("corpus", &corpora), axis("depth", &depths)],
        cells,
        references: baselines,
        reference_maps: None,
        classes: vec!["regular".to_owned(), "irregular".to_owned()],
    }
}

/// Precisions of 99 images with a logistic distribution round `center`, cut to 0..=1.
fn sample(method: &str, center: f64, scale: f64, seed: u32) -> Vec<Score> {
    let value = |image: u32| {
        let u = f64::from((image * 37 + seed * 11) % 99 + 1) / 100.0;
        (center + scale * (u / (1.0 - u)).ln()).clamp(0.0, 1.0)
    };
    (0..99)
        .map(|image| score(image, method, "precision", value(image)))
        .collect()
}

/// With a metric whose scores are all high, as those of the earth mover's distance are.
fn two_metrics_of(mut result: SweepResult) -> SweepResult {
    let cells = result.cells.iter_mut().map(|cell| &mut cell.scores);
    let references = result.references.iter_mut().map(|one| &mut one.scores);
    for scores in cells.chain(references) {
        for mut one in scores.clone() {
            one.metric = one.metric.replace("precision", "emd");
            one.value = 0.7 + 0.3 * one.value;
            scores.push(one);
        }
    }
    result
}

#[test]
#[ignore = "makes figures for people to look at"]
fn figures_to_look_at() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("figures");
    let mut one_axis = panels(5);
    one_axis.axes.remove(0);
    one_axis.cells.retain(|cell| cell.values[0].1 == "MRI");
    let mut long_names = panels(8);
    for (name, level) in long_names
        .cells
        .iter_mut()
        .flat_map(|cell| &mut cell.values)
    {
        if name == "depth" {
            *level = format!("{level} blocks of convolutions");
        }
    }
    let axis = &mut long_names.axes[1];
    for level in axis.levels.iter_mut().chain(&mut axis.titles) {
        *level = format!("{level} blocks of convolutions");
    }
    let mut no_axis = panels(2);
    no_axis.axes.clear();
    no_axis.references.clear();
    let mut poor = panels(3);
    for cell in &mut poor.cells {
        cell.test_accuracy -= 0.4;
        cell.scores.iter_mut().for_each(|score| score.value /= 10.0);
    }
    poor.references.remove(2);
    for (name, result) in [
        ("eight", panels(8)),
        ("five", panels(5)),
        ("one_panel", panels(1)),
        ("one_axis", one_axis),
        ("no_axis", no_axis),
        ("long_names", long_names),
        ("poor", poor),
        ("small", small()),
        ("two_metrics", two_metrics_of(panels(4))),
    ] {
        report::write(&result, &folder.join(name)).unwrap();
        println!("{}", report::table_text(&result));
    }
}
