//! What counts as a change, on the text of one file. A test of the workspace edits a file and runs it
//! (`tests/tests/all/stale.rs`).

use std::fs;

use super::{Code, Place};

/// The code of an experiment that includes no file.
fn code(source: &str, experiment: &str) -> Option<Code> {
    super::code(source, experiment, Place::compiled(None))
}

const FILE: &str = r##"
//! A file.
use std::collections::BTreeMap;
use xai_core::prelude::*;

/// For fits.
const STEPS: usize = 3;
const WEIGHT: f64 = 0.5;
const TITLE: &str = "a title";

#[derive(Clone, Copy, Level)]
enum Depth { Shallow, Deep }

#[experiment(select(max = |v| v.accuracy))]
struct Study {
    #[axis] depth: Depth,
    #[tune(|depth| rates(depth))] rate: f64,
    #[seed(3)] seed: u64,
}

fn rates(_: Depth) -> Vec<f64> { vec![0.1] }
fn train(steps: usize) -> Number { Number(once(steps)) }
fn once(steps: usize) -> f64 { match steps { 0 => 1.0, _ => steps as f64 } }
fn weighted(number: f64) -> f64 { number * WEIGHT }
fn median(numbers: &[f64]) -> f64 { numbers[0] }

struct Number(f64);
impl Number {
    fn half(&self) -> f64 { self.0 / 2.0 }
    fn text(&self) -> String { TITLE.to_owned() }
}
impl Model for Number { fn save(&self) {} }
struct Legend;
impl Legend { fn half() -> f64 { 1.0 } }

impl Run for Study {
    type Benchmark = Lesions;
    type Model = Number;
    const FIT_VERSION: u32 = 1;
    fn fit(&self, lab: &Lab) -> Result<Fitted<Number>> {
        let table: BTreeMap<String, f64> = BTreeMap::new();
        lab.fit(train(STEPS), table, self.rate)
    }
    fn test(&self, fitted: &Fitted<Number>, lab: &Lab) -> Result<Scores> {
        explain! { model = fitted.model, input = lab.test().all()?, methods = [Saliency, DeepLift],
            score = weighted(fitted.model.half()) }
    }
    fn references(lab: &Lab) -> Result<Vec<Reference>> { Ok(vec![]) }
    fn analysis(results: &Results<Self>, analysis: &mut Analysis) -> Result<()> {
        let _ = (median(&[1.0]), Number(1.0).text());
        Ok(())
    }
}

fn main() -> ExitCode { xai_core::run::<Study>() }

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn a_test() { assert_eq!(train(STEPS).half(), 1.5); }
}
"##;

/// Whether the keys of the model and of the scores change with an edit.
fn changed(edits: &[(&str, &str)]) -> [bool; 2] {
    let mut text = FILE.to_owned();
    for (before, after) in edits {
        assert!(text.contains(before), "{before}");
        text = text.replacen(before, after, 1);
    }
    let [before, after] = [FILE, &text].map(|text| code(text, "Study").expect("Rust"));
    let Code { fit, test, .. } = before;
    [fit != after.fit, test != after.test]
}

const NOTHING: [bool; 2] = [false, false];
const FIT: [bool; 2] = [true, false];
const SCORES: [bool; 2] = [false, true];
const BOTH: [bool; 2] = [true, true];

#[test]
fn each_key_has_what_it_uses() {
    let Code { fit, test, .. } = code(FILE, "Study").unwrap();
    let titles = |items: std::collections::BTreeMap<String, String>| {
        items.into_keys().collect::<Vec<_>>().join(", ")
    };
    assert_eq!(
        titles(fit),
        "Benchmark, Depth, Model, Number, STEPS, Study, fit, impl Model for Number, once, train, \
         use std::collections::BTreeMap, use xai_core::prelude::*"
    );
    assert_eq!(
        titles(test),
        "Benchmark, Depth, Model, Number, Number::half, Study, WEIGHT, impl Model for Number, references, test, \
         use xai_core::prelude::*, weighted"
    );
}

