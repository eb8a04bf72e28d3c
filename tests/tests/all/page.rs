//! Opens the `report.html` of a real run in Chromium without a window.
//!
//! If Chromium is not installed, these tests only print that. `.ci/run` installs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value as Json;
use xai_core::attribution::Shown;
use xai_core::lesions::prelude::*;
use xai_core::report;
use xai_core::sweep::declare::analysis::AnalysisItem;
use xai_core::sweep::execute::sweep;
use xai_core::sweep::keep::read_maps;
use xai_core::sweep::planned::SweepOptions;
use xai_core::sweep::read::SweepResult;

/// How does an untrained network's evidence <look> & "score", by what a sign counts as?
///
/// It trains nothing, so that the page is there in seconds.
#[experiment(skip("of no use here", |sign, size| sign == "signed" && size == 2))]
#[allow(dead_code)] // `size` and `seed` do nothing but multiply the cells
struct Evidence {
    #[axis(["absolute", "signed"])]
    sign: String,
    #[axis([1, 2])]
    size: usize,
    #[seed(2)]
    seed: u64,
}

impl Run for Evidence {
    type Benchmark = Lesions;
    type Model = Network;

    fn fit(&self, lab: &Lab) -> Result<Fitted<Network>> {
        Ok(Fitted {
            model: lab.untrained(0),
            validation: Validation {
                accuracy: 0.5,
                loss: 0.7,
                ..Validation::default()
            },
            history: Vec::new(),
        })
    }

    fn test(&self, fitted: &Fitted<Network>, lab: &Lab) -> Result<Scores> {
        let images = lab.test().classified_correctly_by_all()?;
        let mut scores = explain!(
            model = fitted.model,
            input = images,
            methods = [Saliency, InputXGradient, Lrp::epsilon(1e-9)],
            combine = match self.sign.as_str() {
                "absolute" => Sign::Absolute,
                _ => Sign::Signed,
            },
            score = Precision
        )?;
        // The same method at two settings: nobody can say which map belongs to which score, so none is shown.
        for (noise, name) in [(0.1, "smooth_grad"), (0.3, "smooth_grad_b")] {
            let mut more = explain!(
                model = fitted.model,
                input = images,
                methods = [SmoothGrad::of(Saliency).samples(1).absolute(noise)],
                score = Precision
            )?;
            for score in more
                .iter_mut()
                .filter(|score| score.method == "smooth_grad")
            {
                score.method = name.into();
            }
            scores.extend(more);
        }
        Ok(scores)
    }

    fn references(lab: &Lab) -> Result<Vec<Reference>> {
        let images = lab.test().classified_correctly_by_all()?;
        let sobel = explain!(input = images, methods = [Sobel], score = Precision)?;
        let other = explain!(
            model = lab.untrained(1),
            input = images,
            methods = [Saliency],
            score = Precision
        )?;
        Ok(vec![
            Reference::new("Sobel filter", sobel),
            Reference::new("Another network", other),
        ])
    }

    fn analysis(results: &Results<Self>, analysis: &mut Analysis) -> Result<()> {
        let mut table = Table::new("counts", "How many networks", ["networks"]);
        table.row([results.winners().count().into()]);
        analysis.table(table.caption("A table of the experiment's own."));
        let (_, tested) = results.winners().next().expect("a winner");
        let columns = tested.shown()?.into_iter().take(2);
        let columns = columns.map(|image| HeatMapColumn {
            title: format!("image {}", image.index),
            image,
        });
        let mut maps = HeatMaps::new("heat_maps", "Two images").caption("Side by side.");
        maps.block("One block", columns.collect());
        analysis.heat_maps(maps);
        Ok(())
    }
}

/// A finished run with its report, made once.
struct Made {
    _folder: tempfile::TempDir,
    dir: PathBuf,
    html: String,
    result: SweepResult,
}

static MADE: LazyLock<Made> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let options = SweepOptions {
        scale: Scale::Smoke,
        out: folder.path().to_owned(),
        quiet: true,
        ..SweepOptions::default()
    };
    let outcome = sweep::<Evidence>(
        &options,
        &Lesions::open(&Default::default(), options.scale).unwrap(),
    )
    .unwrap();
    let result = outcome.result.expect("no cell fails");
    let mut analysis = Analysis::default();
    let results = xai_core::results_in(&outcome.folder).unwrap();
    Evidence::analysis(&results, &mut analysis).unwrap();
    report::write_all(&result, &analysis, &outcome.folder).unwrap();
    let path = report::write_page(&result, &analysis, &outcome.folder, &outcome.folder).unwrap();
    Made {
        html: fs::read_to_string(path).unwrap(),
        result,
        dir: outcome.folder,
        _folder: folder,
    }
});

