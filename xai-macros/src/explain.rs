//! `explain!` applies a panel of methods to images.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, Path, Token};

use crate::errors::Errors;
use crate::names::{private, snake_case, suggestion};

const ARGUMENTS: [&str; 9] = [
    "model", "input", "target", "baseline", "methods", "combine", "also", "score", "crate",
];

const USAGE: &str = "explain! takes named arguments: model = .., input = .., methods = [..]";

pub fn explain(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let call = parse(input, &mut errors);
    let fields = check(&call, &mut errors);
    match errors.into_tokens() {
        None => expand(&call, &fields),
        Some(errors) => quote!({ #errors }),
    }
}

/// The arguments as written.
#[derive(Default)]
struct Call {
    model: Option<Expr>,
    input: Option<Expr>,
    target: Option<Expr>,
    baseline: Option<Expr>,
    methods: Vec<Expr>,
    combine: Option<Expr>,
    also: Option<Expr>,
    score: Option<Expr>,
    core: Option<Path>,
}

/// Reads one argument after the other. A mistake in one does not hide mistakes in others.
fn parse(tokens: TokenStream, errors: &mut Errors) -> Call {
    let mut call = Call::default();
    let mut seen: Vec<String> = Vec::new();
    let read = |input: ParseStream| {
        while !input.is_empty() {
            if !is_named(input) {
                errors.push(input.error(USAGE));
                seen.extend(["input", "methods"].map(String::from)); // they are there, without names
                input.parse::<TokenStream>()?;
                break;
            }
            match argument(input, &mut call, &mut seen, errors) {
                Err(error) => errors.push(error),
                Ok(()) if !input.is_empty() && !input.peek(Token![,]) => {
                    errors.push(input.error("expected `,` before the next argument"));
                }
                Ok(()) => {}
            }
            while !input.is_empty() && !input.peek(Token![,]) {
                input.parse::<TokenTree>()?;
            }
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(())
    };
    let read = read.parse2(tokens);
    errors.keep(read);
    for required in ["input", "methods"] {
        if !seen.iter().any(|name| name == required) {
            errors.push(syn::Error::new(
                Span::call_site(),
                format!("explain! needs `{required} = ..`"),
            ));
        }
    }
    call
}

fn is_named(input: ParseStream) -> bool {
    input.peek(Ident::peek_any) && input.peek2(Token![=]) && !input.peek2(Token![==])
}

fn argument(
    input: ParseStream,
    call: &mut Call,
    seen: &mut Vec<String>,
    errors: &mut Errors,
) -> syn::Result<()> {
    let name = input.call(Ident::parse_any)?;
    input.parse::<Token![=]>()?;
    let text = name.to_string();
    if seen.contains(&text) {
        errors.at(&name, format!("`{name}` is given twice; keep one"));
    }
    match text.as_str() {
        "model" => call.model = Some(input.parse()?),
        "input" => call.input = Some(input.parse()?),
        "target" => call.target = Some(input.parse()?),
        "baseline" => call.baseline = Some(input.parse()?),
        "combine" => call.combine = Some(input.parse()?),
        "also" => call.also = Some(input.parse()?),
        "score" => call.score = Some(input.parse()?),
        "crate" => call.core = Some(input.call(Path::parse_mod_style)?),
        "methods" => match input.parse()? {
            Expr::Array(array) if array.elems.is_empty() => {
                errors.at(array, "name at least one method");
            }
            Expr::Array(array) => call.methods = array.elems.into_iter().collect(),
            other => errors.at(other, "write the methods as a list: methods = [Saliency, DeepLift]; for methods chosen at run time use `Panel`"),
        },
        unknown => {
            let near = suggestion(unknown, ARGUMENTS);
            errors.at(&name, format!("explain! has no argument `{unknown}`{near}"));
            // Stored under the intended name, so that a mistyped `methods` is not also reported as
            // missing.
            if let Some(near) = crate::names::near(unknown, ARGUMENTS) {
                seen.push(near.to_owned());
            }
            input.parse::<Expr>()?;
        }
    }
    seen.push(text);
    Ok(())
}

/// The names of the fields, one per method.
fn check(call: &Call, errors: &mut Errors) -> Vec<Ident> {
    if let (Some(target), Some(_)) = (&call.target, &call.score) {
        errors.at(
            target,
            "`score = ..` explains the images' true classes; leave out `target`",
        );
    }
    if let (Some(combine), None) = (&call.combine, &call.score) {
        errors.at(
            combine,
            "`combine` makes heat maps for `score = ..`; without `score`, maps keep their signs and channels",
        );
    }
    if let (Some(also), None) = (&call.also, &call.score) {
        errors.at(
            also,
            "`also` processes heat maps in further ways for `score = ..`; without `score`, there are no heat maps",
        );
    }
    let mut fields: Vec<Ident> = Vec::new();
    if call.score.is_some() {
        return fields; // scores carry the methods' own names
    }
    for method in &call.methods {
        let Some(name) = type_name(method) else {
            errors.at(method, "write a method by its type, such as `Saliency`, `Lrp::epsilon(1e-9)` or `IntegratedGradients { steps: 50 }`");
            continue;
        };
        let field = field(&snake_case(&name.to_string()), name.span());
        if fields.contains(&field) {
            errors.at(method, format!("two methods would have the field `{field}`; use the builder `Panel`, which returns a list"));
        }
        fields.push(field);
    }
    fields
}

/// A field of this name, which may be a keyword.
fn field(name: &str, span: Span) -> Ident {
    match name {
        "self" | "super" | "crate" => Ident::new(&format!("{name}_"), span), // never a field
        _ if syn::parse_str::<Ident>(name).is_ok() => Ident::new(name, span),
        _ => Ident::new_raw(name, span),
    }
}

/// The name of a method's type: `Lrp` of `Lrp::epsilon(1e-9)`.
fn type_name(method: &Expr) -> Option<&Ident> {
    match method {
        Expr::Path(path) => last_type(&path.path),
        Expr::Struct(literal) => last_type(&literal.path),
        Expr::Call(call) => type_name(&call.func),
        Expr::MethodCall(call) => type_name(&call.receiver),
        _ => None,
    }
}

/// The last name of a path that is a type: `Lrp`, not `epsilon`.
fn last_type(path: &Path) -> Option<&Ident> {
    let mut names = path.segments.iter().rev().map(|segment| &segment.ident);
    names.find(|name| name.to_string().starts_with(char::is_uppercase))
}

fn expand(call: &Call, fields: &[Ident]) -> TokenStream {
    let (methods, input) = (&call.methods, &call.input);
    let private = private(call.core.as_ref());
    let (xai, images) = (
        Ident::new("__xai", Span::mixed_site()),
        Ident::new("images", Span::mixed_site()),
    );
    let model = match &call.model {
        Some(model) => quote!(#model),
        None => quote!(#xai::NoModel),
    };
    let (baseline, combine, also) = (call.baseline.iter(), call.combine.iter(), call.also.iter());
    let panel = quote!(#xai::Panel::new() #(.baseline(#baseline))* #(.combine(#combine))* #(.also(#also))* #(.with(#methods))*);
    if let Some(metric) = &call.score {
        return quote!({
            use #private as #xai;
            #panel.score(&#model, &#input, &#metric)
        });
    }
    let target = match &call.target {
        Some(target) => quote!(&#target),
        None => quote!(&#images.class),
    };
    quote!({
        use #private as #xai;
        /// The map of each method.
        struct Maps {
            #(#fields: #xai::Map,)*
        }
        let #images = &#input;
        #panel.explain(&#model, #images, #target).map(|maps| {
            let [#(#fields),*] = #xai::one_each(maps);
            Maps { #(#fields),* }
        })
    })
}