#[test]
fn comments_layout_docs_and_unused_imports_change_nothing() {
    for edit in [
        ("fn once(", "// why\n/* and */ fn   once(\n"),
        ("/// For fits.", "/// For fits, and more."),
        ("//! A file.", "//! Another text."),
        ("fn train(steps: usize)", "fn train(steps: usize,)"),
        ("Number(once(steps))", "Number(\n once(\n steps,\n ),\n )"),
        ("0 => 1.0, _", "0 => {\n 1.0\n }\n _"),
        (
            "methods = [Saliency, DeepLift]",
            "methods = [Saliency, DeepLift,]",
        ),
        ("explain! {", "explain! { // on these images\n"),
        ("use std::", "use std::fmt::Debug;\nuse std::"),
        (
            "use std::collections::BTreeMap;",
            "use std::{collections::{BTreeMap, HashMap}};",
        ),
        ("fn train(", "#[allow(dead_code)]\nfn train("),
        ("assert_eq!(train(STEPS).half(), 1.5);", ""),
        ("fn main()", "fn unused() {}\nfn main()"),
        ("run::<Study>()", "run::<Study>() /* runs */"),
    ] {
        assert_eq!(changed(&[edit]), NOTHING, "{edit:?}");
    }
    // The order of items means nothing either.
    let line = "const WEIGHT: f64 = 0.5;\n";
    assert_eq!(
        changed(&[(line, ""), ("fn main()", &format!("{line}fn main()"))]),
        NOTHING
    );
}

#[test]
fn a_fit_changes_with_all_that_it_reaches() {
    for edit in [
        ("self.rate)", "self.rate * 2.0)"),
        ("STEPS: usize = 3", "STEPS: usize = 4"),
        ("0 => 1.0", "0 => 1.5"),
        ("use std::collections::BTreeMap;", "use other::BTreeMap;"),
        ("-> Number { Number", "-> Number { return Number"),
    ] {
        assert_eq!(changed(&[edit]), FIT, "{edit:?}");
    }
    for edit in [
        ("fn save(&self) {}", "fn save(&self) { let _ = 1; }"),
        (
            "struct Number(f64)",
            "#[derive(Default)] struct Number(f64)",
        ),
        (
            "use xai_core::prelude::*;",
            "use xai_core::lesions::prelude::*;",
        ),
    ] {
        assert_eq!(changed(&[edit]), BOTH, "{edit:?}");
    }
}

#[test]
fn an_item_that_a_string_names_is_reached() {
    let drawn = "lab.fit(draw(&format!(\"noise/{SALT}\")),";
    let read = "#[serde(default = \"start\")] struct Number";
    for (at, using, item) in [
        ("lab.fit(", drawn, "const SALT: u32 = 1;"),
        ("struct Number", read, "fn start() -> f64 { 1.0 }"),
    ] {
        let using = FILE.replacen(at, using, 1);
        let fit = |item: &str| code(&format!("{using}{item}"), "Study").unwrap().fit;
        assert_ne!(fit(item), fit(&item.replace('1', "2")), "{item}");
        // Nothing reaches another item.
        let other = format!("{item} fn other() {{}}");
        assert_eq!(fit(item), fit(&other), "{item}");
    }
}