/// The maps that are kept are those that were scored: their precision is the score's, to the last bit.
#[test]
fn shown_maps_are_the_scored_ones() {
    let results = xai_core::results_in::<Evidence>(&MADE.dir).unwrap();
    let mut compared = 0;
    for (_, tested) in results.winners() {
        let shown = tested.shown().unwrap();
        assert_eq!(shown.len(), 6);
        for image in &shown {
            assert_eq!(image.maps.len(), 3);
            for (method, map) in &image.maps {
                let expected = Precision.score(map.view(), image.truth.view()).unwrap();
                let wanted = |score: &&Score| {
                    score.image == image.index
                        && score.method == *method
                        && score.metric == "precision"
                };
                let score = tested.scores.iter().find(wanted).unwrap();
                assert_eq!(Some(score.value), expected);
                assert_eq!(score.class, image.class);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 6 * 6 * 3);
    let (_, tested) = results.winners().next().unwrap();
    for method in ["smooth_grad", "smooth_grad_b"] {
        assert!(tested.scores.iter().any(|score| score.method == method));
    }
}

#[test]
fn a_page_says_what_was_run_and_what_to_beware_of() {
    let html = &MADE.html;
    for text in [
        "How does an untrained network&#39;s evidence &#60;look&#62; &#38; &#34;score&#34;",
        "It trains nothing, so that the page is there in seconds.",
        "2 at sign=signed size=2: of no use here",
        "Scale smoke checks that everything runs.",
        // What separates the two on a network without biases is the stabiliser alone.
        "Input × Gradient and LRP give the same map for every image shown",
        "A table of the experiment&#39;s own.",
        "Two images",
    ] {
        assert!(html.contains(text), "`{text}` is missing");
    }
    for outside in ["http:", "https:", "//cdn", "src=\"/", "@import", "url("] {
        let found = html
            .replace("http://www.w3.org/2000/svg", "")
            .replace("http://www.w3.org/1999/xlink", "");
        assert!(!found.contains(outside), "{outside} in the page");
    }
}

#[test]
fn every_metric_is_on_the_page() {
    let mut result = MADE.result.clone();
    let cells = result.cells.iter_mut().map(|cell| &mut cell.scores);
    for scores in cells.chain(result.references.iter_mut().map(|one| &mut one.scores)) {
        for mut one in scores.clone() {
            one.metric = one.metric.replace("precision", "auroc");
            scores.push(one);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path();
    let path = report::write_page(&result, &Analysis::default(), &MADE.dir, to).unwrap();
    let html = fs::read_to_string(path).unwrap();
    for text in [
        "Explanation performance (precision): of the k pixels",
        "Explanation performance (AUROC): the probability",
        "figure.svg, figure.png, figure.csv",
        "figure-auroc.svg, figure-auroc.png, figure-auroc.csv",
        "<dt>benchmark</dt><dd>lesions</dd>",
        "<dt>classes</dt><dd>regular lesions, irregular lesions</dd>",
    ] {
        assert!(html.contains(text), "`{text}` is missing");
        assert_eq!(
            MADE.html.contains(text),
            !text.contains("auroc") && !text.contains("AUROC")
        );
    }
    // Each map of the gallery says what it scored by both.
    let (_, gallery) = html.split_once("id=\"gallery-data\">").unwrap();
    let gallery: Json = serde_json::from_str(gallery.split_once("</script>").unwrap().0).unwrap();
    let cell = &result.cells[0];
    let image = read_maps(cell.maps.as_ref().unwrap()).unwrap().remove(0);
    let mut scores = cell.scores.iter();
    let score = scores.find(|score| score.image == image.index && score.method == image.maps[0].0);
    let value = score.unwrap().value;
    assert_eq!(
        gallery["cells"][0]["maps"][0][0][1],
        format!("precision {value:.3}, AUROC {value:.3}")
    );
}

/// An image with an empty ground truth has checks, and no score that a table shows.
#[test]
fn images_without_a_score_are_not_counted() {
    let mut result = MADE.result.clone();
    for (image, method, metric) in [
        (1000, "saliency", "zero_map"),
        (1001, "chance", "precision_chance"),
        (1002, "saliency", "precision:a_group"),
    ] {
        result.cells[0].scores.push(Score {
            image,
            class: 0,
            method: method.to_owned(),
            metric: metric.to_owned(),
            value: 1.0,
        });
    }
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path();
    let path = report::write_page(&result, &Analysis::default(), &MADE.dir, to).unwrap();
    let facts = |html: &str| {
        let facts = html.split_once("<p class=\"facts\">").unwrap().1;
        facts.split_once("</p>").unwrap().0.to_owned()
    };
    let found = facts(&fs::read_to_string(path).unwrap());
    assert!(found.contains("scored images"), "{found}");
    assert_eq!(found, facts(&MADE.html));
}

#[test]
fn a_damaged_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut result = MADE.result.clone();
    let page = |result: &SweepResult, run: &Path| {
        report::write_page(result, &Analysis::default(), run, folder.path())
    };
    let missing = page(&result, folder.path()).unwrap_err();
    assert!(missing.to_string().contains("plan.json"), "{missing}");
    let damaged = folder.path().join("maps.safetensors");
    fs::write(&damaged, "nothing").unwrap();
    result.cells[0].maps = Some(damaged.clone());
    let error = page(&result, &MADE.dir).unwrap_err();
    let error = error.to_string();
    assert!(
        error.starts_with(&damaged.display().to_string()) && error.contains("delete it"),
        "{error}"
    );
    assert!(read_maps(&damaged).is_err());
}

/// Put before everything else: what goes wrong is remembered.
const WATCH: &str = r#"<script>
const problems = [];
addEventListener("error", (event) => problems.push(`error: ${event.message}`), true);
addEventListener("unhandledrejection", (event) => problems.push(`rejection: ${event.reason}`));
addEventListener("securitypolicyviolation", (event) => problems.push(`outside: ${event.blockedURI}`));
for (const kind of ["error", "warn"]) console[kind] = (...words) => problems.push(`${kind}: ${words.join(" ")}`);
</script>"#;

/// Put after everything else: uses every control, and writes down what that did.
const USE: &str = r#"<script>
addEventListener("load", async () => {
  const find = (selector) => document.querySelector(`.gallery ${selector}`);
  const state = () => JSON.stringify([find(".view .heat").src, find(".view .heat").hidden, find(".view .image").src, find(".view path").getAttribute("d")]);
  const found = { controls: {}, missing: "" };
  const heat = find(".view .heat");
  // Pictures are decoded in real time, but Chromium skips the time in which a page only waits. So this works while it waits.
  const until = async (ready) => {
    while (!ready() || !heat.complete) {
      for (let at = 0; at < 1e6; at++) Math.sqrt(at);
      await new Promise((done) => setTimeout(done, 1));
    }
  };
  await until(() => heat.naturalWidth > 0);
  found.map = heat.naturalWidth;
  found.visible = !document.querySelector(".gallery").hidden && heat.getBoundingClientRect().width > 100;
  for (const label of document.querySelectorAll(".controls label")) {
    const before = state(), select = label.querySelector("select");
    select.selectedIndex = 1;
    select.dispatchEvent(new Event("change"));
    found.controls[label.firstChild.textContent] = before !== state();
    if (label.firstChild.textContent === "network") {
      select.selectedIndex = 0;
      select.dispatchEvent(new Event("change"));
    }
    if (label.firstChild.textContent === "size") {
      found.missing = find(".score").textContent; // signed, 2: skipped
      select.selectedIndex = 0;
      select.dispatchEvent(new Event("change"));
    }
  }
  const menus = [...document.querySelectorAll(".controls label")];
  const choose = (name, at) => {
    const select = menus.find((label) => label.firstChild.textContent === name).querySelector("select");
    select.selectedIndex = at;
    select.dispatchEvent(new Event("change"));
    return select;
  };
  found.networks = [...choose("network", 1).options].map((option) => option.text);
  found.disabled = menus.at(-1).querySelector("select").disabled;
  choose("method", 1);
  found.unexplained = find(".score").textContent;
  choose("method", 3);
  found.filter = find(".score").textContent;
  choose("network", 0);
  found.same_filter = find(".score").textContent;
  choose("method", 0);
  const slider = find(".slider input");
  const opacities = (value) => {
    slider.value = value;
    slider.dispatchEvent(new Event("input"));
    return [find(".view .image"), find(".view .heat")].map((one) => Number(getComputedStyle(one).opacity));
  };
  found.slider = [0, 50, 100].map(opacities);
  found.focusable = [...document.querySelectorAll(".gallery select, .gallery input, .gallery button")]
    .every((one) => { one.focus(); return document.activeElement === one; });
  // With one scale, the brightest shade of a map is its largest value as a share of that of all maps of the method.
  // The mean of the images, which is the last, has a scale of its own.
  const data = JSON.parse(document.getElementById("gallery-data").textContent);
  const brightest = () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [heat.naturalWidth, heat.naturalHeight];
    const context = canvas.getContext("2d");
    context.drawImage(heat, 0, 0);
    const bytes = context.getImageData(0, 0, canvas.width, canvas.height).data;
    const shades = new Set();
    for (let at = 0; at < bytes.length; at += 4) shades.add(bytes.slice(at, at + 3).join());
    return Math.max(...[...shades].map((color) => Math.abs(data.colors.findIndex((one) => one.join() === color) - 63) / 63));
  };
  choose("image", 0);
  choose("sign", 0);
  const values = (image) => [...data.cells, ...data.baselines].map((cell) => cell.maps[image][0]).filter((map) => map).map((map) => map[2]);
  const last = data.images.length - 1;
  const every = [...Array(last).keys()].flatMap(values);
  const [first, mean] = [0, last].map((at) => data.cells[0].maps[at][0][0]);
  await until(() => heat.src === first);
  found.own_scale = brightest();
  find(".scale").click();
  await until(() => heat.src !== first);
  found.one_scale = [brightest(), data.cells[0].maps[0][0][2] / Math.max(...every)];
  choose("image", last);
  await until(() => heat.src !== mean);
  found.mean = [find(".score").textContent, brightest(), data.cells[0].maps[last][0][2] / Math.max(...values(last))];
  find(".scale").click();
  choose("image", 1);
  const box = find(".check input");
  box.click();
  found.outlines = getComputedStyle(find(".view .outline")).display;
  const buttons = document.querySelectorAll(".strip button");
  buttons[2].click();
  found.button = [find(".score").textContent, buttons[2].getAttribute("aria-pressed"), buttons[0].getAttribute("aria-pressed")];
  found.requests = performance.getEntriesByType("resource").map((entry) => entry.name).filter((name) => !name.startsWith("data:"));
  found.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  found.problems = problems;
  const out = document.createElement("pre");
  out.id = "found";
  out.textContent = JSON.stringify(found);
  document.body.append(out);
});
</script>"#;

/// The browser, if there is one.
fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let mut places = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let found = places.find(|place| place.is_file());
    if found.is_none() {
        eprintln!("no Chromium in PATH: the page is not looked at");
    }
    found
}

/// What the page of this HTML showed in a window of this width.
fn opened(browser: &Path, html: &str, width: u32) -> Json {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    let html = html.replacen("<head>", &format!("<head>{WATCH}"), 1);
    let html = html.replacen("</body>", &format!("{USE}</body>"), 1);
    fs::write(&page, html).unwrap();
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ])
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
        .arg(format!("--window-size={width},900"))
        .args(["--virtual-time-budget=10000", "--dump-dom"])
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout);
    let found = dom
        .split_once("<pre id=\"found\">")
        .and_then(|(_, rest)| rest.split_once("</pre>"));
    let (found, _) = found.unwrap_or_else(|| {
        panic!(
            "the page's script did not end: {}",
            String::from_utf8_lossy(&output.stderr)
        )
    });
    let found = found
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    serde_json::from_str(&found).unwrap()
}

