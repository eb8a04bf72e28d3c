//! What an experiment adds to its report. To look at the charts:
//! `cargo test --release -p tests --test all analysis:: -- --ignored`, then see `target/tmp/charts`.

use std::fs;
use std::path::Path;

use tests::Points;
use xai_core::device::Device;
use xai_core::lesions::Depth;
use xai_core::prelude::*;
use xai_core::report;
use xai_core::statistics::Interval;
use xai_core::sweep::declare::analysis::AnalysisItem;
use xai_core::sweep::read::{CellResult, SweepResult};

/// What is right about the first class only: every second of four images.
struct Half;

impl Model for Half {
    fn save(&self, path: &Path) -> Result<()> {
        fs::write(path, "half").map_err(|error| Error::file(path, error))
    }

    fn load(_: &Path, _: &Device) -> Result<Self> {
        Ok(Self)
    }

    fn predict(&self, _: &Examples) -> Result<Vec<Vec<f64>>> {
        Ok(vec![vec![0.75, 0.25]; 4])
    }
}

#[experiment]
struct Halves {
    #[axis([Depth::Conv1, Depth::All])]
    depth: Depth,
}

impl Run for Halves {
    type Benchmark = Points<4, 2>;
    type Model = Half;

    fn fit(&self, _: &Lab<Points<4, 2>>) -> Result<Fitted<Half>> {
        Ok(Fitted {
            model: Half,
            validation: Validation::default(),
            history: Vec::new(),
        })
    }

    fn test(&self, _: &Fitted<Half>, _: &Lab<Points<4, 2>>) -> Result<Scores> {
        Ok(Vec::new())
    }

    // ANCHOR: analysis
    fn analysis(results: &Results<Self>, analysis: &mut Analysis) -> Result<()> {
        let mut table = Table::new("by_depth", "Accuracy by depth", ["depth", "accuracy"]);
        for (cell, tested) in results.winners() {
            table.row([cell.parameters.depth.name().into(), tested.accuracy.into()]);
        }
        analysis.table(table.caption("One network a row."));
        Ok(())
    }
    // ANCHOR_END: analysis
}

#[test]
fn an_analysis_sees_the_finished_run() {
    insta::assert_snapshot!(report::snapshot::<Halves>(Scale::Smoke), @r"
    Accuracy by depth
    depth,accuracy
    1conv,0.50
    all,0.50
    ");
}

/// A run that scored nothing.
fn unscored() -> SweepResult {
    SweepResult {
        name: "counting".to_owned(),
        axes: Vec::new(),
        cells: vec![CellResult {
            values: Vec::new(),
            test_set: None,
            validation_accuracy: 0.5,
            test_accuracy: 0.5,
            regression: None,
            scores: Vec::new(),
            maps: None,
        }],
        references: Vec::new(),
        reference_maps: None,
        classes: vec!["regular".to_owned(), "irregular".to_owned()],
    }
}

fn table() -> Table {
    let mut table = Table::new(
        "by_method",
        "Accuracy against precision",
        ["method", "networks", "pearson", "p_value"],
    );
    table.row(["lrp".into(), 12.into(), 0.5.into(), 1e-9.into()]);
    let (none, missing) = (None::<f64>.into(), f64::NAN.into());
    table.row(["a, \"quoted\" one".into(), 3.into(), none, missing]);
    table.caption("One point a network.")
}

/// Two kinds of networks, `methods` panels.
fn curves(methods: usize) -> Curves {
    let mut curves = Curves::new(
        "along_training",
        "Precision along training",
        "Accuracy",
        "Precision",
    );
    for method in 0..methods {
        let curve = |series: &str, seed: usize, height: f64| Curve {
            series: series.to_owned(),
            points: (0..6)
                .map(|epoch| {
                    let x = 0.5 + 0.09 * epoch as f64;
                    let wave = ((seed * 7 + epoch * 3 + method) % 5) as f64;
                    [x, height + 0.05 * epoch as f64 + 0.01 * wave]
                })
                .collect(),
            joined: true,
        };
        let all = (0..3).flat_map(|seed| [curve("mri", seed, 0.2), curve("shapes", seed, 0.1)]);
        curves.panel(format!("Method {method}"), all.collect());
    }
    curves.caption("One curve a training.")
}

fn forest(methods: usize, rows: usize) -> Forest {
    let names = (1..=rows).map(|row| format!("D{row} what is done"));
    let mut forest = Forest::new(
        "defects",
        "What a defect changes",
        "Difference of precision",
        names,
    );
    for method in 0..methods {
        let estimates = (0..rows).flat_map(|row| {
            ["mri", "shapes"].into_iter().map(move |series| {
                let value = 0.04 * ((row * 3 + method + series.len()) % 7) as f64 - 0.08;
                Estimate {
                    row,
                    series: series.to_owned(),
                    value,
                    interval: (row != 2).then_some(Interval {
                        low: value - 0.03,
                        high: value + 0.04,
                    }),
                }
            })
        });
        forest.panel(format!("Method {method}"), estimates.collect());
    }
    forest
}

fn all() -> Analysis {
    let mut analysis = Analysis::default();
    analysis.table(table());
    analysis.curves(curves(2));
    analysis.forest(forest(1, 3));
    analysis
}

#[test]
fn tables_are_for_programs_and_for_people() {
    let folder = tempfile::tempdir().unwrap();
    report::write_all(&unscored(), &all(), folder.path()).unwrap();
    let csv = fs::read_to_string(folder.path().join("by_method.csv")).unwrap();
    insta::assert_snapshot!(csv, @r#"
    method,networks,pearson,p_value
    lrp,12,0.500000,1.000000e-9
    "a, ""quoted"" one",3,,
    "#);
    insta::assert_snapshot!(report::text_of_all(&unscored(), &all()), @r#"

    Accuracy against precision

    method           networks  pearson  p value
    lrp                    12    0.500     1e-9
    a, "quoted" one         3        -        -
    "#);
}

#[test]
fn every_part_is_on_disk_and_in_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let paths = report::write_all(&unscored(), &all(), folder.path()).unwrap();
    let names: Vec<_> = paths
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect();
    let expected = [
        "by_method.csv",
        "along_training.csv",
        "along_training.svg",
        "along_training.png",
        "defects.csv",
        "defects.svg",
        "defects.png",
        "analysis.json",
    ];
    assert_eq!(names, expected);
    assert!(paths.iter().all(|path| path.exists()));
    let list: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.path().join("analysis.json")).unwrap()).unwrap();
    assert_eq!(list[0]["svg"], serde_json::Value::Null);
    assert_eq!(list[1]["svg"], "along_training.svg");
    assert_eq!(list[1]["caption"], "One curve a training.");
    // What is drawn, to the last point.
    let csv = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let points = csv("along_training.csv");
    assert_eq!(points.lines().count(), 1 + 2 * 6 * 6);
    assert_eq!(
        points.lines().next().unwrap(),
        "panel,curve,series,Accuracy,Precision"
    );
    assert_eq!(
        points.lines().nth(2).unwrap(),
        "Method 0,0,mri,0.590000,0.280000"
    );
    let estimates = csv("defects.csv");
    assert_eq!(
        estimates.lines().nth(1).unwrap(),
        "Method 0,D1 what is done,mri,0.040000,0.010000,0.080000"
    );
    assert_eq!(
        estimates.lines().nth(5).unwrap(),
        "Method 0,D3 what is done,mri,0.000000,,"
    );

    // A later run without an analysis leaves no list of one.
    let mut scored = unscored();
    scored.cells[0].scores.push(Score {
        image: 0,
        class: 0,
        method: "lrp".to_owned(),
        metric: "precision".to_owned(),
        value: 0.5,
    });
    report::write_all(&scored, &Analysis::default(), folder.path()).unwrap();
    assert!(!folder.path().join("analysis.json").exists());
    assert!(folder.path().join("table.csv").exists());
}