#[test]
fn included_files_count() {
    let folder = tempfile::tempdir().unwrap();
    let code =
        |text: &str| super::code(text, "Study", Place::compiled(Some(folder.path()))).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let up = "/..".repeat(30); // from this package to the root
    let path = folder.path().join("data.txt");
    let absolute = format!(
        "include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\",), \"{up}{}\"))",
        path.display()
    );
    write(
        "inner.rs",
        "include_str!(std::concat!(\"data\", '.', \"txt\"))",
    );
    for (include, other) in [
        ("include_str!(\"data.txt\")", "2 ,"),
        ("std::include_bytes!(r\"data.txt\")", "3 ,"),
        ("include!(\"data.txt\")", "STEPS"),
        (absolute.as_str(), "2"),
        ("include!(\"inner.rs\")", "2"),
    ] {
        let of_fit = FILE.replacen("self.rate)", &format!("self.rate, {include})"), 1);
        let missing = code(&of_fit);
        write("data.txt", "1");
        let before = code(&of_fit);
        assert_ne!(missing.fit, before.fit, "{include}");
        write("data.txt", other);
        let after = code(&of_fit);
        assert_ne!(before.fit, after.fit, "{include}");
        assert_eq!(before.test, after.test, "{include}");
        // Nothing uses this file.
        let unused = format!("{FILE} const UNUSED: &str = {include};");
        assert_eq!(code(&unused).fit, code(FILE).fit, "{include}");
        fs::remove_file(folder.path().join("data.txt")).unwrap();
    }
    // Comments in included code mean nothing, and what it names counts.
    let of_fit = FILE.replacen("self.rate)", "self.rate, include!(\"code.rs\"))", 1);
    write("code.rs", "weighted(1.0)");
    let before = code(&of_fit);
    write("code.rs", "// a comment\nweighted(1.0)");
    assert_eq!(code(&of_fit), before);
    let other = of_fit.replacen("WEIGHT: f64 = 0.5", "WEIGHT: f64 = 0.25", 1);
    assert_ne!(code(&other).fit, before.fit);
    // Files that include each other are an error of the compiler's.
    write("code.rs", "include!(\"code.rs\")");
    assert_ne!(code(&of_fit).fit, before.fit);
}

/// Whose file, variable or condition is not named by a text, where a result depends on it.
#[test]
fn a_file_that_nobody_can_see_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let unseen = |text: &str| {
        let code = super::code(text, "Study", Place::compiled(Some(folder.path()))).unwrap();
        code.unseen.into_iter().collect::<Vec<_>>()
    };
    let using = |include: &str| FILE.replacen("self.rate)", &format!("self.rate, {include})"), 1);
    for (include, told) in [
        ("env!(name!())", "env!(name!())"),
        ("cfg!(feature = $name)", "cfg(feature=$name)"),
        ("{ #[cfg($on)] 1 }", "cfg($on)"),
        ("include_str!(path!())", "include_str!(path!())"),
        (
            "include!(concat!(\"a\", NAME))",
            "include!(concat!(\"a\",NAME))",
        ),
    ] {
        assert_eq!(unseen(&using(include)), [told], "{include}");
        let unused = format!("{FILE} const UNUSED: &str = {include};");
        assert!(unseen(&unused).is_empty(), "{include}");
    }
    for include in [
        "include_str!(\"missing.txt\")",
        "include_str!(env!(\"XAI_NO_SUCH_VARIABLE\"))",
    ] {
        assert!(unseen(&using(include)).is_empty(), "{include}");
    }
}

/// What `env!` gives is in no word of the file.
#[test]
fn variables_of_the_environment_count() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("inner.rs"), "env!(\"STEPS\")").unwrap();
    fs::write(folder.path().join("3"), "").unwrap();
    fs::write(folder.path().join("4"), "").unwrap();
    let code = |text: &str, steps: Option<&str>| {
        let variable = |name: &str| steps.filter(|_| name == "STEPS").map(str::to_owned);
        let place = Place {
            folder: Some(folder.path()),
            variable: &variable,
        };
        super::code(text, "Study", place).unwrap()
    };
    for call in [
        "env!(\"STEPS\")",
        "std::env!(concat!(\"ST\", \"EPS\"), \"say how many\")",
        "option_env!(r\"STEPS\")",
        "include!(\"inner.rs\")",
    ] {
        let of_fit = FILE.replacen("self.rate)", &format!("self.rate, {call})"), 1);
        let before = code(&of_fit, Some("3"));
        for other in [Some("4"), Some(""), None] {
            let after = code(&of_fit, other);
            assert_ne!(before.fit, after.fit, "{call} {other:?}");
            assert_eq!(before.test, after.test, "{call} {other:?}");
        }
        let title = "env!(\"STEPS\")";
        assert!(before.fit.contains_key(title), "{before:?}");
        // Nothing uses this one.
        let unused = format!("{FILE} const UNUSED: &str = {call};");
        assert_eq!(code(&unused, Some("3")), code(FILE, None), "{call}");
    }
    // The content of a file counts, and not its path.
    let path = FILE.replacen("self.rate)", "self.rate, include_str!(env!(\"STEPS\")))", 1);
    assert_eq!(code(&path, Some("3")), code(&path, Some("4")));
    // So does the whole file, where it has no `impl Run`.
    let whole = "make!(Study); const STEPS: &str = env!(\"STEPS\");";
    assert_ne!(code(whole, Some("3")).test, code(whole, Some("4")).test);
}