#[test]
fn the_page_works_in_a_browser() {
    let Some(browser) = browser() else { return };
    // Chromium's windows are no narrower than 500 pixels.
    for width in [1280, 500] {
        let found = opened(&browser, &MADE.html, width);
        let none = Json::Array(Vec::new());
        assert_eq!(found["problems"], none, "at {width}");
        assert_eq!(found["requests"], none, "at {width}");
        assert_eq!(found["map"], 64);
        assert_eq!(found["visible"], true);
        for control in ["image", "method", "network", "sign"] {
            assert_eq!(
                found["controls"][control], true,
                "{control} at {width}: {found}"
            );
        }
        assert_eq!(found["missing"], "There is no such network in this run.");
        assert_eq!(
            found["networks"],
            serde_json::json!(["trained", "Another network"])
        );
        assert_eq!(found["disabled"], true);
        let unexplained = "This network's explanations of this image were not scored.";
        assert_eq!(found["unexplained"], unexplained);
        let filter = found["filter"].as_str().unwrap();
        assert!(filter.starts_with("Sobel: precision 0."), "{filter}");
        assert_eq!(found["same_filter"], filter);
        assert_eq!(found["slider"], serde_json::json!([[1, 0], [1, 1], [0, 1]]));
        assert_eq!(found["own_scale"], 1.0);
        let near = |shade: &Json, share: &Json| {
            let off = shade.as_f64().unwrap() - share.as_f64().unwrap();
            assert!(off.abs() <= 0.5 / 63.0 + 1e-6, "{shade} for {share}");
        };
        near(&found["one_scale"][0], &found["one_scale"][1]);
        assert_eq!(found["mean"][0], "Saliency: mean of 6 maps");
        near(&found["mean"][1], &found["mean"][2]);
        assert_eq!(found["outlines"], "none");
        let lrp = found["button"][0].as_str().unwrap();
        assert!(lrp.starts_with("LRP: precision 0."), "{lrp}");
        assert_eq!(found["button"][1], "true");
        assert_eq!(found["button"][2], "false");
        assert_eq!(found["focusable"], true);
        assert_eq!(found["overflow"], 0, "the page is wider than {width}");
    }
}

