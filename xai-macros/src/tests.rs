//! The expansions in readable form, and the names.

use insta::assert_snapshot;
use quote::quote;

use crate::experiment::Written;
use crate::names::{snake_case, suggestion};

fn pretty(tokens: proc_macro2::TokenStream) -> String {
    prettyplease::unparse(&syn::parse2(tokens).expect("an expansion is Rust"))
}

#[test]
fn an_experiment() {
    let expansion = crate::experiment::experiment(
        quote!(
            select(max = |v| v.accuracy),
            skip("too deep for this corpus", |corpus, depth| corpus
                == Corpus::Mri
                && depth == Depth::All)
        ),
        quote! {
            /// Figure 4: explanation performance by corpus and depth.
            struct Fig4Best {
                #[axis]
                corpus: Corpus,
                #[axis]
                depth: Depth,
                #[tune(|corpus, depth| rates(corpus, depth))]
                rate: f64,
                #[seed(|scale| scale.pick(1, 2, 3))]
                seed: u64,
            }
        },
        &Written::default(),
    );
    assert_snapshot!(pretty(expansion));
}

#[test]
fn an_experiment_with_every_other_form() {
    let expansion = crate::experiment::experiment(
        quote!(
            select(closest = 0.89, by = |v| v.accuracy),
            zip(width, divisor),
            snapshot = smoke
        ),
        quote! {
            struct SameAccuracy {
                #[axis([64, 32])]
                width: usize,
                #[axis([1, 2])]
                divisor: usize,
                #[tune(|scale, width| match scale {
                    Scale::Smoke => [0.01],
                    _ if width > 32 => log(1e-4..=1e-2, 5),
                    _ => linear(0.01..=0.03, 3),
                })]
                rate: f64,
                #[seed(3)]
                seed: u64,
            }
        },
        &Written::default(),
    );
    assert_snapshot!(pretty(expansion));
}

/// The code in the file becomes two lists of hashes.
#[test]
fn an_experiment_in_its_file() {
    let file = "
        const RATE: f64 = 0.1;
        #[experiment] struct Small { #[seed(2)] seed: u64 }
        impl Run for Small {
            fn fit(&self) -> f64 { RATE }
            fn test(&self) -> u64 { self.seed }
        }";
    let expansion = crate::experiment::experiment(
        quote!(),
        quote!(
            struct Small {
                #[seed(2)]
                seed: u64,
            }
        ),
        &Written {
            source: Some(file),
            folder: None,
            outside: [("helper".to_owned(), "0123".to_owned())].into(),
        },
    );
    assert_snapshot!(pretty(expansion));
}