#[test]
fn names_and_contents_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |part: AnalysisItem| {
        let analysis = Analysis { parts: vec![part] };
        let error = report::write_all(&unscored(), &analysis, folder.path());
        error.unwrap_err().to_string()
    };
    let named = |name: &str| AnalysisItem::Table(Table::new(name, "", ["a"]));
    assert!(refused(named("../up")).contains("`../up` of a table or chart is not in snake case"));
    for name in ["table", "figure", "checks"] {
        assert!(refused(named(name)).contains("is taken by the experiment's own"));
    }
    let mut uneven = table();
    uneven.row(["one".into()]);
    assert!(
        refused(AnalysisItem::Table(uneven)).contains("`by_method` has 1 entries for 4 columns")
    );
    let mut beyond = forest(1, 3);
    beyond.rows.pop();
    assert!(refused(AnalysisItem::Forest(beyond)).contains("a row that is not there"));
    let twice = Analysis {
        parts: vec![AnalysisItem::Table(table()), AnalysisItem::Table(table())],
    };
    let error = report::write_all(&unscored(), &twice, folder.path()).unwrap_err();
    assert!(error.to_string().contains("is there twice"));
}

/// A restricted run may lack what a chart compares.
#[test]
fn charts_with_nothing_to_draw_have_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let parts = vec![
        AnalysisItem::Table(table()),
        AnalysisItem::Curves(curves(0)),
        AnalysisItem::Forest(forest(0, 3)),
    ];
    let names = ["along_training", "defects"];
    let analysis = Analysis { parts };
    let paths = report::write_all(&unscored(), &analysis, folder.path()).unwrap();
    let text = report::text_of_all(&unscored(), &analysis);
    assert_eq!(paths.len(), 2, "the table and the list: {paths:?}");
    for name in names {
        assert!(!folder.path().join(format!("{name}.csv")).exists());
        assert!(
            text.contains(&format!("{name}.svg is not written")),
            "{text}"
        );
    }
}

#[test]
#[ignore = "for eyes"]
fn charts_to_look_at() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("charts");
    for (name, part) in [
        ("curves_1", AnalysisItem::Curves(curves(1))),
        ("curves_8", AnalysisItem::Curves(curves(8))),
        ("forest_1", AnalysisItem::Forest(forest(1, 10))),
        ("forest_5", AnalysisItem::Forest(forest(5, 10))),
    ] {
        let analysis = Analysis { parts: vec![part] };
        report::write_all(&unscored(), &analysis, &folder.join(name)).unwrap();
    }
}