/// The test above would see a request and an error, had there been any.
#[test]
fn what_the_browser_test_looks_for_can_be_found() {
    let Some(browser) = browser() else { return };
    let outside = "<img src=\"https://example.org/a.png\" alt=\"\"></body>";
    let broken = format!("<script>console.error(\"broken\")</script>{outside}");
    let found = opened(&browser, &MADE.html.replacen("</body>", &broken, 1), 1280);
    let problems = found["problems"].to_string();
    assert!(problems.contains("error: broken"), "{problems}");
    assert!(
        problems.contains("outside: https://example.org"),
        "{problems}"
    );
}

/// A figure of the analysis is embedded as it is written.
#[test]
fn figures_of_the_analysis_are_files_and_part_of_the_page() {
    let svg = fs::read_to_string(MADE.dir.join("heat_maps.svg")).unwrap();
    assert_eq!(svg.matches("<image").count(), 2 * 3);
    assert!(MADE.html.contains(svg.trim_start()), "the same drawing");
    let csv = fs::read_to_string(MADE.dir.join("heat_maps.csv")).unwrap();
    assert_eq!(
        csv.lines().next(),
        Some("block,column,method,image,precision")
    );
    assert_eq!(csv.lines().count(), 1 + 2 * 3);
    assert!(
        fs::read(MADE.dir.join("heat_maps.png"))
            .unwrap()
            .starts_with(b"\x89PNG")
    );
    // A map of half the strength looks the same on its own scale, and darker on that of its row.
    let cell = MADE.result.cells[0].maps.as_ref().unwrap();
    let image = read_maps(cell).unwrap().remove(0);
    let mut weaker = image.clone();
    weaker.maps.iter_mut().for_each(|(_, map)| *map /= 2.0);
    let column = |image: &Shown| HeatMapColumn {
        title: String::new(),
        image: image.clone(),
    };
    let mut own = HeatMaps::new("own", "");
    own.block("", vec![column(&image), column(&weaker)]);
    let mut one = own.clone().one_scale_per_row();
    one.heading.name = "one".to_owned();
    let both = Analysis {
        parts: vec![AnalysisItem::HeatMaps(own), AnalysisItem::HeatMaps(one)],
    };
    let drawn = tempfile::tempdir().unwrap();
    report::write_analysis(&both, drawn.path()).unwrap();
    let pictures = |name: &str| {
        let svg = fs::read_to_string(drawn.path().join(name)).unwrap();
        let parts: Vec<String> = (svg.split("base64,").skip(1))
            .map(|part| part.split('"').next().unwrap().to_owned())
            .collect();
        parts
    };
    let (own, one) = (pictures("own.svg"), pictures("one.svg"));
    assert_eq!((own.len(), one.len()), (2 * 3, 2 * 3));
    assert_eq!(own[..3], own[3..]);
    assert_eq!(own[..3], one[..3]);
    assert!((0..3).all(|at| one[at] != one[3 + at]));
    let none = HeatMaps::new("nothing", "");
    let analysis = Analysis {
        parts: vec![AnalysisItem::HeatMaps(none)],
    };
    let folder = tempfile::tempdir().unwrap();
    let unscored = xai_core::sweep::read::SweepResult {
        name: "none".to_owned(),
        axes: Vec::new(),
        cells: Vec::new(),
        references: Vec::new(),
        reference_maps: None,
        classes: vec!["regular".to_owned(), "irregular".to_owned()],
    };
    // A restricted run may have nothing to draw.
    report::write_all(&unscored, &analysis, folder.path()).unwrap();
    assert!(!folder.path().join("nothing.csv").exists());
    assert!(!folder.path().join("nothing.svg").exists());
    assert!(report::text_of_all(&unscored, &analysis).contains("nothing.svg is not written"));
}
