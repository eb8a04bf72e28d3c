//! `explain!`: a panel of methods on some images.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, Token};

use crate::errors::Errors;
use crate::names::{snake_case, suggestion};

const ARGUMENTS: [&str; 6] = ["model", "input", "target", "baseline", "methods", "score"];

pub fn explain(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let call = parse(input, &mut errors);
    let fields = check(&call, &mut errors);
    match errors.into_tokens() {
        None => expand(&call, &fields),
        Some(errors) => quote!({ #errors }),
    }
}

/// The arguments as they are written.
#[derive(Default)]
struct Call {
    model: Option<Expr>,
    input: Option<Expr>,
    target: Option<Expr>,
    baseline: Option<Expr>,
    methods: Vec<Expr>,
    score: Option<Expr>,
}

struct Argument {
    name: Ident,
    value: Expr,
}

impl Parse for Argument {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let name = input.parse()?;
        input.parse::<Token![=]>()?;
        Ok(Self {
            name,
            value: input.parse()?,
        })
    }
}

fn parse(input: TokenStream, errors: &mut Errors) -> Call {
    let mut call = Call::default();
    let arguments = errors.keep(Punctuated::<Argument, Token![,]>::parse_terminated.parse2(input));
    let Some(arguments) = arguments else {
        return call;
    };
    let mut seen: Vec<Ident> = Vec::new();
    for Argument { name, value } in arguments {
        if seen.contains(&name) {
            errors.at(&name, format!("`{name}` is there twice; keep one"));
        }
        match name.to_string().as_str() {
            "model" => call.model = Some(value),
            "input" => call.input = Some(value),
            "target" => call.target = Some(value),
            "baseline" => call.baseline = Some(value),
            "score" => call.score = Some(value),
            "methods" => match value {
                Expr::Array(array) if array.elems.is_empty() => {
                    errors.at(array, "name at least one method");
                }
                Expr::Array(array) => call.methods = array.elems.into_iter().collect(),
                other => errors.at(other, "write the methods as a list: methods = [Saliency, DeepLift]; for methods chosen at run time use `Panel`"),
            },
            unknown => {
                let near = suggestion(unknown, ARGUMENTS);
                errors.at(&name, format!("explain! has no argument `{unknown}`{near}"));
            }
        }
        seen.push(name);
    }
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

/// The names of the fields, one a method.
fn check(call: &Call, errors: &mut Errors) -> Vec<Ident> {
    if let (Some(target), Some(_)) = (&call.target, &call.score) {
        errors.at(
            target,
            "`score = ..` is of the images' true classes; leave `target` out",
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
        let field = Ident::new(&snake_case(&name.to_string()), name.span());
        if fields.contains(&field) {
            errors.at(method, format!("two methods would give the field `{field}`; use the builder `Panel`, which gives a list"));
        }
        fields.push(field);
    }
    fields
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

/// The last name of a path that is a type's: not `epsilon` but `Lrp`.
fn last_type(path: &syn::Path) -> Option<&Ident> {
    let mut names = path.segments.iter().rev().map(|segment| &segment.ident);
    names.find(|name| name.to_string().starts_with(char::is_uppercase))
}

fn expand(call: &Call, fields: &[Ident]) -> TokenStream {
    let (methods, input) = (&call.methods, &call.input);
    let images = Ident::new("images", Span::mixed_site());
    let model = match &call.model {
        Some(model) => quote!(#model),
        None => quote!(::xai_core::attribution::NoModel),
    };
    let target = match &call.target {
        Some(target) => quote!(&#target),
        None => quote!(&#images.class),
    };
    let baseline = call.baseline.iter();
    let panel =
        quote!(::xai_core::attribution::Panel::new() #(.baseline(#baseline))* #(.with(#methods))*);
    if let Some(metric) = &call.score {
        return quote!(#panel.score(&#model, &#input, &#metric));
    }
    let message = "a panel gives one map a method";
    quote!({
        /// The maps of each method.
        struct Maps {
            #(#fields: ::xai_core::attribution::Map,)*
        }
        let #images = &#input;
        #panel.explain(&#model, #images, #target).map(|maps| {
            let mut maps = maps.into_iter();
            Maps { #(#fields: maps.next().expect(#message),)* }
        })
    })
}
