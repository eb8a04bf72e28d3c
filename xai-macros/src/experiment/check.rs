//! Checks that involve more than one part of a design.

use syn::Ident;

use super::parse::{Design, Function, Parameter, Role};
use super::values;
use crate::errors::Errors;
use crate::names::suggestion;

/// The only dependency that is not a parameter.
pub const SCALE: &str = "scale";

/// Columns of the score files, and of the tables that have a column for each parameter.
#[rustfmt::skip]
const COLUMNS: [&str; 29] = [
    "baseline", "method", "metric", "image", "images", "seeds", "class", "value",
    // table.csv
    "validation_accuracy", "test_accuracy", "validation_r2", "test_r2", "test_mae", "mean", "ci95_low", "ci95_high", "median",
    // checks.csv
    "maps", "zero", "constant", "tied", "noise_over_range", "completeness_error_median", "completeness_error_max",
    // against.csv
    "here", "there", "published", "difference", "comparison",
];

pub fn check(design: &Design, errors: &mut Errors) {
    let options = &design.options;
    for (index, parameter) in design.parameters.iter().enumerate() {
        let name = &parameter.name;
        if name == SCALE {
            errors.at(
                name,
                "`scale` stands for the scale of the run in every closure; rename the parameter",
            );
        }
        if COLUMNS.iter().any(|column| name == column) {
            errors.at(
                name,
                format!("a table has a column `{name}`; rename the parameter"),
            );
        }
        values::check(parameter, errors);
        if let Some(function) = &parameter.values {
            dependencies(design, index, function, errors);
        }
        if parameter.role == Role::Tune && options.selected.is_none() {
            errors.push(syn::Error::new(
                parameter.role_span,
                format!("`{name}` is tuned, but nothing selects its value; add #[experiment(select(max = |v| v.accuracy))]"),
            ));
        }
    }
    let tuned = |parameter: &Parameter| parameter.role == Role::Tune;
    if let Some(select) = &options.selected
        && !design.parameters.iter().any(tuned)
    {
        errors.at(
            select,
            "nothing is tuned, so there is nothing to select; put #[tune(..)] on a field, or remove this",
        );
    }
    for skip in &options.skips {
        if skip.reason.value().trim().is_empty() {
            errors.at(
                &skip.reason,
                "give the reason why these cells are left out; the plan prints it",
            );
        }
        for dependency in &skip.when.dependencies {
            known(design, dependency, errors);
        }
    }
    for (index, zip) in options.zips.iter().enumerate() {
        zipped(design, zip, &options.zips[..index], errors);
    }
}

/// The parameter called `name`. If there is none, a mistake is recorded. `scale` returns `None`
/// without a mistake.
fn known<'a>(
    design: &'a Design,
    name: &Ident,
    errors: &mut Errors,
) -> Option<(usize, &'a Parameter)> {
    let found = design
        .parameters
        .iter()
        .enumerate()
        .find(|(_, parameter)| parameter.name == *name);
    if found.is_none() && name != SCALE {
        let names: Vec<_> = design.parameters.iter().map(Parameter::text).collect();
        let near = suggestion(
            &name.to_string(),
            names.iter().map(String::as_str).chain([SCALE]),
        );
        errors.at(name, format!("no parameter is called `{name}`{near}"));
    }
    found
}

fn dependencies(design: &Design, index: usize, function: &Function, errors: &mut Errors) {
    let parameter = &design.parameters[index];
    for dependency in &function.dependencies {
        let Some((position, other)) = known(design, dependency, errors) else {
            continue;
        };
        if position == index {
            errors.at(
                dependency,
                format!("the values of `{dependency}` cannot depend on `{dependency}` itself"),
            );
        } else if other.role > parameter.role {
            let (own, others) = (parameter.role.name(), other.role.name());
            errors.at(
                dependency,
                format!("the values of an #[{own}] cannot depend on a #[{others}]: an axis may depend on axes, a tune on axes and tunes"),
            );
        } else if position > index {
            errors.at(
                dependency,
                format!(
                    "`{dependency}` is declared after `{}`; move the field `{dependency}` above it",
                    parameter.name
                ),
            );
        }
    }
}

fn zipped(design: &Design, zip: &[Ident], earlier: &[Vec<Ident>], errors: &mut Errors) {
    if let [alone] = zip {
        errors.at(alone, "zip pairs at least two parameters; name another one");
    }
    let mut members: Vec<&Parameter> = Vec::new();
    for name in zip {
        if name == SCALE {
            errors.at(name, "`scale` is not a parameter and cannot be zipped");
        }
        let Some((_, parameter)) = known(design, name, errors) else {
            continue;
        };
        let repeated = members.iter().any(|member| member.name == *name)
            || earlier.iter().flatten().any(|other| other == name);
        if repeated {
            errors.at(name, format!("`{name}` is zipped twice; name it once"));
        }
        let mut dependencies = parameter.values.iter().flat_map(|f| &f.dependencies);
        if let Some(inner) = dependencies.find(|dependency| zip.contains(dependency)) {
            errors.at(
                inner,
                format!("`{name}` and `{inner}` are zipped, so neither can depend on the other"),
            );
        }
        if let Some(first) = members.first() {
            if first.role != parameter.role {
                errors.at(
                    name,
                    format!(
                        "zip pairs parameters of one role: `{}` is #[{}], `{name}` is #[{}]",
                        first.name,
                        first.role.name(),
                        parameter.role.name()
                    ),
                );
            }
            if let (Some(one), Some(other)) = (values::length(first), values::length(parameter))
                && one != other
            {
                errors.at(name, format!("zip pairs `{}` with {one} values and `{name}` with {other}; give both the same number", first.name));
            }
        }
        members.push(parameter);
    }
}