/// What only the compiler knows, such as the features of the package.
#[test]
fn conditions_of_the_build_are_found() {
    let conditions = |text: &str| {
        let code = code(text, "Study").unwrap();
        let all = [code.fit_conditions, code.test_conditions];
        all.map(|all| all.into_iter().collect::<Vec<_>>().join(" "))
    };
    assert_eq!(conditions(FILE), ["", ""]);
    let fit = [
        ("cfg!(feature = \"long\")", "feature=\"long\""),
        (
            "cfg!(any(feature = \"long\", not(unix),))",
            "any(feature=\"long\",not(unix))",
        ),
        ("{ #[cfg(unix)] let x = 1; x }", "unix"),
        (
            "{ #[cfg_attr(all(unix, x), allow(y), cfg(windows), cfg_attr(z, cfg(y)))] { 1 } }",
            "all(unix,x) windows y z",
        ),
        ("cfg_if! { if #[cfg(unix)] { 1 } else { 2 } }", "unix"),
    ];
    for (using, found) in fit {
        let text = FILE.replacen("self.rate)", &format!("self.rate, {using})"), 1);
        assert_eq!(conditions(&text), [found, ""], "{using}");
        let unused = format!("{FILE} fn unused() {{ {using} }}");
        assert_eq!(conditions(&unused), ["", ""], "{using}");
    }
    for (before, after, found) in [
        ("impl Run", "#[cfg(unix)] impl Run", ["unix", "unix"]),
        ("const STEPS", "#[cfg(unix)] const STEPS", ["unix", ""]),
        ("Shallow, Deep", "#[cfg(unix)] Shallow, Deep", ["", ""]),
        (
            "fn weighted",
            "#[cfg(not(unix))] fn weighted",
            ["", "not(unix)"],
        ),
        ("use std::", "#[cfg(unix)] use std::", ["unix", ""]),
        (
            "const WEIGHT: f64 = 0.5;",
            "#[cfg(unix)] mod inner { pub const WEIGHT: f64 = 0.5; }",
            ["", "unix"],
        ),
        (
            "fn half(&self)",
            "#[cfg(unix)] fn half(&self)",
            ["", "unix"],
        ),
        (
            "use xai",
            "mod inner { #![cfg(unix)] use a::*; } use xai",
            ["unix", "unix"],
        ),
    ] {
        assert!(FILE.contains(before), "{before}");
        assert_eq!(
            conditions(&FILE.replacen(before, after, 1)),
            found,
            "{after}"
        );
    }
    // What is conditional counts with its condition.
    let swapped = |one: &str, other: &str| {
        format!("{FILE} #[cfg({one})] use other::*; #[cfg({other})] use another::*;")
    };
    let [before, after] = [swapped("unix", "not(unix)"), swapped("not(unix)", "unix")]
        .map(|text| code(&text, "Study").unwrap());
    assert_ne!(before.fit, after.fit);
}

/// What uses a type need not name its alias.
#[test]
fn blocks_of_an_alias_count() {
    for (using, item) in [
        (
            "lab.fit(train(STEPS).third(),",
            "type N = Number; impl N { fn third(&self) -> f64 { 1.0 } }",
        ),
        (
            "lab.fit(train(STEPS).third(),",
            "type N = Number; trait Third { fn third(&self) -> f64; } impl Third for N { fn third(&self) -> f64 { 1.0 } }",
        ),
        (
            "lab.fit(train(STEPS) * 3.0,",
            "type N = Number; impl Mul<f64> for N { fn mul(self, by: f64) -> f64 { 1.0 } }",
        ),
    ] {
        let using = FILE.replacen("lab.fit(train(STEPS),", using, 1);
        let fit = |item: &str| code(&format!("{using}{item}"), "Study").unwrap().fit;
        assert_ne!(fit(item), fit(&item.replace("1.0", "2.0")), "{item}");
    }
}