/// Only the compiler knows whether a condition holds. It has warned of those that it does not know where they stand.
#[test]
fn a_condition_of_the_build_is_part_of_the_code() {
    let file = "
        impl Run for Small {
            fn fit(&self) -> f64 { if cfg!(feature = \"long\") { 0.1 } else { 0.2 } }
        }";
    let expand = |file: &str| {
        let written = Written {
            source: Some(file),
            ..Written::default()
        };
        crate::experiment::experiment(
            quote!(),
            quote!(
                struct Small;
            ),
            &written,
        )
        .to_string()
    };
    let text = expand(file);
    let expected = quote!(
        #[cfg(feature = "long")]
        ("cfg(feature=\"long\")", "true"),
        #[cfg(not(feature = "long"))]
        ("cfg(feature=\"long\")", "false")
    );
    assert!(text.contains(&expected.to_string()), "{text}");
    assert!(text.contains("unexpected_cfgs"), "{text}");
    assert!(!expand("impl Run for Small {}").contains("unexpected_cfgs"));
    // In a macro, a variable may stand for any condition.
    let text = expand("impl Run for Small { fn fit() { cfg!($on) } }");
    assert!(
        text.contains("a change to what is meant by `cfg($on)` would not be seen"),
        "{text}"
    );
}

#[test]
fn levels() {
    let expansion = crate::level::level(quote! {
        enum Depth {
            #[level("1conv")]
            One,
            #[level(title = "All layers")]
            All,
        }
    });
    assert_snapshot!(pretty(expansion));
}

#[test]
fn an_explanation() {
    let expansion = crate::explain::explain(quote! {
        model = fitted.model, input = images,
        methods = [IntegratedGradients { steps: 50 }, Lrp::epsilon(1e-9), Sobel]
    });
    assert_snapshot!(pretty(quote!(fn example() { let maps = #expansion; })));
}

#[test]
fn names_may_be_keywords() {
    let level = crate::level::level(quote!(
        enum Kind {
            r#try,
        }
    ));
    assert!(pretty(level).contains("=> \"try\""));
    let explanation =
        crate::explain::explain(quote!(input = images, methods = [Yield, Self { steps: 5 }]));
    let text = pretty(quote!(fn example() { let maps = #explanation; }));
    assert!(
        text.contains("r#yield:") && text.contains("self_:"),
        "{text}"
    );
}

#[test]
fn an_explanation_that_is_scored() {
    let expansion = crate::explain::explain(quote!(
        input = images,
        methods = [Sobel, Laplace],
        score = Precision
    ));
    assert_snapshot!(pretty(quote!(fn example() { let scores = #expansion; })));
}

#[test]
fn an_explanation_with_all_arguments_of_a_score() {
    let expansion = crate::explain::explain(quote!(
        model = model,
        input = images,
        baseline = Baseline::Mean,
        methods = [Lrp::epsilon(1e-9)],
        combine = Combine {
            sign: Sign::Signed,
            channels: Channels::Sum
        },
        score = Precision
    ));
    assert_snapshot!(pretty(quote!(fn example() { let scores = #expansion; })));
}

/// An expansion reaches xai-core only through `crate = path`.
#[test]
fn another_path_to_the_crate() {
    let path = quote!(crate = crate::vendored::core);
    let experiment = |fields| {
        crate::experiment::experiment(
            quote!(#path, snapshot = smoke),
            quote!(struct E { #fields }),
            &Written::default(),
        )
    };
    let arguments = quote!(#path, input = images, methods = [Sobel]);
    for expansion in [
        experiment(quote!(#[axis] depth: Depth, #[seed(2)] seed: u64)),
        experiment(quote!(mistake: usize)),
        crate::level::level(quote!(
            #[level(#path)]
            enum Depth {
                All,
            }
        )),
        crate::explain::explain(arguments.clone()),
        crate::explain::explain(quote!(#arguments, score = Precision)),
    ] {
        let text = expansion.to_string();
        assert!(
            text.contains("crate :: vendored :: core :: __private"),
            "{text}"
        );
        assert!(!text.contains(":: xai_core"), "{text}");
    }
}

/// After a mistake, the struct without the macro's attributes and an impl are still there, so that
/// editors and the rest of the file see them.
#[test]
fn the_struct_survives_mistakes() {
    let expansion = crate::experiment::experiment(
        quote!(selekt(max = |v| v.accuracy), zip(width)),
        quote!(
            struct Broken {
                #[axis([])]
                width: usize,
                #[tune([0.1])]
                rate: f64,
                seed: u64,
            }
        ),
        &Written::default(),
    );
    let text = pretty(expansion);
    let structure = "struct Broken {\n    width: usize,\n    rate: f64,\n    seed: u64,\n}";
    assert!(text.starts_with(structure), "{text}");
    assert!(text.contains("Experiment for Broken"), "{text}");
    assert_eq!(text.matches("compile_error!").count(), 5, "{text}");
}

#[test]
fn a_parameter_has_no_name_of_a_column() {
    for name in [
        "method",
        "mean",
        "ci95_low",
        "test_accuracy",
        "tied",
        "difference",
    ] {
        let field = quote::format_ident!("{name}");
        let expansion = crate::experiment::experiment(
            quote!(),
            quote!(struct E { #[axis([1, 2])] #field: usize }),
            &Written::default(),
        );
        let text = expansion.to_string();
        assert!(
            text.contains(&format!("a table has a column `{name}`")),
            "{text}"
        );
    }
}

#[test]
fn names_in_snake_case() {
    for (name, snake) in [
        ("Fig4Best", "fig4_best"),
        ("MRIScan", "mri_scan"),
        ("All", "all"),
        ("InputXGradient", "input_x_gradient"),
        ("already_snake", "already_snake"),
    ] {
        assert_eq!(snake_case(name), snake);
    }
}

#[test]
fn near_misses() {
    assert_eq!(
        suggestion("selekt", ["select", "skip"]),
        "; did you mean `select`?"
    );
    assert_eq!(
        suggestion("xyz", ["select", "skip"]),
        "; the names are `select`, `skip`"
    );
}
