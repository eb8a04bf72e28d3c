//! The expansions, as a person would read them, and the names.

use insta::assert_snapshot;
use quote::quote;

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
                #[seed(|scale| scale.pick(0..1, 0..2, 0..3))]
                seed: u64,
            }
        },
    );
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
fn an_explanation_that_is_scored() {
    let expansion = crate::explain::explain(quote!(
        input = images,
        methods = [Sobel, Laplace],
        score = Precision
    ));
    assert_snapshot!(pretty(quote!(fn example() { let scores = #expansion; })));
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
        "; there is `select`, `skip`"
    );
}