/// A module of the file declares it, and an import gives it another name.
#[test]
fn what_a_renamed_import_stands_for_is_reached() {
    let noise = "mod noise {
        pub fn level() -> f64 { 1.0 }
        pub const LEVEL: f64 = 1.0;
        pub enum Kind { Loud = 1.0 as isize }
        pub struct Levels; impl Levels { pub fn first() -> f64 { 1.0 } }
        pub use self::level as of_noise;
    }";
    for (import, using) in [
        ("use noise::level as other;", "other()"),
        ("use noise::{level as other};", "other()"),
        ("use noise::level::{self as other};", "other()"),
        ("use noise::of_noise as other;", "other()"),
        ("use noise::LEVEL as OTHER;", "OTHER"),
        ("use noise::Kind::Loud as Other;", "Other"),
        ("use noise::Levels as Other;", "Other::first()"),
    ] {
        let fit = |using: &str, noise: &str| {
            let text = FILE.replacen("self.rate)", &format!("self.rate, {using})"), 1);
            code(&format!("{text}{import}{noise}"), "Study")
                .unwrap()
                .fit
        };
        let edited = noise.replace("1.0", "2.0");
        assert_ne!(fit(using, noise), fit(using, &edited), "{import}");
        assert_eq!(fit("0", noise), fit("0", &edited), "{import}");
    }
}

/// What a macro declares is known of those of the standard library alone.
#[test]
fn the_call_of_an_own_macro_counts_everywhere() {
    let rates = "rates! { const A = 0.1, B = 0.2 }";
    let with = |using: &str, call: &str| {
        let text = FILE.replacen("self.rate)", &format!("self.rate, {using})"), 1);
        code(&format!("{text}{call}"), "Study").unwrap()
    };
    for using in ["A", "B", "0"] {
        let [before, after] = [rates, &rates.replace("0.2", "0.3")].map(|call| with(using, call));
        assert_ne!(before.fit, after.fit, "{using}");
        assert_ne!(before.test, after.test, "{using}");
    }
    for call in [
        "thread_local! { static COUNT: Cell<u32> = 1; }",
        "std::thread_local! { static COUNT: Cell<u32> = const { 1 }; }",
        "lazy_static! { static ref COUNT: u32 = 1; }",
    ] {
        let edited = call.replace('1', "2");
        let [before, after] = [call, &edited].map(|call| with("COUNT", call));
        assert_ne!(before.fit, after.fit, "{call}");
        assert_eq!(before.test, after.test, "{call}");
        assert_eq!(with("0", call), with("0", &edited), "{call}");
    }
}

/// `r#name` and `name` are the same.
#[test]
fn raw_names_are_names() {
    for (using, item) in [
        (
            "self.epochs()",
            "impl Study { fn r#epochs(&self) -> usize { 1 } }",
        ),
        (
            "self.r#epochs()",
            "impl Study { fn epochs(&self) -> usize { 1 } }",
        ),
        (
            "self.r#epochs()",
            "trait Epochs { fn epochs(&self) -> usize { 1 } }",
        ),
        ("epochs()", "fn r#epochs() -> usize { 1 }"),
        ("EPOCHS", "const r#EPOCHS: usize = 1;"),
        ("format!(\"{EPOCHS}\")", "const r#EPOCHS: usize = 1;"),
        ("r#EPOCHS", "thread_local! { static EPOCHS: usize = 1; }"),
        ("EPOCHS", "thread_local! { static r#EPOCHS: usize = 1; }"),
        (
            "epochs()",
            "use all::r#old as epochs; mod all { fn old() -> usize { 1 } }",
        ),
        (
            "Other::new()",
            "struct r#Other; impl Default for r#Other { fn new() { 1 } }",
        ),
    ] {
        let using = FILE.replacen("self.rate)", &format!("self.rate, {using})"), 1);
        let fit = |item: &str| code(&format!("{using}{item}"), "Study").unwrap().fit;
        assert_ne!(fit(item), fit(&item.replace('1', "2")), "{item}");
    }
    let raw = FILE
        .replace("Study", "r#Study")
        .replace("fn fit", "fn r#fit");
    let Code { fit, .. } = code(&raw, "Study").unwrap();
    assert!(fit.contains_key("fit"), "{fit:?}");
}

