//! Checks values by the way they are written.

use std::collections::HashSet;

use quote::ToTokens;
use syn::{Expr, ExprCall, ExprRange, Lit, RangeLimits, Stmt, Type};

use super::parse::{Parameter, Role};
use crate::errors::Errors;

/// The final expressions of the values: the branches of `if`, `match` and blocks. Each is its own
/// domain.
pub fn ends(values: &mut Expr) -> Vec<&mut Expr> {
    match values {
        Expr::If(syn::ExprIf {
            then_branch,
            else_branch: Some((_, otherwise)),
            ..
        }) => {
            let mut all = last(then_branch);
            all.extend(ends(otherwise));
            all
        }
        Expr::Match(cases) => cases
            .arms
            .iter_mut()
            .flat_map(|arm| ends(&mut arm.body))
            .collect(),
        Expr::Block(syn::ExprBlock {
            label: None, block, ..
        }) => last(block),
        Expr::Paren(inner) => ends(&mut inner.expr),
        // `unreachable!()` and similar macros have no values.
        Expr::Macro(call) if !call.mac.path.is_ident("vec") => Vec::new(),
        Expr::Return(_) => Vec::new(),
        other => vec![other],
    }
}

fn last(block: &mut syn::Block) -> Vec<&mut Expr> {
    match block.stmts.last_mut() {
        Some(Stmt::Expr(value, None)) => ends(value),
        _ => Vec::new(),
    }
}

pub fn check(parameter: &Parameter, errors: &mut Errors) {
    let Some(function) = &parameter.values else {
        return;
    };
    let name = &parameter.name;
    for values in ends(&mut function.body.clone()) {
        match &*values {
            Expr::Array(array) if array.elems.is_empty() => {
                errors.at(
                    array,
                    format!("`{name}` has no values; give it at least one"),
                );
            }
            Expr::Array(array) => elements(array, parameter, errors),
            Expr::Repeat(repeat) => errors.at(
                repeat,
                format!("`{name}` has one value several times; write different values: [a, b, c]"),
            ),
            Expr::Tuple(tuple) => errors.at(tuple, "write values in brackets: [a, b, c]"),
            Expr::Range(range) => bounds(range, parameter, errors),
            Expr::Call(call) => spaced(call, errors),
            Expr::If(condition) => errors.at(
                condition.if_token,
                format!("give `{name}` values in the other case too: add an `else`"),
            ),
            Expr::Lit(literal) => alone(literal, parameter, errors),
            _ => {}
        }
    }
}

/// The number of values, if it can be read from the source. `None` if it is known only at run time.
pub fn length(parameter: &Parameter) -> Option<usize> {
    let function = parameter.values.as_ref()?;
    match &function.body {
        Expr::Array(array) => Some(array.elems.len()),
        Expr::Range(range) => {
            let (start, end) = (
                integer(range.start.as_deref()?)?,
                integer(range.end.as_deref()?)?,
            );
            let closed = matches!(range.limits, RangeLimits::Closed(_));
            usize::try_from(end - start + i128::from(closed)).ok()
        }
        count if parameter.role == Role::Seed => usize::try_from(integer(count)?).ok(),
        _ => None,
    }
}

fn elements(array: &syn::ExprArray, parameter: &Parameter, errors: &mut Errors) {
    let name = &parameter.name;
    let mut written = HashSet::new();
    for value in &array.elems {
        if let Some(constant) = constant(value)
            && !written.insert(constant)
        {
            errors.at(value, format!("`{name}` has this value twice; remove one"));
        }
        if let (Type::Path(ty), Some(number)) = (&parameter.ty, integer(value))
            && ty.path.is_ident("f64")
        {
            errors.at(value, format!("`{name}` is an f64; write {number}.0"));
        }
    }
}

/// A value in a form that can be compared: `0.10` equals `1e-1`.
fn constant(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(literal) => Some(match &literal.lit {
            Lit::Float(number) => format!("{:?}", number.base10_parse::<f64>().ok()?),
            Lit::Int(number) => number.base10_digits().to_owned(),
            other => other.to_token_stream().to_string(),
        }),
        Expr::Unary(negative) => Some(format!("-{}", constant(&negative.expr)?)),
        Expr::Path(_) => Some(value.to_token_stream().to_string()),
        _ => None,
    }
}

fn bounds(range: &ExprRange, parameter: &Parameter, errors: &mut Errors) {
    let name = &parameter.name;
    let (Some(start), Some(end)) = (&range.start, &range.end) else {
        return errors.at(
            range,
            "this range lacks an end; write both ends, such as 0..3",
        );
    };
    if float(start).is_some() || float(end).is_some() {
        errors.at(
            range,
            "numbers between two floats need a step; write linear(0.1..=0.3, 5), log(1e-4..=1e-2, 5) or an array",
        );
    } else if integer(start).is_some()
        && integer(end).is_some()
        && length(parameter).is_none_or(|length| length == 0)
    {
        errors.at(
            range,
            format!("`{name}` has no values; give it at least one"),
        );
    }
}

/// `log(from..=to, count)` and `linear(from..=to, count)`.
fn spaced(call: &ExprCall, errors: &mut Errors) {
    let Expr::Path(function) = &*call.func else {
        return;
    };
    let log = function.path.is_ident("log");
    if !log && !function.path.is_ident("linear") {
        return;
    }
    let name = if log { "log" } else { "linear" };
    let usage = format!("write {name}(1e-4..=1e-2, 5): from, to, and how many");
    let (Some(Expr::Range(range)), Some(count), 2) =
        (call.args.first(), call.args.get(1), call.args.len())
    else {
        return errors.at(&call.args, usage);
    };
    if matches!(range.limits, RangeLimits::HalfOpen(_)) {
        errors.at(range.limits, format!("both ends are included; {usage}"));
    }
    if integer(count).is_some_and(|count| count < 2) {
        errors.at(count, "both ends are included; ask for at least 2");
    }
    let start = range.start.as_deref();
    if log
        && let Some(start) = start
        && float(start).is_some_and(|start| start <= 0.0)
    {
        errors.at(start, "a logarithmic range must begin above 0");
    }
}

/// Handles a literal in the place of a set of values.
fn alone(literal: &syn::ExprLit, parameter: &Parameter, errors: &mut Errors) {
    let (name, role) = (&parameter.name, parameter.role.name());
    match &literal.lit {
        Lit::Int(count) if parameter.role == Role::Seed => {
            if count.base10_digits() == "0" {
                errors.at(
                    literal,
                    format!("`{name}` has no values; ask for at least one"),
                );
            }
        }
        _ if parameter.role == Role::Seed => {
            errors.at(
                literal,
                "say how many seeds, or which: #[seed(3)], #[seed([1, 5])]",
            );
        }
        _ => {
            let list = format!("#[{role}([{}])]", literal.to_token_stream());
            errors.at(literal, format!("write the values as a list: {list}"));
        }
    }
}

fn integer(value: &Expr) -> Option<i128> {
    match value {
        Expr::Lit(syn::ExprLit {
            lit: Lit::Int(number),
            ..
        }) => number.base10_parse().ok(),
        Expr::Unary(negative) => Some(-integer(&negative.expr)?),
        _ => None,
    }
}

fn float(value: &Expr) -> Option<f64> {
    match value {
        Expr::Lit(syn::ExprLit {
            lit: Lit::Float(number),
            ..
        }) => number.base10_parse().ok(),
        Expr::Unary(negative) => Some(-float(&negative.expr)?),
        _ => None,
    }
}
