//! From a checked design to code: the struct, one impl, and a test if a snapshot is asked for.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, Meta};

use super::check::SCALE;
use super::parse::{Design, Function, Parameter};
use super::values::ends;
use crate::names::{self, snake_case};

pub fn expand(design: &Design) -> TokenStream {
    let (item, options) = (&design.item, &design.options);
    let name = &item.ident;
    let text = snake_case(&name.unraw().to_string());
    let description = description(&item.attrs);
    let parameters = design.parameters.iter().map(|parameter| {
        let role = Ident::new(parameter.role.name(), Span::mixed_site());
        let field = parameter.text();
        let (depends_on, domain) = domain(design, parameter);
        quote!(.#role(#field, &[#(#depends_on),*], #domain))
    });
    let skips = options.skips.iter().map(|skip| {
        let reason = &skip.reason;
        let (depends_on, lets) = dependencies(design, &skip.when);
        let (at, body) = (at(), &skip.when.body);
        quote!(.skip(#reason, &[#(#depends_on),*], |#at| { #(#lets)* #body }))
    });
    let zips = options.zips.iter().map(|zip| {
        let names = zip.iter().map(|name| name.unraw().to_string());
        quote!(.zip(&[#(#names),*]))
    });
    let select = options.select.as_ref().map(|select| {
        let method = format_ident!("select_{}", select.rule);
        let (target, by) = (select.target.iter(), &select.by);
        quote!(.#method(#(#target,)* #by))
    });
    let fields = design.parameters.iter().map(|parameter| {
        let (field, text) = (&parameter.name, parameter.text());
        let value = quote_spanned!(parameter.ty.span()=> point.get(#text));
        quote!(#field: #value)
    });
    let snapshot = snapshot(design);
    let private = names::private(options.core.as_ref());
    quote! {
        #item

        const _: () = {
            use #private as __xai;

            #[automatically_derived]
            impl __xai::Experiment for #name {
                fn spec() -> __xai::Spec {
                    __xai::Spec::new(#text, #description)
                        #(#parameters)*
                        #(#skips)*
                        #(#zips)*
                        #select
                }
                fn at(point: &__xai::Point) -> Self {
                    Self { #(#fields),* }
                }
            }
        };

        #snapshot
    }
}

/// The struct and an impl that is never run, so that only the mistakes are reported and not what follows from them.
pub fn after_mistakes(design: &Design, errors: &TokenStream) -> TokenStream {
    let item = &design.item;
    let name = &item.ident;
    if !item.generics.params.is_empty() {
        return quote!(#item #errors); // an impl would need bounds
    }
    let private = names::private(design.options.core.as_ref());
    quote! {
        #item
        #errors
        impl #private::Experiment for #name {
            fn spec() -> #private::Spec {
                ::core::unreachable!()
            }
            fn at(_: &#private::Point) -> Self {
                ::core::unreachable!()
            }
        }
    }
}

/// The test that `snapshot = smoke` gives.
fn snapshot(design: &Design) -> Option<TokenStream> {
    let scale = design.options.snapshot.as_ref()?;
    let name = &design.item.ident;
    let file = format!("{}_{scale}", snake_case(&name.unraw().to_string()));
    let test = format_ident!("{}_at_{scale}_scale", snake_case(&name.unraw().to_string()));
    let mut variant = scale.to_string();
    variant[..1].make_ascii_uppercase();
    let variant = Ident::new(&variant, scale.span());
    let private = names::private(design.options.core.as_ref());
    Some(quote! {
        #[cfg(test)]
        #[test]
        fn #test() {
            use #private as __xai;
            let table = __xai::snapshot::<#name>(__xai::Scale::#variant);
            ::insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
                ::insta::assert_snapshot!(#file, table)
            });
        }
    })
}

/// The text of the doc comments, trimmed line by line.
fn description(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes {
        if let Meta::NameValue(meta) = &attribute.meta
            && meta.path.is_ident("doc")
            && let Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(text),
                ..
            }) = &meta.value
        {
            lines.push(text.value().trim().to_owned());
        }
    }
    lines.join("\n").trim().to_owned()
}

/// The point of the design, under a name that the user's code cannot see.
fn at() -> Ident {
    Ident::new("at", Span::mixed_site())
}

/// What a parameter depends on, and the closure that gives its domain. Spans are the user's, so that a
/// type that does not fit is reported where it is written.
fn domain(design: &Design, parameter: &Parameter) -> (Vec<String>, TokenStream) {
    let (at, ty) = (at(), &parameter.ty);
    let Some(function) = &parameter.values else {
        let levels = quote_spanned!(ty.span()=> __xai::levels::<#ty>());
        return (Vec::new(), quote!(|_| #levels));
    };
    let convert = match parameter.role {
        super::parse::Role::Seed => "seeds",
        _ => "domain",
    };
    let mut values = function.body.clone();
    for end in ends(&mut values) {
        let convert = Ident::new(convert, end.span());
        let domain = quote_spanned!(end.span()=> __xai::#convert::<#ty>(#end));
        *end = Expr::Verbatim(domain);
    }
    let (depends_on, lets) = dependencies(design, function);
    let closure = match lets.is_empty() {
        true => quote!(|_| #values),
        false => quote!(|#at| { #(#lets)* #values }),
    };
    (depends_on, closure)
}

/// The names of what a closure depends on, and the lines that bind them.
fn dependencies(design: &Design, function: &Function) -> (Vec<String>, Vec<TokenStream>) {
    let at = at();
    let bind = |name: &Ident| {
        if name == SCALE {
            return quote!(let #name = #at.scale(););
        }
        let text = name.unraw().to_string();
        let ty = design
            .parameters
            .iter()
            .find(|parameter| parameter.name == *name)
            .map(|parameter| &parameter.ty);
        quote!(let #name: #ty = #at.get(#text);)
    };
    let names = function
        .dependencies
        .iter()
        .map(|name| name.unraw().to_string());
    (
        names.collect(),
        function.dependencies.iter().map(bind).collect(),
    )
}