/// A macro within an `impl` or a trait may write any of its items.
#[test]
fn macros_within_blocks_count() {
    let fit = FILE.split_once("    fn fit(").unwrap().1;
    let fit = fit.split_once("    fn test(").unwrap().0;
    let fit = format!("    fn fit({fit}");
    let both = |call: &str| {
        let text = FILE.replacen(&fit, call, 1);
        code(&text, "Study").unwrap()
    };
    // In `impl Run`, one that writes `fit`, and its definition.
    let definition = "macro_rules! fitting { ($n:expr) => { fn fit() { train($n) } } }";
    let with = |call: &str, definition: &str| both(&format!("{call} }} {definition} impl Rest {{"));
    let before = with("fitting!(1);", definition);
    for (call, definition) in [
        ("fitting!(2);", definition),
        ("fitting!(1);", &definition.replace("$n)", "$n + 1)")),
    ] {
        let after = with(call, definition);
        assert_ne!(before.fit, after.fit, "{call} {definition}");
        assert_ne!(before.test, after.test, "{call} {definition}");
    }
    assert!(before.fit.contains_key("fitting!"), "{before:?}");
    // In the block of a type, and in a trait whose blocks do not name the experiment.
    let using = FILE.replacen("self.rate)", "self.rate, self.epochs())", 1);
    let definition = "macro_rules! written { ($n:expr) => { fn epochs(&self) -> usize { $n } } }";
    for (block, counts) in [
        ("impl Study { written!(1); }", true),
        ("impl Number { written!(1); }", true),
        (
            "trait Epochs { written!(1); } impl<T> Epochs for T {}",
            true,
        ),
        ("impl Legend { written!(1); }", false),
    ] {
        let fit = |block: &str, definition: &str| {
            let text = format!("{using}{definition}{block}");
            code(&text, "Study").unwrap().fit
        };
        let before = fit(block, definition);
        let call = fit(&block.replace('1', "2"), definition);
        let definition = fit(block, &definition.replace("$n }", "$n + 1 }"));
        assert_eq!(before != call, counts, "{block}");
        assert_eq!(before != definition, counts, "{block}");
    }
}

#[test]
fn tests_and_references_keep_models() {
    for edit in [
        ("Saliency, DeepLift", "Saliency"),
        ("WEIGHT: f64 = 0.5", "WEIGHT: f64 = 0.25"),
        ("self.0 / 2.0", "self.0 / 3.0"),
        ("Ok(vec![])", "Ok(Vec::new())"),
    ] {
        assert_eq!(changed(&[edit]), SCORES, "{edit:?}");
    }
}

#[test]
fn what_only_the_analysis_reads_changes_nothing() {
    for edit in [
        ("TITLE: &str = \"a title\"", "TITLE: &str = \"another\""),
        ("numbers[0]", "numbers[1]"),
        ("median(&[1.0])", "median(&[2.0])"),
        ("TITLE.to_owned()", "TITLE.to_uppercase()"),
        // A method of the same name that belongs to a type which neither of the two uses.
        ("fn half() -> f64 { 1.0 }", "fn half() -> f64 { 2.0 }"),
    ] {
        assert_eq!(changed(&[edit]), NOTHING, "{edit:?}");
    }
}

