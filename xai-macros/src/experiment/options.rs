//! The options in `#[experiment(..)]`.

use proc_macro2::{Group, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, Ident, LitStr, Path, Token};

use super::parse::Function;
use crate::errors::Errors;
use crate::names::suggestion;

#[derive(Default)]
pub struct Options {
    pub select: Option<Select>,
    /// The position of `select`, even if it is wrong.
    pub selected: Option<Ident>,
    pub skips: Vec<Skip>,
    pub zips: Vec<Vec<Ident>>,
    /// `smoke`, `desk` or `paper`.
    pub snapshot: Option<Ident>,
    /// The path to xai-core.
    pub core: Option<Path>,
}

pub struct Select {
    /// `max`, `min` or `closest`.
    pub rule: Ident,
    /// The number for `closest`.
    pub target: Option<Expr>,
    /// The function of the validation result.
    pub by: Expr,
}

pub struct Skip {
    pub reason: LitStr,
    pub when: Function,
}

/// The names of the options and how to write each.
const USAGES: [(&str, &str); 5] = [
    (
        "select",
        "write select(max = |v| v.accuracy), select(min = |v| v.loss) or select(closest = 0.89, by = |v| v.accuracy)",
    ),
    ("skip", "write skip(\"why\", |a, b| condition)"),
    ("zip", "write zip(a, b) with the names of parameters"),
    ("snapshot", "write snapshot = smoke"),
    ("crate", "write crate = path::to::xai_core"),
];

fn usage(option: &str) -> &'static str {
    let found = USAGES.iter().find(|(name, _)| *name == option);
    found.expect("an option of ours").1
}

/// Reads one option after the other. A mistake in one does not hide mistakes in others.
pub fn parse(tokens: TokenStream, errors: &mut Errors) -> Options {
    let mut options = Options::default();
    let read = |input: ParseStream| {
        while !input.is_empty() {
            let result = option(input, &mut options, errors);
            let end = input.is_empty() || input.peek(Token![,]);
            match result {
                Err(error) => errors.push(error),
                Ok(()) if !end => errors.push(input.error("expected `,` before the next option")),
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
    options
}

fn option(input: ParseStream, options: &mut Options, errors: &mut Errors) -> syn::Result<()> {
    let option = input.call(Ident::parse_any)?;
    let name = option.to_string();
    let twice = match name.as_str() {
        "select" => options.selected.replace(option.clone()).is_some(),
        "snapshot" => options.snapshot.is_some(),
        "crate" => options.core.is_some(),
        "skip" | "zip" => false,
        unknown => {
            let near = suggestion(unknown, USAGES.map(|(name, _)| name));
            let message = format!("#[experiment] has no option `{unknown}`{near}");
            return Err(syn::Error::new(option.span(), message));
        }
    };
    if twice {
        errors.at(&option, format!("`{name}` is given twice; keep one"));
    }
    match name.as_str() {
        "snapshot" => {
            assigned(input, &option)?;
            options.snapshot = Some(scale(input)?);
        }
        "crate" => {
            assigned(input, &option)?;
            options.core = Some(input.call(Path::parse_mod_style)?);
        }
        "select" => options.select = Some(select.parse2(arguments(input, &option)?)?),
        "skip" => {
            let (reason, closure) = skip.parse2(arguments(input, &option)?)?;
            let when = Function::of(closure, errors);
            options.skips.push(Skip { reason, when });
        }
        _ => {
            let names = Punctuated::<Ident, Token![,]>::parse_terminated
                .parse2(arguments(input, &option)?)
                .map_err(|error| syn::Error::new(error.span(), usage("zip")))?;
            options.zips.push(names.into_iter().collect());
        }
    }
    Ok(())
}

fn assigned(input: ParseStream, option: &Ident) -> syn::Result<()> {
    match input.parse::<Token![=]>() {
        Ok(_) => Ok(()),
        Err(_) => Err(syn::Error::new(option.span(), usage(&option.to_string()))),
    }
}

/// The tokens in the parentheses after an option.
fn arguments(input: ParseStream, option: &Ident) -> syn::Result<TokenStream> {
    let group: Option<Group> = if input.peek(syn::token::Paren) {
        Some(input.parse()?)
    } else {
        None
    };
    group
        .map(|group| group.stream())
        .filter(|content| !content.is_empty())
        .ok_or_else(|| syn::Error::new(option.span(), usage(&option.to_string())))
}

fn scale(input: ParseStream) -> syn::Result<Ident> {
    const SCALES: [&str; 3] = ["smoke", "desk", "paper"];
    let scale: Ident = input.parse()?;
    if SCALES.iter().any(|known| scale == known) {
        return Ok(scale);
    }
    let near = suggestion(&scale.to_string(), SCALES);
    let message = format!("there is no scale `{scale}`{near}");
    Err(syn::Error::new(scale.span(), message))
}

fn select(input: ParseStream) -> syn::Result<Select> {
    let rules = ["max", "min", "closest"];
    let rule: Ident = input
        .parse()
        .map_err(|error| syn::Error::new(error.span(), usage("select")))?;
    if !rules.iter().any(|known| rule == known) {
        return Err(syn::Error::new(rule.span(), usage("select")));
    }
    input
        .parse::<Token![=]>()
        .map_err(|_| syn::Error::new(rule.span(), usage("select")))?;
    let mut by: Expr = input.parse()?;
    let mut target = None;
    if rule == "closest" {
        let missing = "say which result should be close to the number: select(closest = 0.89, by = |v| v.accuracy)";
        let wrong = |at: &Expr| syn::Error::new_spanned(at, missing);
        input.parse::<Token![,]>().map_err(|_| wrong(&by))?;
        let name: Ident = input.parse().map_err(|_| wrong(&by))?;
        if name != "by" {
            return Err(syn::Error::new(name.span(), missing));
        }
        input.parse::<Token![=]>()?;
        target = Some(std::mem::replace(&mut by, input.parse()?));
    }
    input.parse::<Option<Token![,]>>()?;
    if !input.is_empty() {
        return Err(input.error(format!("select takes one rule; {}", usage("select"))));
    }
    let function = match &by {
        Expr::Closure(closure) => closure.inputs.len() == 1,
        other => matches!(other, Expr::Path(_)),
    };
    if !function {
        return Err(syn::Error::new_spanned(
            &by,
            "write a function of the validation result, such as |v| v.accuracy",
        ));
    }
    Ok(Select { rule, target, by })
}

fn skip(input: ParseStream) -> syn::Result<(LitStr, syn::ExprClosure)> {
    let wrong = |error: syn::Error| syn::Error::new(error.span(), usage("skip"));
    let reason: LitStr = input.parse().map_err(wrong)?;
    input
        .parse::<Token![,]>()
        .map_err(|_| syn::Error::new(reason.span(), usage("skip")))?;
    let closure = input.parse().map_err(wrong)?;
    input.parse::<Option<Token![,]>>()?;
    Ok((reason, closure))
}