/// Values are in the key by themselves.
#[test]
fn a_new_value_changes_nothing_that_is_there() {
    for edit in [
        ("Shallow, Deep", "Shallow, Deep, Deepest"),
        ("vec![0.1]", "vec![0.1, 0.2]"),
        ("#[seed(3)]", "#[seed(5)]"),
        ("max = |v| v.accuracy", "min = |v| v.loss"),
        ("FIT_VERSION: u32 = 1", "FIT_VERSION: u32 = 2"),
    ] {
        assert_eq!(changed(&[edit]), NOTHING, "{edit:?}");
    }
    // Where the order of the levels can matter, it counts.
    for (cast, counts) in [
        ("self.depth as usize", true),
        ("number(self.depth as _)", true),
        ("self.depth as Count", true),
        ("self.rate as f32", false),
    ] {
        let cast = ("self.rate)", format!("self.rate, {cast})"));
        let other = ("Shallow, Deep", "Deep, Shallow".to_owned());
        let [before, after] = [&[cast.clone()][..], &[cast.clone(), other]].map(|edits| {
            let text = (edits.iter()).fold(FILE.to_owned(), |text, (a, b)| text.replacen(a, b, 1));
            code(&text, "Study").unwrap().fit
        });
        assert_eq!(before != after, counts, "{cast:?}");
    }
    // A level that `fit` treats by name counts with what is said of it.
    let named = ("self.rate)", "self.rate, self.depth == Depth::Deep)");
    let [before, after] =
        [&[named][..], &[named, ("Deep }", "#[level(\"d\")] Deep }")]].map(|edits| {
            let text = (edits.iter()).fold(FILE.to_owned(), |text, (a, b)| text.replacen(a, b, 1));
            code(&text, "Study").unwrap().fit
        });
    assert_ne!(before, after);
}

#[test]
fn tuples_operators_and_lifetimes_are_told_apart() {
    let words = |text: &str| super::tokens::words(text.parse().unwrap());
    assert_ne!(words("let x = (a,);"), words("let x = (a);"));
    assert_eq!(words("f(a,)"), words("f(a)"));
    assert_ne!(words("a & &b"), words("a && b"));
    assert_eq!(words("a>>=b"), ["a", ">>=", "b"]);
    assert_eq!(words("0..=n"), ["0", "..=", "n"]);
    assert_eq!(words("&'a str"), ["&", "'a", "str"]);
    assert_ne!(words("'a' b"), words("'a b"));
}

#[test]
fn only_what_is_of_a_test_is_left_out() {
    let words = |text: &str| super::tokens::words(text.parse().unwrap());
    for (text, without) in [
        (
            "match x { #[cfg(test)] A => 1, B => 2, C => { 3 } } f();",
            "match x { B => 2, C => { 3 } } f();",
        ),
        (
            "match x { #[cfg(test)] A { y } if y => { 1 } B => 2, }",
            "match x { B => 2, }",
        ),
        (
            "match x { #[cfg(test)] A { .. } | D => Y { z: 1 }, B => { 2 } }",
            "match x { B => { 2 } }",
        ),
        (
            "struct S { #[cfg(test)] pub(crate) a: u8, b: u8 } fn f() {}",
            "struct S { b: u8 } fn f() {}",
        ),
        (
            "enum E { #[cfg(test)] #[x] A { y: u8 }, B { z: u8 }, }",
            "enum E { B { z: u8 }, }",
        ),
        (
            "enum E { #[cfg(test)] A, B } const C: u8 = 1;",
            "enum E { B } const C: u8 = 1;",
        ),
        ("f(a); #[cfg(test)] { g(a); } h();", "f(a); h();"),
        ("#[cfg(test)] { g(a); } if a { h(); }", "if a { h(); }"),
        ("#[cfg(test)] for x in y { g(x); } h();", "h();"),
        (
            "#[cfg(test)] pub fn g<A, B>(a: A) {} fn h() {}",
            "fn h() {}",
        ),
        ("#[cfg(test)] use a::{b, c}; use d;", "use d;"),
        ("#[cfg(test)] let (a, b): X<A, B> = c; d();", "d();"),
    ] {
        assert_eq!(words(text), words(without), "{text}");
    }
}

#[test]
fn without_an_impl_the_whole_file_counts() {
    let file = "make!(Study);\nfn helper() {}";
    let Code { fit, test, .. } = code(file, "Study").unwrap();
    assert_eq!(fit, test);
    assert_eq!(fit.keys().collect::<Vec<_>>(), ["the whole file"]);
    let other = code("make!(Study);\nfn helper() { /* x */ }", "Study").unwrap();
    assert_eq!(other.fit, fit);
    let other = code("make!(Study);\nfn helper() { 1 }", "Study").unwrap();
    assert_ne!(other.fit, fit);
    assert_eq!(code("not Rust", "Study"), None);
}
